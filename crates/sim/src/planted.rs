//! Schedules with a defect planted in the core, and how soon it is found.

pub use tidegate_session::planted::Bug;

/// Schedules within which every defect must be found.
pub const LIMIT: u64 = 5_000;

/// Runs schedules from a seed on until the law that the defect breaks is broken. Returns how many it
/// took, and what was broken.
#[must_use]
pub fn hunt(bug: Bug, seed_base: u64) -> Option<(u64, String)> {
    tidegate_session::planted::plant(Some(bug));
    let found = (0..LIMIT).find_map(|index| {
        let broken = crate::schedule(seed_base.wrapping_add(index)).broken?;
        Some((index + 1, broken))
    });
    tidegate_session::planted::plant(None);
    found
}
