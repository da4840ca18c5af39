//! The client's handshake response, and the SSLRequest that may come before it.

use super::{Attributes, put_attributes, read_attributes};
use crate::codec::{Reader, put_lenenc_bytes, put_nul_bytes, put_u32};
use crate::{Caps, SecretBytes, WireError};

/// Bytes of the fixed part, which alone is an SSLRequest.
const HEAD_LEN: usize = 32;

/// The client's answer to the greeting.
///
/// | bytes  | field         | note                                                                 |
/// |-------:|---------------|----------------------------------------------------------------------|
/// |      4 | capabilities  | bits 0 to 31                                                         |
/// |      4 | packet limit  |                                                                      |
/// |      1 | collation     | its id, low byte                                                     |
/// |     19 | filler        | 0x00                                                                 |
/// |      4 | capabilities  | bits 32 to 63, unless [`Caps::MYSQL`] is set                         |
/// |    NUL | user          |                                                                      |
/// | lenenc | auth response | one length byte without [`Caps::PLUGIN_AUTH_LENENC_CLIENT_DATA`]; NUL-terminated without [`Caps::SECURE_CONNECTION`] too |
/// |    NUL | database      | with [`Caps::CONNECT_WITH_DB`]                                       |
/// |    NUL | plugin        | with [`Caps::PLUGIN_AUTH`]                                           |
/// | lenenc | attributes    | with [`Caps::CONNECT_ATTRS`]                                         |
/// |      1 | zstd level    | with [`Caps::ZSTD_COMPRESSION`]; MariaDB's connectors send 4 bytes  |
///
/// Source: MariaDB manual, "Connection", handshake response packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// What the client can do and the server offered.
    pub caps: Caps,
    /// The longest packet the client takes.
    pub max_packet: u32,
    /// The client's collation.
    pub collation: u8,
    /// The user's name.
    pub user: Vec<u8>,
    /// What the plugin computed, for the greeting's scramble.
    pub auth: SecretBytes,
    /// The database to start in.
    pub database: Option<Vec<u8>>,
    /// The plugin that computed it; empty if the client knows none.
    pub plugin: Vec<u8>,
    /// What the client says about itself.
    pub attributes: Attributes,
    /// The level at which zstd is to compress, 1 to 22; counts with [`Caps::ZSTD_COMPRESSION`] only.
    pub zstd_level: u8,
}

/// Whether the payload is an SSLRequest: the fixed part of a response and nothing else.
pub fn is_ssl_request(payload: &[u8]) -> bool {
    payload.len() == HEAD_LEN
        && Reader::new(payload)
            .u32()
            .is_ok_and(|caps| Caps::from_bits(u64::from(caps)).contains(Caps::SSL))
}

/// Appends the payload of an SSLRequest.
pub fn put_ssl_request(out: &mut Vec<u8>, caps: Caps, max_packet: u32, collation: u8) {
    put_head(out, caps, max_packet, collation);
}

fn put_head(out: &mut Vec<u8>, caps: Caps, max_packet: u32, collation: u8) {
    let caps = caps.valid().bits();
    put_u32(out, caps as u32);
    put_u32(out, max_packet);
    out.push(collation);
    out.extend_from_slice(&[0; 19]);
    put_u32(out, (caps >> 32) as u32);
}

impl HandshakeResponse {
    /// Reads a payload. What was not `offered` does not count: it is left out of the capabilities, and
    /// the fields that depend on it are not looked for.
    ///
    /// # Errors
    /// What is wrong with the layout.
    pub fn parse(payload: &[u8], offered: Caps) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let low = u64::from(reader.u32()?);
        let max_packet = reader.u32()?;
        let collation = reader.u8()?;
        reader.take(19)?;
        let extended = u64::from(reader.u32()?);
        let asked = Caps::from_bits(low | extended << 32).valid();
        // A client may call itself MySQL whatever the server is.
        let caps = asked.intersection(offered.union(Caps::MYSQL));
        let user = reader.nul_bytes()?.to_vec();
        let auth = SecretBytes::new(read_auth(&mut reader, caps)?);
        let database = caps
            .contains(Caps::CONNECT_WITH_DB)
            .then(|| reader.nul_or_rest().to_vec())
            .filter(|name| !name.is_empty());
        let plugin = if caps.contains(Caps::PLUGIN_AUTH) {
            reader.nul_or_rest().to_vec()
        } else {
            Vec::new()
        };
        let attributes = if caps.contains(Caps::CONNECT_ATTRS) && !reader.is_empty() {
            read_attributes(&mut reader)?
        } else {
            Attributes::new()
        };
        let zstd_level = if caps.contains(Caps::ZSTD_COMPRESSION) {
            reader.u8().unwrap_or_default()
        } else {
            0
        };
        Ok(Self {
            caps,
            max_packet,
            collation,
            user,
            auth,
            database,
            plugin,
            attributes,
            zstd_level,
        })
    }

    /// Appends the payload. [`Caps::CONNECT_WITH_DB`] is set from the database.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let caps = match self.database {
            Some(_) => self.caps.union(Caps::CONNECT_WITH_DB),
            None => self.caps.difference(Caps::CONNECT_WITH_DB),
        };
        put_head(out, caps, self.max_packet, self.collation);
        put_nul_bytes(out, &self.user);
        put_auth(out, &self.auth, caps);
        if let Some(database) = &self.database {
            put_nul_bytes(out, database);
        }
        if caps.contains(Caps::PLUGIN_AUTH) {
            put_nul_bytes(out, &self.plugin);
        }
        if caps.contains(Caps::CONNECT_ATTRS) {
            put_attributes(out, &self.attributes);
        }
        if caps.contains(Caps::ZSTD_COMPRESSION) {
            out.push(self.zstd_level);
        }
    }
}

fn read_auth<'a>(reader: &mut Reader<'a>, caps: Caps) -> Result<&'a [u8], WireError> {
    if caps.contains(Caps::PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        return reader.lenenc_bytes();
    }
    read_short_auth(reader, caps)
}

/// As in the response of clients without long authentication data, and in COM_CHANGE_USER.
pub(super) fn read_short_auth<'a>(
    reader: &mut Reader<'a>,
    caps: Caps,
) -> Result<&'a [u8], WireError> {
    if !caps.contains(Caps::SECURE_CONNECTION) {
        return reader.nul_bytes();
    }
    let len = reader.u8()?;
    reader.take(usize::from(len))
}

fn put_auth(out: &mut Vec<u8>, auth: &[u8], caps: Caps) {
    if caps.contains(Caps::PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        return put_lenenc_bytes(out, auth);
    }
    put_short_auth(out, auth, caps);
}

/// The counterpart of [`read_short_auth`]; data that does not fit its one length byte is left out, and
/// the server asks again.
pub(super) fn put_short_auth(out: &mut Vec<u8>, auth: &[u8], caps: Caps) {
    if !caps.contains(Caps::SECURE_CONNECTION) {
        return put_nul_bytes(out, auth);
    }
    match u8::try_from(auth.len()) {
        Ok(len) => {
            out.push(len);
            out.extend_from_slice(auth);
        }
        Err(_) => out.push(0),
    }
}
