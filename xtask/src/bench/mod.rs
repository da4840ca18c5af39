//! `cargo xtask bench`: the figures, each measured beside what it is compared with.
//!
//! A figure is a function that measures and says what it found; comparisons are ratios of runs
//! that followed each other within one round, and the median of the rounds counts. What it leaves
//! out: absolute promises. Numbers of one machine say little about another; ratios travel better.

mod build;
mod callgrind;
mod connect;
mod crowd;
mod haproxy;
mod history;
mod large;
mod load;
mod memory;
mod proxy;
mod replay;
mod report;
mod rest;
mod scaling;
mod sharing;
mod stall;
mod startup;
mod stats;
mod sysbench;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::args::Args;
use crate::{packages, release, verdict};
use report::Row;

/// The task's help.
pub(crate) const HELP: &str = "\
the figures: sysbench through tidegate, HAProxy and directly, memory, start, build
  --only A,B     only these figures; --list names them
  --skip A,B     all but these
  --quick        fewer and shorter rounds: a look, not a result
  --rounds N     interleaved rounds of each comparison (7)
  --seconds N    length of each run (5)
  --binary PATH  this proxy, instead of building one
  --no-results   do not write bench/results/";

/// How to measure.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Interleaved rounds of each comparison.
    rounds: usize,
    /// Length of one run.
    seconds: u64,
    /// Fewer sessions, shorter rests.
    quick: bool,
    /// The proxy to measure.
    binary: PathBuf,
    /// Workers of the proxy, and threads of HAProxy.
    workers: usize,
}

impl Settings {
    /// A count for a full run, or a smaller one for a quick look.
    fn scale(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// A time for a full run, or a shorter one for a quick look.
    fn time(&self, full: u64, quick: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { full })
    }
}

/// One group of rows of the table.
struct Figure {
    name: &'static str,
    what: &'static str,
    run: fn(&Settings) -> Result<Vec<Row>>,
}

const FIGURES: &[Figure] = &[
    Figure {
        name: "load",
        what: "sysbench directly, through HAProxy and through both routers",
        run: load::run,
    },
    Figure {
        name: "connect",
        what: "sessions that come, say one thing and go, with and without the pool, beside HAProxy",
        run: connect::run,
    },
    Figure {
        name: "core",
        what: "instructions of the session core and of the classification",
        run: callgrind::run,
    },
    Figure {
        name: "memory",
        what: "2,000 sessions with three server connections each, at rest",
        run: memory::run,
    },
    Figure {
        name: "stall",
        what: "clients that stop reading a 300 MB result",
        run: stall::run,
    },
    Figure {
        name: "crowd",
        what: "16 active sessions among 10, 1,000 and 4,500 open ones",
        run: crowd::run,
    },
    Figure {
        name: "rest",
        what: "GET /sessions each second at 4,500 sessions",
        run: rest::run,
    },
    Figure {
        name: "scaling",
        what: "one worker and two, and 9,000 sessions that have no servers",
        run: scaling::run,
    },
    Figure {
        name: "sharing",
        what: "9,000 sessions over 100 connections to a server, 200 of which speak at a time",
        run: sharing::run,
    },
    Figure {
        name: "history",
        what: "reconnecting with 1,000 session commands, and keeping them",
        run: history::run,
    },
    Figure {
        name: "large",
        what: "statements of 16 MiB beside small ones on one worker",
        run: large::run,
    },
    Figure {
        name: "replay",
        what: "memory of a transaction of 1 GiB that could be repeated",
        run: replay::run,
    },
    Figure {
        name: "start",
        what: "start to first accepted query",
        run: startup::run,
    },
    Figure {
        name: "tls",
        what: "queries and handshakes over TLS, beside HAProxy's",
        run: tls::run,
    },
    Figure {
        name: "build",
        what: "cold build of the release binary, and its size",
        run: build::run,
    },
];

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let only = args.list("--only")?;
    let skip = args.list("--skip")?;
    let list = args.flag("--list");
    let quick = args.flag("--quick");
    let rounds = number(&mut args, "--rounds")?.unwrap_or(if quick { 3 } else { 7 });
    let seconds = number(&mut args, "--seconds")?.unwrap_or(if quick { 2 } else { 5 });
    let binary = args.value("--binary")?.map(PathBuf::from);
    let keep = !args.flag("--no-results");
    args.finish()?;
    for name in only.iter().chain(&skip) {
        ensure!(
            FIGURES.iter().any(|figure| figure.name == name),
            "no figure {name:?}; see --list"
        );
    }
    let wanted = |figure: &&Figure| {
        let named = |list: &[String]| list.iter().any(|name| name == figure.name);
        (only.is_empty() || named(&only)) && !named(&skip)
    };
    let figures: Vec<&Figure> = FIGURES.iter().filter(wanted).collect();
    if list {
        figures
            .iter()
            .for_each(|figure| println!("{:8} {}", figure.name, figure.what));
        return Ok(ExitCode::SUCCESS);
    }
    packages::servers()?;
    packages::bench()?;
    raise_descriptor_limit()?;
    let settings = Settings {
        rounds: usize::try_from(rounds)?.max(1),
        seconds: seconds.max(1),
        quick,
        binary: match binary {
            Some(path) => path.canonicalize()?,
            None => release::build()?,
        },
        workers: thread::available_parallelism()?.get(),
    };
    let (rows, failed) = measure(&figures, &settings);
    report::print(&rows);
    if keep {
        let path = report::write(&rows, &settings)?;
        println!("written to {}", path.display());
    }
    Ok(verdict(failed))
}

/// Runs the figures; one that cannot be measured does not hide the others.
fn measure(figures: &[&Figure], settings: &Settings) -> (Vec<Row>, u64) {
    let mut rows = Vec::new();
    let mut failed = 0;
    for figure in figures {
        println!("\n== {}: {}", figure.name, figure.what);
        match (figure.run)(settings) {
            Ok(found) => {
                failed += found.iter().filter(|row| row.is_over_budget()).count() as u64;
                rows.extend(found.into_iter().map(|row| row.of(figure.name)));
            }
            Err(error) => {
                failed += 1;
                println!("not measured: {error:#}");
                rows.push(Row::missing(figure.what, &error).of(figure.name));
            }
        }
    }
    (rows, failed)
}

fn number(args: &mut Args, name: &str) -> Result<Option<u64>> {
    Ok(args.value(name)?.map(|text| text.parse()).transpose()?)
}

/// Thousands of sessions want descriptors: as many as we may have, for us and what we start.
fn raise_descriptor_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
