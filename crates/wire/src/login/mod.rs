//! Both sides of a login as machines that take one whole packet at a time.
//!
//! [`ServerLogin`] faces a client: it greets, reads the response, asks for another plugin where the
//! account needs one, and hands over what the client proved. [`ClientLogin`] faces a server: it answers
//! the greeting and whatever the server asks, with a password or with a client's proof.
//!
//! Left out: which account a client is, whether it may log in, and TLS itself. Packets arrive and
//! leave framed by the caller's buffers; reading them is [`crate::frame::split_packet`] with
//! [`MAX_PACKET`] as limit.
//!
//! Invariants: frames are numbered in turn; a proof exists only where a client gave the right answer;
//! authentication data is wiped when dropped.

mod client;
mod error;
mod server;
mod trial;

pub use client::{ClientLogin, ClientStep, Identity, Refusal, ServerInfo};
pub use error::LoginError;
pub use server::{ClientHello, ServerLogin, ServerLoginConfig, ServerStep};
pub use trial::Verify;

pub use crate::auth::Secret;

/// The longest packet of a login: connection attributes may be many, an attack must not be large.
pub const MAX_PACKET: usize = 1024 * 1024;

/// What comes before data that a plugin sends after its first packet.
const MORE_DATA: u8 = 1;

/// What `parsec` begins its salt with.
const PARSEC_KIND: u8 = b'P';

fn check_len(payload: &[u8]) -> Result<(), LoginError> {
    if payload.len() <= MAX_PACKET {
        return Ok(());
    }
    Err(LoginError::TooLong {
        len: payload.len(),
        limit: MAX_PACKET,
    })
}
