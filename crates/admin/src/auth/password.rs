//! Passwords: hashed slowly where they are stored, remembered quickly where they were right.
//!
//! Stored is an Argon2id string with a salt of its own. Because a monitoring system logs in
//! each second, a password that was found right is remembered as a keyed hash over user,
//! password and the stored string; the key is random, new at each start, and never leaves the
//! process. A changed password changes the stored string, so nothing has to be forgotten. The
//! password itself is kept nowhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use blake2::Blake2sMac256;
use blake2::digest::Mac;

/// What hashing one password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    /// The first choice of OWASP's Password Storage Cheat Sheet for Argon2id.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

/// Random bytes of the kernel.
///
/// # Errors
///
/// The kernel has none to give.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Hashes a password for storing. Slow on purpose: not for an asynchronous thread.
///
/// # Errors
///
/// No random bytes for the salt, or a cost that Argon2 refuses.
pub(crate) fn hash(password: &str, cost: Cost) -> std::io::Result<String> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(invalid)?;
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(invalid)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(invalid)
}

fn invalid(error: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string())
}

/// Whether the password is the stored one. Slow on purpose; the stored string says how slow.
pub(crate) fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|parsed| {
        Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok()
    })
}

/// Whether a stored string can be verified against at all.
pub(crate) fn is_hash(stored: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|parsed| {
        parsed.algorithm == argon2::ARGON2ID_IDENT && parsed.hash.is_some() && parsed.salt.is_some()
    })
}

/// The passwords that were found right, one a user.
pub(crate) struct Remembered {
    key: [u8; 32],
    right: Mutex<BTreeMap<String, [u8; 32]>>,
}

impl Remembered {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            right: Mutex::new(BTreeMap::new()),
        }
    }

    /// Whether this password was found right against this stored string.
    pub(crate) fn knows(&self, user: &str, password: &str, stored: &str) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(user).is_some_and(|tag| {
            self.mac(user, password, stored)
                .is_some_and(|mac| mac.verify_slice(tag).is_ok())
        })
    }

    /// Remembers that it was.
    pub(crate) fn learn(&self, user: &str, password: &str, stored: &str) {
        if let Some(mac) = self.mac(user, password, stored) {
            let tag = mac.finalize().into_bytes().into();
            let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            right.insert(user.to_owned(), tag);
        }
    }

    fn mac(&self, user: &str, password: &str, stored: &str) -> Option<Blake2sMac256> {
        let mut mac = <Blake2sMac256 as Mac>::new_from_slice(&self.key).ok()?;
        for part in [user, password, stored] {
            mac.update(&u64::try_from(part.len()).ok()?.to_le_bytes());
            mac.update(part.as_bytes());
        }
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
    };

    #[test]
    fn only_the_password_itself_verifies() {
        let stored = hash("mariadb", CHEAP).expect("hashed");
        assert!(
            stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
            "{stored}"
        );
        assert!(!stored.contains("mariadb"));
        assert!(is_hash(&stored));
        assert!(verify("mariadb", &stored));
        for wrong in ["", "mariadB", "mariadb ", "mariadb\0"] {
            assert!(!verify(wrong, &stored), "{wrong:?}");
        }
    }

    #[test]
    fn the_same_password_is_stored_differently_each_time() {
        assert_ne!(
            hash("x", CHEAP).expect("one"),
            hash("x", CHEAP).expect("other")
        );
    }

    #[test]
    fn what_is_no_hash() {
        for text in [
            "",
            "mariadb",
            "$argon2id$",
            "$1$salt$hash",
            "$argon2id$v=19$m=8,t=1,p=1",
        ] {
            assert!(!is_hash(text), "{text}");
            assert!(!verify("mariadb", text), "{text}");
        }
    }

    #[test]
    fn remembered_is_exactly_what_was_learnt() {
        let remembered = Remembered::new([7; 32]);
        assert!(!remembered.knows("u", "p", "s"));
        remembered.learn("u", "p", "s");
        assert!(remembered.knows("u", "p", "s"));
        for (user, password, stored) in [
            ("v", "p", "s"),
            ("u", "q", "s"),
            ("u", "p", "t"),
            ("u", "ps", ""),
        ] {
            assert!(!remembered.knows(user, password, stored));
        }
    }
}
