//! The reply to a preparation.

use crate::WireError;
use crate::codec::{Reader, put_u16, put_u32};
use crate::reply::OK;

/// `COM_STMT_PREPARE` reply, first packet.
///
/// | offset | bytes | field        | note                                     |
/// |-------:|------:|--------------|------------------------------------------|
/// |      0 |     1 | status       | 0x00                                     |
/// |      1 |     4 | statement id | the server's own                         |
/// |      5 |     2 | columns      | their definitions come after the params' |
/// |      7 |     2 | parameters   |                                          |
/// |      9 |     1 | filler       | 0x00                                     |
/// |     10 |     2 | warnings     |                                          |
///
/// Source: MariaDB manual, "COM_STMT_PREPARE"; MySQL internals, `page_protocol_com_stmt_prepare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrepareOk {
    /// The statement's id on the connection it came on.
    pub id: u32,
    /// Columns of its result.
    pub columns: u16,
    /// Its parameters.
    pub params: u16,
    /// Warnings of the preparation.
    pub warnings: u16,
}

impl PrepareOk {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] if it does not start with 0x00, [`WireError::Truncated`] if it is cut.
    #[inline]
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let got = reader.u8()?;
        if got != OK {
            return Err(WireError::WrongKind { expected: OK, got });
        }
        let id = reader.u32()?;
        let columns = reader.u16()?;
        let params = reader.u16()?;
        reader.u8()?;
        let warnings = reader.u16()?;
        Ok(Self {
            id,
            columns,
            params,
            warnings,
        })
    }

    /// Appends the payload.
    pub fn encode(self, out: &mut Vec<u8>) {
        out.push(OK);
        put_u32(out, self.id);
        put_u16(out, self.columns);
        put_u16(out, self.params);
        out.push(0);
        put_u16(out, self.warnings);
    }
}
