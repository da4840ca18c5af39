//! One server as everybody else sees it: an immutable view, made anew by each tick.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate_wire::Caps;

use crate::bits::ServerBits;
use crate::event::Event;
use crate::mariadbmon::{Member, Node};
use tidegate_wire::GtidList;
use tidegate_wire::version::ServerVersion;

/// What is known of a server. What was never learned is `None`; what was learned before the
/// server went down is kept, except lag.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerState {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// State bits.
    pub bits: ServerBits,
    /// `state_details`.
    pub details: Option<String>,
    /// Its version.
    pub version: Option<ServerVersion>,
    /// Capabilities its greeting offers: a hint of what connections can agree on.
    pub caps: Option<Caps>,
    /// The default collation of its greeting.
    pub collation: Option<u8>,
    /// `@@server_id`, `node_id` in REST.
    pub server_id: Option<u32>,
    /// Server id of the primary it replicates from.
    pub master_id: Option<u32>,
    /// `@@read_only`.
    pub read_only: Option<bool>,
    /// `@@gtid_current_pos`.
    pub gtid_current_pos: Option<GtidList>,
    /// `@@gtid_binlog_pos`.
    pub gtid_binlog_pos: Option<GtidList>,
    /// Seconds behind the primary; 0 on the primary itself.
    pub lag_secs: Option<u64>,
    /// How long the server has been up.
    pub uptime: Option<Duration>,
    /// Round trip of the last ping.
    pub ping: Option<Duration>,
    /// The last event and when it was triggered.
    pub last_event: Option<(Event, SystemTime)>,
    /// `backend_connect_timeout` of its monitor, which bounds every connect to it.
    pub connect_timeout: Duration,
    /// Values of the tracked variables.
    pub variables: Arc<BTreeMap<String, String>>,
}

impl ServerState {
    /// How long a connect may take where no monitor says otherwise.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

    /// A server nobody has looked at: down.
    #[must_use]
    pub fn unknown(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            bits: ServerBits::NONE,
            details: None,
            version: None,
            caps: None,
            collation: None,
            server_id: None,
            master_id: None,
            read_only: None,
            gtid_current_pos: None,
            gtid_binlog_pos: None,
            lag_secs: None,
            uptime: None,
            ping: None,
            last_event: None,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            variables: Arc::default(),
        }
    }

    /// What a tick concluded of one server.
    pub(crate) fn of(member: &Member, node: &Node, connect_timeout: Duration) -> Self {
        let known = Self {
            name: Arc::clone(&member.name),
            bits: node.bits,
            details: node.details.clone(),
            lag_secs: node.lag_secs,
            master_id: node
                .links
                .iter()
                .map(|link| link.row.master_server_id)
                .find(|id| *id > 0),
            last_event: node.last_event,
            connect_timeout,
            ..Self::unknown(&member.name)
        };
        let Some(facts) = node.facts.as_deref() else {
            return known;
        };
        Self {
            version: Some(facts.version.clone()),
            caps: Some(facts.caps),
            collation: Some(facts.collation),
            server_id: Some(facts.server_id),
            read_only: Some(facts.read_only),
            gtid_current_pos: facts.gtid_current_pos.clone(),
            gtid_binlog_pos: facts.gtid_binlog_pos.clone(),
            uptime: Some(facts.uptime),
            ping: Some(facts.ping),
            variables: Arc::new(facts.variables.clone()),
            ..known
        }
    }
}
