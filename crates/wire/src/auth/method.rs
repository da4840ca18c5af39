//! The ways in which a client can prove to us who it is.

use std::fmt;
use std::sync::Arc;

use super::native::NativeHash;
use super::{CLEAR, DIALOG, ED25519, NATIVE, PARSEC, PasswordCheck, SHA2};

/// One way to prove who one is, with what the account stores for it.
#[derive(Clone, PartialEq, Eq)]
pub enum Method {
    /// `mysql_native_password`.
    Native(NativeHash),
    /// `ed25519`: the account's public key.
    Ed25519([u8; 32]),
    /// `parsec`.
    Parsec(ParsecKey),
    /// The client hands its password over, in one of several ways; it is checked outside.
    Password {
        /// How the client is asked for it.
        asking: Asking,
        /// What it is checked against.
        check: PasswordCheck,
    },
}

/// What an account stores for `parsec`.
#[derive(Clone, PartialEq, Eq)]
pub struct ParsecKey {
    /// The client's key is made in 1024 << factor rounds.
    pub factor: u8,
    /// The salt.
    pub salt: Vec<u8>,
    /// The public key.
    pub key: [u8; 32],
}

/// How a client is asked for its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// By `caching_sha2_password`: over an encrypted connection, or sealed with this key (PEM).
    Sha2 {
        /// Our RSA key; `None`: an encrypted connection is necessary.
        key: Option<Arc<[u8]>>,
    },
    /// By `mysql_clear_password`.
    Clear,
    /// By `dialog`, and for a code as well if `code`.
    Dialog {
        /// Whether a second question follows.
        code: bool,
    },
}

impl Method {
    /// The plugin that a client needs for it.
    #[must_use]
    pub fn plugin(&self) -> &'static [u8] {
        match self {
            Self::Native(_) => NATIVE,
            Self::Ed25519(_) => ED25519,
            Self::Parsec(_) => PARSEC,
            Self::Password { asking, .. } => match asking {
                Asking::Sha2 { .. } => SHA2,
                Asking::Clear => CLEAR,
                Asking::Dialog { .. } => DIALOG,
            },
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = String::from_utf8_lossy(self.plugin());
        write!(f, "Method({plugin})")
    }
}
