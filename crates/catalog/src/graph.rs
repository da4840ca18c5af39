//! From a valid configuration to the objects that sessions run on: filters, routers, services,
//! and the counters that outlive every snapshot of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_config::params::{
    DumpLastStatements, FilterParams, MaxScaleParams, Rank as ConfiguredRank, ServiceParams,
};
use tidegate_config::{Config, Object, Pattern, Target};
use tidegate_filters::LineSink;
use tidegate_session::filter::Filter;
use tidegate_session::position::ServicePosition;
use tidegate_session::world::{Counters, Rank, ServerShard};
use tidegate_session::{
    AutoTune, DumpStatements, HistoryLimits, Keepalive, LineMatch, LogSwitches, LoginLog, ServerId,
    ServiceShard, ServiceSpec, SessionTrace, Sharing, TargetShard, TargetSpec,
};

use crate::settings;

/// Why a valid configuration could not be turned into running objects.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    /// Services route to each other in a ring.
    #[error("service '{service}' routes to itself through its targets")]
    Ring {
        /// One of them.
        service: String,
    },
    /// More targets than a set of them can hold.
    #[error("service '{service}' has {count} targets, at most {limit} are possible")]
    TooManyTargets {
        /// The service.
        service: String,
        /// How many it has.
        count: usize,
        /// How many are possible.
        limit: usize,
    },
    /// A module said no.
    #[error("'{object}': {reason}")]
    Module {
        /// The object.
        object: String,
        /// The module's words.
        reason: String,
    },
}

/// The counters and positions of objects, kept by name from one configuration to the next.
#[derive(Debug)]
pub struct Ledger {
    workers: (usize, usize),
    servers: BTreeMap<String, Arc<Counters<ServerShard>>>,
    services: BTreeMap<String, Arc<Counters<ServiceShard>>>,
    targets: BTreeMap<(String, String), Arc<Counters<TargetShard>>>,
    positions: BTreeMap<String, Arc<ServicePosition>>,
}

impl Ledger {
    /// Empty, with a shard for each of so many workers, and room for those of so many at most.
    #[must_use]
    pub fn new(workers: (usize, usize)) -> Ledger {
        Ledger {
            workers,
            servers: BTreeMap::new(),
            services: BTreeMap::new(),
            targets: BTreeMap::new(),
            positions: BTreeMap::new(),
        }
    }

    /// The counters of a server.
    pub fn server(&mut self, name: &str) -> Arc<Counters<ServerShard>> {
        let workers = self.workers;
        let entry = self.servers.entry(name.to_owned());
        Arc::clone(entry.or_insert_with(|| Arc::new(Counters::with_room(workers.0, workers.1))))
    }

    fn service(&mut self, name: &str) -> Arc<Counters<ServiceShard>> {
        let workers = self.workers;
        let entry = self.services.entry(name.to_owned());
        Arc::clone(entry.or_insert_with(|| Arc::new(Counters::with_room(workers.0, workers.1))))
    }

    fn position(&mut self, service: &str) -> Arc<ServicePosition> {
        Arc::clone(self.positions.entry(service.to_owned()).or_default())
    }

    fn target(&mut self, service: &str, target: &str) -> Arc<Counters<TargetShard>> {
        let workers = self.workers;
        let entry = self.targets.entry((service.to_owned(), target.to_owned()));
        Arc::clone(entry.or_insert_with(|| Arc::new(Counters::with_room(workers.0, workers.1))))
    }
}

/// The objects that sessions run on.
#[derive(Debug)]
pub struct Graph {
    /// By name.
    pub filters: BTreeMap<String, Arc<dyn Filter>>,
    /// By name; `router=cli` services, which no session runs on, are not among them.
    pub services: BTreeMap<String, Arc<ServiceSpec>>,
}

impl Graph {
    /// Builds everything, or nothing.
    ///
    /// # Errors
    /// The first obstacle.
    pub fn build(
        config: &Config,
        ledger: &mut Ledger,
        sink: &Arc<dyn LineSink>,
    ) -> Result<Graph, GraphError> {
        let mut filters = BTreeMap::new();
        for filter in &config.filters {
            filters.insert(filter.name.clone(), make_filter(filter, sink)?);
        }
        let mut builder = Builder {
            config,
            ledger,
            filters: &filters,
            done: BTreeMap::new(),
        };
        for service in config.services.iter().filter(|service| !is_cli(service)) {
            builder.service(service, &mut Vec::new())?;
        }
        let services = builder.done;
        Ok(Graph { filters, services })
    }
}

