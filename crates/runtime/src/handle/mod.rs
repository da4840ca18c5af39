//! The way from the control plane to the workers.
//!
//! Every method returns at once; where a worker has something to answer, a callback brings it.
//! Callbacks run on a worker: they pass the answer on and do nothing else.

mod insight;
mod listeners;
mod sessions;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Poll, Waker};
use tidegate_session::Level;
use tidegate_session::world::Counters;
use tidegate_sql::Cache;

use self::listeners::Listener;
use self::sessions::Lists;
pub use self::sessions::Refusal;
use crate::admission::{Admission, Loads};
use crate::clock;
use crate::config::{RuntimeConfig, Servers, Tuning};
use crate::figures::WorkerShard;
use crate::host;
use crate::ids::SessionIds;
use crate::log::Log;
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::worker::accept::Colleagues;
use crate::worker::key::Key;
use crate::worker::{Parts, Worker, panic};

/// Why the workers could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system has no more descriptors or threads to give.
    #[error("cannot start worker {worker}: {error}")]
    Worker {
        /// Its index.
        worker: usize,
        /// What the system said.
        error: std::io::Error,
    },
}

struct Shared {
    mailboxes: Arc<[Arc<Mailbox>]>,
    counters: Arc<Counters<WorkerShard>>,
    listeners: Mutex<BTreeMap<Arc<str>, Listener>>,
    lent: Mutex<Vec<OwnedFd>>,
    admissions: Mutex<BTreeMap<Arc<str>, Arc<Admission>>>,
    lists: Mutex<Lists>,
    running: Mutex<usize>,
    ended: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The workers. Cheap to clone; they go on when the last handle is dropped, until
/// [`Runtime::begin_shutdown`].
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts the workers. There are no listeners yet.
    ///
    /// # Errors
    /// The system has no descriptors or threads left. Workers that were started end.
    pub fn start(config: RuntimeConfig) -> Result<Runtime, StartError> {
        panic::install_hook();
        let count = config.workers.max(1);
        let failed = |worker| move |error| StartError::Worker { worker, error };
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for worker in 0..count {
            let poll = Poll::new().map_err(failed(worker))?;
            let waker = Waker::new(poll.registry(), Key::MAIL.token()).map_err(failed(worker))?;
            mailboxes.push(Arc::new(Mailbox::new(waker)));
            polls.push(poll);
        }
        let mailboxes: Arc<[Arc<Mailbox>]> = mailboxes.into();
        let runtime = Runtime(Arc::new(Shared {
            mailboxes: Arc::clone(&mailboxes),
            counters: Arc::new(Counters::new(count)),
            listeners: Mutex::default(),
            lent: Mutex::new(config.lent),
            admissions: Mutex::default(),
            lists: Mutex::default(),
            running: Mutex::new(0),
            ended: Condvar::new(),
            threads: Mutex::default(),
        }));
        let loads = Arc::new(Loads::new(count));
        let places = if config.pin {
            host::places(count)
        } else {
            Vec::new()
        };
        let ids = Arc::new(SessionIds::new(config.first_session));
        for (index, poll) in polls.into_iter().enumerate() {
            let parts = Parts {
                index,
                poll,
                mailbox: Arc::clone(&mailboxes[index]),
                colleagues: Colleagues {
                    loads: Arc::clone(&loads),
                    mailboxes: Arc::clone(&mailboxes),
                },
                ids: Arc::clone(&ids),
                servers: config.servers.clone(),
                tuning: config.tuning.clone(),
                classifier: Cache::new(config.classifier_bytes / count),
                answers: Arc::clone(&config.answers),
                log: config.log.clone(),
                counters: Arc::clone(&runtime.0.counters),
            };
            let started = Worker::new(parts).and_then(|worker| {
                let place = places.get(index).copied();
                runtime.spawn(index, worker, place, config.log.clone())
            });
            if let Err(error) = started {
                runtime.begin_shutdown(true);
                return Err(StartError::Worker {
                    worker: index,
                    error,
                });
            }
        }
        Ok(runtime)
    }

    fn spawn(
        &self,
        index: usize,
        worker: Worker,
        place: Option<usize>,
        log: Log,
    ) -> std::io::Result<()> {
        let running = Running::new(self, index);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                if let Some(Err(error)) = place.map(host::stay_on) {
                    let text = format!("worker {index} cannot be kept on one processor: {error}");
                    log.say(Level::Info, text);
                }
                let reason = match panic::catch(|| worker.run()) {
                    Ok(Ok(())) => None,
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
        lock(&self.0.threads).push(thread);
        Ok(())
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.0.mailboxes.len()
    }

    /// The time on the workers' clock.
    #[must_use]
    pub fn now(&self) -> tidegate_session::Instant {
        clock::now().0
    }

    /// What the workers count about themselves, one shard each.
    #[must_use]
    pub fn counters(&self) -> &Counters<WorkerShard> {
        &self.0.counters
    }

    /// Tells the workers what the servers are like now.
    pub fn set_servers(&self, servers: &Servers) {
        for mailbox in self.0.mailboxes.iter() {
            mailbox.set_servers(servers.clone());
        }
    }

    /// Changes limits and options.
    pub fn set_tuning(&self, tuning: &Tuning) {
        self.tell_all(|| Message::Tuning(tuning.clone()));
    }

    /// Closes all listeners and asks sessions to end at their next rest, or ends them `now`. May
    /// be called again with `now` when that takes too long.
    pub fn begin_shutdown(&self, now: bool) {
        lock(&self.0.listeners).clear();
        self.tell_all(|| Message::Shutdown { now });
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

    fn tell_all(&self, message: impl Fn() -> Message) {
        for mailbox in self.0.mailboxes.iter() {
            mailbox.post(message());
        }
    }
}

/// A worker's thread is running.
struct Running {
    runtime: Runtime,
    index: usize,
}

impl Running {
    fn new(runtime: &Runtime, index: usize) -> Running {
        *lock(&runtime.0.running) += 1;
        Running {
            runtime: runtime.clone(),
            index,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let shared = &self.runtime.0;
        shared.mailboxes[self.index].close();
        *lock(&shared.running) -= 1;
        shared.ended.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No lock is held while anything that could panic is called.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
