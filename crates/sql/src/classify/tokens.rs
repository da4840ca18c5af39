//! The tokens that mean something, with a short look ahead.
//!
//! Nothing of a text is kept but the few tokens in the window: a text of 16 MiB takes no more
//! memory than one of 16 bytes.

use crate::keyword::Keyword;
use crate::lexer::{Kind, Lexer, Reading, Token};
use crate::modes::Modes;
use crate::prefix::Prefix;
use crate::unquote::unquote;

/// How many tokens can be looked at before they are taken.
const WINDOW: usize = 2;

/// A token and the keyword that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Item {
    pub(super) token: Token,
    pub(super) keyword: Option<Keyword>,
}

impl Item {
    const END: Item = Item {
        token: Token {
            kind: Kind::End,
            start: 0,
            end: 0,
        },
        keyword: None,
    };

    pub(super) fn kind(self) -> Kind {
        self.token.kind
    }

    pub(super) fn is(self, keyword: Keyword) -> bool {
        self.keyword == Some(keyword)
    }

    pub(super) fn is_punct(self, byte: u8) -> bool {
        self.token.kind == Kind::Punct(byte)
    }

    /// A word, or something in identifier quotes.
    pub(super) fn is_name(self) -> bool {
        matches!(self.token.kind, Kind::Word | Kind::Name | Kind::Quoted)
    }

    /// Where a statement ends.
    pub(super) fn is_end(self) -> bool {
        matches!(self.token.kind, Kind::End | Kind::Punct(b';'))
    }
}

/// A walk over the tokens of a text.
#[derive(Clone)]
pub(super) struct Tokens<'a> {
    lexer: Lexer<'a>,
    modes: Modes,
    window: [Item; WINDOW],
    previous: Item,
    broken: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], modes: Modes, reading: Reading) -> Tokens<'a> {
        let mut tokens = Tokens {
            lexer: Lexer::new(text, modes, reading),
            modes,
            window: [Item::END; WINDOW],
            previous: Item::END,
            broken: false,
        };
        for _ in 0..WINDOW {
            tokens.shift();
        }
        tokens.previous = Item::END;
        tokens
    }

    /// Takes the next token.
    pub(super) fn bump(&mut self) -> Item {
        let [first, _] = self.window;
        self.shift();
        first
    }

    /// Takes the next token unless the statement ends there.
    pub(super) fn take(&mut self) -> Item {
        if self.peek().is_end() {
            return self.peek();
        }
        self.bump()
    }

    fn shift(&mut self) {
        let [first, last] = self.window;
        let mut next = self.pull();
        if last.is_punct(b'.') && next.kind() == Kind::Word {
            next.token.kind = Kind::Name;
            next.keyword = None;
        }
        self.previous = first;
        self.window = [last, next];
    }

    fn pull(&mut self) -> Item {
        loop {
            let token = self.lexer.next();
            let token = self.with_prefix(token);
            let keyword = match token.kind {
                Kind::Blank
                | Kind::Comment
                | Kind::CodeOpen
                | Kind::ConditionalOpen
                | Kind::CodeClose => continue,
                Kind::Broken => {
                    self.broken = true;
                    return Item::END;
                }
                Kind::Word => Keyword::of(self.lexer.bytes(token)),
                _ => None,
            };
            return Item { token, keyword };
        }
    }

    /// The literal behind a word that belongs to it, in place of the word: the canonical form does
    /// not show the word either.
    fn with_prefix(&mut self, token: Token) -> Token {
        if token.kind != Kind::Word {
            return token;
        }
        let Some(prefix) = Prefix::of(self.lexer.bytes(token)) else {
            return token;
        };
        let mut ahead = self.lexer.clone();
        let next = loop {
            let next = ahead.next();
            match next.kind {
                Kind::Blank => {}
                Kind::Comment if !ahead.bytes(next).starts_with(b"/*!") => {}
                _ => break next,
            }
        };
        match (prefix, next.kind) {
            (_, Kind::Text) | (Prefix::Charset, Kind::Hex) => {
                self.lexer = ahead;
                next
            }
            _ => token,
        }
    }

    /// The token taken last.
    pub(super) fn previous(&self) -> Item {
        self.previous
    }

    /// The token that [`Tokens::bump`] would take.
    pub(super) fn peek(&self) -> Item {
        let [first, _] = self.window;
        first
    }

    /// The one behind it.
    pub(super) fn second(&self) -> Item {
        let [_, second] = self.window;
        second
    }

    pub(super) fn is(&self, keyword: Keyword) -> bool {
        self.peek().is(keyword)
    }

    /// Takes the next token if it is `keyword`.
    pub(super) fn eat(&mut self, keyword: Keyword) -> bool {
        let found = self.is(keyword);
        if found {
            self.bump();
        }
        found
    }

    /// Takes the next tokens if they are these keywords in this order.
    pub(super) fn eat_two(&mut self, first: Keyword, second: Keyword) -> bool {
        let found = self.is(first) && self.second().is(second);
        if found {
            self.bump();
            self.bump();
        }
        found
    }

    /// Takes the next token if it is the punctuation `byte`.
    pub(super) fn eat_punct(&mut self, byte: u8) -> bool {
        let found = self.peek().is_punct(byte);
        if found {
            self.bump();
        }
        found
    }

    /// The bytes of a token as written.
    pub(super) fn bytes(&self, item: Item) -> &'a [u8] {
        self.lexer.bytes(item.token)
    }

    /// Whether a token is this word, whatever it could be a keyword for.
    pub(super) fn is_word(&self, item: Item, word: &str) -> bool {
        matches!(item.kind(), Kind::Word | Kind::Name)
            && self.bytes(item).eq_ignore_ascii_case(word.as_bytes())
    }

    /// The name that a token is; empty if it is none. A literal is no name: what it holds must not
    /// get into an outcome that is remembered for all texts of the same form.
    pub(super) fn name(&self, item: Item) -> Box<[u8]> {
        if item.is_name() {
            self.content(item)
        } else {
            Box::default()
        }
    }

    /// What a token stands for, without quotes, escapes and `@`.
    pub(super) fn content(&self, item: Item) -> Box<[u8]> {
        unquote(self.bytes(item), item.kind(), self.modes)
    }

    /// Whether the text ended in something unclosed, or has been read as far as that.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether code was read that some servers skip.
    pub(super) fn saw_conditional(&self) -> bool {
        self.lexer.saw_conditional()
    }
}
