//! Where to connect, as whom, and how long anything may take.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_tls::ServerTls;
use tidegate_wire::SecretBytes;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host name or address, and a port.
    Tcp {
        /// Looked up at each connect.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a UNIX socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A user and its password, which is never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password; empty for none.
    pub password: SecretBytes,
}

impl Credentials {
    /// Takes a copy of both.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: SecretBytes::new(password.as_bytes()),
        }
    }
}

/// How long things may take. Every wait of a client is bounded by one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, connect and login together.
    pub connect: Duration,
    /// Sending one command.
    pub write: Duration,
    /// Silence of the server amid a reply.
    pub read: Duration,
    /// A whole reply.
    pub reply: Duration,
}

impl Timeouts {
    /// How many read timeouts a whole reply may take.
    const REPLY_FACTOR: u32 = 10;

    /// A whole reply may take ten times `read`.
    #[must_use]
    pub fn new(connect: Duration, read: Duration, write: Duration) -> Self {
        Self {
            connect,
            write,
            read,
            reply: read.saturating_mul(Self::REPLY_FACTOR),
        }
    }

    /// The same time for connecting, reading and writing.
    #[must_use]
    pub fn all(each: Duration) -> Self {
        Self::new(each, each, each)
    }
}

/// All that a connect needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Where to.
    pub address: Address,
    /// As whom.
    pub credentials: Credentials,
    /// The database to start in.
    pub database: Option<String>,
    /// The source address of TCP connections, if not the system's choice.
    pub local_address: Option<IpAddr>,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// The most bytes of payload a reply may have.
    pub reply_limit: usize,
    /// How it is encrypted; `None`: it is not. A server that has no TLS is an error otherwise.
    pub tls: Option<Arc<ServerTls>>,
}

impl ConnectOptions {
    /// Room for half a million accounts; a server that sends more is not talking sense.
    pub const DEFAULT_REPLY_LIMIT: usize = 256 * 1024 * 1024;

    /// A plain connection without database.
    #[must_use]
    pub fn new(address: Address, credentials: Credentials, timeouts: Timeouts) -> Self {
        Self {
            address,
            credentials,
            database: None,
            local_address: None,
            timeouts,
            reply_limit: Self::DEFAULT_REPLY_LIMIT,
            tls: None,
        }
    }
}
