//! The state of readwritesplit for one client connection.

use tidegate_session::freeze::Encoder;
use tidegate_session::position::{Before, Behind, Told};
use tidegate_session::request::Request;
use tidegate_session::router::{
    AfterLoss, Course, Decision, Ended, Loss, Reasoning, Refusal, RouterSession, Seen, TargetSet,
    Tie,
};
use tidegate_session::world::ServerStatus;
use tidegate_session::{Counted, Link, Scene, TargetId};
use tidegate_sql::{Statement, TrxEffect, TrxTracker, TypeMask};
use tidegate_wire::Command;

use super::causal::Causal;
use super::choose;
use super::losses::{self, Outcome, Situation};
use super::route::{self, Class, Pin, State};
use super::rule::Rule;
use super::settings::Settings;
use super::targets;
use super::unreachable::Unreachable;
use crate::tied::Tied;

/// One client connection's state.
#[derive(Debug)]
pub(crate) struct Split {
    pub(super) settings: Settings,
    /// The newest primary, connected or lost. `None`: there has been none.
    pub(super) primary: Option<TargetId>,
    /// The session has said something there, and when the connection was lost, if it was, nothing
    /// could take its place: what keeps the session on its primary keeps it on that one.
    pub(super) bound: bool,
    /// Where the open transaction runs.
    pub(super) transaction: Option<TargetId>,
    /// It was begun there because that was the primary.
    pub(super) on_primary: bool,
    /// Connections that must not be read from any more: on them a read-only transaction is still open
    /// that the client has left, or another has taken their place as the primary.
    pub(super) left_open: TargetSet,
    pub(super) unreachable: Unreachable,
    /// The newest statement ends the transaction: with autocommit off the next is another's, which
    /// need not run where this one did.
    pub(super) ends: bool,
    /// Every statement of the open transaction was a read.
    pub(super) only_reads: bool,
    /// When the transaction began nothing was tied to its connection that another cannot be given.
    pub(super) repeatable: bool,
    /// It was begun on a replica in the hope that it only reads.
    pub(super) hopeful: bool,
    /// It is begun again: this time on the primary.
    pub(super) steady: bool,
    /// The newest statement went to all.
    pub(super) went_to_all: bool,
    /// The server of the statement before.
    pub(super) last: Option<TargetId>,
    /// Where the newest command went that went to one server, and not to the primary.
    pub(super) reader: Option<TargetId>,
    /// The statement before went to the primary as such, so that another may follow it unanswered.
    pub(super) follows_primary: bool,
    /// What the primary's connection has that exists nowhere else, and the like.
    pub(super) tied: Tied,
    pub(super) causal: Causal,
}

impl Split {
    pub(crate) fn new(settings: Settings, primary: Option<TargetId>) -> Split {
        Split {
            settings,
            primary,
            bound: false,
            transaction: None,
            on_primary: false,
            left_open: TargetSet::EMPTY,
            unreachable: Unreachable::default(),
            ends: false,
            only_reads: true,
            repeatable: false,
            hopeful: false,
            steady: false,
            went_to_all: false,
            last: None,
            reader: None,
            follows_primary: false,
            tied: Tied::default(),
            causal: Causal::default(),
        }
    }

    pub(super) fn state<'a>(&'a self, scene: &Scene<'a>) -> State<'a> {
        State {
            temporary: &self.tied.temporary,
            database: scene.database(),
            pinned: self.pin(scene),
            variables: &self.tied.variables,
            variables_on_primary: self.settings.variables_on_primary,
        }
    }

    /// What keeps the session on the primary.
    pub(super) fn pin(&self, scene: &Scene<'_>) -> Option<Pin> {
        if let Some(kept) = self.tied.held.keeps() {
            Some(kept.into())
        } else if scene.serializable() {
            Some(Pin::Isolation)
        } else if scene.trx().is_next_pending() {
            Some(Pin::NextTransaction)
        } else {
            None
        }
    }

    /// Why a command went to the primary.
    fn reason(&self, request: &Request<'_>, scene: &Scene<'_>) -> Rule {
        if self.causal.is_behind(scene) {
            return Rule::CausalWait;
        }
        let resolved = self.tied.named.resolve(request);
        let request = resolved.as_ref().unwrap_or(request);
        match route::decide(request, self.state(scene)) {
            (Class::Replica, _) if self.keeps_on_primary(request, scene) => Rule::CausalRead,
            (Class::Replica, _) => Rule::NoReplica,
            (_, rule) => rule,
        }
    }

