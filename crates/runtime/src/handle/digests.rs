//! Looking at the statements that the workers count.

use std::sync::Arc;

use tidegate_session::digests::Digests;

use super::Runtime;
use crate::gather::{Gathered, Pending, Unanswered};
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

    /// Begins the statement digests of a service anew.
    pub fn reset_digests(&self, service: &str) {
        let service: Arc<str> = service.into();
        self.tell_all(|| Message::ResetDigests {
            service: Arc::clone(&service),
        });
    }
}
