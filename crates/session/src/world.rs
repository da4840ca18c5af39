//! The servers as a session sees them: an immutable view that monitors renew, and counters.
//!
//! A worker holds one [`ServerViews`] and lends it to every entry point. A monitor's tick makes a
//! new one; a session never keeps a reference into it, only [`ServerId`]s, which stay valid for
//! the life of the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock; // tidy: allow(pure): for the shards of workers that come later
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_wire::GtidList;
use tidegate_wire::caps::Caps;
use tidegate_wire::compress::Method;
pub use tidegate_wire::proxy_header::Version as ProxyHeader;
use tidegate_wire::version::SESSION_AUTHORIZATION;

use crate::average::Average;
use crate::histogram::{Decades, Histogram};
use crate::ids::ServerId;

/// What monitors (and administrators) say of a server: a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ServerStatus(pub u32);

impl ServerStatus {
    /// Answers.
    pub const RUNNING: ServerStatus = ServerStatus(1);
    /// Takes writes; shown as `Master`.
    pub const MASTER: ServerStatus = ServerStatus(1 << 1);
    /// Replicates; shown as `Slave`.
    pub const SLAVE: ServerStatus = ServerStatus(1 << 2);
    /// Replicates and is replicated from; shown as `Relay Master`.
    pub const RELAY: ServerStatus = ServerStatus(1 << 3);
    /// A Galera node that takes part; shown as `Synced`.
    pub const JOINED: ServerStatus = ServerStatus(1 << 4);
    /// No new connections, old ones end at their next rest.
    pub const MAINTENANCE: ServerStatus = ServerStatus(1 << 5);
    /// Old connections end at once: a maintenance by force.
    pub const EVICTED: ServerStatus = ServerStatus(1 << 7);
    /// No new connections, old ones go on.
    pub const DRAINING: ServerStatus = ServerStatus(1 << 6);

    /// Are all of these bits set?
    #[inline]
    #[must_use]
    pub fn has(self, bits: ServerStatus) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// Is any of these bits set?
    #[inline]
    #[must_use]
    pub fn any(self, bits: ServerStatus) -> bool {
        self.0 & bits.0 != 0
    }

    /// Both sets together.
    #[inline]
    #[must_use]
    pub fn with(self, bits: ServerStatus) -> ServerStatus {
        ServerStatus(self.0 | bits.0)
    }

    /// This set without `bits`.
    #[inline]
    #[must_use]
    pub fn without(self, bits: ServerStatus) -> ServerStatus {
        ServerStatus(self.0 & !bits.0)
    }

    /// May an open connection be used?
    #[inline]
    #[must_use]
    pub fn usable(self) -> bool {
        self.has(ServerStatus::RUNNING)
    }

    /// May a new connection be opened?
    #[inline]
    #[must_use]
    pub fn connectable(self) -> bool {
        self.usable() && !self.any(ServerStatus::MAINTENANCE.with(ServerStatus::DRAINING))
    }
}

impl std::fmt::Debug for ServerStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [
            (ServerStatus::MAINTENANCE, "Maintenance"),
            (ServerStatus::DRAINING, "Draining"),
            (ServerStatus::MASTER, "Master"),
            (ServerStatus::RELAY, "Relay Master"),
            (ServerStatus::SLAVE, "Slave"),
            (ServerStatus::JOINED, "Synced"),
            (ServerStatus::RUNNING, "Running"),
        ];
        let words: Vec<&str> = names
            .iter()
            .filter(|(bit, _)| self.has(*bit))
            .map(|(_, word)| *word)
            .collect();
        f.write_str(if words.is_empty() { "Down" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// Servers of the better rank are used first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rank {
    /// The default, and the better one.
    #[default]
    Primary,
    /// Used when no primary-ranked target will do.
    Secondary,
}

/// How connections to a server are kept that no session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolRules {
    /// The most, in all workers (`persistpoolmax`).
    pub most: u64,
    /// How long one is kept at most (`persistmaxtime`).
    pub max_age: Duration,
}

