//! A session between its client and its servers, driven as a worker would, without any chance.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tidegate_session::digests::DigestBook;
use tidegate_session::question::{AccountAnswer, Answer};
use tidegate_session::world::ServerViews;
use tidegate_session::{
    BackendId, Birth, Cause, Env, Errand, GreetingFacts, Instant, LogSwitches, Op, Origin, Output,
    ServiceSpec, Session, SessionId, Side, Token, WallTime, Wanted,
};
use tidegate_sql::Cache;
use tidegate_wire::Caps;
use tidegate_wire::auth::native::NativeHash;

use crate::client::Client;
use crate::packets;
use crate::server::Link;

/// A session is served at most so many turns before it has to be content.
const PATIENCE: usize = 1000;

/// Bytes of one side that the session did not consume.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    again: bool,
    paused: bool,
}

/// A connection to a server.
#[derive(Debug)]
struct Place {
    link: Link,
    kept: Kept,
}

/// The session and its peers.
pub(crate) struct Stage {
    session: Session,
    pub(crate) views: ServerViews,
    /// Servers that take connections, in the order of the views.
    pub(crate) alive: Vec<bool>,
    /// Servers that let nobody in.
    pub(crate) refusing: Vec<bool>,
    classifier: Box<Cache>,
    digests: DigestBook,
    out: Output,
    now: Instant,
    wake: Option<Instant>,
    asked: Vec<Token>,
    pub(crate) client: Client,
    from_client: Kept,
    places: Vec<Option<Place>>,
    /// Why the session has ended.
    pub(crate) ended: Option<Cause>,
    pub(crate) log: Vec<String>,
    /// What a peer could not make sense of.
    fault: Option<String>,
}

/// What an entry point is lent; by parts, so that the session beside it can be borrowed too.
macro_rules! env {
    ($stage:expr) => {
        Env {
            now: $stage.now,
            wall: WallTime(1_700_000_000_000_000 + $stage.now.0 as i64),
            servers: &$stage.views,
            worker: 0,
            log: LogSwitches::default(),
            classifier: &mut $stage.classifier,
            digests: &mut $stage.digests,
            out: &mut $stage.out,
        }
    };
}

impl Stage {
    /// A client connects to the service; its session has this number.
    pub(crate) fn new(
        number: u64,
        service: Arc<ServiceSpec>,
        views: ServerViews,
        alive: Vec<bool>,
    ) -> Stage {
        Stage::of(Client::default(), number, service, views, alive)
    }

    /// The same with this client.
    pub(crate) fn of(
        client: Client,
        number: u64,
        service: Arc<ServiceSpec>,
        views: ServerViews,
        alive: Vec<bool>,
    ) -> Stage {
        let birth = Birth {
            id: SessionId(number),
            service,
            listener: "L".into(),
            origin: Origin::local_client(),
            scramble: [7; 20],
            seed: [7; 32],
            plugin: tidegate_wire::auth::NATIVE,
            greeting: GreetingFacts {
                version: "10.11.6-MariaDB".into(),
                caps: Caps::from_bits(packets::CAPS | packets::TRACKING),
                collation: 45,
                mysql_family: false,
                compression: tidegate_wire::compress::CompressionOffer::NONE,
                terms: Arc::default(),
            },
        };
        let now = Instant(1_000_000);
        let mut out = Output::default();
        let mut classifier = Box::new(Cache::new(1 << 14));
        let mut digests = DigestBook::default();
        let session = Session::start(
            birth,
            &mut Env {
                now,
                wall: WallTime(1_700_000_000_000_000),
                servers: &views,
                worker: 0,
                log: LogSwitches::default(),
                classifier: &mut classifier,
                digests: &mut digests,
                out: &mut out,
            },
        );
        let mut stage = Stage {
            session,
            refusing: vec![false; alive.len()],
            views,
            alive,
            classifier,
            digests,
            out,
            now,
            wake: None,
            asked: Vec::new(),
            client,
            from_client: Kept::default(),
            places: Vec::new(),
            ended: None,
            log: Vec::new(),
            fault: None,
        };
        stage.carry_out(&[]);
        stage.settle();
        stage
    }

