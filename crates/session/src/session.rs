//! The session: its state, its entry points, and what every entry point ends with.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidegate_sql::{Cache, Modes, TrxTracker};
use tidegate_wire::Caps;
use tidegate_wire::compress::CompressionOffer;

use crate::backend::{Backend, State};
use crate::cause::Cause;
use crate::chain::{FilterSlot, Node, TreeNeeds};
use crate::client::Client;
use crate::digests::{DigestBook, TableId};
use crate::fault::{Fault, SessionFault};
use crate::history::History;
use crate::ids::{BackendId, SessionId, Side, Token};
use crate::kill::Aims;
use crate::login::Dialogue;
use crate::losses::Retries;
use crate::observe::Observe;
use crate::origin::Origin;
use crate::output::{Event, Level, LogLine, Op, Output};
use crate::put_off::PutOff;
use crate::question::Answer;
use crate::replay::Replay;
use crate::restart::Displaced;
use crate::service::{Counted, LogSwitches, ServiceShard, ServiceSpec};
use crate::sharing::Lending;
use crate::stmts::Statements;
use crate::sync::Syncing;
use crate::terms::Terms;
use crate::ticket::{Passed, Stream, Ticket, Verdicts};
use crate::time::{Instant, WallTime};
use crate::tune::IdleLimits;
use crate::waiting::Waiting;
use crate::world::ServerViews;

/// How long a client may take from the greeting to the end of its login.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server connection may take from the first SYN until it is usable, where no monitor
/// says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What the worker lends to every entry point.
#[allow(
    missing_debug_implementations,
    reason = "a bundle of borrows, one of them a large cache"
)]
pub struct Env<'a> {
    /// The time of this turn.
    pub now: Instant,
    /// The same as wall-clock time.
    pub wall: WallTime,
    /// The servers as they are now.
    pub servers: &'a ServerViews,
    /// Which shard of the counters may be written.
    pub worker: usize,
    /// What is logged anyway, whatever service and session say.
    pub log: LogSwitches,
    /// The worker's classification cache.
    pub classifier: &'a mut Cache,
    /// The worker's statement digests.
    pub digests: &'a mut DigestBook,
    /// Filled with what is to be done.
    pub out: &'a mut Output,
}

impl Env<'_> {
    /// The cache, and the rest to be lent beside it.
    pub(crate) fn split(&mut self) -> (&mut Cache, Cx<'_>) {
        let cx = Cx {
            now: self.now,
            wall: self.wall,
            servers: self.servers,
            worker: self.worker,
            log: self.log,
            digests: self.digests,
            out: self.out,
        };
        (self.classifier, cx)
    }

    pub(crate) fn cx(&mut self) -> Cx<'_> {
        self.split().1
    }
}

/// [`Env`] without the classifier.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    pub(crate) now: Instant,
    pub(crate) wall: WallTime,
    pub(crate) servers: &'a ServerViews,
    pub(crate) worker: usize,
    pub(crate) log: LogSwitches,
    pub(crate) digests: &'a mut DigestBook,
    pub(crate) out: &'a mut Output,
}

/// What a session begins with.
#[derive(Debug)]
pub struct Birth {
    /// Its number.
    pub id: SessionId,
    /// The service its listener stands in front of.
    pub service: Arc<ServiceSpec>,
    /// The listener's name.
    pub listener: Arc<str>,
    /// Where its connection comes from.
    pub origin: Origin,
    /// Twenty random bytes, none of them zero.
    pub scramble: [u8; 20],
    /// More of them, which nobody is shown.
    pub seed: [u8; 32],
    /// The plugin that the greeting names.
    pub plugin: &'static [u8],
    /// What the greeting says of the servers behind.
    pub greeting: GreetingFacts,
}

/// What a greeting says of the servers behind, computed by the caller from what monitors saw.
#[derive(Debug, Clone)]
pub struct GreetingFacts {
    /// The version text.
    pub version: Arc<str>,
    /// What is offered: what the proxy and every usable server can do.
    pub caps: Caps,
    /// The default collation.
    pub collation: u8,
    /// All servers are MySQL's, not MariaDB's.
    pub mysql_family: bool,
    /// How the client may have its bytes compressed.
    pub compression: CompressionOffer,
    /// What its listener's parameters say.
    pub terms: Arc<Terms>,
}

/// Whether one side's unsent bytes are above the high or below the low water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Too much: stop producing.
    High,
    /// Little enough: go on.
    Low,
}

