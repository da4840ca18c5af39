//! Opening, changing and closing listeners.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use tidegate_session::{ServiceSpec, Terms};
use tidegate_tls::ListenerTls;
use tidegate_wire::compress::CompressionOffer;

use super::{Runtime, lock};
use crate::admission::Admission;
use crate::config::{Endpoint, ListenerSpec};
use crate::listen::{self, ListenError, SocketFile};
use crate::message::{ListenerChange, Message};
use crate::networks::Networks;
use crate::worker::accept::Opening;

/// A listener, of which each worker has its share.
pub(super) struct Listener {
    endpoint: Endpoint,
    sockets: Vec<Arc<OwnedFd>>,
    /// Its socket has no siblings, and never will.
    alone: bool,
    service: Arc<ServiceSpec>,
    admission: Arc<Admission>,
    tls: Option<Arc<ListenerTls>>,
    tellers: Arc<Networks>,
    plugin: &'static [u8],
    compression: CompressionOffer,
    terms: Arc<Terms>,
    started: bool,
    /// Removed with the listener.
    _file: Option<SocketFile>,
}

impl Listener {
    /// A worker's share of it.
    fn opening(&self, name: &Arc<str>, slot: usize, fd: &Arc<OwnedFd>) -> Message {
        Message::Open(Opening {
            name: Arc::clone(name),
            slot,
            fd: Arc::clone(fd),
            service: Arc::clone(&self.service),
            admission: Arc::clone(&self.admission),
            tls: self.tls.clone(),
            tellers: Arc::clone(&self.tellers),
            plugin: self.plugin,
            compression: self.compression,
            terms: Arc::clone(&self.terms),
            started: self.started,
        })
    }

    /// Opens sockets until there are `wanted`, as far as the system allows.
    fn add_siblings(&mut self, wanted: usize) {
        let Endpoint::Tcp(address) = self.endpoint else {
            return;
        };
        while !self.alone && self.sockets.len() < wanted {
            // With fewer sockets than workers, clients are handed over.
            let Ok(sibling) = listen::sibling(address) else {
                return;
            };
            self.sockets.push(Arc::new(sibling));
        }
    }

    fn change(&mut self, change: &ListenerChange) {
        match change {
            ListenerChange::Start => self.started = true,
            ListenerChange::Stop => self.started = false,
            ListenerChange::Service(service) => self.service = Arc::clone(service),
            ListenerChange::Tls(tls) => self.tls.clone_from(tls),
            ListenerChange::Remove => {}
        }
    }
}

impl Runtime {
    /// Opens a listener; says where it listens, which for port 0 was not known before.
    ///
    /// # Errors
    /// The place is taken, the system refuses, or there is a listener of that name.
    pub fn add_listener(&self, spec: &ListenerSpec) -> Result<Endpoint, ListenError> {
        let crew = lock(&self.0.crew);
        let mut listeners = lock(&self.0.listeners);
        if listeners.contains_key(&spec.name) {
            return Err(ListenError::Exists {
                name: spec.name.to_string(),
            });
        }
        let active = crew.active;
        let lent = listen::take_lent(&spec.endpoint, &mut lock(&self.0.lent));
        let alone = lent.is_some() || matches!(spec.endpoint, Endpoint::Unix(_));
        let opened = match lent {
            Some(opened) => opened,
            None => listen::open(&spec.endpoint, active)?,
        };
        let admission = lock(&self.0.admissions)
            .entry(Arc::clone(&spec.service.name))
            .or_default()
            .clone();
        let listener = Listener {
            endpoint: opened.endpoint.clone(),
            sockets: opened.sockets.into_iter().map(Arc::new).collect(),
            alone,
            service: Arc::clone(&spec.service),
            admission,
            tls: spec.tls.clone(),
            tellers: Arc::clone(&spec.tellers),
            plugin: spec.plugin,
            compression: spec.compression,
            terms: Arc::clone(&spec.terms),
            started: spec.started,
            _file: opened.file,
        };
        for (slot, fd) in listener.sockets.iter().enumerate() {
            // A socket that has no siblings goes to the first worker, which hands over.
            self.0.mailboxes[slot % active].post(listener.opening(&spec.name, slot, fd));
        }
        listeners.insert(Arc::clone(&spec.name), listener);
        Ok(opened.endpoint)
    }

    /// Gives each socket to the worker that serves it when there are `after` workers instead of
    /// `before`, and opens more where there are more workers than sockets.
    pub(super) fn spread_listeners(&self, before: usize, after: usize) {
        if before == after {
            return;
        }
        for (name, listener) in lock(&self.0.listeners).iter_mut() {
            let known = listener.sockets.len();
            listener.add_siblings(after);
            for (slot, fd) in listener.sockets.iter().enumerate() {
                let old = (slot < known).then(|| slot % before);
                let new = slot % after;
                if old == Some(new) {
                    continue;
                }
                // First open, then closed: nobody who queues there is lost.
                self.0.mailboxes[new].post(listener.opening(name, slot, fd));
                if let Some(old) = old {
                    let name = Arc::clone(name);
                    self.0.mailboxes[old].post(Message::Close { name, slot });
                }
            }
        }
    }

    /// Closes the sockets that were lent and that no listener has taken; says where they listened.
    #[must_use]
    pub fn give_lent_back(&self) -> Vec<String> {
        let unused = std::mem::take(&mut *lock(&self.0.lent));
        unused.iter().map(listen::place_text).collect()
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
    pub fn set_tls(&self, name: &str, tls: Option<Arc<ListenerTls>>) -> Result<(), ListenError> {
        self.change_known_listener(name, &ListenerChange::Tls(tls))
    }

    fn change_known_listener(
        &self,
        name: &str,
        change: &ListenerChange,
    ) -> Result<(), ListenError> {
        // Held until everybody is told, so that a worker that comes meanwhile is told the same.
        let _crew = lock(&self.0.crew);
        let mut listeners = lock(&self.0.listeners);
        let listener = listeners.get_mut(name).ok_or_else(|| unknown(name))?;
        listener.change(change);
        self.change_listener(name, change);
        Ok(())
    }

    fn change_listener(&self, name: &str, change: &ListenerChange) {
        let name: Arc<str> = Arc::from(name);
        for mailbox in self.0.mailboxes.iter() {
            // The mailboxes of those that are not there are closed.
            mailbox.post(Message::Listener {
                name: Arc::clone(&name),
                change: change.clone(),
            });
        }
    }
}

fn unknown(name: &str) -> ListenError {
    ListenError::Unknown {
        name: name.to_owned(),
    }
}
