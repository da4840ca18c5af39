//! The servers behind the proxy: a group of our own, or the caller's.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::mariadb::run_client;
use tidegate_testkit::{Account, PATIENCE, Scratch, ServerGroup, wait_for};

use super::accounts::{self, DemoAccounts};
use super::say;
use crate::packages;

/// How many replicas the demo's own group has.
const REPLICAS: usize = 2;

/// One server as the demo knows it.
#[derive(Debug, Clone)]
pub(super) struct Backend {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// `@@server_id`, by which a statement tells where it ran.
    pub(super) server_id: u32,
    pub(super) primary: bool,
    /// With which MariaDB's client logs in as administrator.
    options: PathBuf,
}

/// All servers, and who logs in to them.
#[derive(Debug)]
pub(super) struct Backends {
    pub(super) servers: Vec<Backend>,
    pub(super) accounts: DemoAccounts,
    /// Whether there is a database the tour may write to.
    writable: bool,
    scratch: Arc<Scratch>,
    group: Option<ServerGroup>,
}

impl Backends {
    /// Starts a primary and two replicas.
    pub(super) fn start() -> Result<Self> {
        packages::servers()?;
        let group = say::step("starting one MariaDB primary and two replicas", || {
            ServerGroup::start(REPLICAS)
        })?;
        let servers = (1..)
            .zip(group.servers())
            .map(|(server_id, server)| Backend {
                name: server.name().to_owned(),
                host: "127.0.0.1".to_owned(),
                port: server.port(),
                server_id,
                primary: server_id == 1,
                options: server.client_options(),
            })
            .collect();
        let accounts = DemoAccounts::random()?;
        group.primary().sql(&accounts.create())?;
        group.wait_replicated()?;
        let scratch = Arc::clone(group.scratch());
        Ok(Self {
            servers,
            accounts,
            writable: true,
            scratch,
            group: Some(group),
        })
    }

    /// Looks at the caller's servers, and makes accounts there only if asked to.
    pub(super) fn foreign(addresses: &[String], admin: &str, create: bool) -> Result<Self> {
        packages::client()?;
        let (user, password) = admin
            .split_once(':')
            .context("--admin wants USER:PASSWORD")?;
        let admin = Account {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        let scratch = Scratch::new("tidegate-demo")?;
        let servers = (1..)
            .zip(addresses)
            .map(|(number, address)| Backend::look(&scratch, number, address, &admin))
            .collect::<Result<Vec<_>>>()?;
        ensure!(
            servers.iter().filter(|server| server.primary).count() == 1,
            "one of the servers has to be the primary: one that replicates from no other"
        );
        ensure!(
            servers.len() > 1,
            "the tour wants a primary and at least one replica"
        );
        let mut backends = Self {
            servers,
            accounts: DemoAccounts::all(&admin),
            writable: false,
            scratch,
            group: None,
        };
        if create {
            backends.accounts = DemoAccounts::random()?;
            backends
                .accounts
                .ensure_absent(&backends.primary().options)?;
            backends.writable = true;
            let created = say::step("creating accounts and a database on the primary", || {
                run_client(&backends.primary().options, &backends.accounts.create())?;
                backends.wait_replicated()
            });
            if let Err(error) = created {
                backends.end()?;
                return Err(error);
            }
        }
        Ok(backends)
    }

    pub(super) fn primary(&self) -> &Backend {
        let found = self.servers.iter().find(|server| server.primary);
        found.unwrap_or(&self.servers[0])
    }

    /// The server that calls itself this.
    pub(super) fn by_id(&self, server_id: u32) -> Result<&Backend> {
        let found = self
            .servers
            .iter()
            .find(|server| server.server_id == server_id);
        found.with_context(|| format!("no server has the id {server_id}"))
    }

    /// The database the tour may write to, if there is one.
    pub(super) fn database(&self) -> Option<&'static str> {
        self.writable.then_some(accounts::DATABASE)
    }

    /// Which server the last row of the demo's table was written on, as the primary has it.
    pub(super) fn last_writer(&self) -> Result<u32> {
        let query = format!(
            "SELECT server FROM {}.orders ORDER BY id DESC LIMIT 1",
            accounts::DATABASE
        );
        Ok(accounts::value(&self.primary().options, &query)?.parse()?)
    }

    /// The folder everything lives in.
    pub(super) fn scratch(&self) -> &Arc<Scratch> {
        &self.scratch
    }

    /// Waits until all servers have the demo's table.
    fn wait_replicated(&self) -> Result<()> {
        let query = format!(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{}'",
            accounts::DATABASE
        );
        for server in &self.servers {
            let what = format!("the demo's table on {}", server.name);
            wait_for(&what, PATIENCE, || {
                Ok((accounts::value(&server.options, &query)? == "1").then_some(()))
            })?;
        }
        Ok(())
    }

    /// Ends or cleans the servers, and looks whether anything is left.
    pub(super) fn end(self) -> Result<()> {
        let folder = self.scratch.path().to_owned();
        match self.group {
            Some(group) => {
                let pids: Vec<u32> = group.servers().iter().filter_map(|s| s.pid()).collect();
                let ports: Vec<SocketAddr> = group
                    .servers()
                    .iter()
                    .map(|server| server.address())
                    .collect();
                drop(self.scratch);
                drop(group);
                for pid in pids {
                    let process = format!("/proc/{pid}");
                    ensure!(
                        !Path::new(&process).exists(),
                        "process {pid} is still there"
                    );
                }
                for port in ports {
                    ensure!(TcpStream::connect(port).is_err(), "{port} still accepts");
                }
            }
            None if self.writable => {
                run_client(&self.primary().options, &self.accounts.drop())?;
                drop(self.scratch);
            }
            None => drop(self.scratch),
        }
        ensure!(!folder.exists(), "{} is still there", folder.display());
        Ok(())
    }
}

impl Backend {
    fn look(scratch: &Scratch, number: u32, address: &str, admin: &Account) -> Result<Self> {
        let (host, port) = address
            .rsplit_once(':')
            .context("--servers wants HOST:PORT,...")?;
        let port: u16 = port
            .parse()
            .with_context(|| format!("no port in {address:?}"))?;
        let resolved = (host, port)
            .to_socket_addrs()
            .with_context(|| format!("no host {host}"))?;
        ensure!(resolved.count() > 0, "{host} has no address");
        let name = format!("server{number}");
        let options = accounts::client_options(scratch, &format!("{name}.cnf"), host, port, admin)?;
        let ask = |query: &str| {
            accounts::value(&options, query).with_context(|| format!("asking {address}"))
        };
        let server_id = ask("SELECT @@server_id")?.parse()?;
        // Replicas need not be read-only, but they replicate.
        let replicates = run_client(&options, "SHOW SLAVE STATUS")
            .with_context(|| format!("asking {address}"))?;
        let primary = replicates.trim().is_empty();
        Ok(Self {
            name,
            host: host.to_owned(),
            port,
            server_id,
            primary,
            options,
        })
    }
}
