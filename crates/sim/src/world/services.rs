//! The services of a schedule: routers over servers, and over services.

use std::sync::Arc;
use std::time::Duration;

use tidegate_config::ByteSize;
use tidegate_filters::hintfilter::HintFilter;
use tidegate_routers::readconnroute::{ReadConnRoute, ReadConnRouteParams};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::filter::Filter;
use tidegate_session::router::Router;
use tidegate_session::world::{Counters, Rank};
use tidegate_session::{
    AutoTune, DumpStatements, Filters, HistoryLimits, LogSwitches, LoginLog, ServerId, ServiceSpec,
    SessionTrace, Sharing, TargetSpec,
};

use crate::modules::counting::{Counting, Ledger};
use crate::modules::meddler::Meddler;
use crate::modules::panicky::{Fuse, PanickyFilter, PanickyRouter};
use crate::plan::{Plan, Tree};
use crate::rng::Rng;

/// Workers of the world; a thawed session may be another's.
pub(crate) const WORKERS: usize = 2;

/// What a schedule's sessions run on.
#[derive(Debug)]
pub(crate) struct Services {
    /// What listeners stand in front of.
    pub(crate) root: Arc<ServiceSpec>,
    /// All of them.
    pub(crate) all: Vec<Arc<ServiceSpec>>,
    /// What the root's counting filter has seen.
    pub(crate) ledger: Ledger,
    /// A filter that an administrator puts into a session's own chain.
    pub(crate) own_filter: Arc<dyn Filter>,
}

impl Filters for Services {
    fn named(&self, name: &str) -> Option<Arc<dyn Filter>> {
        (name == self.own_filter.name()).then(|| Arc::clone(&self.own_filter))
    }
}

impl Services {
    /// Another handle on the same.
    pub(crate) fn clone_parts(&self) -> Services {
        Services {
            root: Arc::clone(&self.root),
            all: Vec::new(),
            ledger: self.ledger.clone(),
            own_filter: Arc::clone(&self.own_filter),
        }
    }

    pub(crate) fn build(plan: &Plan, rng: &mut Rng) -> Services {
        let ledger = Ledger::default();
        let fuse = plan.modules.panic_after.map(Fuse::new);
        let in_router = rng.coin();
        let servers = || {
            (0..plan.servers as u32)
                .map(|id| TargetSpec::Server(ServerId(id)))
                .collect::<Vec<_>>()
        };
        let filters = chain(plan, &ledger, fuse.as_ref().filter(|_| !in_router), rng);
        let split = || -> Arc<dyn Router> { Arc::new(ReadWriteSplit::new(&split_params(plan))) };
        let any =
            || -> Arc<dyn Router> { Arc::new(ReadConnRoute::new(&ReadConnRouteParams::default())) };
        let inner = |name: &str| service(plan, name, split(), servers(), Vec::new());
        let (router, inner_services) = match plan.tree {
            Tree::Split => (split(), Vec::new()),
            Tree::Connection => (any(), Vec::new()),
            Tree::SplitOverSplit => (split(), vec![inner("inner-a"), inner("inner-b")]),
            Tree::ConnectionOverSplit => (any(), vec![inner("inner-a")]),
        };
        let router = match fuse.filter(|_| in_router) {
            Some(fuse) => Arc::new(PanickyRouter {
                inner: router,
                fuse,
            }),
            None => router,
        };
        let targets = if inner_services.is_empty() {
            servers()
        } else {
            inner_services
                .iter()
                .cloned()
                .map(TargetSpec::Service)
                .collect()
        };
        let root = service(plan, "root", router, targets, filters);
        let mut all = vec![Arc::clone(&root)];
        all.extend(inner_services);
        let own_filter = Arc::new(Counting {
            name: "own",
            ledger: Ledger::default(),
        });
        Services {
            root,
            all,
            ledger,
            own_filter,
        }
    }
}

