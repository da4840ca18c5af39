//! From a class to a target: which server that is now, and what happens if there is none.

use std::time::Duration;

use tidegate_session::request::Request;
use tidegate_session::router::{Decision, Loss, Refusal, TargetSet};
use tidegate_session::world::ServerStatus;
use tidegate_session::{ErrReply, Instant, Link, Scene, SessionFault, TargetId};
use tidegate_sql::TrxTracker;
use tidegate_sql::hints::{Hint, Route};
use tidegate_wire::Command;

use super::choose;
use super::params::MasterFailureMode;
use super::route;
use super::session::Split;
use crate::tied::Place;

/// How long a statement that found no server waits before it looks again, unless a monitor sees a
/// change before.
const NEXT_LOOK: Duration = Duration::from_secs(1);

impl Split {
    /// The primary: the session's own as long as it is connected and still is one; else, if another
    /// may take its place, the best one there is.
    #[inline]
    pub(super) fn find_primary(&self, scene: &Scene<'_>) -> Option<TargetId> {
        self.find_primary_for(scene, scene.trx())
    }

    /// The same for a command before which the transaction was `before`.
    pub(super) fn find_primary_for(
        &self,
        scene: &Scene<'_>,
        before: &TrxTracker,
    ) -> Option<TargetId> {
        match self.primary {
            Some(current) if choose::is_valid_primary(scene, current) => Some(current),
            Some(_) if self.bound && !self.may_replace_primary_for(scene, before) => None,
            _ => choose::best_primary(scene, self.barred(scene)),
        }
    }

    /// May another connection take the place of the primary's?
    pub(super) fn may_replace_primary(&self, scene: &Scene<'_>) -> bool {
        self.may_replace_primary_for(scene, scene.trx())
    }

    fn may_replace_primary_for(&self, scene: &Scene<'_>, before: &TrxTracker) -> bool {
        let pinned = self.tied.held.is_strict() || scene.serializable() || before.is_next_pending();
        // What keeps a session on its connection cannot keep it on one that is lost: the isolation level
        // and SET TRANSACTION are said again to another, and what a strict mode is for has happened.
        let kept = pinned
            && self.primary.is_some_and(|primary| {
                let view = scene.target(primary);
                view.is_some_and(|view| view.link() == Link::Open)
            });
        self.settings.reconnects && !kept && !self.is_irreplaceable()
    }

    /// Is there something on the primary's connection that would be lost with it?
    pub(super) fn is_irreplaceable(&self) -> bool {
        let tables = self.settings.strict_tables && !self.tied.temporary.is_empty();
        tables || self.tied.held.is_irreplaceable()
    }

    /// Targets that must not be chosen, now that others will do.
    fn avoided(&self, scene: &Scene<'_>) -> TargetSet {
        self.barred(scene).union(self.unreachable.lately(scene))
    }

    /// Targets that must not be chosen, even if no other will do.
    fn barred(&self, scene: &Scene<'_>) -> TargetSet {
        self.left_open
            .union(self.unreachable.by_this_command(scene))
    }

    /// Must a read go to the primary, because only that has what it must see?
    #[inline]
    pub(super) fn keeps_on_primary(&self, request: &Request<'_>, scene: &Scene<'_>) -> bool {
        let causal = self.settings.causal;
        causal.is_on()
            && self
                .causal
                .keeps_on_primary(causal, request, self.find_primary(scene), scene)
    }

    /// The server for a read.
    #[inline]
    pub(super) fn find_replica(
        &self,
        scene: &Scene<'_>,
        primary: Option<TargetId>,
    ) -> Option<TargetId> {
        let behind = self.causal.barred(self.settings.causal, scene);
        let choose = |barred: TargetSet| {
            choose::replica(scene, &self.settings.limits, primary, barred.union(behind))
        };
        let avoided = self.avoided(scene);
        choose(avoided).or_else(|| match self.barred(scene) {
            barred if barred == avoided => None,
            barred => choose(barred),
        })
    }

    /// May a statement that waits since then wait on?
    fn has_patience(&self, since: Instant, scene: &Scene<'_>) -> bool {
        self.settings
            .patience
            .is_some_and(|patience| scene.now.since(since) < patience)
    }

