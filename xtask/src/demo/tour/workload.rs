//! The stop at the workload: some hundred statements, and who took them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use tidegate_testkit::Rest;

use super::RW;
use super::clients::Visitors;
use super::rest::list;
use super::statements::{answering_server, execute};
use crate::demo::backends::Backends;
use crate::demo::say;

/// Reads of each session.
const ROUNDS: usize = 60;

/// Every so many reads a session of the splitting service writes too.
const WRITE_EVERY: usize = 6;

const READ_SQL: &str = "SELECT @@server_id";
const WRITE_SQL: &str = "INSERT INTO orders (item, server) VALUES ('biscuit', @@server_id)";

/// What one server took.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    split_reads: u64,
    other_reads: u64,
    writes: u64,
}

/// Runs the statements, and shows what each server took of them, by its answers and as REST has it.
pub(super) fn show(rest: &Rest, backends: &Backends, visitors: &mut Visitors) -> Result<()> {
    let before = routed(rest)?;
    let mut shares: BTreeMap<u32, Share> = BTreeMap::new();
    for round in 0..ROUNDS {
        for visitor in &mut visitors.all {
            let splits = visitor.service == RW;
            let server = answering_server(&mut visitor.client, READ_SQL)?;
            let share = shares.entry(server).or_default();
            if splits {
                share.split_reads += 1;
            } else {
                share.other_reads += 1;
            }
            if splits && backends.database().is_some() && round % WRITE_EVERY == 0 {
                execute(&mut visitor.client, WRITE_SQL)?;
                shares.entry(backends.last_writer()?).or_default().writes += 1;
            }
        }
    }
    let after = routed(rest)?;
    let mut rows = Vec::new();
    for server in &backends.servers {
        let share = shares.get(&server.server_id).copied().unwrap_or_default();
        let routed = after.get(&server.name).copied().unwrap_or_default()
            - before.get(&server.name).copied().unwrap_or_default();
        let took = share.split_reads + share.other_reads + share.writes;
        ensure!(
            routed == took,
            "{} answered {took} statements, and REST says {routed}",
            server.name
        );
        // A session stays with its replica: a few sessions need not use all of them.
        ensure!(
            !server.primary || share.split_reads == 0,
            "{} took {} reads of {RW}",
            server.name,
            share.split_reads
        );
        rows.push(vec![
            server.name.clone(),
            share.split_reads.to_string(),
            share.other_reads.to_string(),
            share.writes.to_string(),
            routed.to_string(),
        ]);
    }
    let headings = [
        "server",
        "reads, splitting service",
        "reads, other service",
        "writes",
        "routed_packets in GET /v1/servers",
    ];
    say::table(&headings, &rows);
    Ok(())
}

/// The commands that each server was sent, as REST has them.
fn routed(rest: &Rest) -> Result<BTreeMap<String, u64>> {
    let servers = list(rest, "/v1/servers")?;
    Ok(servers
        .iter()
        .filter_map(|server| {
            let count = server["attributes"]["statistics"]["routed_packets"].as_u64()?;
            Some((server["id"].as_str()?.to_owned(), count))
        })
        .collect())
}
