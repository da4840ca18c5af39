//! The stop at the clients: four of them connect, to two services.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::Tidegate;
use tidegate_testkit::raw::{Login, RawClient};

use super::{READ, RW};
use crate::demo::backends::Backends;
use crate::demo::say;

/// A client and the service it is connected to.
pub(super) struct Visitor {
    pub(super) service: &'static str,
    pub(super) client: RawClient,
}

/// The clients that visit the services.
pub(in crate::demo) struct Visitors {
    pub(super) all: Vec<Visitor>,
    ticks: usize,
}

impl Visitors {
    pub(super) fn connect(backends: &Backends, tidegate: &Tidegate) -> Result<Self> {
        let mut all = Vec::new();
        for (service, port) in [(RW, "rw"), (RW, "rw"), (READ, "read"), (READ, "read")] {
            let mut login =
                Login::new(&backends.accounts.app).attribute("program_name", "tidegate demo");
            if let Some(database) = backends.database() {
                login = login.database(database);
            }
            let client = RawClient::connect(tidegate.address(port), &login)
                .with_context(|| format!("connecting to {service}"))?;
            all.push(Visitor { service, client });
        }
        let rows = all.iter().map(Visitor::row).collect::<Result<Vec<_>>>()?;
        say::table(&["session", "service", "client", "greeted as"], &rows);
        let ids: BTreeSet<u32> = all.iter().map(Visitor::id).collect();
        ensure!(ids.len() == all.len(), "session ids repeat: {ids:?}");
        Ok(Self { all, ticks: 0 })
    }

    /// One small statement on one of the sessions, each in turn.
    pub(in crate::demo) fn tick(&mut self) -> Result<()> {
        let index = self.ticks % self.all.len();
        self.ticks += 1;
        // A session somebody has closed by then, as the tour invites to, is let go.
        if self.all[index].client.query("SELECT @@server_id").is_err() {
            self.all.remove(index);
            ensure!(!self.all.is_empty(), "all sessions are gone");
        }
        Ok(())
    }
}

impl Visitor {
    /// The session's id, which is the connection's.
    pub(super) fn id(&self) -> u32 {
        self.client.connection_id()
    }

    fn row(&self) -> Result<Vec<String>> {
        Ok(vec![
            self.id().to_string(),
            self.service.to_owned(),
            self.client.local_address()?.to_string(),
            self.client.server_version().to_owned(),
        ])
    }
}