/// One server at one moment.
#[derive(Debug, Clone)]
pub struct ServerView {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its state bits.
    pub status: ServerStatus,
    /// Replication lag; `None`: unknown.
    pub lag: Option<Duration>,
    /// How far replication has come there; `None`: unknown, or nobody wants to know.
    pub position: Option<Arc<GtidList>>,
    /// Its rank.
    pub rank: Rank,
    /// Version as `major * 10000 + minor * 100 + patch`; 0: not known yet.
    pub version: u64,
    /// The version text of its greeting; empty: not known yet.
    pub version_string: Arc<str>,
    /// A MySQL server, not a MariaDB one?
    pub mysql_family: bool,
    /// Capabilities of its greeting; `None`: not known yet.
    pub caps: Option<Caps>,
    /// The default collation of its greeting.
    pub collation: u8,
    /// Those of its global variables that somebody wants to know.
    pub variables: Arc<BTreeMap<String, String>>,
    /// Connections to it are encrypted.
    pub tls: bool,
    /// How long a connection may take until it is usable; `None`: no monitor says.
    pub connect_timeout: Option<Duration>,
    /// Connections that sessions leave behind are kept for others; `None`: they are closed.
    pub pool: Option<PoolRules>,
    /// It wants to know the clients' addresses, in a PROXY header of this form.
    pub proxy_header: Option<ProxyHeader>,
    /// How bytes are compressed on connections to it, if it offers that.
    pub compression: Option<Method>,
    /// Connections may be logged in with the service's account (`use_service_credentials`).
    pub as_service: bool,
    /// Its counters, the same object in every view.
    pub counters: Arc<Counters<ServerShard>>,
}

impl ServerView {
    /// Can a connection that was logged in with the service's account turn into a client's? Where the
    /// server is told in a PROXY header where clients are, it would look for the service there.
    #[must_use]
    pub fn lets_service_in(&self) -> bool {
        self.as_service
            && !self.mysql_family
            && self.version >= u64::from(SESSION_AUTHORIZATION)
            && self.proxy_header.is_none()
    }
}

/// All servers at one moment, in the order of [`ServerId`].
#[derive(Debug, Clone, Default)]
pub struct ServerViews(pub Vec<ServerView>);

impl ServerViews {
    /// The view of one server.
    #[inline]
    #[must_use]
    pub fn get(&self, id: ServerId) -> Option<&ServerView> {
        self.0.get(id.0 as usize)
    }
}

