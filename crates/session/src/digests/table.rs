//! A table of the statements that were sent most: the space-saving algorithm.
//!
//! When the table is full, a statement that is not in it takes the place of the one that was sent
//! least, and may have been sent as often as that one before nobody looked. So a statement that is
//! more than one in `max` of all that were sent is always in the table, and what a statement may
//! have been sent before it came in (`missed`) is never more than one in `max` of all.
//! (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data
//! Streams, 2005.)
//!
//! The least is found with a heap whose keys are allowed to be too low: a statement that is in the
//! table costs no look at the heap, and a key that is found too low is put right then.

use crate::histogram::{Coarse, Took};
use crate::ids::ServerId;
use crate::time::WallTime;

/// The longest canonical text that is kept whole.
pub const TEXT_BYTES: usize = 1024;

/// How many servers are told apart for one statement.
const MAX_SERVERS: usize = 16;

/// A statement in the table.
#[derive(Debug)]
pub(super) struct Slot {
    key: u64,
    /// The digest of the whole canonical text, the same in every process.
    pub(super) id: u64,
    pub(super) text: Vec<u8>,
    pub(super) cut: bool,
    /// Sent since it came in.
    pub(super) count: u64,
    /// Sent at most that often before.
    pub(super) missed: u64,
    pub(super) errors: u64,
    pub(super) rows: u64,
    pub(super) times: Coarse,
    pub(super) servers: Vec<(ServerId, u64)>,
    pub(super) first_seen: WallTime,
    pub(super) last_seen: WallTime,
}

impl Slot {
    fn rank(&self) -> u64 {
        self.count + self.missed
    }
}

/// How a statement ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) server: ServerId,
    pub(crate) took: Took,
    pub(crate) rows: u64,
    pub(crate) error: bool,
}

/// The statements of one service on one worker.
#[derive(Debug)]
pub(super) struct Table {
    max: usize,
    slots: Vec<Slot>,
    /// Open addressing: numbers of slots from 1 on, at most half of it taken.
    index: Vec<u32>,
    /// Ranks that were true once, and slots: the least first. Empty until the table is full.
    heap: Vec<(u64, u32)>,
    /// Statements sent that had no digest.
    pub(super) unnamed: u64,
    /// Scratch for canonical texts.
    text: Vec<u8>,
}

