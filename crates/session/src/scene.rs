//! What a router is shown when it decides: its targets, the servers, the time.

use std::cell::Cell;
use std::time::Duration;

use tidegate_sql::TrxTracker;
use tidegate_wire::GtidList;

use crate::average::{Average, Response};
use crate::backend::{Backend, Link};
use crate::chain::{Node, Target};
use crate::ids::{BackendId, TargetId};
use crate::position::ServicePosition;
use crate::service::{Counted, ServiceShard, ServiceSpec, TargetShard, TargetSpec};
use crate::time::Instant;
use crate::world::{Counters, Rank, ServerShard, ServerStatus, ServerViews};

/// A router's view of its surroundings at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The time of this turn.
    pub now: Instant,
    /// The session's number: what `CONNECTION_ID()` means to a client.
    pub session: crate::ids::SessionId,
    /// The client's default database.
    pub database: Option<&'a [u8]>,
    /// The session's isolation level is SERIALIZABLE: plain reads lock.
    pub serializable: bool,
    /// All servers.
    pub servers: &'a ServerViews,
    /// Answers that the client is still waiting for.
    pub outstanding: usize,
    /// The target of this service that owes the newest of them.
    pub outstanding_on: Option<TargetId>,
    /// May connections be opened in mid-session: is the history able to rebuild the state?
    pub recoverable: bool,
    /// The session's transaction.
    pub trx: &'a TrxTracker,
    /// A number of the command that is routed next: another for every command, and for one that was
    /// put off; the same as long as it waits for connections.
    pub head: u64,
    /// When the command at the head was first put off ([`Decision::Later`]); `None`: it was not.
    ///
    /// [`Decision::Later`]: crate::router::Decision::Later
    pub put_off_since: Option<Instant>,
    /// How far the writes have come that were acknowledged through this service.
    pub position: &'a ServicePosition,
    /// This worker's counters of this service.
    pub counters: &'a ServiceShard,
    /// How the router counted the command that is being announced.
    pub(crate) counted: &'a Cell<Counted>,
    pub(crate) spare_wanted: &'a Cell<bool>,
    /// Nothing of it happens: what is counted counts nowhere.
    pub(crate) imagined: bool,
    pub(crate) worker: usize,
    pub(crate) spec: &'a ServiceSpec,
    /// Empty before the session's connections exist (while the router starts).
    pub(crate) targets: &'a [Target],
    pub(crate) backends: &'a [Backend],
    pub(crate) nodes: &'a [Node],
}

/// One target at one moment. A service as a target shows the best of what lies behind it.
#[derive(Debug, Clone, Copy)]
pub struct TargetView<'a> {
    /// Its name in the configuration.
    pub name: &'a str,
    /// State bits.
    pub status: ServerStatus,
    /// This session's connection to it.
    pub link: Link,
    /// Its rank.
    pub rank: Rank,
    /// Replication lag; `None`: unknown.
    pub lag: Option<Duration>,
    /// How far the monitor saw it; `None`: unknown, as it is of a service.
    pub position: Option<&'a GtidList>,
    /// Answers to be thrown away that it still owes this session.
    pub discards: usize,
    /// When this session last used it; zero: never.
    pub last_used: u64,
    load: Load<'a>,
}

/// How busy a target is: counted only when somebody asks.
#[derive(Debug, Clone, Copy)]
enum Load<'a> {
    /// A server's.
    Server {
        server: &'a Counters<ServerShard>,
        target: Option<&'a Counters<TargetShard>>,
    },
    /// The sum of those behind a service.
    Service {
        operations: u64,
        connections: u64,
        service_connections: u64,
        response: Option<Response>,
    },
}

impl TargetView<'_> {
    /// Does it stand for another service?
    #[must_use]
    pub fn is_service(&self) -> bool {
        matches!(self.load, Load::Service { .. })
    }

    /// Statements in progress there, from the whole proxy.
    #[must_use]
    pub fn operations(&self) -> u64 {
        match self.load {
            Load::Server { server, .. } => server.sum(|shard| &shard.operations),
            Load::Service { operations, .. } => operations,
        }
    }

    /// How fast it has answered reads lately; of a service, its fastest target. `None`: it never has.
    #[must_use]
    pub fn response(&self) -> Option<Response> {
        match self.load {
            Load::Server { server, .. } => {
                Average::merge(server.iter().map(|shard| &shard.first_bytes))
            }
            Load::Service { response, .. } => response,
        }
    }

    /// Connections of the whole proxy to it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        match self.load {
            Load::Server { server, .. } => server.sum(|shard| &shard.connections),
            Load::Service { connections, .. } => connections,
        }
    }

    /// Connections of this service's sessions to it.
    #[must_use]
    pub fn service_connections(&self) -> u64 {
        match self.load {
            Load::Server { target, .. } => {
                target.map_or(0, |target| target.sum(|shard| &shard.connections))
            }
            Load::Service {
                service_connections,
                ..
            } => service_connections,
        }
    }
}

impl<'a> Scene<'a> {
    /// The targets, in configuration order.
    #[inline]
    pub fn targets(&self) -> impl ExactSizeIterator<Item = TargetId> + use<> {
        (0..u16::try_from(self.spec.targets.len()).unwrap_or(u16::MAX)).map(TargetId)
    }

