//! Prepared statements of the text protocol.

use super::{Parser, Source};
use crate::effect::{SessionEffect, TrxEffect};
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;
use crate::statement::{Operation, Statement};

impl Parser<'_> {
    pub(super) fn prepared(&mut self, keyword: K) {
        self.out.cacheable = false;
        match keyword {
            _ if self.source.prepared => self.invalid(),
            K::Prepare => self.prepare(),
            K::Execute => self.execute(),
            _ => {
                self.tokens.bump();
                self.deallocate();
            }
        }
    }

    /// `PREPARE name FROM text`.
    fn prepare(&mut self) {
        self.tokens.bump();
        let name = self.tokens.take();
        if !name.is_name() || !self.tokens.eat(K::From) {
            return self.invalid();
        }
        self.flag(TypeMask::PREPARE_NAMED_STMT);
        let name = self.tokens.content(name);
        let inner = self.literal_statement(|item| item.is_end());
        if inner.is_none() {
            self.scan_rest();
        }
        self.out.effect = Some(SessionEffect::Prepare { name, inner });
    }

    /// `EXECUTE name [USING ...]`, `EXECUTE IMMEDIATE text [USING ...]`.
    fn execute(&mut self) {
        self.out.operation = Operation::Execute;
        self.out.trx = TrxEffect::Opaque;
        self.flag(TypeMask::EXEC_STMT);
        self.tokens.bump();
        if self.tokens.eat(K::Immediate) {
            return self.execute_immediate();
        }
        let name = self.tokens.take();
        if !name.is_name() {
            return self.invalid();
        }
        let name = self.tokens.content(name);
        let using = self.tokens.eat(K::Using);
        self.out.effect = Some(SessionEffect::Execute { name, using });
        if using {
            self.scan_rest();
        }
        self.expect_end();
    }

    fn execute_immediate(&mut self) {
        let inner = self.literal_statement(|item| item.is_end() || item.is(K::Using));
        match &inner {
            Some(inner) if inner.mask != TypeMask::UNKNOWN => {
                self.out.mask |= inner.mask;
                self.out.previous = inner.previous;
                self.out.insert_id = inner.insert_id;
            }
            _ => self.flag(TypeMask::WRITE),
        }
        self.out.effect = Some(SessionEffect::ExecuteImmediate { inner });
        self.scan_rest();
    }

    /// The statement in the string that comes next, provided that nothing but its end follows.
    fn literal_statement(
        &mut self,
        ends: impl Fn(super::tokens::Item) -> bool,
    ) -> Option<Box<Statement>> {
        let mut probe = self.tokens.clone();
        let mut text = Vec::new();
        let mut is_text = false;
        while probe.peek().kind() == Kind::Text {
            let part = probe.bump();
            text.extend_from_slice(&probe.content(part));
            is_text = true;
        }
        if !is_text || !ends(probe.peek()) {
            return None;
        }
        self.tokens = probe;
        let source = Source {
            text: &text,
            modes: self.modes(),
            prepared: true,
            head: false,
        };
        Some(Box::new(source.classify()))
    }

    /// `PREPARE name`, behind DEALLOCATE or DROP.
    pub(super) fn deallocate(&mut self) {
        self.out.cacheable = true;
        self.tokens.bump();
        let name = self.tokens.take();
        if !name.is_name() {
            return self.invalid();
        }
        self.flag(TypeMask::DEALLOC_PREPARE);
        self.out.effect = Some(SessionEffect::Deallocate(self.tokens.content(name)));
        self.expect_end();
    }
}
