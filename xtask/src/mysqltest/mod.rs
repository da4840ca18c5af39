//! `cargo xtask mysql-test`: MariaDB's own test suite, directly and through the proxy.
//!
//! MariaDB's runner starts the servers and runs the tests, first as it always does. Then it runs
//! them again with a stand-in for its test client, which puts a proxy between the client and the
//! test's server. A test that passes directly has to pass through the proxy, or stand on the list
//! of explained differences, `bench/mysql-test/explained.txt`.
//!
//! Left out: tests that do not pass directly; they say nothing of the proxy.

mod client;
mod explained;
mod options;
mod outcome;
mod runner;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Context as _, Result, ensure};

pub(crate) use client::{HELP as CLIENT_HELP, run as run_client};

use crate::args::Args;
use crate::{packages, shell, signals, verdict};
use explained::Explained;
use outcome::{Outcome, Outcomes, plain_name};

/// The task's help.
pub(crate) const HELP: &str = "\
MariaDB's own tests, directly and through both routers
  --router NAME  only through readwritesplit, or readconnroute
  --only A,B     only these tests; without it, the whole main suite
  --quick        only the quick selection
  --again        compare with what the last direct run found, instead of running it again
  --list         name the explained differences
  --parallel N   this many servers at once; without it, one a processor";

/// The quick selection in the repository.
const QUICK: &str = include_str!("../../../bench/mysql-test/quick.txt");

/// The name of the run without a proxy.
const DIRECTLY: &str = "directly";

/// The routers that tests run through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Router {
    ReadWriteSplit,
    ReadConnRoute,
}

const ROUTERS: [Router; 2] = [Router::ReadWriteSplit, Router::ReadConnRoute];

impl Router {
    fn name(self) -> &'static str {
        match self {
            Self::ReadWriteSplit => "readwritesplit",
            Self::ReadConnRoute => "readconnroute",
        }
    }

    fn named(name: &str) -> Result<Self> {
        let known = ROUTERS.into_iter().find(|router| router.name() == name);
        known.with_context(|| format!("no router {name:?}"))
    }
}

/// What all runs share.
struct Settings {
    /// This program's file, which is the stand-in too.
    program: PathBuf,
    /// The proxy's file.
    tidegate: PathBuf,
    /// How many servers work at once.
    parallel: usize,
    /// Set when somebody wants the run to end.
    stop: Arc<AtomicBool>,
    logs: PathBuf,
}

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let list = args.flag("--list");
    let quick = args.flag("--quick");
    let again = args.flag("--again");
    let router = args.value("--router")?;
    let mut names = args.list("--only")?;
    let parallel = args.value("--parallel")?;
    args.finish()?;
    let explained = explained::list()?;
    if list {
        explained.iter().for_each(|line| println!("{line}"));
        return Ok(ExitCode::SUCCESS);
    }
    if quick {
        names.extend(QUICK.split_whitespace().map(str::to_owned));
    }
    let routers: Vec<Router> = match router {
        Some(name) => vec![Router::named(&name)?],
        None => ROUTERS.to_vec(),
    };
    let settings = Settings::new(parallel.as_deref())?;
    let direct = if again {
        runner::outcomes_in(&settings.log(DIRECTLY))?
    } else {
        println!("directly");
        runner::run(&settings, None, &names, &settings.log(DIRECTLY))?
    };
    let passing = passing(&direct, &names);
    ensure!(!passing.is_empty(), "no test passes directly");
    let names = plain_names(&passing);
    let mut total = Tally::default();
    for router in routers {
        println!("through {}", router.name());
        let log = settings.log(router.name());
        let through = runner::run(&settings, Some(router), &names, &log)?;
        total.add(compare(router, &passing, &through, &explained));
        println!("   what the runner said: {}", log.display());
    }
    println!(
        "\n{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.explained
    );
    Ok(verdict(total.failed))
}

/// Numbers of tests that pass directly, by what they did through the proxy.
#[derive(Default)]
struct Tally {
    passed: u64,
    /// They differ, and the list says why.
    explained: u64,
    failed: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.explained += other.explained;
        self.failed += other.failed;
    }
}

/// Tells what differs through `router`.
fn compare(
    router: Router,
    passing: &BTreeSet<&str>,
    through: &Outcomes,
    explained: &[Explained<'_>],
) -> Tally {
    let mut tally = Tally::default();
    for name in passing {
        let reason = explained::reason(explained, name, router);
        match (through.get(*name), reason) {
            (Some(Outcome::Passed), None) => tally.passed += 1,
            (Some(Outcome::Passed), Some(reason)) => {
                println!("   {name} passes, though listed: {reason}");
                tally.passed += 1;
            }
            (_, Some(_)) => tally.explained += 1,
            (outcome, None) => {
                let word = outcome.map_or("did not run", |outcome| outcome.word());
                println!(
                    "   {name} passes directly, but {word} through {}",
                    router.name()
                );
                tally.failed += 1;
            }
        }
    }
    println!(
        "   {}: of {} tests that pass directly, {} pass, {} differ as explained, {} differ",
        router.name(),
        passing.len(),
        tally.passed,
        tally.explained,
        tally.failed
    );
    tally
}

/// The tests that say something of the proxy: of those asked for, what passes directly.
fn passing<'a>(outcomes: &'a Outcomes, names: &[String]) -> BTreeSet<&'a str> {
    outcomes
        .iter()
        .filter(|(_, outcome)| **outcome == Outcome::Passed)
        .map(|(name, _)| name.as_str())
        .filter(|name| names.is_empty() || names.iter().any(|wanted| wanted == plain_name(name)))
        .collect()
}

/// What to ask the runner for.
fn plain_names(tests: &BTreeSet<&str>) -> Vec<String> {
    let names: BTreeSet<&str> = tests.iter().map(|name| plain_name(name)).collect();
    names.into_iter().map(str::to_owned).collect()
}

impl Settings {
    fn new(parallel: Option<&str>) -> Result<Self> {
        packages::servers()?;
        packages::mysql_test()?;
        // Asked for now: building may replace the file.
        let program = env::current_exe().context("cannot tell where this program lies")?;
        let target = shell::target_folder()?;
        println!("building tidegate");
        shell::run(shell::cargo().args(["build", "--locked", "-p", "tidegate"]))?;
        let logs = target.join("xtask").join("mysql-test");
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let parallel = match parallel {
            Some(count) => count.parse().context("--parallel wants a number")?,
            None => thread::available_parallelism()?.get(),
        };
        Ok(Self {
            program,
            tidegate: target.join("debug").join("tidegate"),
            parallel,
            stop: signals::watch()?,
            logs,
        })
    }

    /// Where a run's output is kept.
    fn log(&self, run: &str) -> PathBuf {
        self.logs.join(format!("{run}.log"))
    }
}
