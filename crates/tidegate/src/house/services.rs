//! Services and their listeners.

use std::time::Duration;

use tidegate_admin::views::{
    AccountTroubleView, AccountView, ListenerState, ListenerView, Parameters, ServiceState,
    ServiceStatistics, ServiceView,
};
use tidegate_config::params::{ListenerParams, ServiceParams};
use tidegate_config::{Object, Target};
use tidegate_session::{AutoTune, ServiceSpec};

use super::{Live, diagnostics};

impl Live {
    pub(super) fn service_views(&self) -> Vec<ServiceView> {
        self.catalog
            .config()
            .services
            .iter()
            .filter_map(|service| self.service_view(service))
            .collect()
    }

    fn service_view(&self, service: &Object<ServiceParams>) -> Option<ServiceView> {
        let config = self.catalog.config();
        let running = self.catalog.service(&service.name)?;
        let spec = running.spec.as_deref();
        let (servers, services) = split(config.targets(service));
        let accounts = self.catalog.accounts(&service.name);
        let listeners = config
            .listeners
            .iter()
            .filter(|listener| listener.params.service == service.name);
        Some(ServiceView {
            name: service.name.clone(),
            router: service.module_name().to_owned(),
            state: if self.catalog.is_service_stopped(&service.name) {
                ServiceState::Stopped
            } else {
                ServiceState::Started
            },
            started: running.started,
            statistics: spec.map(statistics).unwrap_or_default(),
            parameters: self.service_parameters(service, spec),
            router_diagnostics: spec
                .map(|spec| {
                    diagnostics::router(spec, &servers, &services, self.catalog.runtime().now())
                })
                .unwrap_or_default(),
            listeners: listeners
                .map(|listener| self.listener_view(listener))
                .collect(),
            users: accounts
                .as_ref()
                .and_then(|view| view.accounts.as_deref())
                .map(|accounts| accounts.rows().iter().map(account).collect())
                .unwrap_or_default(),
            users_last_update: accounts.as_ref().and_then(|view| view.loaded_at),
            users_troubles: accounts
                .iter()
                .flat_map(|view| view.troubles.iter())
                .map(|found| AccountTroubleView {
                    user: found.user.clone(),
                    host: found.host.clone(),
                    reason: found.reason.clone(),
                })
                .collect(),
            source: super::json::source(&service.source),
            servers,
            services,
            filters: service.params.filters.clone(),
            monitor: service.params.cluster.clone(),
        })
    }

    /// The parameters of a service, with those that follow its servers (`auto_tune`) as they are now.
    fn service_parameters(
        &self,
        service: &Object<ServiceParams>,
        spec: Option<&ServiceSpec>,
    ) -> Parameters {
        let Some(spec) = spec.filter(|spec| spec.auto_tune != AutoTune::default()) else {
            return super::json::parameters(&service.parameters());
        };
        let limits = spec.idle_limits(&self.catalog.board().views());
        let mut params = service.params.clone();
        params.wait_timeout = limits.wait_timeout.unwrap_or_default();
        params.connection_keepalive = limits.keepalive.map_or(Duration::ZERO, |it| it.after);
        let shown = service.clone().showing(&params);
        super::json::parameters(&shown.parameters())
    }

    fn listener_view(&self, listener: &Object<ListenerParams>) -> ListenerView {
        let running = self.catalog.listener(&listener.name).is_some();
        ListenerView {
            name: listener.name.clone(),
            state: if !running {
                ListenerState::Failed
            } else if self.catalog.is_listener_stopped(&listener.name) {
                ListenerState::Stopped
            } else {
                ListenerState::Running
            },
            parameters: super::json::parameters(&listener.parameters()),
            source: super::json::source(&listener.source),
            service: listener.params.service.clone(),
        }
    }
}

fn split(targets: Vec<Target>) -> (Vec<String>, Vec<String>) {
    let (mut servers, mut services) = (Vec::new(), Vec::new());
    for target in targets {
        match target {
            Target::Server(name) => servers.push(name),
            Target::Service(name) => services.push(name),
        }
    }
    (servers, services)
}

fn account(row: &tidegate_accounts::AccountRow) -> AccountView {
    AccountView {
        user: row.user.clone(),
        host: row.host.clone(),
        plugin: row
            .methods
            .first()
            .map(|method| method.plugin().to_owned())
            .unwrap_or_default(),
        default_role: row.default_role.clone().unwrap_or_default(),
        ssl: row.tls != tidegate_accounts::TlsDemand::None,
        super_priv: row.is_super,
        global_priv: row.global_access,
        proxy_priv: row.may_proxy,
    }
}

fn statistics(spec: &ServiceSpec) -> ServiceStatistics {
    let counters = &spec.counters;
    let connections = counters.sum(|shard| &shard.sessions);
    let total = counters.sum(|shard| &shard.total_sessions);
    let ended = total.saturating_sub(connections);
    let reads: u64 = spec
        .target_counters
        .iter()
        .map(|target| target.sum(|shard| &shard.reads))
        .sum();
    let writes: u64 = spec
        .target_counters
        .iter()
        .map(|target| target.sum(|shard| &shard.writes))
        .sum();
    let history = counters.sum(|shard| &shard.history_len);
    ServiceStatistics {
        connections,
        total_connections: total,
        max_connections: counters.highest(|shard| &shard.max_sessions),
        active_operations: counters.sum(|shard| &shard.operations),
        routed_packets: counters.sum(|shard| &shard.queries),
        routed_reads: reads,
        routed_writes: writes,
        failed_auths: counters.sum(|shard| &shard.failed_auths),
        max_sescmd_history_length: counters.highest(|shard| &shard.max_history_len),
        avg_sescmd_history_length: if ended == 0 {
            0.0
        } else {
            history as f64 / ended as f64
        },
        max_session_lifetime: Duration::from_micros(
            counters.highest(|shard| &shard.max_lifetime_us),
        ),
        avg_session_lifetime: Duration::from_micros(
            counters
                .sum(|shard| &shard.lifetime_us)
                .checked_div(ended)
                .unwrap_or(0),
        ),
        spread: diagnostics::spread_of_service(spec),
    }
}
