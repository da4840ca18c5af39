//! sysbench directly, through HAProxy, and through both routers.

use std::net::SocketAddr;

use anyhow::Result;
use tidegate_testkit::{Account, procfs};

use super::haproxy::HaProxy;
use super::report::{Bar, Row};
use super::stats::{interleave, median, ratios};
use super::sysbench::{Mode, Outcome, Run};
use super::{Settings, proxy};

const DIRECT: &str = "direct";
const HAPROXY: &str = "HAProxy";
const CONNECT: &str = "readconnroute";
const SPLIT: &str = "readwritesplit";
const POINT: &str = "oltp_point_select";
const MIXED: &str = "oltp_read_write";

/// The thread count at which processor time is compared.
const BUSY: usize = 16;

/// One cell of the table: a workload in one mode at one thread count.
struct Cell {
    script: &'static str,
    mode: Mode,
    threads: usize,
    contenders: &'static [&'static str],
}

/// Who can be run, and where.
struct Field {
    account: Account,
    haproxy: HaProxy,
    tidegate: tidegate_testkit::Tidegate,
    replicas: Vec<SocketAddr>,
    primary: SocketAddr,
}

/// One contender's run with the processor time it took.
#[derive(Debug, Clone, Copy)]
struct Sample {
    outcome: Outcome,
    /// Processor time of the proxy's process for a query, in microseconds; none directly.
    cpu_us: f64,
}

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::servers()?;
    let field = Field {
        account: group.accounts().app.clone(),
        haproxy: HaProxy::start(&group, settings.workers)?,
        tidegate: proxy::start(&group, settings)?,
        replicas: group
            .replicas()
            .iter()
            .map(|replica| replica.address())
            .collect(),
        primary: group.primary().address(),
    };
    let mut rows = Vec::new();
    for cell in cells() {
        rows.extend(cell.measure(&field, settings)?);
    }
    Ok(rows)
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for mode in [Mode::Text, Mode::Binary] {
        for threads in [1, BUSY, 128] {
            cells.push(Cell {
                script: POINT,
                mode,
                threads,
                contenders: &[DIRECT, HAPROXY, CONNECT, SPLIT],
            });
        }
        // Each session of readconnroute has a replica, which takes no writes.
        cells.push(Cell {
            script: MIXED,
            mode,
            threads: BUSY,
            contenders: &[DIRECT, HAPROXY, SPLIT],
        });
    }
    cells
}

impl Field {
    /// Where a contender is reached, and its process if it has one. HAProxy and the direct
    /// connections use the servers that the router uses: replicas for reads, else the primary.
    fn contender(&self, name: &str, script: &str) -> (Vec<SocketAddr>, Option<u32>) {
        let writes = script == MIXED;
        match name {
            HAPROXY if writes => (vec![self.haproxy.primary()], Some(self.haproxy.pid())),
            HAPROXY => (vec![self.haproxy.replicas()], Some(self.haproxy.pid())),
            CONNECT => (
                vec![proxy::connecting(&self.tidegate)],
                Some(self.tidegate.pid()),
            ),
            SPLIT => (
                vec![proxy::splitting(&self.tidegate)],
                Some(self.tidegate.pid()),
            ),
            _ if writes => (vec![self.primary], None),
            _ => (self.replicas.clone(), None),
        }
    }

    fn sample(&self, name: &str, cell: &Cell, seconds: u64) -> Result<Sample> {
        let (addresses, pid) = self.contender(name, cell.script);
        let cpu = || pid.map(procfs::cpu_time).transpose();
        let before = cpu()?;
        let run = Run {
            script: cell.script,
            mode: cell.mode,
            threads: cell.threads,
            seconds,
        };
        let outcome = run.against(&addresses, &self.account)?;
        let used = match (before, cpu()?) {
            (Some(before), Some(after)) => after.total() - before.total(),
            _ => {
                return Ok(Sample {
                    outcome,
                    cpu_us: f64::NAN,
                });
            }
        };
        let cpu_us = used.as_secs_f64() * 1e6 / outcome.queries;
        Ok(Sample { outcome, cpu_us })
    }
}

impl Cell {
    fn name(&self) -> String {
        format!(
            "{} {}, {} threads",
            self.script,
            self.mode.name(),
            self.threads
        )
    }

    fn measure(&self, field: &Field, settings: &Settings) -> Result<Vec<Row>> {
        println!("{}", self.name());
        let samples = interleave(settings.rounds, self.contenders, |round, name| {
            let sample = field.sample(name, self, settings.seconds)?;
            println!(
                "  round {}: {name:14} {:8.0} queries/s  {:6.3} ms  {:6.1} us CPU a query",
                round + 1,
                sample.outcome.per_second,
                sample.outcome.average_ms,
                sample.cpu_us
            );
            Ok(sample)
        })?;
        let series = |name: &str, of: fn(&Sample) -> f64| -> Vec<f64> {
            samples.get(name).into_iter().flatten().map(of).collect()
        };
        let mut rows = Vec::new();
        for name in self.contenders {
            println!(
                "  median:  {name:14} {:8.0} queries/s  {:6.3} ms  {:6.1} us CPU a query",
                median(&series(name, Sample::per_second)),
                median(&series(name, Sample::average)),
                median(&series(name, Sample::cpu)),
            );
            rows.push(self.plain(
                name,
                "throughput",
                "queries/s",
                series(name, Sample::per_second),
            ));
            if *name != DIRECT {
                rows.push(self.plain(name, "CPU", "us/query", series(name, Sample::cpu)));
            }
        }
        for name in [CONNECT, SPLIT] {
            if !self.contenders.contains(&name) {
                continue;
            }
            let compare = |of: fn(&Sample) -> f64| ratios(&series(name, of), &series(HAPROXY, of));
            rows.push(self.row(
                name,
                "CPU a query / HAProxy's",
                compare(Sample::cpu),
                self.cpu_bar(name),
            ));
            let throughput = compare(Sample::per_second);
            let bar = (name == SPLIT).then_some(Bar::AtLeast(1.0));
            rows.push(self.row(name, "throughput / HAProxy's", throughput, bar));
            let bar = (name == SPLIT && self.threads == 1).then_some(Bar::AtMost(1.0));
            rows.push(self.row(name, "latency / HAProxy's", compare(Sample::average), bar));
        }
        Ok(rows)
    }

    fn cpu_bar(&self, contender: &str) -> Option<Bar> {
        let bar = if contender == SPLIT { 0.95 } else { 1.0 };
        (self.script == POINT && self.threads == BUSY).then_some(Bar::AtMost(bar))
    }

    fn plain(&self, contender: &str, what: &str, unit: &'static str, values: Vec<f64>) -> Row {
        let name = format!("{}: {contender} {what}", self.name());
        Row::new(name, unit, median(&values), values, None).detail()
    }

    fn row(&self, contender: &str, what: &str, values: Vec<f64>, bar: Option<Bar>) -> Row {
        let name = format!("{}: {contender} {what}", self.name());
        Row::new(name, "x", median(&values), values, bar)
    }
}

impl Sample {
    fn per_second(&self) -> f64 {
        self.outcome.per_second
    }

    fn average(&self) -> f64 {
        self.outcome.average_ms
    }

    fn cpu(&self) -> f64 {
        self.cpu_us
    }
}
