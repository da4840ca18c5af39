//! `cargo xtask test`: everything that has to hold before a change is taken.
//!
//! A table of stages, run one after the other; one that fails does not hide the next. What each
//! printed lies in the target folder; the terminal shows progress, and the end of what failed.

mod count;
mod nightly;
mod stage;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::args::Args;
use crate::{clients, foreign, packages, shell, signals, verdict};
use count::Count;
use stage::{Outcome, Stage, Surroundings, Work};

/// The task's help.
pub(crate) const HELP: &str = "\
everything: format, lints, docs, policy, tests, simulator, servers, MariaDB's tests, demo, fuzz bodies
  --all-clients  also the clients that take long to install (npm, pip, Java, Go, sqlx)
  --foreign      also MySQL and a later MariaDB (some 500 MB in the target folder)
  --nightly      the counts that take hours instead: simulator, and all tests that repeat themselves
  --only A,B     only these stages
  --skip A,B     all but these
  --list         name the stages
  --verbose      show all that the stages print";

/// In this order: what fails fast comes first.
const STAGES: &[Stage] = &[
    Stage {
        name: "format",
        what: "rustfmt has nothing to change",
        work: Work::Cargo(&["fmt", "--all", "--check"]),
        env: &[],
        limit: minutes(2),
    },
    Stage {
        name: "tidy",
        what: "the rules a compiler cannot check",
        work: Work::Task(&["tidy"]),
        env: &[],
        limit: minutes(2),
    },
    Stage {
        name: "policy",
        what: "licences, sources and duplicates of dependencies",
        work: Work::Task(&["policy"]),
        env: &[],
        limit: minutes(5),
    },
    Stage {
        name: "clippy",
        what: "lints, warnings as errors",
        work: Work::Cargo(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
        env: &[],
        limit: minutes(15),
    },
    Stage {
        name: "docs",
        what: "rustdoc, warnings as errors",
        work: Work::Cargo(&["doc", "--locked", "--workspace", "--no-deps"]),
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        limit: minutes(10),
    },
    Stage {
        name: "tests",
        what: "unit, table, golden, property and real-server tests",
        work: Work::Cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]),
        env: &[],
        limit: minutes(25),
    },
    Stage {
        name: "fuzz",
        what: "the fuzz targets compile; their bodies ran among the tests",
        work: Work::Cargo(&["check", "--locked", "--manifest-path", "fuzz/Cargo.toml"]),
        env: &[],
        limit: minutes(10),
    },
    Stage {
        name: "simulator",
        what: "100,000 seeded schedules, and no law is broken",
        work: Work::Cargo(&[
            "run",
            "--locked",
            "--profile",
            "sim",
            "-p",
            "tidegate-sim",
            "--",
            "--schedules",
            "100000",
        ]),
        env: &[],
        limit: minutes(20),
    },
    Stage {
        name: "planted",
        what: "the simulator finds each defect planted in the session core, soon",
        work: Work::Cargo(&[
            "run",
            "--locked",
            "--profile",
            "sim",
            "-p",
            "tidegate-sim",
            "--features",
            "planted",
            "--",
            "--planted",
        ]),
        env: &[],
        limit: minutes(10),
    },
    Stage {
        name: "mysql-test",
        what: "a selection of MariaDB's own tests, directly and through both routers",
        work: Work::Task(&["mysql-test", "--quick"]),
        env: &[],
        limit: minutes(20),
    },
    Stage {
        name: "demo",
        what: "the guided tour, unattended, with the release binary",
        work: Work::Task(&["demo", "--check"]),
        env: &[],
        limit: minutes(15),
    },
];

/// With `--all-clients`, at the end.
const ALL_CLIENTS: Stage = Stage {
    name: "clients",
    what: "the clients that take long to install, directly and through both routers",
    work: Work::Cargo(&[
        "test",
        "--locked",
        "-p",
        "tidegate",
        "--test",
        "clients",
        "--",
        "--ignored",
    ]),
    env: &[],
    limit: minutes(10),
};

