//! The way from the control plane to the workers.
//!
//! Every method returns at once; where a worker has something to answer, a callback brings it.
//! Callbacks run on a worker: they pass the answer on and do nothing else.

mod crew;
mod insight;
mod listeners;
mod sessions;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tidegate_session::world::Counters;

use self::listeners::Listener;
use self::sessions::Lists;
pub use self::sessions::Refusal;
use crate::admission::{Admission, Loads};
use crate::answer::Answers;
use crate::blocks::Blocks;
use crate::clock;
use crate::config::{RuntimeConfig, Servers, Tuning};
use crate::figures::WorkerShard;
use crate::ids::SessionIds;
use crate::log::Log;
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::worker::panic;

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

/// What every worker is started with.
struct Base {
    pin: bool,
    log: Log,
    servers: Servers,
    tuning: Tuning,
    answers: Arc<dyn Answers>,
    classifier_bytes: usize,
    ids: Arc<SessionIds>,
    loads: Arc<Loads>,
    blocks: Arc<Blocks>,
}

/// The workers that there are: those with the numbers below `alive`.
struct Crew {
    alive: usize,
    active: usize,
    base: Base,
}

struct Shared {
    /// Of all workers that there may ever be.
    mailboxes: Arc<[Arc<Mailbox>]>,
    /// Taken before any other lock.
    crew: Mutex<Crew>,
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
        let most = config.most_workers.max(count);
        let base = Base {
            pin: config.pin,
            log: config.log,
            servers: config.servers,
            tuning: config.tuning,
            blocks: Arc::default(),
            answers: config.answers,
            classifier_bytes: config.classifier_bytes,
            ids: Arc::new(SessionIds::new(config.first_session)),
            loads: Arc::new(Loads::new(most)),
        };
        let runtime = Runtime(Arc::new(Shared {
            mailboxes: (0..most).map(|_| Arc::new(Mailbox::closed())).collect(),
            counters: Arc::new(Counters::with_room(count, most)),
            crew: Mutex::new(Crew::new(base)),
            listeners: Mutex::default(),
            lent: Mutex::new(config.lent),
            admissions: Mutex::default(),
            lists: Mutex::default(),
            running: Mutex::new(0),
            ended: Condvar::new(),
            threads: Mutex::default(),
        }));
        match runtime.set_workers(count) {
            Ok(()) => Ok(runtime),
            Err(error) => {
                runtime.begin_shutdown(true);
                Err(error)
            }
        }
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
        let mut crew = lock(&self.0.crew);
        crew.base.servers = servers.clone();
        for mailbox in self.0.mailboxes.iter().take(crew.alive) {
            mailbox.set_servers(servers.clone());
        }
    }

    /// Changes limits and options.
    pub fn set_tuning(&self, tuning: &Tuning) {
        let mut crew = lock(&self.0.crew);
        crew.base.tuning = tuning.clone();
        for mailbox in self.0.mailboxes.iter().take(crew.alive) {
            mailbox.post(Message::Tuning(tuning.clone()));
        }
    }

    /// Closes all listeners and asks sessions to end at their next rest, or ends them `now`. May
    /// be called again with `now` when that takes too long.
    pub fn begin_shutdown(&self, now: bool) {
        lock(&self.0.listeners).clear();
        self.tell_all(|| Message::Shutdown { now });
    }

    fn tell_all(&self, message: impl Fn() -> Message) {
        for mailbox in self.0.mailboxes.iter().take(self.workers()) {
            mailbox.post(message());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No lock is held while anything that could panic is called.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
