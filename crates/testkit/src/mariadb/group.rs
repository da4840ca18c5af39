//! A primary with replicas, replicating by GTID.

use std::iter;
use std::sync::Arc;
use std::thread;

use anyhow::{Result, ensure};

use super::account::{Account, Accounts};
use super::product::Product;
use super::server::Server;
use crate::scratch::Scratch;

/// Servers of one replication group. Dropping it ends them and removes their files.
#[derive(Debug)]
pub struct ServerGroup {
    product: Product,
    servers: Vec<Server>,
    accounts: Accounts,
    scratch: Arc<Scratch>,
}

/// How to start a [`ServerGroup`].
#[derive(Debug, Clone, Default)]
pub struct GroupBuilder {
    product: Option<Product>,
    replicas: usize,
    options: Vec<String>,
}

impl GroupBuilder {
    /// How many replicas the primary has.
    #[must_use]
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// Whose servers they are.
    #[must_use]
    pub fn product(mut self, product: Product) -> Self {
        self.product = Some(product);
        self
    }

    /// A line for the option file of every server, such as `max_connections=5000`.
    #[must_use]
    pub fn option(mut self, line: &str) -> Self {
        self.options.push(line.to_owned());
        self
    }

    /// Starts the servers side by side, joins the replicas to the primary, makes the database
    /// `test` and waits until all have it.
    ///
    /// # Errors
    /// MariaDB is not installed, or a server did not come up.
    pub fn start(self) -> Result<ServerGroup> {
        let scratch = Scratch::new("tidegate-group")?;
        let accounts = Accounts::random()?;
        let product = self.product.map_or_else(Product::usual, Ok)?;
        let names = iter::once("primary".to_owned())
            .chain((1..=self.replicas).map(|number| format!("replica{number}")));
        let servers = thread::scope(|scope| {
            let (scratch, accounts, options) = (&scratch, &accounts, &self.options);
            let starting: Vec<_> = (1..)
                .zip(names)
                .map(|(id, name)| {
                    scope.spawn(move || {
                        Server::start(scratch, product, &name, id, id > 1, accounts, options)
                    })
                })
                .collect();
            starting
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|_| anyhow::bail!("a start panicked"))
                })
                .collect::<Result<Vec<Server>>>()
        })?;
        let group = ServerGroup {
            product,
            servers,
            accounts,
            scratch,
        };
        for replica in group.replicas() {
            group.join(replica, group.primary())?;
        }
        group.primary().sql("CREATE DATABASE test")?;
        group.wait_replicated()?;
        Ok(group)
    }
}

impl ServerGroup {
    /// A primary and `replicas` replicas, with the default settings.
    ///
    /// # Errors
    /// MariaDB is not installed, or a server did not come up.
    pub fn start(replicas: usize) -> Result<Self> {
        Self::builder().replicas(replicas).start()
    }

    /// For settings of one's own.
    #[must_use]
    pub fn builder() -> GroupBuilder {
        GroupBuilder::default()
    }

    /// The server that started as primary.
    ///
    /// # Panics
    /// Never: a group has at least this one.
    #[must_use]
    pub fn primary(&self) -> &Server {
        &self.servers[0]
    }

    /// The servers that started as replicas.
    #[must_use]
    pub fn replicas(&self) -> &[Server] {
        &self.servers[1..]
    }

    /// All servers, the primary first.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The accounts that exist on all servers.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The group's folder, for further files and processes that should end with it.
    #[must_use]
    pub fn scratch(&self) -> &Arc<Scratch> {
        &self.scratch
    }

    /// Makes an account with a random password, grants it something (`SELECT ON test.*`), and
    /// waits until all servers know it.
    ///
    /// # Errors
    /// The primary refused.
    pub fn create_account(&self, user: &str, grant: &str) -> Result<Account> {
        let account = Account::random(user)?;
        let name = account.sql_name();
        self.primary()
            .sql(&format!("{} GRANT {grant} TO {name};", account.create()))?;
        self.wait_replicated()?;
        Ok(account)
    }

    /// Makes `replica` follow `primary` from the position it has.
    ///
    /// # Errors
    /// The replica refused.
    pub fn join(&self, replica: &Server, primary: &Server) -> Result<()> {
        let follow = self
            .product
            .follow(primary.port(), &self.accounts.replication);
        replica.sql(&follow)?;
        Ok(())
    }

    /// Waits until the replicas have all that the primary has committed.
    ///
    /// # Errors
    /// A replica did not catch up in time.
    pub fn wait_replicated(&self) -> Result<()> {
        let position = self.primary().value(self.product.position())?;
        for replica in self.replicas() {
            let reached = replica.value(&self.product.wait(&position))? == "0";
            ensure!(reached, "{} did not reach {position}", replica.name());
        }
        Ok(())
    }
}