/// A counter that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Sets; only the owning worker may.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds; only the owning worker may.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(amount),
            Ordering::Relaxed,
        );
    }

    /// Takes away; only the owning worker may. A gauge's total over all shards never goes below 0.
    #[inline]
    pub fn sub(&self, amount: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_sub(amount),
            Ordering::Relaxed,
        );
    }

    /// Raises to `value` if that is more; only the owning worker may.
    #[inline]
    pub fn raise(&self, value: u64) {
        if value > self.get() {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    /// Reads.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters split by worker, so that no cache line is written by two of them.
#[derive(Debug)]
pub struct Counters<S> {
    /// Of the workers that there are from the beginning. Each may be held by what belongs to its worker.
    shards: Box<[Arc<S>]>,
    /// Of those that may be added, each made by its worker.
    // tidy: allow(pure): a shard that is made when it is first written to, nothing global
    later: Box<[OnceLock<Arc<S>>]>,
    /// Behind the last of those that was made: nobody who adds up looks further.
    later_end: AtomicUsize,
}

impl<S: Default> Counters<S> {
    /// One shard for each of `workers` (at least one).
    #[must_use]
    pub fn new(workers: usize) -> Counters<S> {
        Counters::with_room(workers, workers)
    }

    /// The same, with room for as many as `most` workers in time to come.
    #[must_use]
    pub fn with_room(workers: usize, most: usize) -> Counters<S> {
        let workers = workers.max(1);
        Counters {
            shards: (0..workers).map(|_| Arc::default()).collect(),
            // tidy: allow(pure): see the field
            later: (workers..most).map(|_| OnceLock::new()).collect(),
            later_end: AtomicUsize::new(0),
        }
    }

    /// The shard that worker number `worker` may write.
    #[inline]
    #[must_use]
    pub fn shard(&self, worker: usize) -> &Arc<S> {
        match self.shards.get(worker) {
            Some(shard) => shard,
            None => self.later_shard(worker - self.shards.len()),
        }
    }

    #[cold]
    #[allow(clippy::indexing_slicing, reason = "there is at least one")]
    fn later_shard(&self, place: usize) -> &Arc<S> {
        match self.later.get(place) {
            Some(shard) => shard.get_or_init(|| {
                self.later_end.fetch_max(place + 1, Ordering::Relaxed);
                Arc::default()
            }),
            None => &self.shards[0],
        }
    }

    /// The sum of one counter over all workers; right for gauges too, whose shards may wrap.
    #[inline]
    #[must_use]
    pub fn sum(&self, field: impl Fn(&S) -> &Count) -> u64 {
        let add = |total: u64, shard: &S| total.wrapping_add(field(shard).get());
        let own = self.shards.iter().map(|shard| &**shard);
        let total = own.fold(0, add);
        match self.later_end.load(Ordering::Relaxed) {
            0 => total,
            _ => self.made_later().fold(total, add),
        }
    }

    /// What a gauge shows over all workers at this moment. Exact but for what other workers change
    /// while it is read.
    #[must_use]
    pub fn now(&self, gauge: impl Fn(&S) -> &Count) -> u64 {
        let sum = self.sum(gauge);
        // Read between two changes of one thing by two workers, it may have gone below zero.
        if sum > u64::MAX / 2 { 0 } else { sum }
    }

    /// The highest of all workers.
    #[must_use]
    pub fn highest(&self, field: impl Fn(&S) -> &Count) -> u64 {
        let values = self.iter().map(|shard| field(shard).get());
        values.max().unwrap_or(0)
    }

    /// All shards, for figures that are neither sums nor maxima.
    pub fn iter(&self) -> impl Iterator<Item = &S> + Clone {
        self.shards
            .iter()
            .map(|shard| &**shard)
            .chain(self.made_later())
    }

    fn made_later(&self) -> impl Iterator<Item = &S> + Clone {
        let end = self.later_end.load(Ordering::Relaxed);
        let made = self.later.get(..end).unwrap_or_default();
        // tidy: allow(pure): see the field
        made.iter().filter_map(OnceLock::get).map(|shard| &**shard)
    }
}

/// One worker's counters for one server.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ServerShard {
    /// Statements in progress (gauge).
    pub operations: Count,
    /// Open connections of sessions (gauge).
    pub connections: Count,
    /// Connections ever opened.
    pub total_connections: Count,
    /// Most connections of sessions at once in all workers, as this worker saw it when it opened one.
    pub max_connections: Count,
    /// Connections that failed to open.
    pub failed_connections: Count,
    /// Logins that the server refused.
    pub failed_logins: Count,
    /// Connections that no session has, kept for the next (gauge).
    pub pooled: Count,
    /// Most of them at once in all workers, as this worker saw it when it kept one.
    pub max_pooled: Count,
    /// Connections that sessions got from there.
    pub reused: Count,
    /// Connections that had to be opened because there was none that fitted.
    pub pool_empty: Count,
    /// Commands sent.
    pub packets: Count,
    /// Reads sent, as the routers count them.
    pub reads: Count,
    /// Writes sent, as the routers count them.
    pub writes: Count,
    /// How long reads took.
    pub read_times: Histogram,
    /// The moving average of the time until the first byte of a read's answer.
    pub first_bytes: Average,
    /// The same by powers of ten.
    pub read_decades: Decades,
    /// How long writes took.
    pub write_times: Histogram,
    /// The same by powers of ten.
    pub write_decades: Decades,
    /// How long the commands took that nobody looked at.
    pub other_times: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_come_later_are_counted() {
        let counters: Counters<Count> = Counters::with_room(2, 6);
        counters.shard(1).add(1);
        assert_eq!(
            (counters.sum(|shard| shard), counters.iter().count()),
            (1, 2)
        );
        counters.shard(4).add(20);
        counters.shard(3).add(300);
        assert_eq!(counters.sum(|shard| shard), 321);
        assert_eq!(counters.highest(|shard| shard), 300);
        assert_eq!(
            counters.iter().count(),
            4,
            "those that nobody wrote are not made"
        );
        counters.shard(5).add(4000);
        assert_eq!(counters.now(|shard| shard), 4321);
    }
}
