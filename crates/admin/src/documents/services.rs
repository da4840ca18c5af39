//! Services, their listeners and filters.

use serde_json::{Value, json};
use tidegate_jsonapi::{Relationship, Resource};

use super::{Look, object, source, times, with_meta};
use crate::time::seconds_ms;
use crate::views::{
    AccountTroubleView, AccountView, FilterView, ListenerState, ListenerView, ServiceState,
    ServiceStatistics, ServiceView,
};

pub(super) fn service(view: &ServiceView, look: &Look) -> Resource {
    let state = match view.state {
        ServiceState::Started => "Started",
        ServiceState::Stopped => "Stopped",
        ServiceState::Failed => "Failed",
    };
    let meta = [("type", "service"), ("router", view.router.as_str())];
    let listeners: Vec<Value> = view
        .listeners
        .iter()
        .map(|view| listener(view).to_value(&look.base, look.form))
        .collect();
    let attributes = object(json!({
        "router": view.router,
        "state": state,
        "started": look.date(view.started),
        "connections": view.statistics.connections,
        "total_connections": view.statistics.total_connections,
        "statistics": statistics(&view.statistics),
        "parameters": with_meta(&view.parameters, &meta),
        "router_diagnostics": view.router_diagnostics,
        "listeners": listeners,
        "users": view.users.iter().map(account).collect::<Vec<_>>(),
        "users_last_update": look.date_or_null(view.users_last_update),
        "users_troubles": view.users_troubles.iter().map(trouble).collect::<Vec<_>>(),
        "source": source(&view.source),
    }));
    let listeners = view.listeners.iter().map(|listener| &listener.name);
    Resource::new("services", "services", &view.name)
        .attributes(attributes)
        .relationships(vec![
            Relationship::new("listeners", listeners),
            Relationship::new("servers", &view.servers),
            Relationship::new("services", &view.services),
            Relationship::new("filters", &view.filters),
            Relationship::new("monitors", &view.monitor),
        ])
}

fn statistics(counters: &ServiceStatistics) -> Value {
    json!({
        "connections": counters.connections,
        "total_connections": counters.total_connections,
        "max_connections": counters.max_connections,
        "active_operations": counters.active_operations,
        "routed_packets": counters.routed_packets,
        "routed_reads": counters.routed_reads,
        "routed_writes": counters.routed_writes,
        "failed_auths": counters.failed_auths,
        "max_sescmd_history_length": counters.max_sescmd_history_length,
        "avg_sescmd_history_length": counters.avg_sescmd_history_length,
        "max_session_lifetime": counters.max_session_lifetime.as_secs(),
        "avg_session_lifetime": seconds_ms(counters.avg_session_lifetime),
        "response_times": times::spread(&counters.spread),
    })
}

fn trouble(view: &AccountTroubleView) -> Value {
    json!({ "user": view.user, "host": view.host, "reason": view.reason })
}

fn account(view: &AccountView) -> Value {
    json!({
        "user": view.user,
        "host": view.host,
        "plugin": view.plugin,
        "default_role": view.default_role,
        "ssl": view.ssl,
        "super_priv": view.super_priv,
        "global_priv": view.global_priv,
        "proxy_priv": view.proxy_priv,
    })
}

pub(super) fn listener(view: &ListenerView) -> Resource {
    let state = match view.state {
        ListenerState::Running => "Running",
        ListenerState::Stopped => "Stopped",
        ListenerState::Failed => "Failed",
    };
    let meta = [("type", "listener"), ("service", view.service.as_str())];
    Resource::new("listeners", "listeners", &view.name)
        .attributes(object(json!({
            "state": state,
            "parameters": with_meta(&view.parameters, &meta),
            "source": source(&view.source),
        })))
        .relationships(vec![Relationship::new("services", [&view.service])])
        .unlinked()
}

pub(super) fn filter(view: &FilterView) -> Resource {
    let meta = [("module", view.module.as_str())];
    Resource::new("filters", "filters", &view.name)
        .attributes(object(json!({
            "module": view.module,
            "parameters": with_meta(&view.parameters, &meta),
            "filter_diagnostics": view.diagnostics,
            "source": source(&view.source),
        })))
        .relationships(vec![Relationship::new("services", &view.services)])
}
