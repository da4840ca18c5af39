//! The stop at the servers: the monitor has found out who is who.

use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tidegate_testkit::Rest;

use super::rest::{list, plain};
use super::wait;
use crate::demo::backends::{Backend, Backends};
use crate::demo::say;

const PATH: &str = "/v1/servers";

/// Waits for the states that the servers must have, and shows them.
pub(super) fn show(rest: &Rest, backends: &Backends, interrupted: &AtomicBool) -> Result<()> {
    let servers = wait("the servers' states", interrupted, || {
        let servers = list(rest, PATH)?;
        let found = backends
            .servers
            .iter()
            .all(|backend| known(backend, &servers));
        Ok(found.then_some(servers))
    })
    .with_context(|| {
        let servers = list(rest, PATH).unwrap_or_default();
        format!("the servers are: {:?}", rows(&servers))
    })?;
    say::table(&["server", "address", "state"], &rows(&servers));
    Ok(())
}

fn known(backend: &Backend, servers: &[Value]) -> bool {
    let expect = if backend.primary {
        "Master, Running"
    } else {
        "Slave, Running"
    };
    servers
        .iter()
        .any(|server| server["id"] == *backend.name && server["attributes"]["state"] == expect)
}

fn rows(servers: &[Value]) -> Vec<Vec<String>> {
    let row = |server: &Value| {
        let attributes = &server["attributes"];
        let parameters = &attributes["parameters"];
        let address = format!("{}:{}", plain(&parameters["address"]), parameters["port"]);
        vec![plain(&server["id"]), address, plain(&attributes["state"])]
    };
    servers.iter().map(row).collect()
}
