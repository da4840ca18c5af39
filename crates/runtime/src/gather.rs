//! Asking every worker and waiting for the last.
//!
//! The invariant: `done` is called exactly once, when every worker has answered or one of them
//! never will.

use std::sync::{Arc, Mutex, PoisonError};

/// A worker did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker} did not answer")]
pub struct Unanswered {
    /// Its index.
    pub worker: usize,
}

/// What the workers answered: a part for each of them, in their order.
#[derive(Debug, Clone)]
pub struct Gathered<T>(Arc<Vec<Vec<T>>>);

impl<T> Gathered<T> {
    /// Everything, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// None at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Called by the worker that answers last, so it must be short: pass the result on.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<Gathered<T>, Unanswered>) + Send>;

struct State<T> {
    parts: Vec<Option<Vec<T>>>,
    done: Option<Done<T>>,
}

/// A question that all workers were asked.
pub(crate) struct Gather<T>(Mutex<State<T>>);

impl<T> std::fmt::Debug for Gather<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather").finish_non_exhaustive()
    }
}

impl<T> Gather<T> {
    /// The shares of `workers` in one answer.
    pub(crate) fn shares(workers: usize, done: Done<T>) -> (Arc<Gather<T>>, Vec<Share<T>>) {
        let parts = (0..workers).map(|_| None).collect();
        let gather = Arc::new(Gather(Mutex::new(State {
            parts,
            done: Some(done),
        })));
        let shares = (0..workers)
            .map(|worker| Share {
                gather: Arc::clone(&gather),
                worker,
                given: false,
            })
            .collect();
        (gather, shares)
    }

    /// The first worker that has not answered yet.
    pub(crate) fn missing(&self) -> Option<usize> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.parts.iter().position(Option::is_none)
    }

    fn put(&self, worker: usize, part: Option<Vec<T>>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = part.is_none();
        if let Some(place) = state.parts.get_mut(worker) {
            *place = part;
        }
        let complete = state.parts.iter().all(Option::is_some);
        let done = if failed || complete {
            state.done.take()
        } else {
            None
        };
        let Some(done) = done else { return };
        let parts = std::mem::take(&mut state.parts);
        drop(state);
        if failed {
            done(Err(Unanswered { worker }));
        } else {
            done(Ok(Gathered(Arc::new(
                parts.into_iter().flatten().collect(),
            ))));
        }
    }
}

/// One worker's part of an answer. Dropped without [`Share::give`], it says that the worker will
/// never answer.
#[derive(Debug)]
pub(crate) struct Share<T> {
    gather: Arc<Gather<T>>,
    worker: usize,
    given: bool,
}

impl<T> Share<T> {
    pub(crate) fn give(mut self, part: Vec<T>) {
        self.given = true;
        self.gather.put(self.worker, Some(part));
    }
}

impl<T> Drop for Share<T> {
    fn drop(&mut self) {
        if !self.given {
            self.gather.put(self.worker, None);
        }
    }
}

/// An answer that is being gathered.
#[derive(Debug)]
pub struct Pending<T>(pub(crate) Option<Arc<Gather<T>>>);

impl<T> Pending<T> {
    /// The first worker that has not answered yet: whom to blame when it takes too long.
    #[must_use]
    pub fn missing(&self) -> Option<usize> {
        self.0.as_ref().map_or(Some(0), |gather| gather.missing())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn done_when_the_last_has_answered() {
        let (send, receive) = channel();
        let (gather, mut shares) =
            Gather::shares(3, Box::new(move |result| send.send(result).unwrap()));
        shares.remove(1).give(vec![2]);
        assert_eq!(gather.missing(), Some(0));
        shares.remove(0).give(vec![0, 1]);
        assert!(receive.try_recv().is_err());
        shares.remove(0).give(vec![]);
        let all = receive.try_recv().unwrap().unwrap();
        assert_eq!(all.iter().copied().collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_worker_that_is_gone_is_named_at_once() {
        let (send, receive) = channel();
        let (_, mut shares) =
            Gather::<u8>::shares(3, Box::new(move |result| send.send(result).unwrap()));
        drop(shares.remove(1));
        assert_eq!(
            receive.try_recv().unwrap().unwrap_err(),
            Unanswered { worker: 1 }
        );
        drop(shares);
        assert!(receive.try_recv().is_err());
    }
}