    /// Takes another primary, if the session's own is none any more and another may take its place:
    /// what the command itself does to the next transaction binds nobody to the old one.
    fn renew_primary(&mut self, before: &TrxTracker, scene: &Scene<'_>) {
        let own = self.primary;
        if own.is_some_and(|own| choose::is_valid_primary(scene, own)) {
            return;
        }
        let found = self.find_primary_for(scene, before).filter(|id| {
            // One that is not connected yet binds nobody.
            scene
                .target(*id)
                .is_some_and(|view| view.link() >= Link::Opening)
        });
        if found.is_none() || found == self.primary {
            return;
        }
        self.bound = false;
        if let Some(old) = std::mem::replace(&mut self.primary, found) {
            self.forget_tied(old);
            self.reader = None;
            let leave = scene
                .target(old)
                .is_some_and(|view| view.link() >= Link::Opening && !view.is_service());
            if leave {
                self.left_open = self.left_open.with(old);
            }
            // The replicas of the old one's rank go with it.
            scene.want_spare();
        }
    }

    /// Does the session's primary get it?
    fn goes_to_primary(&self, course: Course, scene: &Scene<'_>) -> bool {
        self.primary.is_some_and(|primary| match course {
            Course::One(target) => target == primary,
            Course::All { to, .. } => {
                let view = scene.target(primary);
                to.contains(primary) && view.is_some_and(|view| view.link() == Link::Open)
            }
        })
    }

    /// A command goes to `target` while a transaction is open: it may be the first in it. `bare`: when
    /// it came nothing was tied to the primary's connection.
    fn enter_transaction(
        &mut self,
        request: &Request<'_>,
        target: TargetId,
        bare: bool,
        scene: &Scene<'_>,
    ) {
        let begins = request
            .statement
            .is_some_and(|statement| statement.mask.contains(TypeMask::BEGIN_TRX));
        // A cursor stays where it was opened and long data where their first part went, which need not
        // be where the transaction runs.
        let bound = matches!(
            request.command,
            Command::StmtFetch | Command::StmtSendLongData
        );
        if bound || (self.transaction.is_some() && !begins) {
            return;
        }
        let left = self.transaction.replace(target);
        if let Some(left) = left.filter(|left| *left != target) {
            self.left_open = self.left_open.with(left);
            scene.want_spare();
        }
        self.on_primary = Some(target) == self.primary;
        self.only_reads = true;
        self.repeatable = bare;
        let may_write = begins && !self.on_primary && !scene.trx().is_read_only();
        self.hopeful = self.settings.optimistic && may_write;
    }

    /// What was tied to the primary's connection is gone with it.
    fn forget_tied(&mut self, old: TargetId) {
        self.tied.lose(old);
        if self.last == Some(old) {
            self.last = None;
        }
    }

    /// Would the open transaction do the same on another connection, and may it run on one?
    pub(super) fn may_repeat(&self) -> bool {
        let bare = match self.transaction {
            Some(_) => self.repeatable,
            None => self.tied.is_bare(),
        };
        bare && (!self.on_primary || self.settings.reconnects)
    }

    fn counted(request: &Request<'_>, course: Course) -> Counted {
        match course {
            Course::All { .. } => Counted::Read,
            _ if route::is_repeatable_read(request) => Counted::Read,
            _ => Counted::Write,
        }
    }
}

impl RouterSession for Split {
    fn route(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        self.decide(request, scene)
    }

    fn reasoning(&self, request: &Request<'_>, scene: &Scene<'_>) -> Reasoning {
        self.explain(request, scene)
    }
    fn before(&self, request: &Request<'_>, target: TargetId, scene: &Scene<'_>) -> Before {
        let primary = self.find_primary(scene);
        let resolved = self.tied.named.resolve(request);
        let request = resolved.as_ref().unwrap_or(request);
        self.causal
            .before(self.settings.causal, request, target, primary, scene)
    }

