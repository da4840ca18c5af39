//! Whether large statements of one session hold up the small ones of another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{ServerGroup, Tidegate};

use super::proxy::Extras;
use super::report::{Bar, Row};
use super::stats::median;
use super::{Settings, proxy};

const MIB: usize = 1024 * 1024;

/// Literals of the list.
const LITERALS: usize = 100_000;

/// The longest time that a small statement may take.
const STALL_MS: f64 = 20.0;

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::roomy_servers()?;
    // One worker: both sessions are certain to share it.
    let tidegate = proxy::start_with(&group, settings, 1, Extras::default())?;
    let list = vec!["123456"; LITERALS].join(",");
    let statements = [
        (
            "a statement of 16 MiB",
            format!("SELECT LENGTH('{}')", "x".repeat(16 * MIB)),
        ),
        (
            "a list of 100,000 literals",
            format!("SELECT 1 IN ({list})"),
        ),
    ];
    let mut rows = Vec::new();
    for (name, statement) in statements {
        let mut stalls = Vec::new();
        for round in 0..settings.rounds {
            let stall = slowest(&tidegate, &group, &statement)?;
            println!("  round {}: {name}: {stall:.1?}", round + 1);
            stalls.push(stall.as_secs_f64() * 1000.0);
        }
        rows.push(Row::new(
            format!("slowest small statement beside {name}"),
            "ms",
            median(&stalls),
            stalls,
            Some(Bar::AtMost(STALL_MS)),
        ));
    }
    Ok(rows)
}

/// The slowest of the small statements while a large one is sent again and again.
fn slowest(tidegate: &Tidegate, group: &ServerGroup, statement: &str) -> Result<Duration> {
    const TIMES: usize = 5;
    let login = Login::new(&group.accounts().app).database("test");
    let mut large = RawClient::connect(proxy::splitting(tidegate), &login)?;
    let mut small = RawClient::connect(proxy::splitting(tidegate), &login)?;
    small.query("SELECT 1")?;
    large.query("SELECT 1")?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| -> Result<Duration> {
            let mut slowest = Duration::ZERO;
            while !done.load(Ordering::SeqCst) {
                let start = Instant::now();
                small.query("SELECT 1")?.text_value()?;
                slowest = slowest.max(start.elapsed());
            }
            Ok(slowest)
        });
        let sent = (0..TIMES).try_for_each(|_| {
            let reply = large.query(statement)?;
            ensure!(reply.error_code().is_none(), "the statement gave {reply:?}");
            Ok(())
        });
        done.store(true, Ordering::SeqCst);
        let slowest = reader.join().map_err(|_| anyhow!("the reader panicked"))?;
        sent?;
        slowest
    })
}
