//! Keys as hexadecimal digits.

use zeroize::Zeroizing;

/// The key that these digits are, of 128, 192 or 256 bits. `Err` says what is wrong and quotes
/// nothing.
pub(crate) fn key(digits: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the key holds something that is no hexadecimal digit".to_owned());
    }
    if !matches!(digits.len(), 32 | 48 | 64) {
        return Err(format!(
            "the key has {} hexadecimal digits, but must have 32, 48 or 64 (128, 192 or 256 bits)",
            digits.len()
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let pairs = digits.as_bytes().as_chunks::<2>().0;
    bytes.extend(
        pairs
            .iter()
            .map(|[high, low]| nibble(*high) << 4 | nibble(*low)),
    );
    Ok(bytes)
}

/// The value of a digit; of anything else, which does not come here, 0.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn digits_of_the_right_number_are_a_key() {
        for len in [32, 48, 64] {
            let digits = "0aF9".repeat(len / 4);
            assert_eq!(*key(&digits).unwrap(), [0x0a, 0xf9].repeat(len / 4));
        }
        for bad in ["", "0a", &"0".repeat(33), &"0".repeat(62), &"0g".repeat(16)] {
            let reason = key(bad).unwrap_err();
            assert!(
                bad.is_empty() || !reason.contains(bad) || bad == "0a",
                "{reason}"
            );
        }
    }
}
