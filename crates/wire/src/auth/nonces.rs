//! Random bytes for one connection, made of a seed that came from outside.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::NONCE_LEN;

/// Makes bytes that nobody can tell who does not know the seed: SHA-256(seed, count).
#[derive(Default)]
pub struct Nonces {
    seed: [u8; 32],
    made: u32,
}

impl Nonces {
    /// From random bytes that nothing else is made of.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, made: 0 }
    }

    /// What [`Nonces::resume`] needs, for the one place that carries a session over to another process.
    #[must_use]
    pub const fn expose(&self) -> (&[u8; 32], u32) {
        (&self.seed, self.made)
    }

    /// Goes on after `made` nonces.
    #[must_use]
    pub const fn resume(seed: [u8; 32], made: u32) -> Self {
        Self { seed, made }
    }

    /// Bytes that were not given before.
    pub fn take(&mut self) -> [u8; NONCE_LEN] {
        self.made = self.made.wrapping_add(1);
        Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.made.to_le_bytes())
            .finalize()
            .into()
    }
}

impl Drop for Nonces {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_a_resumed_one_goes_on() {
        let mut nonces = Nonces::new([7; 32]);
        let (first, second) = (nonces.take(), nonces.take());
        assert_ne!(first, second);
        let (seed, made) = nonces.expose();
        let mut resumed = Nonces::resume(*seed, made);
        assert_eq!(resumed.take(), nonces.take());
        assert_ne!(Nonces::new([8; 32]).take(), first);
    }
}