impl Table {
    pub(super) fn new(max: usize) -> Table {
        Table {
            max,
            slots: Vec::new(),
            index: vec![0; (max * 2).next_power_of_two().max(2)],
            heap: Vec::new(),
            unnamed: 0,
            text: Vec::new(),
        }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Another limit begins the table anew.
    pub(super) fn set_max(&mut self, max: usize) {
        if max != self.max {
            *self = Table::new(max);
        }
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What a statement that is not in the table may have been sent, at most.
    pub(super) fn floor(&self) -> u64 {
        if self.slots.len() < self.max {
            return 0;
        }
        self.slots.iter().map(Slot::rank).min().unwrap_or(0)
    }

    /// The statement's slot, new or not.
    #[inline]
    pub(super) fn sent(
        &mut self,
        key: u64,
        wall: WallTime,
        text: impl FnOnce(&mut Vec<u8>),
    ) -> Option<u32> {
        if let Some(slot) = self.find(key)
            && let Some(known) = self.slots.get_mut(slot as usize)
        {
            known.count += 1;
            known.last_seen = wall;
            return Some(slot);
        }
        self.enter(key, wall, text)
    }

    #[inline]
    pub(super) fn answered(&mut self, place: super::Place, answer: Answered) {
        let Some(slot) = self.slots.get_mut(place.slot as usize) else {
            return;
        };
        // Another may have taken its place meanwhile.
        if slot.key != place.digest {
            return;
        }
        slot.times.record(answer.took);
        slot.errors += u64::from(answer.error);
        slot.rows += answer.rows;
        let known = slot
            .servers
            .iter_mut()
            .find(|(server, _)| *server == answer.server);
        if let Some((_, count)) = known {
            *count += 1;
        } else if slot.servers.len() < MAX_SERVERS {
            slot.servers.push((answer.server, 1));
        }
    }

    #[inline]
    fn find(&self, key: u64) -> Option<u32> {
        let mut at = self.home(key);
        loop {
            let slot = self.index.get(at)?.checked_sub(1)?;
            if self.slots.get(slot as usize)?.key == key {
                return Some(slot);
            }
            at = self.next(at);
        }
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        // The length is a power of two.
        key as usize & (self.index.len() - 1)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.index.len() - 1)
    }

    #[cold]
    fn enter(&mut self, key: u64, wall: WallTime, text: impl FnOnce(&mut Vec<u8>)) -> Option<u32> {
        text(&mut self.text);
        let slot = if self.slots.len() < self.max {
            self.slots.push(Slot {
                key,
                id: 0,
                text: Vec::new(),
                cut: false,
                count: 0,
                missed: 0,
                errors: 0,
                rows: 0,
                times: Coarse::default(),
                servers: Vec::new(),
                first_seen: wall,
                last_seen: wall,
            });
            u32::try_from(self.slots.len() - 1).ok()?
        } else {
            self.take_over()?
        };
        let kept = self.slots.get_mut(slot as usize)?;
        kept.key = key;
        kept.id = tidegate_sql::digest(&self.text);
        kept.cut = self.text.len() > TEXT_BYTES;
        kept.text.clear();
        let whole = self.text.len().min(TEXT_BYTES);
        kept.text
            .extend_from_slice(self.text.get(..whole).unwrap_or_default());
        kept.count = 1;
        kept.first_seen = wall;
        kept.last_seen = wall;
        if self.text.capacity() > 4 * TEXT_BYTES {
            self.text = Vec::new();
        }
        self.link(key, slot);
        Some(slot)
    }

    /// Empties the slot of the statement that was sent least.
    fn take_over(&mut self) -> Option<u32> {
        if self.heap.is_empty() {
            let ranks = self.slots.iter().map(Slot::rank).zip(0..);
            self.heap = ranks.collect();
            // A sorted list is a heap.
            self.heap.sort_unstable();
        }
        loop {
            let (known, slot) = *self.heap.first()?;
            let rank = self.slots.get(slot as usize)?.rank();
            if rank == known {
                self.unlink(slot);
                let taken = self.slots.get_mut(slot as usize)?;
                taken.missed = rank;
                taken.errors = 0;
                taken.rows = 0;
                taken.times = Coarse::default();
                taken.servers.clear();
                self.set_first(rank + 1);
                return Some(slot);
            }
            self.set_first(rank);
        }
    }

    /// Raises the first key of the heap and puts it where it belongs.
    fn set_first(&mut self, rank: u64) {
        if let Some((key, _)) = self.heap.first_mut() {
            *key = rank;
        }
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            let key = |ix: usize| self.heap.get(ix).map(|(key, _)| *key);
            let Some(least) = [left, left + 1]
                .into_iter()
                .filter(|ix| *ix < self.heap.len())
                .min_by_key(|ix| key(*ix))
            else {
                return;
            };
            if key(at) <= key(least) {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    fn link(&mut self, key: u64, slot: u32) {
        let mut at = self.home(key);
        while self.index.get(at).is_some_and(|taken| *taken != 0) {
            at = self.next(at);
        }
        if let Some(place) = self.index.get_mut(at) {
            *place = slot + 1;
        }
    }

    /// Takes a slot out of the index; what stands behind it moves up.
    fn unlink(&mut self, slot: u32) {
        let Some(key) = self.slots.get(slot as usize).map(|slot| slot.key) else {
            return;
        };
        let mut at = self.home(key);
        while self.index.get(at).is_some_and(|taken| *taken != slot + 1) {
            if self.index.get(at) == Some(&0) {
                return;
            }
            at = self.next(at);
        }
        let mut hole = at;
        loop {
            if let Some(place) = self.index.get_mut(hole) {
                *place = 0;
            }
            loop {
                at = self.next(at);
                let Some(other) = self.index.get(at).and_then(|taken| taken.checked_sub(1)) else {
                    return;
                };
                let Some(key) = self.slots.get(other as usize).map(|slot| slot.key) else {
                    return;
                };
                let mask = self.index.len() - 1;
                let from_home = at.wrapping_sub(self.home(key)) & mask;
                let from_hole = at.wrapping_sub(hole) & mask;
                // It may move to the hole if that does not lie before its home.
                if from_home >= from_hole {
                    if let Some(place) = self.index.get_mut(hole) {
                        *place = other + 1;
                    }
                    hole = at;
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::Place;
    use super::*;

    fn send(table: &mut Table, key: u64) {
        table.sent(key, WallTime(key as i64), |out| {
            out.clear();
            out.extend_from_slice(key.to_string().as_bytes());
        });
    }

    #[test]
    fn a_statement_that_lost_its_place_is_not_counted_for_the_next() {
        let mut table = Table::new(1);
        send(&mut table, 1);
        let answer = Answered {
            server: ServerId(0),
            took: Took::new(5),
            rows: 3,
            error: true,
        };
        send(&mut table, 2);
        table.answered(Place { slot: 0, digest: 1 }, answer);
        assert_eq!(table.slots()[0].rows, 0);
        table.answered(Place { slot: 0, digest: 2 }, answer);
        assert_eq!((table.slots()[0].rows, table.slots()[0].errors), (3, 1));
        assert_eq!((table.slots()[0].count, table.slots()[0].missed), (1, 1));
    }

    #[test]
    fn a_statement_takes_at_most_two_kibibytes() {
        let server = size_of::<(ServerId, u64)>();
        let tables = 4 * size_of::<u32>() + size_of::<(u64, u32)>();
        let most = size_of::<Slot>() + TEXT_BYTES + MAX_SERVERS * server + tables;
        assert!(most <= 2048, "{most}");
    }

    #[test]
    fn long_texts_are_cut_and_keep_their_own_digest() {
        let mut table = Table::new(4);
        for (key, tail) in [(1, b'a'), (2, b'b')] {
            table.sent(key, WallTime(0), |out| {
                out.clear();
                out.resize(2 * TEXT_BYTES, b'x');
                out.push(tail);
            });
        }
        let [first, second] = table.slots() else {
            panic!("two slots")
        };
        assert!(first.cut && second.cut && first.text == second.text);
        assert_ne!(first.id, second.id);
    }

    proptest! {
        /// What the algorithm promises, for streams of many and few different statements.
        #[test]
        fn what_is_frequent_is_in_the_table(
            max in 1usize..20,
            stream in prop::collection::vec(0u64..60, 0..600),
            // Keys that collide in the index.
            stride in prop::sample::select(vec![1u64, 64, 1 << 40]),
        ) {
            let mut table = Table::new(max);
            let mut exact: BTreeMap<u64, u64> = BTreeMap::new();
            for number in &stream {
                // A few are much more frequent than the rest.
                let key = number % 7 * (number % 5) * stride;
                send(&mut table, key);
                *exact.entry(key).or_default() += 1;
            }
            let total = stream.len() as u64;
            let floor = table.floor();
            prop_assert!(floor <= total / max as u64);
            for (key, count) in &exact {
                match table.find(*key) {
                    Some(slot) => {
                        let slot = &table.slots()[slot as usize];
                        prop_assert!(slot.count <= *count);
                        prop_assert!(*count <= slot.count + slot.missed);
                        prop_assert!(slot.missed <= total / max as u64);
                    }
                    None => prop_assert!(*count <= floor),
                }
            }
            prop_assert_eq!(
                table.slots().iter().map(Slot::rank).sum::<u64>(), total,
                "every statement was counted once"
            );
        }
    }
}