/// With `--foreign`, at the end.
const FOREIGN: Stage = Stage {
    name: "foreign",
    what: "servers of other releases: MySQL, and a later MariaDB with its clients",
    work: Work::Cargo(&[
        "test",
        "--locked",
        "-p",
        "tidegate",
        "--test",
        "it",
        "--",
        "--ignored",
        "foreign::",
    ]),
    env: &[],
    limit: minutes(15),
};

/// With `--foreign`, at the end: the ordinary tests before the later MariaDB.
const LATER: Stage = Stage {
    name: "later",
    what: "the tests with real servers once more, before a later MariaDB",
    work: Work::Cargo(&["test", "--locked", "-p", "tidegate", "--test", "it"]),
    env: &[("TIDEGATE_TEST_SERVERS", "mariadb")],
    limit: minutes(25),
};

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let list = args.flag("--list");
    let verbose = args.flag("--verbose");
    let table = if args.flag("--nightly") {
        nightly::STAGES
    } else {
        STAGES
    };
    let all_clients = args.flag("--all-clients");
    let foreign = args.flag("--foreign");
    let table = table
        .iter()
        .chain(all_clients.then_some(&ALL_CLIENTS))
        .chain(foreign.then_some(&FOREIGN))
        .chain(foreign.then_some(&LATER));
    let stages = choose(
        table.collect(),
        &args.list("--only")?,
        &args.list("--skip")?,
    )?;
    args.finish()?;
    if list {
        stages
            .iter()
            .for_each(|stage| println!("{:10} {}", stage.name, stage.what));
        return Ok(ExitCode::SUCCESS);
    }
    // Asked for now: a stage that builds the workspace may replace the file.
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let logs = shell::target_folder()?.join("xtask").join("test");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let start = Instant::now();
    let surroundings = Surroundings {
        program,
        logs,
        verbose,
        stop: signals::watch()?,
    };
    // What is missing fails the stages that need it, each with the reason; the rest still runs.
    for ensured in [packages::servers(), packages::tests(), packages::clients()] {
        if let Err(error) = ensured {
            println!("{error:#}");
        }
    }
    if all_clients && let Err(error) = clients::install() {
        println!("{error:#}");
    }
    if foreign && let Err(error) = foreign::install() {
        println!("{error:#}");
    }
    let outcomes: Vec<(&Stage, Outcome)> = stages
        .into_iter()
        .map(|stage| Ok((stage, stage.run(&surroundings)?)))
        .collect::<Result<_>>()?;
    Ok(verdict(report(&outcomes, start.elapsed())))
}

fn choose(
    table: Vec<&'static Stage>,
    only: &[String],
    skip: &[String],
) -> Result<Vec<&'static Stage>> {
    for name in only.iter().chain(skip) {
        ensure!(
            table.iter().any(|stage| stage.name == name),
            "no stage {name:?}; see --list"
        );
    }
    let wanted = |stage: &&'static Stage| {
        let named = |list: &[String]| list.iter().any(|name| name == stage.name);
        (only.is_empty() || named(only)) && !named(skip)
    };
    Ok(table.into_iter().filter(wanted).collect())
}

/// The summary; returns how many failed.
fn report(outcomes: &[(&Stage, Outcome)], took: Duration) -> u64 {
    println!("\nAll stages, {} s:\n", took.as_secs());
    let mut total = Count::default();
    for (stage, outcome) in outcomes {
        let Count {
            passed,
            failed,
            ignored,
        } = outcome.count;
        let word = if failed == 0 { "ok" } else { "FAILED" };
        let ignored = if ignored == 0 {
            String::new()
        } else {
            format!(", {ignored} ignored")
        };
        println!(
            "  {:10} {word:7} {passed:6} passed {failed:4} failed{ignored} {:5} s",
            stage.name,
            outcome.took.as_secs()
        );
        total.add(outcome.count);
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    total.failed
}
