//! What a session asks the outside world, and what it may hear: the login's account questions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tidegate_wire::auth::native::NativeHash;

use crate::encryption::Encryption;
use crate::fault::ErrReply;

/// Where a client connected from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAddress {
    /// TCP; an IPv4-mapped IPv6 address is given as IPv4.
    Ip(IpAddr, u16),
    /// A UNIX socket: `localhost` for account matching.
    Unix,
}

impl ClientAddress {
    /// The address alone, as servers show it.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            ClientAddress::Ip(ip, _) => ip.to_string(),
            ClientAddress::Unix => "localhost".to_owned(),
        }
    }

    /// The address with its port, if there is one.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        match *self {
            ClientAddress::Ip(ip, port) => Some(SocketAddr::new(ip, port)),
            ClientAddress::Unix => None,
        }
    }
}

impl From<SocketAddr> for ClientAddress {
    fn from(address: SocketAddr) -> ClientAddress {
        ClientAddress::Ip(address.ip().to_canonical(), address.port())
    }
}

/// A question. The answer may come before or after any other event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which account is this, and may it in?
    Account(Box<AccountQuery>),
}

/// What an account decision needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountQuery {
    /// The service whose account manager decides.
    pub service: Arc<str>,
    /// The user name as sent, bytewise.
    pub user: Vec<u8>,
    /// Where the client is.
    pub address: ClientAddress,
    /// The database to be checked, if one was named.
    pub database: Option<Vec<u8>>,
    /// How the connection is encrypted; `None`: it is not.
    pub tls: Option<Arc<Encryption>>,
    /// Can the client handle an expired password?
    pub handles_expired: bool,
    /// The data that was used first did not let the client in: refresh it if the limit allows,
    /// and answer [`AccountAnswer::Unchanged`] if nothing better is known.
    pub after_failure: bool,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// To [`Question::Account`].
    Account(AccountAnswer),
}

/// Why a client that proved who it is may not log in all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    /// What the client reads.
    pub reply: ErrReply,
    /// What the log says.
    pub reason: String,
}

/// What is known of an account.
#[derive(Debug, Clone)]
pub enum AccountAnswer {
    /// There is an account. Check the password, then obey `after_password`.
    Found {
        /// What the password is checked against.
        hash: NativeHash,
        /// Servers let it write although they are read-only.
        is_super: bool,
        /// What stands in the way once the password was right: lock, expiry, database.
        after_password: Result<(), Barred>,
    },
    /// No account, or one that cannot log in here; the reason is for the log only.
    Denied {
        /// For the log.
        reason: String,
    },
    /// Asked again after a failure: nothing new is known.
    Unchanged,
}
