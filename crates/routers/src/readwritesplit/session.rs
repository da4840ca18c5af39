//! The state of readwritesplit for one client connection.

use std::time::Duration;

use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::{OwnAnswer, ReplySummary, Request};
use tidegate_session::router::{AfterLoss, Decision, Loss, RouterSession, TargetSet};
use tidegate_session::world::ServerStatus;
use tidegate_session::{Counted, ErrReply, Instant, Link, Scene, SessionFault, TargetId};
use tidegate_sql::hints::{Hint, Route};
use tidegate_sql::{Hold, SessionEffect, Statement, TableName, TempTables, TrxEffect, TypeMask};
use tidegate_wire::Command;

use super::choose::{self, Limits};
use super::route::{self, Class, Pin, State};
use super::rule::Rule;

/// How long a replica that could not be connected is left alone: a monitor's usual interval, after
/// which its own state says whether it is there.
const UNREACHABLE: Duration = Duration::from_secs(2);

/// One client connection's state.
#[derive(Debug)]
pub(crate) struct Split {
    limits: Limits,
    primary: Option<TargetId>,
    /// Where the open transaction runs.
    transaction: Option<TargetId>,
    /// It was begun there because that was the primary.
    on_primary: bool,
    /// Connections on which a read-only transaction is still open that the client has left: they
    /// must not be read from any more.
    left_open: TargetSet,
    /// Replicas that could not be connected, and when they may be tried again: not before the command
    /// that found them so is on its way.
    unreachable: (TargetSet, Instant),
    /// The newest statement ends the transaction: with autocommit off the next is another's, which
    /// need not run where this one did.
    ends: bool,
    /// Every statement of the open transaction was a read.
    only_reads: bool,
    /// The server of the statement before.
    last: Option<TargetId>,
    /// The statement before went to the primary as such, so that another may follow it unanswered.
    follows_primary: bool,
    /// Things the primary's connection holds that exist nowhere else.
    holds: u32,
    /// Session state that only the primary has was made there.
    only_on_primary: bool,
    /// User variables were assigned on one server only.
    own_variables: bool,
    temporary: TempTables,
    /// What creating or dropping temporary tables will have changed once it has succeeded.
    temporary_after: Option<TempTables>,
}

impl Split {
    pub(crate) fn new(limits: Limits, primary: Option<TargetId>) -> Split {
        Split {
            limits,
            primary,
            transaction: None,
            on_primary: false,
            left_open: TargetSet::EMPTY,
            unreachable: (TargetSet::EMPTY, Instant::default()),
            ends: false,
            only_reads: true,
            last: None,
            follows_primary: false,
            holds: 0,
            only_on_primary: false,
            own_variables: false,
            temporary: TempTables::default(),
            temporary_after: None,
        }
    }

    fn state<'a>(&'a self, scene: &Scene<'a>) -> State<'a> {
        State {
            temporary: &self.temporary,
            database: scene.database,
            pinned: self.pin(scene),
            own_variables: self.own_variables,
        }
    }

    /// What keeps the session on the primary.
    fn pin(&self, scene: &Scene<'_>) -> Option<Pin> {
        if self.holds > 0 {
            Some(Pin::Lock)
        } else if self.only_on_primary {
            Some(Pin::State)
        } else if scene.serializable {
            Some(Pin::Isolation)
        } else {
            None
        }
    }

    /// Why a command went to the primary.
    fn reason(&self, request: &Request<'_>, scene: &Scene<'_>) -> Rule {
        match route::decide(request, self.state(scene)) {
            (Class::Replica, _) => Rule::NoReplica,
            (_, rule) => rule,
        }
    }

    fn to_primary(&self, scene: &Scene<'_>, in_order: bool) -> Decision {
        let Some(primary) = choose::primary(scene, self.primary) else {
            return no_primary(scene);
        };
        if scene.outstanding > 0
            && !(in_order && self.follows_primary && scene.outstanding_on == Some(primary))
        {
            return Decision::Wait;
        }
        Decision::One {
            target: primary,
            retry: false,
        }
    }

    fn to_replica(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        if scene.outstanding > 0 {
            return Decision::Wait;
        }
        let primary = choose::primary(scene, self.primary);
        match choose::replica(scene, self.limits, primary, self.barred()) {
            Some(target) => Decision::One {
                target,
                retry: route::is_repeatable_read(request),
            },
            None => no_server(scene),
        }
    }

    /// Replicas that must not be chosen now.
    fn barred(&self) -> TargetSet {
        let (unreachable, _) = self.unreachable;
        self.left_open.union(unreachable)
    }

