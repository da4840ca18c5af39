//! A replay under way: when it may begin, its statements one after the other, and its end.

use std::time::Duration;

use tidegate_wire::Command;

use super::ReplayRules;
use super::bearing::Bearing;
use super::record::Part;
use super::store::{Marks, Place};
use crate::backend::{About, Backend, Owed, OwedTo};
use crate::dispatch::Body;
use crate::fault::SessionFault;
use crate::ids::{BackendId, ClientStmtId};
use crate::output::Level;
use crate::route::Stop;
use crate::session::{Cx, Env, Session};
use crate::time::Instant;

/// How long a lost server is given before its transaction is repeated.
const PAUSE: Duration = Duration::from_secs(1);

/// The statement that waits for its answer, or for the rest of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Interrupted {
    /// A part of the answer went to the client.
    started: bool,
    /// So many bytes of it, as the server wrote them, with this hash.
    pub(super) delivered: u64,
    pub(super) hash: u128,
    /// The number of its next packet.
    next_seq: u8,
    /// The last packet went out in part only.
    torn: bool,
    /// The number that the client was given for the statement it prepares.
    prepares: Option<ClientStmtId>,
}

/// What a replay is about to do, or doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The answered statements, from here on.
    Repeating(Place),
    /// The interrupted statement. `caught_up`: all that the client already had has been dropped.
    Last { caught_up: bool },
}

/// A replay under way.
#[derive(Debug)]
pub(crate) struct Run {
    /// When it was first begun.
    began: Instant,
    /// How often it was begun.
    attempts: u64,
    /// Nothing is sent before.
    due: Instant,
    pub(super) stage: Stage,
    pub(super) interrupted: Option<Interrupted>,
    /// The statement that waits for a connection.
    waiting: Option<Vec<u8>>,
    /// What it compares the answer in progress with.
    pub(super) expected: Option<u128>,
    /// What has been agreed with the client, however far the repetition has come.
    pub(super) caps: tidegate_wire::Caps,
}

impl Run {
    /// Do the limits allow another attempt?
    pub(super) fn may_begin_again(&self, rules: &ReplayRules, now: Instant) -> bool {
        if rules.timeout.is_zero() {
            self.attempts < rules.attempts
        } else {
            now.since(self.began) < rules.timeout
        }
    }

    /// What the answer to a statement that is sent now is to the record.
    pub(super) fn sends(&self) -> Part {
        match self.stage {
            Stage::Repeating(_) => Part::Repeated,
            Stage::Last { .. } => Part::Recorded,
        }
    }
}

/// What a loss means to the open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// It can be repeated.
    Repeat,
    /// Its COMMIT was under way: nobody can tell what became of it.
    Unknown,
    /// It cannot be repeated, or nothing of it was there.
    None,
}

impl Session {
    /// Is a transaction being repeated? Whatever the client says waits.
    #[inline]
    pub(crate) fn is_replaying(&self) -> bool {
        self.replay
            .as_ref()
            .is_some_and(|replay| replay.run.is_some())
    }

