//! The secrets that a test run has made, and the check that none of them comes out of the program
//! under test.
//!
//! Every random password is remembered with the hash that servers keep of it and the one that a client
//! proves it by, and the last scrambles that test clients were sent. Every log that a
//! [`Tidegate`](crate::Tidegate) has written is searched for all of them when it is dropped, and
//! so is every answer of the REST interface.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use sha1::{Digest as _, Sha1};

/// Shorter ones would be found everywhere.
const MIN_BYTES: usize = 12;

static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// As hexadecimal digits. A test may have made thousands of connections; the last ones stand for all.
static SCRAMBLES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
const SCRAMBLES_KEPT: usize = 64;

/// Remembers a secret that must not be seen anywhere.
///
/// # Panics
/// It is so short that it could stand somewhere by accident: a mistake of the test.
pub fn remember(secret: &str) {
    assert!(secret.len() >= MIN_BYTES, "too short to be searched for");
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.push(secret.to_owned());
}

/// Remembers a password of an account on a server, and its hash.
pub(crate) fn remember_password(password: &str) {
    remember(password);
    let proof = Sha1::digest(password.as_bytes());
    for hash in [Sha1::digest(proof), proof] {
        let digits = hex(&hash);
        remember(&digits);
        remember(&digits.to_lowercase());
    }
}

/// Remembers what a server sent a client to answer.
pub(crate) fn remember_scramble(scramble: &[u8]) {
    let mut kept = SCRAMBLES.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(hex(scramble));
    if kept.len() > SCRAMBLES_KEPT {
        kept.pop_front();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Searches what the program has said.
///
/// # Panics
/// A secret is in it. The message does not quote it.
pub fn check(place: &str, said: &str) {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.iter().find_map(|secret| said.find(secret.as_str()));
    drop(known);
    let scrambles = SCRAMBLES.lock().unwrap_or_else(PoisonError::into_inner);
    let found = found.or_else(|| {
        let mut both = scrambles
            .iter()
            .flat_map(|digits| [digits.clone(), digits.to_lowercase()]);
        both.find_map(|digits| said.find(&digits))
    });
    drop(scrambles);
    if let Some(at) = found
        && !std::thread::panicking()
    {
        let start = said.floor_char_boundary(at.saturating_sub(200));
        panic!("a secret in {place}, after: {}", &said[start..at]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_and_not_quoted() {
        let secret = "a password of this test";
        remember_password(secret);
        check("a log", "nothing in here");
        let hashes: Vec<String> = KNOWN
            .lock()
            .unwrap()
            .iter()
            .rev()
            .take(4)
            .cloned()
            .collect();
        remember_scramble(b"twenty bytes of it..");
        let scramble = hex(b"twenty bytes of it..").to_lowercase();
        let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
        for hidden in [&[secret, &scramble], hashes.as_slice()].concat() {
            let said = format!("the user wrote '{hidden}'");
            let payload = std::panic::catch_unwind(|| check("a log", &said)).unwrap_err();
            let text = payload.downcast_ref::<String>().unwrap();
            assert!(text.contains("after: the user wrote '"), "{text}");
            assert!(!text.contains(hidden), "{text}");
        }
    }
}