    /// Was it found unreachable, by this command or a while ago?
    fn is_unreachable(&self, target: TargetId) -> bool {
        self.unreachable.0.contains(target)
    }

    fn to_transaction(&self, scene: &Scene<'_>) -> Decision {
        if self.ends && scene.outstanding > 0 {
            return Decision::Wait;
        }
        let Some(target) = self.transaction else {
            return self.to_primary(scene, true);
        };
        let Some(view) = scene.target(target) else {
            return self.to_primary(scene, true);
        };
        let demoted = self.on_primary && !view.status.has(ServerStatus::MASTER);
        if view.link != Link::Open || demoted {
            return Decision::End(SessionFault::NoServer(format!(
                "the open transaction ran on server '{}', which {}",
                view.name,
                if demoted {
                    "is no longer the primary"
                } else {
                    "is lost"
                }
            )));
        }
        if scene.outstanding > 0 && scene.outstanding_on != Some(target) {
            return Decision::Wait;
        }
        Decision::One {
            target,
            retry: false,
        }
    }

    fn to_all(&self, scene: &Scene<'_>) -> Decision {
        if scene.outstanding > 0 {
            return Decision::Wait;
        }
        let primary = choose::primary(scene, self.primary);
        let is_open = |id: &TargetId| {
            scene
                .target(*id)
                .is_some_and(|view| view.link == Link::Open)
        };
        let open: TargetSet = scene
            .targets()
            .filter(|id| {
                scene
                    .target(*id)
                    .is_some_and(|view| matches!(view.link, Link::Open | Link::Opening))
            })
            .collect();
        let answer = self
            .transaction
            .or(primary.filter(is_open))
            .or_else(|| scene.targets().find(is_open))
            .or(primary)
            .or_else(|| choose::replica(scene, self.limits, primary, self.barred()));
        match answer {
            Some(answer) => Decision::All {
                to: open.with(answer),
                answer,
            },
            None => no_server(scene),
        }
    }

    fn to_last(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        if scene.outstanding > 0 {
            return Decision::Wait;
        }
        let is_open = |id: &TargetId| {
            scene
                .target(*id)
                .is_some_and(|view| view.link == Link::Open)
        };
        // The core knows where the cursor is; any answer will do.
        let fetches = request.command == Command::StmtFetch;
        let any = || scene.targets().find(is_open).filter(|_| fetches);
        match self.last.filter(is_open).or_else(any) {
            Some(target) => Decision::One {
                target,
                retry: false,
            },
            None => self.to_primary(scene, false),
        }
    }

    /// The newest hint that can be followed; a hint that cannot be is ignored.
    fn to_hinted(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        for hint in request.hints.iter().rev() {
            let decision = match hint {
                Hint::Route(Route::Master) => self.to_primary(scene, true),
                Hint::Route(Route::Slave) => self.to_replica(request, scene),
                Hint::Route(Route::Last) => self.to_last(request, scene),
                Hint::Route(Route::All) => self.to_all(scene),
                Hint::Route(Route::Server(name)) => match scene.target_named(name) {
                    Some(_) if scene.outstanding > 0 => Decision::Wait,
                    Some(target) if is_usable(scene, target) && !self.is_unreachable(target) => {
                        Decision::One {
                            target,
                            retry: false,
                        }
                    }
                    _ => continue,
                },
                Hint::Parameter { .. } => continue,
            };
            return decision;
        }
        let request = Request {
            hints: &[],
            ..*request
        };
        self.route(&request, scene)
    }

    /// What the statement ties to the connection it runs on.
    fn note_effects(&mut self, request: &Request<'_>, decision: &Decision, scene: &Scene<'_>) {
        let Some(statement) = request.statement else {
            return;
        };
        if request.command == Command::StmtPrepare {
            return;
        }
        match &statement.effect {
            Some(SessionEffect::Hold(_)) => self.holds += 1,
            Some(SessionEffect::Release(Hold::Tables | Hold::Backup)) => self.holds = 0,
            Some(SessionEffect::Release(Hold::Handler(_))) => {
                self.holds = self.holds.saturating_sub(1)
            }
            _ => {}
        }
        if statement.takes_user_lock {
            self.holds += 1;
        } else if statement.releases_user_locks {
            self.holds = 0;
        }
        let one_server = matches!(decision, Decision::One { .. });
        if one_server && statement.mask.contains(TypeMask::USERVAR_WRITE) {
            self.own_variables = true;
        }
        // Session state changed in a text that went to one server only: the others do not have it.
        if one_server && statement.multi && statement.mask.contains(TypeMask::SESSION_WRITE) {
            self.only_on_primary = true;
        }
        if changes_temporary(statement) {
            let mut after = self.temporary.clone();
            after.follow(statement, scene.database);
            self.temporary_after = Some(after);
        }
    }