/// What the session is doing with its client.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The login, or a COM_CHANGE_USER.
    Dialogue(Box<Dialogue>),
    /// Commands.
    Commands,
    /// Nothing any more.
    Over(Cause),
}

/// One client connection with everything that belongs to it. See the crate's documentation.
#[derive(Debug)]
pub struct Session {
    pub(crate) id: SessionId,
    pub(crate) service: Arc<ServiceSpec>,
    /// This worker's counters of the service.
    pub(crate) counters: Arc<ServiceShard>,
    pub(crate) listener: Arc<str>,
    pub(crate) phase: Phase,
    pub(crate) client: Client,
    /// The session's own filters, before those of the service.
    pub(crate) own_filters: Vec<FilterSlot>,
    /// Filters to be put in place at the next rest.
    pub(crate) next_filters: Option<Vec<FilterSlot>>,
    /// The snapshot of the service that it takes at the next rest outside a transaction.
    pub(crate) next_service: Option<Arc<ServiceSpec>>,
    /// The old tree while a new one is made.
    pub(crate) displaced: Option<Box<Displaced>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) needs: TreeNeeds,
    pub(crate) backends: Vec<Backend>,
    /// Commands whose answer the client waits for, oldest first.
    pub(crate) tickets: VecDeque<Ticket>,
    /// The commands at the head that could not be sent yet and whose bytes are not the client's
    /// any more: they were sent once, or a filter made them.
    pub(crate) pending: VecDeque<Vec<u8>>,
    /// The filters that the command at the head has passed.
    pub(crate) passed: Vec<Passed>,
    /// Those that the newest unanswered command has passed.
    pub(crate) passed_by_newest: Vec<Passed>,
    /// The command at the head was sent before; the two lists above have changed their places.
    pub(crate) sent_again: bool,
    /// The rest of a command that is longer than what was looked at.
    pub(crate) stream: Option<Box<Stream>>,
    /// The client is sending a file to this connection.
    pub(crate) infile: Option<BackendId>,
    pub(crate) history: History,
    pub(crate) stmts: Statements,
    pub(crate) trx: TrxTracker,
    /// What was said of the next transaction, while one is to come.
    pub(crate) next_trx: Vec<Box<[u8]>>,
    pub(crate) modes: Modes,
    pub(crate) verdicts: Verdicts,
    /// Counts commands, so that the least recently used connection can be told.
    pub(crate) uses: u64,
    /// Counts session commands.
    pub(crate) last_seq: u64,
    /// What the command at the head waits for, or has waited for.
    pub(crate) waiting: Option<Waiting>,
    /// The statement in flight, if it may be sent again.
    pub(crate) retry: Vec<u8>,
    /// How often that has been sent again.
    pub(crate) retries: Retries,
    /// The record of the open transaction; `None`: nobody wants it.
    pub(crate) replay: Option<Box<Replay>>,
    /// It lends its connections while it is idle; `None`: never.
    pub(crate) lending: Option<Box<Lending>>,
    /// How often it has lent one. Never begins again: what it lent before a restart may still be about,
    /// and must not be taken for what it lent since.
    pub(crate) loans: u64,
    /// An answer that waits for replicas; `None`: none ever does.
    pub(crate) sync: Option<Box<Syncing>>,
    pub(crate) observe: Observe,
    /// Where its statements are counted.
    pub(crate) digests: Option<TableId>,
    /// How the routers counted the command that was announced last.
    pub(crate) counted: Cell<Counted>,
    /// Bytes of the client wait for something to happen.
    pub(crate) held: bool,
    /// Something happened that they may have waited for.
    pub(crate) moved: bool,
    /// The client has more unsent bytes than the high water mark.
    pub(crate) client_backlogged: bool,
    /// Since when it has taken none of what waits for it.
    pub(crate) stalled_since: Instant,
    /// The client is not read.
    pub(crate) client_paused: bool,
    /// Look for connections to let go at the next rest: the servers changed, or a router wants it.
    pub(crate) look_for_spare: Cell<bool>,
    /// The command at the head found no server and is routed again later.
    pub(crate) put_off: Option<PutOff>,
    /// Counts the commands that have left the head, and the times one was put off.
    pub(crate) heads: u64,
    /// How long client and connections may be idle.
    pub(crate) limits: IdleLimits,
    /// When `on_tick` will be called; `None`: not asked for.
    pub(crate) armed: Option<Instant>,
    /// There may be a deadline before that.
    pub(crate) nearer: bool,
    /// The client waits for a KILL to be carried out.
    pub(crate) killing: bool,
    /// KILLs of others that mean it.
    pub(crate) aims: Aims,
    /// Killed at that time.
    pub(crate) kill_at: Option<Instant>,
    /// Ends at the next rest outside a transaction.
    pub(crate) drain: Option<Cause>,
}

