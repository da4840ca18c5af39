//! What somebody holds to prove who they are.

use super::native::Proof;
use crate::SecretBytes;

/// What we hold to prove who we are to a server.
#[derive(Debug, Clone, Default)]
pub enum Secret {
    /// No password.
    #[default]
    None,
    /// What a client proved to us: answers `mysql_native_password` only.
    Sha1(Proof),
    /// The password: answers every plugin that a password suffices for.
    Password(SecretBytes),
    /// The password, and what else the client was asked for: a code that is valid for a while.
    Codes {
        /// The password.
        password: SecretBytes,
        /// The other answer.
        code: SecretBytes,
    },
    /// The client proved who it is without telling anything that a server would take.
    Untold,
}

impl Secret {
    /// For a password; empty: there is none.
    #[must_use]
    pub fn of_password(password: SecretBytes) -> Self {
        if password.is_empty() {
            Self::None
        } else {
            Self::Password(password)
        }
    }

    /// The password, if it is known.
    pub(crate) fn password(&self) -> Option<&[u8]> {
        match self {
            Self::None => Some(&[]),
            Self::Password(password) | Self::Codes { password, .. } => Some(password),
            Self::Sha1(_) | Self::Untold => None,
        }
    }
}
