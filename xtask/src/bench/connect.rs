//! Connections that come and go: connect, log in, one statement, quit; beside HAProxy, with and
//! without the pool of server connections.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tidegate_testkit::{Account, Tidegate, procfs};

use super::haproxy::HaProxy;
use super::report::{Bar, Row};
use super::stats::{interleave, median, ratios};
use super::sysbench::{Mode, Run};
use super::{Settings, proxy};

const HAPROXY: &str = "HAProxy";
const PLAIN: &str = "readconnroute";
const POOLED: &str = "with a pool";
const CONTENDERS: [&str; 3] = [HAPROXY, PLAIN, POOLED];

/// Clients at once.
const CLIENTS: usize = 16;

/// One contender's run.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Sessions from the first packet to the last, each second.
    per_second: f64,
    /// Processor time of the proxy for each, in microseconds.
    cpu_us: f64,
}

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::servers()?;
    let haproxy = HaProxy::start(&group, settings.workers)?;
    let start = |servers| {
        let extras = proxy::Extras {
            servers,
            ..proxy::Extras::default()
        };
        proxy::start_with(&group, settings, settings.workers, extras)
    };
    let plain = start("")?;
    let pooled = start("persistpoolmax=100\npersistmaxtime=300s\n")?;
    let place = |tidegate: &Tidegate| (proxy::connecting(tidegate), tidegate.pid());
    let script = group
        .scratch()
        .write("connect.lua", include_str!("connect.lua"))?;
    let run = Run {
        script: script.to_str().context("a path in UTF-8")?,
        mode: Mode::Text,
        threads: CLIENTS,
        seconds: settings.seconds,
    };
    let samples = interleave(settings.rounds, &CONTENDERS, |round, name| {
        let (address, pid) = match name {
            HAPROXY => (haproxy.replicas(), haproxy.pid()),
            PLAIN => place(&plain),
            _ => place(&pooled),
        };
        let sample = measure(address, pid, &run, &group.accounts().app)?;
        let Sample { per_second, cpu_us } = sample;
        println!(
            "  round {}: {name:14} {per_second:8.0} sessions/s, {cpu_us:6.1} us CPU each",
            round + 1
        );
        Ok(sample)
    })?;
    let series = |name: &str, what: fn(&Sample) -> f64| -> Vec<f64> {
        let runs = samples.get(name).into_iter().flatten();
        runs.map(what).collect()
    };
    let row = |name: &str, least: f64| {
        let rates = |name| series(name, |sample| sample.per_second);
        let values = ratios(&rates(name), &rates(HAPROXY));
        let text = format!("connect, one statement, quit: {name} / HAProxy");
        Row::new(
            text,
            "x",
            median(&values),
            values,
            Some(Bar::AtLeast(least)),
        )
    };
    let mut rows = vec![row(PLAIN, 1.0), row(POOLED, 1.5)];
    for name in CONTENDERS {
        let cpu = series(name, |sample| sample.cpu_us);
        let text = format!("CPU of a session that comes and goes: {name}");
        rows.push(Row::new(text, "us", median(&cpu), cpu, None));
    }
    Ok(rows)
}

fn measure(address: SocketAddr, pid: u32, run: &Run<'_>, account: &Account) -> Result<Sample> {
    let before = procfs::cpu_time(pid)?.total();
    let outcome = run.against(&[address], account)?;
    let used = procfs::cpu_time(pid)?.total() - before;
    Ok(Sample {
        per_second: outcome.per_second,
        cpu_us: used.as_secs_f64() * 1e6 / outcome.queries,
    })
}
