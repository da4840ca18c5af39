//! Which server: the primary, and a replica for a read. Pure functions of the servers' states.

use std::cmp::Reverse;
use std::time::Duration;

use super::criteria::Yardstick;
use super::params::SelectionCriteria;
use tidegate_session::router::TargetSet;
use tidegate_session::world::{Rank, ServerStatus};
use tidegate_session::{Link, Scene, TargetId, TargetView};

/// What the choice of servers depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_replicas: usize,
    /// Zero: no limit.
    pub(crate) max_replication_lag: Duration,
    pub(crate) master_accept_reads: bool,
    pub(crate) criterion: SelectionCriteria,
}

/// Can statements go there, now or after connecting?
#[inline(always)]
fn reachable(view: &TargetView<'_>, scene: &Scene<'_>) -> bool {
    match view.link() {
        Link::Open => view.status().usable(),
        Link::Opening => view.status().usable(),
        Link::Closed => view.status().connectable() && scene.recoverable(),
        Link::Failed => false,
    }
}

/// Is it the session's primary still: connected, and in that role?
#[inline]
pub(crate) fn is_valid_primary(scene: &Scene<'_>, current: TargetId) -> bool {
    valid_primary(scene, current).is_some()
}

#[inline]
fn valid_primary<'a>(scene: &Scene<'a>, current: TargetId) -> Option<TargetView<'a>> {
    scene.target(current).filter(|view| {
        view.link() >= Link::Opening
            && view.status().has(ServerStatus::MASTER)
            && view.status().usable()
    })
}

/// The best primary there is: of the best rank, and of those the one with the fewest connections.
pub(crate) fn best_primary(scene: &Scene<'_>, barred: TargetSet) -> Option<TargetId> {
    scene
        .targets()
        .filter(|id| !barred.contains(*id))
        .filter_map(|id| Some((id, scene.target(id)?)))
        .filter(|(_, view)| view.status().has(ServerStatus::MASTER) && reachable(view, scene))
        .min_by_key(|(_, view)| (view.rank(), view.connections()))
        .map(|(id, _)| id)
}

/// The server for a read: among those of the best class the best by the criterion; of equals the one
/// this session used last. What one connection has in its caches, on the server and on the way, is
/// worth more than a turn for everybody: sessions begin with different servers, so that all have
/// their share, and each leaves its server only for one that has clearly less to do.
pub(crate) fn replica(
    scene: &Scene<'_>,
    limits: &Limits,
    primary: Option<TargetId>,
    barred: TargetSet,
) -> Option<TargetId> {
    let rank = current_rank(scene, primary);
    let mut fit = TargetSet::EMPTY;
    let mut least = u8::MAX;
    let mut best_class = TargetSet::EMPTY;
    // Of the best class, the one that the session used last, and when.
    let mut last = None;
    for id in scene.targets().filter(|id| !barred.contains(*id)) {
        let Some(view) = scene.target(id) else {
            continue;
        };
        if unfit_in(scene, limits, id, &view, primary, rank).is_some() {
            continue;
        }
        fit = fit.with(id);
        let class = class(&view, limits, primary == Some(id));
        if class > least {
            continue;
        }
        if class < least {
            (least, best_class, last) = (class, TargetSet::EMPTY, None);
        }
        best_class = best_class.with(id);
        let used = view.last_used();
        // A session command uses all of them.
        let is_later =
            |(known, other)| known < used || known == used && turn(scene, id) < turn(scene, other);
        if last.is_none_or(is_later) {
            last = Some((used, id));
        }
    }
    let (used, last) = last?;
    // What is measured is looked at only where it decides.
    if best_class == TargetSet::one(last) {
        return Some(last);
    }
    let views = fit.iter().filter_map(|id| scene.target(id));
    let yardstick = Yardstick::new(limits.criterion, views);
    let weights = || {
        best_class.iter().filter_map(|id| {
            let view = scene.target(id)?;
            let is_primary = primary == Some(id);
            Some((weight(&yardstick, scene, limits, &view, is_primary), id))
        })
    };
    let in_turn = |(one, id): &(Weight, TargetId), (other, other_id): &(Weight, TargetId)| {
        one.cmp(other)
            .then_with(|| turn(scene, *id).cmp(&turn(scene, *other_id)))
    };
    let (best, id) = weights().min_by(in_turn)?;
    let stays = limits.criterion == SelectionCriteria::LeastCurrentOperations && {
        let own = scene.target(last).map_or(0, |view| view.operations());
        keeps(own, best.measure)
    };
    if used > 0 && stays {
        return Some(last);
    }
    // One that is being opened is waited for before another is opened: what it is told at first
    // makes it look busy.
    let opens = best.link == Reverse(Link::Closed);
    let awaited = weights().filter(|(weight, _)| opens && weight.link == Reverse(Link::Opening));
    Some(awaited.min_by(in_turn).map_or(id, |(_, id)| id))
}

