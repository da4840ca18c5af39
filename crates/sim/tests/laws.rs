//! What the simulator promises of itself.

use tidegate_sim::{Coverage, schedule, schedule_followed};

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
fn the_straight_way_leads_where_the_long_one_does() {
    for seed in 1..=SCHEDULES {
        // Whose commands are told in the log goes the long way.
        let [straight, long] = [false, true]
            .map(|followed| schedule_followed(seed, followed).map(|outcome| outcome.trace));
        assert_eq!(straight, long, "TIDEGATE_SEED={seed}");
    }
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
