//! The entries of a history one behind the other in one piece of memory: a session may keep a
//! thousand of them, and most are some dozens of bytes. What is long has its rest elsewhere, in
//! pieces, for it would be moved again and again while it comes.
//!
//! The invariant: the records, in order, partition `bytes`; each begins with its key (the byte that
//! says of which kind it is holds the outcome too), and the head of its payload follows, which is all
//! of it up to [`HEAD_BYTES`].

mod rest;

use std::ops::Range;

use rest::Rests;

use crate::key::{Key, KeyRef};

/// The place among the schemas of a command that has none.
const NO_SCHEMA: u16 = u16::MAX;

/// The piece of memory grows by this part of itself: little is unused, and little is moved.
const GROWTH: usize = 32;

/// A longer payload has a rest.
const HEAD_BYTES: usize = 64 * 1024;

/// Where the outcome stands in the first byte of a key, and the rest of that byte.
const OUTCOME_SHIFT: u8 = 4;
const KIND: u8 = (1 << OUTCOME_SHIFT) - 1;

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The session command's number in the session.
    pub(crate) seq: u64,
    pub(crate) key: KeyRef<'a>,
    /// From the command byte on, without packet headers; of a long command its head.
    pub(crate) payload: &'a [u8],
    /// What follows the head, in pieces.
    pub(crate) rest: &'a [Vec<u8>],
    /// Did it succeed? `None`: not answered yet.
    pub(crate) ok: Option<bool>,
    /// The default database it was issued under; of a command that changes it, the new one.
    pub(crate) schema: Option<&'a [u8]>,
}

impl Entry<'_> {
    /// The length of the whole command.
    pub(crate) fn len(&self) -> usize {
        self.payload.len() + self.rest.iter().map(Vec::len).sum::<usize>()
    }
}

/// What is known of one command besides its bytes.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// The low half of its number.
    seq: u32,
    /// The length of its payload's head.
    head: u32,
    key: u16,
    /// The place of its schema among the schemas.
    schema: u16,
}

impl Record {
    fn len(self) -> usize {
        usize::from(self.key) + self.head as usize
    }
}

/// A sequence of commands.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    records: Vec<Record>,
    bytes: Vec<u8>,
    rests: Rests,
    /// Default databases that commands were issued under, each once.
    schemas: Vec<Box<[u8]>>,
    /// The newest number that was recorded.
    newest: u64,
}

impl Log {
    /// How many commands it holds.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The memory it owns.
    pub(super) fn capacity(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
            + self.bytes.capacity()
            + self.rests.capacity()
            + self.schemas.iter().map(|name| name.len()).sum::<usize>()
    }

    pub(super) fn clear(&mut self) {
        *self = Log::default();
    }

    /// Appends a command whose answer is not known. `false`: it is too long to be kept.
    pub(super) fn push(
        &mut self,
        seq: u64,
        key: &Key,
        payload: &[u8],
        schema: Option<&[u8]>,
    ) -> bool {
        let (head, rest) = payload.split_at(payload.len().min(HEAD_BYTES));
        let Ok(key_len) = u16::try_from(key.encoded_len()) else {
            return false;
        };
        let Some(schema) = self.place_of(schema) else {
            return false;
        };
        let record = Record {
            seq: low(seq),
            head: head.len() as u32,
            key: key_len,
            schema,
        };
        grow(&mut self.bytes, record.len());
        key.encode(&mut self.bytes);
        self.bytes.extend_from_slice(head);
        self.rests.append(low(seq), rest);
        grow(&mut self.records, 1);
        self.records.push(record);
        self.newest = self.newest.max(seq);
        true
    }

    /// More bytes of the payload at `ix`.
    pub(super) fn extend(&mut self, ix: usize, more: &[u8]) {
        let end = self.span(ix).end;
        let Some(record) = self.records.get_mut(ix) else {
            return;
        };
        let room = HEAD_BYTES.saturating_sub(record.head as usize);
        let (head, rest) = more.split_at(more.len().min(room));
        record.head += head.len() as u32;
        self.rests.append(record.seq, rest);
        if end == self.bytes.len() {
            grow(&mut self.bytes, head.len());
            self.bytes.extend_from_slice(head);
        } else {
            self.bytes.splice(end..end, head.iter().copied());
        }
    }

    pub(super) fn remove(&mut self, ix: usize) {
        if ix < self.records.len() {
            self.bytes.drain(self.span(ix));
            let record = self.records.remove(ix);
            self.rests.remove(record.seq);
        }
    }

