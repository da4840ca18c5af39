//! What a schedule is like: drawn from the seed before anything happens, so that schedules differ in
//! kind and not only in order. A third of all commands is left out of each client's repertoire, and
//! faults are left out of some schedules, for rare combinations need the common ones out of their way.

use std::time::Duration;

use tidegate_routers::readwritesplit::{CausalReads, MasterFailureMode, SelectionCriteria};

use tidegate_session::Keepalive;
use tidegate_session::world::PoolRules;

use crate::caps;
use crate::client::{Goodbye, Kind};
use crate::rng::Rng;

/// Which routers stand behind a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    /// readwritesplit over servers.
    Split,
    /// readconnroute over servers.
    Connection,
    /// readwritesplit over two readwritesplit services over the same servers.
    SplitOverSplit,
    /// readconnroute over readwritesplit.
    ConnectionOverSplit,
}

/// Which modules of the simulator's own are in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Modules {
    /// Counts what passes.
    pub(crate) counting: bool,
    /// Answers, replaces and refuses commands.
    pub(crate) meddling: bool,
    /// Panics after so many calls.
    pub(crate) panic_after: Option<u32>,
    /// The hintfilter.
    pub(crate) hints: bool,
}

/// How often things go wrong, in a thousand steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FaultRates {
    pub(crate) connection_dies: usize,
    pub(crate) server_dies: usize,
    pub(crate) monitor: usize,
    pub(crate) control: usize,
    pub(crate) freeze: usize,
    pub(crate) odd_bytes: usize,
    pub(crate) client_dies: usize,
    /// In a hundred connections: how many are refused, never answered, refused at login.
    pub(crate) connect: usize,
    /// In a hundred questions: how many are answered wrongly, late or never.
    pub(crate) question: usize,
}

/// What readwritesplit does when servers fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) mode: MasterFailureMode,
    /// A lost primary may be replaced.
    pub(crate) reconnects: bool,
    pub(crate) retries_reads: bool,
    /// How long a statement may wait for a server.
    pub(crate) patience: Option<Duration>,
    /// Nothing is connected before it is needed.
    pub(crate) lazy: bool,
    pub(crate) strict: bool,
}

/// One client's character.
#[derive(Debug, Clone)]
pub(crate) struct ClientPlan {
    pub(crate) commands: usize,
    /// How many commands it sends ahead of their answers.
    pub(crate) depth: usize,
    pub(crate) user: String,
    pub(crate) database: Option<String>,
    pub(crate) optional_caps: u64,
    pub(crate) attributes: bool,
    pub(crate) other_plugin: bool,
    pub(crate) wrong_password: bool,
    pub(crate) half_login: bool,
    pub(crate) goodbye: Goodbye,
    pub(crate) repertoire: Vec<(u32, Kind)>,
    /// How eagerly it reads, by weight.
    pub(crate) reading: u32,
}

/// A whole schedule's character.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) tree: Tree,
    pub(crate) servers: usize,
    /// What servers offer.
    pub(crate) offered: u64,
    /// Sessions at once.
    pub(crate) at_once: usize,
    pub(crate) modules: Modules,
    pub(crate) faults: FaultRates,
    /// High and low water marks.
    pub(crate) marks: (usize, usize),
    pub(crate) wait_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) retain: usize,
    pub(crate) trace: usize,
    /// History limits: how many, and whether the oldest are forgotten.
    pub(crate) history: (usize, bool),
    pub(crate) master_accept_reads: bool,
    pub(crate) causal: CausalReads,
    pub(crate) max_replicas: u64,
    pub(crate) failures: Failures,
    pub(crate) criterion: SelectionCriteria,
    /// How far a replica may be behind to be read.
    pub(crate) max_lag: Option<Duration>,
    pub(crate) log_info: bool,
    /// Most bytes of one read.
    pub(crate) read_bytes: usize,
    /// Packets of 16 MiB happen.
    pub(crate) giants: bool,
    /// How transactions are repeated whose server is lost.
    pub(crate) replay: Option<ReplayPlan>,
    /// Closed statements are given out again.
    pub(crate) reuses: bool,
    /// Writes are told when so many replicas have them, or after a time.
    pub(crate) sync: Option<(u64, Duration)>,
    /// Connections that sessions leave behind are kept for others.
    pub(crate) pool: Option<PoolRules>,
    /// Idle sessions lend their connections: after how long, how long they wait for one, and how many
    /// a server may have.
    pub(crate) sharing: Option<(Duration, Duration, usize)>,
    /// Servers are logged in to with the service's account, and turn sessions into their clients'.
    pub(crate) as_service: bool,
}

