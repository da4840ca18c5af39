//! A session and everything around it, driven by a script.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tidegate_session::digests::DigestBook;
use tidegate_session::question::{AccountAnswer, Answer, Barred, FoundAccount, KillAnswer};
use tidegate_session::world::ServerViews;
use tidegate_session::{
    BackendId, Backlog, Birth, Control, Env, ErrReply, Errand, Instant, LogSwitches, Op, Origin,
    Output, ServiceSpec, Session, SessionId, Side, Thawing, Token, WallTime,
};
use tidegate_sql::Cache;
use tidegate_wire::auth::native::NativeHash;
use tidegate_wire::frame::frame_into;
use tidegate_wire::{Caps, Command};

use super::packets::{self, TEXTS};
use super::peer::Peer;
use super::{Script, setting};

/// A session is given its bytes again at most so often before it has to be content.
const PATIENCE: usize = 1000;

/// Bytes of a peer that are not consumed and are still added to.
const MOST_KEPT: usize = Session::WINDOW;

/// A session, its peers and its world.
pub(crate) struct World {
    session: Session,
    service: Arc<ServiceSpec>,
    views: ServerViews,
    caps: Caps,
    classifier: Box<Cache>,
    digests: DigestBook,
    out: Output,
    now: Instant,
    wake: Option<Instant>,
    asked: Vec<Token>,
    client: Peer,
    backends: Vec<Option<Peer>>,
    over: bool,
}

/// What an entry point is lent; by parts, so that the session beside it can be borrowed too.
macro_rules! env {
    ($world:expr) => {
        Env {
            now: $world.now,
            wall: WallTime(1_700_000_000_000_000 + $world.now.0 as i64),
            servers: &$world.views,
            worker: 0,
            log: LogSwitches::default(),
            classifier: &mut $world.classifier,
            digests: &mut $world.digests,
            out: &mut $world.out,
        }
    };
}

impl World {
    /// A new session on the service that the bytes choose.
    pub(super) fn start(choices: &[u8; 2]) -> World {
        let mut stage = Stage::new(choices);
        let birth = Birth {
            id: SessionId(1),
            service: Arc::clone(&stage.service),
            listener: "L".into(),
            origin: Origin::local_client(),
            scramble: [7; 20],
            seed: [7; 32],
            plugin: tidegate_wire::auth::NATIVE,
            greeting: setting::greeting(stage.caps),
        };
        let session = Session::start(birth, &mut env!(stage));
        let mut world = stage.with(session);
        world.carry_out(&[]);
        world
    }

    /// A session from bytes that may be one's frozen state.
    pub(super) fn thawed(choices: &[u8], frozen: &[u8]) -> Option<World> {
        let choices = <&[u8; 2]>::try_from(choices).ok()?;
        let mut stage = Stage::new(choices);
        let with = Thawing {
            service: Arc::clone(&stage.service),
            filter: &setting::Own,
            origin: Origin::local_client(),
        };
        let session = match Session::thaw(frozen, &with, &mut env!(stage)) {
            Ok(session) => session,
            Err(error) => {
                assert_ne!(error.to_string(), "");
                return None;
            }
        };
        let mut world = stage.with(session);
        world.backends = (0..=ServiceSpec::MAX_TARGETS)
            .map(|_| Some(Peer::connected()))
            .collect();
        world.carry_out(&[]);
        Some(world)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The frozen session, if it is at rest.
    pub(super) fn frozen(&mut self) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        self.session.freeze(self.now)
    }

    /// Ends the session if it has not ended, and looks whether it gave everything back.
    pub(super) fn end(&mut self) {
        if !self.over {
            self.control(Control::Kill { after: None });
        }
        assert!(self.over, "a kill ends a session");
        let ServiceSpec {
            counters,
            target_counters,
            ..
        } = &*self.service;
        assert_eq!(counters.sum(|shard| &shard.sessions), 0, "sessions");
        assert_eq!(counters.sum(|shard| &shard.operations), 0, "operations");
        for counters in target_counters {
            assert_eq!(counters.sum(|shard| &shard.connections), 0, "of a target");
        }
        for view in &self.views.0 {
            assert_eq!(view.counters.sum(|shard| &shard.connections), 0, "{view:?}");
            assert_eq!(view.counters.sum(|shard| &shard.operations), 0, "{view:?}");
        }
    }