/// Does a read stay with `reader`, where the newest command went that went to one server, and not to
/// the session's primary, as long as that is one?
#[inline]
pub(crate) fn stays(
    scene: &Scene<'_>,
    limits: &Limits,
    primary: TargetId,
    reader: TargetId,
) -> bool {
    let Some(view) = valid_primary(scene, primary) else {
        return false;
    };
    is_unrivalled(scene, limits, Some(primary), view.rank(), reader)
}

/// Is no other server so much better that a session leaves the one it used last? Most often a look
/// at how many statements are in progress there is enough to say so.
fn is_unrivalled(
    scene: &Scene<'_>,
    limits: &Limits,
    primary: Option<TargetId>,
    rank: Rank,
    id: TargetId,
) -> bool {
    let view = scene.target(id);
    let Some(view) = &view else {
        return false;
    };
    let used_later = |other: TargetId| {
        let other = scene.target(other);
        other.is_some_and(|other| other.last_used() >= view.last_used())
    };
    limits.criterion == SelectionCriteria::LeastCurrentOperations
        && unfit_in(scene, limits, id, view, primary, rank).is_none()
        && class(view, limits, primary == Some(id)) == 0
        && !(limits.master_accept_reads && primary.is_some_and(used_later))
        && !has_rival(scene, limits, primary, rank, id, view.operations())
}

/// Is there another that can take the read as well and has clearly less to do than `id`, which has
/// `own` statements in progress?
#[inline]
fn has_rival(
    scene: &Scene<'_>,
    limits: &Limits,
    primary: Option<TargetId>,
    rank: Rank,
    id: TargetId,
    own: u64,
) -> bool {
    let is_rival = |other: TargetId| {
        scene.target(other).is_some_and(|view| {
            !keeps(own, view.operations())
                && unfit_in(scene, limits, other, &view, primary, rank).is_none()
                && class(&view, limits, primary == Some(other)) == 0
        })
    };
    !keeps(own, 0) && scene.targets().any(|other| other != id && is_rival(other))
}

/// By operations, of which there are a few more or fewer at every moment: is a server with `own` so
/// little worse than one with `best` that the session stays where it is? By one, or an eighth.
#[inline]
fn keeps(own: u64, best: u64) -> bool {
    own <= best + (own / 8).max(1)
}

/// Replicas to be connected when a session starts: those with the fewest connections first.
pub(crate) fn at_start(
    scene: &Scene<'_>,
    limits: &Limits,
    count: usize,
    primary: Option<TargetId>,
) -> TargetSet {
    let rank = primary
        .and_then(|id| scene.target(id))
        .map_or_else(|| current_rank(scene, None), |view| view.rank());
    let mut fit: Vec<(u64, TargetId)> = scene
        .targets()
        .filter(|id| Some(*id) != primary)
        .filter_map(|id| Some((id, scene.target(id)?)))
        .filter(|(_, view)| {
            acts_as_replica(view)
                && view.status().connectable()
                && view.rank() == rank
                && lag_fits(view, limits)
        })
        .map(|(id, view)| (view.connections(), id))
        .collect();
    fit.sort();
    fit.into_iter().take(count).map(|(_, id)| id).collect()
}

/// Why a target may not take a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Neither a replica nor the primary.
    Role,
    /// The session has as many replica connections as it may have.
    Full,
    /// No statement can go there.
    Unreachable,
    /// In maintenance.
    Maintenance,
    /// Too far behind, or nobody knows how far.
    Lag,
    /// Another rank is in use.
    Rank,
}

