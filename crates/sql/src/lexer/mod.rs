//! The lexer: text in, tokens out, comments and white space among them.
//!
//! It knows what the servers' own lexers know about where things begin and end, and nothing of
//! grammar. It works on bytes: a text need not be valid in any character set. It never looks at a
//! byte more than a constant number of times.
//!
//! The one invariant everything else stands on: a text that this lexer reads differently from a
//! server yields [`Kind::Broken`], and a broken text is a write. The doubtful cases are in
//! [`comment`]: code in comments that some servers run and some skip.

mod bytes;
mod comment;
mod multibyte;
mod scan;
mod skim;

use crate::modes::{Modes, Multibyte};
pub(crate) use bytes::is_ident_tail;
use bytes::{Class, class, is_blank};
pub(crate) use multibyte::char_len;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// White space.
    Blank,
    /// A comment that no server runs.
    Comment,
    /// The opening of a comment that every server runs.
    CodeOpen,
    /// The opening of a comment that some servers run, version included.
    ConditionalOpen,
    /// The end of either.
    CodeClose,
    /// A word that may be a keyword.
    Word,
    /// A word right after a dot: never a keyword.
    Name,
    /// An identifier in quotes.
    Quoted,
    /// A character string.
    Text,
    /// `N'...'`.
    National,
    /// `x'...'`, `b'...'`, `0x...`, `0b...`.
    Hex,
    /// A number.
    Number,
    /// `?`.
    Param,
    /// `@name`.
    UserVar,
    /// `@@`, before the name of a system variable.
    SystemVar,
    /// `:=`.
    Assign,
    /// Any other byte.
    Punct(u8),
    /// The opening of something that never ends; the rest of the text belongs to it.
    Broken,
    /// The end of the text.
    End,
}

/// A token: its kind and where it stands in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Which reading of comments that only some servers run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// As a server reads that runs them all.
    Run,
    /// As a server reads that skips those with a condition.
    Skip,
}

/// Splits a text into tokens.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
    modes: Modes,
    reading: Reading,
    /// Inside a comment that is run.
    in_code: bool,
    /// Where a server that skips the current comment sees its end; no token may reach over it.
    fence: usize,
    /// Some comment was run that other servers skip.
    conditional: bool,
    /// Where the last identifier ended: a dot right there is not the start of a number.
    ident_end: usize,
    /// Where the last dot ended: a word right there is a name.
    dot_end: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8], modes: Modes, reading: Reading) -> Lexer<'a> {
        Lexer {
            text,
            position: 0,
            modes,
            reading,
            in_code: false,
            fence: usize::MAX,
            conditional: false,
            ident_end: usize::MAX,
            dot_end: usize::MAX,
        }
    }

    /// Where the next token begins.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The bytes of a token.
    pub(crate) fn bytes(&self, token: Token) -> &'a [u8] {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// Whether some servers would have skipped code that this lexer has shown.
    pub(crate) fn saw_conditional(&self) -> bool {
        self.conditional
    }

    /// The next token. After [`Kind::End`] it stays there.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Token {
        crate::steps::tick(1);
        let start = self.position;
        let Some(&byte) = self.text.get(start) else {
            return self.end(start);
        };
        match class(byte) {
            Class::Letter => self.word(start, byte),
            Class::Blank => self.blanks(start),
            Class::Digit if self.dot_end == start => self.word(start, byte),
            Class::Digit => self.number(start),
            Class::Other => self.token(Kind::Punct(byte), start + 1),
            Class::Apostrophe => self.quoted(start, start + 1, byte, Kind::Text),
            Class::Dot => self.dot(start),
            rare => self.rare(rare, start, byte),
        }
    }

    fn end(&mut self, start: usize) -> Token {
        if self.in_code {
            return self.broken(start);
        }
        self.token(Kind::End, start)
    }

    fn rare(&mut self, class: Class, start: usize, byte: u8) -> Token {
        match class {
            Class::DoubleQuote if !self.modes.ansi_quotes => {
                self.quoted(start, start + 1, byte, Kind::Text)
            }
            Class::DoubleQuote | Class::Backtick => {
                let token = self.quoted(start, start + 1, byte, Kind::Quoted);
                self.ident_end = token.end;
                token
            }
            Class::Slash if self.peek(1) == Some(b'*') => self.comment(start),
            Class::Star if self.in_code && self.peek(1) == Some(b'/') => self.code_close(start),
            Class::Dash if self.is_dash_comment() => self.line_comment(start),
            Class::Hash => self.line_comment(start),
            Class::At => self.at(start),
            Class::Colon if self.peek(1) == Some(b'=') => self.token(Kind::Assign, start + 2),
            Class::Question => self.token(Kind::Param, start + 1),
            Class::HardBlank if self.modes.multibyte == Multibyte::None => self.blanks(start),
            Class::HardBlank => self.word(start, byte),
            _ => self.token(Kind::Punct(byte), start + 1),
        }
    }

    /// Ends a token at `end`, or gives up if it reaches over the fence.
    #[inline(always)]
    fn token(&mut self, kind: Kind, end: usize) -> Token {
        let start = self.position;
        if end > self.fence {
            return self.broken(start + 1);
        }
        crate::steps::tick((end - start) as u64);
        self.position = end;
        Token { kind, start, end }
    }

    /// Gives up: the token holds the opening alone, the rest of the text is lost.
    #[cold]
    fn broken(&mut self, opening_end: usize) -> Token {
        let start = self.position;
        self.position = self.text.len();
        self.in_code = false;
        self.fence = usize::MAX;
        Token {
            kind: Kind::Broken,
            start,
            end: opening_end.min(self.text.len()),
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.position + ahead).copied()
    }

    fn dot(&mut self, start: usize) -> Token {
        let is_number = self.ident_end != start && self.peek(1).is_some_and(|b| b.is_ascii_digit());
        if is_number {
            return self.number(start);
        }
        self.dot_end = start + 1;
        self.token(Kind::Punct(b'.'), start + 1)
    }

    /// `--` is a comment before white space, a control character or the end.
    fn is_dash_comment(&self) -> bool {
        self.peek(1) == Some(b'-')
            && self
                .peek(2)
                .is_none_or(|byte| is_blank(byte) || byte.is_ascii_control())
    }

    /// A user variable or the opening of a system variable.
    fn at(&mut self, start: usize) -> Token {
        match self.peek(1) {
            Some(b'@') => self.token(Kind::SystemVar, start + 2),
            Some(quote @ (b'\'' | b'"' | b'`')) => {
                self.quoted(start, start + 2, quote, Kind::UserVar)
            }
            _ => {
                let end = self.variable_end(start + 1);
                self.token(Kind::UserVar, end)
            }
        }
    }
}

#[cfg(test)]
mod tests;
