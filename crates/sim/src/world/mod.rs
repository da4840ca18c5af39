//! The world of one schedule: clients, sessions, servers, the links between them and the clock; and the
//! loop that lets one thing after another happen, in an order that only the seed knows.

mod check;
mod driver;
mod events;
mod faults;
mod freeze;
mod panics;
mod services;
mod shelf;
mod slot;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidegate_session::digests::DigestBook;
use tidegate_session::world::{Counters, Rank, ServerStatus, ServerView, ServerViews};
use tidegate_session::{
    BackendId, Birth, Env, GreetingFacts, Instant, LogSwitches, Origin, Output, Session, SessionId,
    WallTime,
};
use tidegate_sql::Cache;
use tidegate_wire::Caps;

use crate::client::Client;
use crate::coverage::{Coverage, Rare};
use crate::meaning::Trx;
use crate::model::{Known, Model};
use crate::plan::{Plan, Writes};
use crate::replication::Replication;
use crate::rng::Rng;
use crate::server::{Accounts, Conn, VERSION};
use crate::state::SessionState;
use crate::trace::Trace;

use services::{Services, WORKERS};
use slot::{Input, Slot};

/// Commands that clients issue at least, in every schedule.
const COMMANDS: usize = 50;
/// Sessions after which no more are begun.
const MAX_SESSIONS: usize = 60;
/// Sessions after which the servers are well again.
const MANY_SESSIONS: usize = 20;
/// Steps after which a schedule must have come to its end.
const MAX_STEPS: u64 = 400_000;

/// A server host.
#[derive(Debug)]
struct Host {
    /// It accepts connections.
    alive: bool,
    /// It does not even refuse.
    silent: bool,
    /// Marks that an administrator set.
    marks: ServerStatus,
}

/// The world of one schedule.
pub(crate) struct World {
    pub(crate) plan: Plan,
    rng: Rng,
    now: Instant,
    hosts: Vec<Host>,
    /// Who takes writes.
    primary: usize,
    views: ServerViews,
    services: Services,
    accounts: Accounts,
    slots: Vec<Slot>,
    conns: Vec<Conn>,
    /// Connections that no session has.
    shelf: Vec<shelf::Shelved>,
    /// Sessions that wait for a connection, the longest first.
    line: VecDeque<(usize, tidegate_session::Wanted)>,
    /// Those that do not know yet that they wait.
    queued: Vec<(usize, BackendId)>,
    pub(crate) model: Model,
    replication: Replication,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    classifier: Cache,
    digests: DigestBook,
    out: Output,
    /// Faults may happen.
    troubled: bool,
}

/// How many of `there` bytes go on at once.
pub(crate) fn cut(rng: &mut Rng, there: usize) -> usize {
    let most = match rng.below(10) {
        0 => 1,
        1 => 4,
        2 | 3 => 60,
        4 => 1500,
        _ => there,
    };
    // Large transfers are not taken apart into single bytes.
    most.max(there / 24).min(there)
}

impl World {
    pub(crate) fn new(seed: u64, readable: bool) -> World {
        let mut rng = Rng::new(seed);
        let mut plan = Plan::draw(seed, &mut rng);
        plan.draw_replay(&mut Rng::new(seed ^ 0x5EED_0F0D_1CE5));
        let services = Services::build(&plan, &mut rng);
        let hosts: Vec<Host> = (0..plan.servers)
            .map(|_| Host {
                alive: true,
                silent: false,
                marks: ServerStatus::default(),
            })
            .collect();
        let accounts = (0..3).map(|n| {
            (
                format!("user{n}"),
                if n == 0 {
                    String::new()
                } else {
                    format!("secret-{n}")
                },
            )
        });
        let opening = format!("{plan:?}");
        let mut world = World {
            rng,
            now: Instant(1_000_000),
            primary: 0,
            views: ServerViews::default(),
            services,
            accounts: Accounts(accounts.collect()),
            slots: Vec::new(),
            conns: Vec::new(),
            shelf: Vec::new(),
            line: VecDeque::new(),
            queued: Vec::new(),
            model: Model::default(),
            replication: Replication::new(plan.servers),
            coverage: Coverage::default(),
            trace: Trace::new(readable),
            classifier: Cache::new(1 << 20),
            digests: DigestBook::default(),
            out: Output::default(),
            troubled: true,
            hosts,
            plan,
        };
        world.trace.note(&[seed], || opening);
        world.model.story = readable.then(Vec::new);
        world.model.promise = world.plan.promise();
        world.model.reuses = world.plan.reuses;
        // Servers that report nothing are believed at once.
        let reported = world.plan.offered & crate::caps::SESSION_TRACK != 0;
        let sync = world.plan.sync.filter(|_| reported);
        world.model.synced = sync.map_or(0, |(replicas, _)| replicas as usize);
        world.views = ServerViews(
            (0..world.plan.servers)
                .map(|ix| world.first_view(ix))
                .collect(),
        );
        world.observe();
        world
    }

