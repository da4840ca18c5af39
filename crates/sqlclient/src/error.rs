//! What can go wrong between the control plane and a server.

use std::fmt;
use std::io;
use std::time::Duration;

use thiserror::Error as ThisError;
use tidegate_tls::{Peer, explain};
use tidegate_wire::{LoginError, WireError};

/// `ER_TOO_MANY_USER_CONNECTIONS` and `ER_CON_COUNT_ERROR`: the server is there, but full.
const FULL: [u16; 2] = [1040, 1203];

/// Errors by which a server says that this account may not log in: wrong password, with and
/// without one, expired, locked.
const DENIED: [u16; 4] = [1045, 1698, 1862, 4151];

/// Errors that say a privilege is missing: on a database, table, column, or a global one.
const NOT_PERMITTED: [u16; 4] = [1044, 1142, 1143, 1227];

/// What was being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Name lookup, connect and login.
    Connect,
    /// Sending a command.
    Write,
    /// Receiving a reply.
    Read,
}

impl Phase {
    /// What to look at when nothing came in time.
    fn remedy(self) -> &'static str {
        match self {
            Self::Connect => {
                "nobody answers there; check the address, and whether a firewall drops packets"
            }
            Self::Write | Self::Read => "the server hangs or has too much to do",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

/// A failed operation. After anything but [`Error::Server`] the connection is of no more use.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The host name has no address.
    #[error("host '{host}' cannot be resolved: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// Nobody accepts connections there.
    #[error("cannot connect to {address}: {source}; check that the server runs and listens there")]
    Connect {
        /// Where to.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A deadline passed.
    #[error("{phase} timed out after {} ms: {}", .after.as_millis(), .phase.remedy())]
    TimedOut {
        /// What was being waited for.
        phase: Phase,
        /// How long.
        after: Duration,
    },
    /// The server refused the login.
    #[error("login as '{user}' refused: {message} (error {errno})")]
    Refused {
        /// Who wanted in.
        user: String,
        /// The server's error number.
        errno: u16,
        /// The server's words.
        message: String,
    },
    /// The server wants something we do not hold, or speaks nonsense, while logging in.
    #[error("login failed: {0}")]
    Login(#[from] LoginError),
    /// A statement failed; the connection is fine.
    #[error("{message} (error {errno})")]
    Server {
        /// The server's error number.
        errno: u16,
        /// The SQLSTATE.
        sqlstate: String,
        /// The server's words.
        message: String,
    },
    /// The connection broke.
    #[error("connection lost: {0}")]
    Io(io::Error),
    /// TLS could not be agreed on, or broke.
    #[error("TLS: {0}")]
    Tls(String),
    /// Bytes that make no sense.
    #[error("malformed reply: {0}")]
    Wire(#[from] WireError),
    /// A packet that does not fit here.
    #[error("a packet of kind {first:#04x} came where {due} was due")]
    Unexpected {
        /// What was due.
        due: &'static str,
        /// The packet's first byte, 0 for an empty one.
        first: u8,
    },
    /// A reply grew over the limit.
    #[error("the reply is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Where a greeting was due came the head of a packet that no server greets with.
    #[error("what answers there is no MariaDB or MySQL server; check address and port")]
    NotAServer,
    /// An earlier operation was given up or failed midway.
    #[error("the connection was left in the middle of a command")]
    Unusable,
}

impl From<io::Error> for Error {
    /// TLS errors come wrapped up.
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(tls) => Self::Tls(explain(tls, Peer::Server)),
            None => Self::Io(error),
        }
    }
}

impl Error {
    /// The server's error number, if it was the server that refused.
    #[must_use]
    pub fn errno(&self) -> Option<u16> {
        match self {
            Self::Refused { errno, .. } | Self::Server { errno, .. } => Some(*errno),
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Login(_)
            | Self::Io(_)
            | Self::Tls(_)
            | Self::Wire(_)
            | Self::Unexpected { .. }
            | Self::TooLarge { .. }
            | Self::NotAServer
            | Self::Unusable => None,
        }
    }

    /// Did the server reject the credentials?
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        matches!(self, Self::Refused { errno, .. } if DENIED.contains(errno))
    }

    /// Did a statement fail for want of a privilege?
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::Server { errno, .. } if NOT_PERMITTED.contains(errno))
    }

    /// Has the server no connection to spare?
    #[must_use]
    pub fn is_too_many_connections(&self) -> bool {
        matches!(self, Self::Refused { errno, .. } if FULL.contains(errno))
    }

    /// Did a deadline pass?
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}