    /// Is the command that is being routed one that the client does not know of?
    pub(crate) fn is_repeating(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| {
            matches!(
                replay.run.as_deref(),
                Some(Run {
                    stage: Stage::Repeating(_),
                    ..
                })
            )
        })
    }

    /// Is the answer in progress one of which the client has more than what has come again?
    pub(super) fn is_behind(&self) -> bool {
        let run = self.replay.as_ref().and_then(|replay| replay.run.as_ref());
        run.is_some_and(|run| run.stage == (Stage::Last { caught_up: false }))
    }

    /// Does the client have a part of the answer to the statement that the replay ends with?
    fn is_amid_answer(&self) -> bool {
        let run = self.replay.as_ref().and_then(|replay| replay.run.as_ref());
        run.and_then(|run| run.interrupted)
            .is_some_and(|interrupted| interrupted.started)
    }

    /// When the replay goes on, if it waits for that alone.
    pub(crate) fn replay_due(&self, now: Instant) -> Option<Instant> {
        let run = self.replay.as_ref()?.run.as_ref()?;
        Some(run.due).filter(|due| *due > now)
    }

    /// The number of the next packet to the client, and whether none can follow, while an answer that
    /// was interrupted has not caught up.
    pub(crate) fn interrupted_at(&self) -> Option<(u8, bool)> {
        let run = self.replay.as_ref()?.run.as_ref()?;
        if run.stage == (Stage::Last { caught_up: true }) {
            return None;
        }
        let (seq, torn) = run
            .interrupted
            .filter(|interrupted| interrupted.started)
            .map_or((1, false), |interrupted| {
                (interrupted.next_seq, interrupted.torn)
            });
        Some((seq, torn))
    }

    /// What losing connection `id`, which owes so many answers, means to the open transaction.
    pub(crate) fn prospect(&self, id: BackendId, owed: usize) -> Prospect {
        let Some(replay) = &self.replay else {
            return Prospect::None;
        };
        let record = &replay.record;
        let front = self.tickets.front();
        let recorded = owed == 1
            && self.tickets.len() == 1
            && front.is_some_and(|ticket| ticket.part == Part::Recorded);
        let here = record.on == Some(id);
        if let Some(run) = &replay.run {
            let last = matches!(run.stage, Stage::Last { .. });
            return if last && recorded && self.is_committing() {
                Prospect::Unknown
            } else if owed > 0 || here || self.awaits(run, id) {
                Prospect::Repeat
            } else {
                Prospect::None
            };
        }
        if recorded && self.is_committing() {
            return Prospect::Unknown;
        }
        let idle = owed == 0 && self.tickets.is_empty() && self.trx.is_open() && here;
        if !record.stopped && (idle || recorded && record.store.has_open()) {
            Prospect::Repeat
        } else {
            Prospect::None
        }
    }

    /// Is that connection being opened while a statement of the replay waits for one?
    fn awaits(&self, run: &Run, id: BackendId) -> bool {
        let opening = |backend: &Backend| !backend.has_served;
        run.waiting.is_some() && self.backend(id).is_some_and(opening)
    }

    /// Does the open transaction run on that connection?
    pub(crate) fn transaction_runs_on(&self, id: BackendId) -> bool {
        self.replay
            .as_ref()
            .is_some_and(|replay| replay.record.on == Some(id))
    }

    /// The connection was lost while it committed: the client must look for itself.
    pub(crate) fn commit_unknown(&mut self, id: BackendId, fault: &SessionFault, cx: &mut Cx<'_>) {
        self.counters.unknown_commits.add(1);
        let server = self.server_name(id, cx);
        let reason = match fault {
            SessionFault::ServerLost { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        self.fail(&SessionFault::CommitUnknown { server, reason }, cx);
    }

    /// Is the record's open statement one that commits, and must not be sent twice?
    pub(super) fn is_committing(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| {
            replay.record.current.is_some_and(|current| {
                matches!(current.bearing, Bearing::Commits { implicitly, .. }
                    if implicitly || replay.rules.safe_commit)
            })
        })
    }

    /// What keeps a command from being routed, as far as it concerns a replay. `None`: that is dealt
    /// with, and the command waits.
    pub(crate) fn stop_for_replay(&mut self, stop: Stop, cx: &mut Cx<'_>) -> Option<Stop> {
        match stop {
            Stop::Prepare(backend, id) => self.prepare_again(backend, id, cx),
            // What is in flight comes to its end first.
            Stop::Replay(_) | Stop::Move(_) if !self.tickets.is_empty() => {}
            Stop::Replay(fault) if self.can_begin_replay() => self.begin_replay(&fault, cx),
            Stop::Move(_) if self.can_begin_replay() => self.move_transaction(cx),
            Stop::End(fault) | Stop::Replay(fault) | Stop::Move(fault) if self.is_replaying() => {
                self.begin_replay(&fault, cx);
            }
            Stop::Later(_) if self.is_replaying() => {
                let fault = SessionFault::NoServer("no server could take it".to_owned());
                self.begin_replay(&fault, cx);
            }
            Stop::Own(_) | Stop::Reject(_) | Stop::LongDataLost | Stop::Drop
                if self.is_repeating() =>
            {
                self.differs_from_record("a statement is not for a server any more", cx);
            }
            // No answer of the proxy's own fits behind the beginning that the client has.
            Stop::Own(_) | Stop::Reject(_) | Stop::LongDataLost if self.is_amid_answer() => {
                let reason = "no server could give the rest of an answer".to_owned();
                self.begin_replay(&SessionFault::NoServer(reason), cx);
            }
            other => return Some(other),
        }
        None
    }

    /// Can the open transaction be repeated, of which nothing is in flight?
    pub(crate) fn can_begin_replay(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| {
            replay.run.is_none()
                && !replay.record.stopped
                && self.tickets.is_empty()
                && self.trx.is_open()
        })
    }

    /// Begins to repeat the open transaction, or begins again. Its connection, where it is not lost
    /// already, is closed first. Past the limits the session ends with `fault`.
    pub(crate) fn begin_replay(&mut self, fault: &SessionFault, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        if let Some(run) = &replay.run
            && !run.may_begin_again(&replay.rules, cx.now)
        {
            let attempts = run.attempts;
            let fault = SessionFault::Replay(format!(
                "given up after {attempts} attempts, the last of which met this: {fault}"
            ));
            self.fail(&fault, cx);
            return;
        }
        let text = format!("the open transaction will be repeated: {fault}");
        self.log(Level::Notice, cx, || text);
        self.leave_transaction(cx);
        self.start_run(PAUSE, cx);
    }

    /// Undoes the open transaction where it is, and begins to repeat it elsewhere. Nothing of it is in
    /// flight.
    pub(crate) fn move_transaction(&mut self, cx: &mut Cx<'_>) {
        self.log(Level::Info, cx, || {
            "the open transaction moves to another server".to_owned()
        });
        let on = self.replay.as_ref().and_then(|replay| replay.record.on);
        if let Some(id) = on
            && let Some(backend) = self.backend_mut(id)
            && backend.takes_commands()
        {
            let payload = [&[Command::Query.byte()], b"ROLLBACK".as_slice()].concat();
            let shape = Command::Query.reply_shape();
            backend.tell(id, shape, &payload, Owed::to(OwedTo::Setup), cx);
        }
        self.start_run(Duration::ZERO, cx);
        self.moved = true;
    }

    /// Puts everything back to where the transaction began, and waits until its time has come.
    fn start_run(&mut self, pause: Duration, cx: &mut Cx<'_>) {
        self.head_leaves();
        let interrupted = self.interrupted_now(cx);
        let caps = self.client.caps;
        self.rewind(cx);
        let Some(replay) = &mut self.replay else {
            return;
        };
        let (began, attempts, caps) = replay
            .run
            .as_ref()
            .map_or((cx.now, 0, caps), |run| (run.began, run.attempts, run.caps));
        replay.digest.clear();
        replay.run = Some(Box::new(Run {
            began,
            attempts: attempts + 1,
            due: cx.now.after(pause),
            stage: Stage::Repeating(Place::default()),
            interrupted,
            waiting: None,
            expected: None,
            caps,
        }));
        self.nearer = true;
    }

    /// Closes the transaction's connection.
    fn leave_transaction(&mut self, cx: &mut Cx<'_>) {
        let on = self.replay.as_ref().and_then(|replay| replay.record.on);
        let answering = self.tickets.front().and_then(|ticket| ticket.answer);
        for id in [on, answering].into_iter().flatten() {
            self.say_goodbye(id, cx);
        }
    }

    /// The statement that is in flight, or was when the replay first began, with what the client has
    /// of its answer.
    fn interrupted_now(&mut self, cx: &mut Cx<'_>) -> Option<Interrupted> {
        let ticket = self.tickets.pop_front();
        if let Some(ticket) = &ticket {
            self.drop_ticket(None);
            if let Some(seq) = ticket.seq {
                self.unsay(seq);
                // The routers forget what they know of the transaction, wherever it ran.
                self.close_backends(cx);
            }
        }
        let replay = self.replay.as_ref()?;
        let before = replay.run.as_ref().and_then(|run| run.interrupted);
        let Some(ticket) = ticket.filter(|ticket| ticket.part == Part::Recorded) else {
            return before;
        };
        let delivered = replay.digest.raw();
        let known = before.unwrap_or_default();
        let now = if ticket.started && delivered > known.delivered {
            Interrupted {
                started: true,
                delivered,
                hash: replay.digest.value(),
                next_seq: ticket.next_seq,
                torn: ticket.torn,
                prepares: ticket
                    .stmt
                    .filter(|_| ticket.command == Command::StmtPrepare),
            }
        } else {
            known
        };
        // What it has passed is that of the newest command no more.
        std::mem::swap(&mut self.passed, &mut self.passed_by_newest);
        self.sent_again = true;
        Some(now)
    }

    /// Puts the session back to where the transaction began.
    fn rewind(&mut self, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        self.trx = replay.record.before;
        self.look_for_spare.set(true);
        replay.record.on = None;
        let snapshot = replay.record.snapshot.clone();
        let long_data = replay.record.long_data.clone();
        if let Some(old) = snapshot {
            // Every connection has been told what the transaction changed.
            for id in self.backend_ids() {
                self.say_goodbye(id, cx);
            }
            self.history = old.history;
            self.client.database = old.database;
            self.modes = old.modes;
            self.client.caps = old.caps;
        }
        // They are sent again; a connection that stays has those of the first time.
        for id in long_data {
            self.recall_long_data(id, cx);
        }
        for node in &mut self.nodes {
            if let Some(router) = &mut node.router {
                router.transaction_lost();
            }
        }
    }

    /// Sends what is due of a replay.
    pub(crate) fn drive_replay(&mut self, env: &mut Env<'_>) {
        loop {
            let Some(run) = self.replay.as_mut().and_then(|replay| replay.run.as_mut()) else {
                return;
            };
            if env.now < run.due || !self.tickets.is_empty() {
                return;
            }
            let Some(payload) = run.waiting.take().or_else(|| self.next_repeated()) else {
                return;
            };
            let Some(command) = payload.first().copied().and_then(Command::from_byte) else {
                return;
            };
            let mut body = Body::Own { command, payload };
            let routed = self.route(&mut body, env);
            if self.is_over() {
                return;
            }
            let Some(run) = self.replay.as_mut().and_then(|replay| replay.run.as_mut()) else {
                return;
            };
            if !routed {
                // A replay that has begun again begins at its first statement.
                if env.now >= run.due
                    && let Body::Own { payload, .. } = body
                {
                    run.waiting = Some(payload);
                }
                return;
            }
            if matches!(run.stage, Stage::Last { .. }) {
                self.last_is_routed();
                return;
            }
        }
    }

    /// The next statement of the replay. `None`: there is none, or not yet.
    fn next_repeated(&mut self) -> Option<Vec<u8>> {
        let replay = self.replay.as_mut()?;
        let run = replay.run.as_mut()?;
        let Stage::Repeating(place) = run.stage else {
            return None;
        };
        if let Some((entry, next)) = replay.record.store.read(place) {
            run.stage = Stage::Repeating(next);
            let compared = !entry.marks.has(Marks::INCOMPARABLE);
            run.expected = compared.then_some(entry.hash);
            replay.digest.clear();
            return Some(entry.payload.to_vec());
        }
        if self.stream.is_some() {
            // The client has not sent all of what comes last.
            return None;
        }
        self.repeated()
    }

    /// All answered statements are repeated, with equal answers.
    fn repeated(&mut self) -> Option<Vec<u8>> {
        let replay = self.replay.as_mut()?;
        let run = replay.run.as_mut()?;
        if let Some(interrupted) = run.interrupted {
            run.stage = Stage::Last {
                caught_up: interrupted.delivered == 0,
            };
            replay.digest.clear();
            return replay.record.store.open_payload().map(<[u8]>::to_vec);
        }
        self.replay_completed();
        self.moved = true;
        None
    }

    /// The replay is over: everything ended as it had.
    pub(super) fn replay_completed(&mut self) {
        let run = self.replay.as_mut().and_then(|replay| replay.run.take());
        if run.is_some() {
            self.counters.replayed_transactions.add(1);
        }
    }

    /// The number of the statement that is prepared once more, where the client knows it already.
    pub(crate) fn number_given(&self) -> Option<ClientStmtId> {
        self.replay.as_ref()?.run.as_ref()?.interrupted?.prepares
    }

    /// The interrupted statement is on its way, or was answered by the proxy itself.
    fn last_is_routed(&mut self) {
        let interrupted = self
            .replay
            .as_ref()
            .and_then(|replay| replay.run.as_ref())
            .and_then(|run| run.interrupted);
        let (Some(ticket), Some(interrupted)) = (self.tickets.front_mut(), interrupted) else {
            self.replay_completed();
            if let Some(replay) = &mut self.replay {
                replay.record.current = None;
                replay.record.store.abandon();
                self.moved = true;
            }
            return;
        };
        if interrupted.started {
            ticket.started = true;
            ticket.next_seq = interrupted.next_seq;
            ticket.torn = interrupted.torn;
        }
    }

    /// Prepares a statement that the client has closed since, where the replay executes it.
    pub(crate) fn prepare_again(&mut self, id: BackendId, stmt: ClientStmtId, cx: &mut Cx<'_>) {
        let Some(prepared) = self.stmts.get(stmt) else {
            return;
        };
        let text = std::sync::Arc::clone(&prepared.prepared);
        let schema = prepared.closed.clone().flatten();
        let current = self.client.database.clone();
        let Some(backend) = self.backends.get_mut(usize::from(id.0)) else {
            return;
        };
        let moves = schema.filter(|schema| current.as_deref() != Some(&**schema));
        if let Some(schema) = &moves {
            crate::opening::use_schema(backend, id, schema, cx);
        }
        let payload = [&[Command::StmtPrepare.byte()], &*text.text].concat();
        let owed = Owed {
            to: OwedTo::Setup,
            about: About::Preparing(stmt),
        };
        backend.tell(id, Command::StmtPrepare.reply_shape(), &payload, owed, cx);
        if let (Some(_), Some(current)) = (&moves, current) {
            crate::opening::use_schema(backend, id, &current, cx);
        }
    }
}
