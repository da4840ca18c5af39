//! What the runtime is started with, and what of it can be changed while it runs.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_session::world::ServerViews;
use tidegate_session::{LogSwitches, ServerId, ServiceSpec, SessionId, Terms};
use tidegate_tls::{ListenerTls, ServerTls};
use tidegate_wire::compress::CompressionOffer;

use crate::admission::Admission;
use crate::answer::Answers;
use crate::log::Log;
use crate::networks::Networks;
use crate::socket::Keepalive;

/// What [`Runtime::start`](crate::Runtime::start) needs.
#[derive(Debug)]
pub struct RuntimeConfig {
    /// How many workers; at least one is started.
    pub workers: usize,
    /// How many there may be in time to come. Counters must have room for as many.
    pub most_workers: usize,
    /// Each worker stays on one processor, if there are as many as processors
    /// (`pin_threads`). It saves moves between processors where nothing else wants these; beside
    /// servers and clients on the same machine it keeps workers waiting for a processor while
    /// another is free.
    pub pin: bool,
    /// The number the first session gets.
    pub first_session: SessionId,
    /// Listening sockets that a service manager has opened: a listener at the address of one of
    /// them takes it over.
    pub lent: Vec<OwnedFd>,
    /// Where workers say what they have to say.
    pub log: Log,
    /// The servers as they are known at the start.
    pub servers: Servers,
    /// Limits and options.
    pub tuning: Tuning,
    /// Who answers the sessions' questions.
    pub answers: Arc<dyn Answers>,
    /// Memory of all classification caches together (`query_classifier_cache_size`); each worker
    /// gets its share.
    pub classifier_bytes: usize,
}

/// What can be changed while workers run; in force at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// Unsent bytes of one connection above which its sources are not read any more
    /// (`writeq_high_water`). 0: only above [`Tuning::UNTHROTTLED_BYTES`].
    pub high_water_bytes: usize,
    /// Unsent bytes below which they are read again (`writeq_low_water`).
    pub low_water_bytes: usize,
    /// Bytes read from one connection before others have their turn (`max_read_amount`);
    /// 0: [`Tuning::TURN_BYTES`].
    pub turn_bytes: usize,
    /// How long the last bytes to a client may take when its session has ended.
    pub linger: Duration,
    /// TCP keepalive of clients' and servers' connections; `None`: off.
    pub keepalive: Option<Keepalive>,
    /// Failed logins in a row after which an address is blocked for a minute
    /// (`max_auth_errors_until_block`); 0: never.
    pub max_auth_errors: u64,
    /// What sessions log, whatever their services say. Errors are always logged.
    pub log: LogSwitches,
}

impl Tuning {
    /// What is read from one connection in one turn where nothing else is said.
    pub const TURN_BYTES: usize = 256 * 1024;
    /// Even with throttling switched off, one connection holds not much more unsent bytes.
    pub const UNTHROTTLED_BYTES: usize = 16 * 1024 * 1024;

    /// The high water mark in force.
    pub(crate) fn high_water(&self) -> usize {
        if self.high_water_bytes == 0 {
            Tuning::UNTHROTTLED_BYTES
        } else {
            self.high_water_bytes
        }
    }

    /// The low water mark in force, always below the high one.
    pub(crate) fn low_water(&self) -> usize {
        self.low_water_bytes.min(self.high_water() - 1)
    }

    pub(crate) fn turn(&self) -> usize {
        if self.turn_bytes == 0 {
            Tuning::TURN_BYTES
        } else {
            self.turn_bytes
        }
    }
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            high_water_bytes: 64 * 1024,
            low_water_bytes: 1024,
            turn_bytes: 0,
            linger: Duration::from_secs(2),
            keepalive: Some(Keepalive::default()),
            max_auth_errors: 10,
            log: LogSwitches {
                error: true,
                warning: true,
                notice: true,
                info: false,
                debug: false,
            },
        }
    }
}

/// The servers at one moment: what sessions see of them, and where they are. Both lists are in
/// the order of [`ServerId`].
#[derive(Debug, Clone, Default)]
pub struct Servers {
    /// What sessions see.
    pub views: Arc<ServerViews>,
    /// Where they are.
    pub endpoints: Arc<[ServerEndpoint]>,
}

impl Servers {
    pub(crate) fn endpoint(&self, server: ServerId) -> Option<&ServerEndpoint> {
        self.endpoints.get(server.0 as usize)
    }
}

/// How to reach a server. Names have been resolved: a worker never does.
#[derive(Debug, Clone, Default)]
pub struct ServerEndpoint {
    /// Where it is; `None`: its name could not be resolved.
    pub address: Option<Endpoint>,
    /// The address to connect from (`local_address`).
    pub local: Option<SocketAddr>,
    /// TLS towards it; `None`: in the clear.
    pub tls: Option<Arc<ServerTls>>,
    /// The most connections of sessions and those that are kept for them, in all workers
    /// (`max_routing_connections`). 0: no limit.
    pub most_connections: u64,
    /// Counts them: the same object in every list.
    pub admission: Arc<Admission>,
}

impl ServerEndpoint {
    /// Is a connection that was made to this one like those that are made to the other?
    pub(crate) fn leads_to(&self, other: &ServerEndpoint) -> bool {
        let same_tls = match (&self.tls, &other.tls) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (None, None) => true,
            _ => false,
        };
        same_tls && self.address == other.address && self.local == other.local
    }
}

/// A place to listen or to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP, IPv4 or IPv6.
    Tcp(SocketAddr),
    /// The path of a UNIX socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Tcp(address) => address.fmt(f),
            Endpoint::Unix(path) => path.display().fmt(f),
        }
    }
}

/// One listener.
#[derive(Debug, Clone)]
pub struct ListenerSpec {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where it listens. `[::]` takes IPv4 too, and becomes `0.0.0.0` where there is no IPv6.
    pub endpoint: Endpoint,
    /// The service whose sessions it makes.
    pub service: Arc<ServiceSpec>,
    /// TLS for its clients; `None`: there is none.
    pub tls: Option<Arc<ListenerTls>>,
    /// Who may say in a PROXY header where its client is.
    pub tellers: Arc<Networks>,
    /// The authentication plugin that it greets with.
    pub plugin: &'static [u8],
    /// How its clients may have their bytes compressed.
    pub compression: CompressionOffer,
    /// What their sessions are told and begin with.
    pub terms: Arc<Terms>,
    /// Does it accept at once? A stopped listener lets clients queue in the kernel.
    pub started: bool,
}