    pub(super) fn to_primary(&self, scene: &Scene<'_>, in_order: bool) -> Decision {
        let Some(primary) = self.find_primary(scene) else {
            return self.without(scene, &self.why_no_primary(scene));
        };
        if scene.outstanding() > 0
            && !(in_order && self.follows_primary && scene.outstanding_on() == Some(primary))
        {
            return Decision::Wait;
        }
        Decision::One {
            target: primary,
            retry: false,
            on_primary: false,
        }
    }

    /// The primary because nobody else is sure to have what the command must see: of a service, one of
    /// its primaries, whatever it would choose.
    pub(super) fn to_primary_itself(&self, scene: &Scene<'_>, in_order: bool) -> Decision {
        match self.to_primary(scene, in_order) {
            Decision::One { target, retry, .. } => Decision::One {
                target,
                retry,
                on_primary: true,
            },
            other => other,
        }
    }

    pub(super) fn to_replica(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        if scene.outstanding() > 0 {
            return Decision::Wait;
        }
        if self.keeps_on_primary(request, scene) {
            return self.to_primary_itself(scene, true);
        }
        let primary = self.find_primary(scene);
        match self.find_replica(scene, primary) {
            Some(target) => Decision::One {
                target,
                retry: route::is_repeatable_read(request),
                on_primary: false,
            },
            None => self.without(scene, "no usable server was found"),
        }
    }

    pub(super) fn to_transaction(&self, scene: &Scene<'_>) -> Decision {
        if self.ends && scene.outstanding() > 0 {
            return Decision::Wait;
        }
        let Some(target) = self.transaction else {
            return self.to_primary(scene, true);
        };
        let Some(view) = scene.target(target) else {
            return self.to_primary(scene, true);
        };
        let roles = if self.on_primary {
            ServerStatus::MASTER
        } else {
            ServerStatus::MASTER
                .with(ServerStatus::SLAVE)
                .with(ServerStatus::RELAY)
        };
        if view.link() != Link::Open || !view.status().any(roles) {
            let reason = if view.link() != Link::Open {
                "is lost"
            } else if self.on_primary {
                "is no longer the primary"
            } else {
                "is no longer a replica"
            };
            let fault = SessionFault::NoServer(format!(
                "the open transaction ran on server '{}', which {reason}",
                view.name(),
            ));
            return if self.may_repeat() {
                Decision::Replay(fault)
            } else {
                Decision::End(fault)
            };
        }
        if scene.outstanding() > 0 && scene.outstanding_on() != Some(target) {
            return Decision::Wait;
        }
        Decision::One {
            target,
            retry: false,
            on_primary: false,
        }
    }

    /// Everybody who is connected. The answer comes from where the transaction runs, else from the
    /// primary, which is waited for if it is just being connected: a server that answers differently
    /// is left out, and that must not be the primary. Else from the first. Only where nobody is connected one connection is opened for it,
    /// and the primary's if a transaction is open that will write. Where none may be opened, one
    /// that is being opened answers: it may have been told the history without this command.
    pub(super) fn to_all(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        if scene.outstanding() > 0 {
            return Decision::Wait;
        }
        let link = |id: TargetId| scene.target(id).map(|view| view.link());
        let is_open = |id: &TargetId| link(*id) == Some(Link::Open);
        let to: TargetSet = scene
            .targets()
            .filter(|id| matches!(link(*id), Some(Link::Open | Link::Opening)))
            .collect();
        let primary = self.find_primary(scene);
        let will_write = request.trx.is_open() && !request.trx.is_read_only();
        let links = || scene.targets().filter_map(|id| Some((id, link(id)?)));
        let place = request
            .statement
            .map(|statement| self.tied.variables.place(statement));
        let owner = match place {
            Some(Place::On(owner)) => Some(owner),
            _ => None,
        };
        let answer = self
            .transaction
            .or(owner)
            .filter(is_open)
            .or(primary.filter(|id| will_write || link(*id) >= Some(Link::Opening)))
            .or_else(|| first_of(links, || self.first_connection(scene, primary)));
        match answer {
            Some(answer) => Decision::All {
                to: to.with(answer),
                answer,
            },
            None => self.without(scene, "no usable server was found"),
        }
    }

