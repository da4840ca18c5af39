//! Who may do what: administrative users, their passwords, and where they may come from.

mod hosts;
mod password;
mod token;
mod users;

pub(crate) use hosts::{HostLists, Verdict};
pub use password::Cost;
pub(crate) use token::Tokens;
pub use token::{SigningKey, TokenAlgorithm, TokenConfig};
pub(crate) use users::{ChangeError, Identity, User, Users};

/// What an administrative user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Everything.
    Admin,
    /// Reading.
    Basic,
}

impl Account {
    /// As documents and the users' file spell it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Basic => "basic",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "admin" => Some(Self::Admin),
            "basic" => Some(Self::Basic),
            _ => None,
        }
    }
}
