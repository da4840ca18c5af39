//! Replies: the packets that end or steer them, and the tracker that follows them.
//!
//! Left out: the contents of rows (see [`crate::resultset`]) and of session tracking
//! (see [`crate::track`]).

mod event;
mod packets;
mod tracker;

pub use event::{Event, Kind, Progress, ReplyError, Step, Summary};
pub use packets::{EofPacket, ErrPacket, OkPacket};
pub use tracker::ReplyTracker;

/// First byte of an OK packet.
pub const OK: u8 = 0x00;
/// First byte of a packet of an authentication dialogue that goes on.
pub const AUTH_MORE: u8 = 0x01;
/// First byte of a file request of LOAD DATA LOCAL.
pub const LOCAL_INFILE: u8 = 0xFB;
/// First byte of an EOF packet and of an OK packet in its place; also of an AuthSwitchRequest, and
/// of rows whose first column has 16 MiB and more.
pub const EOF: u8 = 0xFE;
/// First byte of an ERR packet and of a progress report.
pub const ERR: u8 = 0xFF;
/// The error number that makes an ERR packet a progress report.
pub const PROGRESS_CODE: u16 = 0xFFFF;
