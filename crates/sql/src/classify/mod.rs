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
mod kill;
mod prepare;
mod scan;
mod set;
mod show;
mod tokens;
mod transaction;
mod verb;

use crate::effect::TrxEffect;
use crate::lexer::{Kind, Reading};
use crate::mask::TypeMask;
use crate::modes::Modes;
use crate::statement::{Parsed, Statement, TableUse};
use scan::Scan;
use tokens::Tokens;

/// More parts of a multi-statement text than this are classified, but not kept one by one.
const MAX_PARTS: usize = 64;

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
        if !conditional {
            return run;
        }
        let (skip, _) = self.read(Reading::Skip);
        join(run, skip)
    }

    /// The outcome of one reading, and whether the other could differ.
    fn read(self, reading: Reading) -> (Statement, bool) {
        let mut tokens = Tokens::new(self.text, self.modes, reading);
        let mut whole = Whole::default();
        loop {
            while tokens.eat_punct(b';') {}
            if tokens.peek().is_end() {
                break;
            }
            let mut parser = Parser::new(tokens, self);
            parser.verb();
            let (part, rest) = parser.finish();
            whole.add(part);
            tokens = rest;
        }
        let broken = tokens.is_broken() && !self.head;
        (whole.finish(broken), tokens.saw_conditional())
    }
}

/// The statements of a text, put together.
#[derive(Default)]
struct Whole {
    parts: Vec<Statement>,
    count: usize,
    sum: Statement,
}

impl Whole {
    fn add(&mut self, part: Statement) {
        self.count += 1;
        if self.count == 1 {
            self.sum = part.clone();
        } else {
            self.sum = both(std::mem::take(&mut self.sum), &part);
        }
        if self.parts.len() < MAX_PARTS {
            self.parts.push(part);
        }
    }

    fn finish(mut self, broken: bool) -> Statement {
        let mut whole = match self.count {
            0 => Statement {
                mask: TypeMask::UNKNOWN,
                cacheable: true,
                repeatable: true,
                ..Statement::default()
            },
            1 => self.sum,
            _ => Statement {
                multi: true,
                trx: TrxEffect::Opaque,
                effect: None,
                session_id_column: None,
                parts: std::mem::take(&mut self.parts).into(),
                ..self.sum
            },
        };
        if broken {
            whole.mask = (whole.mask - TypeMask::UNKNOWN) | TypeMask::WRITE;
            whole.parsed = Parsed::Invalid;
            whole.cacheable = false;
        }
        whole
    }
}

/// Both readings of a text that servers read differently.
fn join(run: Statement, skip: Statement) -> Statement {
    if skip.mask == TypeMask::UNKNOWN {
        return run;
    }
    if run.mask == TypeMask::UNKNOWN {
        return skip;
    }
    let trx = match (run.trx, skip.trx) {
        (one, other) if one == other => one,
        (TrxEffect::None, only) | (only, TrxEffect::None) => only,
        _ => TrxEffect::Opaque,
    };
    let effect = run.effect.clone().or_else(|| skip.effect.clone());
    let session_id_column = run
        .session_id_column
        .clone()
        .filter(|_| skip.session_id_column.is_some());
    let parts = if run.multi {
        run.parts.clone()
    } else {
        skip.parts.clone()
    };
    Statement {
        trx,
        effect,
        session_id_column,
        parts,
        multi: run.multi || skip.multi,
        ..both(run, &skip)
    }
}

/// Everything that adds up, of two statements; the rest is the first one's.
fn both(mut sum: Statement, other: &Statement) -> Statement {
    sum.mask |= other.mask;
    sum.previous |= other.previous;
    sum.takes_user_lock |= other.takes_user_lock;
    sum.releases_user_locks |= other.releases_user_locks;
    sum.repeatable &= other.repeatable;
    sum.cacheable &= other.cacheable;
    sum.parsed = worse(sum.parsed, other.parsed);
    sum.tables = match (sum.tables, &other.tables) {
        (TableUse::Named(own), TableUse::Named(others)) => {
            TableUse::Named(own.iter().chain(others).cloned().collect())
        }
        _ => TableUse::Many,
    };
    sum.variables = sum
        .variables
        .iter()
        .chain(&other.variables)
        .cloned()
        .collect();
    sum
}

fn worse(one: Parsed, other: Parsed) -> Parsed {
    match (one, other) {
        (Parsed::Invalid, _) | (_, Parsed::Invalid) => Parsed::Invalid,
        (Parsed::Partial, _) | (_, Parsed::Partial) => Parsed::Partial,
        (Parsed::Full, Parsed::Full) => Parsed::Full,
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
