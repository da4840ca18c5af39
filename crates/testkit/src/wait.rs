//! Waiting for a condition, with a deadline.
//!
//! The one place of the tests in which time passes on purpose: a condition in another process
//! can only be asked about again and again. Nobody waits *for a while*; everybody waits *for
//! something*, and learns its name when it did not come.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long the tests wait for anything that should happen: far beyond what a loaded two-core
/// machine needs, so that only a real fault reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks.
const STEP: Duration = Duration::from_millis(5);

/// Calls `look` until it gives a value, and returns that value.
///
/// # Errors
/// `what` did not happen within `deadline`, or `look` itself failed (which ends the wait).
pub fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = look()? {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("waited {deadline:?} in vain for {what}");
        }
        thread::sleep(STEP);
    }
}

/// [`wait_for`] a condition, with the usual [`PATIENCE`].
///
/// # Errors
/// `what` did not become true in time.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    wait_for(what, PATIENCE, || Ok(condition().then_some(())))
}
