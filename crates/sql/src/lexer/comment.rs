//! Comments, and the code that hides in some of them.
//!
//! `/*! code */` is run by every server, `/*!50100 code */` by servers of that version on, and
//! `/*M! code */` by MariaDB. A server that skips such a comment looks for its end byte by byte,
//! with one level of comments inside, but without regard to quotes; a server that runs it meets
//! strings and line comments that may hold the characters of an end. Where both do not find the
//! same end, the text means different things to different servers and is given up.

use super::{Kind, Lexer, Reading, Token};
use memchr::memchr;
use memchr::memmem;

/// No server has this version: the content never runs. Dumps begin with such a comment.
const NEVER: u32 = 999_999;

impl Lexer<'_> {
    /// `/* ... */` in all its forms.
    #[cold]
    pub(super) fn comment(&mut self, start: usize) -> Token {
        let (content, mariadb) = match (self.peek(2), self.peek(3)) {
            (Some(b'!'), _) => (start + 3, false),
            (Some(b'M'), Some(b'!')) => (start + 4, true),
            _ => return self.skipped(start + 2, false),
        };
        let (version, code) = self.version(content);
        if version == Some(NEVER) {
            return self.skipped(content, true);
        }
        if self.in_code {
            return self.broken(start + 2);
        }
        let everywhere = version.is_none() && !(mariadb && self.modes.mysql_family);
        if everywhere {
            self.in_code = true;
            return self.token(Kind::CodeOpen, code);
        }
        // To MySQL, MariaDB's own form is a plain comment, and those do not nest.
        let nests = !(mariadb && self.modes.mysql_family);
        match self.reading {
            Reading::Skip => self.skipped(code, nests),
            Reading::Run => self.conditional_code(code, nests),
        }
    }

    fn conditional_code(&mut self, code: usize, nests: bool) -> Token {
        let Some(end) = self.raw_end(code, nests) else {
            return self.broken(self.position + 2);
        };
        self.conditional = true;
        self.in_code = true;
        let token = self.token(Kind::ConditionalOpen, code);
        self.fence = end.min(self.fence);
        token
    }

    /// `*/` of a comment that is run.
    pub(super) fn code_close(&mut self, start: usize) -> Token {
        if self.fence != usize::MAX && self.fence != start + 2 {
            return self.broken(start + 2);
        }
        self.in_code = false;
        self.fence = usize::MAX;
        self.token(Kind::CodeClose, start + 2)
    }

    /// Five or six digits right after the mark are a version; fewer belong to the code.
    fn version(&self, content: usize) -> (Option<u32>, usize) {
        let digits = self.text.get(content..).map_or(0, |rest| {
            rest.iter()
                .take(6)
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        });
        if digits < 5 {
            return (None, content);
        }
        let number = self
            .text
            .get(content..content + digits)
            .unwrap_or_default()
            .iter()
            .fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
        (Some(number), content + digits)
    }

    fn skipped(&mut self, content: usize, nests: bool) -> Token {
        match self.raw_end(content, nests) {
            Some(end) => self.token(Kind::Comment, end),
            None => self.broken(self.position + 2),
        }
    }

    /// Where a comment ends for a server that does not look into it.
    fn raw_end(&self, mut at: usize, nests: bool) -> Option<usize> {
        loop {
            let close = at + search(self.text.get(at..)?, b"*/")?;
            // An opening may share its star with what looks like the end: `/*/`.
            let open = match nests {
                true => search(self.text.get(at..=close)?, b"/*"),
                false => None,
            };
            let Some(open) = open else {
                return Some(close + 2);
            };
            let inner = at + open + 2;
            at = inner + search(self.text.get(inner..)?, b"*/")? + 2;
        }
    }

    /// Whether `start..end` lies in conditional code and holds marks of comments: a server that
    /// skips the code would take them for real.
    pub(super) fn hides_marks(&self, start: usize, end: usize) -> bool {
        self.fence != usize::MAX
            && self
                .text
                .get(start..end)
                .is_some_and(|part| search(part, b"/*").is_some() || search(part, b"*/").is_some())
    }

    /// `# ...` and `-- ...`, up to the end of the line.
    #[cold]
    pub(super) fn line_comment(&mut self, start: usize) -> Token {
        let rest = self.text.get(start..).unwrap_or_default();
        let end = memchr(b'\n', rest).map_or(self.text.len(), |newline| start + newline + 1);
        if self.hides_marks(start, end) {
            return self.broken(start + 1);
        }
        self.token(Kind::Comment, end)
    }
}

/// Where `mark` is in `part`.
fn search(part: &[u8], mark: &[u8]) -> Option<usize> {
    let found = memmem::find(part, mark);
    crate::steps::tick(found.unwrap_or(part.len()) as u64);
    found
}
