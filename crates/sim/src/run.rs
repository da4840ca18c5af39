//! Running schedules.

use crate::coverage::Coverage;
use crate::world::World;

/// How one schedule went.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that happened, as one number.
    pub trace: u64,
    /// The law that was broken.
    pub broken: Option<String>,
    /// Client commands that were issued.
    pub commands: usize,
    /// What rare things happened.
    pub coverage: Coverage,
}

/// Runs the schedule of a seed.
#[must_use]
pub fn schedule(seed: u64) -> Outcome {
    outcome(World::new(seed, false)).0
}

/// Runs the schedule of a seed with somebody who reads in the log where each command goes, or with
/// nobody who does: what happens must be the same. `None` where a module panics after so many calls,
/// of which there may be more or fewer then.
#[must_use]
pub fn schedule_followed(seed: u64, followed: bool) -> Option<Outcome> {
    let mut world = World::new(seed, false);
    if world.plan.modules.panic_after.is_some() {
        return None;
    }
    world.plan.log_info = followed;
    Some(outcome(world).0)
}

/// Runs the schedule of a seed and says all that happened.
#[must_use]
pub fn replay(seed: u64) -> (Outcome, Vec<String>) {
    outcome(World::new(seed, true))
}

fn outcome(mut world: World) -> (Outcome, Vec<String>) {
    world.run();
    world.trace.insert(&mut world.model.story);
    let outcome = Outcome {
        trace: world.trace.hash(),
        broken: world.model.broken.take(),
        commands: world.model.count(),
        coverage: world.coverage,
    };
    (outcome, world.trace.into_lines())
}
