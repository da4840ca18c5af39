//! Monitors and filters, and the lists of all kinds of objects.

use tidegate_admin::house::{Objects, Pending, Unanswered};
use tidegate_admin::views::{
    FilterView, MaxScaleView, MonitorDiagnostics, MonitorView, ServerView, ServiceView, ThreadView,
};
use tidegate_config::Object;
use tidegate_config::params::{FilterParams, MonitorParams};

use super::{Live, json, servers};

impl Objects for Live {
    fn servers(&self) -> Vec<ServerView> {
        self.server_views()
    }

    fn services(&self) -> Vec<ServiceView> {
        self.service_views()
    }

    fn monitors(&self) -> Vec<MonitorView> {
        self.catalog
            .config()
            .monitors
            .iter()
            .filter_map(|monitor| self.monitor_view(monitor))
            .collect()
    }

    fn filters(&self) -> Vec<FilterView> {
        self.catalog
            .config()
            .filters
            .iter()
            .map(|filter| self.filter_view(filter))
            .collect()
    }

    fn maxscale(&self) -> MaxScaleView {
        self.process_view()
    }

    fn threads(&self) -> Pending<'_, Result<Vec<ThreadView>, Unanswered>> {
        Box::pin(self.thread_views())
    }
}

impl Live {
    fn monitor_view(&self, monitor: &Object<MonitorParams>) -> Option<MonitorView> {
        let handle = self.catalog.monitor(&monitor.name)?;
        let view = handle.view();
        let config = self.catalog.config();
        let follows = |service: &&Object<tidegate_config::params::ServiceParams>| {
            service.params.cluster.as_deref() == Some(monitor.name.as_str())
        };
        Some(MonitorView {
            name: monitor.name.clone(),
            module: monitor.module_name().to_owned(),
            running: view.running,
            ticks: view.ticks,
            parameters: json::parameters(&monitor.parameters()),
            source: json::source(&monitor.source),
            diagnostics: view
                .diagnostics
                .as_ref()
                .map(|diagnostics| MonitorDiagnostics {
                    master: diagnostics.master.as_deref().map(str::to_owned),
                    master_gtid_domain_id: diagnostics.master_gtid_domain_id.map(u64::from),
                    primary: None,
                    state: handle.activity().text().to_owned(),
                    server_info: diagnostics
                        .server_info
                        .iter()
                        .map(servers::replication)
                        .collect(),
                }),
            servers: monitor.params.servers.clone(),
            services: config
                .services
                .iter()
                .filter(follows)
                .map(|service| service.name.clone())
                .collect(),
        })
    }

    fn filter_view(&self, filter: &Object<FilterParams>) -> FilterView {
        let services = &self.catalog.config().services;
        FilterView {
            name: filter.name.clone(),
            module: filter.module_name().to_owned(),
            parameters: json::parameters(&filter.parameters()),
            diagnostics: None,
            source: json::source(&filter.source),
            services: services
                .iter()
                .filter(|service| service.params.filters.contains(&filter.name))
                .map(|service| service.name.clone())
                .collect(),
        }
    }
}
