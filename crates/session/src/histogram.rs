//! How long things took: counters by size, from which quantiles are read.
//!
//! Buckets are as wide as an eighth of the power of two that they begin in, so a quantile is at
//! most 12.5 % too high and never too low. Recording is one addition to a plain counter that the
//! recording worker owns; nothing is shared, nothing is allocated.
//!
//! Left out on purpose: means that fade with time. Whoever watches takes differences.

use crate::world::{Count, Counters};

/// Buckets a power of two.
const PARTS: usize = 8;
/// The longest time that has a bucket of its own: 2^36 µs, some 19 hours.
const BITS: usize = 36;
const BUCKETS: usize = (BITS - 2) * PARTS;

/// The bucket of a time in microseconds.
#[inline]
fn bucket(us: u64) -> usize {
    let us = us.min((1 << BITS) - 1);
    if us < PARTS as u64 {
        return us as usize;
    }
    let top = us.ilog2() as usize;
    (top - 2) * PARTS + (us >> (top - 3)) as usize % PARTS
}

/// A time, and the buckets it belongs to: worked out once for all that take note of it.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    us: u64,
    bucket: usize,
    decade: usize,
}

impl Took {
    /// So many microseconds.
    #[inline]
    #[must_use]
    pub fn new(us: u64) -> Took {
        Took {
            us,
            bucket: bucket(us),
            decade: decade(us),
        }
    }

    /// The coarse bucket: two of the others from where those are narrower.
    #[inline]
    fn coarse(self) -> usize {
        if self.bucket < PARTS {
            self.bucket
        } else {
            self.bucket / 2 + COARSE_PARTS
        }
    }
}

/// The longest time of a bucket, in microseconds.
fn longest(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let shift = bucket / PARTS - 1;
    (((PARTS + bucket % PARTS + 1) as u64) << shift) - 1
}

/// One worker's histogram of times.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Count; BUCKETS],
    total_us: Count,
    max_us: Count,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            buckets: std::array::from_fn(|_| Count::default()),
            total_us: Count::default(),
            max_us: Count::default(),
        }
    }
}

impl Histogram {
    /// Takes note of a time; only the owning worker may.
    #[inline]
    pub fn record(&self, took: Took) {
        if let Some(count) = self.buckets.get(took.bucket) {
            count.add(1);
        }
        self.total_us.add(took.us);
        self.max_us.raise(took.us);
    }
}

/// Coarse buckets a power of two.
const COARSE_PARTS: usize = 4;
const COARSE_BUCKETS: usize = (BITS - 1) * COARSE_PARTS;

/// A histogram that takes little room, for where there are many: its quantiles are at most 25 % too
/// high.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coarse {
    buckets: [u32; COARSE_BUCKETS],
    total_us: u64,
    max_us: u64,
}

impl Default for Coarse {
    fn default() -> Coarse {
        Coarse {
            buckets: [0; COARSE_BUCKETS],
            total_us: 0,
            max_us: 0,
        }
    }
}

fn coarse_longest(bucket: usize) -> u64 {
    if bucket < COARSE_PARTS {
        return bucket as u64;
    }
    let shift = bucket / COARSE_PARTS - 1;
    (((COARSE_PARTS + bucket % COARSE_PARTS + 1) as u64) << shift) - 1
}

impl Coarse {
    /// Takes note of a time.
    #[inline]
    pub(crate) fn record(&mut self, took: Took) {
        if let Some(count) = self.buckets.get_mut(took.coarse()) {
            *count = count.saturating_add(1);
        }
        self.total_us = self.total_us.wrapping_add(took.us);
        self.max_us = self.max_us.max(took.us);
    }

    /// Adds another one.
    pub(crate) fn merge(&mut self, other: &Coarse) {
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum = sum.saturating_add(*count);
        }
        self.total_us = self.total_us.wrapping_add(other.total_us);
        self.max_us = self.max_us.max(other.max_us);
    }
}

/// Histograms of several workers together, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    buckets: Vec<u64>,
    /// How many times were recorded.
    pub count: u64,
    /// Their sum in microseconds.
    pub total_us: u64,
    /// The longest of them in microseconds.
    pub max_us: u64,
}

impl Default for Spread {
    fn default() -> Spread {
        Spread {
            buckets: vec![0; BUCKETS],
            count: 0,
            total_us: 0,
            max_us: 0,
        }
    }
}

impl Spread {
    /// One histogram of every shard.
    #[must_use]
    pub fn of<S: Default>(counters: &Counters<S>, histogram: impl Fn(&S) -> &Histogram) -> Spread {
        let mut spread = Spread::default();
        for shard in counters.iter() {
            spread.add(histogram(shard));
        }
        spread
    }

    /// What a coarse histogram holds.
    #[must_use]
    pub fn of_coarse(coarse: &Coarse) -> Spread {
        let mut spread = Spread::default();
        for (ix, count) in coarse.buckets.iter().enumerate() {
            if let Some(sum) = spread.buckets.get_mut(bucket(coarse_longest(ix))) {
                *sum += u64::from(*count);
            }
            spread.count += u64::from(*count);
        }
        spread.total_us = coarse.total_us;
        spread.max_us = coarse.max_us;
        spread
    }

