//! A long history of session commands: what it takes to repeat it, and to keep it.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{PATIENCE, Rest, ServerGroup, wait_for};

use super::proxy::Extras;
use super::report::{Bar, Row};
use super::stats::median;
use super::{Settings, proxy};

const COMMANDS: usize = 1000;

const COM_QUERY: u8 = 3;

/// An OK packet with its header, to a client that wants to hear of no changes.
const OK_BYTES: usize = 11;

/// Room for all of them.
const LONG: Extras<'_> = Extras {
    splitting: "max_sescmd_history=2000\nmax_slave_connections=1",
    listeners: "",
    servers: "",
};

pub(super) fn run(settings: &Settings) -> Result<Vec<Row>> {
    let group = proxy::servers()?;
    let tidegate = proxy::start_with(&group, settings, settings.workers, LONG)?;
    let rest = tidegate.rest();
    let login = Login::new(&group.accounts().app).database("test");
    let commands: Vec<String> = (0..COMMANDS)
        .map(|number| format!("SET @variable_{number} = '{}'", "x".repeat(80)))
        .collect();
    let mut session = RawClient::connect(proxy::splitting(&tidegate), &login)?;
    pipeline(&mut session, &commands)?;
    let id = session.query("SELECT CONNECTION_ID()")?.text_value()?;
    let kept = member(&rest, &id, "/data/attributes/memory/sescmd_history")?
        .as_u64()
        .context("no size of the history")?;
    let text: usize = commands.iter().map(|command| command.len() + 1).sum();
    let mut beyond = Vec::new();
    for round in 0..settings.rounds {
        let direct = directly(&group, &login, &commands)?;
        lose_replicas(&group, &rest, &id)?;
        let through = read(&mut session)?;
        let more = through.as_secs_f64() * 1e3 - direct.as_secs_f64() * 1e3;
        println!(
            "  round {}: {through:.1?} through the proxy, {direct:.1?} directly",
            round + 1
        );
        beyond.push(more);
    }
    Ok(vec![
        Row::new(
            format!("reconnecting with {COMMANDS} session commands, beyond the server's own time"),
            "ms",
            median(&beyond),
            beyond,
            Some(Bar::AtMost(20.0)),
        ),
        Row::once(
            format!("memory of {COMMANDS} session commands / their text"),
            "x",
            kept as f64 / text as f64,
            Some(Bar::AtMost(1.3)),
        ),
    ])
}

/// Sends all commands in one go, then reads all answers in one go: the client's own time must not
/// count as the server's.
fn pipeline(session: &mut RawClient, commands: &[String]) -> Result<()> {
    let mut bytes = Vec::new();
    for command in commands {
        let length = u32::try_from(command.len() + 1)?;
        bytes.extend_from_slice(&length.to_le_bytes()[..3]);
        bytes.extend_from_slice(&[0, COM_QUERY]);
        bytes.extend_from_slice(command.as_bytes());
    }
    let mut stream = session.packets().stream();
    stream.write_all(&bytes)?;
    let mut answers = vec![0; commands.len() * OK_BYTES];
    stream.read_exact(&mut answers)?;
    let all_good = answers.chunks(OK_BYTES).all(|answer| answer[4] == 0);
    ensure!(all_good, "not every command was answered with OK");
    Ok(())
}

/// A read, which needs a replica.
fn read(session: &mut RawClient) -> Result<Duration> {
    let start = Instant::now();
    let value = session
        .query("SELECT LENGTH(@variable_999)")?
        .text_value()?;
    ensure!(value == "80", "the last variable's length is {value}");
    Ok(start.elapsed())
}

/// What the server itself needs for a connection, the commands and the read.
fn directly(group: &ServerGroup, login: &Login, commands: &[String]) -> Result<Duration> {
    let replica = group.replicas().first().context("no replica")?;
    let start = Instant::now();
    let mut session = RawClient::connect(replica.address(), login)?;
    pipeline(&mut session, commands)?;
    read(&mut session)?;
    Ok(start.elapsed())
}

/// Cuts the session's connections to replicas, and waits until the proxy has noticed.
fn lose_replicas(group: &ServerGroup, rest: &Rest, id: &str) -> Result<()> {
    let user = &group.accounts().app.user;
    for replica in group.replicas() {
        let threads = replica.rows(&format!(
            "SELECT id FROM information_schema.processlist WHERE user = '{user}'"
        ))?;
        for thread in threads.into_iter().flatten() {
            replica.sql(&format!("KILL {thread}"))?;
        }
    }
    wait_for("the connections to be lost", PATIENCE, || {
        let connections = member(rest, id, "/data/attributes/connections")?;
        Ok((connections.as_array().map_or(0, Vec::len) == 1).then_some(()))
    })
}

fn member(rest: &Rest, id: &str, pointer: &str) -> Result<Value> {
    let document: Value = serde_json::from_slice(&rest.get(&format!("/v1/sessions/{id}"))?.body)?;
    document
        .pointer(pointer)
        .cloned()
        .with_context(|| format!("no {pointer} in {document}"))
}
