//! The way from the control plane to the workers.
//!
//! Every method returns at once; where a worker has something to answer, a callback brings it.
//! Callbacks run on a worker: they pass the answer on and do nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Poll, Waker};
use rustls::ServerConfig;
use tidegate_session::world::Counters;
use tidegate_session::{Control, ControlError, Level, ServiceSpec, SessionId, SessionView};
use tidegate_sql::Cache;

use crate::admission::{Admission, Loads};
use crate::config::{Endpoint, ListenerSpec, RuntimeConfig, Servers, Tuning};
use crate::figures::WorkerShard;
use crate::gather::{Done, Gather, Gathered, Pending, Share, Unanswered};
use crate::ids::SessionIds;
use crate::listen::{self, ListenError, SocketFile};
use crate::log::Log;
use crate::mailbox::Mailbox;
use crate::message::{ListenerChange, Message, Optional, Which};
use crate::worker::accept::{Colleagues, Opening};
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

/// Why something could not be done to a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no session with that id whose login is complete.
    #[error("there is no session {0}")]
    Unknown(SessionId),
    /// It does not want to.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// A worker will never answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

struct Shared {
    mailboxes: Arc<[Arc<Mailbox>]>,
    counters: Arc<Counters<WorkerShard>>,
    listeners: Mutex<BTreeMap<Arc<str>, Listener>>,
    admissions: Mutex<BTreeMap<Arc<str>, Arc<Admission>>>,
    lists: Mutex<Lists>,
    running: Mutex<usize>,
    ended: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the control plane keeps of a listener; the sockets are with the workers.
struct Listener {
    endpoint: Endpoint,
    _file: Option<SocketFile>,
}

/// Full lists that were asked for while another was being gathered share the next one.
#[derive(Default)]
struct Lists {
    running: bool,
    waiting: Vec<Done<SessionView>>,
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
            admissions: Mutex::default(),
            lists: Mutex::default(),
            running: Mutex::new(0),
            ended: Condvar::new(),
            threads: Mutex::default(),
        }));
        let loads = Arc::new(Loads::new(count));
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
            let started = Worker::new(parts)
                .and_then(|worker| runtime.spawn(index, worker, config.log.clone()));
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

    fn spawn(&self, index: usize, worker: Worker, log: Log) -> std::io::Result<()> {
        let running = Running::new(self, index);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
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

    /// Opens a listener; says where it listens, which for port 0 was not known before.
    ///
    /// # Errors
    /// The place is taken, the system refuses, or there is a listener of that name.
    pub fn add_listener(&self, spec: &ListenerSpec) -> Result<Endpoint, ListenError> {
        let mut listeners = lock(&self.0.listeners);
        if listeners.contains_key(&spec.name) {
            return Err(ListenError::Exists {
                name: spec.name.to_string(),
            });
        }
        let opened = listen::open(&spec.endpoint, self.workers())?;
        let admission = Arc::clone(
            lock(&self.0.admissions)
                .entry(Arc::clone(&spec.service.name))
                .or_default(),
        );
        // The one socket of a UNIX listener goes to the first worker, which hands over.
        for (fd, mailbox) in opened.sockets.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Open(Opening {
                name: Arc::clone(&spec.name),
                fd,
                service: Arc::clone(&spec.service),
                admission: Arc::clone(&admission),
                tls: spec.tls.clone(),
                started: spec.started,
            }));
        }
        let listener = Listener {
            endpoint: opened.endpoint.clone(),
            _file: opened.file,
        };
        listeners.insert(Arc::clone(&spec.name), listener);
        Ok(opened.endpoint)
    }

    /// Where a listener listens.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<Endpoint> {
        lock(&self.0.listeners)
            .get(name)
            .map(|listener| listener.endpoint.clone())
    }

    /// Closes a listener; its sessions live on. Clients that still queue are refused.
    ///
    /// # Errors
    /// There is no listener of that name.
    pub fn remove_listener(&self, name: &str) -> Result<(), ListenError> {
        let removed = lock(&self.0.listeners).remove(name);
        removed
            .map(|_| self.change_listener(name, &ListenerChange::Remove))
            .ok_or_else(|| unknown(name))
    }

    /// Lets a listener accept again.
    ///
    /// # Errors
    /// There is no listener of that name.
    pub fn start_listener(&self, name: &str) -> Result<(), ListenError> {
        self.change_known_listener(name, &ListenerChange::Start)
    }

    /// Stops a listener: clients queue in the kernel until it is started again.
    ///
    /// # Errors
    /// There is no listener of that name.
    pub fn stop_listener(&self, name: &str) -> Result<(), ListenError> {
        self.change_known_listener(name, &ListenerChange::Stop)
    }

    /// New sessions of a listener run on this state of its service.
    ///
    /// # Errors
    /// There is no listener of that name.
    pub fn set_service(&self, name: &str, service: &Arc<ServiceSpec>) -> Result<(), ListenError> {
        self.change_known_listener(name, &ListenerChange::Service(Arc::clone(service)))
    }

    /// New clients of a listener get this TLS configuration.
    ///
    /// # Errors
    /// There is no listener of that name.
    pub fn set_tls(&self, name: &str, tls: Option<Arc<ServerConfig>>) -> Result<(), ListenError> {
        self.change_known_listener(name, &ListenerChange::Tls(tls))
    }

    fn change_known_listener(
        &self,
        name: &str,
        change: &ListenerChange,
    ) -> Result<(), ListenError> {
        if !lock(&self.0.listeners).contains_key(name) {
            return Err(unknown(name));
        }
        self.change_listener(name, change);
        Ok(())
    }

    fn change_listener(&self, name: &str, change: &ListenerChange) {
        let name: Arc<str> = Arc::from(name);
        self.tell_all(|| Message::Listener {
            name: Arc::clone(&name),
            change: change.clone(),
        });
    }

    /// Views of sessions whose login is complete. Full lists that are asked for while one is being
    /// gathered share the next.
    pub fn sessions(
        &self,
        which: Which,
        done: impl FnOnce(Result<Gathered<SessionView>, Unanswered>) + Send + 'static,
    ) -> Pending<SessionView> {
        if which != Which::All {
            return self.list(&which, Box::new(done));
        }
        let mut lists = lock(&self.0.lists);
        lists.waiting.push(Box::new(done));
        if std::mem::replace(&mut lists.running, true) {
            return Pending(None);
        }
        drop(lists);
        self.next_list()
    }

    /// Gathers a full list for everybody who waits for one.
    fn next_list(&self) -> Pending<SessionView> {
        let waiting = std::mem::take(&mut lock(&self.0.lists).waiting);
        let again = self.clone();
        self.list(
            &Which::All,
            Box::new(move |result| {
                for done in waiting {
                    done(result.clone());
                }
                let mut lists = lock(&again.0.lists);
                lists.running = !lists.waiting.is_empty();
                let more = lists.running;
                drop(lists);
                if more {
                    again.next_list();
                }
            }),
        )
    }

    fn list(&self, which: &Which, done: Done<SessionView>) -> Pending<SessionView> {
        self.offer_all(done, |share| Optional::List {
            which: which.clone(),
            share,
        })
    }

    /// The ids of the sessions whose login is complete.
    pub fn session_ids(
        &self,
        done: impl FnOnce(Result<Gathered<SessionId>, Unanswered>) + Send + 'static,
    ) -> Pending<SessionId> {
        self.offer_all(Box::new(done), |share| Optional::Ids { share })
    }

    /// Does something to a session.
    pub fn control(
        &self,
        session: SessionId,
        control: Control,
        done: impl FnOnce(Result<(), Refusal>) + Send + 'static,
    ) -> Pending<Result<(), ControlError>> {
        let control = Arc::new(Mutex::new(Some(control)));
        let done = move |result: Result<Gathered<Result<(), ControlError>>, Unanswered>| {
            done(match result {
                Err(unanswered) => Err(unanswered.into()),
                Ok(results) => match results.iter().next() {
                    None => Err(Refusal::Unknown(session)),
                    Some(result) => result.clone().map_err(Refusal::from),
                },
            });
        };
        let (gather, shares) = Gather::shares(self.workers(), Box::new(done));
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Control {
                session,
                control: Arc::clone(&control),
                share,
            });
        }
        Pending(Some(gather))
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

    fn offer_all<T>(&self, done: Done<T>, message: impl Fn(Share<T>) -> Optional) -> Pending<T> {
        let (gather, shares) = Gather::shares(self.workers(), done);
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            // One that is refused says so when it is dropped.
            drop(mailbox.offer(message(share)));
        }
        Pending(Some(gather))
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

fn unknown(name: &str) -> ListenError {
    ListenError::Unknown {
        name: name.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No lock is held while anything that could panic is called.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
