//! A few active sessions among many that only are there.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use tidegate_testkit::procfs;

use super::report::{Bar, Row};
use super::stats::{interleave, median, ratios};
use super::sysbench::{Mode, Run};
use super::{Settings, proxy};

const ACTIVE: usize = 16;

/// Names of the crowds, the first being what the others are compared with.
const CROWDS: [&str; 3] = ["few", "many", "most"];

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let sizes = [10, settings.scale(1000, 100), settings.scale(4500, 300)];
    let group = proxy::crowded_servers()?;
    // A proxy for each crowd, all up at once, so that rounds can change between them.
    let mut proxies = BTreeMap::new();
    for (name, size) in CROWDS.into_iter().zip(sizes) {
        println!("opening {size} sessions");
        let tidegate = proxy::start(&group, settings)?;
        let sessions = proxy::rested_sessions(&tidegate, &group, size)?;
        proxies.insert(name, (tidegate, sessions));
    }
    let run = Run {
        script: "oltp_point_select",
        mode: Mode::Text,
        threads: ACTIVE,
        seconds: settings.seconds,
    };
    let samples = interleave(settings.rounds, &CROWDS, |round, name| {
        let (tidegate, sessions) = proxies.get(name).context("no such crowd")?;
        let before = procfs::cpu_time(tidegate.pid())?.total();
        let outcome = run.against(&[proxy::splitting(tidegate)], &group.accounts().app)?;
        let used = procfs::cpu_time(tidegate.pid())?.total() - before;
        let each = used.as_secs_f64() * 1e6 / outcome.queries;
        let open = sessions.len();
        println!(
            "  round {}: among {open:5}: {each:.1} us CPU a query",
            round + 1
        );
        Ok(each)
    })?;
    let series = |name: &str| samples.get(name).cloned().unwrap_or_default();
    let row = |(name, size): (&str, usize)| {
        let values = ratios(&series(name), &series(CROWDS[0]));
        let text = format!("CPU a query of {ACTIVE} active sessions, {size} open / 10 open");
        Row::new(text, "x", median(&values), values, Some(Bar::AtMost(1.1)))
    };
    Ok(CROWDS.into_iter().zip(sizes).skip(1).map(row).collect())
}
