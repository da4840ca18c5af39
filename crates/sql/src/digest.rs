//! The digest of a canonical text: stable over time, machines and processes, and quick.
//!
//! It names a statement in statistics and finds it in tables. It is no defence against somebody
//! who builds collisions, so nothing may rest on it alone: whoever looks something up by it
//! compares the text too.

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const STEP: u64 = 0xD6E8_FEB8_6659_FD93;

/// The 64-bit digest of `text`.
#[must_use]
pub fn digest(text: &[u8]) -> u64 {
    digest_with(SEED, text)
}

/// The digest with a number mixed in at the start.
#[inline]
pub(crate) fn digest_with(seed: u64, text: &[u8]) -> u64 {
    let mut state = seed ^ (text.len() as u64).wrapping_mul(STEP);
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), STEP);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    fold(fold(state ^ u64::from_le_bytes(last), STEP), SEED)
}

/// Multiplies to twice the width and adds the halves without carry.
#[inline(always)]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_never_changes() {
        assert_eq!(digest(b""), digest(b""));
        assert_eq!(digest(b"SELECT ?"), 6_181_707_731_686_043_184);
        assert_ne!(digest(b"SELECT ?"), digest(b"SELECT ? "));
        assert_ne!(digest(b"\0"), digest(b"\0\0"));
    }
}
