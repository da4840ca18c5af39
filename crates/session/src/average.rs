//! Moving averages of response times: one a worker and server, merged where they are read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Instant;

/// A new sample counts at least this much: about the last hundred and some count.
const SMALLEST_SHARE: f64 = 1.0 / 128.0;
/// And at most this much, but for the first.
const LARGEST_SHARE: f64 = 0.5;
/// After this time without a sample the next one counts as much as all before it.
const FORGETS: Duration = Duration::from_secs(5);
/// After so many samples the next one counts the smallest share,
const MANY: u64 = 127;
/// if the newest is not older than this.
const RECENT_US: u64 = 5_000_000 / 128;

/// One worker's moving average: written by that worker, read by any thread.
#[derive(Debug, Default)]
pub struct Average {
    /// Microseconds, as the bits of a float.
    value: AtomicU64,
    samples: AtomicU64,
    /// The time of the newest sample.
    newest: AtomicU64,
}

/// How much the next sample counts, `age_us` after the newest of `samples`.
#[inline]
fn share(samples: u64, age_us: u64) -> f64 {
    // The usual case, in which nothing has to be computed.
    if samples >= MANY && age_us <= RECENT_US {
        return SMALLEST_SHARE;
    }
    (age_us as f64 / FORGETS.as_micros() as f64)
        .max(1.0 / (samples as f64 + 1.0))
        .clamp(SMALLEST_SHARE, LARGEST_SHARE)
}

/// What is known of a server's response time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Response {
    /// The average over all workers, in microseconds.
    pub average_us: f64,
    /// When the newest sample was taken.
    pub newest: Instant,
}

impl Average {
    /// Adds a sample in microseconds; only the owning worker may. The longer none came the more it
    /// counts.
    pub fn add(&self, now: Instant, sample_us: u64) {
        let sample_us = sample_us as f64;
        let samples = self.samples.load(Ordering::Relaxed);
        let value = if samples == 0 {
            sample_us
        } else {
            let before = f64::from_bits(self.value.load(Ordering::Relaxed));
            let age_us = now.0.saturating_sub(self.newest.load(Ordering::Relaxed));
            before + (sample_us - before) * share(samples, age_us)
        };
        self.value.store(value.to_bits(), Ordering::Relaxed);
        self.newest.store(now.0, Ordering::Relaxed);
        self.samples
            .store(samples.saturating_add(1), Ordering::Relaxed);
    }

    /// Merges the averages of all workers: each counts as much as it is fresh. `None`: no sample yet.
    pub fn merge<'a>(parts: impl Iterator<Item = &'a Average> + Clone) -> Option<Response> {
        let parts = parts.filter(|part| part.samples.load(Ordering::Relaxed) > 0);
        let newest = parts
            .clone()
            .map(|part| part.newest.load(Ordering::Relaxed))
            .max()?;
        let (mut sum, mut weights) = (0.0, 0.0);
        for part in parts {
            let behind = Instant(newest).since(Instant(part.newest.load(Ordering::Relaxed)));
            let known = (part.samples.load(Ordering::Relaxed) as f64).min(1.0 / SMALLEST_SHARE);
            let weight = known / (1.0 + behind.as_secs_f64() / FORGETS.as_secs_f64());
            sum += weight * f64::from_bits(part.value.load(Ordering::Relaxed));
            weights += weight;
        }
        Some(Response {
            average_us: sum / weights,
            newest: Instant(newest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    fn fed(samples: &[(u64, u64)]) -> Average {
        let average = Average::default();
        for (at_ms, ms) in samples {
            average.add(Instant(at_ms * 1000), ms * 1000);
        }
        average
    }

    fn known(parts: &[&Average]) -> f64 {
        Average::merge(parts.iter().copied()).unwrap().average_us / 1000.0
    }

    #[test]
    fn nothing_is_known_before_the_first_sample() {
        assert_eq!(Average::merge([Average::default()].iter()), None);
        assert_eq!(known(&[&fed(&[(0, 4)])]), 4.0);
    }

    #[test]
    fn a_single_slow_answer_among_many_counts_little() {
        let average = fed(&(0..200).map(|at| (at, 2)).collect::<Vec<_>>());
        average.add(Instant(200_000), MS * 100);
        assert!(known(&[&average]) < 3.0);
        for at in 201..900 {
            average.add(Instant(at * 1000), MS * 100);
        }
        assert!(known(&[&average]) > 95.0);
    }

    #[test]
    fn many_recent_samples_are_no_case_of_their_own() {
        assert_eq!(share(MANY, RECENT_US), SMALLEST_SHARE);
        assert!(share(MANY - 1, RECENT_US) > SMALLEST_SHARE);
        assert!(share(MANY, RECENT_US + 1) > SMALLEST_SHARE);
        assert!(share(MANY - 1, 0) < 1.01 * SMALLEST_SHARE);
        assert!(share(MANY, RECENT_US + 1) < 1.01 * SMALLEST_SHARE);
    }

    #[test]
    fn after_a_pause_a_sample_counts_much() {
        let average = fed(&(0..200).map(|at| (at, 100)).collect::<Vec<_>>());
        average.add(Instant(20_000_000), MS);
        assert!(known(&[&average]) < 51.0);
    }

    #[test]
    fn a_worker_that_has_not_asked_for_long_counts_less() {
        let stale = fed(&(0..200).map(|at| (at, 90)).collect::<Vec<_>>());
        let fresh = fed(&(0..200).map(|at| (at + 60_000, 10)).collect::<Vec<_>>());
        let both = known(&[&stale, &fresh]);
        assert!((10.0..20.0).contains(&both), "{both}");
        let equal = known(&[&fed(&[(0, 10)]), &fed(&[(0, 20)])]);
        assert_eq!(equal, 15.0);
    }
}