impl Session {
    /// The most unconsumed bytes of one side that the core ever needs to see at once.
    pub const WINDOW: usize = 256 * 1024 + 4;

    /// Begins a session: the greeting goes out.
    #[must_use]
    pub fn start(birth: Birth, env: &mut Env<'_>) -> Session {
        let mut session = Session::empty(&birth, env.now, env.wall, env.worker);
        let mut cx = env.cx();
        session.find_digests(&mut cx);
        session.tune(cx.servers);
        session.counters.sessions.add(1);
        session.counters.total_sessions.add(1);
        let open = session.service.counters.now(|shard| &shard.sessions);
        session.counters.max_sessions.raise(open);
        session.greet(&birth, &mut cx);
        session.finish_event(env);
        session
    }

    pub(crate) fn empty(birth: &Birth, now: Instant, wall: WallTime, worker: usize) -> Session {
        let service = &birth.service;
        Session {
            id: birth.id,
            service: Arc::clone(service),
            counters: Arc::clone(service.counters.shard(worker)),
            listener: Arc::clone(&birth.listener),
            phase: Phase::Commands,
            client: Client::new(&birth.origin, now, wall),
            own_filters: Vec::new(),
            next_filters: None,
            next_service: None,
            displaced: None,
            nodes: Vec::new(),
            needs: TreeNeeds::default(),
            backends: Vec::new(),
            tickets: VecDeque::new(),
            pending: VecDeque::new(),
            passed: Vec::new(),
            passed_by_newest: Vec::new(),
            sent_again: false,
            stream: None,
            infile: None,
            history: History::new(service.history),
            stmts: Statements::default(),
            trx: TrxTracker::default(),
            next_trx: Vec::new(),
            modes: Modes::default(),
            verdicts: Verdicts::default(),
            uses: 0,
            last_seq: 0,
            waiting: None,
            retry: Vec::new(),
            retries: Retries::default(),
            replay: None,
            lending: None,
            loans: 0,
            sync: None,
            observe: Observe::new(
                service.retain_last_statements,
                service.session_trace.lines,
                service.log_switches,
            ),
            digests: None,
            counted: Cell::default(),
            held: false,
            moved: false,
            client_backlogged: false,
            stalled_since: Instant::default(),
            client_paused: false,
            look_for_spare: Cell::new(false),
            put_off: None,
            heads: 0,
            limits: IdleLimits {
                wait_timeout: service.wait_timeout,
                keepalive: service.keepalive,
            },
            armed: None,
            nearer: true,
            killing: false,
            aims: Aims::default(),
            kill_at: None,
            drain: None,
        }
    }

    /// Bytes came in from `side`. Returns how many were consumed; the rest is presented again at
    /// the start of the next run.
    pub fn on_bytes(&mut self, side: Side, run: &mut [u8], env: &mut Env<'_>) -> usize {
        if self.is_over() {
            return run.len();
        }
        self.observe.event(env.now);
        let consumed = match side {
            Side::Client => {
                self.saw_again();
                self.client_bytes(run, env)
            }
            Side::Backend(backend) => self.backend_bytes(backend, run, &mut env.cx()),
        };
        self.finish_event(env);
        consumed
    }

    /// The peer closed or reset its connection; its last bytes have been presented.
    pub fn on_eof(&mut self, side: Side, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        match side {
            Side::Client => self.finish(Cause::ClientLost, None, &mut env.cx()),
            Side::Backend(backend) => {
                let mut cx = env.cx();
                if !self.open_instead(backend, &mut cx) {
                    self.backend_lost(backend, "the server closed the connection", &mut cx);
                }
            }
        }
        self.finish_event(env);
    }

    /// A connection that was asked for stands.
    pub fn on_backend_up(&mut self, backend: BackendId, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.connected(backend, &mut env.cx());
        self.finish_event(env);
    }

    /// A connection that was asked for could not be made.
    pub fn on_backend_down(&mut self, backend: BackendId, reason: &str, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.backend_lost(backend, reason, &mut env.cx());
        self.finish_event(env);
    }

    /// The answer to a question. A late one, to a question nobody waits for any more, is ignored.
    pub fn on_answer(&mut self, token: Token, answer: Answer, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.answered(token, answer, &mut env.cx());
        self.finish_event(env);
    }

