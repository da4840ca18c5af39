//! The driver: calls a session's entry points and carries out what the session wants, in the order a
//! worker does it.

use tidegate_session::question::Question;
use tidegate_session::{
    BackendId, Backlog, Cause, Env, Errand, Instant, Op, Output, ServerId, Session, Side,
};

use super::World;
use super::panics::guard;
use super::slot::{Asked, Input, Link, Reach};
use crate::client::Lent;
use crate::coverage::Rare;
use crate::meaning::Trx;
use crate::model::Fate;
use crate::modules::panicky::PLANTED;

impl World {
    /// Calls an entry point and carries out its output. `None`: there is no session any more.
    pub(super) fn enter<R>(
        &mut self,
        ix: usize,
        run: &mut [u8],
        call: impl FnOnce(&mut Session, &mut [u8], &mut Env<'_>) -> R,
    ) -> Option<R> {
        let mut session = self.slots[ix].session.take()?;
        let worker = self.slots[ix].worker;
        let mut out = std::mem::take(&mut self.out);
        let result = {
            let mut env = self.env(worker, &mut out);
            guard(|| call(&mut session, run, &mut env))
        };
        self.slots[ix].session = Some(session);
        let result = match result {
            Ok(result) => {
                self.carry_out(ix, run, &mut out);
                Some(result)
            }
            Err(text) => {
                out.clear();
                self.panicked(ix, &text, &mut out);
                None
            }
        };
        out.clear();
        self.out = out;
        self.settle_backlogs(ix);
        result
    }

    /// A panic ends its own session and nothing else.
    fn panicked(&mut self, ix: usize, text: &str, out: &mut Output) {
        if !text.contains(PLANTED) {
            self.model.breach(format!("session {ix}: {text}"));
            return;
        }
        self.coverage.count(if text.contains("filter") {
            Rare::PanicInFilter
        } else {
            Rare::PanicInRouter
        });
        self.trace
            .note(&[2, ix as u64], || format!("session {ix}: planted panic"));
        let Some(mut session) = self.slots[ix].session.take() else {
            return;
        };
        let worker = self.slots[ix].worker;
        session.abandon(&mut self.env(worker, out));
        self.model.trouble(ix, &[Cause::Panic]);
        self.finished(ix, Cause::Panic);
    }

    /// Carries out the operations of one call.
    pub(super) fn carry_out(&mut self, ix: usize, run: &[u8], out: &mut Output) {
        for line in &out.logs {
            if line.text.contains("statement now: it waits") {
                self.coverage.count(Rare::StatementWaited);
            } else if line.text.contains("goes on where it broke off") {
                self.coverage.count(Rare::AnswerSpliced);
            } else if line.text.contains("transaction moves to another server") {
                self.coverage.count(Rare::TransactionMoved);
            } else if line
                .text
                .contains("session command in flight is issued anew")
            {
                self.coverage.count(Rare::SessionCommandAnew);
            } else if line.text.contains("given up after") {
                self.coverage.count(Rare::ReplayGivenUp);
            }
            if line.text.contains("secret-") {
                self.model.breach(format!(
                    "session {ix}: a password in the log: {}",
                    line.text
                ));
            }
        }
        let Output { ops, own, .. } = out;
        for op in ops.drain(..) {
            match op {
                Op::Forward { to, span } => match run.get(span.clone()) {
                    Some(bytes) => self.write(ix, to, bytes),
                    None => self
                        .model
                        .breach(format!("session {ix}: span {span:?} outside of its run")),
                },
                Op::Send { to, span } => match own.get(span.clone()) {
                    Some(bytes) => self.write(ix, to, bytes),
                    None => self.model.breach(format!(
                        "session {ix}: span {span:?} outside of the own bytes"
                    )),
                },
                other => self.act(ix, other),
            }
            if self.model.broken.is_some() {
                return;
            }
        }
        if let Some(text) = self.model.sessions[ix].unexplained.take() {
            self.model
                .breach(format!("an error that nothing explains: {text}"));
        }
    }

    fn write(&mut self, ix: usize, to: Side, bytes: &[u8]) {
        self.trace.bytes(bytes);
        let slot = &mut self.slots[ix];
        match to {
            Side::Client => {
                slot.hear(self.now);
                if self.model.synced > 0 {
                    let servers = 0..self.plan.servers;
                    let applied = servers.map(|ix| self.replication.applied(ix));
                    self.model.applied = applied.collect();
                }
                let mut lent = Lent {
                    model: &mut self.model,
                    accounts: &self.accounts,
                    coverage: &mut self.coverage,
                };
                if let Err(text) = slot.client.receive(bytes, &mut lent) {
                    self.model.breach(text);
                }
            }
            Side::Backend(backend) => match slot.link(backend).and_then(Link::conn) {
                Some(conn) => {
                    self.conns[conn].from_proxy.push(bytes);
                    if self.conns[conn].is_closed() || self.conns[conn].quirks.spoke {
                        // The session does not know yet that nobody will answer, or what is said there.
                        self.model
                            .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
                    }
                }
                None => self.model.breach(format!(
                    "session {ix}: bytes for {backend:?}, which is not connected"
                )),
            },
        }
    }

    fn act(&mut self, ix: usize, op: Op) {
        self.trace
            .note(&[3, ix as u64], || format!("session {ix}: {op:?}"));
        match op {
            Op::Again(side) => {
                self.coverage.count(Rare::Again);
                if let Some(input) = self.input(ix, side) {
                    input.again = true;
                }
            }
            Op::Resume(side) => {
                if let Some(input) = self.input(ix, side) {
                    input.again = true;
                    input.paused = false;
                }
            }
            Op::Pause(side) => {
                self.coverage.count(if side == Side::Client {
                    Rare::ClientPaused
                } else {
                    Rare::ServerPaused
                });
                if let Some(input) = self.input(ix, side) {
                    input.paused = true;
                }
            }
            Op::Errand(errand) => match *errand {
                Errand::Ask { token, question } => self.ask(ix, token, question),
                Errand::Connect(wanted) => self.want(ix, wanted),
                Errand::Park { backend, leftover } => self.park(ix, backend, leftover),
                Errand::LoginEnded { .. } => {}
            },
            Op::Close(Side::Backend(backend)) => self.part(ix, backend),
            Op::Close(Side::Client) => self.slots[ix].closed = true,
            Op::WakeAt(at) => self.slots[ix].wake = Some(at),
            Op::Finish(cause) => self.finished(ix, cause),
            Op::Compress { .. } => self
                .model
                .breach(format!("session {ix}: compression that nobody asked for")),
            Op::StartTls(_) => self
                .model
                .breach(format!("session {ix}: TLS that nobody asked for")),
            Op::AccountsChanged | Op::Forward { .. } | Op::Send { .. } => {}
        }
    }

    pub(super) fn input(&mut self, ix: usize, side: Side) -> Option<&mut Input> {
        match side {
            Side::Client => Some(&mut self.slots[ix].input),
            Side::Backend(backend) => self.slots[ix].link_mut(backend).map(|link| &mut link.input),
        }
    }

    fn ask(&mut self, ix: usize, token: tidegate_session::Token, question: Question) {
        let again = match &question {
            Question::Account(query) => query.after_failure,
            Question::Work(_) | Question::Kill(_) => false,
        };
        if again {
            self.coverage.count(Rare::QuestionRepeated);
        }
        let fault = self.troubled && self.rng.below(100) < self.plan.faults.question;
        let (delay, stale) = match (fault, self.rng.below(3)) {
            (false, _) => (Some(self.rng.below(2000) as u64), false),
            (true, 0) => (Some(0), !again),
            (true, 1) => {
                self.coverage.count(Rare::QuestionLate);
                (Some(12_000_000), false)
            }
            (true, _) => {
                self.coverage.count(Rare::QuestionUnanswered);
                (None, false)
            }
        };
        if delay.is_none_or(|delay| delay > 1_000_000) {
            self.model.trouble(ix, &[Cause::LoginTimeout]);
        }
        let at = delay.map(|delay| Instant(self.now.0 + delay));
        self.slots[ix].asked.push(Asked {
            token,
            question,
            at,
            stale,
        });
    }

    pub(super) fn connect(&mut self, ix: usize, backend: BackendId, server: ServerId) {
        let place = usize::from(backend.0);
        let host = &self.hosts[server.0 as usize];
        let fault = self.troubled && self.rng.below(100) < self.plan.faults.connect;
        let kind = self.rng.below(3);
        let (fails, never) = match (host.alive, host.silent || fault && kind == 1) {
            (_, true) => (false, true),
            (false, false) => (true, false),
            (true, false) => (fault && kind == 0, false),
        };
        if fails || never {
            self.coverage.count(if never {
                Rare::ConnectTimedOut
            } else {
                Rare::ConnectRefused
            });
            self.model
                .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
            self.model.silent |= never;
        }
        let at = (!never).then(|| Instant(self.now.0 + self.rng.below(3000) as u64));
        let slot = &self.slots[ix];
        if slot.client.stage == crate::client::Stage::Commands
            && self.model.sessions[ix].state.vars.len() > 1
        {
            self.coverage.count(Rare::HistoryReplayed);
        }
        let link = Link {
            server,
            reach: Reach::Connecting { at, fails },
            input: Input::default(),
            cut: false,
        };
        self.seat(ix, place, link);
    }

    pub(super) fn seat(&mut self, ix: usize, place: usize, link: Link) {
        let slot = &mut self.slots[ix];
        if slot.links.len() <= place {
            slot.links.resize_with(place + 1, || None);
        }
        if slot.links[place].replace(link).is_some() {
            self.model
                .breach(format!("session {ix}: connection {place} is made twice"));
        }
    }

    /// The session gives a connection up: what was written still arrives.
    fn part(&mut self, ix: usize, backend: BackendId) {
        let link = self.slots[ix]
            .links
            .get_mut(usize::from(backend.0))
            .and_then(Option::take);
        self.model.sessions[ix].gave_up = self.model.step;
        match link {
            Some(link) => {
                // It may have waited in vain for the server.
                let unheard = link.conn().is_none_or(|conn| self.conns[conn].hung);
                if unheard {
                    self.model
                        .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
                }
                if let Some(conn) = link.conn() {
                    self.conns[conn].parted = true;
                    self.model.parted.insert(self.conns[conn].id);
                }
            }
            None if self.leave_line(ix, backend) => {}
            None => self.model.breach(format!(
                "session {ix}: {backend:?} is closed and was not open"
            )),
        }
    }

    /// The session has ended.
    fn finished(&mut self, ix: usize, cause: Cause) {
        self.trace.note(&[4, ix as u64, cause as u64], || {
            format!("session {ix} ends: {}", cause.word())
        });
        self.check_ending(ix, cause);
        self.model.ended(ix, cause);
        let slot = &mut self.slots[ix];
        slot.session = None;
        slot.closed = true;
        slot.asked.clear();
        slot.wake = None;
        self.line.retain(|(who, _)| *who != ix);
        let slot = &mut self.slots[ix];
        for link in slot.links.drain(..).flatten() {
            if let Some(conn) = link.conn() {
                self.conns[conn].parted = true;
                self.model.parted.insert(self.conns[conn].id);
            }
        }
        if self.model.sessions[ix].trx != Trx::None && cause == Cause::Killed {
            self.coverage.count(Rare::KilledInTransaction);
        }
    }

    /// Presents what came from a side, behind what was kept of it.
    pub(super) fn present(&mut self, ix: usize, side: Side) {
        let Some(input) = self.input(ix, side) else {
            return;
        };
        input.again = false;
        let mut kept = std::mem::take(&mut input.kept);
        if kept.is_empty() {
            return;
        }
        let conn = self.conn_of(ix, side);
        let swollen = self.slots[ix].input.swollen && side == Side::Client;
        let before = self.slots[ix].client.written;
        let consumed = self.enter(ix, &mut kept, |session, run, env| {
            session.on_bytes(side, run, env)
        });
        self.trace.note(
            &[
                5,
                ix as u64,
                kept.len() as u64,
                consumed.unwrap_or(0) as u64,
            ],
            || {
                format!(
                    "session {ix}: {side:?} {} bytes, {consumed:?} consumed",
                    kept.len()
                )
            },
        );
        let consumed = consumed.unwrap_or(kept.len());
        if side == Side::Client && consumed > 0 {
            self.slots[ix].hear(self.now);
        }
        if consumed > kept.len() {
            self.model.breach(format!(
                "session {ix}: {consumed} bytes consumed of {}",
                kept.len()
            ));
            return;
        }
        if swollen && self.slots[ix].session.is_some() && self.slots[ix].client.written > before {
            self.model.breach(format!(
                "session {ix}: the proxy answers a client that does not read"
            ));
        }
        if self.conn_of(ix, side) == conn
            && let Some(input) = self.input(ix, side)
        {
            kept.drain(..consumed);
            input.kept = kept;
        }
    }

    /// Which connection of the server a side is now.
    fn conn_of(&self, ix: usize, side: Side) -> Option<usize> {
        match side {
            Side::Client => None,
            Side::Backend(backend) => self.slots[ix].link(backend).and_then(Link::conn),
        }
    }

    /// Tells the session of sides that crossed a water mark.
    pub(super) fn settle_backlogs(&mut self, ix: usize) {
        let (high, low) = self.plan.marks;
        let mut sides: Vec<(Side, usize)> =
            vec![(Side::Client, self.slots[ix].client.unread() as usize)];
        for (backend, link) in self.slots[ix].open_links() {
            if let Some(conn) = link.conn() {
                sides.push((Side::Backend(backend), self.conns[conn].from_proxy.len()));
            }
        }
        for (side, unsent) in sides {
            let Some(input) = self.input(ix, side) else {
                continue;
            };
            let backlog = match input.swollen {
                false if unsent > high => Backlog::High,
                true if unsent <= low => Backlog::Low,
                _ => continue,
            };
            input.swollen = backlog == Backlog::High;
            if backlog == Backlog::High {
                self.coverage.count(if side == Side::Client {
                    Rare::BacklogOfClient
                } else {
                    Rare::BacklogOfServer
                });
            }
            self.trace.note(&[6, ix as u64, unsent as u64], || {
                format!("session {ix}: {side:?} backlog {backlog:?}")
            });
            self.enter(ix, &mut [], |session, _, env| {
                session.on_backlog(side, backlog, env)
            });
        }
    }

    /// The fate of a transaction whose connection is closed.
    pub(super) fn close_conn(&mut self, conn: usize) {
        self.conns[conn].close(&mut self.model, Fate::Vanished);
    }
}