    /// The connection that is opened for a session command when there is none.
    fn first_connection(&self, scene: &Scene<'_>, primary: Option<TargetId>) -> Option<TargetId> {
        let replica = || self.find_replica(scene, primary);
        if self.settings.limits.master_accept_reads {
            primary.or_else(replica)
        } else {
            replica().or(primary)
        }
    }

    /// The connection that has the variables; the values are nowhere else.
    pub(super) fn to_owner(&self, owner: TargetId, scene: &Scene<'_>) -> Decision {
        if scene.outstanding() > 0 {
            return Decision::Wait;
        }
        Decision::One {
            target: owner,
            retry: false,
            on_primary: false,
        }
    }

    pub(super) fn to_last(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        if scene.outstanding() > 0 {
            return Decision::Wait;
        }
        let is_open = |id: &TargetId| {
            scene
                .target(*id)
                .is_some_and(|view| view.link() == Link::Open)
        };
        // The core knows where the cursor is; any answer will do.
        let fetches = request.command == Command::StmtFetch;
        let any = || scene.targets().find(is_open).filter(|_| fetches);
        match self.last.filter(is_open).or_else(any) {
            Some(target) => Decision::One {
                target,
                retry: false,
                on_primary: false,
            },
            None => self.to_primary(scene, false),
        }
    }

    /// The newest hint that can be followed. `None`: there is none, and the statement goes where it
    /// would without.
    pub(super) fn to_hinted(&self, request: &Request<'_>, scene: &Scene<'_>) -> Option<Decision> {
        let keeps = self.keeps_on_primary(request, scene);
        request.hints.iter().rev().find_map(|hint| match hint {
            Hint::Route(Route::Last | Route::Server(_)) if keeps => {
                Some(self.to_primary_itself(scene, true))
            }
            Hint::Route(Route::Master) => Some(self.to_primary(scene, true)),
            Hint::Route(Route::Slave) => Some(self.to_replica(request, scene)),
            Hint::Route(Route::Last) => Some(self.to_last(request, scene)),
            Hint::Route(Route::All) => Some(self.to_all(request, scene)),
            Hint::Route(Route::Server(name)) => match scene.target_named(name) {
                Some(_) if scene.outstanding() > 0 => Some(Decision::Wait),
                Some(target) if self.is_usable(scene, target) => Some(Decision::One {
                    target,
                    retry: false,
                    on_primary: false,
                }),
                _ => None,
            },
            Hint::Parameter { .. } => None,
        })
    }

    fn is_usable(&self, scene: &Scene<'_>, id: TargetId) -> bool {
        !self.unreachable.by_this_command(scene).contains(id)
            && scene.target(id).is_some_and(|view| match view.link() {
                Link::Open | Link::Opening => view.status().usable(),
                Link::Closed => view.status().connectable() && scene.recoverable(),
                Link::Failed => false,
            })
    }

    /// There is no server for a statement. It waits for one, or is refused, or ends the session.
    fn without(&self, scene: &Scene<'_>, why: &str) -> Decision {
        if scene.outstanding() > 0 || self.is_parting(scene) {
            return Decision::Wait;
        }
        let since = scene.put_off_since().unwrap_or(scene.now);
        if !self.is_in_transaction(scene) && self.has_patience(since, scene) {
            return Decision::Later(scene.now.after(NEXT_LOOK));
        }
        let waited = match (scene.put_off_since(), self.settings.patience) {
            (Some(_), Some(patience)) => {
                format!(
                    "delayed_retry_timeout ({} s) exceeded: ",
                    patience.as_secs()
                )
            }
            _ => String::new(),
        };
        let why = format!("{waited}{why}: {}", crate::states(scene));
        if self.settings.failure_mode == MasterFailureMode::ErrorOnWrite {
            Decision::Reject(read_only(&why))
        } else {
            Decision::End(SessionFault::NoServer(why))
        }
    }

