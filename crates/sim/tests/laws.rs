//! What the simulator promises of itself.

use tidegate_sim::{Coverage, schedule};

/// Schedules that a test can run in seconds, in a build without optimisation too.
const SCHEDULES: u64 = 150;

#[test]
fn no_law_is_broken() {
    for seed in 1..=SCHEDULES {
        let outcome = schedule(seed);
        assert_eq!(outcome.broken, None, "TIDEGATE_SEED={seed}");
        assert!(outcome.commands >= 50, "TIDEGATE_SEED={seed}");
    }
}

#[test]
fn one_seed_gives_one_trace() {
    for seed in 1..=20 {
        assert_eq!(
            schedule(seed).trace,
            schedule(seed).trace,
            "TIDEGATE_SEED={seed}"
        );
    }
    assert_ne!(schedule(1).trace, schedule(2).trace);
}

#[test]
fn rare_things_happen() {
    let mut coverage = Coverage::default();
    for seed in 1..=4 * SCHEDULES {
        coverage.merge(&schedule(seed).coverage);
    }
    assert!(
        coverage.is_broad(),
        "never happened: {:?}",
        coverage.missing()
    );
}
