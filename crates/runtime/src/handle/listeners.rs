//! Opening, changing and closing listeners.

use std::sync::Arc;

use tidegate_session::ServiceSpec;
use tidegate_tls::ListenerTls;

use super::{Runtime, lock};
use crate::config::{Endpoint, ListenerSpec};
use crate::listen::{self, ListenError, SocketFile};
use crate::message::{ListenerChange, Message};
use crate::worker::accept::Opening;

/// What the control plane keeps of a listener; the sockets are with the workers.
pub(super) struct Listener {
    endpoint: Endpoint,
    /// Removed with the listener.
    _file: Option<SocketFile>,
}

impl Runtime {
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
        let lent = listen::take_lent(&spec.endpoint, &mut lock(&self.0.lent));
        let opened = match lent {
            Some(opened) => opened,
            None => listen::open(&spec.endpoint, self.workers())?,
        };
        let admission = Arc::clone(
            lock(&self.0.admissions)
                .entry(Arc::clone(&spec.service.name))
                .or_default(),
        );
        // The one socket of a UNIX listener, or one that was lent, goes to the first worker, which hands over.
        for (fd, mailbox) in opened.sockets.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Open(Opening {
                name: Arc::clone(&spec.name),
                fd,
                service: Arc::clone(&spec.service),
                admission: Arc::clone(&admission),
                tls: spec.tls.clone(),
                tellers: Arc::clone(&spec.tellers),
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
}

fn unknown(name: &str) -> ListenError {
    ListenError::Unknown {
        name: name.to_owned(),
    }
}