    /// One target. `None` for an id that is not of this service.
    ///
    /// Routers ask this several times for each command: where it is inlined, what the caller does
    /// not look at is not looked up.
    #[inline(always)]
    #[must_use]
    pub fn target(&self, id: TargetId) -> Option<TargetView<'a>> {
        let spec = self.spec.targets.get(usize::from(id.0))?;
        let target = self.targets.get(usize::from(id.0));
        match spec {
            TargetSpec::Server(server) => {
                let backend = match target {
                    Some(Target::Backend(backend)) => self.backend(*backend),
                    _ => None,
                };
                let view = self.servers.get(*server)?;
                Some(TargetView {
                    name: &view.name,
                    status: view.status,
                    link: backend.map_or(Link::Closed, Backend::link),
                    rank: view.rank,
                    lag: view.lag,
                    position: view.position.as_deref(),
                    discards: backend.map_or(0, Backend::discards),
                    last_used: backend.map_or(0, Backend::last_used),
                    load: Load::Server {
                        server: &view.counters,
                        target: self
                            .spec
                            .target_counters
                            .get(usize::from(id.0))
                            .map(|counters| &**counters),
                    },
                })
            }
            TargetSpec::Service(service) => Some(self.service(service, target)),
        }
    }

    /// At the session's next rest the router is asked which connections it does not want any more.
    pub fn want_spare(&self) {
        self.spare_wanted.set(true);
    }

    #[cold]
    fn service(&self, service: &'a ServiceSpec, target: Option<&Target>) -> TargetView<'a> {
        let targets: &[Target] = match target {
            Some(Target::Node(node)) => self.nodes.get(*node).map_or(&[], |node| &node.targets),
            _ => &[],
        };
        let inner = Scene {
            spec: service,
            targets,
            ..*self
        };
        inner.summary(&service.name, service.rank)
    }

    /// The position of a target by its name.
    #[must_use]
    pub fn target_named(&self, name: &str) -> Option<TargetId> {
        self.targets()
            .find(|id| self.target(*id).is_some_and(|target| target.name == name))
    }

    /// Counts a command sent to a target, for this service and for the server.
    pub fn count(&self, id: TargetId, how: Counted) {
        if self.imagined {
            return;
        }
        if how != Counted::Other {
            self.counted.set(how);
        }
        if let Some(counters) = self.spec.target_counters.get(usize::from(id.0)) {
            let shard = counters.shard(self.worker);
            shard.total.add(1);
            match how {
                Counted::Read => shard.reads.add(1),
                Counted::Write => shard.writes.add(1),
                Counted::Other => {}
            }
        }
        let Some(TargetSpec::Server(server)) = self.spec.targets.get(usize::from(id.0)) else {
            return;
        };
        let Some(view) = self.servers.get(*server) else {
            return;
        };
        let shard = view.counters.shard(self.worker);
        match how {
            Counted::Read => shard.reads.add(1),
            Counted::Write => shard.writes.add(1),
            Counted::Other => {}
        }
    }

    /// Counts why a command went to the primary, by the router's number of the reason.
    pub fn count_primary_reason(&self, reason: usize) {
        if let Some(count) = self.counters.primary_reasons.get(reason) {
            count.add(1);
        }
    }

    #[inline]
    fn backend(&self, id: BackendId) -> Option<&'a Backend> {
        self.backends.get(usize::from(id.0))
    }

    /// A service seen as one target: any bit that one of its usable targets has, the smallest lag
    /// of its replicas, the most open link, the sums of its load.
    fn summary(&self, name: &'a str, rank: Rank) -> TargetView<'a> {
        let mut whole = TargetView {
            name,
            status: ServerStatus::default(),
            link: Link::Closed,
            rank,
            lag: None,
            position: None,
            discards: 0,
            last_used: 0,
            load: Load::Service {
                operations: 0,
                connections: 0,
                service_connections: 0,
                response: None,
            },
        };
        let mut response: Option<Response> = None;
        let mut all_failed = true;
        let (mut operations, mut connections, mut service_connections) = (0, 0, 0);
        for view in self.targets().filter_map(|id| self.target(id)) {
            all_failed &= view.link == Link::Failed;
            whole.link = whole.link.max(if view.link == Link::Failed {
                Link::Closed
            } else {
                view.link
            });
            if view.status.connectable() || (view.link == Link::Open && view.status.usable()) {
                // The others are not less fit for it.
                let marks = ServerStatus::MAINTENANCE.with(ServerStatus::DRAINING);
                whole.status = whole.status.with(view.status.without(marks));
                if view.lag.is_some() {
                    whole.lag = whole.lag.min(view.lag).or(view.lag);
                }
            }
            response = match (response, view.response()) {
                (Some(best), Some(own)) if best.average_us <= own.average_us => Some(best),
                (best, own) => own.or(best),
            };
            operations += view.operations();
            connections += view.connections();
            service_connections += view.service_connections();
            whole.discards += view.discards;
            whole.last_used = whole.last_used.max(view.last_used);
        }
        if all_failed {
            whole.link = Link::Failed;
        }
        whole.load = Load::Service {
            operations,
            connections,
            service_connections,
            response,
        };
        whole
    }
}
