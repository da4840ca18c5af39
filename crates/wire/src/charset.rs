//! Which character set a collation belongs to, as far as a client can have it.
//!
//! Left out: ucs2, utf16 and utf32, which servers do not let clients have; collations whose ids do not fit
//! the handshake's byte.
//!
//! Source: MariaDB's and MySQL's `information_schema.collations`; the ids mean the same in both.

/// The character set of the collation with this id; `None`: unknown, or none that a client can have.
#[must_use]
pub const fn of_collation(id: u8) -> Option<&'static str> {
    Some(match id {
        1 | 84 => "big5",
        2 | 9 | 21 | 27 | 77 => "latin2",
        3 | 69 => "dec8",
        4 | 80 => "cp850",
        5 | 8 | 15 | 31 | 47..=49 | 94 => "latin1",
        6 | 72 => "hp8",
        7 | 74 => "koi8r",
        10 | 82 => "swe7",
        11 | 65 => "ascii",
        12 | 91 => "ujis",
        13 | 88 => "sjis",
        14 | 23 | 50..=52 => "cp1251",
        16 | 71 => "hebrew",
        18 | 89 => "tis620",
        19 | 85 => "euckr",
        20 | 41 | 42 | 79 => "latin7",
        22 | 75 => "koi8u",
        24 | 86 => "gb2312",
        25 | 70 => "greek",
        26 | 34 | 44 | 66 | 99 => "cp1250",
        28 | 87 => "gbk",
        29 | 58 | 59 => "cp1257",
        30 | 78 => "latin5",
        32 | 64 => "armscii8",
        33 | 83 | 192..=215 | 223 => "utf8mb3",
        36 | 68 => "cp866",
        37 | 73 => "keybcs2",
        38 | 43 => "macce",
        39 | 53 => "macroman",
        40 | 81 => "cp852",
        45 | 46 | 224..=247 | 255 => "utf8mb4",
        57 | 67 => "cp1256",
        63 => "binary",
        92 | 93 => "geostd8",
        95 | 96 => "cp932",
        97 | 98 => "eucjpms",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_sets_of_collations() {
        assert_eq!(of_collation(8), Some("latin1"));
        assert_eq!(of_collation(33), Some("utf8mb3"));
        assert_eq!(of_collation(45), Some("utf8mb4"));
        for id in [0, 35, 54, 60, 101, 184] {
            assert_eq!(of_collation(id), None, "{id}");
        }
    }
}
