//! The MariaDB and MySQL client/server protocol, without I/O.
//!
//! Everything here turns bytes into values and values into bytes, or follows a dialogue one packet
//! at a time: framing, capabilities, both sides of a login, commands, replies, prepared statements,
//! result sets and session tracking. Sockets, TLS, clocks, random numbers and account data belong to
//! the callers; what needs one of them takes it as an argument.
//!
//! Left out: the authentication plugin `auth_gssapi_client`.
//!
//! The invariant: no input, however malformed, panics, or allocates more than a small
//! multiple of its own size.
//! A peer's nonsense is a [`WireError`], a [`ReplyError`] or a [`LoginError`].

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod auth;
pub mod caps;
pub mod charset;
pub mod codec;
pub mod command;
pub mod compress;
mod error;
pub mod frame;
pub mod gtid;
pub mod handshake;
pub mod login;
pub mod proxy_header;
pub mod reply;
pub mod resultset;
mod rewrite;
mod secret;
mod status;
pub mod stmt;
pub mod track;
pub mod version;

pub use caps::Caps;
pub use codec::Reader;
pub use command::{Command, Shape};
pub use error::WireError;
pub use gtid::{Domain, Gtid, GtidError, GtidList};
pub use login::{ClientLogin, ClientStep, LoginError, ServerLogin, ServerStep};
pub use reply::{
    EofPacket, ErrPacket, Event, OkPacket, Progress, ReplyError, ReplyTracker, Step, Summary,
};
pub use rewrite::Rewrite;
pub use secret::SecretBytes;
pub use status::Status;
