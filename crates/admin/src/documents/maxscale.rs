//! The process.

use serde_json::{Value, json};
use tidegate_jsonapi::Resource;

use super::{Look, object};
use crate::views::{MaxScaleView, SystemView};

pub(super) fn maxscale(view: &MaxScaleView, look: &Look) -> Resource {
    Resource::singleton("maxscale").attributes(object(json!({
        "version": view.version,
        "commit": view.commit,
        "started_at": look.date(view.started_at),
        "activated_at": look.date(view.activated_at),
        "uptime": view.uptime.as_secs(),
        "process_datadir": view.process_datadir,
        "parameters": view.parameters,
        // No group of proxies shares its configuration yet: null means "not synchronised".
        "config_sync": null,
        "system": system(&view.system),
    })))
}

fn system(view: &SystemView) -> Value {
    json!({
        "machine": {
            "cores_available": view.cores_available,
            "cores_physical": view.cores_physical,
            "cores_virtual": view.cores_virtual,
            "memory_available": view.memory_available_bytes,
            "memory_physical": view.memory_physical_bytes,
        },
        "maxscale": {
            "threads": view.threads,
            "query_classifier_cache_size": view.query_classifier_cache_size_bytes,
        },
        "os": {
            "sysname": view.os.sysname,
            "nodename": view.os.nodename,
            "release": view.os.release,
            "version": view.os.version,
            "machine": view.os.machine,
        },
    })
}