    fn first_view(&self, ix: usize) -> ServerView {
        ServerView {
            name: format!("server{ix}").into(),
            status: ServerStatus::default(),
            lag: Some(Duration::ZERO),
            position: None,
            rank: Rank::Primary,
            version: if self.plan.as_service {
                12_00_02
            } else {
                101_106
            },
            version_string: VERSION.into(),
            mysql_family: false,
            caps: Some(Caps::from_bits(self.plan.offered)),
            collation: 45,
            variables: Arc::default(),
            tls: false,
            connect_timeout: None,
            pool: self.plan.pool,
            proxy_header: None,
            compression: None,
            as_service: self.plan.as_service,
            counters: Arc::new(Counters::new(WORKERS)),
        }
    }

    /// The monitor looks at the servers.
    fn observe(&mut self) {
        self.replication.catch_up(self.primary);
        for (ix, (host, view)) in self.hosts.iter().zip(&mut self.views.0).enumerate() {
            view.status = if host.alive {
                let role = if ix == self.primary {
                    ServerStatus::MASTER
                } else {
                    ServerStatus::SLAVE
                };
                ServerStatus::RUNNING.with(role).with(host.marks)
            } else {
                host.marks
            };
        }
        for (ix, view) in self.views.0.iter_mut().enumerate() {
            let position = self.replication.applied(ix).text().parse();
            view.position = position.ok().map(Arc::new);
        }
        let primaries: Vec<bool> = self
            .views
            .0
            .iter()
            .map(|view| {
                view.status
                    .has(ServerStatus::MASTER.with(ServerStatus::RUNNING))
            })
            .collect();
        let connectable = self
            .views
            .0
            .iter()
            .any(|view| view.status.has(ServerStatus::MASTER) && view.status.connectable());
        self.model.set_primaries(&primaries, connectable);
        let near = |lag: Option<Duration>| {
            self.plan
                .max_lag
                .is_none_or(|most| lag.is_some_and(|lag| lag < most))
        };
        let near: Vec<bool> = self.views.0.iter().map(|view| near(view.lag)).collect();
        self.model.set_near(&near);
        self.model.ailing = self
            .hosts
            .iter()
            .any(|host| !host.alive || host.silent || host.marks != ServerStatus::default());
        for slot in self.slots.iter_mut().filter(|slot| slot.session.is_some()) {
            slot.uninformed = true;
        }
        self.sort_out_shelf();
    }

    /// Lets everything happen. The model knows how it went.
    pub(crate) fn run(&mut self) {
        while self.model.broken.is_none() {
            self.model.step += 1;
            self.trace.insert(&mut self.model.story);
            if self.model.step > MAX_STEPS {
                self.model
                    .breach("the schedule does not come to an end".to_owned());
            } else if !self.step() && !self.pass_time() && !self.quiet() {
                self.check_end();
                return;
            }
        }
    }

    /// Replicas apply some of what they lack, and now and then the monitor sees it.
    fn replicate(&mut self) {
        if self.model.promise.of == Writes::Nobodys {
            return;
        }
        if self.rng.one_in(20) {
            let server = self.rng.below(self.hosts.len());
            self.replication.replicate(server, &mut self.rng);
        }
        if self.rng.one_in(60) {
            self.observe();
        }
    }

