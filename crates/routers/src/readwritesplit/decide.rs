//! From a statement to a decision: its class, the target of that class, and whether the user variables
//! that it reads are there.

use tidegate_session::request::Request;
use tidegate_session::router::Decision;
use tidegate_session::{ErrReply, Scene, TargetId};

use super::choose;
use super::route::{self, Class};
use super::session::Split;
use crate::tied::Place;

/// Something about user variables that no server says: MariaDB's number for such cases.
const VARIABLE: u16 = 1105;

impl Split {
    /// Where it goes.
    pub(super) fn decide(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        let Some(target) = self.as_before(request, scene) else {
            return self.decide_anew(request, scene);
        };
        let before = Decision::One {
            target,
            retry: true,
            on_primary: false,
        };
        // Other workers count at the same time: what held a moment ago need not hold now.
        debug_assert!(
            self.decide_anew(request, scene) == before || self.as_before(request, scene).is_none(),
            "another server is better than {target:?}"
        );
        before
    }

    /// Where most statements go: a read where the one before it went, past everything that could send
    /// it elsewhere and is not there.
    fn as_before(&self, request: &Request<'_>, scene: &Scene<'_>) -> Option<TargetId> {
        let (reader, primary) = (self.reader?, self.primary?);
        let bare = self.tied.variables.is_empty()
            && self.left_open.is_empty()
            && self.unreachable.is_none()
            && !self.settings.causal.is_on();
        let stays = bare
            && scene.outstanding() == 0
            && route::is_plain_read(request, self.state(scene))
            && choose::stays(scene, &self.settings.limits, primary, reader);
        stays.then_some(reader)
    }

    fn decide_anew(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        let resolved = self.tied.named.resolve(request);
        let decision = if self.causal.is_behind(scene) {
            self.to_primary_itself(scene, false)
        } else {
            self.choose(resolved.as_ref().unwrap_or(request), scene)
        };
        if self.tied.variables.is_empty() {
            return decision;
        }
        self.with_its_variables(request, decision, scene)
    }

    fn choose(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        match route::class(request, self.state(scene)) {
            Class::Hinted => self.to_hinted(request, scene).unwrap_or_else(|| {
                let plain = Request {
                    hints: &[],
                    ..*request
                };
                self.choose(&plain, scene)
            }),
            Class::Primary => self
                .to_hopeful(request, scene)
                .unwrap_or_else(|| self.to_primary(scene, true)),
            Class::Replica => self.to_replica(request, scene),
            Class::All => self.to_all(request, scene),
            Class::Last => self.to_last(request, scene),
            Class::Transaction => self
                .dashes_hope(request)
                .unwrap_or_else(|| self.to_transaction(scene)),
            Class::Owner(target) => self.to_owner(target, scene),
            Class::Lost => Decision::Reject(lost_variable()),
        }
    }

    /// A statement must not run where a variable that it reads has another value.
    fn with_its_variables(
        &self,
        request: &Request<'_>,
        decision: Decision,
        scene: &Scene<'_>,
    ) -> Decision {
        let (Decision::One { target, .. } | Decision::All { answer: target, .. }, Some(statement)) =
            (&decision, request.statement)
        else {
            return decision;
        };
        match self.tied.variables.place(statement) {
            Place::On(owner) if owner != *target && request.executes() => {
                let name = scene.target(owner).map_or("?", |view| view.name());
                Decision::Reject(ErrReply::new(
                    VARIABLE,
                    b"HY000",
                    format!(
                        "A user variable that the statement reads was assigned on server '{name}', where the statement cannot run; assign it again with SET"
                    ),
                ))
            }
            _ => decision,
        }
    }
}

/// The value of a variable is gone, and no other must stand for it.
fn lost_variable() -> ErrReply {
    ErrReply::new(
        VARIABLE,
        b"HY000",
        "The value of a user variable that the statement reads was lost with its server; assign it again with SET",
    )
}