    /// The time that was asked for has come.
    pub fn on_tick(&mut self, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.armed = None;
        self.nearer = true;
        self.check_deadlines(&mut env.cx());
        self.finish_event(env);
    }

    /// `env.servers` was renewed.
    pub fn on_servers(&mut self, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        self.tune(env.servers);
        self.servers_changed(&mut env.cx());
        self.finish_event(env);
    }

    /// One side's unsent bytes crossed a water mark: whoever feeds it is paused or resumed. Told again
    /// that they are above it: some of them have gone.
    pub fn on_backlog(&mut self, side: Side, backlog: Backlog, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        let high = backlog == Backlog::High;
        match side {
            Side::Client => {
                self.client_backlogged = high;
                self.moved = !high;
                self.stalled_since = env.now;
                self.nearer = true;
            }
            Side::Backend(id) => {
                if let Some(backend) = self.backend_mut(id) {
                    backend.backlogged = high;
                }
            }
        }
        self.apply_backlog(&mut env.cx());
        self.finish_event(env);
    }

    /// Reading is paused exactly where somebody who must take the bytes cannot.
    pub(crate) fn apply_backlog(&mut self, cx: &mut Cx<'_>) {
        let pause_client = self
            .backends
            .iter()
            .any(|backend| backend.is_connected() && backend.backlogged);
        if pause_client != self.client_paused {
            self.client_paused = pause_client;
            cx.out.push(if pause_client {
                Op::Pause(Side::Client)
            } else {
                Op::Resume(Side::Client)
            });
        }
        for (ix, backend) in self.backends.iter_mut().enumerate() {
            let pause = self.client_backlogged && backend.is_connected();
            if pause != backend.paused {
                backend.paused = pause;
                if backend.is_connected() {
                    let side = Side::Backend(BackendId(u16::try_from(ix).unwrap_or(u16::MAX)));
                    cx.out.push(if pause {
                        Op::Pause(side)
                    } else {
                        Op::Resume(side)
                    });
                }
            }
        }
    }

