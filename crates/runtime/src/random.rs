//! Random bytes from the system.

use rustix::rand::{GetRandomFlags, getrandom};

/// Twenty random bytes for a greeting, none of them zero. Seven bits of each are random, which
/// makes 140 in all. `None`: the system has none to give, and nobody should be greeted.
pub(crate) fn scramble() -> Option<[u8; 20]> {
    Some(fill([0; 20])?.map(|byte| (byte & 0x7f).max(1)))
}

/// What a session makes further random bytes of. `None` as above.
pub(crate) fn seed() -> Option<[u8; 32]> {
    fill([0; 32])
}

fn fill<const N: usize>(mut bytes: [u8; N]) -> Option<[u8; N]> {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zero_and_no_repetition() {
        let all: Vec<_> = (0..200).filter_map(|_| scramble()).collect();
        assert!(all.iter().flatten().all(|byte| (1..0x80).contains(byte)));
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), different.len()), (200, 200));
    }
}
