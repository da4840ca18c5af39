//! `caching_sha2_password`: the arithmetic of its fast way.
//!
//! The server may keep H = SHA256(SHA256(password)) in memory and sends a scramble of 20 bytes. The
//! client answers SHA256(password) xor SHA256(H, scramble). Who does not have H asks for the password
//! itself, over an encrypted connection or sealed with an RSA key.
//!
//! Source: MySQL internals manual, "Caching_sha2_password information".

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::native::SCRAMBLE_LEN;
use super::same;
use crate::SecretBytes;

/// SHA256(password), or the hash of that.
pub type Stage = Zeroizing<[u8; 32]>;

/// What a server says before its OK when the fast way succeeded.
pub const FAST_OK: u8 = 3;
/// What a server says when it wants the password itself.
pub const FULL: u8 = 4;
/// What a client says to get the RSA key.
pub const ASK_KEY: u8 = 2;

/// What a client answers to a scramble; nothing but a zero byte without password.
#[must_use]
pub fn scramble_response(password: &[u8], scramble: &[u8; SCRAMBLE_LEN]) -> Vec<u8> {
    if password.is_empty() {
        return vec![0];
    }
    let stage1 = hash(&[password]);
    let mask = hash(&[&*hash(&[&*stage1]), scramble]);
    xor(stage1, &mask).to_vec()
}

/// SHA256(password), if `response` is what a client answers whose SHA256(SHA256(password)) is
/// `stored`. The comparison takes the same time wherever the bytes differ.
#[must_use]
pub fn check(response: &[u8], scramble: &[u8; SCRAMBLE_LEN], stored: &Stage) -> Option<Stage> {
    let response = Stage::new(response.try_into().ok()?);
    let stage1 = xor(response, &hash(&[&**stored, scramble]));
    let found = hash(&[&*stage1]);
    same(&*found, &**stored).then_some(stage1)
}

/// SHA256(password) and SHA256(SHA256(password)).
#[must_use]
pub fn stages(password: &[u8]) -> (Stage, Stage) {
    let stage1 = hash(&[password]);
    let stage2 = hash(&[&*stage1]);
    (stage1, stage2)
}

/// A text, each byte xor one of the scramble's in turn: what is sealed with an RSA key, and, once more,
/// what was opened with it.
#[must_use]
pub fn mask(text: &[u8], scramble: &[u8; SCRAMBLE_LEN]) -> SecretBytes {
    let mut masked = text.to_vec();
    for (byte, mask) in masked.iter_mut().zip(scramble.iter().cycle()) {
        *byte ^= mask;
    }
    masked.into()
}

/// Is this the answer of a client without password?
pub(crate) fn is_empty(response: &[u8]) -> bool {
    matches!(response, [] | [0])
}

fn hash(parts: &[&[u8]]) -> Stage {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Stage::new(hasher.finalize().into())
}

fn xor(mut left: Stage, right: &Stage) -> Stage {
    for (byte, other) in left.iter_mut().zip(right.iter()) {
        *byte ^= other;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: [u8; 20] = *b"01234567890123456789";

    #[test]
    fn right_and_wrong_answers() {
        let (stage1, stored) = stages(b"secret");
        let right = scramble_response(b"secret", &SCRAMBLE);
        assert_eq!(check(&right, &SCRAMBLE, &stored), Some(stage1));
        assert_eq!(check(&right, &[7; 20], &stored), None);
        assert_eq!(check(&right[1..], &SCRAMBLE, &stored), None);
        for index in 0..right.len() {
            let mut wrong = right.clone();
            wrong[index] ^= 1;
            assert_eq!(check(&wrong, &SCRAMBLE, &stored), None);
        }
    }

    /// Computed with Python's hashlib.
    #[test]
    fn the_answer_is_what_clients_compute() {
        let hex: String = scramble_response(b"secret", &SCRAMBLE)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "1a2da2573c2faa367e2afddb54cdfd11a95ed22eef0167151196a6fc8e3d3813"
        );
        assert_eq!(scramble_response(b"", &SCRAMBLE), [0]);
    }
}