    /// Adds a worker's histogram.
    pub fn add(&mut self, histogram: &Histogram) {
        for (sum, count) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += count.get();
            self.count += count.get();
        }
        self.total_us = self.total_us.wrapping_add(histogram.total_us.get());
        self.max_us = self.max_us.max(histogram.max_us.get());
    }

    /// Adds another spread.
    pub fn merge(&mut self, other: &Spread) {
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
        self.count += other.count;
        self.total_us = self.total_us.wrapping_add(other.total_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// The time that `permille` thousandths of all did not exceed, in microseconds: never too
    /// low, at most 12.5 % too high. 0 of nothing.
    #[must_use]
    pub fn quantile_us(&self, permille: u64) -> u64 {
        let wanted = (self.count.saturating_mul(permille)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (ix, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return longest(ix).min(self.max_us);
            }
        }
        self.max_us
    }
}

/// How many powers of ten are told apart: up to 1 µs, up to 10 µs … up to 10⁵ s.
pub const DECADES: usize = 12;

/// The power of ten that a time in microseconds belongs to: the first whose bound it does not
/// exceed.
#[inline]
#[must_use]
pub fn decade(us: u64) -> usize {
    // The binary logarithm says within one how many digits there are.
    let guess = us
        .checked_ilog2()
        .map_or(0, |bits| ((bits as usize + 1) * 1233) >> 12);
    match BOUNDS.get(guess) {
        Some(bound) => guess + usize::from(us > *bound),
        None => DECADES - 1,
    }
}

/// The upper bounds of all powers of ten but the last, which has none.
const BOUNDS: [u64; DECADES - 1] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
];

/// One worker's times by powers of ten: what the REST interface calls a response-time
/// distribution.
#[derive(Debug, Default)]
pub struct Decades {
    /// How many, and their sum in microseconds.
    pub buckets: [(Count, Count); DECADES],
}

impl Decades {
    /// Takes note of a time; only the owning worker may.
    #[inline]
    pub fn record(&self, took: Took) {
        if let Some((count, total)) = self.buckets.get(took.decade) {
            count.add(1);
            total.add(took.us);
        }
    }
}

/// The answers that one session's client got: few numbers, because there may be many sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnswerTimes {
    /// How many, by powers of ten of their time.
    pub decades: [u32; DECADES],
    /// The sum of their times in microseconds.
    pub total_us: u64,
    /// The longest of them in microseconds.
    pub max_us: u64,
}

impl AnswerTimes {
    /// Takes note of a time.
    #[inline]
    pub fn record(&mut self, took: Took) {
        if let Some(count) = self.decades.get_mut(took.decade) {
            *count = count.saturating_add(1);
        }
        self.total_us = self.total_us.saturating_add(took.us);
        self.max_us = self.max_us.max(took.us);
    }

    /// How many answers there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.decades.iter().map(|count| u64::from(*count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(times: &[u64]) -> Spread {
        let histogram = Histogram::default();
        for us in times {
            histogram.record(Took::new(*us));
        }
        let mut spread = Spread::default();
        spread.add(&histogram);
        spread
    }

    #[test]
    fn buckets_follow_each_other_without_gap() {
        for ix in 0..BUCKETS - 1 {
            assert_eq!(bucket(longest(ix)), ix);
            assert_eq!(bucket(longest(ix) + 1), ix + 1);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(spread(&[]).quantile_us(500), 0);
    }

    #[test]
    fn decades_have_inclusive_upper_bounds() {
        let check = |us, expect| assert_eq!(decade(us), expect, "{us}");
        check(0, 0);
        check(1, 0);
        check(2, 1);
        check(10, 1);
        check(11, 2);
        check(1_000_000, 6);
        check(1_000_001, 7);
        check(100_000_000_000, 11);
        check(u64::MAX, 11);
        for digits in 1..11 {
            let bound = 10u64.pow(digits);
            check(bound, digits as usize);
            check(bound + 1, digits as usize + 1);
        }
    }

    proptest! {
        #[test]
        fn a_quantile_is_never_too_low_and_at_most_an_eighth_too_high(
            mut times in prop::collection::vec(0u64..1 << 36, 1..300),
            permille in 1u64..=1000,
        ) {
            let shown = spread(&times).quantile_us(permille);
            times.sort_unstable();
            let rank = (times.len() as u64 * permille).div_ceil(1000).max(1);
            let exact = times[rank as usize - 1];
            prop_assert!(exact <= shown);
            prop_assert!(shown <= exact + exact / 8);
        }

        #[test]
        fn a_coarse_quantile_is_never_too_low_and_at_most_a_quarter_too_high(
            mut times in prop::collection::vec(0u64..1 << 36, 1..300),
            permille in 1u64..=1000,
        ) {
            let mut coarse = Coarse::default();
            for us in &times {
                coarse.record(Took::new(*us));
            }
            let shown = Spread::of_coarse(&coarse).quantile_us(permille);
            times.sort_unstable();
            let rank = (times.len() as u64 * permille).div_ceil(1000).max(1);
            let exact = times[rank as usize - 1];
            prop_assert!(exact <= shown);
            prop_assert!(shown <= exact + exact / 4);
        }

        #[test]
        fn parts_together_are_the_whole(
            left in prop::collection::vec(any::<u32>(), 0..50),
            right in prop::collection::vec(any::<u32>(), 0..50),
        ) {
            let widen = |times: &[u32]| times.iter().map(|us| u64::from(*us)).collect::<Vec<_>>();
            let mut together = spread(&widen(&left));
            together.merge(&spread(&widen(&right)));
            prop_assert_eq!(together, spread(&widen(&[left, right].concat())));
        }
    }
}
