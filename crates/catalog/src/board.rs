//! The servers as they are known now: what monitors publish comes together here and goes on to
//! the workers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tidegate_monitors::{AdminState, MonitorView, ServerBits, ServerState};
use tidegate_runtime::{Admission, Endpoint, Runtime, ServerEndpoint, Servers};
use tidegate_session::world::{
    Counters, PoolRules, ProxyHeader, Rank, ServerShard, ServerStatus, ServerView, ServerViews,
};
use tidegate_sqlclient::Address;
use tidegate_tls::{ServerTls, ServerTlsSlot};
use tidegate_wire::compress::Method;
use tidegate_wire::version::ServerKind;

/// Why a state could not be changed by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// There is no such server.
    #[error("there is no server '{0}'")]
    Unknown(String),
    /// The monitor said no.
    #[error(transparent)]
    Monitor(#[from] tidegate_monitors::RequestError),
}

/// One server.
#[derive(Debug, Clone)]
pub struct BoardEntry {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is configured to be.
    pub address: Address,
    /// The port for the proxy's own looks at it, tried first.
    pub extra_port: Option<u16>,
    /// Its rank.
    pub rank: Rank,
    /// The most connections of clients' traffic to it; 0: no limit.
    pub most_connections: u64,
    /// Counts them.
    pub admission: Arc<Admission>,
    /// How connections to it are kept that no session has.
    pub pool: Option<PoolRules>,
    /// The form of the PROXY header it is sent; `None`: it is sent none.
    pub proxy_header: Option<ProxyHeader>,
    /// How bytes are compressed on its connections.
    pub compression: Option<Method>,
    /// Connections to it may be logged in with the service's account.
    pub as_service: bool,
    /// Its counters.
    pub counters: Arc<Counters<ServerShard>>,
    /// What is known of it.
    pub state: Arc<ServerState>,
    /// The monitor that watches it.
    pub monitor: Option<String>,
    /// Where it was found to be.
    pub endpoint: Option<Endpoint>,
    /// How connections to it are encrypted.
    pub tls: ServerTlsSlot,
    /// Its maintenance is by force: connections to it end at once.
    pub evicted: bool,
}

/// All servers, in configuration order.
#[derive(Debug)]
pub struct Board {
    entries: Mutex<Vec<BoardEntry>>,
    runtime: OnceLock<Runtime>,
    /// Sessions look at positions.
    positions: bool,
    /// Where connections to servers come from; `None`: the system chooses.
    local: Option<IpAddr>,
    /// Told of every change, in order.
    changed: tokio::sync::watch::Sender<u64>,
}

impl Board {
    /// With these servers. `positions`: sessions want to know how far replication is, which changes
    /// with every write; otherwise they are not told.
    #[must_use]
    pub fn new(entries: Vec<BoardEntry>, positions: bool) -> Board {
        Board {
            entries: Mutex::new(entries),
            runtime: OnceLock::new(),
            positions,
            local: None,
            changed: tokio::sync::watch::channel(0).0,
        }
    }

    /// The same, connecting from this address (`local_address`).
    #[must_use]
    pub fn from(self, local: Option<IpAddr>) -> Board {
        Board { local, ..self }
    }

    /// Where connections to servers come from; `None`: the system chooses.
    pub(crate) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// The workers that are told from now on.
    pub(crate) fn serve(&self, runtime: Runtime) {
        // A board serves one set of workers for its whole life.
        let _ = self.runtime.set(runtime);
        self.push();
    }

    /// The workers.
    pub(crate) fn runtime(&self) -> Option<Runtime> {
        self.runtime.get().cloned()
    }

    /// To be told of changes.
    pub(crate) fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The servers now.
    #[must_use]
    pub fn entries(&self) -> Vec<BoardEntry> {
        self.lock().clone()
    }