fn chain(plan: &Plan, ledger: &Ledger, fuse: Option<&Fuse>, rng: &mut Rng) -> Vec<Arc<dyn Filter>> {
    let mut filters: Vec<Arc<dyn Filter>> = Vec::new();
    if plan.modules.counting {
        filters.push(Arc::new(Counting {
            name: "counting",
            ledger: ledger.clone(),
        }));
    }
    if plan.modules.meddling {
        filters.push(Arc::new(Meddler));
    }
    if plan.modules.hints {
        filters.push(Arc::new(HintFilter::new("hints")));
    }
    if let Some(fuse) = fuse {
        filters.push(Arc::new(PanickyFilter(fuse.clone())));
    }
    if filters.len() > 1 && rng.coin() {
        filters.reverse();
    }
    filters
}

fn split_params(plan: &Plan) -> ReadWriteSplitParams {
    let failures = plan.failures;
    ReadWriteSplitParams {
        max_slave_connections: plan.max_replicas,
        master_accept_reads: plan.master_accept_reads,
        slave_selection_criteria: plan.criterion,
        max_replication_lag: plan.max_lag.unwrap_or_default(),
        master_failure_mode: failures.mode,
        master_reconnection: failures.reconnects,
        retry_failed_reads: failures.retries_reads,
        delayed_retry: failures.patience.is_some(),
        delayed_retry_timeout: failures.patience.unwrap_or_default(),
        lazy_connect: failures.lazy,
        strict_multi_stmt: failures.strict,
        strict_sp_calls: failures.strict,
        causal_reads: plan.causal,
        reuse_prepared_statements: plan.reuses,
        sync_transaction: plan.sync.is_some(),
        sync_transaction_count: plan.sync.map_or(1, |(replicas, _)| replicas),
        sync_transaction_timeout: plan.sync.map_or(Duration::ZERO, |(_, timeout)| timeout),
        ..replay_params(plan)
    }
}

fn replay_params(plan: &Plan) -> ReadWriteSplitParams {
    let Some(replay) = plan.replay else {
        return ReadWriteSplitParams::default();
    };
    ReadWriteSplitParams {
        transaction_replay: true,
        transaction_replay_max_size: ByteSize(replay.max_size),
        transaction_replay_attempts: replay.attempts,
        transaction_replay_timeout: replay.timeout,
        transaction_replay_retry_on_mismatch: replay.on_mismatch,
        transaction_replay_safe_commit: replay.safe_commit,
        optimistic_trx: replay.optimistic,
        ..ReadWriteSplitParams::default()
    }
}

fn service(
    plan: &Plan,
    name: &str,
    router: Arc<dyn Router>,
    targets: Vec<TargetSpec>,
    filters: Vec<Arc<dyn Filter>>,
) -> Arc<ServiceSpec> {
    let target_counters = targets
        .iter()
        .map(|_| Arc::new(Counters::new(WORKERS)))
        .collect();
    let (max, prune) = plan.history;
    Arc::new(ServiceSpec {
        name: name.into(),
        router,
        filters,
        targets,
        rank: Rank::Primary,
        auto_tune: AutoTune::default(),
        wait_timeout: plan.wait_timeout,
        net_write_timeout: None,
        keepalive: plan.keepalive,
        retain_last_statements: plan.retain,
        session_trace: SessionTrace {
            lines: plan.trace,
            dump_if: None,
        },
        dump_last_statements: if plan.log_info {
            DumpStatements::OnClose
        } else {
            DumpStatements::Never
        },
        log_switches: LogSwitches::default(),
        login_log: LoginLog::default(),
        history: HistoryLimits {
            disabled: max == 0,
            max,
            prune,
        },
        sharing: plan.sharing.map(|(idle, patience, _)| Sharing {
            idle,
            patience,
            keep_values: Duration::ZERO,
        }),
        statement_digests: 100,
        max_connections: 0,
        version_string: None,
        position: Arc::default(),
        counters: Arc::new(Counters::new(WORKERS)),
        target_counters,
    })
}
