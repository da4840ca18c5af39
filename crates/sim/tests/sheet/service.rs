//! The service of a script, made from its lines as the program makes it.

use std::sync::Arc;

use tidegate_config::{Registry, load_text};
use tidegate_filters::hintfilter::HintFilter;
use tidegate_routers::readwritesplit::{MODULE, ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::world::{Counters, Rank};
use tidegate_session::{
    AutoTune, DumpStatements, HistoryLimits, LogSwitches, LoginLog, ServerId, ServiceSpec,
    SessionTrace, TargetSpec,
};

use crate::script::Script;

/// A script's service over so many servers, in this failure mode.
pub(crate) fn service(servers: usize, mode: &str, script: &Script) -> Arc<ServiceSpec> {
    let lines = &script.service;
    let text = format!(
        "[maxscale]\n[db]\ntype=server\naddress=127.0.0.1\n\
         [S]\ntype=service\nrouter=readwritesplit\nservers=db\nuser=u\npassword=p\n\
         master_failure_mode={mode}\n{lines}"
    );
    let config = load_text(&text, &Registry::new([&MODULE]))
        .unwrap_or_else(|errors| panic!("{lines}: {errors}"));
    let service = &config.services[0];
    let params: ReadWriteSplitParams = service.module_params();
    Arc::new(ServiceSpec {
        name: "S".into(),
        router: Arc::new(ReadWriteSplit::new(&params)),
        filters: if script.hints {
            vec![Arc::new(HintFilter::new("hints"))]
        } else {
            Vec::new()
        },
        targets: (0..servers as u32)
            .map(|ix| TargetSpec::Server(ServerId(ix)))
            .collect(),
        target_counters: (0..servers).map(|_| Arc::new(Counters::new(1))).collect(),
        rank: Rank::Primary,
        auto_tune: AutoTune::default(),
        wait_timeout: None,
        net_write_timeout: None,
        keepalive: None,
        retain_last_statements: 0,
        session_trace: SessionTrace::default(),
        dump_last_statements: DumpStatements::Never,
        login_log: LoginLog::default(),
        log_switches: LogSwitches {
            info: true,
            ..LogSwitches::default()
        },
        history: HistoryLimits {
            disabled: service.params.disable_sescmd_history,
            max: usize::try_from(service.params.max_sescmd_history).unwrap_or(usize::MAX),
            prune: service.params.prune_sescmd_history,
        },
        max_connections: 0,
        sharing: None,
        statement_digests: 0,
        version_string: None,
        position: Arc::default(),
        counters: Arc::new(Counters::new(1)),
    })
}
