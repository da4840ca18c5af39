//! Finding the comment, and reading it.

use super::{Directive, Hint, HintError, Route};
use crate::lexer::{Kind, Lexer, Reading};
use crate::modes::Modes;
use memchr::memchr3;

/// The content of the first comment of a text. Comments that hold code do not count.
#[must_use]
pub fn find(text: &[u8], modes: Modes) -> Option<&[u8]> {
    memchr3(b'#', b'-', b'/', text)?;
    let mut lexer = Lexer::new(text, modes, Reading::Run);
    loop {
        let token = lexer.next();
        match token.kind {
            Kind::Comment => {
                if let Some(content) = content(lexer.bytes(token)) {
                    return Some(content);
                }
            }
            Kind::End | Kind::Broken => return None,
            _ => {}
        }
    }
}

/// A comment without its marks; `None` for code that never runs.
fn content(comment: &[u8]) -> Option<&[u8]> {
    match comment {
        [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] => None,
        [b'/', b'*', inner @ .., b'*', b'/'] => Some(inner),
        [b'-', b'-', inner @ ..] | [b'#', inner @ ..] => Some(inner),
        _ => None,
    }
}

/// Reads the content of a comment. `None`: it does not begin with `maxscale`, and means nothing.
///
/// # Errors
/// [`HintError::Expected`] where the comment begins with `maxscale` but the rest is malformed.
pub fn parse(comment: &[u8]) -> Result<Option<Directive>, HintError> {
    let mut words = Words { comment, at: 0 };
    if !words.eat("maxscale") {
        return Ok(None);
    }
    let directive = words.body()?;
    match words.peek() {
        Word::End => Ok(Some(directive)),
        _ => Err(words.expected("the end")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    Name(&'a str),
    /// In quotes, which are gone.
    Quoted(&'a str),
    Equals,
    /// Something that no hint holds.
    Other,
    End,
}

/// The words of a comment.
#[derive(Clone)]
struct Words<'a> {
    comment: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn body(&mut self) -> Result<Directive, HintError> {
        if self.eat("end") || self.eat("stop") {
            return Ok(Directive::End);
        }
        if self.eat("begin") || self.eat("start") {
            let hint = Some(self.content()?);
            return Ok(Directive::Begin { name: None, hint });
        }
        if let Some(hint) = self.route()? {
            return Ok(Directive::Once(hint));
        }
        let name = self.name("a name, 'route', 'begin' or 'end'")?;
        if self.eat("prepare") {
            let hint = self.content()?;
            return Ok(Directive::Prepare { name, hint });
        }
        if self.eat("begin") || self.eat("start") {
            let hint = match self.peek() {
                Word::End => None,
                _ => Some(self.content()?),
            };
            let name = Some(name);
            return Ok(Directive::Begin { name, hint });
        }
        self.parameter(name).map(Directive::Once)
    }

    fn content(&mut self) -> Result<Hint, HintError> {
        if let Some(hint) = self.route()? {
            return Ok(hint);
        }
        let name = self.name("'route' or a parameter")?;
        self.parameter(name)
    }

    /// `route to ...`; `None` if it is something else that only begins with this word.
    fn route(&mut self) -> Result<Option<Hint>, HintError> {
        let mut ahead = self.clone();
        if !(ahead.eat("route") && ahead.eat("to")) {
            return Ok(None);
        }
        *self = ahead;
        let route = if self.eat("master") {
            Route::Master
        } else if self.eat("slave") {
            Route::Slave
        } else if self.eat("last") {
            Route::Last
        } else if self.eat("all") {
            Route::All
        } else if self.eat("server") {
            Route::Server(self.name("the name of a server")?)
        } else {
            return Err(self.expected("'master', 'slave', 'last', 'all' or 'server'"));
        };
        Ok(Some(Hint::Route(route)))
    }

    fn parameter(&mut self, name: Box<str>) -> Result<Hint, HintError> {
        if self.next() != Word::Equals {
            return Err(self.expected("'=', 'prepare' or 'begin'"));
        }
        match self.next() {
            Word::Name(value) | Word::Quoted(value) => Ok(Hint::Parameter {
                name,
                value: value.into(),
            }),
            _ => Err(self.expected("a value")),
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<Box<str>, HintError> {
        match self.peek() {
            Word::Name(name) | Word::Quoted(name) => {
                self.next();
                Ok(name.into())
            }
            _ => Err(self.expected(expected)),
        }
    }

    fn expected(&self, expected: &'static str) -> HintError {
        HintError::Expected {
            expected,
            at: self.at,
        }
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Word::Name(word) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.next();
        }
        found
    }

    fn peek(&self) -> Word<'a> {
        self.clone().next()
    }

    fn next(&mut self) -> Word<'a> {
        let rest = self.comment.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        let rest = rest.get(blanks..).unwrap_or_default();
        let (word, len) = match rest.first() {
            None => (Word::End, 0),
            Some(b'=') => (Word::Equals, 1),
            Some(quote @ (b'\'' | b'"' | b'`')) => quoted(rest, *quote),
            Some(_) => plain(rest),
        };
        self.at += blanks + len;
        word
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0B
}

fn quoted(rest: &[u8], quote: u8) -> (Word<'_>, usize) {
    let inner = rest.get(1..).unwrap_or_default();
    let Some(len) = inner.iter().position(|byte| *byte == quote) else {
        return (Word::Other, rest.len());
    };
    let text = inner
        .get(..len)
        .and_then(|name| std::str::from_utf8(name).ok());
    (text.map_or(Word::Other, Word::Quoted), len + 2)
}

fn plain(rest: &[u8]) -> (Word<'_>, usize) {
    let len = rest.iter().take_while(|byte| is_name(**byte)).count();
    let text = rest
        .get(..len)
        .and_then(|name| std::str::from_utf8(name).ok());
    match text {
        Some(name) if len > 0 => (Word::Name(name), len),
        _ => (Word::Other, len.max(1)),
    }
}

/// What names of servers and values are made of.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b':' | b'@' | b'%' | b'/' | b'+')
        || byte >= 0x80
}
