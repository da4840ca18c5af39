//! Clients that stop reading a large result for a while, then read on.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{ServerGroup, Tidegate, procfs};

use super::report::{Bar, Row};
use super::{Settings, proxy};

const MIB: f64 = 1024.0 * 1024.0;

/// Clients that read a result without a pause first: enough to meet each worker.
const WARMING: usize = 4;

/// The length of a row.
const ROW: u64 = 1_000_000;

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let rows = settings.scale(300, 30);
    let group = proxy::servers()?;
    let mut found = Vec::new();
    for clients in [1, settings.scale(100, 20)] {
        // A proxy of its own, so that memory kept from the first does not hide the second's.
        let tidegate = proxy::start(&group, settings)?;
        let growth = stall(&tidegate, &group, clients, rows, settings.time(5, 2))?;
        found.push(Row::once(
            format!("growth while {clients} clients stop reading a result of {rows} MB"),
            "MiB",
            growth,
            Some(Bar::AtMost(clients as f64)),
        ));
    }
    Ok(found)
}

/// The largest growth of resident memory, in MiB.
fn stall(
    tidegate: &Tidegate,
    group: &ServerGroup,
    clients: usize,
    rows: usize,
    pause: Duration,
) -> Result<f64> {
    let login = Login::new(&group.accounts().app).database("test");
    let sql = format!("SELECT REPEAT('x', {ROW}) FROM seq_1_to_{rows}");
    let mut sessions = Vec::new();
    for _ in 0..clients {
        let mut session = RawClient::connect(proxy::connecting(tidegate), &login)?;
        session.query("DO 1")?;
        sessions.push(session);
    }
    // One result that is read as it comes, on each worker: what reading a large result needs at all
    // (the workers' own buffers, code that ran for the first time) is no growth of those that stall.
    for _ in 0..WARMING {
        let mut session = RawClient::connect(proxy::connecting(tidegate), &login)?;
        session.send_query(&sql)?;
        session.count_rows()?;
    }
    let before = procfs::resident_bytes(tidegate.pid())?;
    let stalled = Barrier::new(clients + 1);
    let start = Instant::now();
    let largest = thread::scope(|scope| {
        let readers: Vec<_> = sessions
            .iter_mut()
            .map(|session| scope.spawn(|| read_late(session, &sql, rows, &stalled)))
            .collect();
        let mut largest = before;
        let mut watch = || {
            let now = procfs::resident_bytes(tidegate.pid())?;
            largest = largest.max(now);
            thread::sleep(Duration::from_millis(20));
            Ok::<(), anyhow::Error>(())
        };
        while start.elapsed() < pause {
            watch()?;
        }
        stalled.wait();
        while readers.iter().any(|reader| !reader.is_finished()) {
            watch()?;
        }
        for reader in readers {
            reader.join().map_err(|_| anyhow!("a reader panicked"))??;
        }
        Ok::<u64, anyhow::Error>(largest)
    })?;
    let growth = (largest - before) as f64 / MIB;
    println!(
        "{clients} clients: {growth:.1} MiB, all read after {:?}",
        start.elapsed()
    );
    Ok(growth)
}

/// Asks, waits for the others, then reads all of it.
fn read_late(session: &mut RawClient, sql: &str, rows: usize, stalled: &Barrier) -> Result<()> {
    let sent = session.send_query(sql);
    stalled.wait();
    sent?;
    let (count, bytes) = session.count_rows()?;
    ensure!(count == rows as u64, "{count} rows came, not {rows}");
    ensure!(
        bytes >= count * ROW,
        "{bytes} bytes came, not {}",
        count * ROW
    );
    Ok(())
}
