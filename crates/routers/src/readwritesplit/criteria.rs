//! Which of several servers is the best for a read: what each criterion makes as small as possible.

use std::time::Duration;

use tidegate_session::{Instant, Link, TargetView};

use super::params::SelectionCriteria;

/// With no new sample an average comes this much nearer to the best one: to a third of the distance.
const FORGETS: Duration = Duration::from_secs(5);

/// What stands for the best average while no server has one, in microseconds.
const NOTHING_KNOWN: f64 = 1.0;

/// What a criterion needs to know of all servers before it looks at one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yardstick {
    criterion: SelectionCriteria,
    /// The best average response time among the candidates, in microseconds.
    best_us: f64,
}

impl Yardstick {
    /// For a choice among these candidates.
    pub(crate) fn new<'a>(
        criterion: SelectionCriteria,
        candidates: impl Iterator<Item = TargetView<'a>>,
    ) -> Yardstick {
        let best_us = if criterion == SelectionCriteria::AdaptiveRouting {
            candidates
                .filter_map(|view| Some(view.response()?.average_us))
                .min_by(f64::total_cmp)
                .unwrap_or(NOTHING_KNOWN)
        } else {
            NOTHING_KNOWN
        };
        Yardstick { criterion, best_us }
    }

    /// How bad a server is: the candidate with the smallest number is chosen.
    #[inline]
    pub(crate) fn measure(&self, view: &TargetView<'_>, is_primary: bool, now: Instant) -> u64 {
        match self.criterion {
            SelectionCriteria::LeastCurrentOperations => view.operations(),
            SelectionCriteria::LeastGlobalConnections => others(view, view.connections()),
            SelectionCriteria::LeastRouterConnections => others(view, view.service_connections()),
            SelectionCriteria::LeastBehindMaster if is_primary => 0,
            SelectionCriteria::LeastBehindMaster => view.lag().map_or(u64::MAX, |lag| {
                u64::try_from(lag.as_micros()).unwrap_or(u64::MAX)
            }),
            SelectionCriteria::AdaptiveRouting => {
                let seen = view
                    .response()
                    .map(|response| (response.average_us, now.since(response.newest)));
                adaptive(seen, self.best_us, view.operations())
            }
        }
    }
}

/// The connections that are not the session's own: it would leave a server for having gone there.
fn others(view: &TargetView<'_>, connections: u64) -> u64 {
    connections.saturating_sub(u64::from(view.link() >= Link::Opening))
}

/// What makes a server with the measure `best` better than one with `own`, in words.
pub(crate) fn better(criterion: SelectionCriteria, best: u64, own: u64) -> String {
    match criterion {
        SelectionCriteria::LeastCurrentOperations => {
            format!("has fewer statements in progress ({best} against {own})")
        }
        SelectionCriteria::LeastGlobalConnections => {
            format!("has fewer connections ({best} against {own})")
        }
        SelectionCriteria::LeastRouterConnections => {
            format!("has fewer connections of this service ({best} against {own})")
        }
        SelectionCriteria::LeastBehindMaster => {
            "is less far behind the primary, or it is known how far".to_owned()
        }
        SelectionCriteria::AdaptiveRouting => format!(
            "is expected to answer sooner ({} µs against {} µs, by its response times and statements in progress)",
            best / 1000,
            own / 1000
        ),
    }
}

/// The weight of a server in adaptive routing, in nanoseconds: its average response time times the
/// statements it would then have in progress. An average without new samples drifts towards the best
/// one, so that a server that was slow is tried again; one that was never tried is tried first, but by
/// one statement at a time.
pub(crate) fn adaptive(seen: Option<(f64, Duration)>, best_us: f64, operations: u64) -> u64 {
    let average_us = match seen {
        None if operations == 0 => return 0,
        None => best_us,
        Some((average_us, age)) => {
            let kept = (-age.as_secs_f64() / FORGETS.as_secs_f64()).exp();
            best_us + (average_us - best_us) * kept
        }
    };
    let weight = average_us * 1000.0 * (operations as f64 + 1.0);
    weight as u64
}
