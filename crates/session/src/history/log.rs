//! The entries of a history one behind the other in one piece of memory: a session may keep a
//! thousand of them, and most are some dozens of bytes. What is long has its rest elsewhere, in
//! pieces, for it would be moved again and again while it comes.
//!
//! The invariant: the records, in order, partition `bytes`; each begins with its key (the byte that
//! says of which kind it is holds the outcome too), and the head of its payload follows, which is all
//! of it up to [`HEAD_BYTES`]. A record without a key is one that was removed from among many; its bytes
//! stay until there is much of that kind, so that closing one of thousands of statements moves nothing.

mod rest;
mod statements;

use std::ops::Range;

use rest::Rests;
use statements::Statements;

use crate::ids::ClientStmtId;
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

/// Of so few records nothing removed is left behind.
const FEW: usize = 64;

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
    /// The length of its key; zero: it was removed.
    key: u16,
    /// The place of its schema among the schemas.
    schema: u16,
}

impl Record {
    fn len(self) -> usize {
        usize::from(self.key) + self.head as usize
    }

    fn is_gone(self) -> bool {
        self.key == 0
    }
}

/// A sequence of commands.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    records: Vec<Record>,
    bytes: Vec<u8>,
    /// How many records were removed and are still there, and how many bytes are theirs.
    gone: (usize, usize),
    /// The records of prepared statements, by the statements' ids.
    statements: Statements,
    rests: Rests,
    /// Default databases that commands were issued under, each once.
    schemas: Vec<Box<[u8]>>,
    /// The newest number that was recorded.
    newest: u64,
}

