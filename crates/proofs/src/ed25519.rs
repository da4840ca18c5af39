//! Ed25519 as MariaDB's plugin `ed25519` uses it: the secret key is the password itself, of any
//! length, where the standard has a seed of 32 bytes. Signatures are the standard's.
//!
//! Source: MariaDB manual, "Authentication Plugin - ed25519"; RFC 8032, 5.1.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use curve25519_dalek::{EdwardsPoint, Scalar};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroize;

/// The secret scalar, clamped, and the half of the hash that signatures begin with.
struct Expanded {
    scalar: [u8; 32],
    prefix: [u8; 32],
}

impl Expanded {
    fn of(password: &[u8]) -> Self {
        let mut hash: [u8; 64] = Sha512::digest(password).into();
        let (mut scalar, mut prefix) = ([0; 32], [0; 32]);
        let (low, high) = hash.split_at(32);
        scalar.copy_from_slice(low);
        prefix.copy_from_slice(high);
        hash.zeroize();
        let [first, .., last] = &mut scalar;
        *first &= 0b1111_1000;
        *last = *last & 0b0111_1111 | 0b0100_0000;
        Self { scalar, prefix }
    }

    fn public_key(&self) -> [u8; 32] {
        EdwardsPoint::mul_base_clamped(self.scalar)
            .compress()
            .to_bytes()
    }
}

impl Drop for Expanded {
    fn drop(&mut self) {
        self.scalar.zeroize();
        self.prefix.zeroize();
    }
}

/// What an account with this password stores.
#[must_use]
pub fn public_key(password: &[u8]) -> [u8; 32] {
    Expanded::of(password).public_key()
}

/// The signature of whoever knows the password.
pub(crate) fn sign(password: &[u8], message: &[u8]) -> [u8; 64] {
    let expanded = Expanded::of(password);
    let key = expanded.public_key();
    let mut nonce = scalar(&[&expanded.prefix, message]);
    let commitment = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let challenge = scalar(&[&commitment, &key, message]);
    let mut secret = Scalar::from_bytes_mod_order(expanded.scalar);
    let response = challenge * secret + nonce;
    nonce.zeroize();
    secret.zeroize();
    let mut signature = [0; 64];
    let (first, second) = signature.split_at_mut(32);
    first.copy_from_slice(&commitment);
    second.copy_from_slice(&response.to_bytes());
    signature
}

/// Is it the signature of the key's owner?
pub(crate) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(message, signature)
        .is_ok()
}

fn scalar(parts: &[&[u8]]) -> Scalar {
    let mut hasher = Sha512::new();
    for part in parts {
        hasher.update(part);
    }
    let mut hash: [u8; 64] = hasher.finalize().into();
    let scalar = Scalar::from_bytes_mod_order_wide(&hash);
    hash.zeroize();
    scalar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored;

    #[test]
    fn the_manuals_value() {
        let key = stored::ed25519("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY");
        assert_eq!(key, Some(public_key(b"secret")));
    }

    #[test]
    fn signatures_are_the_standards() {
        for password in [&b""[..], b"secret", &[7; 200]] {
            let key = public_key(password);
            let signature = sign(password, b"message");
            assert!(verify(&key, b"message", &signature));
            assert!(!verify(&key, b"massage", &signature));
            assert!(!verify(&public_key(b"other"), b"message", &signature));
            for index in 0..64 {
                let mut wrong = signature;
                wrong[index] ^= 1;
                assert!(!verify(&key, b"message", &wrong));
            }
        }
    }
}
