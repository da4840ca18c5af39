//! Definitions: CREATE, ALTER, DROP and their like, accounts included.

use super::Parser;
use super::scan::table_name;
use crate::effect::{SessionEffect, TrxEffect};
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;
use crate::statement::{Operation, TableName};

impl Parser<'_> {
    pub(super) fn definition(&mut self, keyword: K) {
        if keyword == K::Drop && self.tokens.second().is(K::Prepare) {
            self.tokens.bump();
            return self.deallocate();
        }
        self.flag(TypeMask::WRITE);
        self.out.trx = TrxEffect::ImplicitCommit;
        self.tokens.bump();
        match keyword {
            K::Create => self.create(),
            K::Alter => self.alter(),
            K::Drop => self.drop(),
            K::Rename => self.rename(),
            K::Truncate => self.defined(Operation::Truncate),
            K::Grant => self.of_accounts(Operation::Grant),
            _ => self.of_accounts(Operation::Revoke),
        }
    }

    fn defined(&mut self, operation: Operation) {
        self.out.operation = operation;
        self.skip_rest();
    }

    fn of_accounts(&mut self, operation: Operation) {
        self.out.effect = Some(SessionEffect::Accounts);
        self.defined(operation);
    }

    fn create(&mut self) {
        self.out.operation = Operation::Create;
        let mut temporary = false;
        while !self.tokens.peek().is_end() {
            let item = self.tokens.bump();
            match item.keyword {
                Some(K::Temporary) => temporary = true,
                Some(K::Definer) => self.skip_definer(),
                Some(K::Table) => {
                    self.out.operation = Operation::CreateTable;
                    return self.create_table(temporary);
                }
                Some(K::Sequence) => return self.create_table(temporary),
                Some(K::User) => return self.of_accounts(Operation::CreateUser),
                Some(K::Role) => return self.of_accounts(Operation::CreateRole),
                Some(K::Procedure | K::Function | K::Event) => return self.routine(),
                Some(K::Trigger) => return self.trigger(),
                Some(K::Package) => return self.package(),
                Some(K::Or | K::Replace) => {}
                _ if is_modifier(item.keyword) => {}
                Some(_) => return self.skip_rest(),
                None => {}
            }
        }
    }

    /// `= user@host`, `= CURRENT_USER()`.
    fn skip_definer(&mut self) {
        self.tokens.eat_punct(b'=');
        self.tokens.take();
        if self.tokens.peek().kind() == Kind::UserVar {
            self.tokens.bump();
        }
        if self.tokens.eat_punct(b'(') {
            self.tokens.eat_punct(b')');
        }
    }

    fn create_table(&mut self, temporary: bool) {
        self.skip_if_exists();
        let first = self.tokens.take();
        let table = table_name(&mut self.tokens, first);
        if temporary {
            self.flag(TypeMask::CREATE_TMP_TABLE);
            self.out.trx = TrxEffect::None;
            self.out.effect = Some(SessionEffect::CreateTemporary(table));
        }
        self.scan_rest();
    }

    /// `IF [NOT] EXISTS`.
    fn skip_if_exists(&mut self) {
        if self.tokens.eat(K::If) {
            self.tokens.eat(K::Not);
            self.tokens.eat(K::Exists);
        }
    }

    fn alter(&mut self) {
        self.out.operation = Operation::Alter;
        while !self.tokens.peek().is_end() {
            let item = self.tokens.bump();
            match item.keyword {
                Some(K::Definer) => self.skip_definer(),
                Some(K::Table) => return self.alter_table(),
                Some(K::Event) => return self.routine(),
                Some(K::User) => return self.of_accounts(Operation::Alter),
                Some(K::Ignore | K::Online | K::Offline) => {}
                Some(_) => return self.skip_rest(),
                None => {}
            }
        }
    }

    fn alter_table(&mut self) {
        self.out.operation = Operation::AlterTable;
        self.skip_if_exists();
        let first = self.tokens.take();
        let old = table_name(&mut self.tokens, first);
        while !self.tokens.peek().is_end() {
            if self.tokens.bump().is(K::Rename)
                && let Some(new) = self.renamed()
            {
                self.out.effect = Some(SessionEffect::RenameTables([(old, new)].into()));
                break;
            }
        }
        self.skip_rest();
    }

    /// The new name behind RENAME, unless it is a column or an index that is renamed.
    fn renamed(&mut self) -> Option<TableName> {
        let next = self.tokens.peek();
        let other = next.is(K::Index)
            || self.tokens.is_word(next, "COLUMN")
            || self.tokens.is_word(next, "KEY");
        if other {
            return None;
        }
        if !(self.tokens.eat(K::To) || self.tokens.eat(K::As)) {
            self.tokens.eat_punct(b'=');
        }
        let first = self.tokens.take();
        first.is_name().then(|| table_name(&mut self.tokens, first))
    }

    fn drop(&mut self) {
        self.out.operation = Operation::Drop;
        let temporary = self.tokens.eat(K::Temporary);
        if self.tokens.is(K::User) || self.tokens.is(K::Role) {
            return self.of_accounts(Operation::Drop);
        }
        if !(self.tokens.eat(K::Table) || self.tokens.eat(K::Tables)) {
            return self.skip_rest();
        }
        self.out.operation = Operation::DropTable;
        if temporary {
            self.out.trx = TrxEffect::None;
        }
        self.skip_if_exists();
        let mut tables = Vec::new();
        while self.tokens.peek().is_name() {
            let first = self.tokens.bump();
            tables.push(table_name(&mut self.tokens, first));
            if !self.tokens.eat_punct(b',') {
                break;
            }
        }
        self.out.effect = Some(SessionEffect::DropTables(tables.into()));
        self.skip_rest();
    }

    /// `RENAME TABLE a TO b, c TO d`.
    fn rename(&mut self) {
        self.out.operation = Operation::Undefined;
        if self.tokens.is(K::User) {
            return self.of_accounts(Operation::Undefined);
        }
        if !(self.tokens.eat(K::Table) || self.tokens.eat(K::Tables)) {
            return self.skip_rest();
        }
        self.skip_if_exists();
        let mut pairs = Vec::new();
        while self.tokens.peek().is_name() {
            let first = self.tokens.bump();
            let old = table_name(&mut self.tokens, first);
            if !self.tokens.eat(K::To) {
                break;
            }
            let first = self.tokens.take();
            pairs.push((old, table_name(&mut self.tokens, first)));
            if !self.tokens.eat_punct(b',') {
                break;
            }
        }
        self.out.effect = Some(SessionEffect::RenameTables(pairs.into()));
        self.skip_rest();
    }
}

/// A keyword that may stand between CREATE and what is created.
fn is_modifier(keyword: Option<K>) -> bool {
    matches!(keyword, Some(K::Online | K::Offline | K::Sql))
}
