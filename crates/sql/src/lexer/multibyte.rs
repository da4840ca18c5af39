//! Characters of the East Asian sets whose second byte may look like ASCII.

use crate::modes::Multibyte;

/// The length of the character at the start of `text`: 1, 2 or 4. A byte pair that is no
/// character of the set counts as one byte, as servers read it.
pub(crate) fn char_len(set: Multibyte, text: &[u8]) -> usize {
    let (Some(&lead), Some(&trail)) = (text.first(), text.get(1)) else {
        return 1;
    };
    let pair = match set {
        Multibyte::None => false,
        Multibyte::Gbk => is_gb(lead, trail),
        Multibyte::Gb18030 => return gb18030_len(text, lead, trail),
        Multibyte::Big5 => {
            matches!(lead, 0xA1..=0xF9) && matches!(trail, 0x40..=0x7E | 0xA1..=0xFE)
        }
        Multibyte::Sjis => {
            matches!(lead, 0x81..=0x9F | 0xE0..=0xFC) && matches!(trail, 0x40..=0x7E | 0x80..=0xFC)
        }
    };
    if pair { 2 } else { 1 }
}

fn is_gb(lead: u8, trail: u8) -> bool {
    matches!(lead, 0x81..=0xFE) && matches!(trail, 0x40..=0x7E | 0x80..=0xFE)
}

fn gb18030_len(text: &[u8], lead: u8, trail: u8) -> usize {
    if is_gb(lead, trail) {
        return 2;
    }
    match (lead, trail, text.get(2), text.get(3)) {
        (0x81..=0xFE, b'0'..=b'9', Some(0x81..=0xFE), Some(b'0'..=b'9')) => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_can_be_the_second_half_of_a_character() {
        for (set, bytes, len) in [
            (Multibyte::Gbk, &b"\xbf\\"[..], 2),
            (Multibyte::Big5, b"\xa5\\", 2),
            (Multibyte::Sjis, b"\x83\\", 2),
            (Multibyte::Gb18030, b"\x81\\", 2),
            (Multibyte::Gb18030, b"\x810\x810", 4),
            (Multibyte::None, b"\xbf\\", 1),
            (Multibyte::Gbk, b"\xbf'", 1),
            (Multibyte::Sjis, b"\xb1\\", 1),
            (Multibyte::Gbk, b"\xbf", 1),
        ] {
            assert_eq!(char_len(set, bytes), len, "{set:?} {bytes:x?}");
        }
    }
}