    fn on_position(&mut self, target: TargetId, told: Told<'_>, scene: &Scene<'_>) {
        let view = scene.target(target);
        let is_primary = Some(target) == self.primary
            || view.is_some_and(|view| view.status().has(ServerStatus::MASTER));
        if is_primary || matches!(told, Told::Is(_)) {
            self.causal
                .on_position(self.settings.causal, target, told, scene);
        }
    }

    fn on_behind(&mut self, target: TargetId, scene: &Scene<'_>) -> Behind {
        self.causal
            .on_behind(self.transaction == Some(target), scene)
    }

    fn on_routed(&mut self, request: &Request<'_>, course: Course, scene: &Scene<'_>) {
        self.renew_primary(request.trx, scene);
        if let Course::One(target) = course
            && Some(target) == self.primary
        {
            scene.count_primary_reason(self.reason(request, scene) as usize);
        }
        self.bound = self.bound || self.goes_to_primary(course, scene);
        let trx = scene.trx();
        let bare = trx.is_open() && self.tied.is_bare();
        self.tied
            .follow(request, course, scene.database(), self.settings.strict);
        self.went_to_all = matches!(course, Course::All { .. });
        let resolved = self.tied.named.resolve(request);
        let executed = resolved.as_ref().unwrap_or(request);
        let (writes, how) = (writes(executed), Split::counted(executed, course));
        // What a transaction has written counts when it ends, by whatever statement.
        let completes = self.transaction.is_some() && !self.only_reads;
        self.causal
            .on_routed(self.settings.causal, writes || completes, scene);
        let predicted = request.statement.filter(|_| request.executes());
        self.ends =
            predicted.is_some_and(|statement| trx.trx_ending() || ends_transaction(statement));
        match course {
            Course::One(target) => {
                let to_primary = Some(target) == self.primary;
                self.last = Some(target);
                if !to_primary {
                    self.reader = Some(target);
                }
                if trx.is_open() {
                    self.enter_transaction(request, target, bare, scene);
                }
                self.only_reads &= how == Counted::Read || !is_data_statement(request);
                self.follows_primary = to_primary && how == Counted::Write && !self.ends;
                if to_primary {
                    scene.counters().route_primary.add(1)
                } else {
                    scene.counters().route_replica.add(1)
                }
                scene.count(target, how);
            }
            Course::All { to, answer } => {
                self.last = Some(answer);
                self.reader = None;
                self.follows_primary = false;
                scene.counters().route_all.add(1);
                for target in to.iter() {
                    scene.count(target, how);
                }
            }
        }
    }

    fn on_reply(&mut self, target: TargetId, ended: Ended, scene: &Scene<'_>) {
        self.tied.settle(ended.failed);
        // With others on their way the transaction is already as the last of them leaves it.
        if scene.outstanding() > 0 {
            return;
        }
        self.causal.on_quiet();
        let trx = scene.trx();
        // The text may have hidden that it begins one.
        if ended.executes() && self.transaction.is_none() && trx.is_open() && trx.autocommit() {
            self.transaction = Some(target);
            self.on_primary = Some(target) == self.primary;
            self.only_reads = false;
            self.repeatable = false;
        }
        // With autocommit off one is always open, but it need not be the same.
        let another = self.ends && !ended.failed && !trx.autocommit();
        let over = !trx.is_open() || another;
        if self.transaction.is_some() && over {
            self.transaction = None;
            // What was kept for it alone is let go now, with autocommit off too.
            if !self.left_open.is_empty() {
                scene.want_spare();
            }
            self.hopeful = false;
            self.steady = false;
            let counters = scene.counters();
            if self.only_reads {
                counters.ro_transactions.add(1)
            } else {
                counters.rw_transactions.add(1)
            }
        }
    }

