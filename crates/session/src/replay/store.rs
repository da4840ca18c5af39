//! The statements of the open transaction, in order, as they were sent, each with the hash of its
//! answer: what a replay repeats.
//!
//! The bytes lie in chunks that never move, so a record grows to its limit without being copied,
//! and what it takes is what it is limited to. The head of a statement stands in front of its
//! bytes and counts against the limit. The statement that is not answered yet stands behind the
//! others, without a hash.

use tidegate_wire::frame::MAX_FRAME;

use crate::freeze::{Decoder, Encoder, FreezeError};

/// What the statement's head takes of the limit: hash, length, flags.
const HEAD: usize = 16 + 4 + 1;
/// A chunk that is not the first is this large: less than a sixteenth of it stays unused.
const CHUNK: usize = 256 * 1024;
/// A statement longer than this has a chunk of its own, of just its length.
const OWN_CHUNK: usize = CHUNK / 16;
/// The first chunk grows by itself up to this, so that a short transaction takes little.
const FIRST_CHUNK: usize = 16 * 1024;
/// The memory of the first chunk is kept for the next transaction up to this.
const KEEP: usize = FIRST_CHUNK;

/// What is known of a statement besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks(u8);

impl Marks {
    /// It has no answer: a part of a parameter that was sent ahead.
    pub(crate) const SILENT: Marks = Marks(1);
    /// Its answer is not compared.
    pub(crate) const INCOMPARABLE: Marks = Marks(1 << 1);

    pub(crate) fn has(self, mark: Marks) -> bool {
        self.0 & mark.0 == mark.0
    }

    pub(crate) fn with(self, mark: Marks) -> Marks {
        Marks(self.0 | mark.0)
    }
}

/// Where a statement's head stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    chunk: usize,
    at: usize,
}

/// One recorded statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Of its answer.
    pub(crate) hash: u128,
    pub(crate) marks: Marks,
    /// From the command byte on.
    pub(crate) payload: &'a [u8],
}

/// No room is left below the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The statements of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Store {
    chunks: Vec<Vec<u8>>,
    /// Bytes that count against the limit.
    bytes: usize,
    /// Answered statements.
    count: usize,
    /// Where the statement stands that is not answered yet.
    open: Option<Place>,
}

