//! What a monitor knows between ticks: the state that [`diagnose`](super::diagnose) carries on.

use std::sync::Arc;
use std::time::SystemTime;

use super::facts::{ContactFailure, Facts, LinkRow};
use super::primary::Primary;
use crate::bits::ServerBits;
use crate::event::Event;

/// A server as the configuration describes it to its monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// `socket`, if it is reached that way.
    pub socket: Option<String>,
    /// `address`, if it is not.
    pub host: Option<String>,
    /// `port`.
    pub port: u16,
    /// `private_address`: the host its replicas know it by, if that is another.
    pub private_host: Option<String>,
}

impl Member {
    /// Where it is, for the log.
    #[must_use]
    pub fn address(&self) -> String {
        match (&self.socket, &self.host) {
            (Some(path), _) => path.clone(),
            (None, Some(host)) if host.contains(':') => format!("[{host}]:{}", self.port),
            (None, Some(host)) => format!("{host}:{}", self.port),
            (None, None) => String::new(),
        }
    }
}

/// A replication link, with what earlier ticks saw of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As the replica last described it.
    pub row: LinkRow,
    /// Was it connected at least once since it has these coordinates?
    pub seen_connected: bool,
}

/// One server between ticks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// State bits.
    pub bits: ServerBits,
    /// Ticks in a row in which it was neither running nor in maintenance.
    pub fail_ticks: u32,
    /// What it told when it last answered.
    pub facts: Option<Arc<Facts>>,
    /// Its links when it last answered.
    pub links: Vec<Link>,
    /// Why it cannot be asked at present.
    pub failure: Option<ContactFailure>,
    /// Seconds behind the primary; `None` if unknown.
    pub lag_secs: Option<u64>,
    /// Number of the replication cycle it is in.
    pub group: Option<u32>,
    /// `state_details`.
    pub details: Option<String>,
    /// For each link the member it leads to.
    pub sources: Vec<Option<usize>>,
    /// What last happened to it, and when.
    pub last_event: Option<(Event, SystemTime)>,
}

/// A whole cluster between ticks. The default is a cluster nobody has looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterView {
    /// One entry a member, in configuration order.
    pub nodes: Vec<Node>,
    /// The primary, if one was chosen.
    pub(crate) primary: Option<Primary>,
    /// The primary's `gtid_domain_id`, kept while it is down.
    pub primary_domain: Option<u32>,
    /// What was last complained of about the choice, so that it is said once.
    pub(crate) complaint: Option<String>,
}

impl ClusterView {
    /// A cluster of `count` servers nobody has looked at: all down.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self {
            nodes: vec![Node::default(); count],
            ..Self::default()
        }
    }

    /// The same knowledge for another list of servers: those that stay, by name, keep what is
    /// known of them.
    pub(crate) fn regrouped(&self, old: &[Member], new: &[Member]) -> Self {
        let place = |name: &str, members: &[Member]| members.iter().position(|m| &*m.name == name);
        let known = |member: &Member| self.nodes.get(place(&member.name, old)?).cloned();
        let primary = self.primary.as_ref().and_then(|primary| {
            let server = place(&old.get(primary.server)?.name, new)?;
            Some(primary.moved_to(server))
        });
        Self {
            nodes: new
                .iter()
                .map(|member| known(member).unwrap_or_default())
                .collect(),
            primary_domain: self.primary_domain.filter(|_| primary.is_some()),
            primary,
            complaint: None,
        }
    }

    /// The index of the primary.
    #[must_use]
    pub fn primary(&self) -> Option<usize> {
        self.primary.as_ref().map(|primary| primary.server)
    }
}