    fn on_lost(&mut self, loss: &Loss, scene: &Scene<'_>) -> AfterLoss {
        let is_primary = Some(loss.target) == self.primary;
        self.bound &= !is_primary || !self.may_replace_primary(scene);
        let concerned = self.transaction.is_none_or(|target| target == loss.target);
        if loss.can_replay && concerned && self.may_repeat() {
            return AfterLoss::Replay;
        }
        let links = || {
            scene
                .targets()
                .filter_map(|id| Some(scene.target(id)?.link()))
        };
        let situation = Situation {
            owed: loss.owed,
            started: loss.started,
            can_retry: loss.can_retry
                && (self.settings.retries_reads || loss.refused || self.went_to_all),
            is_session_command: self.went_to_all,
            in_transaction: Some(loss.target) == self.transaction,
            irreplaceable: self.is_irreplaceable(),
            others: links()
                .any(|link| link >= Link::Opening || link == Link::Closed && scene.recoverable()),
            all_failed: links().all(|link| link == Link::Failed),
        };
        let outcome = if is_primary {
            let reconnects = self.may_replace_primary(scene) && scene.recoverable();
            losses::of_primary(&situation, self.settings.failure_mode, reconnects)
        } else {
            losses::of_replica(&situation)
        };
        self.left_open = self.left_open.without(loss.target);
        self.tied.variables.lose(loss.target);
        if Some(loss.target) == self.last {
            self.last = None;
        }
        if is_primary && loss.was_open {
            self.forget_tied(loss.target);
        }
        if !loss.was_open {
            self.unreachable.add(loss, scene);
        }
        match outcome {
            Outcome::Continue => AfterLoss::Continue,
            Outcome::Retry if loss.refused => {
                // It is still there, and would say the same again.
                self.unreachable.add(loss, scene);
                AfterLoss::RetryLater(self.next_look(loss, scene))
            }
            Outcome::Retry => AfterLoss::Retry,
            Outcome::Refuse => AfterLoss::Fail(targets::read_only(&loss.fault.to_string())),
            Outcome::End => AfterLoss::End(loss.fault.clone()),
        }
    }

    fn is_loss(&self, refusal: &Refusal<'_>, scene: &Scene<'_>) -> bool {
        self.is_taken_for_loss(refusal, scene)
    }

    fn spare(&self, scene: &Scene<'_>) -> TargetSet {
        if self.is_in_transaction(scene) {
            // What was left has no part in it.
            return match self.transaction {
                Some(target) => self.left_open.without(target),
                None => TargetSet::EMPTY,
            };
        }
        let owners = self.tied.variables.owners();
        let spare = choose::spare(scene, &self.settings.limits, self.primary, owners);
        self.left_open.union(spare)
    }

    fn on_renounced(&mut self, target: TargetId) {
        self.left_open = self.left_open.without(target);
    }

    fn transaction_lost(&mut self) {
        if let Some(target) = self.transaction.take() {
            self.left_open = self.left_open.without(target);
        }
        self.on_primary = false;
        self.ends = false;
        self.only_reads = true;
        self.repeatable = false;
        self.hopeful = false;
        self.steady = true;
        self.went_to_all = false;
        self.last = None;
        self.follows_primary = false;
        self.tied.forget();
    }

    fn tie(&self, scene: &Scene<'_>) -> Option<Tie> {
        let in_transaction = || self.is_in_transaction(scene).then_some(Tie::Transaction);
        self.tied.tie().or_else(in_transaction)
    }

    fn seen(&self) -> Seen {
        self.causal.seen()
    }

    fn must_see(&mut self, seen: &Seen) {
        self.causal.must_see(seen);
    }

    fn variable_bytes(&self) -> usize {
        self.tied.variables.bytes()
    }

    fn reset(&mut self) {
        *self = Split {
            causal: self.causal.reset(),
            bound: self.bound,
            ..Split::new(self.settings, self.primary)
        };
    }

    fn freeze(&self, into: &mut Encoder) {
        self.write(into);
    }
}

/// Does it end the open transaction and begin no other?
fn ends_transaction(statement: &Statement) -> bool {
    matches!(
        statement.trx,
        TrxEffect::Commit { chain: false, .. } | TrxEffect::Rollback { chain: false, .. }
    )
}

/// May it change data? What hides what it does may.
fn writes(request: &Request<'_>) -> bool {
    request.statement.is_none_or(|statement| {
        statement.mask.contains(TypeMask::WRITE) || statement.trx.is_opaque()
    })
}

/// Not the statements that only open and close a transaction.
fn is_data_statement(request: &Request<'_>) -> bool {
    request.statement.is_none_or(|statement| {
        !statement
            .mask
            .intersects(TypeMask::BEGIN_TRX | TypeMask::COMMIT | TypeMask::ROLLBACK)
    })
}
