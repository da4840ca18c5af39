//! Monitors and what they know of their servers.

use serde_json::{Value, json};
use tidegate_jsonapi::{Relationship, Resource};

use super::servers::replication_state;
use super::{object, source, with_meta};
use crate::views::{MonitorDiagnostics, MonitorView, ReplicationView};

pub(super) fn monitor(view: &MonitorView) -> Resource {
    let meta = [("type", "monitor"), ("module", view.module.as_str())];
    Resource::new("monitors", "monitors", &view.name)
        .attributes(object(json!({
            "module": view.module,
            "state": if view.running { "Running" } else { "Stopped" },
            "ticks": view.ticks,
            "parameters": with_meta(&view.parameters, &meta),
            "monitor_diagnostics": view.diagnostics.as_ref().map_or_else(|| json!({}), diagnostics),
            "source": source(&view.source),
        })))
        .relationships(vec![
            Relationship::new("servers", &view.servers),
            Relationship::new("services", &view.services),
        ])
}

fn diagnostics(view: &MonitorDiagnostics) -> Value {
    json!({
        "master": view.master,
        "master_gtid_domain_id": view.master_gtid_domain_id,
        "primary": view.primary,
        "state": view.state,
        "server_info": view.server_info.iter().map(server_info).collect::<Vec<_>>(),
    })
}

fn server_info(view: &ReplicationView) -> Value {
    let mut info = object(json!({ "name": view.name }));
    info.extend(replication_state(view));
    info.insert("state_details".into(), json!(view.state_details));
    info.into()
}
