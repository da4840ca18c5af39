//! Compressed frames: what travels in the place of plain bytes once both sides have agreed on it.
//!
//! | offset | bytes | field    | note                                                             |
//! |-------:|------:|----------|------------------------------------------------------------------|
//! |      0 |     3 | length   | of what follows the header                                       |
//! |      3 |     1 | sequence | of these frames alone; an answer goes on where the command ended |
//! |      4 |     3 | plain    | length before compression; 0: it is not compressed               |
//! |      7 |       | data     | a zlib stream or a zstd frame of its own, or the bytes as they are |
//!
//! The frames are cut from the stream of packets anywhere, but towards a server each packet has its own
//! ([`Packing::towards_server`]). They begin after the OK that ends the login.
//!
//! Left out: when to compress, which the caller decides by what it gives at once.
//!
//! Invariants: what a [`Packing`] packs, another unpacks to the same bytes, however both are cut; and
//! unpacking makes at most as many bytes at once as there is room for, whatever a frame says.
//!
//! Source: MariaDB manual, "0 - Packet", compressed packet; MySQL internals,
//! `page_protocol_basic_compression_packet`.

mod codecs;
mod commands;

use std::fmt;

pub use codecs::Codecs;
use codecs::Decoder;
use commands::{Commands, Number};

/// The longest data and the longest plain text of one frame.
const MAX_LEN: usize = 0xFF_FFFF;

/// Plain bytes that one frame gets. Frames that fill a few reads of the peer's are worth their header
/// and leave others their turn.
const BLOCK: usize = 128 * 1024;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// zlib (RFC 1950).
    Zlib,
    /// zstd (RFC 8878), at the level that the client asks for: 1 to 22.
    Zstd {
        /// The level.
        level: u8,
    },
}

impl Method {
    /// What zstd itself takes for its default.
    pub const DEFAULT_LEVEL: u8 = 3;
}

/// The ways to compress that one side offers, and what it leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionOffer {
    /// zlib.
    pub zlib: bool,
    /// zstd.
    pub zstd: bool,
    /// Bytes up to this number go as they are.
    pub threshold: usize,
}

impl CompressionOffer {
    /// No compression.
    pub const NONE: Self = Self {
        zlib: false,
        zstd: false,
        threshold: 0,
    };
}

/// Why frames cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The data is not what the method makes.
    #[error("a compressed frame whose data is damaged")]
    Damaged,
    /// There is more or less plain text in it than the header says.
    #[error("a compressed frame that says {said} bytes and holds another number")]
    Length {
        /// What the header says.
        said: usize,
    },
}

/// One connection's compression.
pub struct Packing {
    method: Method,
    threshold: usize,
    /// The number of the next frame to the peer.
    seq: u8,
    /// The peer is a server, and this is what goes to it.
    commands: Option<Commands>,
    /// The number that follows the peer's last frame.
    answer_seq: u8,
    incoming: Incoming,
}

/// How far the peer's frame is.
enum Incoming {
    /// So many bytes of its header have come.
    Header {
        bytes: [u8; HEADER_LEN],
        have: usize,
    },
    /// Bytes as they are.
    Stored { left: usize },
    Compressed {
        decoder: Decoder,
        /// Bytes of data that have not been looked at.
        left: usize,
        /// Plain bytes that have come of it.
        made: usize,
        /// Plain bytes that must come of it.
        said: usize,
    },
}

const HEADER_LEN: usize = 7;

impl Incoming {
    const BETWEEN: Incoming = Incoming::Header {
        bytes: [0; HEADER_LEN],
        have: 0,
    };
}

