//! Thousands of sessions over a few server connections, of which some speak at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use tidegate_testkit::procfs;
use tidegate_testkit::raw::{Login, RawClient};

use super::report::{Bar, Row};
use super::stats::median;
use super::{Settings, proxy};

/// Connections that each server may have.
const CONNECTIONS: usize = 100;

/// Sessions that speak at the same time.
const ACTIVE: usize = 200;

/// Statements of each session.
const STATEMENTS: usize = 5;

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let count = settings.scale(9_000, 1_000);
    let group = proxy::crowded_servers()?;
    let extras = proxy::Extras {
        servers: &format!(
            "max_routing_connections={CONNECTIONS}\npersistpoolmax={CONNECTIONS}\npersistmaxtime=300s\n"
        ),
        splitting: "idle_session_pool_time=0ms\nlazy_connect=true\nmax_slave_connections=1\n",
        ..proxy::Extras::default()
    };
    let tidegate = proxy::start_with(&group, settings, settings.workers, extras)?;
    let before = procfs::resident_bytes(tidegate.pid())?;
    let login = Login::new(&group.accounts().app);
    let address = proxy::splitting(&tidegate);
    let sessions = (0..count)
        .map(|_| RawClient::connect(address, &login))
        .collect::<Result<Vec<_>>>()?;
    println!("  {count} sessions, {ACTIVE} of which speak at a time");
    let times = speak(sessions)?;
    let each = procfs::resident_bytes(tidegate.pid())?.saturating_sub(before) as f64 / count as f64;
    let answered = times.len() as f64 / (count * STATEMENTS) as f64;
    let half = median(&times);
    let mut sorted = times;
    sorted.sort_by(f64::total_cmp);
    let p99 = sorted[sorted.len() * 99 / 100] / half;
    let row =
        |text: &str, unit, value: f64, bar| Row::new(text, unit, value, vec![value], Some(bar));
    Ok(vec![
        row(
            "statements answered of sessions that share connections",
            "x",
            answered,
            Bar::AtLeast(1.0),
        ),
        row(
            "99th percentile of their times / median",
            "x",
            p99,
            Bar::AtMost(10.0),
        ),
        row(
            "memory of a session that shares connections",
            "KiB",
            each / 1024.0,
            Bar::AtMost(12.0),
        ),
    ])
}

/// Has all sessions speak, so many at a time; the times of the answers in milliseconds.
fn speak(sessions: Vec<RawClient>) -> Result<Vec<f64>> {
    let sessions: Vec<Mutex<RawClient>> = sessions.into_iter().map(Mutex::new).collect();
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<f64>> {
        let mut times = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= sessions.len() * STATEMENTS {
                return Ok(times);
            }
            let session = sessions[turn % sessions.len()].lock();
            let mut session = session.map_err(|_| anyhow!("a client panicked"))?;
            let began = Instant::now();
            let reply = session.query("SELECT 1")?;
            ensure!(reply.error_code().is_none(), "an error: {reply:?}");
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..ACTIVE).map(|_| scope.spawn(worker)).collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(all)
    })
}
