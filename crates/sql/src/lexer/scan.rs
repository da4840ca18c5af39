//! How far words, numbers, quotes and white space reach.

use super::bytes::{Class, class, is_blank, is_ident};
use super::multibyte::char_len;
use super::{Kind, Lexer, Token};
use crate::modes::Multibyte;
use memchr::{memchr, memchr2};

impl Lexer<'_> {
    /// A word; `x'..'`, `b'..'` and `n'..'` are literals.
    #[inline(always)]
    pub(super) fn word(&mut self, start: usize, first: u8) -> Token {
        let end = if self.modes.multibyte == Multibyte::None {
            self.word_end(start + 1)
        } else {
            self.multibyte_word_end(start)
        };
        let named = self.dot_end == start;
        if end == start + 1 && !named && self.text.get(end) == Some(&b'\'') {
            match first {
                b'x' | b'X' | b'b' | b'B' => return self.quoted(start, end + 1, b'\'', Kind::Hex),
                b'n' | b'N' => return self.quoted(start, end + 1, b'\'', Kind::National),
                _ => {}
            }
        }
        self.ident_end = end;
        self.token(if named { Kind::Name } else { Kind::Word }, end)
    }

    #[inline(always)]
    fn word_end(&self, mut end: usize) -> usize {
        loop {
            match self.text.get(end) {
                Some(&byte) if is_ident(byte) => end += 1,
                Some(&0xA0) if self.continues_character(end) => end += 1,
                _ => return end,
            }
        }
    }

    /// 0xA0 after a byte outside ASCII is the rest of a character, alone it is a blank.
    fn continues_character(&self, index: usize) -> bool {
        index
            .checked_sub(1)
            .and_then(|before| self.text.get(before))
            .is_some_and(|byte| !byte.is_ascii())
    }

    #[cold]
    fn multibyte_word_end(&self, mut end: usize) -> usize {
        while let Some(rest) = self.text.get(end..)
            && let Some(&byte) = rest.first()
            && (is_ident(byte) || byte == 0xA0)
        {
            end += char_len(self.modes.multibyte, rest);
        }
        end
    }

    /// The end of a user variable's name: words and dots.
    pub(super) fn variable_end(&self, mut end: usize) -> usize {
        while self
            .text
            .get(end)
            .is_some_and(|byte| is_ident(*byte) || *byte == b'.')
        {
            end += 1;
        }
        end
    }

    /// White space, and 0xA0 where it stands alone.
    #[inline(always)]
    pub(super) fn blanks(&mut self, start: usize) -> Token {
        let mut end = start + 1;
        while let Some(&byte) = self.text.get(end)
            && (is_blank(byte) || (byte == 0xA0 && self.modes.multibyte == Multibyte::None))
        {
            end += 1;
        }
        self.token(Kind::Blank, end)
    }

    /// A number; or an identifier that begins with digits.
    pub(super) fn number(&mut self, start: usize) -> Token {
        let whole_end = self.digits_end(start);
        if let Some(literal_end) = self.prefixed_end(start) {
            return self.token(Kind::Hex, literal_end);
        }
        if let Some(end) = self.exponent_end(whole_end) {
            return self.token(Kind::Number, end);
        }
        match self.text.get(whole_end) {
            Some(b'.') if self.text.get(whole_end + 1) != Some(&b'.') => {
                let end = self.digits_end(whole_end + 1);
                let end = self.exponent_end(end).unwrap_or(end);
                self.token(Kind::Number, end)
            }
            Some(&byte) if whole_end > start && class(byte) == Class::Letter => {
                self.word(start, b'0')
            }
            _ => self.token(Kind::Number, whole_end),
        }
    }

    fn digits_end(&self, mut end: usize) -> usize {
        while self.text.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        end
    }

    /// `0x41` and `0b01`: lower-case prefix, at least one digit, no more of a word behind.
    fn prefixed_end(&self, start: usize) -> Option<usize> {
        if self.text.get(start) != Some(&b'0') {
            return None;
        }
        let is_digit: fn(&u8) -> bool = match self.text.get(start + 1) {
            Some(b'x') => u8::is_ascii_hexdigit,
            Some(b'b') => |byte| matches!(byte, b'0' | b'1'),
            _ => return None,
        };
        let mut end = start + 2;
        while self.text.get(end).is_some_and(is_digit) {
            end += 1;
        }
        let ends = !self.text.get(end).is_some_and(|byte| is_ident(*byte));
        (end > start + 2 && ends).then_some(end)
    }

    /// `e5`, `E-5` after the digits.
    fn exponent_end(&self, start: usize) -> Option<usize> {
        if !matches!(self.text.get(start), Some(b'e' | b'E')) {
            return None;
        }
        let digits = match self.text.get(start + 1) {
            Some(b'+' | b'-') => start + 2,
            _ => start + 1,
        };
        let end = self.digits_end(digits);
        (end > digits).then_some(end)
    }

    /// Something in quotes that opened at `start` and whose content begins at `content`.
    #[inline(always)]
    pub(super) fn quoted(&mut self, start: usize, content: usize, quote: u8, kind: Kind) -> Token {
        debug_assert_eq!(
            start, self.position,
            "tokens begin where the last one ended"
        );
        let delimits_text = match quote {
            b'\'' => true,
            b'"' => !self.modes.ansi_quotes,
            _ => false,
        };
        let escapes = delimits_text && !self.modes.no_backslash_escapes;
        let end = if self.modes.multibyte == Multibyte::None {
            self.quote_end(content, quote, escapes)
        } else {
            self.multibyte_quote_end(content, quote, escapes)
        };
        match end {
            Some(end) if !self.hides_marks(content, end) => self.token(kind, end),
            _ => self.broken(content),
        }
    }

    #[inline(always)]
    fn quote_end(&self, mut at: usize, quote: u8, escapes: bool) -> Option<usize> {
        loop {
            let rest = self.text.get(at..)?;
            let found = if escapes {
                memchr2(quote, b'\\', rest)
            } else {
                memchr(quote, rest)
            };
            crate::steps::tick(found.unwrap_or(rest.len()) as u64);
            at += found?;
            let next = self.text.get(at + 1);
            if self.text.get(at) == Some(&quote) && next != Some(&quote) {
                return Some(at + 1);
            }
            at += 2;
        }
    }

    #[cold]
    fn multibyte_quote_end(&self, mut at: usize, quote: u8, escapes: bool) -> Option<usize> {
        while let Some(rest) = self.text.get(at..)
            && let Some(&byte) = rest.first()
        {
            crate::steps::tick(1);
            if byte == quote {
                if rest.get(1) != Some(&quote) {
                    return Some(at + 1);
                }
                at += 2;
            } else if byte == b'\\' && escapes {
                at += 2;
            } else {
                at += char_len(self.modes.multibyte, rest);
            }
        }
        None
    }
}