impl Graph {
    /// Does any service choose servers by the positions that monitors see?
    #[must_use]
    pub fn watches_positions(&self) -> bool {
        self.services
            .values()
            .any(|service| service.router.needs(service.sharing.is_some()).monitored)
    }
}

/// Is it the service of the old administration tool, which only exists in lists?
#[must_use]
pub fn is_cli(service: &Object<ServiceParams>) -> bool {
    service.module_name() == "cli"
}

/// The place of a server in the table of servers: its place in the configuration.
#[must_use]
pub fn server_id(config: &Config, name: &str) -> Option<ServerId> {
    let ix = config
        .servers
        .iter()
        .position(|server| server.name == name)?;
    u32::try_from(ix).ok().map(ServerId)
}

fn make_filter(
    filter: &Object<FilterParams>,
    sink: &Arc<dyn LineSink>,
) -> Result<Arc<dyn Filter>, GraphError> {
    let refused = |reason: String| GraphError::Module {
        object: filter.name.clone(),
        reason,
    };
    let module = tidegate_filters::filter(filter.module_name()).ok_or_else(|| {
        refused(format!(
            "there is no filter module '{}'",
            filter.module_name()
        ))
    })?;
    (module.make)(&filter.name, &filter.effective, sink).map_err(refused)
}

struct Builder<'a> {
    config: &'a Config,
    ledger: &'a mut Ledger,
    filters: &'a BTreeMap<String, Arc<dyn Filter>>,
    done: BTreeMap<String, Arc<ServiceSpec>>,
}

impl Builder<'_> {
    /// Makes a service after those it routes to.
    fn service(
        &mut self,
        service: &Object<ServiceParams>,
        path: &mut Vec<String>,
    ) -> Result<Arc<ServiceSpec>, GraphError> {
        if let Some(done) = self.done.get(&service.name) {
            return Ok(Arc::clone(done));
        }
        if path.contains(&service.name) {
            return Err(GraphError::Ring {
                service: service.name.clone(),
            });
        }
        path.push(service.name.clone());
        let (targets, target_counters) = self.targets(service, path)?;
        path.pop();
        let module =
            tidegate_routers::router(service.module_name()).ok_or_else(|| GraphError::Module {
                object: service.name.clone(),
                reason: format!("there is no router module '{}'", service.module_name()),
            })?;
        let params = &service.params;
        let globals = &self.config.maxscale.params;
        let spec = Arc::new(ServiceSpec {
            name: service.name.as_str().into(),
            router: (module.make)(&service.effective),
            filters: params
                .filters
                .iter()
                .filter_map(|name| self.filters.get(name))
                .cloned()
                .collect(),
            targets,
            rank: rank(params.rank),
            wait_timeout: Some(params.wait_timeout).filter(|limit| *limit > Duration::ZERO),
            net_write_timeout: Some(params.net_write_timeout)
                .filter(|limit| *limit > Duration::ZERO),
            keepalive: Some(params.connection_keepalive)
                .filter(|after| *after > Duration::ZERO)
                .map(|after| Keepalive {
                    after,
                    always: params.force_connection_keepalive,
                }),
            auto_tune: self.auto_tune(service),
            retain_last_statements: retained(params, globals),
            dump_last_statements: dump(globals),
            session_trace: trace(globals),
            log_switches: LogSwitches {
                error: false,
                warning: params.log_warning,
                notice: params.log_notice,
                info: params.log_info,
                debug: params.log_debug,
            },
            login_log: LoginLog {
                refusals: params.log_auth_warnings,
                super_users: globals.log.log_warn_super_user,
            },
            history: HistoryLimits {
                disabled: params.disable_sescmd_history,
                max: usize::try_from(params.max_sescmd_history).unwrap_or(usize::MAX),
                prune: params.prune_sescmd_history,
            },
            sharing: sharing(params),
            statement_digests: usize::try_from(params.statement_digests).unwrap_or(usize::MAX),
            max_connections: params.max_connections,
            version_string: params.version_string.as_deref().map(Into::into),
            position: self.ledger.position(&service.name),
            counters: self.ledger.service(&service.name),
            target_counters,
        });
        self.done.insert(service.name.clone(), Arc::clone(&spec));
        Ok(spec)
    }

    /// What the servers decide, if all of them are monitored.
    fn auto_tune(&self, service: &Object<ServiceParams>) -> AutoTune {
        let wanted = &self.config.maxscale.params.threads.auto_tune;
        let is_wanted = |name: &str| wanted.iter().any(|it| it == name || it == "all");
        let monitors = &self.config.monitors;
        let is_monitored = |server: &String| {
            let mut lists = monitors.iter().map(|monitor| &monitor.params.servers);
            lists.any(|servers| servers.contains(server))
        };
        let servers = settings::servers_of(self.config, service);
        if !servers.iter().all(is_monitored) {
            return AutoTune::default();
        }
        AutoTune {
            wait_timeout: is_wanted("wait_timeout"),
            keepalive: is_wanted("connection_keepalive")
                .then_some(service.params.force_connection_keepalive),
        }
    }

    #[allow(clippy::type_complexity, reason = "two lists in the same order")]
    fn targets(
        &mut self,
        service: &Object<ServiceParams>,
        path: &mut Vec<String>,
    ) -> Result<(Vec<TargetSpec>, Vec<Arc<Counters<TargetShard>>>), GraphError> {
        let names = self.config.targets(service);
        if names.len() > ServiceSpec::MAX_TARGETS {
            return Err(GraphError::TooManyTargets {
                service: service.name.clone(),
                count: names.len(),
                limit: ServiceSpec::MAX_TARGETS,
            });
        }
        let mut targets = Vec::with_capacity(names.len());
        let mut counters = Vec::with_capacity(names.len());
        for target in names {
            match target {
                Target::Server(name) => {
                    let Some(id) = server_id(self.config, &name) else {
                        continue;
                    };
                    targets.push(TargetSpec::Server(id));
                    counters.push(self.ledger.target(&service.name, &name));
                }
                Target::Service(name) => {
                    let Some(inner) = self.config.services.iter().find(|other| other.name == name)
                    else {
                        continue;
                    };
                    targets.push(TargetSpec::Service(self.service(inner, path)?));
                    counters.push(self.ledger.target(&service.name, &name));
                }
            }
        }
        Ok((targets, counters))
    }
}

