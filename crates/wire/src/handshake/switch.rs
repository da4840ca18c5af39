//! The server's request to authenticate with another plugin.

use crate::WireError;
use crate::auth::OLD;
use crate::auth::native::SCRAMBLE_LEN;
use crate::codec::{Reader, put_nul_bytes};
use crate::reply::EOF;

/// AuthSwitchRequest: 0xFE, plugin (NUL), the plugin's data (rest). A bare 0xFE asks for
/// `mysql_old_password`.
///
/// Source: MariaDB manual, "Connection", authentication switch request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthSwitch<'a> {
    /// The plugin's name.
    pub plugin: &'a [u8],
    /// What it starts with; for `mysql_native_password` the scramble and a NUL.
    pub data: &'a [u8],
}

impl<'a> AuthSwitch<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] if it does not start with 0xFE, [`WireError::Unterminated`] if the name
    /// has no NUL.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let got = reader.u8()?;
        if got != EOF {
            return Err(WireError::WrongKind { expected: EOF, got });
        }
        if reader.is_empty() {
            return Ok(Self {
                plugin: OLD,
                data: &[],
            });
        }
        Ok(Self {
            plugin: reader.nul_bytes()?,
            data: reader.rest(),
        })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(EOF);
        put_nul_bytes(out, self.plugin);
        out.extend_from_slice(self.data);
    }

    /// The scramble that the data starts with, if it is long enough.
    pub fn scramble(&self) -> Option<[u8; SCRAMBLE_LEN]> {
        self.data.first_chunk().copied()
    }
}
