//! Names of character sets, as far as they stand before literals: `_utf8mb4'...'`.

/// Whether `word` introduces the character set of the literal behind it.
pub(crate) fn is_introducer(word: &[u8]) -> bool {
    let Some((b'_', name)) = word.split_first() else {
        return false;
    };
    NAMES
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The character sets of MariaDB and MySQL.
const NAMES: &[&str] = &[
    "armscii8", "ascii", "big5", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850",
    "cp852", "cp866", "cp932", "dec8", "eucjpms", "euckr", "filename", "gb18030", "gb2312", "gbk",
    "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5",
    "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le",
    "utf32", "utf8", "utf8mb3", "utf8mb4",
];
