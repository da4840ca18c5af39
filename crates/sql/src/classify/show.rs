//! SHOW in its many forms: reads, some of them for the primary, some about the statement before.

use super::Parser;
use super::scan::table_name;
use crate::keyword::Keyword as K;
use crate::mask::TypeMask;
use crate::statement::Operation;

impl Parser<'_> {
    pub(super) fn show(&mut self) {
        self.out.operation = Operation::Show;
        self.flag(TypeMask::READ);
        self.tokens.bump();
        while self.tokens.is(K::Full) || self.tokens.is(K::Extended) {
            self.tokens.bump();
        }
        self.shown();
        self.condition();
    }

    /// The words that say what is shown.
    fn shown(&mut self) {
        let first = self.tokens.take();
        let next = self.tokens.peek();
        match first.keyword {
            Some(K::Databases | K::Schemas) => {
                self.out.operation = Operation::ShowDatabases;
                self.flag(TypeMask::SHOW_DATABASES);
            }
            Some(K::Tables) => self.flag(TypeMask::SHOW_TABLES),
            Some(K::Warnings | K::Errors) => self.about_previous(),
            Some(K::Count) => {
                while !self.tokens.peek().is_end() {
                    let item = self.tokens.bump();
                    if item.is(K::Warnings) || item.is(K::Errors) {
                        self.about_previous();
                    }
                }
            }
            Some(K::Master | K::Binlog) if next.is(K::Status) => self.flag(TypeMask::MASTER_READ),
            Some(K::Binary) if self.tokens.second().is(K::Status) => {
                self.flag(TypeMask::MASTER_READ);
            }
            Some(K::Explain | K::Analyze) => self.flag(TypeMask::MASTER_READ),
            Some(K::Create) if next.is(K::Table) || next.is(K::View) || next.is(K::Sequence) => {
                self.tokens.bump();
                self.shown_table();
            }
            Some(K::Columns | K::Fields | K::Index | K::Indexes | K::Keys) if self.eat_from() => {
                self.shown_table();
            }
            None if !first.is_name() => self.invalid(),
            _ => {}
        }
    }

    fn about_previous(&mut self) {
        self.out.previous = true;
    }

    fn eat_from(&mut self) -> bool {
        self.tokens.eat(K::From) || self.tokens.eat(K::In)
    }

    /// `table`, `schema.table` or `table FROM schema`.
    fn shown_table(&mut self) {
        let first = self.tokens.take();
        if !first.is_name() {
            return;
        }
        let mut table = table_name(&mut self.tokens, first);
        if self.eat_from() {
            let schema = self.tokens.take();
            table.schema = Some(self.tokens.name(schema));
        }
        self.scan.facts.table(table);
    }

    /// `WHERE ...`: an expression that servers evaluate.
    fn condition(&mut self) {
        while !self.tokens.peek().is_end() && !self.tokens.is(K::Where) {
            self.tokens.bump();
        }
        self.scan_rest();
    }
}