/// Why it may not take a read; `None`: it may.
pub(crate) fn unfit(
    scene: &Scene<'_>,
    limits: &Limits,
    id: TargetId,
    view: &TargetView<'_>,
    primary: Option<TargetId>,
) -> Option<Unfit> {
    unfit_in(
        scene,
        limits,
        id,
        view,
        primary,
        current_rank(scene, primary),
    )
}

#[inline(always)]
fn unfit_in(
    scene: &Scene<'_>,
    limits: &Limits,
    id: TargetId,
    view: &TargetView<'_>,
    primary: Option<TargetId>,
    rank: Rank,
) -> Option<Unfit> {
    let is_primary = primary == Some(id);
    if !acts_as_replica(view) && !is_primary {
        Some(Unfit::Role)
    } else if !reachable(view, scene) {
        Some(Unfit::Unreachable)
    } else if view.status().has(ServerStatus::MAINTENANCE) {
        Some(Unfit::Maintenance)
    } else if !is_primary && !lag_fits(view, limits) {
        Some(Unfit::Lag)
    } else if view.rank() != rank {
        Some(Unfit::Rank)
    } else if view.link() < Link::Opening
        && !is_primary
        && open_replicas(scene, primary) >= limits.max_replicas
    {
        Some(Unfit::Full)
    } else {
        None
    }
}

/// Why no statement can go there, as the end of a sentence; `None`: one can.
pub(crate) fn obstacle(view: &TargetView<'_>, scene: &Scene<'_>) -> Option<&'static str> {
    if reachable(view, scene) {
        return None;
    }
    Some(if !view.status().usable() {
        "is down"
    } else if view.link() == Link::Failed {
        "refused this session"
    } else if view.status().has(ServerStatus::MAINTENANCE) {
        "is in maintenance"
    } else if view.status().has(ServerStatus::DRAINING) {
        "is being drained and takes no new connections"
    } else {
        "is not connected, and the session's state could not be rebuilt there"
    })
}

/// What makes one target better for a read than another: the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Weight {
    pub(crate) class: u8,
    /// By the criterion.
    pub(crate) measure: u64,
    /// When this session used it; zero: never.
    pub(crate) last_used: Reverse<u64>,
    pub(crate) link: Reverse<Link>,
}

impl Weight {
    /// The class of a primary that reads only when nobody else can.
    pub(crate) const PRIMARY: u8 = 2;
}

/// The criterion's measure for a choice among all that may take a read.
pub(crate) fn yardstick(
    scene: &Scene<'_>,
    limits: &Limits,
    primary: Option<TargetId>,
) -> Yardstick {
    let fit = scene
        .targets()
        .filter_map(|id| Some((id, scene.target(id)?)))
        .filter(|(id, view)| unfit(scene, limits, *id, view, primary).is_none());
    Yardstick::new(limits.criterion, fit.map(|(_, view)| view))
}

pub(crate) fn weight(
    yardstick: &Yardstick,
    scene: &Scene<'_>,
    limits: &Limits,
    view: &TargetView<'_>,
    is_primary: bool,
) -> Weight {
    Weight {
        class: class(view, limits, is_primary),
        measure: yardstick.measure(view, is_primary, scene.now),
        last_used: Reverse(view.last_used()),
        link: Reverse(view.link()),
    }
}

