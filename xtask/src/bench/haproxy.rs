//! HAProxy in TCP mode: what a proxy costs that looks at nothing.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Result;
use tidegate_testkit::mariadb::find_program;
use tidegate_testkit::{Managed, PortLease, Scratch, ServerGroup, is_listening, wait_until};

/// A running HAProxy in front of a group.
#[derive(Debug)]
pub(super) struct HaProxy {
    process: Managed,
    replicas: PortLease,
    primary: PortLease,
}

impl HaProxy {
    /// Starts it with as many threads as the proxy it is compared with has workers, and otherwise
    /// as it comes: the system places the threads.
    pub(super) fn start(group: &ServerGroup, workers: usize) -> Result<Self> {
        let replicas = PortLease::take()?;
        let primary = PortLease::take()?;
        let scratch: &Arc<Scratch> = group.scratch();
        let readers: Vec<SocketAddr> = group.replicas().iter().map(|r| r.address()).collect();
        let text = [
            head(workers),
            section("replicas", replicas.address(), &readers),
            section("primary", primary.address(), &[group.primary().address()]),
        ]
        .concat();
        let file = scratch.write(&format!("haproxy-{}.cfg", replicas.port()), &text)?;
        let mut command = Command::new(find_program(&["haproxy"])?);
        command
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = scratch.spawn("haproxy", &mut command)?;
        let haproxy = Self {
            process,
            replicas,
            primary,
        };
        for address in [haproxy.replicas(), haproxy.primary()] {
            wait_until("HAProxy to listen", || is_listening(address.port()))?;
        }
        Ok(haproxy)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it spreads connections over the replicas.
    pub(super) fn replicas(&self) -> SocketAddr {
        self.replicas.address()
    }

    /// Where it passes connections on to the primary.
    pub(super) fn primary(&self) -> SocketAddr {
        self.primary.address()
    }
}

fn head(workers: usize) -> String {
    format!(
        "global
    nbthread {workers}
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
"
    )
}

fn section(name: &str, address: SocketAddr, servers: &[SocketAddr]) -> String {
    let mut text = format!("listen {name}\n    bind {address}\n    balance leastconn\n");
    for (index, server) in servers.iter().enumerate() {
        text.push_str(&format!("    server s{index} {server}\n"));
    }
    text
}
