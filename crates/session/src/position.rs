//! How far replication has come: what a service knows of the writes that went through it, and what a
//! router wants a server to have before it reads there.
//!
//! Left out: when a read has to wait (a router's decision), and how it waits (`waiting`).

use std::sync::OnceLock; // tidy: allow(pure): a field's type, no global
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tidegate_wire::{Domain, Gtid, GtidList};

use crate::fault::ErrReply;
use crate::ids::TargetId;

/// The most replication domains a service keeps apart.
const DOMAINS: usize = 32;

/// The position of the last write that each domain has acknowledged through a service, written by
/// all workers and read by all of them without a lock.
///
/// Why no read misses a write that was acknowledged before it: a worker raises the position while
/// it handles the server's OK packet, before it hands that packet to the kernel; whoever reads
/// afterwards has heard of the OK, directly or not, through sockets, which order what came before
/// them. A domain's sequence only grows, by one atomic maximum, so a later load sees that number or a
/// greater one. Domains need no common snapshot: each acknowledged write is in one of them.
///
/// The server's number beside it is for people: between two writers it may belong to the other's
/// transaction, which no wait looks at.
#[derive(Debug, Default)]
pub struct ServicePosition {
    domains: [Slot; DOMAINS],
    /// A domain found no room: what was written in it is not known.
    overflowed: AtomicBool,
    /// So many writes were acknowledged of which nobody could say where they are.
    untold: AtomicU64,
    /// So many of them were acknowledged before a write was sent that has told its own position since,
    /// and so lie before that.
    covered: AtomicU64,
}

/// One domain's place.
#[derive(Debug, Default)]
struct Slot {
    /// Whose it is, once it is anybody's.
    domain: OnceLock<Domain>, // tidy: allow(pure): set once in a place that is shared, no global
    /// The last transaction's number; 0: none.
    sequence: AtomicU64,
    server: AtomicU32,
}

impl ServicePosition {
    /// A write was acknowledged.
    pub fn raise(&self, id: Gtid) {
        for slot in &self.domains {
            if *slot.domain.get_or_init(|| id.domain) == id.domain {
                let before = slot.sequence.fetch_max(id.sequence, Ordering::SeqCst);
                if before < id.sequence {
                    slot.server.store(id.server, Ordering::SeqCst);
                }
                return;
            }
        }
        self.overflowed.store(true, Ordering::SeqCst);
    }

    /// A write was acknowledged, and nobody can say where it is: until a later one tells, only the
    /// primary is sure to have it.
    pub fn lose(&self) {
        self.untold.fetch_add(1, Ordering::SeqCst);
    }

    /// How many such writes there have been: asked before a write is sent, for [`ServicePosition::cover`].
    #[must_use]
    pub fn untold(&self) -> u64 {
        self.untold.load(Ordering::SeqCst)
    }

    /// A write has told its position that was sent when there had been so many others that could not.
    pub fn cover(&self, untold: u64) {
        if self.covered.load(Ordering::SeqCst) < untold {
            self.covered.fetch_max(untold, Ordering::SeqCst);
        }
    }

    /// Are all acknowledged writes known to be where [`ServicePosition::get`] says?
    #[must_use]
    pub fn is_known(&self) -> bool {
        let covered = self.covered.load(Ordering::SeqCst);
        covered >= self.untold() && !self.is_overflowed()
    }

    /// How far the acknowledged writes have come that could tell; `None`: there are more domains than
    /// can be kept apart.
    #[must_use]
    pub fn get(&self) -> Option<GtidList> {
        if self.is_overflowed() {
            return None;
        }
        let known = self
            .domains
            .iter()
            .map_while(|slot| Some((*slot.domain.get()?, slot)))
            .map(|(domain, slot)| Gtid {
                domain,
                server: slot.server.load(Ordering::SeqCst),
                sequence: slot.sequence.load(Ordering::SeqCst),
            });
        Some(known.filter(|id| id.sequence > 0).collect())
    }

