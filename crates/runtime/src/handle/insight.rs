//! Looking at what the workers keep: statements that they count, memory.

use std::sync::Arc;

use tidegate_session::digests::Digests;

use super::Runtime;
use crate::figures::Holdings;
use crate::gather::{Gather, Gathered, Pending, Unanswered};
use crate::message::{Message, Optional};

impl Runtime {
    /// The statement digests of a service, a table for each worker.
    pub fn digests(
        &self,
        service: &str,
        done: impl FnOnce(Result<Gathered<Digests>, Unanswered>) + Send + 'static,
    ) -> Pending<Digests> {
        let service: Arc<str> = service.into();
        self.offer_all(Box::new(done), |share| Optional::Digests {
            service: Arc::clone(&service),
            share,
        })
    }

    /// What each worker holds.
    pub fn holdings(
        &self,
        done: impl FnOnce(Result<Gathered<Holdings>, Unanswered>) + Send + 'static,
    ) -> Pending<Holdings> {
        self.offer_all(Box::new(done), |share| Optional::Holdings { share })
    }

    /// Asks the workers whether they are there: answered when each has read its mail.
    pub fn pulse(
        &self,
        done: impl FnOnce(Result<Gathered<()>, Unanswered>) + Send + 'static,
    ) -> Pending<()> {
        let (gather, shares) = Gather::shares(self.workers(), Box::new(done));
        for (share, mailbox) in shares.into_iter().zip(self.0.mailboxes.iter()) {
            mailbox.post(Message::Pulse { share });
        }
        Pending(Some(gather))
    }

    /// Begins the statement digests of a service anew.
    pub fn reset_digests(&self, service: &str) {
        let service: Arc<str> = service.into();
        self.tell_all(|| Message::ResetDigests {
            service: Arc::clone(&service),
        });
    }
}
