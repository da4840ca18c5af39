//! Statements that a service was sent, without their literals.

use serde_json::{Value, json};
use tidegate_jsonapi::Resource;

use super::{object, times};
use crate::time::iso_ms;
use crate::views::DigestView;

pub(super) fn digest(view: &DigestView, service: &str) -> Resource {
    let servers: Vec<Value> = view
        .servers
        .iter()
        .map(|(server, count)| json!({ "id": server, "count": count }))
        .collect();
    let path = format!("services/{service}/digests");
    Resource::new(&path, "digests", id(view.id)).attributes(object(json!({
        "statement": view.statement,
        "truncated": view.truncated,
        "count": view.count,
        "missed_at_most": view.missed_at_most,
        "errors": view.errors,
        "rows": view.rows,
        "response_times": times(&view.times),
        "servers": servers,
        "first_seen": iso_ms(view.first_seen),
        "last_seen": iso_ms(view.last_seen),
    })))
}

/// A digest as it is written.
pub(crate) fn id(digest: u64) -> String {
    format!("{digest:016x}")
}