    /// What went wrong between the session and a peer.
    pub(crate) fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// The connection to a server.
    pub(crate) fn link(&mut self, server: usize) -> Option<&mut Link> {
        let place = self.place_of(server)?;
        let place = self.places.get_mut(place)?.as_mut();
        place.map(|place| &mut place.link)
    }

    fn place_of(&self, server: usize) -> Option<usize> {
        let is_there = |place: &Option<Place>| {
            let link = place.as_ref().map(|place| &place.link);
            link.is_some_and(|link| link.server == server && link.is_up())
        };
        self.places.iter().position(is_there)
    }

    /// The client says this.
    pub(crate) fn client_says(&mut self, bytes: &[u8]) {
        self.from_client.bytes.extend_from_slice(bytes);
        self.from_client.again = true;
        self.settle();
    }

    /// A server says this.
    pub(crate) fn server_says(&mut self, server: usize, bytes: &[u8]) {
        if let Some(place) = self.place_of(server)
            && let Some(Some(place)) = self.places.get_mut(place)
        {
            place.kept.bytes.extend_from_slice(bytes);
            place.kept.again = true;
        }
        self.settle();
    }

    /// The connection to a server breaks.
    pub(crate) fn cut(&mut self, server: usize) {
        if let Some(ix) = self.place_of(server) {
            let side = Side::Backend(BackendId(ix as u16));
            self.call(|session, env| session.on_eof(side, env));
        }
    }

