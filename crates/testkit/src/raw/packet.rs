//! Packets on a TCP stream, and the few encodings inside them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// The largest payload of one frame, 2^24 - 1 bytes; one of exactly this size is continued.
const MAX_FRAME: usize = 0xFF_FFFF;

/// Capability bits, under the protocol's own names (MariaDB manual, "Connecting: capabilities").
pub const CLIENT_LONG_PASSWORD: u32 = 1;
/// Affected rows count matched ones.
pub const CLIENT_FOUND_ROWS: u32 = 1 << 1;
/// The handshake response names a database.
pub const CLIENT_CONNECT_WITH_DB: u32 = 1 << 3;
/// zlib compression after the login.
pub const CLIENT_COMPRESS: u32 = 1 << 5;
/// `LOAD DATA LOCAL INFILE` is understood.
pub const CLIENT_LOCAL_FILES: u32 = 1 << 7;
/// The protocol as of 4.1; always there.
pub const CLIENT_PROTOCOL_41: u32 = 1 << 9;
/// The client wants TLS.
pub const CLIENT_SSL: u32 = 1 << 11;
/// Status flags are understood.
pub const CLIENT_TRANSACTIONS: u32 = 1 << 13;
/// Authentication of 4.1.
pub const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
/// Several statements in one text.
pub const CLIENT_MULTI_STATEMENTS: u32 = 1 << 16;
/// Several results for one text.
pub const CLIENT_MULTI_RESULTS: u32 = 1 << 17;
/// Several results for one prepared statement.
pub const CLIENT_PS_MULTI_RESULTS: u32 = 1 << 18;
/// The authentication plugin is named.
pub const CLIENT_PLUGIN_AUTH: u32 = 1 << 19;
/// The handshake response carries attributes.
pub const CLIENT_CONNECT_ATTRS: u32 = 1 << 20;
/// OK packets carry session changes.
pub const CLIENT_SESSION_TRACK: u32 = 1 << 23;
/// Rows end with an OK packet under the header 0xFE.
pub const CLIENT_DEPRECATE_EOF: u32 = 1 << 24;
/// zstd compression after the login.
pub const CLIENT_ZSTD_COMPRESSION: u32 = 1 << 26;

/// Packets over a connection; counts sequence numbers and checks those of the peer.
#[derive(Debug)]
pub struct PacketStream {
    stream: TcpStream,
    sequence: u8,
}

impl PacketStream {
    /// Takes over a connection.
    ///
    /// # Errors
    /// The socket's options could not be set.
    pub fn new(stream: TcpStream, patience: Duration) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self {
            stream,
            sequence: 0,
        })
    }

    /// The next packet is the first of the answer to a command that was sent ahead.
    pub fn expect_answer(&mut self) {
        self.sequence = 1;
    }

    /// The next packet is the first of the answer to a command of so many frames.
    pub fn expect_answer_to(&mut self, frames: u8) {
        self.sequence = frames;
    }

    /// The next packet begins a new command: sequence numbers start at 0 again.
    pub fn restart_sequence(&mut self) {
        self.sequence = 0;
    }

    /// Reads one packet, joining its frames.
    ///
    /// # Errors
    /// The peer closed or fell silent, or a sequence number is not the one expected.
    pub fn read(&mut self) -> Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0u8; 4];
            self.stream.read_exact(&mut header).context("no packet")?;
            let [a, b, c, sequence] = header;
            let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            ensure!(
                sequence == self.sequence,
                "packet number {sequence} came, {} was expected",
                self.sequence
            );
            self.sequence = self.sequence.wrapping_add(1);
            let start = payload.len();
            payload.resize(start + length, 0);
            self.stream
                .read_exact(&mut payload[start..])
                .context("a packet was cut off")?;
            if length < MAX_FRAME {
                return Ok(payload);
            }
        }
    }

    /// Writes one packet, in as many frames as it needs.
    ///
    /// # Errors
    /// The peer closed or does not read.
    pub fn write(&mut self, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        let mut rest = payload;
        loop {
            let (frame, next) = rest.split_at(rest.len().min(MAX_FRAME));
            bytes.extend_from_slice(&u32::try_from(frame.len())?.to_le_bytes()[..3]);
            bytes.push(self.sequence);
            bytes.extend_from_slice(frame);
            self.sequence = self.sequence.wrapping_add(1);
            rest = next;
            if frame.len() < MAX_FRAME {
                break;
            }
        }
        self.write_bytes(&bytes)
    }

    /// Writes bytes as they are: for what should not be written.
    ///
    /// # Errors
    /// The peer closed or does not read.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream
            .write_all(bytes)
            .context("the peer does not take it")
    }

    /// Reads to the end of the stream; what came is returned.
    ///
    /// # Errors
    /// The peer does not close in time.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream
            .read_to_end(&mut bytes)
            .context("the peer does not close")?;
        Ok(bytes)
    }

    /// Ends our side, or both, of the connection.
    pub fn shutdown(&self, how: Shutdown) {
        // A connection that is gone already is what was wanted.
        let _ = self.stream.shutdown(how);
    }

    /// Our own address on this connection.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn local_address(&self) -> Result<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// The connection itself.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// The proof of `mysql_native_password`: SHA1(p) XOR SHA1(scramble + SHA1(SHA1(p))); empty for an
/// empty password.
#[must_use]
pub fn native_password(password: &str, scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha1::digest(password.as_bytes());
    let twice = Sha1::digest(once);
    let mask = Sha1::new()
        .chain_update(scramble)
        .chain_update(twice)
        .finalize();
    once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

/// The proof of `caching_sha2_password`: SHA256(p) XOR SHA256(SHA256(SHA256(p)) + scramble); empty for
/// an empty password.
#[must_use]
pub fn sha2_password(password: &str, scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha256::digest(password.as_bytes());
    let mask = Sha256::new()
        .chain_update(Sha256::digest(once))
        .chain_update(scramble)
        .finalize();
    once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

/// Appends a length-encoded integer.
pub fn put_lenenc(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    match value {
        0..=0xFA => out.push(bytes[0]),
        0xFB..=0xFFFF => {
            out.push(0xFC);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xFF_FFFF => {
            out.push(0xFD);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xFE);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends bytes after their length.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a length-encoded integer off the front of `rest`.
///
/// # Errors
/// There is none.
pub fn take_lenenc(rest: &mut &[u8]) -> Result<u64> {
    let (&first, after) = rest.split_first().context("an empty integer")?;
    let length = match first {
        0xFC => 2,
        0xFD => 3,
        0xFE => 8,
        _ => {
            *rest = after;
            return Ok(u64::from(first));
        }
    };
    ensure!(
        after.len() >= length,
        "an integer of {} bytes, not {length}",
        after.len()
    );
    let (bytes, after) = after.split_at(length);
    *rest = after;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Takes bytes with their length off the front of `rest`.
///
/// # Errors
/// Fewer are there than the length says.
pub fn take_lenenc_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = usize::try_from(take_lenenc(rest)?)?;
    ensure!(rest.len() >= length, "{} bytes, not {length}", rest.len());
    let (bytes, after) = rest.split_at(length);
    *rest = after;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        for value in [
            0,
            0xFA,
            0xFB,
            0xFFFF,
            0x1_0000,
            0xFF_FFFF,
            0x100_0000,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put_lenenc(&mut bytes, value);
            let mut rest = bytes.as_slice();
            assert_eq!(take_lenenc(&mut rest).expect("an integer"), value);
            assert!(rest.is_empty());
            assert!(take_lenenc(&mut &bytes[..bytes.len() - 1]).is_err());
        }
    }
}
