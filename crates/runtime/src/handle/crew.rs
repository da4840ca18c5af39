//! The workers' threads: how many there are, and how they come and go while others work.
//!
//! Workers are numbered, and the first `active` of them take sessions. Those above finish what they
//! have; the highest ends when it has nothing left, then the next. What they listen with goes to
//! the active ones at once, so no client is lost.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use mio::{Poll, Waker};
use rustix::thread::CpuSet;
use tidegate_session::Level;
use tidegate_sql::Cache;

use super::{Base, Crew, Runtime, StartError, lock};
use crate::host;
use crate::log::Log;
use crate::message::Message;
use crate::worker::accept::Colleagues;
use crate::worker::key::Key;
use crate::worker::{Ended, Parts, Worker, panic};

impl Runtime {
    /// How many workers there are, those included that only finish what they have.
    #[must_use]
    pub fn workers(&self) -> usize {
        lock(&self.0.crew).alive
    }

    /// How many workers take sessions: the first so many.
    #[must_use]
    pub fn active_workers(&self) -> usize {
        lock(&self.0.crew).active
    }

    /// Changes how many workers take sessions, at least one and at most as many as there is room
    /// for. Those that are too many go on with the sessions they have; new ones begin at once.
    ///
    /// # Errors
    /// The system has no more descriptors or threads to give: there are as many as there were.
    pub fn set_workers(&self, wanted: usize) -> Result<(), StartError> {
        let wanted = wanted.clamp(1, self.0.mailboxes.len());
        let mut crew = lock(&self.0.crew);
        let before = crew.active;
        while crew.alive < wanted {
            let worker = crew.alive;
            self.hire(&crew.base, worker)
                .map_err(|error| StartError::Worker { worker, error })?;
            crew.alive += 1;
        }
        crew.active = wanted;
        crew.base.loads.set_active(wanted);
        self.spread_listeners(before, wanted);
        let share = crew.base.classifier_bytes / wanted;
        let places = crew.base.places(wanted);
        for worker in 0..crew.alive {
            self.0.mailboxes[worker].post(Message::Role {
                leaving: worker >= wanted,
                classifier_bytes: share,
                processors: places.get(worker).copied(),
            });
        }
        Ok(())
    }

    /// Starts a worker.
    pub(super) fn hire(&self, base: &Base, index: usize) -> std::io::Result<()> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), Key::MAIL.token())?;
        let mailbox = Arc::clone(&self.0.mailboxes[index]);
        let runtime = self.clone();
        let worker = Worker::new(Parts {
            index,
            poll,
            mailbox: Arc::clone(&mailbox),
            colleagues: Colleagues {
                loads: Arc::clone(&base.loads),
                mailboxes: Arc::clone(&self.0.mailboxes),
            },
            ids: Arc::clone(&base.ids),
            servers: base.servers.clone(),
            blocks: Arc::clone(&base.blocks),
            tuning: base.tuning.clone(),
            classifier: Cache::new(base.classifier_bytes),
            answers: Arc::clone(&base.answers),
            log: base.log.clone(),
            counters: Arc::clone(&self.0.counters),
            leave: Box::new(move || runtime.let_go(index)),
        })?;
        mailbox.open(waker);
        self.spawn(index, worker, base.log.clone())
            .inspect_err(|_| mailbox.close())
    }

    fn spawn(&self, index: usize, worker: Worker, log: Log) -> std::io::Result<()> {
        let mut running = Running::new(self, index);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let reason = match panic::catch(|| worker.run()) {
                    Ok(Ok(ended)) => {
                        running.let_go = ended == Ended::LetGo;
                        None
                    }
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(caught) => {
                        Some(format!("a defect in Tidegate, please report it: {caught}"))
                    }
                };
                if let Some(reason) = reason {
                    let text = format!("worker {index} ended, and its sessions with it: {reason}");
                    log.say(Level::Error, text);
                }
                drop(running);
            })?;
        let mut threads = lock(&self.0.threads);
        // Those that have ended need not be waited for.
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// A worker that is not wanted any more has nothing left. May it end? Only the highest may, and
    /// only if nothing has come for it meanwhile.
    fn let_go(&self, index: usize) -> bool {
        let mut crew = lock(&self.0.crew);
        let highest = index + 1 == crew.alive && index >= crew.active;
        if !highest || !self.0.mailboxes[index].close_if_empty() {
            return false;
        }
        crew.alive -= 1;
        // The next may have been waiting for that.
        if let Some(next) = index.checked_sub(1).filter(|next| *next >= crew.active) {
            self.0.mailboxes[next].post(Message::Look);
        }
        true
    }

    /// Waits for the workers to end; `false`: they have not within `limit`.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut running = lock(&self.0.running);
        while *running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            running = self
                .0
                .ended
                .wait_timeout(running, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        drop(running);
        for thread in lock(&self.0.threads).drain(..) {
            // What a worker had to say it has said.
            let _ = thread.join();
        }
        true
    }
}

impl Base {
    /// The processors that each of so many workers may run on; empty: they are left where they
    /// are, because that was never decided.
    fn places(&self, workers: usize) -> Vec<CpuSet> {
        if self.pin {
            host::places(workers)
        } else {
            Vec::new()
        }
    }
}

impl Crew {
    pub(super) fn new(base: Base) -> Crew {
        Crew {
            alive: 0,
            active: 0,
            base,
        }
    }
}

/// A worker's thread is running.
struct Running {
    runtime: Runtime,
    index: usize,
    /// Its mailbox has been closed, and may be another's by now.
    let_go: bool,
}

impl Running {
    fn new(runtime: &Runtime, index: usize) -> Running {
        *lock(&runtime.0.running) += 1;
        Running {
            runtime: runtime.clone(),
            index,
            let_go: false,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let shared = &self.runtime.0;
        if !self.let_go {
            shared.mailboxes[self.index].close();
        }
        *lock(&shared.running) -= 1;
        shared.ended.notify_all();
    }
}