    /// One of them.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<BoardEntry> {
        self.lock()
            .iter()
            .find(|entry| &*entry.name == name)
            .cloned()
    }

    /// A monitor found something out.
    pub(crate) fn published(&self, view: &MonitorView) {
        let mut changed = false;
        for entry in self.lock().iter_mut() {
            if let Some(state) = view.server(&entry.name) {
                let moved =
                    self.positions && entry.state.gtid_current_pos != state.gtid_current_pos;
                changed |= moved || !same_for_sessions(&entry.state, state);
                entry.state = Arc::clone(state);
            }
        }
        if changed {
            self.push();
        }
    }

    /// Names were looked up again.
    pub(crate) fn found(&self, name: &str, endpoint: Option<Endpoint>) {
        let mut changed = false;
        if let Some(entry) = self.lock().iter_mut().find(|entry| &*entry.name == name) {
            // A name that cannot be looked up now leaves the address that was known.
            changed = endpoint.is_some() && entry.endpoint != endpoint;
            if changed {
                entry.endpoint = endpoint;
            }
        }
        if changed {
            self.push();
        }
    }

    /// While the server is in maintenance its connections end at once, or as they come to rest.
    pub(crate) fn evict(&self, name: &str, on: bool) {
        let mut changed = false;
        if let Some(entry) = self.lock().iter_mut().find(|entry| &*entry.name == name) {
            changed = entry.evicted != on;
            entry.evicted = on;
        }
        if changed {
            self.push();
        }
    }

    /// New connections to the servers are encrypted like this; to those that are missing here, not
    /// at all.
    pub(crate) fn set_tls(&self, tls: &BTreeMap<String, Arc<ServerTls>>) {
        for entry in self.lock().iter() {
            entry.tls.set(tls.get(&*entry.name).cloned());
        }
        self.push();
    }

    /// Sets or clears a bit of a server that no monitor watches.
    pub(crate) fn change_unwatched(
        &self,
        name: &str,
        state: AdminState,
        on: bool,
    ) -> Result<(), StateError> {
        let unknown = || StateError::Unknown(name.to_owned());
        {
            let mut entries = self.lock();
            let entry = entries
                .iter_mut()
                .find(|entry| &*entry.name == name)
                .ok_or_else(unknown)?;
            let mut changed = ServerState::clone(&entry.state);
            changed.bits = if on {
                changed.bits.with(state.bit())
            } else {
                changed.bits.without(state.bit())
            };
            entry.state = Arc::new(changed);
        }
        self.push();
        Ok(())
    }

    /// The servers as sessions see them now.
    #[must_use]
    pub fn views(&self) -> Arc<ServerViews> {
        self.servers().views
    }

    /// What the workers are given.
    pub(crate) fn servers(&self) -> Servers {
        let entries = self.lock();
        Servers {
            views: Arc::new(ServerViews(
                entries.iter().map(|entry| self.view(entry)).collect(),
            )),
            endpoints: entries
                .iter()
                .map(|entry| ServerEndpoint {
                    address: entry.endpoint.clone(),
                    local: self.local.map(|local| SocketAddr::new(local, 0)),
                    tls: entry.tls.now(),
                    most_connections: entry.most_connections,
                    admission: Arc::clone(&entry.admission),
                })
                .collect(),
        }
    }

    fn view(&self, entry: &BoardEntry) -> ServerView {
        let position = entry.state.gtid_current_pos.as_ref();
        ServerView {
            position: position
                .filter(|_| self.positions)
                .map(|position| Arc::new(position.clone())),
            ..view(entry)
        }
    }

    fn push(&self) {
        if let Some(runtime) = self.runtime.get() {
            runtime.set_servers(&self.servers());
        }
        self.changed.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BoardEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BoardEntry {
    /// Can a connection that was logged in with a service's account turn into a client's?
    pub(crate) fn lets_service_in(&self) -> bool {
        view(self).lets_service_in()
    }
}

/// Is there nothing in the newer state that sessions look at?
fn same_for_sessions(old: &ServerState, new: &ServerState) -> bool {
    old.bits == new.bits
        && old.lag_secs == new.lag_secs
        && old.version == new.version
        && old.caps == new.caps
        && old.collation == new.collation
        && old.variables == new.variables
        && old.connect_timeout == new.connect_timeout
}

fn view(entry: &BoardEntry) -> ServerView {
    let state = &entry.state;
    ServerView {
        name: Arc::clone(&entry.name),
        status: shown_status(entry),
        lag: state.lag_secs.map(Duration::from_secs),
        position: None,
        rank: entry.rank,
        version: state
            .version
            .as_ref()
            .map_or(0, |version| u64::from(version.number())),
        version_string: state
            .version
            .as_ref()
            .map_or("", |version| version.text())
            .into(),
        mysql_family: state
            .version
            .as_ref()
            .is_some_and(|version| version.kind() == ServerKind::MySql),
        caps: state.caps,
        // utf8mb4_general_ci, as long as nobody has seen it.
        collation: state.collation.unwrap_or(45),
        variables: Arc::clone(&state.variables),
        tls: entry.tls.now().is_some(),
        connect_timeout: Some(state.connect_timeout),
        pool: entry.pool,
        proxy_header: entry.proxy_header,
        compression: entry.compression,
        as_service: entry.as_service,
        counters: Arc::clone(&entry.counters),
    }
}

fn shown_status(entry: &BoardEntry) -> ServerStatus {
    let status = status(entry.state.bits);
    if entry.evicted && status.has(ServerStatus::MAINTENANCE) {
        status.with(ServerStatus::EVICTED)
    } else {
        status
    }
}

/// A monitor's bits as sessions know them.
fn status(bits: ServerBits) -> ServerStatus {
    let pairs = [
        (ServerBits::RUNNING, ServerStatus::RUNNING),
        (ServerBits::MASTER, ServerStatus::MASTER),
        (ServerBits::SLAVE, ServerStatus::SLAVE),
        (ServerBits::RELAY, ServerStatus::RELAY),
        (ServerBits::SYNCED, ServerStatus::JOINED),
        (ServerBits::MAINTENANCE, ServerStatus::MAINTENANCE),
        (ServerBits::DRAINING, ServerStatus::DRAINING),
    ];
    pairs
        .into_iter()
        .filter(|(from, _)| bits.contains(*from))
        .fold(ServerStatus::default(), |status, (_, to)| status.with(to))
}
