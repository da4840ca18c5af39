//! The memory of a very large transaction that is kept to be repeated.

use anyhow::{Result, ensure};
use tidegate_testkit::procfs;
use tidegate_testkit::raw::{Login, RawClient};

use super::proxy::Extras;
use super::report::{Bar, Row};
use super::{Settings, proxy};

const MIB: usize = 1024 * 1024;

/// Room for all of it.
const KEEPING: Extras<'_> = Extras {
    splitting: "transaction_replay=true\ntransaction_replay_max_size=1200Mi",
    listeners: "",
    servers: "",
};

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let statements = settings.scale(8 * 1024, 8 * 64);
    let group = proxy::servers()?;
    let tidegate = proxy::start_with(&group, settings, settings.workers, KEEPING)?;
    let login = Login::new(&group.accounts().app).database("test");
    let mut session = RawClient::connect(proxy::splitting(&tidegate), &login)?;
    session.query("SELECT 1")?;
    let before = procfs::resident_bytes(tidegate.pid())?;
    session.query("BEGIN")?;
    let statement = format!("SELECT LENGTH('{}')", "x".repeat(MIB / 8 - 64));
    let mut largest = before;
    for _ in 0..statements {
        let reply = session.query(&statement)?;
        ensure!(reply.error_code().is_none(), "it gave {reply:?}");
        largest = largest.max(procfs::resident_bytes(tidegate.pid())?);
    }
    session.query("ROLLBACK")?;
    let text = (statements * statement.len()) as f64;
    let ratio = (largest - before) as f64 / text;
    ensure!(
        ratio > 0.9,
        "the transaction was not kept: {ratio:.3} of its text"
    );
    Ok(vec![Row::once(
        format!(
            "memory of a transaction of {} MiB / its text",
            statements / 8
        ),
        "x",
        ratio,
        Some(Bar::AtMost(1.1)),
    )])
}
