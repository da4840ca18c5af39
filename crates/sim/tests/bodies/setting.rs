//! Where a scripted session lives: servers, a service that the script's first bytes choose.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_filters::hintfilter::HintFilter;
use tidegate_filters::qlafilter::{QlaFilter, QlaFilterParams};
use tidegate_filters::{LineSink, SinkOptions};
use tidegate_routers::readconnroute::{ReadConnRoute, ReadConnRouteParams};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::filter::Filter;
use tidegate_session::router::Router;
use tidegate_session::world::{Counters, Rank, ServerStatus, ServerView, ServerViews};
use tidegate_session::{
    AutoTune, DumpStatements, Filters, GreetingFacts, HistoryLimits, LogSwitches, LoginLog,
    ServerId, ServiceSpec, SessionTrace, TargetSpec,
};
use tidegate_wire::Caps;

/// How many servers there are: a primary and replicas.
pub(super) const SERVERS: usize = 3;

/// Log lines go nowhere.
#[derive(Debug)]
struct Nowhere;

impl LineSink for Nowhere {
    fn append(&self, _path: &Arc<Path>, _lines: Vec<u8>, _options: &Arc<SinkOptions>) {}

    fn close(&self, _path: &Arc<Path>) {}

    fn print(&self, _lines: Vec<u8>) {}

    fn probe(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

/// Finds the filter that a script may put into a session's own chain.
#[derive(Debug)]
pub(super) struct Own;

impl Filters for Own {
    fn named(&self, name: &str) -> Option<Arc<dyn Filter>> {
        (name == "own").then(own_filter)
    }
}

/// That filter.
pub(super) fn own_filter() -> Arc<dyn Filter> {
    Arc::new(HintFilter::new("own"))
}

/// What server and client can do here; without TLS, with and without EOF packets.
pub(super) fn caps(deprecate_eof: bool) -> Caps {
    let all = Caps::offered(Caps::from_bits(u64::MAX), false);
    if deprecate_eof {
        all
    } else {
        all.difference(Caps::DEPRECATE_EOF)
    }
}

pub(super) fn greeting(caps: Caps) -> GreetingFacts {
    GreetingFacts {
        version: "5.5.5-10.11.0-MariaDB".into(),
        caps,
        collation: 45,
        mysql_family: false,
        compression: tidegate_wire::compress::CompressionOffer::NONE,
        terms: Arc::default(),
    }
}

pub(super) fn views(caps: Caps) -> ServerViews {
    let view = |ix: usize| ServerView {
        pool: None,
        proxy_header: None,
        compression: None,
        as_service: false,
        name: format!("db{ix}").into(),
        status: status(if ix == 0 { 1 } else { 2 }),
        lag: None,
        position: None,
        rank: Rank::Primary,
        version: 101_100,
        version_string: "10.11.0-MariaDB".into(),
        mysql_family: false,
        caps: Some(caps),
        collation: 45,
        variables: Arc::default(),
        tls: false,
        connect_timeout: Some(Duration::from_secs(1)),
        counters: Arc::new(Counters::new(1)),
    };
    ServerViews((0..SERVERS).map(view).collect())
}

/// A server's state by a byte of the script.
pub(super) fn status(choice: u8) -> ServerStatus {
    let running = ServerStatus::RUNNING;
    match choice % 6 {
        0 => ServerStatus::default(),
        1 => running.with(ServerStatus::MASTER),
        2 => running.with(ServerStatus::SLAVE),
        3 => running,
        4 => running
            .with(ServerStatus::SLAVE)
            .with(ServerStatus::MAINTENANCE),
        _ => running
            .with(ServerStatus::MASTER)
            .with(ServerStatus::DRAINING),
    }
}

/// The service that two bytes of a script choose.
pub(super) fn service(choices: [u8; 2]) -> Arc<ServiceSpec> {
    let [shape, settings] = choices;
    let has = |bit: u8| settings >> bit & 1 == 1;
    let servers: Vec<TargetSpec> = (0..SERVERS as u32)
        .map(|ix| TargetSpec::Server(ServerId(ix)))
        .collect();
    let router: Arc<dyn Router> = match shape % 4 {
        1 => Arc::new(ReadConnRoute::new(&ReadConnRouteParams::default())),
        _ => Arc::new(ReadWriteSplit::new(&ReadWriteSplitParams {
            master_accept_reads: has(0),
            ..ReadWriteSplitParams::default()
        })),
    };
    let targets = match shape % 4 {
        2 => vec![TargetSpec::Service(spec(
            "inner",
            &router,
            servers,
            Vec::new(),
            settings,
        ))],
        3 => {
            let any: Arc<dyn Router> =
                Arc::new(ReadConnRoute::new(&ReadConnRouteParams::default()));
            let inner = spec("inner", &any, servers.clone(), Vec::new(), settings);
            let mut targets = servers;
            targets.truncate(1);
            targets.push(TargetSpec::Service(inner));
            targets
        }
        _ => servers,
    };
    let mut filters: Vec<Arc<dyn Filter>> = Vec::new();
    if has(1) {
        filters.push(Arc::new(HintFilter::new("hints")));
    }
    if has(2) {
        let params = QlaFilterParams {
            filebase: "log".to_owned(),
            ..QlaFilterParams::default()
        };
        let filter = QlaFilter::new("log", params, Arc::new(Nowhere));
        filters.push(Arc::new(filter.expect("a log filter")));
    }
    spec("outer", &router, targets, filters, settings)
}

fn spec(
    name: &str,
    router: &Arc<dyn Router>,
    targets: Vec<TargetSpec>,
    filters: Vec<Arc<dyn Filter>>,
    settings: u8,
) -> Arc<ServiceSpec> {
    let has = |bit: u8| settings >> bit & 1 == 1;
    Arc::new(ServiceSpec {
        name: name.into(),
        router: Arc::clone(router),
        filters,
        target_counters: targets.iter().map(|_| Arc::new(Counters::new(1))).collect(),
        targets,
        rank: Rank::Primary,
        auto_tune: AutoTune::default(),
        wait_timeout: has(3).then_some(Duration::from_secs(5)),
        net_write_timeout: None,
        keepalive: None,
        retain_last_statements: if has(4) { 3 } else { 0 },
        session_trace: SessionTrace {
            lines: if has(4) { 5 } else { 0 },
            dump_if: None,
        },
        dump_last_statements: DumpStatements::OnError,
        login_log: LoginLog::default(),
        log_switches: LogSwitches {
            info: has(5),
            ..LogSwitches::default()
        },
        history: if has(6) {
            HistoryLimits {
                disabled: false,
                max: 2,
                prune: has(7),
            }
        } else {
            HistoryLimits::default()
        },
        max_connections: 0,
        sharing: None,
        statement_digests: if has(4) { 2 } else { 0 },
        version_string: None,
        position: Arc::default(),
        counters: Arc::new(Counters::new(1)),
    })
}
