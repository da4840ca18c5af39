//! What a second worker costs, and what sessions cost that only are there and have no servers.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{ServerGroup, Tidegate, procfs};

use super::proxy::Extras;
use super::report::{Bar, Row};
use super::stats::{interleave, median, ratios};
use super::sysbench::{Mode, Run};
use super::{Settings, proxy};

const ACTIVE: usize = 16;

const ONE: &str = "one worker";
const TWO: &str = "two workers";
const FEW: &str = "few sessions";
const CROWD: &str = "a crowd";

/// A connection is opened when a statement needs it.
const LAZY: Extras<'_> = Extras {
    splitting: "lazy_connect=true",
    listeners: "",
    servers: "",
};

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::crowded_servers()?;
    let workers = compare(
        &group,
        settings,
        BTreeMap::from([
            (
                ONE,
                proxy::start_with(&group, settings, 1, Extras::default())?,
            ),
            (
                TWO,
                proxy::start_with(&group, settings, 2, Extras::default())?,
            ),
        ]),
        [ONE, TWO],
    )?;
    let size = settings.scale(9000, 500);
    let quiet = proxy::start_with(&group, settings, settings.workers, LAZY)?;
    let crowded = proxy::start_with(&group, settings, settings.workers, LAZY)?;
    println!("opening {size} sessions");
    let sessions = open(&crowded, &group, size)?;
    let crowd = compare(
        &group,
        settings,
        BTreeMap::from([(FEW, quiet), (CROWD, crowded)]),
        [FEW, CROWD],
    )?;
    drop(sessions);
    let row = |what: String, values: Vec<f64>, bar: f64| {
        Row::new(what, "x", median(&values), values, Some(Bar::AtMost(bar)))
    };
    Ok(vec![
        row(
            "CPU a query, threads=2 / threads=1".to_owned(),
            workers,
            1.05,
        ),
        row(
            format!(
                "CPU a query of {ACTIVE} active sessions, {size} open with lazy_connect / none"
            ),
            crowd,
            1.10,
        ),
    ])
}

/// Sessions that have logged in and done nothing.
fn open(tidegate: &Tidegate, group: &ServerGroup, size: usize) -> Result<Vec<RawClient>> {
    let login = Login::new(&group.accounts().app);
    (0..size)
        .map(|number| {
            RawClient::connect(proxy::splitting(tidegate), &login)
                .with_context(|| format!("session {number} of {size}"))
        })
        .collect()
}

/// The processor time a query costs the second proxy, as a ratio of the first's, for each round.
fn compare(
    group: &ServerGroup,
    settings: &Settings,
    proxies: BTreeMap<&'static str, Tidegate>,
    names: [&'static str; 2],
) -> Result<Vec<f64>> {
    let run = Run {
        script: "oltp_point_select",
        mode: Mode::Text,
        threads: ACTIVE,
        seconds: settings.seconds,
    };
    let samples = interleave(settings.rounds, &names, |round, name| {
        let tidegate = proxies.get(name).context("no such proxy")?;
        let before = procfs::cpu_time(tidegate.pid())?.total();
        let outcome = run.against(&[proxy::splitting(tidegate)], &group.accounts().app)?;
        let used = procfs::cpu_time(tidegate.pid())?.total() - before;
        let each = used.as_secs_f64() * 1e6 / outcome.queries;
        println!("  round {}: {name}: {each:.1} us CPU a query", round + 1);
        Ok(each)
    })?;
    let series = |name: &str| samples.get(name).cloned().unwrap_or_default();
    Ok(ratios(&series(names[1]), &series(names[0])))
}
