//! The routers: one folder each, with its parameters, its session and its decisions; and the
//! table from which the rest of the house knows them.
//!
//! A router chooses among targets. It sees statements' classes, servers' states and the outcome
//! of replies, never a byte of a result.

#![forbid(unsafe_code)]

pub mod readconnroute;
pub mod readwritesplit;
mod registry;

pub use registry::{ROUTERS, RouterModule, router};

use tidegate_session::Scene;

/// Name and state of every target, for messages that say why none would do.
pub(crate) fn states(scene: &Scene<'_>) -> String {
    let all: Vec<String> = scene
        .targets()
        .filter_map(|id| scene.target(id))
        .map(|view| format!("{} ({:?}, {:?})", view.name, view.status, view.link))
        .collect();
    if all.is_empty() {
        "the service has no targets".to_owned()
    } else {
        all.join(", ")
    }
}