    /// Keeps those of which `keep` is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&Entry<'_>) -> bool) {
        for ix in (0..self.records.len()).rev() {
            if self.get(ix).is_some_and(|entry| !keep(&entry)) {
                self.remove(ix);
            }
        }
    }

    pub(super) fn set_outcome(&mut self, ix: usize, ok: bool) {
        let start = self.span(ix).start;
        if let Some(kind) = self.bytes.get_mut(start) {
            *kind = *kind & KIND | (1 + u8::from(ok)) << OUTCOME_SHIFT;
        }
    }

    /// The default database that the command at `ix` led to. `false`: there is no place for it.
    pub(super) fn set_schema(&mut self, ix: usize, schema: Option<&[u8]>) -> bool {
        let Some(place) = self.place_of(schema) else {
            return false;
        };
        if let Some(record) = self.records.get_mut(ix) {
            record.schema = place;
        }
        true
    }

    /// The place of command `seq`, if it is kept.
    pub(super) fn find(&self, seq: u64) -> Option<usize> {
        self.records
            .iter()
            .rposition(|record| record.seq == low(seq))
    }

    pub(super) fn get(&self, ix: usize) -> Option<Entry<'_>> {
        let record = self.records.get(ix)?;
        self.entry(*record, self.span(ix).start)
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut start = 0;
        self.records.iter().filter_map(move |record| {
            let at = start;
            start += record.len();
            self.entry(*record, at)
        })
    }

    /// Those before `ix` with their places, the youngest first.
    pub(super) fn before(&self, ix: usize) -> impl Iterator<Item = (usize, Entry<'_>)> {
        let mut end = self.span(ix).start;
        let before = self.records.get(..ix).unwrap_or_default();
        before
            .iter()
            .enumerate()
            .rev()
            .filter_map(move |(ix, record)| {
                end -= record.len();
                Some((ix, self.entry(*record, end)?))
            })
    }

    fn entry(&self, record: Record, start: usize) -> Option<Entry<'_>> {
        let (key, payload) = self
            .bytes
            .get(start..start + record.len())?
            .split_at_checked(usize::from(record.key))?;
        let kind = *key.first()?;
        Some(Entry {
            seq: self.newest - u64::from(low(self.newest).wrapping_sub(record.seq)),
            key: KeyRef::decode(kind & KIND, key.get(1..)?)?,
            payload,
            rest: self.rests.get(record.seq),
            ok: match kind >> OUTCOME_SHIFT {
                0 => None,
                outcome => Some(outcome == 2),
            },
            schema: self
                .schemas
                .get(usize::from(record.schema))
                .map(|name| &**name),
        })
    }

    /// Where the bytes of the command at `ix` stand.
    fn span(&self, ix: usize) -> Range<usize> {
        let before = self.records.get(..ix).unwrap_or(&self.records);
        let start = before.iter().map(|record| record.len()).sum::<usize>();
        start..start + self.records.get(ix).map_or(0, |record| record.len())
    }

    /// The place of a schema's name, which is added if it is new. `None`: there are too many, and
    /// each of them is needed.
    fn place_of(&mut self, schema: Option<&[u8]>) -> Option<u16> {
        let Some(name) = schema else {
            return Some(NO_SCHEMA);
        };
        if let Some(place) = self.schemas.iter().position(|known| **known == *name) {
            return u16::try_from(place).ok();
        }
        if self.schemas.len() > 2 * self.records.len() {
            self.forget_schemas();
        }
        let place = u16::try_from(self.schemas.len()).ok()?;
        if place == NO_SCHEMA {
            return None;
        }
        self.schemas.push(name.into());
        Some(place)
    }

    /// Forgets the schemas that no command names any more.
    fn forget_schemas(&mut self) {
        let all = std::mem::take(&mut self.schemas);
        for record in &mut self.records {
            let Some(name) = all.get(usize::from(record.schema)) else {
                continue;
            };
            let known = self.schemas.iter().position(|known| known == name);
            let place = known.unwrap_or_else(|| {
                self.schemas.push(name.clone());
                self.schemas.len() - 1
            });
            record.schema = u16::try_from(place).unwrap_or(NO_SCHEMA);
        }
    }
}

/// The half of a number that is kept: it is unique among the commands of a history.
fn low(seq: u64) -> u32 {
    let [a, b, c, d, ..] = seq.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Makes room for `more` without doubling the memory.
fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more.max(vec.len() / GROWTH));
    }
}