/// A number of its own for each target in each session: of those that are equally good, every one is
/// the least in its share of the sessions, whichever others there are.
fn turn(scene: &Scene<'_>, id: TargetId) -> u64 {
    let mixed = (scene.session().0 << 6 | u64::from(id.0)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// 0: a replica that is free; 1: one that still owes an answer nobody waits for; 2: the primary,
/// unless it takes its share of the reads.
#[inline(always)]
fn class(view: &TargetView<'_>, limits: &Limits, is_primary: bool) -> u8 {
    let replica = acts_as_replica(view) || (is_primary && limits.master_accept_reads);
    // A connection that is being opened owes what it was told to become one.
    let owes = view.discards() > 0 && view.link() == Link::Open;
    match (replica, owes) {
        (true, false) => 0,
        (true, true) => 1,
        (false, _) => Weight::PRIMARY,
    }
}

#[inline(always)]
fn acts_as_replica(view: &TargetView<'_>) -> bool {
    view.status()
        .any(ServerStatus::SLAVE.with(ServerStatus::RELAY))
        && !view.status().has(ServerStatus::MASTER)
}

/// Unknown lag is not acceptable where there is a limit.
#[inline(always)]
pub(crate) fn lag_fits(view: &TargetView<'_>, limits: &Limits) -> bool {
    limits.max_replication_lag.is_zero()
        || view
            .lag()
            .is_some_and(|lag| lag < limits.max_replication_lag)
}

/// The rank in use: that of the connected primary; without one, of the first connection; else the
/// best one.
#[inline]
fn current_rank(scene: &Scene<'_>, primary: Option<TargetId>) -> Rank {
    let connected = primary.and_then(|id| {
        let view = scene.target(id);
        let view = view.as_ref()?;
        (view.link() >= Link::Opening).then(|| view.rank())
    });
    connected.unwrap_or_else(|| rank_without_primary(scene))
}

/// That of the first connection; else the best one.
#[cold]
fn rank_without_primary(scene: &Scene<'_>) -> Rank {
    let views = || scene.targets().filter_map(|id| scene.target(id));
    views()
        .find(|view| view.link() == Link::Open)
        .or_else(|| {
            views()
                .filter(|view| view.status().connectable())
                .min_by_key(|view| view.rank())
        })
        .map_or(Rank::Primary, |view| view.rank())
}

fn open_replicas(scene: &Scene<'_>, primary: Option<TargetId>) -> usize {
    scene
        .targets()
        .filter(|id| Some(*id) != primary)
        .filter(|id| {
            scene
                .target(*id)
                .is_some_and(|view| view.link() >= Link::Opening)
        })
        .count()
}

/// Connections to be let go at a rest: to servers in maintenance, of another rank than the one in
/// use, far too much behind, and replicas beyond the most that are allowed. What only `owners` have
/// is lost with them: they stay where they can, and are the last to make room.
pub(crate) fn spare(
    scene: &Scene<'_>,
    limits: &Limits,
    primary: Option<TargetId>,
    owners: TargetSet,
) -> TargetSet {
    let connected = primary.filter(|id| is_valid_primary(scene, *id));
    let rank = current_rank(scene, connected);
    let unfit: TargetSet = open(scene)
        .filter(|(id, view)| {
            let unwanted =
                view.rank() != rank || Some(*id) != connected && is_far_behind(view, limits);
            view.status().has(ServerStatus::MAINTENANCE) || unwanted && !owners.contains(*id)
        })
        .map(|(id, _)| id)
        .collect();
    let mut replicas: Vec<(bool, u64, TargetId)> = open(scene)
        .filter(|(id, _)| Some(*id) != primary && !unfit.contains(*id))
        .map(|(id, view)| (owners.contains(id), view.last_used(), id))
        .collect();
    replicas.sort();
    let excess = replicas.len().saturating_sub(limits.max_replicas);
    replicas
        .into_iter()
        .take(excess)
        .map(|(_, _, id)| id)
        .chain(unfit.iter())
        .collect()
}

fn open<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (TargetId, TargetView<'a>)> {
    scene
        .targets()
        .filter_map(|id| Some((id, scene.target(id)?)))
        .filter(|(_, view)| view.link() == Link::Open)
}

/// So much behind that it will not be read from for a while. A lag that is not known says nothing.
fn is_far_behind(view: &TargetView<'_>, limits: &Limits) -> bool {
    let far = (limits.max_replication_lag * 2).max(Duration::from_secs(300));
    !limits.max_replication_lag.is_zero()
        && !view.status().has(ServerStatus::MASTER)
        && view.lag().is_some_and(|lag| lag > far)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(measure: u64, last_used: u64) -> Weight {
        Weight {
            class: 0,
            measure,
            last_used: Reverse(last_used),
            link: Reverse(Link::Open),
        }
    }

    /// The session used a server with so many operations last; the best has so many.
    #[track_caller]
    fn stays(last: u64, best: u64, expect: bool) {
        assert_eq!(keeps(last, best), expect, "{last} and {best}");
    }

    #[test]
    fn a_session_leaves_its_server_for_one_with_clearly_less_to_do() {
        stays(0, 0, true);
        stays(1, 0, true);
        stays(2, 0, false);
        stays(9, 8, true);
        stays(9, 7, false);
        stays(64, 56, true);
        stays(64, 55, false);
    }

    #[test]
    fn of_equals_the_one_used_last_is_the_best() {
        assert!(weight(5, 7) < weight(5, 3));
    }
}