    /// One step of the script.
    pub(super) fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 16 {
            0 => self.client_says(script.bytes()),
            1 => self.client_packet(0, script.bytes()),
            2 => self.client_packet(self.client.next_seq, script.bytes()),
            3 => {
                let choice = usize::from(script.byte().unwrap_or_default());
                let text = TEXTS[choice % TEXTS.len()];
                self.client_packet(0, &[&[Command::Query.byte()], text.as_bytes()].concat());
            }
            4 => {
                let choice = script.byte().unwrap_or_default();
                let command = packets::prepared(choice, choice >> 3 & 7);
                self.client_packet(0, &command);
            }
            5 => {
                let choice = usize::from(script.byte().unwrap_or_default());
                let command = Command::ALL[choice % Command::ALL.len()];
                if command == Command::ChangeUser {
                    self.client_packet(0, packets::change_user());
                } else {
                    let payload = [&[command.byte()], script.bytes()].concat();
                    self.client_packet(0, &payload);
                }
            }
            6 => {
                let choice = script.byte().unwrap_or_default();
                let response = packets::client_response(self.caps, choice);
                self.client_says(&response);
            }
            7 => self.answer(script.byte().unwrap_or_default()),
            8 => self.line_event(script.byte().unwrap_or_default()),
            9 => self.serve(script.byte().unwrap_or_default()),
            10 => {
                let backend = script.byte().unwrap_or_default();
                self.server_says(self.backend(backend), script.bytes());
            }
            11 => {
                let backend = self.backend(script.byte().unwrap_or_default());
                let mut bytes = Vec::new();
                if let Some(peer) = self.peer(Side::Backend(backend)) {
                    let heard = peer.heard.pop_front();
                    let mut seq = heard.map_or(peer.next_seq, |heard| heard.seq.wrapping_add(1));
                    frame_into(&mut bytes, &mut seq, script.bytes());
                    peer.next_seq = seq;
                }
                self.server_says(backend, &bytes);
            }
            12 => self.pass_time(script.byte().unwrap_or_default()),
            13 => {
                let choice = script.byte().unwrap_or_default();
                let server = usize::from(choice & 3) % setting::SERVERS;
                self.views.0[server].status = setting::status(choice >> 2);
                self.call(|session, env| session.on_servers(env));
            }
            14 => self.administer(script.byte().unwrap_or_default()),
            _ => self.backlog_or_freeze(script.byte().unwrap_or_default()),
        }
    }

    fn client_says(&mut self, bytes: &[u8]) {
        if self.client.kept.len() < MOST_KEPT {
            self.client.kept.extend_from_slice(bytes);
        }
        self.present(Side::Client);
    }

    fn client_packet(&mut self, seq: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame_into(&mut bytes, &mut { seq }, payload);
        self.client_says(&bytes);
    }

    fn backend(&self, choice: u8) -> BackendId {
        BackendId(u16::from(choice & 7) % self.backends.len().max(1) as u16)
    }

    fn server_says(&mut self, backend: BackendId, bytes: &[u8]) {
        let side = Side::Backend(backend);
        if let Some(peer) = self.peer(side)
            && peer.up
        {
            peer.kept.extend_from_slice(bytes);
            self.present(side);
        }
    }

    /// A connection opens or breaks, which the session answers by closing it, or the client goes.
    fn line_event(&mut self, choice: u8) {
        let backend = self.backend(choice);
        let side = Side::Backend(backend);
        let up = self.peer(side).map(|peer| peer.up);
        match (choice >> 3 & 7, up) {
            (7, _) => self.call(|session, env| session.on_eof(Side::Client, env)),
            (5 | 6, Some(false)) => {
                self.call(|session, env| session.on_backend_down(backend, "refused", env));
            }
            (5 | 6, Some(true)) => {
                self.call(|session, env| session.on_eof(side, env));
            }
            (_, Some(false)) => {
                if let Some(peer) = self.peer(side) {
                    peer.up = true;
                }
                self.call(|session, env| session.on_backend_up(backend, env));
            }
            _ => {}
        }
    }

    /// A server answers what it heard first, or greets; an open way of saying so for each choice.
    fn serve(&mut self, choice: u8) {
        let backend = self.backend(choice);
        let caps = self.caps;
        let Some(peer) = self.peer(Side::Backend(backend)).filter(|peer| peer.up) else {
            return;
        };
        if !std::mem::replace(&mut peer.greeted, true) {
            let bytes = packets::greeting(10 + u32::from(backend.0), caps);
            return self.server_says(backend, &bytes);
        }
        let Some(heard) = peer.heard.pop_front() else {
            return;
        };
        let answer = packets::Answer {
            caps,
            seq: heard.seq.wrapping_add(1),
            kind: choice >> 3,
            statement: peer.prepared + 1,
        };
        // A number above 0 continues a dialogue: that of a login, or a file that was asked for.
        let bytes = if heard.seq > 0 {
            answer.to_login()
        } else {
            peer.prepared += u32::from(heard.first == Some(Command::StmtPrepare.byte()));
            answer.to(heard.first)
        };
        let silent = matches!(
            heard
                .first
                .and_then(Command::from_byte)
                .map(Command::reply_shape),
            Some(tidegate_wire::Shape::Nothing)
        );
        if heard.seq > 0 || !silent {
            self.server_says(backend, &bytes);
        }
    }

    fn answer(&mut self, choice: u8) {
        let token = match choice >> 4 {
            15 => Token(0),
            _ => self.asked.pop().unwrap_or(Token(99)),
        };
        let answer = match choice & 7 {
            0..=2 => AccountAnswer::by_native(NativeHash::EMPTY),
            3 => AccountAnswer::by_native(NativeHash::UNKNOWN_USER),
            4 => {
                let methods = vec![tidegate_wire::auth::Method::Native(NativeHash::EMPTY)];
                let mut found = FoundAccount::with(methods);
                found.after_password = Err(Barred {
                    reply: ErrReply::new(1044, b"42000", "no such database for you"),
                    reason: "no grant".to_owned(),
                });
                AccountAnswer::Found(Box::new(found))
            }
            5 => AccountAnswer::denied("nobody knows"),
            _ => AccountAnswer::Unchanged,
        };
        self.call(|session, env| session.on_answer(token, Answer::Account(answer), env));
        let killed = match choice & 7 {
            0..=3 => KillAnswer::Done {
                sessions: u64::from(choice),
                ends: choice & 8 != 0,
            },
            4 => KillAnswer::Killed,
            5 => KillAnswer::Interrupted,
            _ => KillAnswer::Refused(ErrReply::new(1094, b"HY000", "Unknown thread id: 3")),
        };
        self.call(|session, env| session.on_answer(token, Answer::Kill(killed), env));
    }

    fn pass_time(&mut self, choice: u8) {
        self.now = self.now.after(Duration::from_micros(1 << (choice % 28)));
        let due = self.wake.is_some_and(|at| at <= self.now);
        if due || choice >= 0xF0 {
            self.wake = self.wake.filter(|_| !due);
            self.call(|session, env| session.on_tick(env));
        }
    }

    fn administer(&mut self, choice: u8) {
        let control = match choice & 7 {
            0 => Control::Kill {
                after: Some(Duration::from_millis(u64::from(choice))),
            },
            1 => Control::Drain(tidegate_session::Cause::Shutdown),
            2 => Control::End(tidegate_session::Cause::Shutdown),
            3 => Control::LogSwitches(LogSwitches {
                info: choice & 8 != 0,
                debug: choice & 16 != 0,
                ..LogSwitches::default()
            }),
            4 | 5 => Control::Filters((0..choice >> 6).map(|_| setting::own_filter()).collect()),
            6 if choice & 8 == 0 => Control::Pardon {
                query_only: choice & 16 != 0,
                unheard: choice & 32 != 0,
            },
            6 => Control::Kill { after: None },
            _ => return self.call(|session, env| session.note("an administrator was here", env)),
        };
        self.control(control);
    }

    fn control(&mut self, control: Control) {
        self.call(|session, env| {
            // What is not granted changes nothing, which the invariants look at.
            let _ = session.on_control(control, env);
        });
    }

    fn backlog_or_freeze(&mut self, choice: u8) {
        let backlog = if choice & 8 == 0 {
            Backlog::High
        } else {
            Backlog::Low
        };
        match choice >> 4 & 3 {
            0 => self.call(|session, env| session.on_backlog(Side::Client, backlog, env)),
            1 => {
                let side = Side::Backend(self.backend(choice));
                if self.peer(side).is_some() {
                    self.call(|session, env| session.on_backlog(side, backlog, env));
                }
            }
            _ => self.freeze_and_thaw(),
        }
    }

    /// A session at rest is frozen and thawed, and freezes to the same bytes again.
    fn freeze_and_thaw(&mut self) {
        let Some(frozen) = self.session.freeze(self.now) else {
            return;
        };
        self.session.leave(&env!(self));
        let with = Thawing {
            service: Arc::clone(&self.service),
            filter: &setting::Own,
            origin: Origin::local_client(),
        };
        let thawed = Session::thaw(&frozen, &with, &mut env!(self));
        self.session = thawed.expect("what was frozen can be thawed");
        assert_eq!(self.session.freeze(self.now), Some(frozen));
        self.wake = None;
        self.carry_out(&[]);
    }

    /// An event without bytes, and what follows from it.
    fn call(&mut self, event: impl FnOnce(&mut Session, &mut Env<'_>)) {
        if self.over {
            return;
        }
        event(&mut self.session, &mut env!(self));
        self.carry_out(&[]);
        self.settle();
    }

    /// Gives a side's bytes to the session, and whatever it wants again after that.
    fn present(&mut self, side: Side) {
        self.present_once(side);
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..PATIENCE {
            let sides = (0..self.backends.len() as u16).map(|ix| Side::Backend(BackendId(ix)));
            let next = [Side::Client].into_iter().chain(sides).find(|side| {
                self.peer(*side)
                    .is_some_and(|peer| peer.again && !peer.paused)
            });
            match next {
                Some(side) if !self.over => self.present_once(side),
                _ => return,
            }
        }
        panic!("the session asks for the same bytes again and again");
    }

    fn present_once(&mut self, side: Side) {
        if self.over {
            return;
        }
        let Some(peer) = self.peer(side) else { return };
        peer.again = false;
        if peer.paused || peer.kept.is_empty() {
            return;
        }
        let mut run = std::mem::take(&mut peer.kept);
        let consumed = self.session.on_bytes(side, &mut run, &mut env!(self));
        assert!(consumed <= run.len(), "{consumed} of {}", run.len());
        let generation = self.peer(side).is_some();
        self.carry_out(&run);
        // A connection that was closed, or closed and opened again, has lost its bytes.
        if generation
            && let Some(peer) = self.peer(side)
            && (side == Side::Client || peer.up)
        {
            run.drain(..consumed);
            peer.kept = run;
        }
    }

    fn peer(&mut self, side: Side) -> Option<&mut Peer> {
        match side {
            Side::Client => Some(&mut self.client),
            Side::Backend(backend) => self.backends.get_mut(usize::from(backend.0))?.as_mut(),
        }
    }

    /// Does what the session wants done, and holds it to its contract.
    fn carry_out(&mut self, run: &[u8]) {
        let mut out = std::mem::take(&mut self.out);
        for op in out.ops.drain(..) {
            assert!(!self.over, "{op:?} after the end");
            match op {
                Op::Forward { to, span } => self.deliver(to, run, span),
                Op::Send { to, span } => self.deliver(to, &out.own, span),
                Op::Again(side) | Op::Resume(side) => {
                    if let Some(peer) = self.peer(side) {
                        peer.paused &= !matches!(op, Op::Resume(_));
                        peer.again = true;
                    }
                }
                Op::Pause(side) => {
                    if let Some(peer) = self.peer(side) {
                        peer.paused = true;
                    }
                }
                Op::Errand(errand) => match *errand {
                    Errand::Ask { token, .. } => self.asked.push(token),
                    Errand::Connect(wanted) => self.connect(wanted.backend),
                    Errand::Park { backend, .. } => self.close(backend),
                    Errand::LoginEnded { .. } => {}
                },
                Op::Compress { side, .. } => panic!("{side:?}: compression that nobody offered"),
                Op::StartTls(side) => panic!("{side:?}: TLS that nobody offered"),
                Op::Close(Side::Client) | Op::AccountsChanged => {}
                Op::Close(Side::Backend(backend)) => self.close(backend),
                Op::WakeAt(at) => self.wake = Some(at),
                Op::Finish(_) => self.over = true,
            }
        }
        out.clear();
        self.out = out;
        assert_eq!(self.session.is_over(), self.over, "the end is said");
        self.session.check_invariants();
    }

    fn close(&mut self, backend: BackendId) {
        let closed = self.backends.get_mut(usize::from(backend.0));
        assert!(
            closed.is_some_and(|peer| peer.take().is_some()),
            "{backend:?}"
        );
    }

    fn connect(&mut self, backend: BackendId) {
        let place = usize::from(backend.0);
        if self.backends.len() <= place {
            self.backends.resize_with(place + 1, || None);
        }
        let before = self.backends[place].replace(Peer::default());
        assert!(before.is_none(), "{backend:?} is connected twice");
    }

    fn deliver(&mut self, to: Side, bytes: &[u8], span: Range<usize>) {
        let bytes = bytes.get(span.clone());
        let bytes = bytes.unwrap_or_else(|| panic!("{span:?} lies outside its bytes"));
        let peer = self.peer(to);
        peer.unwrap_or_else(|| panic!("bytes for {to:?}, which is not there"))
            .hear(bytes);
    }
}

/// A world that has no session yet.
struct Stage {
    service: Arc<ServiceSpec>,
    views: ServerViews,
    caps: Caps,
    classifier: Box<Cache>,
    digests: DigestBook,
    out: Output,
    now: Instant,
}

impl Stage {
    fn new(choices: &[u8; 2]) -> Stage {
        let caps = setting::caps(choices[0] & 4 != 0);
        Stage {
            service: setting::service(*choices),
            views: setting::views(caps),
            caps,
            classifier: Box::new(Cache::new(1 << 14)),
            digests: DigestBook::default(),
            out: Output::default(),
            now: Instant(1_000_000),
        }
    }

    fn with(self, session: Session) -> World {
        World {
            session,
            service: self.service,
            views: self.views,
            caps: self.caps,
            classifier: self.classifier,
            digests: self.digests,
            out: self.out,
            now: self.now,
            wake: None,
            asked: Vec::new(),
            client: Peer::default(),
            backends: Vec::new(),
            over: false,
        }
    }
}