impl fmt::Debug for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packing")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Packing {
    /// From the first frame on. Up to `threshold` bytes go as they are.
    #[must_use]
    pub fn new(method: Method, threshold: usize) -> Packing {
        Packing {
            method,
            threshold,
            seq: 0,
            commands: None,
            answer_seq: 0,
            incoming: Incoming::BETWEEN,
        }
    }

    /// The peer is a server: each packet gets a frame, and each command is numbered anew.
    #[must_use]
    pub fn towards_server(mut self) -> Packing {
        self.commands = Some(Commands::default());
        self
    }

    /// Appends `plain` as frames; how much of it. Towards a server a packet's header waits until it is
    /// whole.
    pub fn pack(&mut self, plain: &[u8], codecs: &mut Codecs, out: &mut Vec<u8>) -> usize {
        if self.commands.is_some() {
            return self.pack_commands(plain, codecs, out);
        }
        for block in plain.chunks(BLOCK) {
            self.frame(block, codecs, out);
        }
        plain.len()
    }

    fn pack_commands(&mut self, plain: &[u8], codecs: &mut Codecs, out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while let Some(rest) = plain.get(at..)
            && let Some(piece) = self.commands.as_mut().and_then(|to| to.piece(rest))
        {
            let bytes = rest.get(..piece.len).unwrap_or_default();
            at += piece.len;
            let Some((number, len)) = piece.begins else {
                out.extend_from_slice(bytes);
                continue;
            };
            match number {
                Number::GoOn => {}
                Number::Command => self.seq = 0,
                Number::Answer => self.seq = self.answer_seq,
            }
            if len == bytes.len() && len <= 2 * BLOCK {
                self.frame(bytes, codecs, out);
            } else {
                out.extend_from_slice(&header(len, self.seq, 0));
                out.extend_from_slice(bytes);
                self.seq = self.seq.wrapping_add(1);
            }
        }
        at
    }

    /// Appends one frame, compressed if that makes it shorter.
    fn frame(&mut self, plain: &[u8], codecs: &mut Codecs, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_LEN]);
        let compressed = plain.len() > self.threshold
            && codecs.compress(self.method, plain, out)
            && out.len() - start - HEADER_LEN < plain.len();
        if !compressed {
            out.truncate(start + HEADER_LEN);
            out.extend_from_slice(plain);
        }
        let said = if compressed { plain.len() } else { 0 };
        let header = header(out.len() - start - HEADER_LEN, self.seq, said);
        if let Some(place) = out.get_mut(start..start + HEADER_LEN) {
            place.copy_from_slice(&header);
        }
        self.seq = self.seq.wrapping_add(1);
    }

    /// Unpacks the start of `run` and appends at most `room` bytes; how much of the run was used. All of
    /// it, unless there was no room for more.
    ///
    /// # Errors
    /// The frames cannot be unpacked, now or ever.
    pub fn unpack(
        &mut self,
        run: &[u8],
        room: usize,
        codecs: &mut Codecs,
        out: &mut Vec<u8>,
    ) -> Result<usize, CompressionError> {
        let (mut at, end) = (0, out.len() + room);
        loop {
            let rest = run.get(at..).unwrap_or_default();
            let room = end - out.len();
            match &mut self.incoming {
                Incoming::Header { bytes, have } => {
                    let count = rest.len().min(HEADER_LEN - *have);
                    let (into, from) = (bytes.get_mut(*have..*have + count), rest.get(..count));
                    if let (Some(into), Some(from)) = (into, from) {
                        into.copy_from_slice(from);
                    }
                    *have += count;
                    at += count;
                    if *have < HEADER_LEN {
                        return Ok(at);
                    }
                    let bytes = *bytes;
                    self.begin(bytes, codecs);
                }
                Incoming::Stored { left } => {
                    let count = rest.len().min(*left).min(room);
                    out.extend_from_slice(rest.get(..count).unwrap_or_default());
                    at += count;
                    *left -= count;
                    if *left > 0 {
                        return Ok(at);
                    }
                    self.incoming = Incoming::BETWEEN;
                }
                Incoming::Compressed {
                    decoder,
                    left,
                    made,
                    said,
                } => {
                    let data = rest.get(..rest.len().min(*left)).unwrap_or_default();
                    let step = decoder.step(data, room.min(*said - *made), out)?;
                    at += step.used;
                    *left -= step.used;
                    *made += step.made;
                    if step.ended && (*left > 0 || *made < *said) {
                        return Err(CompressionError::Length { said: *said });
                    }
                    if step.ended {
                        let between = std::mem::replace(&mut self.incoming, Incoming::BETWEEN);
                        if let Incoming::Compressed { decoder, .. } = between {
                            codecs.give_back(decoder);
                        }
                    } else if step.used == 0 && step.made == 0 {
                        if *left == 0 {
                            return Err(CompressionError::Length { said: *said });
                        }
                        if !data.is_empty() && room > 0 {
                            // It goes on beyond what its header says.
                            return Err(CompressionError::Length { said: *said });
                        }
                        return Ok(at);
                    }
                }
            }
        }
    }

    /// A header is complete.
    fn begin(&mut self, bytes: [u8; HEADER_LEN], codecs: &mut Codecs) {
        let [a, b, c, seq, d, e, f] = bytes;
        let len = u32::from_le_bytes([a, b, c, 0]) as usize;
        let said = u32::from_le_bytes([d, e, f, 0]) as usize;
        self.answer_seq = seq.wrapping_add(1);
        if self.commands.is_none() {
            self.seq = self.answer_seq;
        }
        self.incoming = match said {
            0 => Incoming::Stored { left: len },
            _ => Incoming::Compressed {
                decoder: codecs.decoder(self.method),
                left: len,
                made: 0,
                said,
            },
        };
    }
}

fn header(len: usize, seq: u8, said: usize) -> [u8; HEADER_LEN] {
    debug_assert!(len <= MAX_LEN && said <= MAX_LEN);
    let [a, b, c, _] = (len as u32).to_le_bytes();
    let [d, e, f, _] = (said as u32).to_le_bytes();
    [a, b, c, seq, d, e, f]
}

#[cfg(test)]
mod tests;
