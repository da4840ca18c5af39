//! Prepared statements: the layouts of their commands, and the two changes a proxy makes to them:
//! another statement id, and parameter types that the server has not seen.
//!
//! Left out: parameter values, which only the server reads.
//!
//! Invariant: what is not changed is copied byte for byte, values and long data above all.

mod execute;
mod prepare;

pub use execute::{Bulk, Execute, insert_types, types_of};
pub use prepare::PrepareOk;

use crate::codec::Reader;
use crate::{Command, WireError};

/// The statement id of an execution that means "the statement prepared just before" (MariaDB).
pub const LAST_PREPARED: u32 = 0xFFFF_FFFF;

/// The statement id of any `COM_STMT_*` command or prepare reply: bytes 1 to 4. `None` if they are not
/// there.
#[inline]
pub fn stmt_id(payload: &[u8]) -> Option<u32> {
    let id = payload.get(1..)?.first_chunk()?;
    Some(u32::from_le_bytes(*id))
}

/// Puts another id into a `COM_STMT_*` command or a prepare reply.
///
/// # Errors
/// [`WireError::Truncated`] if there is no id.
#[inline]
pub fn set_stmt_id(payload: &mut [u8], id: u32) -> Result<(), WireError> {
    let left = payload.len().saturating_sub(1);
    match payload.get_mut(1..5) {
        Some(place) => {
            place.copy_from_slice(&id.to_le_bytes());
            Ok(())
        }
        None => Err(WireError::Truncated {
            at: 1,
            needed: 4,
            left,
        }),
    }
}

/// `COM_STMT_SEND_LONG_DATA`: command (1), statement id (4), parameter (2), data (rest).
///
/// Source: MariaDB manual, "COM_STMT_SEND_LONG_DATA".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongData<'a> {
    /// The statement.
    pub id: u32,
    /// The parameter, counted from 0.
    pub param: u16,
    /// A piece of its value; the pieces are joined in the order in which they come.
    pub data: &'a [u8],
}

impl<'a> LongData<'a> {
    /// Reads a payload, or the start of one.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] for another command, [`WireError::Truncated`] if it is cut.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = expect_command(payload, Command::StmtSendLongData)?;
        Ok(Self {
            id: reader.u32()?,
            param: reader.u16()?,
            data: reader.rest(),
        })
    }
}

/// `COM_STMT_FETCH`: command (1), statement id (4), rows (4).
///
/// Source: MariaDB manual, "COM_STMT_FETCH".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The statement.
    pub id: u32,
    /// The most rows to send.
    pub rows: u32,
}

impl Fetch {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] for another command, [`WireError::Truncated`] if it is cut.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut reader = expect_command(payload, Command::StmtFetch)?;
        Ok(Self {
            id: reader.u32()?,
            rows: reader.u32()?,
        })
    }
}

fn expect_command(payload: &[u8], command: Command) -> Result<Reader<'_>, WireError> {
    let mut reader = Reader::new(payload);
    let got = reader.u8()?;
    let expected = command.byte();
    if got != expected {
        return Err(WireError::WrongKind { expected, got });
    }
    Ok(reader)
}

#[cfg(test)]
mod tests;
