//! Servers that could not be connected: others are preferred for a while, and the command that found
//! them so does not try them twice.

use std::time::Duration;

use tidegate_session::router::{Loss, TargetSet};
use tidegate_session::{Instant, Link, Scene};

/// How long a server that could not be connected is left alone: a monitor's usual interval, after
/// which its own state says whether it is there.
const WHILE: Duration = Duration::from_secs(2);

/// What could not be connected.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unreachable {
    targets: TargetSet,
    until: Instant,
    /// Those that the command with that number found so.
    by_command: (TargetSet, u64),
}

impl Unreachable {
    /// A connection could not be opened.
    pub(super) fn add(&mut self, loss: &Loss, scene: &Scene<'_>) {
        self.targets = self.lately(scene).with(loss.target);
        if loss.command_waits {
            let known = self.by_this_command(scene);
            self.by_command = (known.with(loss.target), scene.head());
        }
        self.until = scene.now.after(WHILE);
    }

    /// Could everything be connected so far?
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.targets.is_empty() && self.by_command.0.is_empty()
    }

    /// Those that could not be connected a moment ago.
    pub(super) fn lately(&self, scene: &Scene<'_>) -> TargetSet {
        if scene.now < self.until {
            unconnected(scene, self.targets)
        } else {
            TargetSet::EMPTY
        }
    }

    /// Those that the command at the head could not have connected.
    pub(super) fn by_this_command(&self, scene: &Scene<'_>) -> TargetSet {
        let (targets, command) = self.by_command;
        if command == scene.head() {
            unconnected(scene, targets)
        } else {
            TargetSet::EMPTY
        }
    }
}

/// Those to which no connection is open or being opened.
fn unconnected(scene: &Scene<'_>, targets: TargetSet) -> TargetSet {
    targets
        .iter()
        .filter(|id| {
            scene
                .target(*id)
                .is_some_and(|view| view.link() < Link::Opening)
        })
        .collect()
}
