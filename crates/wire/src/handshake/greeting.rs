//! The server's greeting.

use crate::auth::native::SCRAMBLE_LEN;
use crate::codec::{Reader, put_nul_bytes, put_u16, put_u32};
use crate::{Caps, Status, WireError};

/// The protocol version of every server since 3.21.
const PROTOCOL: u8 = 10;

/// The first packet of a connection.
///
/// | bytes | field                  | note                                           |
/// |------:|------------------------|------------------------------------------------|
/// |     1 | protocol               | 10                                             |
/// |   NUL | version                |                                                |
/// |     4 | connection id          |                                                |
/// |     8 | scramble               | first part                                     |
/// |     1 | filler                 | 0x00                                           |
/// |     2 | capabilities           | bits 0 to 15                                   |
/// |     1 | collation              | its id, if it fits                             |
/// |     2 | status                 |                                                |
/// |     2 | capabilities           | bits 16 to 31                                  |
/// |     1 | length of the scramble | with its NUL: 21                               |
/// |     6 | filler                 | 0x00                                           |
/// |     4 | capabilities           | bits 32 to 63, unless [`Caps::MYSQL`] is set   |
/// |    12 | scramble               | second part                                    |
/// |     1 | filler                 | 0x00                                           |
/// |   NUL | plugin                 | of the account most likely to log in           |
///
/// Source: MariaDB manual, "Connection", initial handshake packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The server's version string.
    pub version: Vec<u8>,
    /// The connection's id; MySQL and MariaDB send the low 32 bits.
    pub conn_id: u32,
    /// What the client's proof is computed with.
    pub scramble: [u8; SCRAMBLE_LEN],
    /// What the server can do.
    pub caps: Caps,
    /// The server's default collation.
    pub collation: u8,
    /// The connection's state.
    pub status: Status,
    /// The authentication plugin to start with; empty if the server knows none.
    pub plugin: Vec<u8>,
}

impl Greeting {
    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let caps = self.caps.valid().bits();
        let [low, high, low32, high32] =
            [caps, caps >> 16, caps >> 32, caps >> 48].map(|part| part as u16);
        let (first, second) = self.scramble.split_at(8);
        out.push(PROTOCOL);
        put_nul_bytes(out, &self.version);
        put_u32(out, self.conn_id);
        out.extend_from_slice(first);
        out.push(0);
        put_u16(out, low);
        out.push(self.collation);
        put_u16(out, self.status.bits());
        put_u16(out, high);
        out.push(SCRAMBLE_LEN as u8 + 1);
        out.extend_from_slice(&[0; 6]);
        put_u16(out, low32);
        put_u16(out, high32);
        out.extend_from_slice(second);
        out.push(0);
        put_nul_bytes(out, &self.plugin);
    }

    /// Reads a payload. Scrambles of other lengths than 20 bytes belong to plugins that MariaDB and MySQL
    /// servers do not start with; they are refused.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] for another protocol version, else what is wrong with the layout.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let got = reader.u8()?;
        if got != PROTOCOL {
            return Err(WireError::WrongKind {
                expected: PROTOCOL,
                got,
            });
        }
        let version = reader.nul_bytes()?.to_vec();
        let conn_id = reader.u32()?;
        let first = reader.take(8)?;
        reader.u8()?;
        let low = u64::from(reader.u16()?);
        let collation = reader.u8()?;
        let status = Status::from_bits(reader.u16()?);
        let high = u64::from(reader.u16()?);
        reader.take(7)?;
        let extended = u64::from(reader.u32()?);
        let second = reader.take(SCRAMBLE_LEN - 8)?;
        let mut scramble = [0; SCRAMBLE_LEN];
        for (byte, from) in scramble.iter_mut().zip(first.iter().chain(second)) {
            *byte = *from;
        }
        if !reader.is_empty() {
            reader.u8()?;
        }
        Ok(Self {
            version,
            conn_id,
            scramble,
            caps: Caps::from_bits(low | high << 16 | extended << 32).valid(),
            collation,
            status,
            plugin: reader.nul_or_rest().to_vec(),
        })
    }
}