/// A configured rank as sessions know it.
#[must_use]
pub(crate) fn rank(configured: ConfiguredRank) -> Rank {
    match configured {
        ConfiguredRank::Primary => Rank::Primary,
        ConfiguredRank::Secondary => Rank::Secondary,
    }
}

/// How idle sessions lend their connections, if they do.
fn sharing(params: &ServiceParams) -> Option<Sharing> {
    params.idle_session_pool_time.map(|idle| Sharing {
        idle,
        patience: params.multiplex_timeout,
        keep_values: Sharing::KEEP_VALUES,
    })
}

fn retained(params: &ServiceParams, globals: &MaxScaleParams) -> usize {
    let own = u64::try_from(params.retain_last_statements).ok();
    usize::try_from(own.unwrap_or(globals.sessions.retain_last_statements)).unwrap_or(usize::MAX)
}

fn trace(globals: &MaxScaleParams) -> SessionTrace {
    let sessions = &globals.sessions;
    let pattern = sessions.session_trace_match.clone();
    SessionTrace {
        lines: usize::try_from(sessions.session_trace).unwrap_or(usize::MAX),
        dump_if: pattern.map(|pattern| Arc::new(Awaited(pattern)) as Arc<dyn LineMatch>),
    }
}

/// The lines of `session_trace_match`.
#[derive(Debug)]
struct Awaited(Pattern);

impl LineMatch for Awaited {
    fn matches(&self, line: &str) -> bool {
        self.0.is_match(line.as_bytes())
    }
}

fn dump(globals: &MaxScaleParams) -> DumpStatements {
    match globals.sessions.dump_last_statements {
        DumpLastStatements::Never => DumpStatements::Never,
        DumpLastStatements::OnError => DumpStatements::OnError,
        DumpLastStatements::OnClose => DumpStatements::OnClose,
    }
}