    /// A monitor has looked.
    pub(crate) fn look(&mut self) {
        self.call(|session, env| session.on_servers(env));
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now.after(time);
        while let Some(wake) = self.wake.filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.wake = None;
            self.call(|session, env| session.on_tick(env));
        }
        self.now = until;
    }

    /// An event without bytes, and what follows from it.
    fn call(&mut self, event: impl FnOnce(&mut Session, &mut Env<'_>)) {
        if self.ended.is_none() {
            event(&mut self.session, &mut env!(self));
            self.carry_out(&[]);
        }
        self.settle();
    }

    /// Everything happens that follows from what has happened.
    fn settle(&mut self) {
        for _ in 0..PATIENCE {
            if self.ended.is_some() || !self.step() {
                return;
            }
        }
        self.fault = Some("the session is never content".to_owned());
    }

    fn step(&mut self) -> bool {
        if let Some(token) = self.asked.pop() {
            let answer = Answer::Account(AccountAnswer::by_native(NativeHash::EMPTY));
            event(self, |session, env| session.on_answer(token, answer, env));
            return true;
        }
        let waiting = |place: &Option<Place>| place.as_ref().is_some_and(|it| !it.link.is_up());
        if let Some(ix) = self.places.iter().position(waiting) {
            self.decide_connection(ix);
            return true;
        }
        if self.from_client.again && !self.from_client.paused {
            self.present(Side::Client);
            return true;
        }
        let wanted = |place: &Option<Place>| {
            let kept = place.as_ref().map(|place| &place.kept);
            kept.is_some_and(|kept| kept.again && !kept.paused)
        };
        let Some(ix) = self.places.iter().position(wanted) else {
            return false;
        };
        self.present(Side::Backend(BackendId(ix as u16)));
        true
    }

    fn decide_connection(&mut self, ix: usize) {
        let id = BackendId(ix as u16);
        let Some(Some(place)) = self.places.get_mut(ix) else {
            return;
        };
        if !self.alive[place.link.server] {
            event(self, |session, env| {
                session.on_backend_down(id, "refused", env)
            });
            return;
        }
        let greeting = place.link.greet();
        place.kept.bytes = greeting;
        place.kept.again = true;
        event(self, |session, env| session.on_backend_up(id, env));
    }

    fn kept(&mut self, side: Side) -> Option<&mut Kept> {
        match side {
            Side::Client => Some(&mut self.from_client),
            Side::Backend(id) => {
                let place = self.places.get_mut(usize::from(id.0))?.as_mut();
                place.map(|place| &mut place.kept)
            }
        }
    }

    fn present(&mut self, side: Side) {
        let Some(kept) = self.kept(side) else { return };
        kept.again = false;
        let mut run = std::mem::take(&mut kept.bytes);
        if run.is_empty() {
            return;
        }
        let consumed = self.session.on_bytes(side, &mut run, &mut env!(self));
        self.carry_out(&run);
        // What came while it was carried out stands behind it.
        if let Some(kept) = self.kept(side) {
            run.drain(..consumed);
            run.append(&mut kept.bytes);
            kept.bytes = run;
        }
    }

    /// Does what the session wants done.
    fn carry_out(&mut self, run: &[u8]) {
        let mut out = std::mem::take(&mut self.out);
        self.log.extend(out.logs.drain(..).map(|line| line.text));
        for op in out.ops.drain(..) {
            match op {
                Op::Forward { to, span } => self.deliver(to, run, span),
                Op::Send { to, span } => self.deliver(to, &out.own, span),
                Op::Again(side) | Op::Resume(side) => {
                    if let Some(kept) = self.kept(side) {
                        kept.paused &= !matches!(op, Op::Resume(_));
                        kept.again = true;
                    }
                }
                Op::Pause(side) => {
                    if let Some(kept) = self.kept(side) {
                        kept.paused = true;
                    }
                }
                Op::Errand(errand) => match *errand {
                    Errand::Ask { token, .. } => self.asked.push(token),
                    Errand::Connect(wanted) => self.connect(&wanted),
                    Errand::Park { backend, .. } => self.places[usize::from(backend.0)] = None,
                    Errand::LoginEnded { .. } => {}
                },
                Op::Compress { side, .. } => panic!("{side:?}: compression that nobody offered"),
                Op::StartTls(side) => panic!("{side:?}: TLS that nobody offered"),
                Op::Close(Side::Client) | Op::AccountsChanged => {}
                Op::Close(Side::Backend(id)) => {
                    self.places[usize::from(id.0)] = None;
                }
                Op::WakeAt(at) => self.wake = Some(at),
                Op::Finish(cause) => self.ended = Some(cause),
            }
        }
        out.clear();
        self.out = out;
        self.session.check_invariants();
    }

    fn connect(&mut self, wanted: &Wanted) {
        let ix = usize::from(wanted.backend.0);
        if self.places.len() <= ix {
            self.places.resize_with(ix + 1, || None);
        }
        let server = wanted.server.0 as usize;
        self.places[ix] = Some(Place {
            link: Link::new(server, self.refusing[server]),
            kept: Kept::default(),
        });
    }

    fn deliver(&mut self, to: Side, bytes: &[u8], span: Range<usize>) {
        let bytes = &bytes[span];
        let own = match to {
            Side::Client => match self.client.hear(bytes) {
                Ok(own) => own,
                Err(fault) => {
                    self.fault = Some(fault);
                    return;
                }
            },
            Side::Backend(id) => {
                let place = self.places[usize::from(id.0)].as_mut();
                let place = place.unwrap_or_else(|| panic!("bytes for {id:?}"));
                place.link.hear(bytes);
                place.link.own_answers()
            }
        };
        if let Some(kept) = self.kept(to).filter(|_| !own.is_empty()) {
            kept.bytes.extend_from_slice(&own);
            kept.again = true;
        }
    }
}

/// One event, without what follows from it.
fn event(stage: &mut Stage, event: impl FnOnce(&mut Session, &mut Env<'_>)) {
    event(&mut stage.session, &mut env!(stage));
    stage.carry_out(&[]);
}
