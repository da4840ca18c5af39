//! What quoted things stand for.

use crate::lexer::{Kind, char_len};
use crate::modes::Modes;

/// The content of a token without its quotes: doubled quotes once, escapes resolved, and without
/// the `@` of a user variable or the letter of a national string.
pub(crate) fn unquote(bytes: &[u8], kind: Kind, modes: Modes) -> Box<[u8]> {
    let bytes = match (kind, bytes) {
        (Kind::UserVar | Kind::National, [_, rest @ ..]) => rest,
        _ => bytes,
    };
    let [quote @ (b'\'' | b'"' | b'`'), inner @ .., _] = bytes else {
        return bytes.into();
    };
    let is_text = match quote {
        b'\'' => true,
        b'"' => !modes.ansi_quotes,
        _ => false,
    };
    decode(inner, *quote, is_text && !modes.no_backslash_escapes, modes)
}

fn decode(mut rest: &[u8], quote: u8, escapes: bool, modes: Modes) -> Box<[u8]> {
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        let (taken, decoded) = match tail.first() {
            Some(&next) if byte == quote && next == quote => (2, Some(quote)),
            Some(&next) if byte == b'\\' && escapes => (2, escaped(next)),
            _ => (char_len(modes.multibyte, rest), None),
        };
        let (character, after) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
        match decoded {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(character),
        }
        rest = after;
    }
    out.into()
}

/// The byte that a backslash and `letter` stand for; none where the backslash stays.
fn escaped(letter: u8) -> Option<u8> {
    match letter {
        b'0' => Some(0),
        b'b' => Some(8),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'Z' => Some(26),
        b'%' | b'_' => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], kind: Kind, expect: &[u8]) {
        assert_eq!(&*unquote(bytes, kind, Modes::default()), expect);
    }

    #[test]
    fn quotes_escapes_and_marks_go() {
        check(b"'it''s'", Kind::Text, b"it's");
        check(br"'a\'b\n\%\\'", Kind::Text, b"a'b\n\\%\\");
        check(b"N'x'", Kind::National, b"x");
        check(b"`a``b\\`", Kind::Quoted, b"a`b\\");
        check(b"@`a b`", Kind::UserVar, b"a b");
        check(b"@x.y", Kind::UserVar, b"x.y");
        check(b"word", Kind::Word, b"word");
        check(b"''", Kind::Text, b"");
    }

    #[test]
    fn modes_change_what_a_backslash_is() {
        let modes = Modes {
            no_backslash_escapes: true,
            ..Modes::default()
        };
        assert_eq!(&*unquote(br"'a\b'", Kind::Text, modes), br"a\b");
    }
}