    /// Is the error of a server that shuts down, or takes no part in its cluster, kept from the client?
    /// Only if the statement can be done elsewhere, or later.
    pub(super) fn is_taken_for_loss(&self, refusal: &Refusal<'_>, scene: &Scene<'_>) -> bool {
        if refusal.code != 1047 {
            return true;
        }
        let is_galera = refusal.text.windows(5).any(|word| word == b"WSREP");
        if !is_galera || self.is_in_transaction(scene) || !refusal.kept {
            return false;
        }
        let is_primary = Some(refusal.target) == self.primary;
        let waits = self.has_patience(refusal.since, scene);
        if refusal.reads && self.settings.retries_reads {
            let others = self.avoided(scene).with(refusal.target);
            let primary = self.find_primary(scene).filter(|_| !is_primary);
            let limits = &self.settings.limits;
            waits || choose::replica(scene, limits, primary, others).is_some()
        } else {
            waits && is_primary && self.may_replace_primary(scene) && scene.recoverable()
        }
    }

    /// When a statement that was refused is looked at again: at once if another server will do.
    pub(super) fn next_look(&self, loss: &Loss, scene: &Scene<'_>) -> Instant {
        let others = self.avoided(scene).with(loss.target);
        let elsewhere = self
            .find_primary(scene)
            .filter(|primary| !others.contains(*primary));
        let is_primary = Some(loss.target) == self.primary;
        let limits = &self.settings.limits;
        let replica = choose::replica(scene, limits, elsewhere, others);
        if !is_primary && replica.is_some() {
            scene.now
        } else {
            scene.now.after(NEXT_LOOK)
        }
    }

    /// Is a connection about to be let go, to a server that might then be connected anew?
    fn is_parting(&self, scene: &Scene<'_>) -> bool {
        let hidden = self.transaction.is_none() && self.is_in_transaction(scene);
        !hidden
            && self.left_open.iter().any(|id| {
                Some(id) != self.transaction
                    && scene
                        .target(id)
                        .is_some_and(|view| view.link() >= Link::Opening && !view.is_service())
            })
    }

    /// Is a transaction open? With autocommit off one is only if a statement has begun it.
    pub(super) fn is_in_transaction(&self, scene: &Scene<'_>) -> bool {
        self.transaction.is_some() || scene.trx().is_open() && scene.trx().autocommit()
    }

    /// Why no primary can be used, in the words of the log.
    fn why_no_primary(&self, scene: &Scene<'_>) -> String {
        let name = |id: TargetId| scene.target(id).map_or("?", |view| view.name());
        let primaries: Vec<TargetId> = scene
            .targets()
            .filter(|id| {
                scene.target(*id).is_some_and(|view| {
                    view.status().usable() && view.status().has(ServerStatus::MASTER)
                })
            })
            .collect();
        let forbidden = || {
            if !self.settings.reconnects {
                "master_reconnection is off"
            } else if !scene.recoverable() {
                "the session's state cannot be rebuilt"
            } else if self.is_irreplaceable() {
                "it held state that no other connection has"
            } else {
                "the session is bound to it"
            }
        };
        let replaceable = self.may_replace_primary(scene) && scene.recoverable();
        match (self.primary, primaries.as_slice()) {
            (None, []) => "the session was started without a primary, and there is none".to_owned(),
            (Some(_), []) => "no primary was found".to_owned(),
            (Some(old), [new, ..]) if *new != old && !replaceable => format!(
                "the primary changed from '{}' to '{}', and {}",
                name(old),
                name(*new),
                forbidden()
            ),
            (Some(old), _) if !replaceable => format!(
                "the connection to the primary '{}' is not available, and {}",
                name(old),
                forbidden()
            ),
            _ => "only primaries that cannot be connected are left".to_owned(),
        }
    }
}

/// What a client reads instead of the end of its session: applications know the number from servers
/// that are read-only.
pub(super) fn read_only(why: &str) -> ErrReply {
    ErrReply::new(
        1290,
        b"HY000",
        format!("The session is in --read-only mode so it cannot execute this statement: {why}"),
    )
}

/// Whose answer to a session command counts where nobody's is preferred: the first that is open, else
/// `new`, for which a connection may be opened, else the first that is being opened.
pub(super) fn first_of<L: Iterator<Item = (TargetId, Link)>>(
    links: impl Fn() -> L,
    new: impl FnOnce() -> Option<TargetId>,
) -> Option<TargetId> {
    let first = |wanted| links().find(|(_, link)| *link == wanted);
    first(Link::Open)
        .map(|(id, _)| id)
        .or_else(new)
        .or_else(|| first(Link::Opening).map(|(id, _)| id))
}
