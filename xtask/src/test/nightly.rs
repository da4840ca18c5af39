//! The nightly run: the same tests with counts that take hours.
//!
//! A test that repeats itself asks `tidegate_testkit::Count` how often; the table here says how
//! often a night allows. CONTRIBUTING.md explains the variables.

use std::time::Duration;

use super::stage::{Stage, Work};

/// The variables and the nightly counts.
pub(super) const COUNTS: &[(&str, &str)] = &[
    // Mutated inputs for each fuzz body.
    ("TIDEGATE_FUZZ_ROUNDS", "2_000_000"),
    // Generated statements before a server that refuses writes.
    ("TIDEGATE_STATEMENTS", "1_000_000"),
    // Points at which a session's server is killed.
    ("TIDEGATE_KILL_POINTS", "10_000"),
    // Writes that another connection reads at once.
    ("TIDEGATE_CAUSAL_PAIRS", "100_000"),
    // Made-up logins that a server and the account check decide alike.
    ("TIDEGATE_ACCOUNT_CASES", "1_000_000"),
    // Statements prepared by those who attack.
    ("TIDEGATE_PREPARES", "5_000_000"),
    // Connections that go from one session to another, by each router.
    ("TIDEGATE_HAND_OVERS", "1_000_000"),
];

/// In this order: what takes least comes first.
pub(super) const STAGES: &[Stage] = &[
    Stage {
        name: "simulator",
        what: "1,000,000 seeded schedules, and no law is broken",
        work: Work::Cargo(&[
            "run",
            "--locked",
            "--profile",
            "sim",
            "-p",
            "tidegate-sim",
            "--",
            "--schedules",
            "1_000_000",
        ]),
        env: &[],
        limit: hours(6),
    },
    Stage {
        name: "sharing",
        what: "300,000 seeded schedules in which sessions share connections, and no law is broken",
        work: Work::Cargo(&[
            "run",
            "--locked",
            "--profile",
            "sim",
            "-p",
            "tidegate-sim",
            "--",
            "--sharing",
            "--schedules",
            "300_000",
        ]),
        env: &[],
        limit: hours(2),
    },
    Stage {
        name: "mysql-test",
        what: "the main suite of MariaDB's own tests, directly and through both routers",
        work: Work::Task(&["mysql-test"]),
        env: &[],
        limit: hours(4),
    },
    // One after the other and with all that they print, so that the log says which one runs.
    Stage {
        name: "tests",
        what: "all tests with the nightly counts, optimised, with debug assertions",
        work: Work::Cargo(&[
            "test",
            "--locked",
            "--profile",
            "sim",
            "--workspace",
            "--no-fail-fast",
            "--",
            "--nocapture",
            "--test-threads=1",
        ]),
        env: COUNTS,
        limit: hours(12),
    },
];

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_every_count() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../CONTRIBUTING.md");
        let manual = std::fs::read_to_string(path).expect("the manual");
        for (name, _) in COUNTS {
            assert!(manual.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
