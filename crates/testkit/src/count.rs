//! How often a test repeats itself: as often as fits an ordinary run, or as the environment says.
//!
//! `cargo xtask test --nightly` sets the variables; its table says which there are.

use std::time::{Duration, Instant};

/// How often a long run says how far it is.
const SIGN: Duration = Duration::from_secs(20);

/// A number of repetitions, with a sign of life now and then.
#[derive(Debug)]
pub struct Count {
    name: &'static str,
    total: u64,
    next_sign: Instant,
}

impl Count {
    /// What the variable says; `ordinary` where it is not set.
    ///
    /// # Panics
    /// The variable holds no number.
    #[must_use]
    pub fn of(name: &'static str, ordinary: u64) -> Self {
        let total = std::env::var(name).map_or(ordinary, |text| {
            let digits = text.replace('_', "");
            digits
                .parse()
                .unwrap_or_else(|_| panic!("{name}={text} is not a number"))
        });
        Self {
            name,
            total,
            next_sign: Instant::now() + SIGN,
        }
    }

    /// How often.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Says how far it is, if it has not done so for a while.
    pub fn progress(&mut self, done: u64) {
        let now = Instant::now();
        if now >= self.next_sign {
            self.next_sign = now + SIGN;
            println!("{}: {done} of {}", self.name, self.total);
        }
    }
}
