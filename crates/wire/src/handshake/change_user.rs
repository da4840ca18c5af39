//! The command that logs in anew on the same connection.

use super::response::{put_short_auth, read_short_auth};
use super::{Attributes, put_attributes, read_attributes};
use crate::codec::{Reader, put_nul_bytes, put_u16};
use crate::{Caps, Command, SecretBytes, WireError};

/// `COM_CHANGE_USER`.
///
/// | bytes  | field         | note                                                  |
/// |-------:|---------------|-------------------------------------------------------|
/// |      1 | command       | 0x11                                                  |
/// |    NUL | user          |                                                       |
/// |  1 + n | auth response | NUL-terminated without [`Caps::SECURE_CONNECTION`]    |
/// |    NUL | database      | empty: none                                           |
/// |      2 | collation     | what follows may be missing altogether                |
/// |    NUL | plugin        | with [`Caps::PLUGIN_AUTH`]                            |
/// | lenenc | attributes    | with [`Caps::CONNECT_ATTRS`]                          |
///
/// Source: MariaDB manual, "COM_CHANGE_USER".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeUser {
    /// The user's name.
    pub user: Vec<u8>,
    /// What the plugin computed.
    pub auth: SecretBytes,
    /// The database to start in.
    pub database: Option<Vec<u8>>,
    /// The client's collation; `None` if the packet ends before it.
    pub collation: Option<u16>,
    /// The plugin that computed it; empty if the client names none.
    pub plugin: Vec<u8>,
    /// What the client says about itself.
    pub attributes: Attributes,
}

impl ChangeUser {
    /// Reads a payload, the command's byte included, of a connection that negotiated `caps`.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] for another command, else what is wrong with the layout.
    pub fn parse(payload: &[u8], caps: Caps) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let expected = Command::ChangeUser.byte();
        let got = reader.u8()?;
        if got != expected {
            return Err(WireError::WrongKind { expected, got });
        }
        let user = reader.nul_bytes()?.to_vec();
        let auth = SecretBytes::new(read_short_auth(&mut reader, caps)?);
        let database = Some(reader.nul_or_rest().to_vec()).filter(|name| !name.is_empty());
        let mut packet = Self {
            user,
            auth,
            database,
            collation: None,
            plugin: Vec::new(),
            attributes: Attributes::new(),
        };
        packet.tail(&mut reader, caps)?;
        Ok(packet)
    }

    fn tail(&mut self, reader: &mut Reader<'_>, caps: Caps) -> Result<(), WireError> {
        // Some connectors end the packet with one more NUL instead of a collation.
        if reader.remaining() < 2 {
            return Ok(());
        }
        self.collation = Some(reader.u16()?);
        if caps.contains(Caps::PLUGIN_AUTH) {
            self.plugin = reader.nul_or_rest().to_vec();
        }
        if caps.contains(Caps::CONNECT_ATTRS) && !reader.is_empty() {
            self.attributes = read_attributes(reader)?;
        }
        Ok(())
    }

    /// Appends the payload for a connection that negotiated `caps`. Without a collation it ends there.
    pub fn encode(&self, caps: Caps, out: &mut Vec<u8>) {
        out.push(Command::ChangeUser.byte());
        put_nul_bytes(out, &self.user);
        put_short_auth(out, &self.auth, caps);
        put_nul_bytes(out, self.database.as_deref().unwrap_or_default());
        let Some(collation) = self.collation else {
            return;
        };
        put_u16(out, collation);
        if caps.contains(Caps::PLUGIN_AUTH) {
            put_nul_bytes(out, &self.plugin);
        }
        if caps.contains(Caps::CONNECT_ATTRS) {
            put_attributes(out, &self.attributes);
        }
    }
}
