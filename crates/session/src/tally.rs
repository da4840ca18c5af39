//! Where a connection is counted.
//!
//! Each statement is counted in several places of its server and of its service's target, so this
//! worker's own counters of them are looked up once: when the session's tree is laid out. They stay
//! the same objects in every view of the server and in every snapshot of the service, and a session
//! stays on its worker.

use std::sync::Arc;

use crate::ids::ServerId;
use crate::service::{Counted, ServiceSpec, TargetShard};
use crate::world::{ServerShard, ServerViews};

/// This worker's counters of a connection's server, and of the target that it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) server: Arc<ServerShard>,
    pub(crate) target: Arc<TargetShard>,
}

/// Who counts, and the servers that there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counting<'a> {
    pub(crate) servers: &'a ServerViews,
    pub(crate) worker: usize,
}

impl Counting<'_> {
    /// Of `server`, which is the target number `number` of the service. A server that does not exist
    /// any more is counted nowhere.
    pub(crate) fn tally(self, server: ServerId, service: &ServiceSpec, number: usize) -> Tally {
        let view = self.servers.get(server);
        let server = view.map(|view| Arc::clone(view.counters.shard(self.worker)));
        Tally {
            server: server.unwrap_or_default(),
            target: self.target(service, number),
        }
    }

    /// Of one target of a service.
    pub(crate) fn target(self, service: &ServiceSpec, number: usize) -> Arc<TargetShard> {
        let counters = service.target_counters.get(number);
        let shard = counters.map(|counters| Arc::clone(counters.shard(self.worker)));
        shard.unwrap_or_default()
    }
}

impl Tally {
    /// A command was sent.
    #[inline]
    pub(crate) fn count(&self, how: Counted) {
        self.target.count(how);
        match how {
            Counted::Read => self.server.reads.add(1),
            Counted::Write => self.server.writes.add(1),
            Counted::Other => {}
        }
    }
}
