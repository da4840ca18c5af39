//! Clients that were here before: the fast way of `caching_sha2_password`.
//!
//! An entry holds SHA256(SHA256(password)), as MySQL servers do, and the password sealed with a key
//! made of SHA256(password). Only a client that answers rightly brings that, so a memory image alone
//! gives no password away, and a session that logs in the fast way can still answer a server that
//! wants the password itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use tidegate_wire::SecretBytes;
use tidegate_wire::auth::PasswordCheck;
use tidegate_wire::auth::sha2::{Stage, check, stages};
use zeroize::Zeroize as _;

/// How many are remembered; the one that was remembered first is forgotten then.
const LIMIT: usize = 16_384;

#[derive(Debug, Default)]
struct Entries {
    by_check: BTreeMap<PasswordCheck, Entry>,
    count: u64,
}

struct Entry {
    stage2: Stage,
    salt: [u8; 16],
    sealed: Vec<u8>,
    /// How many were remembered before.
    number: u64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(..)")
    }
}

/// Passwords that were found right, by what they were checked against.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Entries>);

impl Memory {
    /// The password, if the client's answer is right and the password was remembered.
    pub(crate) fn recall(
        &self,
        against: &PasswordCheck,
        scramble: &[u8; 20],
        response: &[u8],
    ) -> Option<SecretBytes> {
        let entries = self.entries();
        let entry = entries.by_check.get(against)?;
        let stage1 = check(response, scramble, &entry.stage2)?;
        let mut bytes = entry.sealed.clone();
        let opened = key(&entry.salt, &stage1)?
            .open_in_place(nonce(), Aad::empty(), &mut bytes)
            .ok()
            .map(|password| SecretBytes::new(password));
        bytes.zeroize();
        opened
    }

    /// Remembers a password that is right.
    pub(crate) fn remember(&self, against: &PasswordCheck, password: &[u8]) {
        let (stage1, stage2) = stages(password);
        let mut salt = [0; 16];
        // Without random numbers nothing is remembered, and the next login takes the slow way.
        if aws_lc_rs::rand::fill(&mut salt).is_err() {
            return;
        }
        let Some(key) = key(&salt, &stage1) else {
            return;
        };
        let mut sealed = password.to_vec();
        if key
            .seal_in_place_append_tag(nonce(), Aad::empty(), &mut sealed)
            .is_err()
        {
            sealed.zeroize();
            return;
        }
        let mut entries = self.entries();
        entries.count += 1;
        let entry = Entry {
            stage2,
            salt,
            sealed,
            number: entries.count,
        };
        entries.by_check.insert(against.clone(), entry);
        if entries.by_check.len() > LIMIT {
            let oldest = entries
                .by_check
                .iter()
                .min_by_key(|(_, entry)| entry.number);
            if let Some(oldest) = oldest.map(|(check, _)| check.clone()) {
                entries.by_check.remove(&oldest);
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each salt makes another key, so that one nonce serves them all.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn key(salt: &[u8; 16], stage1: &Stage) -> Option<LessSafeKey> {
    let mut bytes: [u8; 32] = Sha256::new()
        .chain_update(b"tidegate: a remembered password")
        .chain_update(salt)
        .chain_update(stage1.as_slice())
        .finalize()
        .into();
    let key = UnboundKey::new(&AES_256_GCM, &bytes).ok();
    bytes.zeroize();
    key.map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_wire::auth::sha2::scramble_response;

    use super::*;

    const SCRAMBLE: [u8; 20] = *b"01234567890123456789";

    fn against(text: &str) -> PasswordCheck {
        PasswordCheck::Sha2(Arc::from(text.as_bytes()))
    }

    #[test]
    fn who_was_here_before_is_recalled_by_the_right_answer_only() {
        let memory = Memory::default();
        let right = scramble_response(b"secret", &SCRAMBLE);
        assert!(memory.recall(&against("a"), &SCRAMBLE, &right).is_none());
        memory.remember(&against("a"), b"secret");
        let recalled = memory.recall(&against("a"), &SCRAMBLE, &right);
        assert_eq!(recalled.as_deref(), Some(&b"secret"[..]));
        let wrong = scramble_response(b"other", &SCRAMBLE);
        assert!(memory.recall(&against("a"), &SCRAMBLE, &wrong).is_none());
        assert!(memory.recall(&against("a"), &[7; 20], &right).is_none());
        assert!(memory.recall(&against("b"), &SCRAMBLE, &right).is_none());
    }

    #[test]
    fn the_password_does_not_lie_in_memory() {
        let memory = Memory::default();
        memory.remember(&against("a"), b"secret");
        let entries = memory.entries();
        let entry = &entries.by_check[&against("a")];
        assert!(!entry.sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert!(!format!("{memory:?}").contains("secret"));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let memory = Memory::default();
        for number in 0..=LIMIT {
            memory.remember(&against(&number.to_string()), b"secret");
        }
        let right = scramble_response(b"secret", &SCRAMBLE);
        assert!(memory.recall(&against("0"), &SCRAMBLE, &right).is_none());
        assert!(memory.recall(&against("1"), &SCRAMBLE, &right).is_some());
        assert_eq!(memory.entries().by_check.len(), LIMIT);
    }
}
