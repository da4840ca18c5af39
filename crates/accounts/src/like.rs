//! The server's pattern language: `%` for any run of characters, `_` for one, `\` before either
//! (or any other character) for itself.
//!
//! The invariant: matching takes at most pattern length times text length steps, whatever the
//! pattern holds.

/// How two characters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// Byte for byte.
    Exact,
    /// ASCII letters without regard to case.
    IgnoreAscii,
}

impl Case {
    fn same(self, a: char, b: char) -> bool {
        match self {
            Self::Exact => a == b,
            Self::IgnoreAscii => a.eq_ignore_ascii_case(&b),
        }
    }
}

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This character.
    Literal(char),
    /// `_`: any one character.
    One,
    /// `%`: any run of characters, the empty one included.
    Run,
}

/// A pattern taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Like {
    pieces: Box<[Piece]>,
}

impl Like {
    /// Takes `pattern` apart. A backslash at the very end stands for itself, and neighbouring `%`
    /// count as one.
    pub(crate) fn parse(pattern: &str) -> Self {
        let mut pieces = Vec::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let piece = match c {
                '%' => Piece::Run,
                '_' => Piece::One,
                '\\' => Piece::Literal(chars.next().unwrap_or('\\')),
                other => Piece::Literal(other),
            };
            if piece != Piece::Run || pieces.last() != Some(&Piece::Run) {
                pieces.push(piece);
            }
        }
        Self {
            pieces: pieces.into_boxed_slice(),
        }
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Does the whole of `text` match?
    ///
    /// Only the last `%` seen is ever gone back to: what an earlier one could still take, the
    /// later one can take as well.
    pub(crate) fn matches(&self, text: &str, case: Case) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        let mut resume: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            if let Some(Piece::Run) = self.pieces.get(at) {
                at += 1;
                resume = Some((at, rest.clone()));
                continue;
            }
            let fits = match (self.pieces.get(at), rest.next()) {
                (None, None) => return true,
                (Some(Piece::One), Some(_)) => true,
                (Some(Piece::Literal(want)), Some(got)) => case.same(*want, got),
                (Some(_), None) => return false,
                (None | Some(Piece::Run), Some(_)) => false,
            };
            if fits {
                at += 1;
                continue;
            }
            let Some((back, from)) = &mut resume else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            at = *back;
            rest = from.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, text: &str, expect: bool) {
        assert_eq!(
            Like::parse(pattern).matches(text, Case::Exact),
            expect,
            "{pattern:?} against {text:?}"
        );
    }

    #[test]
    fn patterns_match_as_the_server_matches_them() {
        check("", "", true);
        check("", "a", false);
        check("%", "", true);
        check("%", "anything", true);
        check("_", "", false);
        check("_", "ä", true);
        check("a%c", "abbbc", true);
        check("a%c", "abbbd", false);
        check("a\\%c", "a%c", true);
        check("a\\%c", "abc", false);
        check("a\\_c", "a_c", true);
        check("a\\_c", "abc", false);
        check("a\\", "a\\", true);
        check("%b%", "abc", true);
        check("%ab", "aab", true);
        check("%_b", "b", false);
        check("abc", "ABC", false);
        assert!(Like::parse("aBc").matches("AbC", Case::IgnoreAscii));
    }

    #[test]
    fn many_wildcards_stay_cheap() {
        let pattern = Like::parse(&"%a".repeat(200));
        let text = "a".repeat(100) + "b";
        assert!(!pattern.matches(&text, Case::Exact));
    }

    /// The definition, written as plainly as it can be.
    fn by_definition(pieces: &[Piece], text: &[char]) -> bool {
        match (pieces.split_first(), text.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Piece::Run, more)), None) => by_definition(more, text),
            (Some((Piece::Run, more)), Some((_, tail))) => {
                by_definition(more, text) || by_definition(pieces, tail)
            }
            (Some((Piece::One, more)), Some((_, tail))) => by_definition(more, tail),
            (Some((Piece::Literal(c), more)), Some((got, tail))) => {
                c == got && by_definition(more, tail)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_agrees_with_the_definition(pattern in "[ab%_\\\\]{0,8}", text in "[ab%_]{0,8}") {
            let like = Like::parse(&pattern);
            let chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(like.matches(&text, Case::Exact), by_definition(like.pieces(), &chars));
        }
    }
}
