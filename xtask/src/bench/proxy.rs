//! The proxy under measurement, with servers behind it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{PATIENCE, ServerGroup, Tidegate, wait_for};

use super::{Settings, sysbench};

/// The statements every session of a crowd has run before it rests.
const SMALL_STATEMENTS: usize = 10;

/// What the primary of a group answers to `@@server_id`.
const PRIMARY_ID: &str = "1";

/// What the rest of its work is: one result of a megabyte.
const LARGE_STATEMENT: &str = "SELECT REPEAT('x', 1000000)";

/// A primary and two replicas with sysbench's table.
pub(super) fn servers() -> Result<ServerGroup> {
    with_table(
        ServerGroup::builder()
            .replicas(2)
            .option("max_connections=1000"),
    )
}

/// The same for statements of any length.
pub(super) fn roomy_servers() -> Result<ServerGroup> {
    with_table(
        ServerGroup::builder()
            .replicas(2)
            .option("max_allowed_packet=64M"),
    )
}

/// The same for thousands of connections, which share a few threads of the servers.
pub(super) fn crowded_servers() -> Result<ServerGroup> {
    with_table(
        ServerGroup::builder()
            .replicas(2)
            .option("max_connections=18000")
            .option("thread_handling=pool-of-threads"),
    )
}

fn with_table(builder: tidegate_testkit::GroupBuilder) -> Result<ServerGroup> {
    println!("starting one MariaDB primary and two replicas");
    let group = builder
        .option("innodb_buffer_pool_size=128M")
        .option("table_open_cache=2000")
        .start()?;
    sysbench::prepare(group.primary().address(), &group.accounts().app)?;
    group.wait_replicated()?;
    Ok(group)
}

/// Starts the proxy and waits until both services answer.
///
/// It is started twice: only the first start hashes the default password, with many megabytes
/// that it gives back at some later time, which would spoil every comparison of memory. For the
/// same reason REST is not asked here.
pub(super) fn start(group: &ServerGroup, settings: &Settings) -> Result<Tidegate> {
    start_with(group, settings, settings.workers, Extras::default())
}

/// The same with other numbers of workers and more parameters.
pub(super) fn start_with(
    group: &ServerGroup,
    settings: &Settings,
    workers: usize,
    extras: Extras<'_>,
) -> Result<Tidegate> {
    let mut tidegate = Tidegate::builder(&config_with(group, workers, extras))
        .binary(&settings.binary)
        .start()?;
    tidegate.restart()?;
    tidegate.wait_ready()?;
    let login = Login::new(&group.accounts().app);
    for address in [splitting(&tidegate), connecting(&tidegate)] {
        wait_for("a replica to answer", PATIENCE, || {
            let server = RawClient::connect(address, &login)
                .and_then(|mut client| client.query("SELECT @@server_id")?.text_value());
            Ok(server.is_ok_and(|id| id != PRIMARY_ID).then_some(()))
        })?;
    }
    Ok(tidegate)
}

/// Where the read/write splitting router listens.
pub(super) fn splitting(tidegate: &Tidegate) -> SocketAddr {
    tidegate.address("rw")
}

/// Where the router listens that gives each session one replica.
pub(super) fn connecting(tidegate: &Tidegate) -> SocketAddr {
    tidegate.address("read")
}

/// Sessions on the read/write splitting router with a connection to each server, which have
/// worked and now rest.
pub(super) fn rested_sessions(
    tidegate: &Tidegate,
    group: &ServerGroup,
    count: usize,
) -> Result<Vec<RawClient>> {
    let login = Login::new(&group.accounts().app).database("test");
    let mut sessions = Vec::with_capacity(count);
    for number in 0..count {
        let mut session = RawClient::connect(splitting(tidegate), &login)
            .with_context(|| format!("session {number} of {count}"))?;
        // It changes the session, so it goes to all servers.
        work(&mut session, "SET @number = 1")?;
        for _ in 1..SMALL_STATEMENTS {
            work(&mut session, "SELECT 1")?;
        }
        sessions.push(session);
        if (number + 1) % 500 == 0 {
            println!("{} of {count} sessions", number + 1);
        }
    }
    Ok(sessions)
}

/// One megabyte to each session.
pub(super) fn large_results(sessions: &mut [RawClient]) -> Result<()> {
    sessions
        .iter_mut()
        .try_for_each(|session| work(session, LARGE_STATEMENT))
}

fn work(session: &mut RawClient, sql: &str) -> Result<()> {
    let reply = session.query(sql)?;
    ensure!(reply.error_code().is_none(), "{sql} gave {reply:?}");
    Ok(())
}

/// What a service with the read/write splitting router is given besides what all have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extras<'a> {
    /// Lines of the service `RW`.
    pub(super) splitting: &'a str,
    /// Lines of both listeners.
    pub(super) listeners: &'a str,
    /// Lines of every server.
    pub(super) servers: &'a str,
}

/// The proxy's configuration: both routers over the same servers.
pub(super) fn config(group: &ServerGroup, workers: usize) -> String {
    config_with(group, workers, Extras::default())
}

/// The same with more parameters.
pub(super) fn config_with(group: &ServerGroup, workers: usize, extras: Extras<'_>) -> String {
    let mut text = format!("[maxscale]\nthreads={workers}\nadmin_port=<port:admin>\n\n");
    let mut names = Vec::new();
    for server in group.servers() {
        names.push(server.name());
        text.push_str(&format!(
            "[{}]\ntype=server\naddress=127.0.0.1\nport={}\n{}\n",
            server.name(),
            server.port(),
            extras.servers
        ));
    }
    let names = names.join(",");
    let accounts = group.accounts();
    text.push_str(&format!(
        "[Monitor]\ntype=monitor\nmodule=mariadbmon\nservers={names}\nuser={}\npassword={}\n\
         monitor_interval=2000ms\n\n",
        accounts.monitor.user, accounts.monitor.password
    ));
    let splitting = format!("readwritesplit\n{}", extras.splitting);
    for (name, port, router) in [
        ("RW", "rw", splitting.as_str()),
        ("Read", "read", "readconnroute\nrouter_options=slave"),
    ] {
        text.push_str(&format!(
            "[{name}]\ntype=service\nrouter={router}\nservers={names}\nuser={}\npassword={}\n\n\
             [{name}-Listener]\ntype=listener\nservice={name}\naddress=127.0.0.1\n\
             port=<port:{port}>\n{}\n",
            accounts.service.user, accounts.service.password, extras.listeners
        ));
    }
    text
}
