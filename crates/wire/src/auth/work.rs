//! What a login cannot do by itself: it needs a key, random numbers, much time or somebody to ask.

use std::sync::Arc;

use super::native::SCRAMBLE_LEN;
use super::{NONCE_LEN, SIGNATURE_LEN};
use crate::SecretBytes;

/// A piece of work for whoever drives a login. What comes of it is a [`Done`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Is this the signature of the key's owner? What comes of it is empty.
    Verify {
        /// An Ed25519 public key.
        key: [u8; 32],
        /// What was signed.
        message: Vec<u8>,
        /// The signature.
        signature: [u8; SIGNATURE_LEN],
    },
    /// Is this the answer of a client whose password was checked against the same before? What comes of
    /// it is the password.
    Recall {
        /// What the password was checked against.
        check: PasswordCheck,
        /// What the client was sent.
        scramble: [u8; SCRAMBLE_LEN],
        /// What it answered for `caching_sha2_password`.
        response: SecretBytes,
    },
    /// Is this the right password? What comes of it is the password.
    Check {
        /// What the client sent.
        password: Sealed,
        /// What else it was asked for.
        code: Option<SecretBytes>,
        /// What it is checked against.
        check: PasswordCheck,
    },
    /// Seals a password for a server. What comes of it goes to the server.
    Seal {
        /// The server's RSA key, as it sent it (PEM).
        key: Vec<u8>,
        /// The password, its NUL included, already masked with the scramble.
        masked: SecretBytes,
    },
    /// Signs for `client_ed25519`. What comes of it goes to the server.
    Sign {
        /// The password.
        password: SecretBytes,
        /// What the server sent.
        nonce: Vec<u8>,
    },
    /// Signs for `parsec`. What comes of it, nonce and signature, goes to the server.
    SignSlowly {
        /// The password.
        password: SecretBytes,
        /// How slowly: 1024 << factor rounds.
        factor: u8,
        /// The account's salt.
        salt: Vec<u8>,
        /// What the server sent.
        nonce: [u8; NONCE_LEN],
    },
}

/// A password on its way from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// As it is.
    Open(SecretBytes),
    /// Sealed with our RSA key, and masked with a scramble.
    Rsa {
        /// What the client sent.
        bytes: Vec<u8>,
        /// What it was sent.
        scramble: [u8; SCRAMBLE_LEN],
    },
}

/// What a password is checked against.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PasswordCheck {
    /// A salted hash as MySQL's `caching_sha2_password` keeps it.
    Sha2(Arc<[u8]>),
    /// The Ed25519 key that is made of it.
    Ed25519([u8; 32]),
    /// The system's login service of this name.
    Pam(Arc<str>),
    /// Not here: the servers will say (`skip_authentication`).
    AtServers,
    /// Nobody's: it takes as long as a hash, and is never right.
    Nobody,
}

impl std::fmt::Debug for PasswordCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha2(_) => f.write_str("Sha2(..)"),
            Self::Ed25519(_) => f.write_str("Ed25519(..)"),
            Self::Pam(service) => write!(f, "Pam({service})"),
            Self::AtServers => f.write_str("AtServers"),
            Self::Nobody => f.write_str("Nobody"),
        }
    }
}

/// What came of a [`Work`], or why nothing did: a text for the log.
pub type Done = Result<SecretBytes, String>;
