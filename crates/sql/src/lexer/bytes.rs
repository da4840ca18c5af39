//! What each byte can begin: the lexer's one table.

/// The class of a byte. The first two are those that continue an identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Class {
    /// A letter, `_`, `$`, or a byte of a character outside ASCII.
    Letter,
    Digit,
    Blank,
    /// 0xA0: a blank in latin1 and its relatives, part of a character in UTF-8.
    HardBlank,
    Apostrophe,
    DoubleQuote,
    Backtick,
    Slash,
    Star,
    Dash,
    Hash,
    At,
    Dot,
    Colon,
    Question,
    Other,
}

const TABLE: [Class; 256] = table();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn table() -> [Class; 256] {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => Class::Letter,
            0xA0 => Class::HardBlank,
            0x80..=0xFF => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b' ' | 0x09..=0x0D => Class::Blank,
            b'\'' => Class::Apostrophe,
            b'"' => Class::DoubleQuote,
            b'`' => Class::Backtick,
            b'/' => Class::Slash,
            b'*' => Class::Star,
            b'-' => Class::Dash,
            b'#' => Class::Hash,
            b'@' => Class::At,
            b'.' => Class::Dot,
            b':' => Class::Colon,
            b'?' => Class::Question,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
}

/// The class of `byte`.
#[inline(always)]
pub(crate) fn class(byte: u8) -> Class {
    // A table of 256 has an entry for every byte: the bounds check folds away.
    TABLE
        .get(usize::from(byte))
        .copied()
        .unwrap_or(Class::Other)
}

/// Whether `byte` continues an identifier.
#[inline(always)]
pub(crate) fn is_ident(byte: u8) -> bool {
    class(byte) <= Class::Digit
}

/// Whether `byte` is white space.
#[inline(always)]
pub(crate) fn is_blank(byte: u8) -> bool {
    class(byte) == Class::Blank
}

/// Whether `byte`, standing behind a letter, belongs to the same word: 0xA0 does behind a byte
/// outside ASCII.
#[inline(always)]
pub(crate) fn is_ident_tail(byte: u8) -> bool {
    is_ident(byte) || byte == 0xA0
}
