//! The tables of several workers together.

use std::collections::BTreeMap;

use super::table::{Slot, Table};
use crate::histogram::Coarse;
use crate::ids::ServerId;
use crate::time::WallTime;

/// A statement without its literals, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The digest of the canonical text, the same in every process.
    pub id: u64,
    /// The canonical text, or its first [`TEXT_BYTES`](super::TEXT_BYTES).
    pub text: Vec<u8>,
    /// It is longer than that.
    pub cut: bool,
    /// How often it was sent since it came into the table.
    pub count: u64,
    /// How often it may have been sent before without being noticed, at most.
    pub missed: u64,
    /// Answers that were errors.
    pub errors: u64,
    /// Rows in the answers.
    pub rows: u64,
    /// How long the answers took.
    pub times: Coarse,
    /// Which servers answered, and how often.
    pub servers: Vec<(ServerId, u64)>,
    /// When it came into the table.
    pub first_seen: WallTime,
    /// When it was sent last.
    pub last_seen: WallTime,
}

impl Digest {
    fn of(slot: &Slot) -> Digest {
        Digest {
            id: slot.id,
            text: slot.text.clone(),
            cut: slot.cut,
            count: slot.count,
            missed: slot.missed,
            errors: slot.errors,
            rows: slot.rows,
            times: slot.times.clone(),
            servers: slot.servers.clone(),
            first_seen: slot.first_seen,
            last_seen: slot.last_seen,
        }
    }

    /// The same statement, never sent.
    fn unsent(like: &Digest) -> Digest {
        Digest {
            text: like.text.clone(),
            count: 0,
            missed: 0,
            errors: 0,
            rows: 0,
            times: Coarse::default(),
            servers: Vec::new(),
            ..*like
        }
    }

    fn add(&mut self, other: &Digest) {
        self.count += other.count;
        self.missed += other.missed;
        self.errors += other.errors;
        self.rows += other.rows;
        self.times.merge(&other.times);
        for (server, count) in &other.servers {
            match self.servers.iter_mut().find(|(known, _)| known == server) {
                Some((_, sum)) => *sum += count,
                None => self.servers.push((*server, *count)),
            }
        }
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// The statements of one service, of one worker or several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests {
    /// In no particular order; merged, each id once.
    pub list: Vec<Digest>,
    /// What a statement that is not in the list may have been sent, at most.
    pub floor: u64,
    /// Statements sent that have no digest: longer than what is made canonical.
    pub unnamed: u64,
}

impl Digests {
    pub(super) fn of(table: &Table) -> Digests {
        Digests {
            list: table.slots().iter().map(Digest::of).collect(),
            floor: table.floor(),
            unnamed: table.unnamed,
        }
    }

    /// Those of several workers. Each of them may have missed what others have.
    #[must_use]
    pub fn merge<'a>(parts: impl IntoIterator<Item = &'a Digests>) -> Digests {
        let mut whole = Digests::default();
        let mut by_id: BTreeMap<u64, Merged> = BTreeMap::new();
        for (number, part) in parts.into_iter().enumerate() {
            whole.floor += part.floor;
            whole.unnamed += part.unnamed;
            for digest in &part.list {
                let merged = by_id.entry(digest.id).or_insert_with(|| Merged {
                    digest: Digest::unsent(digest),
                    floors: 0,
                    last: None,
                });
                merged.digest.add(digest);
                // One text has a place in a table for each sql_mode that it was read in.
                if merged.last.replace(number) != Some(number) {
                    merged.floors += part.floor;
                }
            }
        }
        let floor = whole.floor;
        whole.list = by_id
            .into_values()
            .map(|mut merged| {
                merged.digest.missed += floor.saturating_sub(merged.floors);
                merged.digest
            })
            .collect();
        whole
    }
}

/// A statement of several parts.
struct Merged {
    digest: Digest,
    /// The floors of the parts that have it.
    floors: u64,
    /// The last of them.
    last: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(id: u64, count: u64, server: u32) -> Digest {
        Digest {
            id,
            text: id.to_string().into_bytes(),
            cut: false,
            count,
            missed: 0,
            errors: 1,
            rows: 10,
            times: Coarse::default(),
            servers: vec![(ServerId(server), count)],
            first_seen: WallTime(count as i64),
            last_seen: WallTime(count as i64),
        }
    }

    #[test]
    fn workers_together() {
        let one = Digests {
            list: vec![digest(1, 5, 0), digest(2, 3, 0)],
            floor: 2,
            unnamed: 1,
        };
        let other = Digests {
            list: vec![digest(1, 7, 1)],
            floor: 0,
            unnamed: 1,
        };
        let whole = Digests::merge([&one, &other]);
        assert_eq!((whole.floor, whole.unnamed), (2, 2));
        let [first, second] = whole.list.as_slice() else {
            panic!("two statements")
        };
        assert_eq!(
            (first.count, first.missed, first.errors, first.rows),
            (12, 0, 2, 20)
        );
        assert_eq!(first.servers, [(ServerId(0), 5), (ServerId(1), 7)]);
        assert_eq!(
            (first.first_seen, first.last_seen),
            (WallTime(5), WallTime(7))
        );
        // The other worker has room and does not have it: it was not sent there.
        assert_eq!((second.count, second.missed), (3, 0));
        let third = Digests::merge([&other, &one]);
        assert_eq!(third.floor, 2);
    }

    #[test]
    fn a_full_table_may_have_missed_what_another_has() {
        let full = Digests {
            list: vec![digest(1, 5, 0)],
            floor: 5,
            unnamed: 0,
        };
        let other = Digests {
            list: vec![digest(2, 9, 0)],
            floor: 0,
            unnamed: 0,
        };
        let whole = Digests::merge([&full, &other]);
        let missed: Vec<_> = whole.list.iter().map(|digest| digest.missed).collect();
        assert_eq!(missed, [0, 5]);
    }
}