/// How transactions are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplayPlan {
    pub(crate) max_size: u64,
    pub(crate) attempts: u64,
    /// Zero: `attempts` counts.
    pub(crate) timeout: Duration,
    pub(crate) on_mismatch: bool,
    pub(crate) safe_commit: bool,
    /// Transactions begin on a replica.
    pub(crate) optimistic: bool,
}

impl Plan {
    pub(crate) fn draw(seed: u64, rng: &mut Rng) -> Plan {
        let tree = rng.weighted(&[
            (12, Tree::Split),
            (4, Tree::Connection),
            (3, Tree::SplitOverSplit),
            (2, Tree::ConnectionOverSplit),
        ]);
        let mut offered = caps::MARIADB_10_11;
        for cap in caps::OPTIONAL {
            if rng.one_in(6) {
                offered &= !cap;
            }
        }
        let giants = rng.one_in(400);
        Plan {
            tree,
            servers: rng.weighted(&[(1, 1), (3, 2), (6, 3), (1, 4)]),
            offered,
            at_once: rng.weighted(&[(5, 1), (3, 2), (2, 3)]),
            modules: draw_modules(rng),
            faults: draw_faults(rng),
            marks: if giants {
                (1 << 20, 1 << 18)
            } else {
                *rng.pick(&[(512, 100), (4096, 1024), (65_536, 16_384)])
            },
            // Not drawn: all other choices stay what they were for a seed.
            keepalive: (seed % 4 == 1).then(|| Keepalive {
                after: Duration::from_secs(1 + seed / 4 % 40),
                // The world would never come to rest.
                always: false,
            }),
            wait_timeout: rng.one_in(8).then(|| Duration::from_secs(60)),
            retain: if rng.one_in(4) { 5 } else { 0 },
            trace: if rng.one_in(4) { 10 } else { 0 },
            history: if rng.one_in(12) {
                (rng.between(0, 4), false)
            } else {
                (1000, true)
            },
            master_accept_reads: rng.coin(),
            causal: draw_causal(seed),
            max_replicas: if rng.one_in(5) {
                rng.below(2) as u64
            } else {
                255
            },
            failures: draw_failures(rng),
            criterion: *rng.pick(&[
                SelectionCriteria::LeastCurrentOperations,
                SelectionCriteria::LeastCurrentOperations,
                SelectionCriteria::AdaptiveRouting,
                SelectionCriteria::LeastBehindMaster,
                SelectionCriteria::LeastRouterConnections,
                SelectionCriteria::LeastGlobalConnections,
            ]),
            max_lag: rng
                .one_in(3)
                .then(|| Duration::from_secs(rng.between(1, 6) as u64)),
            log_info: rng.one_in(5),
            read_bytes: if giants {
                1 << 20
            } else {
                *rng.pick(&[300, 4096, 16_384, 65_536])
            },
            giants,
            replay: None,
            reuses: tree != Tree::Connection && draw_reuse(seed),
            sync: draw_sync(seed).filter(|_| tree != Tree::Connection),
            pool: draw_pool(seed),
            sharing: draw_sharing(seed),
            as_service: draw_service(seed),
        }
    }

