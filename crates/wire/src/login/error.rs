//! Why a login cannot go on.

use crate::{ErrPacket, WireError};
use thiserror::Error;

/// A login that ends by the peer's mistake or because we hold nothing it accepts. That a server
/// refuses us is no error, see [`crate::ClientStep::Refused`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoginError {
    /// A packet's layout is wrong.
    #[error("malformed packet: {0}")]
    Malformed(#[from] WireError),
    /// A packet's number is not the next.
    #[error("frame {got} came where {expected} was due")]
    OutOfOrder {
        /// The number due.
        expected: u8,
        /// The number that came.
        got: u8,
    },
    /// A packet longer than a login needs.
    #[error("a packet of {len} bytes came, the limit is {limit}")]
    TooLong {
        /// Its length.
        len: usize,
        /// [`super::MAX_PACKET`].
        limit: usize,
    },
    /// A packet that does not fit here.
    #[error("a packet of kind {first:#04x} came where {due} was due")]
    Unexpected {
        /// What was due, in words.
        due: &'static str,
        /// The packet's first byte, 0 for an empty one.
        first: u8,
    },
    /// The client's protocol is older than 4.1.
    #[error("the client does not speak the protocol of version 4.1")]
    OldProtocol,
    /// The listener demands TLS and the client went on without.
    #[error("the client did not use tls, which is required")]
    TlsRequired,
    /// The client asks for TLS, which the greeting did not offer.
    #[error("the client asked for tls, which was not offered")]
    TlsNotOffered,
    /// We want TLS and the server has none.
    #[error("the server does not offer tls")]
    TlsUnavailable,
    /// The server asks for a plugin that is not known here.
    #[error("the server wants {0}, which is not supported")]
    UnsupportedPlugin(String),
    /// The server asks for something that could not be made.
    #[error("the server cannot be answered: {0}")]
    Work(String),
    /// The server asks for something that we do not hold or may not send.
    #[error("the server wants {plugin}, the session cannot offer it")]
    CannotAnswer {
        /// The plugin.
        plugin: &'static str,
    },
}

impl LoginError {
    /// What a client reads whose login ended so: error number, SQLSTATE and text.
    pub fn client_reply(&self) -> ErrPacket<'static> {
        let (code, sqlstate, message): (u16, &[u8; 5], &[u8]) = match self {
            Self::OutOfOrder { .. } => (1156, b"08S01", b"Got packets out of order"),
            Self::TooLong { .. } => (
                1153,
                b"08S01",
                b"Got a packet bigger than 'max_allowed_packet' bytes",
            ),
            Self::TlsRequired => (
                1045,
                b"28000",
                b"Access denied: connections to this port must use TLS",
            ),
            Self::Malformed(_)
            | Self::Unexpected { .. }
            | Self::OldProtocol
            | Self::TlsNotOffered
            | Self::TlsUnavailable
            | Self::UnsupportedPlugin(_)
            | Self::Work(_)
            | Self::CannotAnswer { .. } => (1043, b"08S01", b"Bad handshake"),
        };
        ErrPacket {
            code,
            sqlstate: *sqlstate,
            message,
        }
    }
}
