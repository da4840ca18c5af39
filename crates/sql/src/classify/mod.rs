//! Classification: from a text to its [`Statement`].
//!
//! A text is read once token by token; only where it holds code in comments that some servers run
//! and some skip, it is read both ways and the two outcomes are joined. Each statement of a text is
//! recognised by its first words; [`scan`] then looks through its expressions for whatever else
//! decides a route.

mod compound;
mod ddl;
mod dml;
mod facts;
mod join;
mod kill;
mod prepare;
mod scan;
mod session_id;
mod set;
mod show;
mod tokens;
mod transaction;
mod verb;

use crate::lexer::{Kind, Reading};
use crate::mask::TypeMask;
use crate::modes::Modes;
use crate::statement::{Parsed, Statement};
use join::{Parts, both_readings, worse};
use scan::Scan;
use tokens::Tokens;

/// Classifies a whole text.
#[must_use]
pub fn classify(text: &[u8], modes: Modes) -> Statement {
    Source {
        text,
        modes,
        prepared: false,
        head: false,
    }
    .classify()
}

/// Classifies the beginning of a text that is longer than what is at hand: that a string, a
/// comment or a parenthesis is still open at the end is then no fault.
#[must_use]
pub fn classify_head(text: &[u8], modes: Modes) -> Statement {
    Source {
        text,
        modes,
        prepared: false,
        head: true,
    }
    .classify()
}

/// A text and what is known about where it comes from.
#[derive(Clone, Copy)]
struct Source<'a> {
    text: &'a [u8],
    modes: Modes,
    /// The text of a PREPARE: it cannot prepare in turn.
    prepared: bool,
    /// More text follows.
    head: bool,
}

impl Source<'_> {
    fn classify(self) -> Statement {
        let (run, conditional) = self.read(Reading::Run);
        let mut statement = if conditional {
            let (skip, _) = self.read(Reading::Skip);
            both_readings(run, skip)
        } else {
            run
        };
        statement.inert = statement.is_inert();
        statement
    }

    /// The outcome of one reading, and whether the other could differ.
    fn read(self, reading: Reading) -> (Statement, bool) {
        let mut tokens = Tokens::new(self.text, self.modes, reading);
        let mut parts = Parts::default();
        loop {
            while tokens.eat_punct(b';') {}
            if tokens.peek().is_end() {
                break;
            }
            let mut parser = Parser::new(tokens, self);
            parser.verb();
            let (part, rest) = parser.finish();
            parts.add(part);
            tokens = rest;
        }
        let broken = tokens.is_broken() && !self.head;
        (parts.finish(broken), tokens.saw_conditional())
    }
}

/// One statement while it is being read.
struct Parser<'a> {
    tokens: Tokens<'a>,
    source: Source<'a>,
    scan: Scan,
    out: Statement,
}

impl<'a> Parser<'a> {
    fn new(tokens: Tokens<'a>, source: Source<'a>) -> Parser<'a> {
        Parser {
            tokens,
            source,
            scan: Scan::new(source.modes),
            out: Statement {
                cacheable: true,
                ..Statement::default()
            },
        }
    }

    fn modes(&self) -> Modes {
        self.source.modes
    }

    /// Adds flags to the statement.
    fn flag(&mut self, flags: TypeMask) {
        self.out.mask |= flags;
    }

    /// No known statement, or one that no server would take: a write.
    fn invalid(&mut self) {
        self.flag(TypeMask::WRITE);
        self.out.parsed = Parsed::Invalid;
        self.skip_rest();
    }

    /// The statement must be over here.
    fn expect_end(&mut self) {
        if !self.tokens.peek().is_end() {
            self.invalid();
        }
    }

    /// Walks through the rest of the statement for what its expressions say.
    fn scan_rest(&mut self) {
        self.scan.rest(&mut self.tokens);
    }

    /// Passes over the rest of the statement.
    fn skip_rest(&mut self) {
        let mut depth = 0usize;
        loop {
            let next = self.tokens.peek();
            match next.kind() {
                Kind::End => return,
                Kind::Punct(b';') if depth == 0 => return,
                Kind::Punct(b'(') => depth += 1,
                Kind::Punct(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.tokens.bump();
        }
    }

    /// Whatever is left of the statement goes by, so that the next one begins where it should.
    fn finish(mut self) -> (Statement, Tokens<'a>) {
        self.skip_rest();
        if self.scan.lost && !self.source.head {
            self.out.mask |= TypeMask::WRITE;
            self.out.parsed = worse(self.out.parsed, Parsed::Partial);
        }
        self.scan.facts.finish(&mut self.out);
        (self.out, self.tokens)
    }
}

#[cfg(test)]
mod tests;
