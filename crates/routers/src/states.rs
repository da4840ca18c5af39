//! The targets in words, for messages that say why none would do.

use tidegate_session::Scene;

/// Name and state of every target.
pub(crate) fn states(scene: &Scene<'_>) -> String {
    let all: Vec<String> = scene
        .targets()
        .filter_map(|id| scene.target(id))
        .map(|view| format!("{} ({:?}, {:?})", view.name(), view.status(), view.link()))
        .collect();
    if all.is_empty() {
        "the service has no targets".to_owned()
    } else {
        all.join(", ")
    }
}
