//! From the start of the process to the first answer of a server through it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{PATIENCE, ServerGroup, Tidegate, wait_for};

use super::report::{Bar, Row};
use super::stats::median;
use super::{Settings, proxy};

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::servers()?;
    let mut times = Vec::new();
    for round in 0..settings.rounds {
        let time = start_once(&group, settings)?.as_secs_f64() * 1000.0;
        println!("  round {}: {time:.1} ms", round + 1);
        times.push(time);
    }
    let name = "start to first accepted query, the monitor's first round included";
    Ok(vec![Row::new(
        name,
        "ms",
        median(&times),
        times,
        Some(Bar::AtMost(100.0)),
    )])
}

fn start_once(group: &ServerGroup, settings: &Settings) -> Result<Duration> {
    let login = Login::new(&group.accounts().app);
    let launch = Tidegate::builder(&proxy::config(group, settings.workers))
        .binary(&settings.binary)
        .prepare()?;
    let start = Instant::now();
    let mut tidegate = launch.launch()?;
    let address = proxy::splitting(&tidegate);
    let took = wait_for("a first query", PATIENCE, || {
        if let Some(status) = tidegate.exited()? {
            anyhow::bail!("tidegate ended at its start, {status}: {}", tidegate.log());
        }
        let answered = RawClient::connect(address, &login)
            .and_then(|mut client| client.query("SELECT 1")?.text_value());
        Ok(answered.is_ok().then(|| start.elapsed()))
    })?;
    ensure!(tidegate.terminate()?.success(), "it did not end in order");
    Ok(took)
}