    /// Draws whether and how transactions are repeated, from dice of its own.
    pub(crate) fn draw_replay(&mut self, rng: &mut Rng) {
        if self.tree == Tree::Connection || !rng.one_in(3) {
            return;
        }
        self.replay = Some(ReplayPlan {
            max_size: rng.weighted(&[(8, 1 << 20), (1, 2000), (1, 600)]),
            attempts: rng.weighted(&[(2, 5), (1, 1)]),
            timeout: Duration::from_secs(rng.weighted(&[(2, 30), (2, 0), (1, 2)])),
            on_mismatch: rng.one_in(3),
            safe_commit: !rng.one_in(4),
            optimistic: rng.one_in(4),
        });
        // What is rare is counted by the words in the log.
        self.log_info = true;
        // As the parameters derive them.
        self.failures.mode = MasterFailureMode::FailOnWrite;
        self.failures.reconnects = true;
        let patience = self.failures.patience.unwrap_or(Duration::from_secs(10));
        self.failures.patience = self.replay.map(|replay| replay.timeout.max(patience));
        // Transactions, and connections that die in them.
        if self.faults.connection_dies > 0 {
            self.faults.connection_dies += 4;
        }
    }

    /// Whether every statement's class decides where it goes.
    pub(crate) fn splits(&self) -> bool {
        self.tree != Tree::Connection
    }

    /// What a read must see, whether servers can report what was written or not.
    pub(crate) fn promise(&self) -> Promise {
        let of = match self.causal {
            _ if !self.splits() => Writes::Nobodys,
            CausalReads::None => Writes::Nobodys,
            CausalReads::Local | CausalReads::Fast => Writes::Own,
            CausalReads::Global
            | CausalReads::FastGlobal
            | CausalReads::Universal
            | CausalReads::FastUniversal => Writes::Everybodys,
        };
        let is_fast = matches!(
            self.causal,
            CausalReads::Fast | CausalReads::FastGlobal | CausalReads::FastUniversal
        );
        Promise { of, is_fast }
    }

    pub(crate) fn draw_client(&self, rng: &mut Rng, left: usize) -> ClientPlan {
        let mut optional = 0;
        for cap in caps::OPTIONAL {
            if rng.coin() {
                optional |= cap;
            }
        }
        let faulty = self.faults.question > 0;
        ClientPlan {
            commands: rng.between(10, 40).min(left.max(5)),
            depth: rng.weighted(&[(6, 1), (3, 3), (2, 12)]),
            user: format!("user{}", rng.below(3)),
            database: rng.coin().then(|| format!("db{}", rng.below(3))),
            optional_caps: optional,
            attributes: rng.coin(),
            other_plugin: rng.one_in(5),
            wrong_password: faulty && rng.one_in(15),
            half_login: faulty && rng.one_in(25),
            goodbye: rng.weighted(&[
                (6, Goodbye::Quit),
                (2, Goodbye::Close),
                (1, Goodbye::Silence),
            ]),
            repertoire: self.draw_repertoire(rng),
            reading: rng.weighted(&[(6, 12), (2, 3), (1, 1)]),
        }
    }

    fn draw_repertoire(&self, rng: &mut Rng) -> Vec<(u32, Kind)> {
        let kinds = Kind::WEIGHTS.iter().filter(|(_, kind)| match kind {
            Kind::Giant => self.giants,
            Kind::Meddled => self.modules.meddling,
            Kind::Garbage | Kind::HangUp => self.faults.client_dies > 0,
            _ => true,
        });
        let mut chosen: Vec<(u32, Kind)> = kinds
            .filter(|(_, kind)| matches!(kind, Kind::Read | Kind::Write) || !rng.one_in(3))
            .map(|(weight, kind)| (*weight, *kind))
            .collect();
        if self.replay.is_some() {
            for (weight, kind) in &mut chosen {
                match kind {
                    Kind::Begin => *weight *= 4,
                    Kind::WideRead => *weight *= 3,
                    _ => {}
                }
            }
        }
        if self.reuses {
            for (weight, kind) in &mut chosen {
                if matches!(kind, Kind::Prepare | Kind::StmtClose) {
                    *weight *= 4;
                }
            }
        }
        if let Some(favourite) = Some(rng.below(chosen.len())).filter(|_| rng.coin()) {
            chosen[favourite].0 *= 5;
        }
        chosen
    }
}

/// What a read must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Promise {
    pub(crate) of: Writes,
    /// Servers are chosen by what the monitor saw.
    pub(crate) is_fast: bool,
}

