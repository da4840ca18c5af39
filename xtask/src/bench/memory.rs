//! Thousands of sessions at rest: their memory, and the processor time of doing nothing.

use std::thread;

use anyhow::Result;
use tidegate_testkit::raw::RawClient;
use tidegate_testkit::{ServerGroup, Tidegate, procfs};

use super::report::{Bar, Row};
use super::{Settings, proxy};

const KIB: f64 = 1024.0;

/// How the runtime names its workers' threads.
const WORKER: &str = "worker";

/// What a minute of rest may cost all workers together, in milliseconds: a tick now and then.
const REST_MS: f64 = 60.0;

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let count = settings.scale(2000, 200);
    let group = proxy::crowded_servers()?;
    let tidegate = proxy::start(&group, settings)?;
    // Memory the workers keep for everybody is there after the first few.
    let warm = count / 10;
    let mut sessions = worked(&tidegate, &group, warm, settings)?;
    let before = procfs::resident_bytes(tidegate.pid())?;
    sessions.extend(worked(&tidegate, &group, count - warm, settings)?);
    let resident = procfs::resident_bytes(tidegate.pid())?.saturating_sub(before);
    let each = resident as f64 / KIB / (count - warm) as f64;
    println!("{each:.1} KiB each; now a rest to see what it costs");
    let start = worker_ms(tidegate.pid())?;
    let rest = settings.time(60, 5);
    thread::sleep(rest);
    let used = (worker_ms(tidegate.pid())? - start) * 60.0 / rest.as_secs_f64();
    drop(sessions);
    Ok(vec![
        Row::once(
            format!("resident memory of each of {count} sessions at rest, 3 connections each"),
            "KiB",
            each,
            Some(Bar::AtMost(16.0)),
        ),
        Row::once(
            format!("workers' processor time in a minute of rest with {count} sessions"),
            "ms",
            used,
            Some(Bar::AtMost(REST_MS)),
        ),
    ])
}

/// Sessions that have done all their work and rested.
fn worked(
    tidegate: &Tidegate,
    group: &ServerGroup,
    count: usize,
    settings: &Settings,
) -> Result<Vec<RawClient>> {
    let mut sessions = proxy::rested_sessions(tidegate, group, count)?;
    println!("a result of 1 MB to each of {count} sessions, then a rest");
    proxy::large_results(&mut sessions)?;
    thread::sleep(settings.time(30, 5));
    Ok(sessions)
}

/// Processor time of the workers' threads; of all threads if none has their name.
fn worker_ms(pid: u32) -> Result<f64> {
    let times = procfs::thread_cpu_times(pid)?;
    let named = times.iter().any(|(name, ..)| name.contains(WORKER));
    let counted = times
        .iter()
        .filter(|(name, ..)| !named || name.contains(WORKER));
    Ok(counted.map(|(.., time)| time.as_secs_f64() * 1000.0).sum())
}
