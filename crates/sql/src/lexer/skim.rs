//! The quick way through what a canonical form keeps as it is.
//!
//! Most bytes of most texts belong to words, operators and single blanks. [`Lexer::skim`] passes
//! over them without making tokens, and stops before anything that could begin something else. It
//! must agree with [`Lexer::next`] about where tokens begin; a property test holds the two together.

use super::Lexer;
use super::bytes::is_ident_tail;
use crate::modes::Multibyte;

/// To be looked at: something may begin here.
const STOP: u8 = 1;
/// A blank before it must be looked at: it may be one of several, or stand before a comment.
const AFTER_BLANK: u8 = 2;

/// What to do with each byte on the way; 0 to go on.
const TABLE: [u8; 256] = table();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'/' | b'-' | b'#' | b'\t'..=b'\r' | 0xA0 => STOP | AFTER_BLANK,
            b'0'..=b'9' | b'*' | b'.' | b'\'' | b'"' | b'`' | b'@' => STOP,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// The byte before `tail` in `rest`.
fn before(rest: &[u8], tail: &[u8]) -> Option<u8> {
    let index = (rest.len() - tail.len()).checked_sub(1)?;
    rest.get(index).copied()
}

/// What is left after the bytes that are simply passed.
#[inline(always)]
fn past_plain(mut tail: &[u8]) -> &[u8] {
    while let [first, after @ ..] = tail
        && pace(*first) == 0
    {
        tail = after;
    }
    tail
}

/// The table has an entry for every byte: the bounds check folds away.
#[inline(always)]
fn pace(byte: u8) -> u8 {
    TABLE.get(usize::from(byte)).copied().unwrap_or(STOP)
}

impl Lexer<'_> {
    /// Passes over words, operators and single blanks up to something else; returns how far. A
    /// blank right at the start is passed only if `blank_fits`.
    #[inline(always)]
    pub(crate) fn skim(&mut self, blank_fits: bool) -> usize {
        if self.modes.multibyte != Multibyte::None || self.fence != usize::MAX {
            return self.position;
        }
        let start = self.position;
        let rest = self.text.get(start..).unwrap_or_default();
        if !blank_fits && rest.first() == Some(&b' ') {
            return start;
        }
        let mut tail = rest;
        loop {
            tail = past_plain(tail);
            let [byte, after @ ..] = tail else { break };
            let passes = match (byte, after.first()) {
                (b' ', Some(next)) => pace(*next) & AFTER_BLANK == 0,
                (b' ', None) => false,
                (b'0'..=b'9', _) => before(rest, tail).is_some_and(is_ident_tail),
                (0xA0, _) => before(rest, tail).is_some_and(|byte| !byte.is_ascii()),
                (b'/', next) => next != Some(&b'*'),
                (b'*', next) => !(self.in_code && next == Some(&b'/')),
                (b'-', next) => next != Some(&b'-'),
                (b'.', next) => !next.is_some_and(u8::is_ascii_digit),
                _ => false,
            };
            if !passes {
                break;
            }
            tail = after;
        }
        let passed = rest.len() - tail.len();
        crate::steps::tick(passed as u64);
        if passed > 0 {
            self.arrive(start, start + passed);
        }
        self.position
    }

    /// Notes what the bytes up to `at` were, as far as the next token depends on it.
    fn arrive(&mut self, start: usize, mut at: usize) {
        let before = |index: usize| {
            let index = index.checked_sub(1).filter(|index| *index >= start)?;
            self.text.get(index).copied()
        };
        let last = before(at);
        let is_prefix = matches!(last, Some(b'x' | b'X' | b'b' | b'B' | b'n' | b'N'))
            && self.text.get(at) == Some(&b'\'')
            && !before(at - 1).is_some_and(|byte| is_ident_tail(byte) || byte == b'.');
        if is_prefix {
            at -= 1;
        } else if last.is_some_and(is_ident_tail) {
            self.ident_end = at;
        } else if last == Some(b'.') {
            self.dot_end = at;
        }
        self.position = at;
    }
}
