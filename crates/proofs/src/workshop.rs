//! Work done.

use std::sync::Arc;

use tidegate_wire::SecretBytes;
use tidegate_wire::auth::{Done, PasswordCheck, Sealed, Work};

use crate::memory::Memory;
use crate::rsa::RsaKey;
use crate::sha_crypt::Stored;
use crate::{ed25519, parsec, rsa};

/// Where the work of a listener's clients is done.
#[derive(Debug, Default)]
pub struct Workshop {
    /// What clients seal their passwords with.
    pub key: Option<Arc<RsaKey>>,
    /// Who was here before; shared by all listeners.
    pub memory: Arc<Memory>,
}

/// Can it be done in some fifty microseconds?
#[must_use]
pub fn is_quick(work: &Work) -> bool {
    match work {
        Work::Verify { .. } | Work::Recall { .. } | Work::Sign { .. } | Work::Seal { .. } => true,
        Work::Check {
            password, check, ..
        } => match check {
            PasswordCheck::Ed25519(_) | PasswordCheck::AtServers => {
                matches!(password, Sealed::Open(_))
            }
            PasswordCheck::Sha2(_) | PasswordCheck::Pam(_) | PasswordCheck::Nobody => false,
        },
        Work::SignSlowly { .. } => false,
    }
}

impl Workshop {
    /// Does it, and returns when it is done.
    ///
    /// # Errors
    /// A text for the log: the proof is wrong, or the work cannot be done.
    pub fn perform(&self, work: &Work) -> Done {
        match work {
            Work::Verify {
                key,
                message,
                signature,
            } => {
                let right = ed25519::verify(key, message, signature);
                right.then(SecretBytes::default).ok_or_else(mismatch)
            }
            Work::Recall {
                check,
                scramble,
                response,
            } => {
                let recalled = self.memory.recall(check, scramble, response);
                recalled.ok_or_else(|| "it was not here before".to_owned())
            }
            Work::Check {
                password, check, ..
            } => self.check(password, check),
            Work::Seal { .. } | Work::Sign { .. } | Work::SignSlowly { .. } => answer_server(work),
        }
    }

    /// A password as its owner typed it; `None`: it was not sealed with our key.
    #[must_use]
    pub fn open(&self, password: &Sealed) -> Option<SecretBytes> {
        match password {
            Sealed::Open(password) => Some(password.clone()),
            Sealed::Rsa { bytes, scramble } => {
                self.key.as_ref().and_then(|key| key.open(bytes, scramble))
            }
        }
    }

    fn check(&self, password: &Sealed, check: &PasswordCheck) -> Done {
        let password = self.open(password);
        // Whoever seals nonsense for no account waits as long as for an account.
        let sealed_well = password.is_some();
        let password = password.unwrap_or_default();
        let right = match check {
            PasswordCheck::Sha2(stored) => {
                Stored::parse(stored).is_some_and(|stored| stored.matches(&password))
            }
            PasswordCheck::Ed25519(key) => ed25519::public_key(&password) == *key,
            PasswordCheck::Nobody => {
                Stored::waste_time(&password);
                false
            }
            PasswordCheck::AtServers => sealed_well,
            PasswordCheck::Pam(_) => return Err("PAM is asked by processes of its own".to_owned()),
        };
        if !right || !sealed_well {
            return Err(mismatch());
        }
        if *check != PasswordCheck::AtServers {
            self.memory.remember(check, &password);
        }
        Ok(password)
    }
}

/// Does what a server's plugin asks of whoever logs in to it.
///
/// # Errors
/// A text that says what stands in the way; work for clients is done by a [`Workshop`].
pub fn answer_server(work: &Work) -> Done {
    match work {
        Work::Seal { key, masked } => rsa::seal(key, masked)
            .map(Into::into)
            .ok_or_else(|| "what it sent is no RSA key that can be used".to_owned()),
        Work::Sign { password, nonce } => Ok(ed25519::sign(password, nonce).to_vec().into()),
        Work::SignSlowly {
            password,
            factor,
            salt,
            nonce,
        } => parsec::sign(password, *factor, salt, nonce).map(Into::into),
        Work::Verify { .. } | Work::Recall { .. } | Work::Check { .. } => {
            Err("it is no work for a server".to_owned())
        }
    }
}

fn mismatch() -> String {
    "the password does not match".to_owned()
}

#[cfg(test)]
mod tests {
    use tidegate_wire::auth::sha2::{mask, scramble_response};

    use super::*;
    use crate::sha_crypt::store;

    const SCRAMBLE: [u8; 20] = *b"01234567890123456789";

    fn sha2(password: &[u8]) -> PasswordCheck {
        PasswordCheck::Sha2(store(password, b"abcdefghijklmnopqrst").into())
    }

    fn check(password: &[u8], check: &PasswordCheck) -> Work {
        Work::Check {
            password: Sealed::Open(SecretBytes::new(password)),
            code: None,
            check: check.clone(),
        }
    }

    #[test]
    fn a_password_that_was_right_once_is_recalled() {
        let workshop = Workshop::default();
        let recall = |password: &[u8], against: &PasswordCheck| {
            workshop.perform(&Work::Recall {
                check: against.clone(),
                scramble: SCRAMBLE,
                response: scramble_response(password, &SCRAMBLE).into(),
            })
        };
        for against in [
            sha2(b"secret"),
            PasswordCheck::Ed25519(ed25519::public_key(b"secret")),
        ] {
            assert!(recall(b"secret", &against).is_err());
            assert!(workshop.perform(&check(b"wrong", &against)).is_err());
            assert!(recall(b"wrong", &against).is_err());
            let right = workshop.perform(&check(b"secret", &against));
            assert_eq!(right.as_deref(), Ok(&b"secret"[..]));
            assert_eq!(recall(b"secret", &against), right);
        }
        assert!(
            workshop
                .perform(&check(b"", &PasswordCheck::Nobody))
                .is_err()
        );
    }

    #[test]
    fn a_sealed_password_is_opened_with_our_key() {
        let workshop = Workshop {
            key: Some(Arc::new(RsaKey::generate().unwrap())),
            ..Workshop::default()
        };
        let sealed = answer_server(&Work::Seal {
            key: workshop.key.as_ref().unwrap().public().to_vec(),
            masked: mask(b"secret\0", &SCRAMBLE),
        });
        let work = |scramble| Work::Check {
            password: Sealed::Rsa {
                bytes: sealed.clone().unwrap().to_vec(),
                scramble,
            },
            code: None,
            check: sha2(b"secret"),
        };
        assert_eq!(
            workshop.perform(&work(SCRAMBLE)).as_deref(),
            Ok(&b"secret"[..])
        );
        assert!(workshop.perform(&work([1; 20])).is_err());
        assert!(Workshop::default().perform(&work(SCRAMBLE)).is_err());
    }
}
