//! `readconnroute`: one target for a session, chosen when it starts; everything goes there.
//!
//! Leaves out on purpose: statements are not looked at, hints mean nothing, nothing is repeated on
//! another server. Writes sent to a replica are the application's affair. Only a session that lends
//! its connection (`idle_session_pool_time`) has its statements followed, for another connection to
//! the same server has to be told what they set.
//!
//! Invariant: after the first byte of a session reached its target, no other target gets any.

mod choice;
mod params;

use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::Request;
use tidegate_session::router::{
    AfterLoss, Course, Decision, Ended, Loss, Needs, Reasoning, Router, RouterSession, TargetSet,
    Tie,
};
use tidegate_session::world::ServerStatus;
use tidegate_session::{Counted, Scene, SessionFault, TargetId};

use crate::tied::{Strict, Tied, is_told_again};
use choice::{Roles, Wish};
pub use params::{MODULE, ReadConnRouteParams, Role};

/// A service's `readconnroute`.
#[derive(Debug)]
pub struct ReadConnRoute {
    wish: Wish,
}

impl ReadConnRoute {
    /// With these parameters.
    #[must_use]
    pub fn new(params: &ReadConnRouteParams) -> ReadConnRoute {
        let has = |role| params.router_options.contains(role);
        let roles = Roles {
            master: has(Role::Master),
            slave: has(Role::Slave),
            synced: has(Role::Synced),
            running: has(Role::Running),
        };
        ReadConnRoute {
            wish: Wish {
                roles,
                master_accept_reads: params.master_accept_reads,
                max_replication_lag: params.max_replication_lag,
            },
        }
    }
}

impl Router for ReadConnRoute {
    fn name(&self) -> &'static str {
        "readconnroute"
    }

    fn needs(&self, lends: bool) -> Needs {
        Needs {
            statements: lends,
            history: lends,
            keeps: false,
            replay: None,
            reuses: false,
            positions: false,
            sync: None,
            monitored: false,
        }
    }

    fn start(
        &self,
        scene: &Scene<'_>,
    ) -> Result<(Box<dyn RouterSession>, TargetSet), SessionFault> {
        let target = self
            .wish
            .choose(scene, TargetSet::EMPTY)
            .ok_or_else(|| nothing_fits(scene))?;
        let session = Connection {
            wish: self.wish,
            target,
            refused: TargetSet::EMPTY,
            used: false,
            tied: scene.lends().then(Box::default),
        };
        Ok((Box::new(session), TargetSet::one(target)))
    }

    fn thaw(&self, from: &mut Decoder<'_>) -> Result<Box<dyn RouterSession>, FreezeError> {
        let target = TargetId(from.u16()?);
        let used = from.flag()?;
        let tied = from.option(Tied::thaw)?;
        Ok(Box::new(Connection {
            wish: self.wish,
            target,
            refused: TargetSet::EMPTY,
            used,
            tied: tied.map(Box::new),
        }))
    }
}

/// The choice of one session.
#[derive(Debug)]
struct Connection {
    wish: Wish,
    target: TargetId,
    /// Targets that could not be connected.
    refused: TargetSet,
    /// A command has been sent: the choice is final.
    used: bool,
    /// What a session that lends its connection has made of it; `None`: it does not lend.
    tied: Option<Box<Tied>>,
}

impl RouterSession for Connection {
    fn route(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        let lost_its_role = self.used
            && self.wish.only_primary()
            && scene
                .target(self.target)
                .is_some_and(|view| !view.status().has(ServerStatus::MASTER));
        if lost_its_role {
            let name = scene
                .target(self.target)
                .map_or("?", |view| view.name())
                .to_owned();
            return Decision::End(SessionFault::NoServer(format!(
                "server '{name}' is no longer the primary"
            )));
        }
        if let Some(tied) = &self.tied {
            // Which of several unanswered statements ended a transaction, nobody could tell.
            let in_doubt = request.trx.is_open() || request.trx.was_open();
            if in_doubt && scene.outstanding() > 0 {
                return Decision::Wait;
            }
            if is_told_again(request, tied, scene.database()) {
                return Decision::All {
                    to: TargetSet::one(self.target),
                    answer: self.target,
                };
            }
        }
        Decision::One {
            target: self.target,
            retry: false,
            on_primary: false,
        }
    }

    fn reasoning(&self, _request: &Request<'_>, scene: &Scene<'_>) -> Reasoning {
        Reasoning {
            rule: "connection",
            sentence: "Statements are not looked at: everything goes to the server that the session got when it began.",
            verdicts: scene
                .targets()
                .map(|id| (id, self.wish.verdict(scene, id, self.target)))
                .collect(),
            effects: Vec::new(),
        }
    }

    fn on_routed(&mut self, request: &Request<'_>, course: Course, scene: &Scene<'_>) {
        self.used = true;
        if let Some(tied) = &mut self.tied {
            tied.follow(request, course, scene.database(), Strict::default());
        }
        scene.count(self.target, Counted::Other);
    }

    fn on_reply(&mut self, _target: TargetId, ended: Ended, _scene: &Scene<'_>) {
        if let Some(tied) = &mut self.tied {
            tied.settle(ended.failed);
        }
    }

    fn on_lost(&mut self, loss: &Loss, scene: &Scene<'_>) -> AfterLoss {
        if loss.was_open || self.used {
            return AfterLoss::End(loss.fault.clone());
        }
        self.refused = self.refused.with(loss.target);
        // A refused login is the same everywhere: its own error says more than "no server".
        let login = matches!(loss.fault, SessionFault::ServerLogin { .. });
        match self.wish.choose(scene, self.refused) {
            Some(next) if !login => {
                self.target = next;
                AfterLoss::Connect(TargetSet::one(next))
            }
            _ => AfterLoss::End(loss.fault.clone()),
        }
    }

    fn tie(&self, scene: &Scene<'_>) -> Option<Tie> {
        let in_transaction = || scene.trx().is_open().then_some(Tie::Transaction);
        match &self.tied {
            Some(tied) => tied.tie().or_else(in_transaction),
            None => Some(Tie::State(
                "everything that it was sent is known to its one connection only",
            )),
        }
    }

    fn reset(&mut self) {
        if let Some(tied) = &mut self.tied {
            **tied = Tied::default();
        }
    }

    fn spare(&self, scene: &Scene<'_>) -> TargetSet {
        let maintained = scene
            .target(self.target)
            .is_some_and(|view| view.status().has(ServerStatus::MAINTENANCE));
        if maintained && !scene.trx().is_open() {
            TargetSet::one(self.target)
        } else {
            TargetSet::EMPTY
        }
    }

    fn freeze(&self, into: &mut Encoder) {
        into.u16(self.target.0);
        into.flag(self.used);
        into.option(self.tied.as_deref(), |into, tied| tied.freeze(into));
    }
}

fn nothing_fits(scene: &Scene<'_>) -> SessionFault {
    SessionFault::NoServer(format!(
        "no server has a role that router_options asks for: {}",
        crate::states(scene)
    ))
}
