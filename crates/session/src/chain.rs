//! The tree of services that a session runs through: usually one node, more when a service's
//! target is another service. Each node has its filters, its router session and its targets; the
//! leaves are the session's connections.

use std::sync::Arc;

use tidegate_wire::Caps;

use crate::backend::Backend;
use crate::fault::ErrReply;
use crate::filter::{FilterSession, Wants, Who};
use crate::ids::{BackendId, TargetId};
use crate::replay::ReplayRules;
use crate::router::{Needs, RouterSession};
use crate::service::{ServiceShard, ServiceSpec, TargetShard, TargetSpec};
use crate::sync::SyncRules;
use crate::tally::Counting;

/// The deepest nesting of services.
pub(crate) const MAX_DEPTH: usize = 8;

/// What a router's target is in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Backend(BackendId),
    /// The index of another node.
    Node(usize),
}

/// A filter of this session.
#[derive(Debug)]
pub(crate) struct FilterSlot {
    pub(crate) name: Box<str>,
    pub(crate) wants: Wants,
    pub(crate) session: Box<dyn FilterSession>,
}

/// One service in one session.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) spec: Arc<ServiceSpec>,
    /// This worker's counters of the service.
    pub(crate) counters: Arc<ServiceShard>,
    /// Which target of which node this is; `None`: the service the client connected to.
    pub(crate) parent: Option<(usize, TargetId)>,
    /// Where the service is counted as that target.
    pub(crate) tally: Option<Arc<TargetShard>>,
    pub(crate) filters: Vec<FilterSlot>,
    pub(crate) targets: Vec<Target>,
    /// Set once the tree stands.
    pub(crate) router: Option<Box<dyn RouterSession>>,
}

impl Node {
    /// The node and its parents, leaf first.
    pub(crate) fn path(nodes: &[Node], leaf: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(leaf), move |ix| {
            nodes.get(*ix)?.parent.map(|(parent, _)| parent)
        })
    }
}

/// Lays out the tree of `service`: nodes without routers yet, and closed connections.
pub(crate) fn lay_out(
    service: &Arc<ServiceSpec>,
    nodes: &mut Vec<Node>,
    backends: &mut Vec<Backend>,
    parent: Option<(usize, TargetId)>,
    depth: usize,
    counting: Counting<'_>,
) {
    let ix = nodes.len();
    let tally = parent.and_then(|(up, target)| {
        let above = nodes.get(up)?;
        Some(counting.target(&above.spec, usize::from(target.0)))
    });
    nodes.push(Node {
        spec: Arc::clone(service),
        counters: Arc::clone(service.counters.shard(counting.worker)),
        parent,
        tally,
        filters: Vec::new(),
        targets: Vec::new(),
        router: None,
    });
    let mut targets = Vec::with_capacity(service.targets.len());
    for (number, spec) in service.targets.iter().enumerate() {
        let target = TargetId(u16::try_from(number).unwrap_or(u16::MAX));
        match spec {
            TargetSpec::Server(server) => {
                let backend = BackendId(u16::try_from(backends.len()).unwrap_or(u16::MAX));
                let tally = counting.tally(*server, service, number);
                backends.push(Backend::new(*server, ix, target, tally));
                targets.push(Target::Backend(backend));
            }
            TargetSpec::Service(inner) if depth < MAX_DEPTH => {
                targets.push(Target::Node(nodes.len()));
                let parent = Some((ix, target));
                lay_out(inner, nodes, backends, parent, depth + 1, counting);
            }
            TargetSpec::Service(_) => {}
        }
    }
    if let Some(node) = nodes.get_mut(ix) {
        node.targets = targets;
    }
}

/// Opens the filter sessions of one service.
pub(crate) fn open_filters(
    filters: &[Arc<dyn crate::filter::Filter>],
    who: &Who<'_>,
) -> Result<Vec<FilterSlot>, ErrReply> {
    let mut slots = Vec::with_capacity(filters.len());
    for filter in filters {
        if let Some(session) = filter.start(who)? {
            slots.push(FilterSlot {
                name: filter.name().into(),
                wants: session.wants(),
                session,
            });
        }
    }
    Ok(slots)
}

/// How transactions are repeated: as the first router of the tree says that wants it.
pub(crate) fn replay_rules(service: &ServiceSpec) -> Option<ReplayRules> {
    first_need(service, 0, |needs| needs.replay)
}

/// Which replicas a write waits for: as the first router of the tree says that wants it.
pub(crate) fn sync_rules(service: &ServiceSpec) -> Option<SyncRules> {
    first_need(service, 0, |needs| needs.sync)
}

fn first_need<T>(service: &ServiceSpec, depth: usize, pick: fn(&Needs) -> Option<T>) -> Option<T> {
    let inner = |target: &TargetSpec| match target {
        TargetSpec::Service(inner) if depth < MAX_DEPTH => first_need(inner, depth + 1, pick),
        TargetSpec::Service(_) | TargetSpec::Server(_) => None,
    };
    pick(&service.router.needs(false)).or_else(|| service.targets.iter().find_map(inner))
}

/// What the whole tree needs of the core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TreeNeeds {
    /// Statements are classified.
    pub(crate) statements: bool,
    /// A history is kept and statement ids are mapped.
    pub(crate) history: bool,
    /// Statements are kept until their answers begin.
    pub(crate) keeps: bool,
    /// Closed statements are kept and given out again.
    pub(crate) reuses: bool,
    /// The client's answers are followed on their way: because of that, because transactions may be
    /// repeated, or because writes wait for replicas.
    pub(crate) follows: bool,
    /// Commands may wait for servers' positions.
    pub(crate) positions: bool,
    /// What definitions of columns the client holds is followed.
    pub(crate) definitions: bool,
    /// Packets of answers may be numbered otherwise than their servers did it.
    pub(crate) renumbers: bool,
    /// A filter looks at commands.
    pub(crate) requests: bool,
    /// A filter looks at replies.
    pub(crate) replies: bool,
    /// No command goes the straight way.
    pub(crate) elsewhere: bool,
}

impl TreeNeeds {
    /// For a client with these capabilities.
    pub(crate) fn of(nodes: &[Node], own: &[FilterSlot], caps: Caps) -> TreeNeeds {
        let mut needs = TreeNeeds::default();
        let lends = nodes
            .first()
            .is_some_and(|root| root.spec.sharing.is_some());
        for node in nodes {
            let Needs {
                statements,
                history,
                keeps,
                replay,
                reuses,
                positions,
                sync,
                monitored: _,
            } = node.spec.router.needs(lends);
            needs.statements |= statements;
            needs.history |= history;
            needs.keeps |= keeps;
            needs.reuses |= reuses;
            needs.follows |= reuses || replay.is_some() || sync.is_some();
            needs.positions |= positions;
        }
        for slot in nodes.iter().flat_map(|node| &node.filters).chain(own) {
            needs.statements |= slot.wants.statements;
            needs.requests |= slot.wants.requests;
            needs.replies |= slot.wants.replies;
        }
        needs.definitions = needs.history && caps.contains(Caps::CACHE_METADATA);
        needs.renumbers = needs.positions || needs.definitions;
        let several = nodes.len() != 1;
        needs.elsewhere = several || needs.requests || needs.positions || needs.keeps;
        needs
    }

    /// Must a command be whole before it is looked at?
    pub(crate) fn whole_commands(self) -> bool {
        self.statements || self.requests || self.history
    }
}