    /// Has it ended? Nothing else may be asked of it then.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// What it ended with.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self.phase {
            Phase::Over(cause) => Some(cause),
            Phase::Dialogue(_) | Phase::Commands => None,
        }
    }

    /// Has the login been accepted? Only then it is listed.
    #[must_use]
    pub fn has_login(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The service it runs on.
    #[must_use]
    pub fn service(&self) -> &Arc<ServiceSpec> {
        &self.service
    }

    /// The listener it came through.
    #[must_use]
    pub fn listener(&self) -> &Arc<str> {
        &self.listener
    }

    /// Nothing owed to anybody (replies that will be thrown away included), nothing held, no
    /// question open, every connection open or closed.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        matches!(self.phase, Phase::Commands)
            && self.client_is_idle()
            && !self.held
            && self.passed.is_empty()
            && self.backends.iter().all(|backend| {
                backend.owed.is_empty()
                    && matches!(
                        backend.state,
                        State::Closed | State::Failed | State::Lent | State::Ready
                    )
            })
    }

    /// The client waits for nothing and has said nothing that is not answered.
    pub(crate) fn client_is_idle(&self) -> bool {
        self.tickets.is_empty()
            && self.pending.is_empty()
            && self.stream.is_none()
            && self.infile.is_none()
            && !self.is_replaying()
            && !self.killing
            && self.waiting.is_none()
    }

    #[inline]
    pub(crate) fn backend(&self, id: BackendId) -> Option<&Backend> {
        self.backends.get(usize::from(id.0))
    }

    #[inline]
    pub(crate) fn backend_mut(&mut self, id: BackendId) -> Option<&mut Backend> {
        self.backends.get_mut(usize::from(id.0))
    }

    pub(crate) fn backend_ids(&self) -> impl Iterator<Item = BackendId> + use<> {
        (0..u16::try_from(self.backends.len()).unwrap_or(u16::MAX)).map(BackendId)
    }

    /// Does a line of this level reach the log?
    pub(crate) fn logs(&self, level: Level, cx: &Cx<'_>) -> bool {
        cx.log.allows(level) || self.observe.switches.allows(level)
    }

    /// A line for the log, if anybody wants it; `text` is made only then.
    pub(crate) fn log(&mut self, level: Level, cx: &mut Cx<'_>, text: impl FnOnce() -> String) {
        let wanted = self.logs(level, cx);
        if !wanted && !self.observe.is_tracing() {
            return;
        }
        let text = text();
        self.observe.trace(cx.wall, level, &text);
        if wanted {
            let asked = self.observe.switches.allows(level);
            cx.out.log(level, text, asked);
        }
    }

    /// Something for the log that has a level of its own there.
    pub(crate) fn log_event(&mut self, event: Event, text: &str, cx: &mut Cx<'_>) {
        self.observe.trace(cx.wall, Level::Warning, text);
        cx.out.logs.push(LogLine {
            level: Level::Warning,
            text: text.to_owned(),
            event: Some(event),
            asked: false,
        });
    }

    /// What every entry point ends with.
    #[inline]
    pub(crate) fn finish_event(&mut self, env: &mut Env<'_>) {
        let is_waited_for = |session: &Session| {
            session.needs.follows || session.held || !session.pending.is_empty()
        };
        let is_quiet = !(self.moved && is_waited_for(self))
            && env.out.warnings.get_mut().is_empty()
            && !self.awaits_rest();
        if is_quiet {
            self.moved = false;
        } else {
            self.follow_up(env);
        }
        if self.lending.is_some() {
            self.lend_if_idle(&mut env.cx());
        }
        self.arm(env.now, env.out);
        if cfg!(debug_assertions) {
            self.check_invariants();
        }
    }

    /// Is there something to do when the session rests?
    #[inline]
    fn awaits_rest(&self) -> bool {
        let changes =
            self.next_filters.is_some() || self.next_service.is_some() || self.drain.is_some();
        changes || self.look_for_spare.get()
    }

    /// What an event has made possible or necessary.
    #[inline(never)]
    fn follow_up(&mut self, env: &mut Env<'_>) {
        if !env.out.warnings.get_mut().is_empty() {
            for text in env.out.warnings.take() {
                self.log(Level::Warning, &mut env.cx(), || text);
            }
        }
        if self.awaits_rest() {
            self.at_next_rest(&mut env.cx());
        }
        if self.moved && !self.is_over() {
            self.moved = false;
            if self.needs.follows {
                self.drive_replay(env);
                self.ask_replicas(&mut env.cx());
            }
            if !self.is_replaying() {
                self.resume_pending(env);
            }
            if self.held && !self.is_replaying() && !self.is_over() && self.pending.is_empty() {
                self.held = false;
                if !planted!(AgainForgotten) {
                    env.out.push(Op::Again(Side::Client));
                }
                self.expect_again();
            }
        }
    }

    /// What waited for the session's next rest.
    fn at_next_rest(&mut self, cx: &mut Cx<'_>) {
        let in_flight = !self.tickets.is_empty() || self.stream.is_some() || self.infile.is_some();
        if self.is_over() || !matches!(self.phase, Phase::Commands) || in_flight {
            return;
        }
        let idle = self.client_is_idle();
        if let Some(cause) = self.drain
            && idle
            && !self.trx.is_open()
        {
            self.finish(cause, Some(&SessionFault::Shutdown), cx);
            return;
        }
        // A command that waits may have passed the old ones.
        if idle
            && self.passed.is_empty()
            && let Some(filters) = self.next_filters.take()
        {
            self.swap_filters(filters, cx);
        }
        self.restart_if_due(cx);
        if self.look_for_spare.get() {
            self.let_go_spare(cx);
        }
    }

    /// Ends the session: tells the client why where the protocol allows it, closes everything.
    pub(crate) fn finish(&mut self, cause: Cause, fault: Option<&SessionFault>, cx: &mut Cx<'_>) {
        if self.is_over() {
            return;
        }
        self.tell_kept(false, cx);
        if self.is_over() {
            return;
        }
        if let Some(fault) = fault
            && self.may_send_error()
        {
            self.send_error(&fault.client_reply(), cx);
        }
        self.close_chain(cx);
        self.close_backends(cx);
        self.settle_counters(cause, cx.now);
        self.log_end(cause, fault, cx);
        self.phase = Phase::Over(cause);
        cx.out.push(Op::Finish(cause));
    }

    /// Ends the session because of `fault`.
    pub(crate) fn fail(&mut self, fault: &SessionFault, cx: &mut Cx<'_>) {
        self.finish(fault.cause(), Some(fault), cx);
    }

    /// An ERR packet may go to the client only where no other packet is in progress.
    fn may_send_error(&self) -> bool {
        if let Some((_, torn)) = self.interrupted_at() {
            return !torn && self.stream.is_none();
        }
        let between_packets = match self.tickets.front() {
            Some(ticket) => match ticket.answer.and_then(|id| self.backend(id)) {
                Some(backend) => !ticket.started || backend.tracker.at_packet_boundary(),
                None => !ticket.torn,
            },
            None => true,
        };
        between_packets && self.stream.is_none()
    }

    fn close_chain(&mut self, cx: &mut Cx<'_>) {
        let client = &self.client;
        let scene = client.filter_scene(self.id, &self.service.name, cx);
        for slot in &mut self.own_filters {
            slot.session.on_end(&scene);
        }
        self.close_services(cx);
    }

    /// The filters of the services hear that they are not needed any more.
    pub(crate) fn close_services(&mut self, cx: &mut Cx<'_>) {
        let client = &self.client;
        for node in &mut self.nodes {
            let scene = client.filter_scene(self.id, &node.spec.name, cx);
            for slot in &mut node.filters {
                slot.session.on_end(&scene);
            }
        }
    }

    pub(crate) fn close_backends(&mut self, cx: &mut Cx<'_>) {
        for id in self.backend_ids() {
            self.part_from(id, cx);
        }
    }

    fn log_end(&mut self, cause: Cause, fault: Option<&SessionFault>, cx: &mut Cx<'_>) {
        // A refused login has been told of already, where it is to be told.
        let level = if cause.is_trouble() && cause != Cause::LoginFailed {
            Level::Warning
        } else {
            Level::Info
        };
        let retained = self.service.dump_at_end(cause);
        let text = format!(
            "session ended: {}{}{}",
            cause.word(),
            if fault.is_some() { ": " } else { "" },
            fault.map(ToString::to_string).unwrap_or_default()
        );
        self.log(level, cx, || text);
        if self.trace_is_told(cause) && self.logs(Level::Notice, cx) {
            self.tell_trace(cx.out);
        }
        if retained {
            for line in self.observe.retained_lines() {
                self.log(Level::Notice, cx, || line);
            }
        }
    }

    fn tell_trace(&self, out: &mut Output) {
        let asked = self.observe.switches.allows(Level::Notice);
        for line in self.observe.log() {
            out.log(Level::Notice, format!("session trace: {line}"), asked);
        }
    }

    /// Are the lines kept of this session worth the log, now that it ends so?
    fn trace_is_told(&self, cause: Cause) -> bool {
        let surprised = matches!(
            cause,
            Cause::ClientLost | Cause::ServerProtocol | Cause::SessionCommand
        );
        let is_awaited = |line: &String| {
            let dump_if = &self.service.session_trace.dump_if;
            dump_if.as_ref().is_some_and(|it| it.matches(line))
        };
        surprised || self.observe.log().iter().any(is_awaited)
    }

    /// Gives the counters back what the session holds of them.
    fn settle_counters(&mut self, cause: Cause, now: Instant) {
        let shard = &self.counters;
        shard.sessions.sub(1);
        let outstanding = self.tickets.len() as u64;
        shard.operations.sub(outstanding);
        if let Some(count) = shard.closed.get(cause as usize) {
            count.add(1);
        }
        let age_us = u64::try_from(now.since(self.client.started).as_micros()).unwrap_or(u64::MAX);
        shard.lifetime_us.add(age_us);
        shard.max_lifetime_us.raise(age_us);
        shard.history_len.add(self.history.len() as u64);
        shard.max_history_len.raise(self.history.len() as u64);
    }

    /// After a panic in an entry point: gives back the counters and ends, touching nothing that
    /// the panic may have left half done. The output of that entry point must have been dropped.
    pub fn abandon(&mut self, env: &mut Env<'_>) {
        if self.is_over() {
            return;
        }
        // It may have panicked while a new tree was made, which holds nothing yet.
        self.put_back();
        self.give_back_connections(env.now);
        for backend in &mut self.backends {
            backend.reset(State::Closed);
        }
        self.settle_counters(Cause::Panic, env.now);
        self.phase = Phase::Over(Cause::Panic);
        if self.logs(Level::Notice, &env.cx()) {
            self.tell_trace(env.out);
        }
    }

    /// Takes the session's connections and statements out of the gauges.
    pub(crate) fn give_back_connections(&self, now: Instant) {
        for backend in self
            .backends
            .iter()
            .filter(|backend| backend.is_connected())
        {
            backend.hand_back(now);
        }
    }

    /// What the session will offer or has agreed with its client.
    #[must_use]
    pub fn client_caps(&self) -> Caps {
        self.client.caps
    }
}