/// Whose writes a read must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Writes {
    #[default]
    Nobodys,
    /// The session's.
    Own,
    /// Those of all sessions.
    Everybodys,
}

/// Drawn apart, so that schedules without causal reads are those they were before there were any.
fn draw_causal(seed: u64) -> CausalReads {
    Rng::new(!seed).weighted(&[
        (8, CausalReads::None),
        (3, CausalReads::Local),
        (3, CausalReads::Global),
        (1, CausalReads::Fast),
        (1, CausalReads::FastGlobal),
        (2, CausalReads::Universal),
        (1, CausalReads::FastUniversal),
    ])
}

/// Drawn apart for the same reason.
fn draw_reuse(seed: u64) -> bool {
    Rng::new(seed.rotate_left(32)).one_in(4)
}

/// Drawn apart for the same reason.
fn draw_pool(seed: u64) -> Option<PoolRules> {
    let mut rng = Rng::new(seed.rotate_left(48));
    rng.one_in(4).then(|| PoolRules {
        most: rng.between(1, 4) as u64,
        max_age: Duration::from_millis(rng.between(1, 3000) as u64),
    })
}

/// Do idle sessions of the seed's schedule lend their connections?
#[must_use]
pub fn shares(seed: u64) -> bool {
    draw_sharing(seed).is_some()
}

/// Drawn apart for the same reason; a half of the schedules with a pool.
fn draw_sharing(seed: u64) -> Option<(Duration, Duration, usize)> {
    let mut rng = Rng::new(seed.rotate_left(24));
    let idle = rng.weighted(&[(2, 0), (1, rng_millis(seed))]);
    let most = rng.between(2, 6);
    let shares = draw_pool(seed).is_some() && rng.coin();
    shares.then_some((Duration::from_millis(idle), Duration::from_secs(20), most))
}

/// Drawn apart for the same reason.
fn draw_service(seed: u64) -> bool {
    Rng::new(seed.rotate_left(40)).one_in(4)
}

fn rng_millis(seed: u64) -> u64 {
    seed % 300
}

/// Drawn apart for the same reason.
fn draw_sync(seed: u64) -> Option<(u64, Duration)> {
    let mut rng = Rng::new(seed.rotate_left(16));
    let replicas = rng.weighted(&[(3, 1), (1, 2)]);
    let timeout = Duration::from_secs(rng.between(1, 5) as u64);
    rng.one_in(6).then_some((replicas, timeout))
}

fn draw_modules(rng: &mut Rng) -> Modules {
    Modules {
        counting: rng.one_in(3),
        meddling: rng.one_in(5),
        panic_after: rng.one_in(12).then(|| rng.between(1, 150) as u32),
        hints: rng.one_in(5),
    }
}

fn draw_failures(rng: &mut Rng) -> Failures {
    use MasterFailureMode::{ErrorOnWrite, FailInstantly, FailOnWrite};
    let lazy = rng.one_in(5);
    let mode = rng.weighted(&[(3, FailOnWrite), (3, ErrorOnWrite), (1, FailInstantly)]);
    let reconnects = !rng.one_in(4);
    Failures {
        mode: if lazy { FailOnWrite } else { mode },
        reconnects: reconnects || lazy,
        retries_reads: !rng.one_in(5),
        patience: rng
            .one_in(3)
            .then(|| Duration::from_secs(rng.between(1, 6) as u64)),
        lazy,
        strict: rng.one_in(6),
    }
}

fn draw_faults(rng: &mut Rng) -> FaultRates {
    if rng.one_in(4) {
        // Calm: every command gets exactly the answer that is foreseen.
        return FaultRates {
            freeze: if rng.coin() { 20 } else { 0 },
            ..FaultRates::default()
        };
    }
    let mut rate = |most: usize| {
        if rng.one_in(3) {
            0
        } else {
            rng.below(most + 1)
        }
    };
    FaultRates {
        connection_dies: rate(6),
        server_dies: rate(3),
        monitor: rate(6),
        control: rate(4),
        freeze: rate(30),
        odd_bytes: rate(2),
        client_dies: rate(2),
        connect: rate(15),
        question: rate(15),
    }
}
