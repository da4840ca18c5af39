//! The cost of the session core alone: text point selects through readwritesplit, request and
//! reply, each with another literal, driven without sockets. The only argument is how many.
//!
//! Run it under an instruction counter with two different counts; the difference, divided by the
//! difference of the counts, is the cost of one.

use std::sync::Arc;

use tidegate_config::{Params as _, Values};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::question::{AccountAnswer, Answer, ClientAddress};
use tidegate_session::world::{Counters, Rank, ServerStatus, ServerView, ServerViews};
use tidegate_session::{
    BackendId, Birth, DumpStatements, Env, GreetingFacts, HistoryLimits, Instant, LogSwitches, Op,
    Output, ServerId, ServiceSpec, Session, SessionId, Side, TargetSpec, Token, WallTime,
};
use tidegate_sql::Cache;
use tidegate_wire::auth::native::NativeHash;
use tidegate_wire::frame::frame_into;
use tidegate_wire::login::{ClientLogin, Identity, Secret, ServerLogin, ServerLoginConfig};
use tidegate_wire::{Caps, OkPacket, Status};

/// A reply to `SELECT c FROM sbtest1 WHERE id=?`, with EOF packets, as a MariaDB 10.11 sends it.
fn reply() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut seq = 1;
    let definition = b"\x03def\x06sbtest\x07sbtest1\x07sbtest1\x01c\x01c\x0c\x2d\x00\xe0\x01\x00\x00\xfe\x01\x00\x00\x00\x00";
    let row = [&[119u8][..], &[b'7'; 119]].concat();
    for payload in [
        &b"\x01"[..],
        definition,
        b"\xfe\x00\x00\x02\x00",
        &row,
        b"\xfe\x00\x00\x02\x00",
    ] {
        frame_into(&mut bytes, &mut seq, payload);
    }
    bytes
}

/// A session with one primary and two replicas, and what surrounds it.
struct Bench {
    servers: ServerViews,
    classifier: Cache,
    out: Output,
    now: u64,
}

impl Bench {
    fn new() -> Bench {
        let roles = [
            ServerStatus::MASTER,
            ServerStatus::SLAVE,
            ServerStatus::SLAVE,
        ];
        let views = roles.iter().enumerate().map(|(ix, role)| ServerView {
            name: format!("db{ix}").into(),
            status: ServerStatus::RUNNING.with(*role),
            lag: None,
            rank: Rank::Primary,
            version: 101_100,
            version_string: "10.11.0-MariaDB".into(),
            mysql_family: false,
            caps: Some(caps()),
            collation: 45,
            connect_timeout: None,
            counters: Arc::new(Counters::new(2)),
        });
        Bench {
            servers: ServerViews(views.collect()),
            classifier: Cache::new(1 << 20),
            out: Output::default(),
            now: 1_000_000,
        }
    }

    fn env(&mut self) -> Env<'_> {
        self.now += 100;
        Env {
            now: Instant(self.now),
            wall: WallTime(1_700_000_000_000_000),
            servers: &self.servers,
            worker: 0,
            log: LogSwitches {
                error: true,
                warning: true,
                notice: true,
                info: false,
                debug: false,
            },
            classifier: &mut self.classifier,
            out: &mut self.out,
        }
    }

    fn feed(&mut self, session: &mut Session, side: Side, bytes: &mut [u8]) {
        self.out.clear();
        let consumed = session.on_bytes(side, bytes, &mut self.env());
        assert_eq!(consumed, bytes.len());
    }

    /// Whom the last call forwarded its run to.
    fn receiver(&self) -> Option<BackendId> {
        self.out.ops.iter().find_map(|op| match op {
            Op::Forward {
                to: Side::Backend(backend),
                ..
            } => Some(*backend),
            _ => None,
        })
    }
}

/// What a 10.11 server without TLS can do, as far as this dialogue needs it.
fn caps() -> Caps {
    Caps::offered(Caps::from_bits(u64::MAX), false).difference(Caps::DEPRECATE_EOF)
}