impl Log {
    /// How many commands it holds.
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.gone.0
    }

    /// The memory it owns.
    pub(super) fn capacity(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
            + self.bytes.capacity()
            + self.statements.capacity()
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
        self.tidy_up();
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
        if let Key::Statement(id) = key {
            self.statements.push(*id, low(seq));
        }
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

    /// Removes the command at `ix`; those before it stay where they are.
    pub(super) fn remove(&mut self, ix: usize) {
        let few = self.records.len() <= FEW || ix + 1 == self.records.len();
        let span = few.then(|| self.span(ix));
        let Some(record) = self.records.get_mut(ix).filter(|record| !record.is_gone()) else {
            return;
        };
        let (seq, len) = (record.seq, record.len());
        self.rests.remove(seq);
        self.statements.forget(seq, low(self.newest));
        if let Some(span) = span {
            self.bytes.drain(span);
            self.records.remove(ix);
        } else {
            record.head = len as u32;
            record.key = 0;
            self.gone.0 += 1;
            self.gone.1 += len;
        }
    }

    /// Removes the preparation of a statement.
    pub(super) fn remove_statement(&mut self, id: ClientStmtId) {
        if let Some(seq) = self.statements.get(id)
            && let Some(ix) = self.place(seq)
        {
            self.remove(ix);
            self.tidy_up();
        }
    }

    /// Keeps those of which `keep` is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&Entry<'_>) -> bool) {
        let places = self.places().filter(|(_, entry)| !keep(entry));
        let places: Vec<usize> = places.map(|(ix, _)| ix).collect();
        places.into_iter().rev().for_each(|ix| self.remove(ix));
        self.tidy_up();
    }

    /// Gives back what removed records have left, if that is much.
    fn tidy_up(&mut self) {
        let (records, bytes) = self.gone;
        if records == 0 || 2 * records <= self.records.len() && 2 * bytes <= self.bytes.len() {
            return;
        }
        let all = std::mem::take(&mut self.bytes);
        let mut kept = Vec::with_capacity(all.len() - bytes);
        let mut rest = all.as_slice();
        self.records.retain(|record| {
            let (own, behind) = rest.split_at(record.len().min(rest.len()));
            rest = behind;
            if !record.is_gone() {
                kept.extend_from_slice(own);
            }
            !record.is_gone()
        });
        self.bytes = kept;
        self.records.shrink_to(self.records.len());
        self.gone = (0, 0);
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
        self.place(low(seq))
    }

    fn place(&self, seq: u32) -> Option<usize> {
        // The numbers rise from record to record, though their low halves may begin anew.
        let age = |seq: u32| low(self.newest).wrapping_sub(seq);
        let ix = self
            .records
            .partition_point(|record| age(record.seq) > age(seq));
        let found = self.records.get(ix)?;
        (found.seq == seq && !found.is_gone()).then_some(ix)
    }

    pub(super) fn get(&self, ix: usize) -> Option<Entry<'_>> {
        let record = self.records.get(ix)?;
        self.entry(*record, self.span(ix).start)
    }

    /// The command of a prepared statement.
    pub(super) fn statement(&self, id: ClientStmtId) -> Option<Entry<'_>> {
        self.get(self.place(self.statements.get(id)?)?)
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.places().map(|(_, entry)| entry)
    }

    /// All of them with their places, the oldest first.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Entry<'_>)> {
        let mut start = 0;
        let records = self.records.iter().enumerate();
        records.filter_map(move |(ix, record)| {
            let at = start;
            start += record.len();
            Some((ix, self.entry(*record, at)?))
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

    /// `None`: it is gone.
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
        let own = self.records.get(ix).map_or(0, |record| record.len());
        let sum = |records: &[Record]| records.iter().map(|record| record.len()).sum::<usize>();
        // The nearer end is counted from: the newest are asked for most.
        let start = if 2 * ix < self.records.len() {
            sum(self.records.get(..ix).unwrap_or_default())
        } else {
            self.bytes.len() - own - sum(self.records.get(ix + 1..).unwrap_or_default())
        };
        start..start + own
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a log should hold, written down plainly.
    type Plain = Vec<(u64, Key, Vec<u8>)>;

    fn plain(log: &Log) -> Plain {
        let whole = |entry: &Entry<'_>| [entry.payload, &entry.rest.concat()].concat();
        log.iter()
            .map(|entry| (entry.seq, entry.key.owned(), whole(&entry)))
            .collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Prepare(u32, usize),
        Set(usize),
        Close(prop::sample::Index),
        Remove(prop::sample::Index),
        Extend(prop::sample::Index, usize),
        GiveUp,
    }

    fn step() -> impl Strategy<Value = Step> {
        use prop::sample::Index;
        let index = || any::<Index>();
        prop_oneof![
            8 => (1..4_u32, 0..300_usize).prop_map(|(by, len)| Step::Prepare(by, len)),
            4 => (0..300_usize).prop_map(Step::Set),
            6 => index().prop_map(Step::Close),
            2 => index().prop_map(Step::Remove),
            2 => (index(), 0..100_usize).prop_map(|(ix, more)| Step::Extend(ix, more)),
            1 => Just(Step::GiveUp),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_not_removed(
            first in prop_oneof![Just(1_u64), Just(u64::from(u32::MAX) - 100)],
            descending in any::<bool>(),
            steps in prop::collection::vec(step(), 0..600),
        ) {
            let mut log = Log::default();
            let mut expect = Plain::new();
            let (mut seq, mut id) = (first, 1000_u32);
            for step in steps {
                match step {
                    Step::Prepare(by, len) => {
                        id = if descending { id.wrapping_sub(by) } else { id + by };
                        seq += 1;
                        let key = Key::Statement(ClientStmtId(id));
                        let text = vec![b'p'; len];
                        prop_assert!(log.push(seq, &key, &text, Some(b"test")));
                        expect.push((seq, key, text));
                    }
                    Step::Set(len) => {
                        seq += 2;
                        let key = Key::Text { again: false };
                        let text = vec![b's'; len];
                        prop_assert!(log.push(seq, &key, &text, None));
                        expect.push((seq, key, text));
                    }
                    Step::Close(ix) => {
                        let ids: Vec<_> = expect
                            .iter()
                            .filter_map(|(_, key, _)| match key {
                                Key::Statement(id) => Some(*id),
                                _ => None,
                            })
                            .collect();
                        if !ids.is_empty() {
                            let id = *ix.get(&ids);
                            let found = log.statement(id).map(|entry| entry.key.owned());
                            prop_assert_eq!(found, Some(Key::Statement(id)));
                            log.remove_statement(id);
                            expect.retain(|(_, key, _)| *key != Key::Statement(id));
                            prop_assert_eq!(log.statement(id), None);
                        }
                    }
                    Step::Remove(ix) if !expect.is_empty() => {
                        let (seq, ..) = expect.remove(ix.index(expect.len()));
                        let place = log.find(seq);
                        prop_assert!(place.is_some());
                        log.remove(place.unwrap_or_default());
                        prop_assert_eq!(log.find(seq), None);
                    }
                    Step::Extend(ix, more) if !expect.is_empty() => {
                        let ix = ix.index(expect.len());
                        let (seq, _, text) = &mut expect[ix];
                        let place = log.find(*seq);
                        prop_assert!(place.is_some());
                        log.extend(place.unwrap_or_default(), &vec![b'+'; more]);
                        text.extend(std::iter::repeat_n(b'+', more));
                    }
                    Step::GiveUp if expect.len() > 100 => {
                        log.retain(|entry| matches!(entry.key, KeyRef::Statement(_)));
                        expect.retain(|(_, key, _)| matches!(key, Key::Statement(_)));
                    }
                    _ => {}
                }
                prop_assert_eq!(log.len(), expect.len());
            }
            prop_assert_eq!(plain(&log), expect);
        }
    }

    #[test]
    fn what_thousands_of_closed_statements_have_left_is_given_back() {
        let mut log = Log::default();
        for id in 1..=20_000 {
            let key = Key::Statement(ClientStmtId(id));
            assert!(log.push(u64::from(id), &key, &[b'p'; 40], None));
        }
        let full = log.capacity();
        for id in 1..=20_000 {
            log.remove_statement(ClientStmtId(id));
        }
        assert_eq!(log.len(), 0);
        assert!(log.capacity() < full / 100, "{} of {full}", log.capacity());
    }
}
