//! What several tests of this room need.

use std::sync::Arc;

use tidegate_config::Values;
use tidegate_routers::router;
use tidegate_session::world::{Counters, Rank};
use tidegate_session::{
    AutoTune, DumpStatements, HistoryLimits, LogSwitches, LoginLog, ServiceSpec, SessionTrace,
    TargetSpec,
};

/// A readconnroute service with these targets.
pub(crate) fn service(targets: Vec<TargetSpec>) -> ServiceSpec {
    let module = router("readconnroute").expect("it is in the table");
    ServiceSpec {
        name: Arc::from("Read"),
        router: (module.make)(&Values::defaults([module.declaration.table])),
        filters: Vec::new(),
        target_counters: targets.iter().map(|_| Arc::new(Counters::new(1))).collect(),
        targets,
        rank: Rank::Primary,
        auto_tune: AutoTune::default(),
        wait_timeout: None,
        net_write_timeout: None,
        keepalive: None,
        retain_last_statements: 0,
        session_trace: SessionTrace::default(),
        dump_last_statements: DumpStatements::Never,
        log_switches: LogSwitches::default(),
        login_log: LoginLog::default(),
        history: HistoryLimits::default(),
        sharing: None,
        statement_digests: 0,
        max_connections: 0,
        version_string: None,
        position: Arc::default(),
        counters: Arc::new(Counters::new(1)),
    }
}
