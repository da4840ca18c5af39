//! `mysql_native_password`.
//!
//! The server keeps H2 = SHA1(SHA1(password)) and sends a scramble of 20 bytes. The client answers
//! R = SHA1(password) xor SHA1(scramble, H2). From R the server finds S = SHA1(password) and accepts if
//! SHA1(S) = H2. So S is all it takes to answer other servers that keep the same H2: a [`Proof`].
//!
//! Invariant: a [`Proof`] is wiped when dropped and cannot be printed.
//!
//! Source: MariaDB manual, "Connection", `mysql_native_password` plugin.

use sha1::{Digest, Sha1};
use std::fmt;
use zeroize::Zeroize;

use super::same;

/// Bytes of a scramble.
pub const SCRAMBLE_LEN: usize = 20;

type Hash = [u8; 20];

/// What a login proved: SHA1(password), or that there is no password.
#[derive(Clone, Default)]
pub struct Proof(Option<Hash>);

impl Proof {
    /// The proof of an account without password.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// The proof that this password's owner gives.
    pub fn of_password(password: &[u8]) -> Self {
        Self((!password.is_empty()).then(|| sha1(&[password])))
    }

    /// From the bytes of [`Proof::expose`].
    pub const fn from_sha1(sha1: [u8; 20]) -> Self {
        Self(Some(sha1))
    }

    /// SHA1(password), for the one place that carries a session over to another process; `None` without
    /// password.
    pub fn expose(&self) -> Option<&[u8; 20]> {
        self.0.as_ref()
    }

    /// Whether it stands for an empty password.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}

/// What a server keeps of an account's password: SHA1(SHA1(password)), or that there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NativeHash(Option<Hash>);

impl NativeHash {
    /// The hash of an account without password.
    pub const EMPTY: Self = Self(None);

    /// A hash that no known password has: checking against it takes as long as against a real one.
    pub const UNKNOWN_USER: Self = Self(Some([0; 20]));

    /// Reads `*` and 40 hexadecimal digits, or nothing. `None` for any other text: hashes before 4.1 and
    /// damaged ones let nobody in.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::EMPTY);
        }
        let digits = text.strip_prefix(b"*")?.as_chunks::<2>();
        let (pairs, []) = digits else { return None };
        let mut hash = Hash::default();
        if pairs.len() != hash.len() {
            return None;
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = hex(*high)? << 4 | hex(*low)?;
        }
        Some(Self(Some(hash)))
    }

    /// The hash of a password.
    pub fn of_password(password: &[u8]) -> Self {
        Self(
            Proof::of_password(password)
                .0
                .map(|stage1| sha1(&[&stage1])),
        )
    }

    /// The 20 bytes; `None` without password.
    pub fn bytes(&self) -> Option<&[u8; 20]> {
        self.0.as_ref()
    }

    /// Whether the account has no password.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// The text of `mysql.user`: `*` and 40 digits.
impl fmt::Display for NativeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(hash) = &self.0 else { return Ok(()) };
        f.write_str("*")?;
        hash.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for NativeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NativeHash(..)")
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn sha1(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn xor(mut left: Hash, right: &Hash) -> Hash {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
    left
}

/// The hash that `mysql.user` keeps for a password.
pub fn hash(password: &[u8]) -> NativeHash {
    NativeHash::of_password(password)
}

/// What a client answers to a scramble: 20 bytes, or none without password.
pub fn scramble_response(proof: &Proof, scramble: &[u8; SCRAMBLE_LEN]) -> Vec<u8> {
    let Some(stage1) = proof.0 else {
        return Vec::new();
    };
    let stage2 = sha1(&[&stage1]);
    xor(stage1, &sha1(&[scramble, &stage2])).to_vec()
}

/// What the client's answer proves, if it is right. The comparison takes the same time wherever the
/// bytes differ.
pub fn check(response: &[u8], scramble: &[u8; SCRAMBLE_LEN], stored: &NativeHash) -> Option<Proof> {
    let Some(stage2) = &stored.0 else {
        return response.is_empty().then(Proof::empty);
    };
    let response: Hash = response.try_into().ok()?;
    let proof = Proof::from_sha1(xor(response, &sha1(&[scramble, stage2])));
    let found = sha1(&[proof.expose()?]);
    same(&found, stage2).then_some(proof)
}

/// How the hash of a wrong answer differs from the account's: no more than an administrator needs to
/// tell an old password from a mistyped one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The first bytes of what the server keeps; `None`: the account has no password.
    expected: Option<[u8; 4]>,
    /// The first bytes of what the answer comes to; `None`: it is no answer to a scramble.
    received: Option<[u8; 4]>,
}

