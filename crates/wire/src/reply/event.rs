//! What the reply tracker tells its caller.

use crate::{Status, WireError};
use std::ops::Range;
use thiserror::Error;

/// How closely to look at a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// Report only what ends or steers a reply; hop over column counts, definitions and rows.
    #[default]
    Fast,
    /// Report every packet, each whole unless it is longer than the tracker's whole-packet limit:
    /// for filters that read rows.
    PerPacket,
}

/// What one call of [`crate::ReplyTracker::advance`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the run that belong to the front reply and may go on. What is not consumed must stand
    /// at the start of the next call's run.
    pub consumed: usize,
    /// What was found last.
    pub event: Event,
    /// The packet of the event with its header, within `0..consumed`. Empty for [`Event::More`] and for
    /// a packet that was too long to be looked at whole.
    pub packet: Range<usize>,
    /// The front reply ended with this packet and was popped.
    pub done: bool,
}

/// A packet of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Only plain bytes were consumed, perhaps none: the run is used up, or holds the start of a
    /// packet that must be whole.
    More,
    /// An OK packet that is a whole result, or that ends an authentication.
    Ok {
        /// The connection's state.
        status: Status,
        /// Rows changed.
        affected_rows: u64,
        /// First generated value, or 0.
        last_insert_id: u64,
        /// Warnings of the statement.
        warnings: u16,
        /// The packet lists session state changes, see [`crate::track`].
        has_changes: bool,
    },
    /// An ERR packet; it ends the reply wherever it comes.
    Err {
        /// The error number.
        code: u16,
    },
    /// A progress report; the reply goes on.
    ProgressReport,
    /// A result set begins ([`Step::PerPacket`] only, or where definitions are told).
    ColumnCount(u64),
    /// An EOF packet that ends no rows: after definitions ([`Step::PerPacket`] only, or at the end of
    /// a prepare reply or field list), or the whole reply of a command such as `COM_SET_OPTION`.
    Eof {
        /// The connection's state.
        status: Status,
        /// Warnings of the statement.
        warnings: u16,
        /// The packet is an OK of kind 0xFE and lists session state changes.
        has_changes: bool,
    },
    /// The end of rows, or of the definitions where a cursor was opened.
    End {
        /// The connection's state.
        status: Status,
        /// Warnings of the statement.
        warnings: u16,
        /// The packet is an OK of kind 0xFE and lists session state changes.
        has_changes: bool,
    },
    /// The first packet of a prepare reply; definitions may follow.
    PrepareOk {
        /// The server's id of the statement.
        id: u32,
        /// How many parameters it has.
        params: u16,
        /// How many columns its result has.
        columns: u16,
    },
    /// The server asks for a file's contents; the tracker waits for
    /// [`crate::ReplyTracker::expect_infile_end`].
    LocalInfile,
    /// The text that answers `COM_STATISTICS`.
    Statistics,
    /// A packet of an authentication dialogue that wants an answer.
    AuthMore,
    /// A definition of a column or parameter: each one with [`Step::PerPacket`] or where definitions are
    /// told, otherwise only the one that ends a prepare reply.
    Column,
    /// A row ([`Step::PerPacket`] only).
    Row,
    /// A packet of a binary log stream ([`Step::PerPacket`] only).
    StreamPacket,
}

/// How a reply ended, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Nothing was seen that says it.
    #[default]
    Unknown,
    /// With an OK or EOF packet that is no result set.
    Ok,
    /// With an ERR packet.
    Err,
    /// With a result set.
    ResultSet,
}

/// What is known about a reply without keeping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// How its last result ended.
    pub kind: Kind,
    /// Rows of all its result sets.
    pub rows: u64,
    /// Bytes, headers included.
    pub bytes: u64,
    /// Columns of its last result set.
    pub columns: u32,
    /// Result sets that began.
    pub result_sets: u32,
    /// The error number, or 0.
    pub error_code: u16,
    /// The last status seen.
    pub status: Status,
    /// The last warning count seen.
    pub warnings: u16,
    /// Rows that OK packets said were changed, added up.
    pub affected_rows: u64,
    /// The reply left a cursor open.
    pub cursor_open: bool,
}

/// Bytes of a server that cannot be the reply that is due. The connection they came on is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// A packet that no command asked for. Servers send an ERR packet so before they close.
    #[error("the server sent a packet of kind {first:#04x} while no reply was due")]
    Unsolicited {
        /// Its first byte, 0 for an empty packet.
        first: u8,
        /// Its error number, if it is a whole ERR packet.
        code: Option<u16>,
    },
    /// A packet that does not fit here.
    #[error("a packet of kind {first:#04x} and {len} bytes came where {due} was due")]
    Unexpected {
        /// What was due, in words.
        due: &'static str,
        /// The packet's first byte.
        first: u8,
        /// The length of its first frame.
        len: u32,
    },
    /// An empty packet, which is no part of any reply.
    #[error("an empty packet came where {due} was due")]
    Empty {
        /// What was due, in words.
        due: &'static str,
    },
    /// The frame's number does not continue the reply.
    #[error("frame {got} came where {expected} was due")]
    OutOfOrder {
        /// The number due.
        expected: u8,
        /// The number that came.
        got: u8,
    },
    /// The packet's own layout is wrong.
    #[error("the server's packet is malformed: {0}")]
    Malformed(#[from] WireError),
}