impl Store {
    /// Nothing but the memory of a short transaction is kept.
    pub(crate) fn clear(&mut self) {
        self.chunks.truncate(1);
        if let Some(first) = self.chunks.first_mut() {
            first.clear();
            first.shrink_to(KEEP);
        }
        self.bytes = 0;
        self.count = 0;
        self.open = None;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Is there a statement that is not answered yet?
    pub(crate) fn has_open(&self) -> bool {
        self.open.is_some()
    }

    /// Estimated memory.
    pub(crate) fn memory(&self) -> usize {
        self.chunks.capacity() * size_of::<Vec<u8>>()
            + self.chunks.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Begins a statement of `len` bytes, of which `payload` is there. One that was begun and not
    /// ended is forgotten.
    pub(crate) fn begin(
        &mut self,
        payload: &[u8],
        len: usize,
        marks: Marks,
        limit: usize,
    ) -> Result<(), Full> {
        self.abandon();
        let need = HEAD.saturating_add(len);
        if len > MAX_FRAME || self.bytes.saturating_add(need) >= limit {
            return Err(Full);
        }
        let place = self.room(need);
        let Some(chunk) = self.chunks.get_mut(place.chunk) else {
            return Err(Full);
        };
        chunk.extend_from_slice(&[0; 16]);
        chunk.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        chunk.push(marks.0);
        chunk.extend_from_slice(payload);
        self.bytes += need;
        self.open = Some(place);
        Ok(())
    }

    /// More bytes of the statement that was begun.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if let Some(open) = self.open
            && let Some(chunk) = self.chunks.get_mut(open.chunk)
        {
            chunk.extend_from_slice(bytes);
        }
    }

    /// The statement that was begun is answered.
    pub(crate) fn end(&mut self, hash: u128) {
        let Some(open) = self.open.take() else { return };
        let head = self
            .chunks
            .get_mut(open.chunk)
            .and_then(|chunk| chunk.get_mut(open.at..open.at + 16));
        if let Some(head) = head {
            head.copy_from_slice(&hash.to_le_bytes());
            self.count += 1;
        }
    }

    /// The statement that was begun is forgotten.
    pub(crate) fn abandon(&mut self) {
        let Some(open) = self.open.take() else { return };
        let len = self.head(open).map_or(0, |(_, len, _)| len);
        self.bytes -= HEAD + len;
        if let Some(chunk) = self.chunks.get_mut(open.chunk) {
            chunk.truncate(open.at);
        }
        if open.at == 0 && open.chunk > 0 {
            self.chunks.truncate(open.chunk);
        }
    }

    /// The statement that was begun, as far as it is there.
    pub(crate) fn open_payload(&self) -> Option<&[u8]> {
        Some(self.at(self.open?)?.payload)
    }

    /// The answered statement at `place`, and where the next one stands. [`Place::default`] is the
    /// first.
    pub(crate) fn read(&self, place: Place) -> Option<(Entry<'_>, Place)> {
        let mut place = place;
        let mut chunk = self.chunks.get(place.chunk)?;
        if place.at >= chunk.len() {
            place = Place {
                chunk: place.chunk + 1,
                at: 0,
            };
            chunk = self.chunks.get(place.chunk)?;
        }
        if self.open == Some(place) || place.at >= chunk.len() {
            return None;
        }
        let entry = self.at(place)?;
        let next = Place {
            at: place.at + HEAD + entry.payload.len(),
            ..place
        };
        Some((entry, next))
    }

    fn at(&self, place: Place) -> Option<Entry<'_>> {
        let (hash, len, marks) = self.head(place)?;
        let chunk = self.chunks.get(place.chunk)?;
        let from = place.at + HEAD;
        let payload = chunk.get(from..chunk.len().min(from + len))?;
        Some(Entry {
            hash,
            marks,
            payload,
        })
    }

    fn head(&self, place: Place) -> Option<(u128, usize, Marks)> {
        let head = self.chunks.get(place.chunk)?.get(place.at..)?;
        let (hash, rest) = head.split_first_chunk::<16>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let marks = *rest.first()?;
        Some((
            u128::from_le_bytes(*hash),
            u32::from_le_bytes(*len) as usize,
            Marks(marks),
        ))
    }

    /// Where `need` bytes fit without anything being moved.
    fn room(&mut self, need: usize) -> Place {
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        let last = self.chunks.len() - 1;
        if let Some(chunk) = self.chunks.get_mut(last) {
            let grows = last == 0 && chunk.len() + need <= FIRST_CHUNK;
            if grows || chunk.len() + need <= chunk.capacity() {
                chunk.reserve(need);
                return Place {
                    chunk: last,
                    at: chunk.len(),
                };
            }
        }
        let capacity = if need > OWN_CHUNK { need } else { CHUNK };
        self.chunks.push(Vec::with_capacity(capacity));
        Place {
            chunk: last + 1,
            at: 0,
        }
    }

