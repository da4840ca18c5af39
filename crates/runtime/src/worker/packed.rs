//! The compressed side of a connection: bytes wait here to be packed, and to be unpacked.
//!
//! What is sent within one output is packed together. What came is unpacked only as far as the session
//! has room for it, so that a few bytes that stand for many cannot fill the memory.
//!
//! Left out: the algorithms' state, which the worker lends to all its connections.

use std::io::IoSlice;

use tidegate_wire::compress::{Codecs, CompressionError, Packing};

use super::conn::{Bench, Conn};
use crate::buffer::{Bytes, Pool};

/// Gathered bytes that are packed before more are gathered.
const GATHER_BYTES: usize = 128 * 1024;

/// One connection's compression.
#[derive(Debug)]
pub(crate) struct Packed {
    packing: Packing,
    /// From the peer, not unpacked.
    incoming: Bytes,
    /// For the peer, not packed.
    gathered: Bytes,
    /// There was no room for all that could be unpacked.
    stalled: bool,
}

impl Packed {
    pub(crate) fn new(packing: Packing) -> Packed {
        Packed {
            packing,
            incoming: Bytes::default(),
            gathered: Bytes::default(),
            stalled: false,
        }
    }

    /// Takes bytes from the peer.
    pub(crate) fn receive(&mut self, bytes: &[u8], pool: &mut Pool) {
        self.incoming.append(bytes, pool);
        self.stalled |= !bytes.is_empty();
    }

    /// Where TLS puts bytes from the peer.
    pub(crate) fn incoming(&mut self) -> &mut Bytes {
        &mut self.incoming
    }

    /// Is there something to be unpacked, when there is room?
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Bytes that wait to be packed.
    pub(crate) fn waiting(&self) -> usize {
        self.gathered.len()
    }

    /// Memory that it holds.
    pub(crate) fn capacity(&self) -> usize {
        self.incoming.capacity() + self.gathered.capacity()
    }

    /// Takes bytes for the peer; what is too much is packed at once.
    pub(crate) fn gather(
        &mut self,
        pieces: &[IoSlice<'_>],
        conn: &mut Conn,
        bench: &mut Bench<'_>,
    ) {
        for piece in pieces {
            self.gathered.append(piece, bench.pool);
            if self.gathered.len() >= GATHER_BYTES {
                self.pack(conn, bench);
            }
        }
    }

    /// Packs what was gathered and puts it on the connection that this is lent of.
    pub(crate) fn pack(&mut self, conn: &mut Conn, bench: &mut Bench<'_>) {
        let mut packed = Bytes::default();
        let room = self.gathered.len() / 2;
        let into = packed.writable(room, bench.pool);
        let used = self
            .packing
            .pack(self.gathered.as_slice(), bench.codecs, into);
        self.gathered.consume(used, bench.pool);
        conn.put(&[IoSlice::new(packed.as_slice())], bench);
        packed.clear(bench.pool);
    }

    /// Unpacks into `plain`, which then holds at most `limit` bytes; how many came.
    ///
    /// # Errors
    /// The peer's bytes are no frames.
    pub(crate) fn unpack(
        &mut self,
        plain: &mut Bytes,
        limit: usize,
        codecs: &mut Codecs,
        pool: &mut Pool,
    ) -> Result<usize, CompressionError> {
        let before = plain.len();
        let room = limit.saturating_sub(before);
        let run = self.incoming.as_slice();
        let into = plain.writable(room.min(run.len()), pool);
        let used = self.packing.unpack(run, room, codecs, into);
        if plain.is_empty() {
            plain.clear(pool);
        }
        let came = plain.len() - before;
        self.stalled = came == room;
        self.incoming.consume(used?, pool);
        Ok(came)
    }

    /// Gives the buffers back.
    pub(crate) fn give_back(&mut self, pool: &mut Pool) {
        self.incoming.clear(pool);
        self.gathered.clear(pool);
        self.stalled = false;
    }
}