impl Mismatch {
    /// Of an answer that [`check`] did not take.
    #[must_use]
    pub fn of(response: &[u8], scramble: &[u8; SCRAMBLE_LEN], stored: &NativeHash) -> Self {
        let stage2 = stored.bytes();
        let answer = Hash::try_from(response).ok();
        let first = |hash: &Hash| hash.first_chunk().copied();
        Self {
            expected: stage2.and_then(first),
            received: answer.zip(stage2).and_then(|(answer, stage2)| {
                first(&sha1(&[&xor(answer, &sha1(&[scramble, stage2]))]))
            }),
        }
    }
}

/// `the account's hash begins with 54958E76, that of the answer with 0011AABB`.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |bytes: [u8; 4]| format!("{:08X}", u32::from_be_bytes(bytes));
        match self.expected.map(digits) {
            Some(digits) => write!(f, "the account's hash begins with {digits}")?,
            None => f.write_str("the account has no password")?,
        }
        match self.received.map(digits) {
            Some(digits) => write!(f, ", that of the answer with {digits}"),
            None if self.expected.is_none() => f.write_str(", the client gave one"),
            None => f.write_str(", the client gave none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: [u8; 20] = *b"01234567890123456789";

    #[test]
    fn the_manuals_value() {
        let text = "*54958E764CE10E50764C2EECBB71D01F08549980";
        assert_eq!(hash(b"mariadb").to_string(), text);
        assert_eq!(NativeHash::parse(text.as_bytes()), Some(hash(b"mariadb")));
        assert_eq!(
            NativeHash::parse(text.to_lowercase().as_bytes()),
            Some(hash(b"mariadb"))
        );
    }

    #[test]
    fn what_is_no_hash() {
        assert_eq!(NativeHash::parse(b""), Some(NativeHash::EMPTY));
        for text in [
            "*",
            "54958E764CE10E50764C2EECBB71D01F08549980",
            "*54958E764CE10E50764C2EECBB71D01F0854998",
            "*54958E764CE10E50764C2EECBB71D01F085499801",
            "*54958E764CE10E50764C2EECBB71D01F0854998G",
            "606717496665bcba",
            "invalid",
        ] {
            assert_eq!(NativeHash::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_proof_answers_another_scramble() {
        let response = scramble_response(&Proof::of_password(b"secret"), &SCRAMBLE);
        let proof = check(&response, &SCRAMBLE, &hash(b"secret")).unwrap();
        let other = [7; 20];
        let relayed = scramble_response(&proof, &other);
        assert!(check(&relayed, &other, &hash(b"secret")).is_some());
        assert!(check(&relayed, &SCRAMBLE, &hash(b"secret")).is_none());
    }

    #[test]
    fn wrong_answers() {
        let right = scramble_response(&Proof::of_password(b"secret"), &SCRAMBLE);
        for index in 0..right.len() {
            let mut wrong = right.clone();
            wrong[index] ^= 1;
            assert!(check(&wrong, &SCRAMBLE, &hash(b"secret")).is_none());
        }
        for wrong in [&right[..19], &[], &[right.as_slice(), &[0]].concat()] {
            assert!(check(wrong, &SCRAMBLE, &hash(b"secret")).is_none());
        }
        assert!(check(&right, &SCRAMBLE, &NativeHash::UNKNOWN_USER).is_none());
    }

    #[test]
    fn a_mismatch_shows_the_first_digits_only() {
        let said = |response: &[u8], stored: &NativeHash| {
            Mismatch::of(response, &SCRAMBLE, stored).to_string()
        };
        let response = scramble_response(&Proof::of_password(b"secret"), &SCRAMBLE);
        // An answer that is right comes to the account's own hash.
        let right = hash(b"secret").to_string();
        let digits = &right[1..9];
        assert_eq!(
            said(&response, &hash(b"secret")),
            format!("the account's hash begins with {digits}, that of the answer with {digits}")
        );
        let wrong = said(&response, &hash(b"mariadb"));
        let start = "the account's hash begins with 54958E76, that of the answer with ";
        assert!(
            wrong.starts_with(start) && wrong.len() == start.len() + 8,
            "{wrong}"
        );
        assert_eq!(
            said(&[], &hash(b"mariadb")),
            "the account's hash begins with 54958E76, the client gave none"
        );
        assert_eq!(
            said(&response, &NativeHash::EMPTY),
            "the account has no password, the client gave one"
        );
    }

    #[test]
    fn no_password() {
        let proof = check(&[], &SCRAMBLE, &NativeHash::EMPTY).unwrap();
        assert!(proof.is_empty() && scramble_response(&proof, &SCRAMBLE).is_empty());
        assert!(check(&[1], &SCRAMBLE, &NativeHash::EMPTY).is_none());
        assert_eq!(hash(b""), NativeHash::EMPTY);
        assert_eq!(hash(b"").to_string(), "");
    }
}
