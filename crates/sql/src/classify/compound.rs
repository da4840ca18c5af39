//! Compound statements and the bodies of stored programs: where they end.
//!
//! Semicolons inside a body separate its statements, not those of the text. Little else about a
//! body is read: a compound statement is a write, and what it does to the transaction is for the
//! status word to tell. A KILL that is run at once is seen, for the number in it is a session's. A body that is malformed swallows the rest of the text, which no server
//! would run either.

use super::Parser;
use crate::effect::TrxEffect;
use crate::keyword::Keyword as K;
use crate::lexer::Kind;
use crate::mask::TypeMask;

/// Blocks nested deeper than this are not followed: the rest of the text counts as body.
const MAX_DEPTH: usize = 1024;

/// The blocks that are open.
#[derive(Default)]
struct Blocks {
    depth: usize,
    /// Declarations come first, up to a BEGIN (sql_mode ORACLE).
    declaring: bool,
    /// The statements are run, not stored.
    run: bool,
}

impl Blocks {
    fn is_closed(&self) -> bool {
        self.depth == 0 && !self.declaring
    }
}

impl Parser<'_> {
    /// A compound statement of its own: BEGIN NOT ATOMIC, IF, a loop.
    pub(super) fn compound(&mut self) {
        self.flag(TypeMask::WRITE);
        self.out.trx = TrxEffect::Opaque;
        self.body(Blocks {
            run: true,
            ..Blocks::default()
        });
    }

    /// CREATE PROCEDURE, FUNCTION or EVENT, ALTER EVENT: a head, then perhaps a body.
    pub(super) fn routine(&mut self) {
        loop {
            let next = self.tokens.peek();
            match next.keyword {
                _ if next.is_end() => return,
                Some(K::If) if self.tokens.second().is(K::Not) => {
                    self.tokens.bump();
                    self.tokens.bump();
                }
                Some(K::As | K::Is) if self.modes().oracle => {
                    self.tokens.bump();
                    return self.body(Blocks {
                        declaring: true,
                        ..Blocks::default()
                    });
                }
                Some(K::Do) => {
                    self.tokens.bump();
                    return self.body(Blocks::default());
                }
                Some(keyword) if begins_body(keyword) => return self.body(Blocks::default()),
                _ if next.is_name() && self.tokens.second().is_punct(b':') => {
                    return self.body(Blocks::default());
                }
                _ => self.skip_token(),
            }
        }
    }

    /// CREATE TRIGGER: the body comes after FOR EACH ROW.
    pub(super) fn trigger(&mut self) {
        while !self.tokens.peek().is_end() && !self.tokens.eat(K::Row) {
            self.tokens.bump();
        }
        let next = self.tokens.peek();
        if self.tokens.is_word(next, "FOLLOWS") || self.tokens.is_word(next, "PRECEDES") {
            self.tokens.bump();
            self.tokens.take();
        }
        self.body(Blocks::default());
    }

    /// CREATE PACKAGE: a list of routines that only the server can tell the end of.
    pub(super) fn package(&mut self) {
        while self.tokens.peek().kind() != Kind::End {
            self.tokens.bump();
        }
    }

    /// Passes over one token, or over parentheses with all that is in them.
    fn skip_token(&mut self) {
        let mut depth = 0usize;
        loop {
            let item = self.tokens.bump();
            match item.kind() {
                Kind::Punct(b'(') => depth += 1,
                Kind::Punct(b')') => depth = depth.saturating_sub(1),
                Kind::End => return,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// From the start of a statement to the end of the body it belongs to.
    fn body(&mut self, mut blocks: Blocks) {
        loop {
            let next = self.tokens.peek();
            match next.kind() {
                Kind::End => return,
                Kind::Punct(b';') if blocks.is_closed() => return,
                Kind::Punct(b';') => {
                    self.tokens.bump();
                    continue;
                }
                _ => {}
            }
            if !self.statement_of_body(&mut blocks) || blocks.depth > MAX_DEPTH {
                return self.package();
            }
        }
    }

    /// One step at the start of a statement; false when the body cannot be followed.
    fn statement_of_body(&mut self, blocks: &mut Blocks) -> bool {
        if self.eat_label() {
            return true;
        }
        match self.tokens.peek().keyword {
            Some(K::Begin) => {
                self.tokens.bump();
                if self.tokens.eat(K::Not) {
                    self.tokens.take();
                }
                blocks.depth += 1;
                blocks.declaring = false;
                true
            }
            Some(K::Declare) if self.modes().oracle => {
                self.tokens.bump();
                blocks.declaring = true;
                true
            }
            Some(K::Declare) => self.declaration(),
            Some(K::If | K::Case) => self.opens_block(blocks, &[K::Then]),
            Some(K::While | K::For) => self.opens_block(blocks, &[K::Do, K::Loop]),
            Some(K::Loop | K::Repeat) => self.opens_block(blocks, &[]),
            Some(K::When | K::Elseif | K::Elsif) => self.skip_through(&[K::Then]),
            Some(K::Else | K::Exception) => {
                self.tokens.bump();
                true
            }
            Some(K::Until) => self.skip_to(&[K::End]),
            Some(K::End) => self.closes_block(blocks),
            Some(K::Kill) if blocks.run => {
                self.kill_amid();
                true
            }
            _ => {
                self.skip_rest();
                true
            }
        }
    }

    fn eat_label(&mut self) -> bool {
        if self.tokens.peek().is_name() && self.tokens.second().is_punct(b':') {
            self.tokens.bump();
            self.tokens.bump();
            return true;
        }
        if self.tokens.peek().is_punct(b'<') && self.tokens.second().is_punct(b'<') {
            for _ in 0..5 {
                self.tokens.take();
            }
            return true;
        }
        false
    }

    /// DECLARE; a handler's statement follows its conditions.
    fn declaration(&mut self) -> bool {
        while !self.tokens.peek().is_end() {
            let item = self.tokens.bump();
            if item.is(K::Handler) && self.tokens.eat(K::For) {
                self.handler_conditions();
                return true;
            }
        }
        true
    }

    /// `SQLSTATE [VALUE] 'x' | NOT FOUND | name | number`, separated by commas.
    fn handler_conditions(&mut self) {
        loop {
            let item = self.tokens.take();
            if item.is(K::Sqlstate) {
                self.tokens.eat(K::Value);
                self.tokens.take();
            } else if item.is(K::Not) {
                self.tokens.take();
            }
            if !self.tokens.eat_punct(b',') {
                return;
            }
        }
    }

    fn opens_block(&mut self, blocks: &mut Blocks, until: &[K]) -> bool {
        self.tokens.bump();
        blocks.depth += 1;
        until.is_empty() || self.skip_through(until)
    }

    /// END, what kind of block it ends, and the block's label.
    fn closes_block(&mut self, blocks: &mut Blocks) -> bool {
        self.tokens.bump();
        blocks.depth = blocks.depth.saturating_sub(1);
        self.skip_rest();
        true
    }

    /// Passes an expression and the keyword behind it.
    fn skip_through(&mut self, keywords: &[K]) -> bool {
        let found = self.skip_to(keywords);
        self.tokens.take();
        found
    }

    /// Passes an expression, up to one of the keywords outside parentheses and CASE expressions.
    fn skip_to(&mut self, keywords: &[K]) -> bool {
        let mut cases = 0usize;
        loop {
            let next = self.tokens.peek();
            if next.is_end() {
                return false;
            }
            let wanted = next.keyword.is_some_and(|word| keywords.contains(&word));
            if wanted && cases == 0 {
                return true;
            }
            if next.is(K::Case) {
                cases += 1;
            } else if next.is(K::End) {
                cases = cases.saturating_sub(1);
            }
            self.skip_token();
        }
    }
}

/// A keyword that begins the body of a procedure or function.
fn begins_body(keyword: K) -> bool {
    matches!(
        keyword,
        K::Begin
            | K::If
            | K::Case
            | K::Loop
            | K::While
            | K::Repeat
            | K::For
            | K::Select
            | K::Set
            | K::Insert
            | K::Update
            | K::Delete
            | K::Replace
            | K::Return
            | K::Call
            | K::With
    )
}
