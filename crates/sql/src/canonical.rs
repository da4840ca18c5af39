//! The canonical form of a text: every literal a `?`, white space and comments one blank, all else
//! as written.
//!
//! It is the key under which classifications, measurements and statistics are kept. Making it
//! twice changes nothing. Code in comments stays in its comment; a string that never ends leaves
//! its quote and nothing of its content.

use crate::lexer::{Kind, Lexer, Reading, Token, is_ident_tail};
use crate::modes::Modes;
use crate::prefix::{LONGEST_PREFIX, Prefix};

/// Writes the canonical form of `text` to `out`, in place of what was there.
pub fn canonical(text: &[u8], modes: Modes, out: &mut Vec<u8>) {
    out.clear();
    let mut writer = Writer {
        lexer: Lexer::new(text, modes, Reading::Run),
        text,
        out,
        span: 0,
        blank: true,
        last: Last::Other,
        mark: 0,
        cut: None,
    };
    writer.run();
}

/// What the last token was that is neither blank nor comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// What was passed over without making tokens, from and to. Its last word may belong to a
    /// literal behind it.
    Skimmed(usize, usize),
    /// A word, from and to.
    Word(usize, usize),
    /// A character string, which the next one continues.
    Text,
    Other,
}

struct Writer<'a, 'o> {
    lexer: Lexer<'a>,
    text: &'a [u8],
    out: &'o mut Vec<u8>,
    /// Where the part of the text begins that is still to be copied as it is.
    span: usize,
    /// The output, with the span, ends in a blank or is empty.
    blank: bool,
    last: Last,
    /// Where in the output the last word begins, or the last string ends.
    mark: usize,
    /// Where in the output the conditional code begins that is open now.
    cut: Option<usize>,
}

impl Writer<'_, '_> {
    fn run(&mut self) {
        loop {
            let start = self.lexer.position();
            let end = self.lexer.skim(!self.blank);
            if end > start {
                self.skimmed(start, end);
            }
            let token = self.lexer.next();
            match token.kind {
                Kind::Blank => self.blank(token),
                Kind::Number => self.literal(token, Last::Other),
                Kind::Text => self.string(token),
                Kind::End => break,
                _ if !self.rare(token) => return,
                _ => {}
            }
        }
        self.copy_to(self.text.len());
        if self.blank {
            self.out.pop();
        }
    }

    /// Takes note of what was passed over.
    #[inline(always)]
    fn skimmed(&mut self, start: usize, end: usize) {
        self.blank = self.text.get(end - 1) == Some(&b' ');
        let end = end - usize::from(self.blank);
        if end > start {
            self.last = Last::Skimmed(start, end);
            self.mark = self.out_position(end);
        }
    }

    /// The word before a literal, or the end of a longer one; and where it begins in the output.
    fn last_word(&self) -> Option<(&[u8], usize)> {
        let (start, end) = match self.last {
            Last::Word(start, end) => {
                let word = self.text.get(start..end)?;
                return Some((word, self.mark - word.len()));
            }
            Last::Skimmed(start, end) => (start, end),
            Last::Text | Last::Other => return None,
        };
        let passed = self.text.get(start..end)?;
        let len = passed
            .iter()
            .rev()
            .take(LONGEST_PREFIX + 1)
            .take_while(|byte| is_ident_tail(**byte))
            .count();
        let (before, word) = passed.split_at_checked(passed.len() - len)?;
        (before.last() != Some(&b'.')).then_some((word, self.mark - len))
    }

    /// The rarer tokens; false when the text cannot be read on.
    fn rare(&mut self, token: Token) -> bool {
        match token.kind {
            Kind::Comment => self.squeeze(token),
            Kind::Hex => self.hex(token),
            Kind::National => self.literal(token, Last::Text),
            Kind::Word => {
                self.keep(Last::Word(token.start, token.end));
                self.mark = self.out_position(token.end);
            }
            Kind::ConditionalOpen => {
                self.cut = Some(self.out_position(token.start));
                self.keep(Last::Other);
            }
            Kind::CodeClose => {
                self.cut = None;
                self.keep(Last::Other);
            }
            Kind::Broken => {
                self.give_up(token);
                return false;
            }
            _ => self.keep(Last::Other),
        }
        true
    }

    fn keep(&mut self, last: Last) {
        self.last = last;
        self.blank = false;
    }

    fn out_position(&self, at: usize) -> usize {
        self.out.len() + (at - self.span)
    }

    /// Copies the span up to `end`; the next begins there.
    fn copy_to(&mut self, end: usize) {
        let span = self.text.get(self.span..end).unwrap_or_default();
        crate::steps::tick(span.len() as u64);
        self.out.extend_from_slice(span);
        self.span = end;
    }

    fn blank(&mut self, token: Token) {
        let is_plain = token.end - token.start == 1
            && !self.blank
            && self.text.get(token.start) == Some(&b' ');
        if is_plain {
            self.blank = true;
        } else {
            self.squeeze(token);
        }
    }

    /// One blank in place of the token; none after another, nor at the start.
    fn squeeze(&mut self, token: Token) {
        self.copy_to(token.start);
        self.span = token.end;
        if !self.blank {
            part_dashes(self.out);
            self.out.push(b' ');
            self.blank = true;
        }
    }

    fn string(&mut self, token: Token) {
        if self.last == Last::Text {
            self.out.truncate(self.mark);
            self.span = token.end;
            self.blank = false;
            return;
        }
        match self.prefix() {
            Some((Prefix::Temporal, at)) => self.absorb_word(token, at, Last::Other),
            Some((Prefix::Charset, at)) => self.absorb_word(token, at, Last::Text),
            None => self.literal(token, Last::Text),
        }
    }

    fn hex(&mut self, token: Token) {
        match self.prefix() {
            Some((Prefix::Charset, at)) => self.absorb_word(token, at, Last::Other),
            Some((Prefix::Temporal, _)) | None => self.literal(token, Last::Other),
        }
    }

    /// What the word before a literal makes of it, and where the word begins in the output.
    fn prefix(&self) -> Option<(Prefix, usize)> {
        let (word, at) = self.last_word()?;
        Some((Prefix::of(word)?, at))
    }

    /// A literal that the word before it belongs to.
    fn absorb_word(&mut self, token: Token, at: usize, last: Last) {
        self.copy_to(token.start);
        self.out.truncate(at);
        self.literal(token, last);
    }

    #[inline(always)]
    fn literal(&mut self, token: Token, last: Last) {
        self.copy_to(token.start);
        self.span = token.end;
        self.out.push(b'?');
        self.mark = self.out.len();
        self.keep(last);
    }

    /// The text ends in something unclosed: its opening stays, or that of the code around it.
    fn give_up(&mut self, token: Token) {
        self.copy_to(token.end);
        if let Some(cut) = self.cut {
            self.out.truncate(cut);
            self.out.extend_from_slice(b"/*");
        }
    }
}

/// Parts the dashes at the end of the output: with a blank behind them, where a comment was, they
/// would begin a comment themselves.
fn part_dashes(out: &mut Vec<u8>) {
    let dashes = out.iter().rev().take_while(|byte| **byte == b'-').count();
    for _ in 1..dashes {
        out.pop();
    }
    for _ in 1..dashes {
        out.extend_from_slice(b" -");
    }
}

#[cfg(test)]
mod tests;
