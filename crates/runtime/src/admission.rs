//! How many there are: sessions of a service, for its `max_connections`, connections to a server, for
//! its `max_routing_connections`, and sessions of a worker, to find the lightest. Touched when one
//! begins and when it ends, never in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counts the sessions of one service, or the connections to one server, over all workers.
#[derive(Debug, Default)]
pub struct Admission {
    sessions: AtomicU64,
}

impl Admission {
    /// Reserves a place, unless `limit` (0: none) are taken.
    pub(crate) fn enter(self: &Arc<Self>, limit: u64) -> Option<Place> {
        let before = self.sessions.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        (limit == 0 || before < limit).then_some(place)
    }
}

/// The place of one of them; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Admission>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many sessions each worker has, those on their way to it included.
#[derive(Debug)]
pub(crate) struct Loads {
    each: Box<[Load]>,
    /// The first so many take sessions.
    active: AtomicUsize,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Load(AtomicU64);

impl Loads {
    /// For `most` workers, all of which take sessions.
    pub(crate) fn new(most: usize) -> Loads {
        Loads {
            each: (0..most).map(|_| Load::default()).collect(),
            active: AtomicUsize::new(most),
        }
    }

    /// From now on the first `active` workers take sessions.
    pub(crate) fn set_active(&self, active: usize) {
        self.active.store(active, Ordering::Relaxed);
    }

    /// How many workers take sessions; at least one.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed).max(1)
    }

    /// Counts a session for `worker`.
    pub(crate) fn ticket(self: &Arc<Self>, worker: usize) -> Ticket {
        self.each[worker].0.fetch_add(1, Ordering::Relaxed);
        Ticket {
            loads: Arc::clone(self),
            worker,
        }
    }

    /// Who should take a session that `worker` accepted: itself, unless another has clearly fewer, or
    /// it takes none any more.
    pub(crate) fn best(&self, worker: usize) -> usize {
        let load = |worker: usize| self.each[worker].0.load(Ordering::Relaxed);
        let active = self.active.load(Ordering::Relaxed);
        let lightest = (0..active)
            .min_by_key(|other| load(*other))
            .unwrap_or(worker);
        let least = load(lightest);
        // Exact while they are few; an eighth more is not worth a hand-over.
        if worker >= active || load(worker) > least + least / 8 {
            lightest
        } else {
            worker
        }
    }
}

/// One session in a worker's load; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    loads: Arc<Loads>,
    worker: usize,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.loads.each[self.worker]
            .0
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_ends() {
        let service = Arc::new(Admission::default());
        let places: Vec<_> = (0..3).filter_map(|_| service.enter(2)).collect();
        assert_eq!(places.len(), 2);
        assert!(service.enter(2).is_none());
        drop(places);
        assert!(service.enter(2).is_some());
    }

    #[test]
    fn no_limit() {
        let service = Arc::new(Admission::default());
        let places: Vec<_> = (0..100).filter_map(|_| service.enter(0)).collect();
        assert_eq!(places.len(), 100);
    }

    #[test]
    fn few_sessions_are_spread_evenly_whoever_accepts_them() {
        let loads = Arc::new(Loads::new(4));
        let tickets: Vec<_> = (0..16).map(|_| loads.ticket(loads.best(3))).collect();
        let counts: Vec<_> = loads
            .each
            .iter()
            .map(|load| load.0.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts, [4, 4, 4, 4]);
        drop(tickets);
        assert_eq!(
            loads
                .each
                .iter()
                .map(|load| load.0.load(Ordering::Relaxed))
                .sum::<u64>(),
            0
        );
    }

    #[test]
    fn a_worker_that_takes_none_gives_them_away() {
        let loads = Arc::new(Loads::new(3));
        loads.set_active(2);
        let tickets: Vec<_> = (0..4).map(|_| loads.ticket(loads.best(2))).collect();
        assert!(tickets.iter().all(|ticket| ticket.worker < 2));
    }

    #[test]
    fn many_sessions_stay_where_they_were_accepted_unless_it_matters() {
        let loads = Arc::new(Loads::new(2));
        let _tickets: Vec<_> = (0..208)
            .map(|ix| loads.ticket(usize::from(ix >= 100)))
            .collect();
        assert_eq!(loads.best(1), 1, "108 against 100");
        let _more: Vec<_> = (0..10).map(|_| loads.ticket(1)).collect();
        assert_eq!(loads.best(1), 0, "118 against 100");
    }
}
