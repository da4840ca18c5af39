//! What a router is shown when it decides: its targets, the servers, the time.

use tidegate_sql::TrxTracker;

use crate::backend::{Backend, Link};
use crate::chain::{Node, Target};
use crate::ids::{BackendId, SessionId, TargetId};
use crate::position::ServicePosition;
use crate::service::{Counted, ServiceShard, ServiceSpec, TargetSpec};
use crate::session::Session;
use crate::target_view::{Kind, Summary, TargetView};
use crate::time::Instant;
use crate::world::{ServerStatus, ServerViews};

/// A router's view of its surroundings at one moment: its session, its place in the tree of services
/// and the servers. It only borrows; what nobody asks for is not looked up.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The time of this turn.
    pub now: Instant,
    pub(crate) session: &'a Session,
    pub(crate) servers: &'a ServerViews,
    /// The router's own node, and its index.
    pub(crate) node: &'a Node,
    pub(crate) ix: usize,
    /// Nothing of it happens: what is counted is counted here.
    pub(crate) imagined: Option<&'a ServiceShard>,
}

impl<'a> Scene<'a> {
    /// The session's number: what `CONNECTION_ID()` means to a client.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session.id
    }

    /// Does the session lend its connections while it is idle?
    #[must_use]
    pub fn lends(&self) -> bool {
        self.session.service.sharing.is_some()
    }

    /// The client's default database.
    #[must_use]
    pub fn database(&self) -> Option<&'a [u8]> {
        self.session.client.database.as_deref()
    }

    /// The session's isolation level is SERIALIZABLE: plain reads lock.
    #[inline]
    #[must_use]
    pub fn serializable(&self) -> bool {
        self.session.trx.is_serializable()
    }

    /// Answers that the client is still waiting for.
    #[inline]
    #[must_use]
    pub fn outstanding(&self) -> usize {
        if planted!(AnswersOutOfOrder) {
            0
        } else {
            self.session.tickets.len()
        }
    }

    /// The target of this service that owes the newest of them.
    #[must_use]
    pub fn outstanding_on(&self) -> Option<TargetId> {
        let newest = self.session.tickets.back()?.answer?;
        self.session.target_of(self.ix, newest)
    }

    /// May connections be opened in mid-session: is the history able to rebuild the state?
    #[inline]
    #[must_use]
    pub fn recoverable(&self) -> bool {
        self.session.recoverable()
    }

    /// The session's transaction: before a command while it is being routed, after it when the
    /// decision is carried out.
    #[inline]
    #[must_use]
    pub fn trx(&self) -> &'a TrxTracker {
        &self.session.trx
    }

    /// A number of the command that is routed next: another for every command, and for one that was
    /// put off; the same as long as it waits for connections.
    #[inline]
    #[must_use]
    pub fn head(&self) -> u64 {
        self.session.heads
    }

    /// When the command at the head was first put off ([`Decision::Later`]); `None`: it was not.
    ///
    /// [`Decision::Later`]: crate::router::Decision::Later
    #[must_use]
    pub fn put_off_since(&self) -> Option<Instant> {
        self.session.put_off.map(|put_off| put_off.since)
    }

    /// How far the writes have come that were acknowledged through this service.
    #[must_use]
    pub fn position(&self) -> &'a ServicePosition {
        &self.node.spec.position
    }

    /// This worker's counters of this service.
    #[inline]
    #[must_use]
    pub fn counters(&self) -> &'a ServiceShard {
        match self.imagined {
            Some(nowhere) => nowhere,
            None => &self.node.counters,
        }
    }

    /// The targets, in configuration order.
    #[inline]
    pub fn targets(&self) -> impl ExactSizeIterator<Item = TargetId> + use<> {
        ids(&self.node.spec)
    }

    /// One target. `None` for an id that is not of this service.
    #[inline(always)]
    #[must_use]
    pub fn target(&self, id: TargetId) -> Option<TargetView<'a>> {
        self.target_of(&self.node.spec, &self.node.targets, id)
    }

    /// One target of a service that has these connections.
    #[inline(always)]
    fn target_of(
        &self,
        spec: &'a ServiceSpec,
        targets: &[Target],
        id: TargetId,
    ) -> Option<TargetView<'a>> {
        let number = usize::from(id.0);
        let target = targets.get(number);
        if let Some(Target::Backend(backend)) = target {
            let backend = self.backend(*backend)?;
            return Some(TargetView(Kind::Server {
                server: self.servers.get(backend.server)?,
                backend: Some(backend),
                spec,
                number,
            }));
        }
        self.unconnected(spec, target, number)
    }

    /// A server before the session's connections exist, while the router starts, or a service.
    #[cold]
    fn unconnected(
        &self,
        spec: &'a ServiceSpec,
        target: Option<&Target>,
        number: usize,
    ) -> Option<TargetView<'a>> {
        let kind = match spec.targets.get(number)? {
            TargetSpec::Server(server) => Kind::Server {
                server: self.servers.get(*server)?,
                backend: None,
                spec,
                number,
            },
            TargetSpec::Service(service) => Kind::Service(self.service(service, target)),
        };
        Some(TargetView(kind))
    }

    /// At the session's next rest the router is asked which connections it does not want any more.
    pub fn want_spare(&self) {
        self.session.look_for_spare.set(true);
    }

    /// The position of a target by its name.
    #[must_use]
    pub fn target_named(&self, name: &str) -> Option<TargetId> {
        self.targets()
            .find(|id| self.target(*id).is_some_and(|target| target.name() == name))
    }

    /// Counts a command sent to a target, for this service and for the server.
    pub fn count(&self, id: TargetId, how: Counted) {
        if self.imagined.is_some() {
            return;
        }
        if how != Counted::Other {
            self.session.counted.set(how);
        }
        match self.node.targets.get(usize::from(id.0)) {
            Some(Target::Backend(backend)) => {
                if let Some(backend) = self.backend(*backend) {
                    backend.tally.count(how);
                }
            }
            Some(Target::Node(node)) => {
                let node = self.session.nodes.get(*node);
                if let Some(target) = node.and_then(|node| node.tally.as_ref()) {
                    target.count(how);
                }
            }
            None => {}
        }
    }

    /// Counts why a command went to the primary, by the router's number of the reason.
    pub fn count_primary_reason(&self, reason: usize) {
        if let Some(count) = self.counters().primary_reasons.get(reason) {
            count.add(1);
        }
    }

    #[inline]
    fn backend(&self, id: BackendId) -> Option<&'a Backend> {
        self.session.backends.get(usize::from(id.0))
    }

    /// A service seen as one target: any bit that one of its usable targets has, the smallest lag
    /// of its replicas, the most open link, the sums of its load.
    #[cold]
    fn service(&self, service: &'a ServiceSpec, target: Option<&Target>) -> Summary<'a> {
        let targets: &[Target] = match target {
            Some(Target::Node(node)) => {
                (self.session.nodes.get(*node)).map_or(&[], |node| &node.targets)
            }
            _ => &[],
        };
        let mut whole = Summary::new(&service.name, service.rank);
        let mut all_failed = true;
        for view in ids(service).filter_map(|id| self.target_of(service, targets, id)) {
            let (link, status) = (view.link(), view.status());
            all_failed &= link == Link::Failed;
            whole.link = whole.link.max(if link == Link::Failed {
                Link::Closed
            } else {
                link
            });
            if status.connectable() || (link == Link::Open && status.usable()) {
                // The others are not less fit for it.
                let marks = ServerStatus::MAINTENANCE.with(ServerStatus::DRAINING);
                whole.status = whole.status.with(status.without(marks));
                if view.lag().is_some() {
                    whole.lag = whole.lag.min(view.lag()).or(view.lag());
                }
            }
            whole.response = match (whole.response, view.response()) {
                (Some(best), Some(own)) if best.average_us <= own.average_us => Some(best),
                (best, own) => own.or(best),
            };
            whole.operations += view.operations();
            whole.connections += view.connections();
            whole.service_connections += view.service_connections();
            whole.discards += view.discards();
            whole.last_used = whole.last_used.max(view.last_used());
        }
        if all_failed {
            whole.link = Link::Failed;
        }
        whole
    }
}

/// The targets of a service, in configuration order.
#[inline]
fn ids(spec: &ServiceSpec) -> impl ExactSizeIterator<Item = TargetId> + use<> {
    (0..u16::try_from(spec.targets.len()).unwrap_or(u16::MAX)).map(TargetId)
}