    /// Is it no longer known what was written in some domain?
    fn is_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::SeqCst)
    }

    /// Forgets everything: the servers' positions have begun anew.
    pub fn reset(&self) {
        for slot in &self.domains {
            slot.sequence.store(0, Ordering::SeqCst);
        }
        self.overflowed.store(false, Ordering::SeqCst);
        self.cover(self.untold());
    }
}

/// What must hold before a command runs on the target that a router chose for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The server has reached a position. If it has not in time, the router is told so by
    /// [`RouterSession::on_behind`](crate::router::RouterSession::on_behind).
    Reach(Wait),
    /// This target has told how far it is. The router hears of it as [`Told::Is`], and is then
    /// asked again where the command goes.
    Ask(TargetId),
    /// What cannot be had: the client gets this error.
    Refuse(ErrReply),
}

/// A position to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What the server must have applied.
    pub position: GtidList,
    /// How long the server waits for it.
    pub timeout: Duration,
}

/// What a server says of its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A statement or COMMIT wrote this transaction; its answer is on the way to the client.
    Wrote(Gtid),
    /// The answer to [`Before::Ask`].
    Is(&'a GtidList),
    /// A statement has succeeded on a connection that cannot say what it wrote.
    Unknown,
}

/// What becomes of a command whose server did not reach the position in time. It has not run.
#[derive(Debug, Clone, PartialEq)]
pub enum Behind {
    /// It is routed again.
    Reroute,
    /// The client gets this error.
    Fail(ErrReply),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> GtidList {
        text.parse().expect("ids")
    }

    fn raise(position: &ServicePosition, text: &str) {
        for id in ids(text).iter() {
            position.raise(id);
        }
    }

    #[test]
    fn the_last_of_each_domain_is_kept() {
        let position = ServicePosition::default();
        assert_eq!(position.get(), Some(ids("")));
        raise(&position, "3-7-5");
        raise(&position, "0-1-57,3-8-4");
        assert_eq!(position.get(), Some(ids("0-1-57,3-7-5")));
        position.reset();
        assert_eq!(position.get(), Some(ids("")));
        raise(&position, "3-1-2");
        assert_eq!(position.get(), Some(ids("3-1-2")));
    }

    #[test]
    fn too_many_domains_are_admitted_to() {
        let position = ServicePosition::default();
        for domain in 0..=DOMAINS as u32 {
            position.raise(Gtid {
                domain: Domain::Number(domain),
                server: 1,
                sequence: 1,
            });
        }
        assert_eq!(position.get(), None);
        position.reset();
        assert_eq!(position.get(), Some(ids("")));
    }

    #[test]
    fn a_write_that_cannot_tell_is_covered_by_one_that_was_sent_after_it() {
        let position = ServicePosition::default();
        assert!(position.is_known());
        let sent_before = position.untold();
        position.lose();
        position.cover(sent_before);
        assert!(!position.is_known());
        position.cover(position.untold());
        assert!(position.is_known());
        position.lose();
        position.reset();
        assert!(position.is_known());
    }

    #[test]
    fn writers_side_by_side_lose_nothing() {
        let position = ServicePosition::default();
        std::thread::scope(|scope| {
            for server in 1..=4u32 {
                let position = &position;
                scope.spawn(move || {
                    for sequence in 1..=2000 {
                        for domain in [0, server % 2 + 1].map(Domain::Number) {
                            let id = Gtid {
                                domain,
                                server,
                                sequence,
                            };
                            position.raise(id);
                            let seen = position.get().expect("room");
                            assert!(seen.sequence(domain) >= Some(sequence));
                        }
                    }
                });
            }
        });
        let end = position.get().expect("room");
        assert_eq!(
            end.iter().map(|id| id.sequence).collect::<Vec<_>>(),
            [2000; 3]
        );
    }
}
