//! The first word of a statement decides who reads on.

use super::Parser;
use crate::effect::{Hold, SessionEffect, TrxEffect};
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;
use crate::statement::Operation;

impl Parser<'_> {
    /// Reads one statement, from its first token to its end.
    pub(super) fn verb(&mut self) {
        while self.tokens.is(K::Set) && self.tokens.second().is(K::Statement) {
            self.set_statement();
        }
        if self.is_label() {
            return self.compound();
        }
        match self.tokens.peek().keyword {
            Some(keyword) => self.keyword(keyword),
            None if self.tokens.peek().is_punct(b'(') => self.query(),
            None => self.invalid(),
        }
    }

    /// `name:` before a loop or block, `<<name>>` in sql_mode ORACLE.
    fn is_label(&self) -> bool {
        self.tokens.peek().is_name() && self.tokens.second().is_punct(b':')
            || self.tokens.peek().is_punct(b'<') && self.tokens.second().is_punct(b'<')
    }

    fn keyword(&mut self, keyword: K) {
        match keyword {
            K::Select | K::Values | K::Table | K::With => self.query(),
            K::Insert | K::Replace | K::Update | K::Delete => self.change(),
            K::Explain | K::Describe | K::Desc => self.explain(),
            K::Analyze => self.analyze(),
            K::Set => self.set(),
            K::Begin | K::Start | K::Commit | K::Rollback | K::Savepoint | K::Release | K::Xa => {
                self.transaction(keyword);
            }
            K::Prepare | K::Execute | K::Deallocate => self.prepared(keyword),
            K::Show => self.show(),
            K::Kill => self.kill(),
            K::Create | K::Alter | K::Drop | K::Rename | K::Truncate | K::Grant | K::Revoke => {
                self.definition(keyword);
            }
            K::Declare | K::If | K::Case | K::Loop | K::While | K::Repeat | K::For => {
                self.compound();
            }
            K::Use => self.use_database(),
            K::Call => self.call(),
            K::Do => self.evaluate(),
            K::Load => self.load(),
            K::Handler => self.handler(),
            K::Help => {
                self.flag(TypeMask::READ);
                self.skip_rest();
            }
            K::Get => self.diagnostics(),
            _ => self.administration(keyword),
        }
    }

    fn use_database(&mut self) {
        self.out.operation = Operation::ChangeDb;
        self.tokens.bump();
        let name = self.tokens.take();
        if !name.is_name() {
            return self.invalid();
        }
        self.flag(TypeMask::SESSION_WRITE);
        self.out.effect = Some(SessionEffect::Use(self.tokens.content(name)));
        self.expect_end();
    }

    fn call(&mut self) {
        self.out.operation = Operation::Call;
        self.out.trx = TrxEffect::Opaque;
        self.flag(TypeMask::WRITE);
        self.tokens.bump();
        while self.tokens.peek().is_name() || self.tokens.peek().is_punct(b'.') {
            self.tokens.bump();
        }
        if self.tokens.eat_punct(b'(') {
            self.scan.open();
            self.scan.top().arguments = true;
        }
        self.scan_rest();
    }

    /// DO: a SET in disguise when it holds nothing but assignments.
    fn evaluate(&mut self) {
        self.tokens.bump();
        let mut only_assignments = true;
        loop {
            only_assignments &= self.tokens.peek().kind() == Kind::UserVar
                && self.tokens.second().kind() == Kind::Assign;
            self.scan
                .until(&mut self.tokens, |item| item.is_punct(b','));
            if !self.tokens.eat_punct(b',') {
                break;
            }
        }
        let writes = self.scan.facts.mask.contains(TypeMask::WRITE);
        self.flag(if only_assignments && !writes {
            TypeMask::SESSION_WRITE
        } else {
            TypeMask::WRITE
        });
    }

    fn load(&mut self) {
        self.flag(TypeMask::WRITE);
        self.tokens.bump();
        if self.tokens.is(K::Index) {
            self.out.trx = TrxEffect::ImplicitCommit;
            return self.skip_rest();
        }
        self.out.operation = Operation::Load;
        while !self.tokens.peek().is_end() && !self.tokens.is(K::Infile) {
            if self.tokens.bump().is(K::Local) {
                self.out.operation = Operation::LoadLocal;
            }
        }
        self.scan_rest();
        // The column list assigns variables, its SET clause reads them.
        self.scan.facts.all_variables_written();
    }

    /// HANDLER: a cursor that belongs to one connection.
    fn handler(&mut self) {
        self.flag(TypeMask::WRITE);
        self.tokens.bump();
        let mut name = self.tokens.take();
        while self.tokens.eat_punct(b'.') {
            name = self.tokens.take();
        }
        if self.tokens.eat(K::Open) {
            self.tokens.eat(K::As);
            if self.tokens.peek().is_name() {
                name = self.tokens.bump();
            }
            let hold = Hold::Handler(self.tokens.name(name));
            self.out.effect = Some(SessionEffect::Hold(hold));
        } else if self.tokens.eat(K::Close) {
            let hold = Hold::Handler(self.tokens.name(name));
            self.out.effect = Some(SessionEffect::Release(hold));
        }
        self.scan_rest();
    }

    /// GET DIAGNOSTICS: the variables left of `=` are assigned.
    fn diagnostics(&mut self) {
        self.out.previous = true;
        self.flag(TypeMask::READ);
        while !self.tokens.peek().is_end() {
            let item = self.tokens.bump();
            if item.kind() == Kind::UserVar {
                let written = self.tokens.peek().is_punct(b'=');
                let name = self.tokens.content(item);
                self.scan.facts.variable(&name, written);
            }
        }
        self.scan.facts.varies = true;
    }

    /// Everything that is for the primary without a closer look.
    fn administration(&mut self, keyword: K) {
        match keyword {
            K::Lock => self.lock(),
            K::Unlock => self.unlock(),
            K::Flush => self.flush(),
            K::Backup => self.backup(),
            K::Check
            | K::Optimize
            | K::Repair
            | K::Cache
            | K::Change
            | K::Stop
            | K::Reset
            | K::Install
            | K::Uninstall => self.committing_write(),
            K::Checksum
            | K::Purge
            | K::Signal
            | K::Resignal
            | K::Binlog
            | K::Shutdown
            | K::Restart
            | K::Import => self.plain_write(),
            _ => self.invalid(),
        }
    }

    pub(super) fn plain_write(&mut self) {
        self.flag(TypeMask::WRITE);
        self.skip_rest();
    }

    pub(super) fn committing_write(&mut self) {
        self.out.trx = TrxEffect::ImplicitCommit;
        self.plain_write();
    }

    /// LOCK TABLES, LOCK INSTANCE FOR BACKUP.
    fn lock(&mut self) {
        let hold = if self.tokens.second().is(K::Instance) {
            Hold::Backup
        } else {
            Hold::Tables
        };
        self.out.effect = Some(SessionEffect::Hold(hold));
        self.committing_write();
    }

    fn unlock(&mut self) {
        let hold = if self.tokens.second().is(K::Instance) {
            Hold::Backup
        } else {
            Hold::Tables
        };
        self.out.effect = Some(SessionEffect::Release(hold));
        self.plain_write();
    }

    /// FLUSH; WITH READ LOCK and FOR EXPORT hold tables.
    fn flush(&mut self) {
        self.flag(TypeMask::WRITE);
        self.out.trx = TrxEffect::ImplicitCommit;
        while !self.tokens.peek().is_end() {
            let item = self.tokens.bump();
            if item.is(K::With) && self.tokens.is(K::Read)
                || item.is(K::For) && self.tokens.is_word(self.tokens.peek(), "EXPORT")
            {
                self.out.effect = Some(SessionEffect::Hold(Hold::Tables));
            }
        }
    }

    /// BACKUP STAGE, BACKUP LOCK and their ends.
    fn backup(&mut self) {
        self.tokens.bump();
        let ends = self.tokens.is(K::Unlock)
            || self.tokens.is(K::Stage) && self.tokens.second().is(K::End);
        self.out.effect = Some(if ends {
            SessionEffect::Release(Hold::Backup)
        } else {
            SessionEffect::Hold(Hold::Backup)
        });
        self.plain_write();
    }
}