    /// Begins sessions while there is something left to say.
    fn begin_sessions(&mut self) {
        let open = self.slots.iter().filter(|slot| !slot.is_done()).count();
        let due = open < self.plan.at_once
            && self.model.count() < COMMANDS
            && self.slots.len() < MAX_SESSIONS;
        if due && (open == 0 || self.rng.one_in(30)) {
            // Where session after session is refused there is nothing to be seen.
            if self.slots.len() % MANY_SESSIONS == MANY_SESSIONS - 1 {
                self.restore();
            }
            self.begin_session();
        }
    }

    fn begin_session(&mut self) {
        let ix = self.slots.len();
        let mut rng = self.rng.fork();
        let left = COMMANDS.saturating_sub(self.model.count());
        let plan = self.plan.draw_client(&mut rng, left);
        let history = self.plan.splits();
        let state = SessionState::new(&plan.user, plan.database.clone(), true);
        let mut known = Known::new(self.plan.splits(), history, state);
        known.replays = self.plan.replay.is_some();
        known.optimistic = self.plan.replay.is_some_and(|replay| replay.optimistic);
        known.repeats_commit = self.plan.replay.is_some_and(|replay| !replay.safe_commit);
        known.trx = Trx::None;
        known.filtered = self.plan.modules.hints;
        known.bound =
            !self.plan.failures.reconnects || self.plan.failures.strict || !self.plan.history.1;
        if plan.wrong_password {
            known.excuse(tidegate_session::Cause::LoginFailed);
        }
        if self.plan.failures.lazy && !self.plan.history.1 {
            // What is not connected when the history is given up can never be.
            known.excuse(tidegate_session::Cause::NoServer);
            known.trouble = self.model.step;
        }
        self.model.sessions.push(known);
        let ailing = self.views.0.iter().enumerate().any(|(ix, view)| {
            let host = &self.hosts[ix];
            !host.alive
                || host.silent
                || host.marks != ServerStatus::default()
                || !view.status.usable()
        });
        if ailing {
            self.model.trouble(
                ix,
                &[
                    tidegate_session::Cause::NoServer,
                    tidegate_session::Cause::ServerLost,
                ],
            );
        }
        let mut scramble = [0; 20];
        for byte in &mut scramble {
            *byte = rng.between(1, 127) as u8;
        }
        let birth = Birth {
            id: SessionId(ix as u64 + 1),
            service: Arc::clone(&self.services.root),
            listener: "listener".into(),
            origin: Origin::local_client(),
            scramble,
            seed: [ix as u8; 32],
            plugin: tidegate_wire::auth::NATIVE,
            greeting: GreetingFacts {
                version: format!("5.5.5-{VERSION}").into(),
                caps: Caps::offered(Caps::from_bits(self.plan.offered), false),
                collation: 45,
                mysql_family: false,
                compression: tidegate_wire::compress::CompressionOffer::NONE,
                terms: Arc::default(),
            },
        };
        let worker = self.rng.below(WORKERS);
        self.coverage.count(Rare::Sessions);
        if self.plan.tree != crate::plan::Tree::Split
            && self.plan.tree != crate::plan::Tree::Connection
        {
            self.coverage.count(Rare::Nested);
        }
        self.trace
            .note(&[1, ix as u64], || format!("session {ix} begins: {plan:?}"));
        self.slots.push(Slot {
            session: None,
            client: Client::new(ix, plan, rng),
            input: Input::default(),
            links: Vec::new(),
            wake: None,
            asked: Vec::new(),
            uninformed: false,
            worker,
            closed: false,
            heard: [self.now; 2],
            doomed: None,
            draining: false,
        });
        let mut out = std::mem::take(&mut self.out);
        let session = Session::start(birth, &mut self.env(worker, &mut out));
        self.slots[ix].session = Some(session);
        self.carry_out(ix, &[], &mut out);
        self.out = out;
    }

    fn env<'a>(&'a mut self, worker: usize, out: &'a mut Output) -> Env<'a> {
        Env {
            now: self.now,
            wall: WallTime(1_700_000_000_000_000 + self.now.0 as i64),
            servers: &self.views,
            worker,
            log: LogSwitches {
                error: true,
                warning: true,
                notice: true,
                info: self.plan.log_info,
                debug: false,
            },
            classifier: &mut self.classifier,
            digests: &mut self.digests,
            out,
        }
    }
}
