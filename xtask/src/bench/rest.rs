//! What a full list of all sessions each second costs the sessions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;
use tidegate_testkit::Rest;

use super::report::{Bar, Row};
use super::stats::{interleave, median, ratios};
use super::sysbench::{Mode, Run};
use super::{Settings, proxy};

const QUIET: &str = "quiet";
const LISTED: &str = "listed";

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let count = settings.scale(4500, 300);
    let group = proxy::crowded_servers()?;
    let tidegate = proxy::start(&group, settings)?;
    println!("opening {count} sessions");
    let sessions = proxy::rested_sessions(&tidegate, &group, count)?;
    let rest = tidegate.rest();
    let run = Run {
        script: "oltp_point_select",
        mode: Mode::Text,
        threads: 16,
        seconds: settings.seconds,
    };
    let whole = rest.get("/v1/sessions")?.body.len();
    let listed = list(&rest)?;
    ensure!(
        listed >= sessions.len(),
        "{listed} sessions listed of {}",
        sessions.len()
    );
    let mut slowest = Duration::ZERO;
    let samples = interleave(settings.rounds, &[QUIET, LISTED], |round, name| {
        let work = || run.against(&[proxy::splitting(&tidegate)], &group.accounts().app);
        let outcome = if name == LISTED {
            let (outcome, longest) = while_listing(&rest, whole, work)?;
            slowest = slowest.max(longest);
            outcome
        } else {
            work()?
        };
        println!(
            "  round {}: {name:7} {:8.0} queries/s, p99 {:.2} ms",
            round + 1,
            outcome.per_second,
            outcome.p99_ms
        );
        Ok(outcome)
    })?;
    let compare = |of: fn(&super::sysbench::Outcome) -> f64| {
        let series =
            |name| -> Vec<f64> { samples.get(name).into_iter().flatten().map(of).collect() };
        ratios(&series(LISTED), &series(QUIET))
    };
    let throughput = compare(|outcome| outcome.per_second);
    let p99 = compare(|outcome| outcome.p99_ms);
    let row = |what: &str, values: Vec<f64>, bar| {
        let name = format!("{what} with GET /sessions each second at {count} sessions / without");
        Row::new(name, "x", median(&values), values, Some(bar))
    };
    Ok(vec![
        row("throughput", throughput, Bar::AtLeast(0.95)),
        row("p99", p99, Bar::AtMost(1.5)),
        Row::once(
            "slowest of those lists",
            "ms",
            slowest.as_secs_f64() * 1000.0,
            None,
        ),
    ])
}

/// Does `work` while the list is asked for each second; returns the slowest list's time too. Its
/// text is received and no more: what it costs to understand it would be the reader's cost, on the
/// same processors.
fn while_listing<T>(
    rest: &Rest,
    whole: usize,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Duration)> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let lister = scope.spawn(|| -> Result<Duration> {
            let mut slowest = Duration::ZERO;
            while !done.load(Ordering::SeqCst) {
                let start = Instant::now();
                let length = rest.get("/v1/sessions")?.body.len();
                // Sessions come and go, and times have more or fewer digits.
                ensure!(length * 10 >= whole * 9, "{length} bytes listed of {whole}");
                slowest = slowest.max(start.elapsed());
                thread::sleep(Duration::from_secs(1).saturating_sub(start.elapsed()));
            }
            Ok(slowest)
        });
        let outcome = work();
        done.store(true, Ordering::SeqCst);
        let slowest = lister
            .join()
            .map_err(|_| anyhow!("the lister panicked"))??;
        Ok((outcome?, slowest))
    })
}

/// A list, understood.
fn list(rest: &Rest) -> Result<usize> {
    let response = rest.get("/v1/sessions")?;
    ensure!(
        response.status == 200,
        "GET /v1/sessions gave {}",
        response.status
    );
    let document: Value = serde_json::from_slice(&response.body)?;
    Ok(document["data"].as_array().map_or(0, Vec::len))
}
