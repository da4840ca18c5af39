//! Words that belong to the literal behind them: `_utf8mb4'...'`, `DATE '...'`.

/// What a word in front of a literal makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prefix {
    /// The character set of a string or of hexadecimal digits.
    Charset,
    /// A date or time, of a string.
    Temporal,
}

impl Prefix {
    /// What `word` is in front of a literal.
    pub(crate) fn of(word: &[u8]) -> Option<Prefix> {
        match word.first()? {
            b'_' => is_charset(word.get(1..)?).then_some(Prefix::Charset),
            b'd' | b'D' | b't' | b'T' => is_temporal(word).then_some(Prefix::Temporal),
            _ => None,
        }
    }
}

/// The longest word that can be a prefix.
pub(crate) const LONGEST_PREFIX: usize = 9;

fn is_temporal(word: &[u8]) -> bool {
    ["DATE", "TIME", "TIMESTAMP"]
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn is_charset(name: &[u8]) -> bool {
    CHARSETS
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The character sets of MariaDB and MySQL.
const CHARSETS: &[&str] = &[
    "armscii8", "ascii", "big5", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850",
    "cp852", "cp866", "cp932", "dec8", "eucjpms", "euckr", "filename", "gb18030", "gb2312", "gbk",
    "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5",
    "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le",
    "utf32", "utf8", "utf8mb3", "utf8mb4",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(Prefix::of(b"_UTF8mb4"), Some(Prefix::Charset));
        assert_eq!(Prefix::of(b"Timestamp"), Some(Prefix::Temporal));
        for word in [&b"_foo"[..], b"utf8", b"dates", b"_", b""] {
            assert_eq!(Prefix::of(word), None);
        }
        let longest = CHARSETS.iter().map(|name| name.len() + 1).max();
        assert_eq!(longest.max(Some("TIMESTAMP".len())), Some(LONGEST_PREFIX));
    }
}
