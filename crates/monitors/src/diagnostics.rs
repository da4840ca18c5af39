//! What a monitor tells of itself and its servers: plain data for REST.

use std::sync::Arc;

use crate::mariadbmon::{ClusterView, LinkRow, Member, Node};
use crate::server::ServerState;

/// A monitor after its last tick.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorView {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// `Running` (true) or `Stopped`.
    pub running: bool,
    /// Completed ticks since it was created.
    pub ticks: u64,
    /// Its servers, in configuration order.
    pub servers: Vec<Arc<ServerState>>,
    /// What the module adds; `None` while it is stopped.
    pub diagnostics: Option<Diagnostics>,
}

impl MonitorView {
    /// The server of this name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Arc<ServerState>> {
        self.servers.iter().find(|server| &*server.name == name)
    }
}

/// What a running monitor is doing at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Waiting for the next tick.
    Idle,
    /// Asking servers.
    Observing,
}

impl Activity {
    /// `monitor_diagnostics.state`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Observing => "Monitoring servers",
        }
    }
}

/// `monitor_diagnostics` of mariadbmon. Its `state` is [`MonitorHandle::activity`](crate::MonitorHandle::activity).
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    /// Name of the primary.
    pub master: Option<Arc<str>>,
    /// Its GTID domain.
    pub master_gtid_domain_id: Option<u32>,
    /// One entry a server.
    pub server_info: Vec<ServerInfo>,
}

/// One entry of `server_info`. Cooperative locks are not built, so `lock_held` is always null.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerInfo {
    /// The server.
    pub name: Arc<str>,
    /// `@@server_id`.
    pub server_id: Option<u32>,
    /// `@@read_only`.
    pub read_only: Option<bool>,
    /// `@@gtid_current_pos`.
    pub gtid_current_pos: Option<String>,
    /// `@@gtid_binlog_pos`.
    pub gtid_binlog_pos: Option<String>,
    /// Number of its replication cycle.
    pub master_group: Option<u32>,
    /// `state_details`.
    pub state_details: Option<String>,
    /// Its replication connections; empty on a primary.
    pub slave_connections: Vec<SlaveConnection>,
}

/// One replication connection.
#[derive(Debug, Clone, PartialEq)]
pub struct SlaveConnection {
    /// As the server describes it.
    pub row: LinkRow,
    /// The member it leads to; `None` when that is none of the monitor's.
    pub master_server_name: Option<Arc<str>>,
}

impl Diagnostics {
    pub(crate) fn of(cluster: &ClusterView, members: &[Member]) -> Self {
        let name = |index: usize| members.get(index).map(|member| Arc::clone(&member.name));
        let infos = members.iter().zip(&cluster.nodes);
        Self {
            master: cluster.primary().and_then(name),
            master_gtid_domain_id: cluster.primary_domain,
            server_info: infos
                .map(|(member, node)| ServerInfo::of(member, node, name))
                .collect(),
        }
    }
}

impl ServerInfo {
    fn of(member: &Member, node: &Node, name: impl Fn(usize) -> Option<Arc<str>>) -> Self {
        let facts = node.facts.as_deref();
        let position = |list: Option<&tidegate_wire::GtidList>| list.map(ToString::to_string);
        let links = node.links.iter().zip(&node.sources);
        Self {
            name: Arc::clone(&member.name),
            server_id: facts.map(|facts| facts.server_id),
            read_only: facts.map(|facts| facts.read_only),
            gtid_current_pos: facts.and_then(|facts| position(facts.gtid_current_pos.as_ref())),
            gtid_binlog_pos: facts.and_then(|facts| position(facts.gtid_binlog_pos.as_ref())),
            master_group: node.group,
            state_details: node.details.clone(),
            slave_connections: links
                .map(|(link, source)| SlaveConnection {
                    row: link.row.clone(),
                    master_server_name: source.and_then(&name),
                })
                .collect(),
        }
    }
}
