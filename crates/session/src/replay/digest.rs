//! The hash of an answer: it follows the bytes as they are passed on, and nothing is kept.
//!
//! Packets are hashed as they came, headers included, with one exception. OK and EOF packets also
//! say things about the server that have nothing to do with the answer (which indexes were used,
//! how long it took, tracked session state), so of them only what the answer is goes in.

use tidegate_wire::reply::OkPacket;
use tidegate_wire::{Caps, Status};
use twox_hash::xxhash3_128::{DEFAULT_SECRET_LENGTH, RawHasher, SecretBuffer};

use super::Checksum;

/// The status flags that belong to the answer.
const ANSWER: Status = Status::IN_TRANS
    .union(Status::AUTOCOMMIT)
    .union(Status::MORE_RESULTS)
    .union(Status::CURSOR_EXISTS)
    .union(Status::LAST_ROW_SENT)
    .union(Status::IN_TRANS_READONLY);

/// XXH3 with its published secret, without memory of its own.
type Hasher = RawHasher<&'static [u8; DEFAULT_SECRET_LENGTH]>;

/// An answer that is being hashed.
pub(crate) struct Digest {
    hasher: Hasher,
    /// Bytes of the answer so far, as they came.
    raw: u64,
    /// Nothing was hashed yet.
    fresh: bool,
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digest").field("raw", &self.raw).finish()
    }
}

impl Default for Digest {
    fn default() -> Digest {
        Digest {
            hasher: RawHasher::new(SecretBuffer::default()),
            raw: 0,
            fresh: true,
        }
    }
}

impl Digest {
    /// Before the first byte of an answer.
    pub(crate) fn clear(&mut self) {
        if !self.fresh {
            *self = Digest::default();
        }
    }

    /// Bytes of the answer so far.
    pub(crate) fn raw(&self) -> u64 {
        self.raw
    }

    /// The hash of what has come so far.
    pub(crate) fn value(&self) -> u128 {
        self.hasher.finish_128()
    }

    /// Whole packets, or parts of them, that are hashed as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.fresh = false;
        self.hasher.write(bytes);
        self.raw += bytes.len() as u64;
    }

    /// The payload of an OK packet that is a result of its own.
    pub(crate) fn ok(&mut self, payload: &[u8], len: usize, caps: Caps, checksum: Checksum) {
        self.fresh = false;
        self.raw += len as u64;
        if checksum != Checksum::Full {
            return;
        }
        match OkPacket::parse(payload, caps) {
            Ok(packet) => {
                self.hasher.write(b"O");
                self.hasher.write(&packet.affected_rows.to_le_bytes());
                self.hasher.write(&packet.last_insert_id.to_le_bytes());
                self.hasher.write(&answer_bits(packet.status));
                self.hasher.write(&packet.warnings.to_le_bytes());
                self.hasher.write(packet.info);
            }
            Err(_) => self.hasher.write(payload),
        }
    }

    /// The payload of the first packet of a prepare reply: each server has numbers of its own.
    pub(crate) fn prepared(&mut self, payload: &[u8], len: usize) {
        self.fresh = false;
        self.raw += len as u64;
        let (head, rest) = payload.split_at(payload.len().min(5));
        self.hasher.write(head.get(..1).unwrap_or_default());
        self.hasher.write(rest);
    }

    /// The end of rows or of definitions.
    pub(crate) fn end(&mut self, status: Status, warnings: u16, len: usize) {
        self.fresh = false;
        self.raw += len as u64;
        self.hasher.write(b"E");
        self.hasher.write(&answer_bits(status));
        self.hasher.write(&warnings.to_le_bytes());
    }
}

fn answer_bits(status: Status) -> [u8; 2] {
    (status.bits() & ANSWER.bits()).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_cut_anywhere_hash_alike() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| (n % 251) as u8).collect();
        let mut whole = Digest::default();
        whole.bytes(&bytes);
        for cut in [1, 7, 255, 256, 1999] {
            let mut parts = Digest::default();
            for part in bytes.chunks(cut) {
                parts.bytes(part);
            }
            assert_eq!(parts.value(), whole.value());
            assert_eq!(parts.raw(), 2000);
        }
    }

    #[test]
    fn what_a_server_says_of_itself_does_not_count() {
        let hash = |status: Status, changes: &[u8], checksum| {
            let mut payload = Vec::new();
            OkPacket {
                affected_rows: 3,
                changes,
                ..OkPacket::new(status)
            }
            .encode(Caps::SESSION_TRACK, &mut payload);
            let mut digest = Digest::default();
            digest.ok(&payload, payload.len(), Caps::SESSION_TRACK, checksum);
            digest.value()
        };
        let plain = hash(Status::IN_TRANS, &[], Checksum::Full);
        let busy = Status::IN_TRANS
            .union(Status::NO_INDEX_USED)
            .union(Status::SESSION_STATE_CHANGED);
        assert_eq!(hash(busy, &[1, 3, 2, b'd', b'b'], Checksum::Full), plain);
        assert_ne!(hash(Status::AUTOCOMMIT, &[], Checksum::Full), plain);
        let results = Checksum::ResultOnly;
        assert_eq!(
            hash(Status::AUTOCOMMIT, &[], results),
            Digest::default().value()
        );
    }
}