    fn counted(request: &Request<'_>, decision: &Decision) -> Counted {
        match decision {
            Decision::All { .. } => Counted::Read,
            _ if route::is_repeatable_read(request) => Counted::Read,
            _ => Counted::Write,
        }
    }

    pub(crate) fn thaw(limits: Limits, from: &mut Decoder<'_>) -> Result<Split, FreezeError> {
        let target = |from: &mut Decoder<'_>| from.u16().map(TargetId);
        let mut split = Split::new(limits, from.option(target)?);
        split.transaction = from.option(target)?;
        split.on_primary = from.flag()?;
        split.left_open = from.list(target)?.into_iter().collect();
        split.only_reads = from.flag()?;
        split.last = from.option(target)?;
        split.follows_primary = from.flag()?;
        split.holds = from.u32()?;
        split.only_on_primary = from.flag()?;
        split.own_variables = from.flag()?;
        let tables = from.list(|from| {
            let schema = from.option(Decoder::bytes)?.map(Into::into);
            Ok(TableName {
                schema,
                name: from.bytes()?.into(),
            })
        })?;
        split.temporary = TempTables::restore(tables, from.flag()?);
        Ok(split)
    }
}

impl RouterSession for Split {
    fn route(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision {
        match route::class(request, self.state(scene)) {
            Class::Kill => Decision::Reject(ErrReply::new(
                1235,
                b"42000",
                "Tidegate does not translate KILL yet; end a session with DELETE /v1/sessions/<id> of its REST interface",
            )),
            Class::SessionId => Decision::Own(OwnAnswer::Value {
                column: request
                    .statement
                    .and_then(|statement| statement.session_id_column.as_deref())
                    .map(|name| String::from_utf8_lossy(name).into_owned())
                    .unwrap_or_default(),
                value: scene.session.to_string(),
                number: true,
            }),
            Class::Hinted => self.to_hinted(request, scene),
            Class::Primary => self.to_primary(scene, true),
            Class::Replica => self.to_replica(request, scene),
            Class::All => self.to_all(scene),
            Class::Last => self.to_last(request, scene),
            Class::Transaction => self.to_transaction(scene),
        }
    }

    fn on_routed(&mut self, request: &Request<'_>, decision: &Decision, scene: &Scene<'_>) {
        self.primary = choose::primary(scene, self.primary).or(self.primary);
        if scene.now >= self.unreachable.1 {
            self.unreachable.0 = TargetSet::EMPTY;
        }
        if let Decision::One { target, .. } = decision
            && Some(*target) == self.primary
        {
            scene.count_primary_reason(self.reason(request, scene) as usize);
        }
        self.note_effects(request, decision, scene);
        let how = Split::counted(request, decision);
        let predicted = request
            .statement
            .filter(|_| request.command != Command::StmtPrepare);
        self.ends = predicted
            .is_some_and(|statement| request.trx.trx_ending() || ends_transaction(statement));
        match decision {
            Decision::One { target, .. } => {
                let to_primary = Some(*target) == self.primary;
                self.last = Some(*target);
                let begins = request
                    .statement
                    .is_some_and(|statement| statement.mask.contains(TypeMask::BEGIN_TRX));
                // A cursor stays where it was opened and long data where their first part went,
                // which need not be where the transaction runs.
                let bound = matches!(
                    request.command,
                    Command::StmtFetch | Command::StmtSendLongData
                );
                let runs_in_it = request.trx.is_open() && !bound;
                if runs_in_it && (begins || self.transaction.is_none()) {
                    let left = self.transaction.replace(*target);
                    if let Some(left) = left.filter(|left| left != target) {
                        self.left_open = self.left_open.with(left);
                    }
                    self.on_primary = to_primary;
                    self.only_reads = true;
                }
                self.only_reads &= how == Counted::Read || !is_data_statement(request);
                self.follows_primary = to_primary && how == Counted::Write && !self.ends;
                if to_primary {
                    scene.counters.route_primary.add(1)
                } else {
                    scene.counters.route_replica.add(1)
                }
                scene.count(*target, how);
            }
            Decision::All { to, answer } => {
                self.last = Some(*answer);
                self.follows_primary = false;
                scene.counters.route_all.add(1);
                for target in to.iter() {
                    scene.count(target, how);
                }
            }
            Decision::Own(_) | Decision::Reject(_) | Decision::End(_) | Decision::Wait => {}
        }
    }

    fn on_reply(&mut self, _target: TargetId, reply: &ReplySummary<'_>, scene: &Scene<'_>) {
        if let Some(after) = self.temporary_after.take()
            && reply.error.is_none()
        {
            self.temporary = after;
        }
        // With others on their way the transaction is already as the last of them leaves it.
        if scene.outstanding > 0 {
            return;
        }
        // With autocommit off one is always open, but it need not be the same.
        let another = self.ends && reply.error.is_none() && !reply.trx.autocommit();
        let over = !reply.trx.is_open() || another;
        if self.transaction.is_some() && over {
            self.transaction = None;
            let counters = scene.counters;
            if self.only_reads {
                counters.ro_transactions.add(1)
            } else {
                counters.rw_transactions.add(1)
            }
        }
    }

    fn on_lost(&mut self, loss: &Loss, scene: &Scene<'_>) -> AfterLoss {
        let is_primary = Some(loss.target) == self.primary;
        self.left_open = self.left_open.without(loss.target);
        if Some(loss.target) == self.last {
            self.last = None;
        }
        if is_primary || Some(loss.target) == self.transaction {
            return AfterLoss::End(loss.fault.clone());
        }
        if !loss.was_open {
            let (targets, _) = self.unreachable;
            self.unreachable = (targets.with(loss.target), scene.now.after(UNREACHABLE));
        }
        if loss.owed == 0 {
            let any_left = scene.targets().any(|id| {
                scene
                    .target(id)
                    .is_some_and(|view| view.link >= Link::Opening || view.link == Link::Closed)
            });
            return if any_left {
                AfterLoss::Continue
            } else {
                AfterLoss::End(loss.fault.clone())
            };
        }
        if loss.can_retry {
            AfterLoss::Retry
        } else {
            AfterLoss::End(loss.fault.clone())
        }
    }

    fn spare(&self, scene: &Scene<'_>) -> TargetSet {
        self.left_open.union(choose::spare(scene, self.limits))
    }

    fn reset(&mut self) {
        *self = Split::new(self.limits, self.primary);
    }

    fn freeze(&self, into: &mut Encoder) {
        let target = |into: &mut Encoder, id: TargetId| into.u16(id.0);
        into.option(self.primary, target);
        into.option(self.transaction, target);
        into.flag(self.on_primary);
        into.list(
            self.left_open.iter().collect::<Vec<_>>().into_iter(),
            target,
        );
        into.flag(self.only_reads);
        into.option(self.last, target);
        into.flag(self.follows_primary);
        into.u32(self.holds);
        into.flag(self.only_on_primary);
        into.flag(self.own_variables);
        into.list(self.temporary.tables().iter(), |into, table| {
            into.option(table.schema.as_deref(), Encoder::bytes);
            into.bytes(&table.name);
        });
        into.flag(self.temporary.overflowed());
    }
}

fn is_usable(scene: &Scene<'_>, id: TargetId) -> bool {
    scene.target(id).is_some_and(|view| match view.link {
        Link::Open | Link::Opening => view.status.usable(),
        Link::Closed => view.status.connectable() && scene.recoverable,
        Link::Failed => false,
    })
}

/// Does it create, drop or rename a table that may be temporary?
fn changes_temporary(statement: &Statement) -> bool {
    let own = matches!(
        statement.effect,
        Some(
            SessionEffect::CreateTemporary(_)
                | SessionEffect::DropTables(_)
                | SessionEffect::RenameTables(_)
        )
    );
    own || statement.parts.iter().any(changes_temporary)
}

/// Does it end the open transaction and begin no other?
fn ends_transaction(statement: &Statement) -> bool {
    matches!(
        statement.trx,
        TrxEffect::Commit { chain: false, .. } | TrxEffect::Rollback { chain: false, .. }
    )
}

/// Not the statements that only open and close a transaction.
fn is_data_statement(request: &Request<'_>) -> bool {
    request.statement.is_none_or(|statement| {
        !statement
            .mask
            .intersects(TypeMask::BEGIN_TRX | TypeMask::COMMIT | TypeMask::ROLLBACK)
    })
}

fn no_primary(scene: &Scene<'_>) -> Decision {
    Decision::End(SessionFault::NoServer(format!(
        "no primary was found for a write: {}",
        crate::states(scene)
    )))
}

fn no_server(scene: &Scene<'_>) -> Decision {
    Decision::End(SessionFault::NoServer(format!(
        "no usable server was found: {}",
        crate::states(scene)
    )))
}
