//! Numbers for sessions: counted over all workers, never used twice.

use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_session::SessionId;

/// Gives out session ids. Touched once in a session's life.
#[derive(Debug)]
pub(crate) struct SessionIds(AtomicU64);

impl SessionIds {
    pub(crate) fn new(first: SessionId) -> SessionIds {
        SessionIds(AtomicU64::new(first.0))
    }

    pub(crate) fn next(&self) -> SessionId {
        SessionId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
