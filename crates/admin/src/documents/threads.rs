//! Workers.

use serde_json::json;
use tidegate_jsonapi::Resource;

use super::object;
use crate::views::{ThreadState, ThreadView};

pub(super) fn thread(view: &ThreadView) -> Resource {
    let state = match view.state {
        ThreadState::Active => "Active",
        ThreadState::Draining => "Draining",
        ThreadState::Dormant => "Dormant",
    };
    let memory = view.memory;
    let total = [
        memory.query_classifier_bytes,
        memory.sessions_bytes,
        memory.zombies_bytes,
    ]
    .into_iter()
    .fold(0, u64::saturating_add);
    Resource::new("maxscale/threads", "threads", view.id.to_string()).attributes(object(json!({
        "stats": {
            "state": state,
            "listening": view.listening,
            "accepts": view.accepts,
            "reads": view.reads,
            "writes": view.writes,
            "errors": view.errors,
            "hangups": view.hangups,
            "avg_event_queue_length": view.avg_event_queue_length,
            "max_event_queue_length": view.max_event_queue_length,
            "max_exec_time": view.max_exec_time,
            "max_queue_time": view.max_queue_time,
            "current_descriptors": view.current_descriptors,
            "total_descriptors": view.total_descriptors,
            "sessions": view.sessions,
            "zombies": view.zombies,
            "load": {
                "last_second": view.load.last_second,
                "last_minute": view.load.last_minute,
                "last_hour": view.load.last_hour,
            },
            "memory": {
                "query_classifier": memory.query_classifier_bytes,
                "sessions": memory.sessions_bytes,
                "zombies": memory.zombies_bytes,
                "total": total,
            },
            "query_classifier_cache": {
                "size": view.classifier_cache.size_bytes,
                "inserts": view.classifier_cache.inserts,
                "hits": view.classifier_cache.hits,
                "misses": view.classifier_cache.misses,
                "evictions": view.classifier_cache.evictions,
            },
        },
    })))
}