fn service() -> Arc<ServiceSpec> {
    let params =
        ReadWriteSplitParams::from_values(&Values::defaults([ReadWriteSplitParams::TABLE]));
    Arc::new(ServiceSpec {
        name: "RW".into(),
        router: Arc::new(ReadWriteSplit::new(&params)),
        filters: Vec::new(),
        targets: (0..3).map(|ix| TargetSpec::Server(ServerId(ix))).collect(),
        rank: Rank::Primary,
        wait_timeout: None,
        retain_last_statements: 0,
        dump_last_statements: DumpStatements::Never,
        session_trace: 0,
        log_switches: LogSwitches::default(),
        history: HistoryLimits::default(),
        max_connections: 0,
        version_string: None,
        counters: Arc::new(Counters::new(2)),
        target_counters: (0..3).map(|_| Arc::new(Counters::new(2))).collect(),
    })
}

fn login_config(id: u32) -> ServerLoginConfig {
    ServerLoginConfig {
        version: b"10.11.0-MariaDB".to_vec(),
        conn_id: id,
        scramble: [7; 20],
        collation: 45,
        caps_offered: caps(),
        default_plugin: b"mysql_native_password".to_vec(),
    }
}

fn ok(seq: u8) -> Vec<u8> {
    let mut payload = Vec::new();
    OkPacket::new(Status::AUTOCOMMIT).encode(caps(), &mut payload);
    let mut bytes = Vec::new();
    frame_into(&mut bytes, &mut { seq }, &payload);
    bytes
}

/// Logs a client without password in, and its three connections.
fn open(bench: &mut Bench) -> Session {
    let birth = Birth {
        id: SessionId(1),
        service: service(),
        listener: "L".into(),
        address: ClientAddress::Unix,
        scramble: [7; 20],
        greeting: GreetingFacts {
            version: "5.5.5-10.11.0-MariaDB".into(),
            caps: caps(),
            collation: 45,
            mysql_family: false,
        },
    };
    let mut session = Session::start(birth, &mut bench.env());
    let mut response = client_response();
    bench.feed(&mut session, Side::Client, &mut response);
    let answer = AccountAnswer::Found {
        hash: NativeHash::EMPTY,
        after_password: Ok(()),
    };
    bench.out.clear();
    session.on_answer(Token(1), Answer::Account(answer), &mut bench.env());
    for ix in 0..3 {
        let backend = BackendId(ix);
        bench.out.clear();
        session.on_backend_up(backend, &mut bench.env());
        let mut greeting = Vec::new();
        ServerLogin::start(&login_config(u32::from(ix) + 10), &mut greeting);
        bench.feed(&mut session, Side::Backend(backend), &mut greeting);
        bench.feed(&mut session, Side::Backend(backend), &mut ok(2));
        bench.feed(&mut session, Side::Backend(backend), &mut ok(1));
    }
    session
}

/// The handshake response of a client that knows the greeting.
fn client_response() -> Vec<u8> {
    let mut identity = Identity::new(b"app", Secret::None);
    identity.caps = caps().difference(Caps::SESSION_TRACK);
    let mut login = ClientLogin::new(identity);
    let mut greeting = Vec::new();
    ServerLogin::start(&login_config(1), &mut greeting);
    let mut response = Vec::new();
    let step = login.on_packet(&greeting[4..], 0, &mut response);
    assert!(step.is_ok(), "{step:?}");
    response
}

fn main() {
    let count: u64 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1000);
    let mut bench = Bench::new();
    let mut session = open(&mut bench);
    let reply = reply();
    let mut request = Vec::new();
    let mut answer = reply.clone();
    for number in 0..count {
        request.clear();
        let text = format!(
            "\x03SELECT c FROM sbtest1 WHERE id={}",
            10_000 + number % 80_000
        );
        frame_into(&mut request, &mut 0, text.as_bytes());
        bench.feed(&mut session, Side::Client, &mut request);
        let backend = bench.receiver().expect("the statement is routed");
        assert_ne!(backend, BackendId(0), "a read goes to a replica");
        answer.copy_from_slice(&reply);
        bench.feed(&mut session, Side::Backend(backend), &mut answer);
    }
    assert!(session.at_rest());
}
