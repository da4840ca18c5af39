//! What can be wrong with one packet's bytes.

use thiserror::Error;

/// A payload that does not follow its layout. Offsets count from the payload's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// A field reaches past the end of the payload.
    #[error("{needed} bytes are needed at offset {at}, {left} are left")]
    Truncated {
        /// Where the field starts.
        at: usize,
        /// How long it is.
        needed: u64,
        /// What the payload still holds there.
        left: usize,
    },
    /// A NUL-terminated field has no NUL.
    #[error("no NUL ends the text at offset {at}")]
    Unterminated {
        /// Where the field starts.
        at: usize,
    },
    /// The first byte of a length-encoded integer is none (0xFB is NULL, 0xFF an error).
    #[error("{first:#04x} at offset {at} starts no length-encoded integer")]
    NoLength {
        /// Where the integer should start.
        at: usize,
        /// What stands there.
        first: u8,
    },
    /// A packet of another kind than the one asked for.
    #[error("a packet of kind {expected:#04x} was expected, {got:#04x} came")]
    WrongKind {
        /// The first byte of the kind wanted.
        expected: u8,
        /// The first byte that came.
        got: u8,
    },
    /// A value above what the protocol or a limit of ours allows.
    #[error("{got} is over the limit of {limit}")]
    OverLimit {
        /// The value that came.
        got: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// Bytes after a value that should have filled its space.
    #[error("{left} bytes are left over at offset {at}")]
    LeftOver {
        /// Where they start.
        at: usize,
        /// How many they are.
        left: usize,
    },
    /// A frame whose number does not continue its packet.
    #[error("frame {got} came where {expected} was due")]
    OutOfOrder {
        /// The number due.
        expected: u8,
        /// The number that came.
        got: u8,
    },
}
