//! While a way out of the log does not work: how many lines are lost, and when it is tried again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::files::Trouble;

/// What does not work is tried again after this time.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// One outage after the other; nothing is lost in between.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    lost: u64,
    retry_at: Option<Duration>,
}

impl Outage {
    /// Is it too early to try again?
    pub(crate) fn rests(&self, now: Duration) -> bool {
        self.retry_at.is_some_and(|at| now < at)
    }

    /// The next line is tried, however early.
    pub(crate) fn try_soon(&mut self) {
        self.retry_at = None;
    }

    /// Lines are lost that were not even tried.
    pub(crate) fn lose(&mut self, lines: u64) {
        self.lost += lines;
    }

    /// Lines were tried and are lost. What is to be said of it the first time.
    pub(crate) fn failed(
        &mut self,
        lines: u64,
        now: Duration,
        path: &Arc<Path>,
        error: &std::io::Error,
    ) -> Option<Trouble> {
        let first = self.lost == 0;
        self.lost += lines;
        self.retry_at = Some(now + RETRY);
        first.then(|| Trouble::Failing {
            path: Arc::clone(path),
            error: error.to_string(),
        })
    }

    /// It works. What is to be said if it did not before.
    pub(crate) fn over(&mut self, path: &Arc<Path>) -> Option<Trouble> {
        self.retry_at = None;
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then(|| Trouble::Recovered {
            path: Arc::clone(path),
            lost,
        })
    }

    #[cfg(test)]
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}
