//! Queries and changes of data, explained and analysed ones too.

use super::Parser;
use super::scan::{Frame, table_name};
use crate::keyword::Keyword as K;
use crate::mask::TypeMask;
use crate::statement::Operation;

impl Parser<'_> {
    /// SELECT, VALUES, TABLE, WITH and parentheses around them. A WITH may turn out to belong to a
    /// change of data.
    pub(super) fn query(&mut self) {
        while self.tokens.eat_punct(b'(') {
            self.scan.open();
        }
        match self.tokens.peek().keyword {
            Some(K::With) => self.with(),
            Some(K::Select | K::Values | K::Table) => self.select(),
            _ => self.invalid(),
        }
    }

    fn select(&mut self) {
        self.out.operation = Operation::Select;
        self.flag(TypeMask::READ);
        if !self.scan.is_nested() {
            self.ask_session_id();
        }
        if self.tokens.eat(K::Table) {
            *self.scan.top() = table_list();
        }
        self.scan_rest();
    }

    /// The list of common table expressions; the verb behind it decides.
    fn with(&mut self) {
        self.tokens.bump();
        self.tokens.eat(K::Recursive);
        // The first name is no call, whatever stands behind it.
        let first = self.tokens.take();
        let mut names = vec![self.tokens.name(first)];
        let depth = self.scan.depth();
        self.scan.top().with = true;
        while !self.tokens.peek().is_end() {
            let next = self.tokens.peek();
            let is_body = next.is_punct(b'(') && self.tokens.previous().is_punct(b')');
            let is_verb = self.is_change() || self.is_query() && !next.is_punct(b'(');
            if self.scan.depth() == depth {
                if is_verb || is_body {
                    break;
                }
                if self.tokens.previous().is_punct(b',') {
                    names.push(self.tokens.name(next));
                }
            }
            self.scan.step(&mut self.tokens);
        }
        self.scan.top().with = false;
        self.scan.facts.define(names);
        if self.is_change() {
            self.change();
        } else if self.is_query() && !self.tokens.is(K::With) {
            self.select();
        } else {
            self.invalid();
        }
    }

    /// INSERT, REPLACE, UPDATE, DELETE.
    pub(super) fn change(&mut self) {
        self.flag(TypeMask::WRITE);
        let verb = self.tokens.bump();
        match verb.keyword {
            Some(K::Update) => {
                self.out.operation = Operation::Update;
                self.skip_modifiers();
                *self.scan.top() = table_list();
            }
            Some(K::Delete) => {
                self.out.operation = Operation::Delete;
                self.scan.top().select = true;
            }
            _ => {
                self.out.operation = Operation::Insert;
                self.skip_modifiers();
                self.tokens.eat(K::Into);
                self.skip_modifiers();
                let target = self.tokens.take();
                table_name(&mut self.tokens, target);
            }
        }
        self.scan_rest();
    }

    /// The words between a verb and its table.
    fn skip_modifiers(&mut self) {
        loop {
            let next = self.tokens.peek();
            let is_modifier = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE"]
                .iter()
                .any(|word| self.tokens.is_word(next, word));
            if !is_modifier {
                return;
            }
            self.tokens.bump();
        }
    }

    /// EXPLAIN, DESCRIBE and DESC, of a statement or of a table. A server that is read-only refuses
    /// to explain a change.
    pub(super) fn explain(&mut self) {
        self.tokens.bump();
        self.skip_explain_options();
        self.flag(TypeMask::READ);
        if self.tokens.is(K::For) {
            self.flag(TypeMask::MASTER_READ);
            self.skip_rest();
        } else if self.is_query() {
            self.query();
            self.out.session_id_column = None;
        } else if self.is_change() {
            self.change();
        } else {
            self.described_table();
        }
        self.out.operation = Operation::Explain;
    }

    fn is_query(&self) -> bool {
        let next = self.tokens.peek();
        next.is_punct(b'(')
            || matches!(
                next.keyword,
                Some(K::Select | K::Values | K::Table | K::With)
            )
    }

    fn is_change(&self) -> bool {
        matches!(
            self.tokens.peek().keyword,
            Some(K::Insert | K::Replace | K::Update | K::Delete)
        )
    }

    /// EXTENDED, PARTITIONS, ANALYZE, FORMAT = name.
    fn skip_explain_options(&mut self) {
        loop {
            let next = self.tokens.peek();
            if next.is(K::Format) && self.tokens.second().is_punct(b'=') {
                self.tokens.bump();
                self.tokens.bump();
                self.tokens.bump();
            } else if next.is(K::Extended) || next.is(K::Partitions) || next.is(K::Analyze) {
                self.tokens.bump();
            } else {
                return;
            }
        }
    }

    fn described_table(&mut self) {
        let first = self.tokens.take();
        if !first.is_name() {
            return self.invalid();
        }
        let table = table_name(&mut self.tokens, first);
        self.scan.facts.table(table);
        self.skip_rest();
    }

    /// ANALYZE runs the statement behind it; ANALYZE TABLE is administration.
    pub(super) fn analyze(&mut self) {
        self.tokens.bump();
        self.skip_explain_options();
        if self.is_change() {
            self.change();
        } else if self.is_query() && !self.tokens.is(K::Table) {
            self.query();
            self.out.session_id_column = None;
        } else {
            self.committing_write();
        }
    }
}

fn table_list() -> Frame {
    Frame {
        from: true,
        table: true,
        ..Frame::default()
    }
}
