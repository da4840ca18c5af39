//! The salted, slow hash that MySQL's `caching_sha2_password` stores: SHA-256 crypt with a salt of
//! twenty bytes.
//!
//! | bytes | field                                                  |
//! |------:|--------------------------------------------------------|
//! |     3 | `$A$`                                                  |
//! |     3 | thousands of rounds, hexadecimal                       |
//! |     1 | `$`                                                    |
//! |    20 | salt                                                   |
//! |    43 | digest, in crypt's own base 64                         |
//!
//! Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512" (public domain); MySQL manual,
//! "Caching SHA-2 Pluggable Authentication".

use sha2::{Digest as _, Sha256};
use tidegate_wire::auth;
use zeroize::Zeroizing;

use crate::stored::SHA2_PREFIX;

/// The longest password that MySQL takes; the work grows with the square of it.
const MAX_PASSWORD_LEN: usize = 256;

const SALT_LEN: usize = 20;
const DIGEST_LEN: usize = 43;

/// The most thousands of rounds that are worked through: MySQL's own limit.
const MAX_THOUSANDS: u32 = 0xfff;

/// A stored hash, taken apart.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'a> {
    rounds: u32,
    salt: &'a [u8],
    digest: &'a [u8],
}

impl<'a> Stored<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let rest = text.strip_prefix(SHA2_PREFIX)?;
        let (digits, rest) = rest.split_at_checked(3)?;
        let thousands = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        let (salt, digest) = rest.strip_prefix(b"$")?.split_at_checked(SALT_LEN)?;
        let fits = digest.len() == DIGEST_LEN && (1..=MAX_THOUSANDS).contains(&thousands);
        fits.then_some(Self {
            rounds: thousands * 1000,
            salt,
            digest,
        })
    }

    /// Is it made of this password? Takes the same time wherever the digests differ, and no less for
    /// a password that is too long to be anybody's.
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        let found = digest(longest(password), self.salt, self.rounds);
        auth::same(&found, self.digest) && password.len() <= MAX_PASSWORD_LEN
    }

    /// Works as long as for an account with the usual number of rounds.
    pub(crate) fn waste_time(password: &[u8]) {
        std::hint::black_box(digest(longest(password), &[b'.'; SALT_LEN], 5000));
    }
}

/// As much of a password as is hashed at most.
fn longest(password: &[u8]) -> &[u8] {
    password.get(..MAX_PASSWORD_LEN).unwrap_or(password)
}

type Block = Zeroizing<[u8; 32]>;

fn digest(key: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    let start = start(key, salt);
    let of_key = hash(|hasher| key.iter().for_each(|_| hasher.update(key)));
    let turns = 16 + usize::from(start.first().copied().unwrap_or(0));
    let of_salt = hash(|hasher| (0..turns).for_each(|_| hasher.update(salt)));
    let key_bytes = stretch(&of_key, key.len());
    let salt_bytes = stretch(&of_salt, salt.len());
    let mut state = start;
    for round in 0..rounds {
        let odd = round % 2 == 1;
        state = hash(|hasher| {
            hasher.update(if odd { &key_bytes[..] } else { &state[..] });
            if round % 3 != 0 {
                hasher.update(&salt_bytes);
            }
            if round % 7 != 0 {
                hasher.update(&key_bytes);
            }
            hasher.update(if odd { &state[..] } else { &key_bytes[..] });
        });
    }
    encode(&state)
}

fn start(key: &[u8], salt: &[u8]) -> Block {
    let other = hash(|hasher| [key, salt, key].iter().for_each(|part| hasher.update(part)));
    hash(|hasher| {
        hasher.update(key);
        hasher.update(salt);
        hasher.update(stretch(&other, key.len()));
        let mut bits = key.len();
        while bits > 0 {
            hasher.update(if bits & 1 == 1 { &other[..] } else { key });
            bits >>= 1;
        }
    })
}

fn hash(fill: impl FnOnce(&mut Sha256)) -> Block {
    let mut hasher = Sha256::new();
    fill(&mut hasher);
    Zeroizing::new(hasher.finalize().into())
}

/// As many bytes, over and over.
fn stretch(block: &Block, len: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(block.iter().copied().cycle().take(len).collect())
}

/// Which three bytes make four digits; the last two bytes make three.
const TRIPLES: [[usize; 3]; 10] = [
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
];

fn encode(state: &Block) -> Vec<u8> {
    let byte = |index: usize| u32::from(state.get(index).copied().unwrap_or(0));
    let mut text = Vec::with_capacity(DIGEST_LEN);
    for [high, middle, low] in TRIPLES {
        put_digits(
            &mut text,
            byte(high) << 16 | byte(middle) << 8 | byte(low),
            4,
        );
    }
    put_digits(&mut text, byte(31) << 8 | byte(30), 3);
    text
}

fn put_digits(text: &mut Vec<u8>, mut bits: u32, count: usize) {
    const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..count {
        text.push(DIGITS.get((bits & 63) as usize).copied().unwrap_or(b'.'));
        bits >>= 6;
    }
}

/// What an account with this password and salt stores.
#[cfg(test)]
pub(crate) fn store(password: &[u8], salt: &[u8; SALT_LEN]) -> Vec<u8> {
    [b"$A$005$", &salt[..], &digest(password, salt, 5000)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the C library's crypt().
    #[test]
    fn digests_are_crypts() {
        for (key, salt, rounds, expect) in [
            (
                "secret",
                "0123456789abcdef",
                5000,
                "r6nzC5LUC0uVXFw52gWstJ181ms.XFW71j20yui2zG7",
            ),
            (
                "",
                "saltstring",
                5000,
                "FdNfA4gXqvCeO6iZs7G/.wwwoywYZqo0l1pwmfWaBA7",
            ),
            (
                "a password that is longer than one block of the hash, by far",
                "x",
                1000,
                "IGkRAHNoy5Bcy39u3b6HiyfQxqn5LrrutEYSqqVxow0",
            ),
        ] {
            let found = digest(key.as_bytes(), salt.as_bytes(), rounds);
            assert_eq!(String::from_utf8(found).unwrap(), expect, "{key}");
        }
    }

    #[test]
    fn stored_hashes_are_checked() {
        let text = store(b"secret", b"01234567890123456789");
        let stored = Stored::parse(&text).unwrap();
        assert!(stored.matches(b"secret"));
        assert!(!stored.matches(b"Secret") && !stored.matches(b""));
        assert!(!stored.matches(&[b'a'; MAX_PASSWORD_LEN + 1]));
        assert!(Stored::parse(&text[1..]).is_none());
        assert!(Stored::parse(&text[..text.len() - 1]).is_none());
        assert!(Stored::parse(b"$A$000$").is_none());
    }
}