    /// Writes the answered statements.
    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.u64(self.count as u64);
        let mut place = Place::default();
        while let Some((entry, next)) = self.read(place) {
            into.u64(entry.hash as u64);
            into.u64((entry.hash >> 64) as u64);
            into.u8(entry.marks.0);
            into.bytes(entry.payload);
            place = next;
        }
    }

    /// Reads them.
    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<Store, FreezeError> {
        let mut store = Store::default();
        for _ in 0..from.u64()? {
            let low = u128::from(from.u64()?);
            let hash = low | u128::from(from.u64()?) << 64;
            let marks = Marks(from.u8()?);
            let payload = from.bytes()?;
            if store
                .begin(payload, payload.len(), marks, usize::MAX)
                .is_err()
            {
                return Err(FreezeError::Value {
                    what: "a statement's length",
                    value: payload.len() as u64,
                });
            }
            store.end(hash);
        }
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(store: &Store) -> Vec<(u128, Vec<u8>)> {
        let mut found = Vec::new();
        let mut place = Place::default();
        while let Some((entry, next)) = store.read(place) {
            found.push((entry.hash, entry.payload.to_vec()));
            place = next;
        }
        found
    }

    fn add(store: &mut Store, payload: &[u8], hash: u128) {
        store
            .begin(payload, payload.len(), Marks::default(), usize::MAX)
            .unwrap();
        store.end(hash);
    }

    #[test]
    fn what_was_recorded_is_read_back_in_order_whatever_its_length() {
        let mut store = Store::default();
        let mut expected = Vec::new();
        let lengths = [1, 100, 5000, 20_000, 17_000, 3, 300_000, 9, 16_000, 16_000];
        for round in 0..40u128 {
            for (ix, len) in lengths.iter().enumerate() {
                let payload = vec![ix as u8; *len];
                add(&mut store, &payload, round * 100 + ix as u128);
                expected.push((round * 100 + ix as u128, payload));
            }
        }
        assert_eq!(all(&store), expected);
        let mut encoder = Encoder::default();
        store.freeze(&mut encoder);
        let bytes = encoder.into_bytes();
        let thawed = Store::thaw(&mut Decoder::new(&bytes)).unwrap();
        assert_eq!(all(&thawed), expected);
        assert_eq!(thawed.bytes, store.bytes);
    }

    #[test]
    fn the_unanswered_statement_is_not_among_the_others() {
        let mut store = Store::default();
        add(&mut store, b"one", 1);
        store.begin(b"tw", 3, Marks::SILENT, usize::MAX).unwrap();
        assert_eq!(all(&store), [(1, b"one".to_vec())]);
        assert_eq!(store.open_payload(), Some(b"tw".as_slice()));
        store.append(b"o");
        assert_eq!(store.open_payload(), Some(b"two".as_slice()));
        store.abandon();
        assert_eq!(store.open_payload(), None);
        add(&mut store, b"three", 3);
        assert_eq!(all(&store), [(1, b"one".to_vec()), (3, b"three".to_vec())]);
    }

    #[test]
    fn an_abandoned_statement_with_a_chunk_of_its_own_leaves_no_gap() {
        let mut store = Store::default();
        add(&mut store, b"one", 1);
        store
            .begin(&[7; 100_000], 100_000, Marks::default(), usize::MAX)
            .unwrap();
        store.abandon();
        add(&mut store, &[8; 90_000], 2);
        add(&mut store, b"three", 3);
        let found = all(&store);
        assert_eq!(found.len(), 3);
        assert_eq!(store.bytes, 3 * HEAD + 3 + 90_000 + 5);
    }

    #[test]
    fn the_limit_counts_the_heads_and_the_statement_under_way() {
        let mut store = Store::default();
        let limit = 2 * (HEAD + 10) + 1;
        for _ in 0..2 {
            store.begin(&[0; 10], 10, Marks::default(), limit).unwrap();
            store.end(0);
        }
        assert_eq!(store.begin(&[], 0, Marks::default(), limit), Err(Full));
        assert_eq!(
            Store::default().begin(&[], MAX_FRAME + 1, Marks::default(), usize::MAX),
            Err(Full)
        );
    }

    #[test]
    fn a_long_record_takes_what_it_is_limited_to() {
        let limit = 64 << 20;
        for len in [20, 60, 1000, 15_000, 100_000] {
            let mut store = Store::default();
            let payload = vec![0; len];
            while store.begin(&payload, len, Marks::default(), limit).is_ok() {
                store.end(0);
            }
            assert!(store.bytes + 100_100 > limit);
            assert!(store.memory() <= limit + limit / 10, "{}", store.memory());
        }
    }

    #[test]
    fn the_next_transaction_uses_the_same_memory() {
        let mut store = Store::default();
        for _ in 0..10_000 {
            add(&mut store, &[0; 100], 0);
        }
        store.clear();
        let kept = store.memory();
        assert!(kept < 3 * KEEP, "{kept}");
        assert!(store.is_empty() && all(&store).is_empty());
        for _ in 0..50 {
            add(&mut store, &[0; 100], 0);
        }
        assert_eq!(store.memory(), kept);
    }
}
