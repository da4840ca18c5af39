//! What the OK that ends a login tells of the connection: variables, as if they had just changed, so that
//! connectors need not ask for them.
//!
//! A client may rely on them and leave out its SET NAMES: what is not known for sure is left out.

use std::sync::Arc;

use tidegate_wire::charset;
use tidegate_wire::track::{Change, put_change};

use crate::service::ServiceSpec;
use crate::session::{Cx, Session};
use crate::world::{ServerStatus, ServerView, ServerViews};

/// A variable that clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its name.
    pub name: Arc<str>,
    /// Its value; `None`: what the servers have.
    pub value: Option<Arc<str>>,
}

impl Session {
    /// The raw block of changes for the first OK.
    pub(crate) fn announcements(&self, cx: &Cx<'_>) -> Vec<u8> {
        let mut block = Vec::new();
        let mut put = |name: &str, value: &str| {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            put_change(&mut block, &Change::Variable { name, value });
        };
        let server = telling(&self.service, cx.servers);
        for Announcement { name, value } in &self.client.terms.metadata {
            match value {
                Some(value) => put(name, value),
                None => {
                    if let Some((name, value)) = self.automatic(name, server) {
                        put(name, value);
                    }
                }
            }
        }
        let announced =
            |name: &str| (self.client.terms.metadata.iter()).any(|told| told.name.as_ref() == name);
        if !announced("threads_connected") {
            let open = self.service.counters.now(|shard| &shard.sessions);
            put("threads_connected", &open.to_string());
        }
        if !announced("connection_id") {
            put("connection_id", &self.id.to_string());
        }
        if let Some(database) = &self.client.database {
            put_change(&mut block, &Change::Schema(database));
        }
        block
    }

    /// The value of `auto`, under the name it has there.
    fn automatic<'a>(
        &self,
        name: &'a str,
        server: Option<&'a ServerView>,
    ) -> Option<(&'a str, &'a str)> {
        let server = server?;
        let known = |name: &str| server.variables.get(name).map(String::as_str);
        let found = match name {
            "character_set_client" | "character_set_connection" | "character_set_results" => {
                let collation = self.client.identity.as_ref()?.collation;
                let id = u8::try_from(collation).ok()?;
                (name, charset::of_collation(id)?)
            }
            "tx_isolation" => {
                let name = crate::setup::isolation_name(server.version, server.mysql_family);
                (name, known(name)?)
            }
            _ => (name, known(name)?),
        };
        (!found.1.is_empty()).then_some(found)
    }
}

/// The server whose variables are told: the primary, else a replica, else any that runs.
fn telling<'a>(service: &ServiceSpec, servers: &'a ServerViews) -> Option<&'a ServerView> {
    let mut all = Vec::new();
    service.each_server(servers, &mut |view| {
        if view.status.usable() {
            all.push(view);
        }
    });
    let with = |bit| all.iter().copied().find(|view| view.status.has(bit));
    with(ServerStatus::MASTER)
        .or_else(|| with(ServerStatus::SLAVE))
        .or_else(|| with(ServerStatus::RUNNING))
}
