//! Which target a new session gets: a pure function of the servers' states.

use std::time::Duration;

use tidegate_session::router::TargetSet;
use tidegate_session::world::{Rank, ServerStatus};
use tidegate_session::{Link, Scene, TargetId, TargetView};

/// The roles of `router_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) master: bool,
    pub(crate) slave: bool,
    pub(crate) synced: bool,
    pub(crate) running: bool,
}

/// What a session asks of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) roles: Roles,
    pub(crate) master_accept_reads: bool,
    /// Zero: no limit.
    pub(crate) max_replication_lag: Duration,
}

impl Wish {
    /// The target with the fewest connections of the best rank that fits; of equals the first.
    pub(crate) fn choose(&self, scene: &Scene<'_>, refused: TargetSet) -> Option<TargetId> {
        let usable = |id: &TargetId| {
            !refused.contains(*id)
                && scene
                    .target(*id)
                    .is_some_and(|view| self.obstacle(&view).is_none())
        };
        let fits: Vec<TargetId> = scene
            .targets()
            .filter(usable)
            .filter(|id| self.role_fits(scene, *id))
            .collect();
        if let Some(best) = lightest(scene, &fits) {
            return Some(best);
        }
        // `slave` without `master`: the primary stands in when no replica is left.
        let stand_in = self.roles.slave && !self.roles.master && self.master_accept_reads;
        let primaries: Vec<TargetId> = scene
            .targets()
            .filter(usable)
            .filter(|id| {
                stand_in
                    && scene
                        .target(*id)
                        .is_some_and(|view| view.status().has(ServerStatus::MASTER))
            })
            .collect();
        lightest(scene, &primaries)
    }

    /// Why a session cannot have that target, as the end of a sentence; `None`: it can.
    fn obstacle(&self, view: &TargetView<'_>) -> Option<&'static str> {
        if !view.status().usable() {
            Some("is down")
        } else if !view.status().connectable() {
            Some("takes no new connections")
        } else if view.link() == Link::Failed {
            Some("refused this session")
        } else if !self.lag_fits(view) {
            Some("is too far behind, or nobody knows how far (max_replication_lag)")
        } else {
            None
        }
    }

    /// What a new session would make of a target; `chosen` is the one it gets.
    pub(crate) fn verdict(&self, scene: &Scene<'_>, id: TargetId, chosen: TargetId) -> String {
        let Some(view) = scene.target(id) else {
            return String::new();
        };
        let connections = view.service_connections();
        if id == chosen {
            let stands_in = !self.role_fits(scene, id);
            return if stands_in {
                "chosen: the primary stands in, no replica fits".to_owned()
            } else {
                format!(
                    "chosen: of those that fit none has fewer connections of this service ({connections})"
                )
            };
        }
        match self.obstacle(&view) {
            Some(obstacle) => format!("not eligible: it {obstacle}"),
            None if !self.role_fits(scene, id) => {
                "not eligible: it has no role that router_options asks for".to_owned()
            }
            None => format!(
                "eligible, but another is better by rank or connections ({connections} here)"
            ),
        }
    }

    fn role_fits(&self, scene: &Scene<'_>, id: TargetId) -> bool {
        let Some(view) = scene.target(id) else {
            return false;
        };
        let has = |bit| view.status().has(bit);
        if has(ServerStatus::MASTER) && !self.master_accept_reads && !self.roles.master {
            return false;
        }
        (self.roles.master && has(ServerStatus::MASTER))
            || (self.roles.slave && has(ServerStatus::SLAVE))
            || (self.roles.synced && has(ServerStatus::JOINED))
            || self.roles.running
    }

    /// Lag must be known and below the limit; a primary has none.
    fn lag_fits(&self, view: &TargetView<'_>) -> bool {
        self.max_replication_lag.is_zero()
            || view.status().has(ServerStatus::MASTER)
            || view.lag().is_some_and(|lag| lag < self.max_replication_lag)
    }

    /// A session that asked for nothing but the primary must not go on with a server that is none.
    pub(crate) fn only_primary(&self) -> bool {
        self.roles
            == Roles {
                master: true,
                slave: false,
                synced: false,
                running: false,
            }
    }
}

fn lightest(scene: &Scene<'_>, among: &[TargetId]) -> Option<TargetId> {
    let key = |id: &TargetId| {
        scene
            .target(*id)
            .map_or((Rank::Secondary, u64::MAX), |view| {
                (view.rank(), view.service_connections())
            })
    };
    among.iter().copied().min_by_key(key)
}
