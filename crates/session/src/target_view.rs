//! A target as a router sees it at one moment.

use std::time::Duration;

use tidegate_wire::GtidList;

use crate::average::{Average, Response};
use crate::backend::{Backend, Link};
use crate::service::ServiceSpec;
use crate::world::{Rank, ServerStatus, ServerView};

/// One target at one moment. A service as a target shows the best of what lies behind it.
///
/// Routers look at several targets for each command: of a server nothing is looked up before it is
/// asked for.
#[derive(Debug, Clone, Copy)]
pub struct TargetView<'a>(pub(crate) Kind<'a>);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'a> {
    Server {
        server: &'a ServerView,
        /// This session's connection to it.
        backend: Option<&'a Backend>,
        /// The service whose target it is, and which.
        spec: &'a ServiceSpec,
        number: usize,
    },
    Service(Summary<'a>),
}

/// The targets of a service, taken together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary<'a> {
    pub(crate) name: &'a str,
    pub(crate) status: ServerStatus,
    pub(crate) link: Link,
    pub(crate) rank: Rank,
    pub(crate) lag: Option<Duration>,
    pub(crate) discards: usize,
    pub(crate) last_used: u64,
    pub(crate) operations: u64,
    pub(crate) connections: u64,
    pub(crate) service_connections: u64,
    pub(crate) response: Option<Response>,
}

impl<'a> Summary<'a> {
    /// Of none yet.
    pub(crate) fn new(name: &'a str, rank: Rank) -> Summary<'a> {
        Summary {
            name,
            status: ServerStatus::default(),
            link: Link::Closed,
            rank,
            lag: None,
            discards: 0,
            last_used: 0,
            operations: 0,
            connections: 0,
            service_connections: 0,
            response: None,
        }
    }
}

impl<'a> TargetView<'a> {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match &self.0 {
            Kind::Server { server, .. } => &server.name,
            Kind::Service(whole) => whole.name,
        }
    }

    /// Does it stand for another service?
    #[must_use]
    pub fn is_service(&self) -> bool {
        matches!(self.0, Kind::Service(_))
    }

    /// State bits.
    #[inline]
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        match &self.0 {
            Kind::Server { server, .. } => server.status,
            Kind::Service(whole) => whole.status,
        }
    }

    /// This session's connection to it.
    #[inline]
    #[must_use]
    pub fn link(&self) -> Link {
        match &self.0 {
            Kind::Server { backend, .. } => backend.map_or(Link::Closed, Backend::shown_link),
            Kind::Service(whole) => whole.link,
        }
    }

    /// Its rank.
    #[inline]
    #[must_use]
    pub fn rank(&self) -> Rank {
        match &self.0 {
            Kind::Server { server, .. } => server.rank,
            Kind::Service(whole) => whole.rank,
        }
    }

    /// Replication lag; `None`: unknown.
    #[inline]
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        match &self.0 {
            Kind::Server { server, .. } => server.lag,
            Kind::Service(whole) => whole.lag,
        }
    }

    /// How far the monitor saw it; `None`: unknown, as it is of a service.
    #[must_use]
    pub fn position(&self) -> Option<&'a GtidList> {
        match &self.0 {
            Kind::Server { server, .. } => server.position.as_deref(),
            Kind::Service(_) => None,
        }
    }

    /// Answers to be thrown away that it still owes this session.
    #[inline]
    #[must_use]
    pub fn discards(&self) -> usize {
        match &self.0 {
            Kind::Server { backend, .. } => backend.map_or(0, Backend::discards),
            Kind::Service(whole) => whole.discards,
        }
    }

    /// When this session last used it; zero: never.
    #[inline]
    #[must_use]
    pub fn last_used(&self) -> u64 {
        match &self.0 {
            Kind::Server { backend, .. } => backend.map_or(0, Backend::last_used),
            Kind::Service(whole) => whole.last_used,
        }
    }

    /// Statements in progress there, from the whole proxy.
    #[inline]
    #[must_use]
    pub fn operations(&self) -> u64 {
        match &self.0 {
            Kind::Server { server, .. } => server.counters.sum(|shard| &shard.operations),
            Kind::Service(whole) => whole.operations,
        }
    }

    /// How fast it has answered reads lately; of a service, its fastest target. `None`: it never has.
    #[must_use]
    pub fn response(&self) -> Option<Response> {
        match &self.0 {
            Kind::Server { server, .. } => {
                Average::merge(server.counters.iter().map(|shard| &shard.first_bytes))
            }
            Kind::Service(whole) => whole.response,
        }
    }

    /// Connections of the whole proxy to it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        match &self.0 {
            Kind::Server { server, .. } => server.counters.sum(|shard| &shard.connections),
            Kind::Service(whole) => whole.connections,
        }
    }

    /// Connections of this service's sessions to it.
    #[must_use]
    pub fn service_connections(&self) -> u64 {
        match &self.0 {
            Kind::Server { spec, number, .. } => {
                let counters = spec.target_counters.get(*number);
                counters.map_or(0, |target| target.sum(|shard| &shard.connections))
            }
            Kind::Service(whole) => whole.service_connections,
        }
    }
}
