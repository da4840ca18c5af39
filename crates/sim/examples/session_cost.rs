//! The cost of the session core alone: point selects, request and reply, driven without sockets.
//!
//! `session_cost CASE [empty] COUNT`. Run it under an instruction counter with two different counts; the
//! difference, divided by the difference of the counts, is the cost of one:
//!
//! ```text
//! cargo build --profile profiling -p tidegate-sim --example session_cost
//! valgrind --tool=callgrind target/profiling/examples/session_cost text 10000
//! ```
//!
//! Cases: `text` (COM_QUERY through readwritesplit, each with another literal), `same` (the same
//! bytes each time), `execute` (COM_STMT_EXECUTE through readwritesplit, the parameter types sent
//! once), `connection` (COM_QUERY through readconnroute). A second word `empty` runs all of it but the
//! session: what that costs is the program's own part of a case.

use std::sync::Arc;

use tidegate_config::{Params as _, Values};
use tidegate_routers::readconnroute::{ReadConnRoute, ReadConnRouteParams};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::digests::DigestBook;
use tidegate_session::question::{AccountAnswer, Answer};
use tidegate_session::router::Router;
use tidegate_session::world::{Counters, Rank, ServerStatus, ServerView, ServerViews};
use tidegate_session::{
    AutoTune, BackendId, Birth, DumpStatements, Env, Errand, GreetingFacts, HistoryLimits, Instant,
    LogSwitches, LoginLog, Op, Origin, Output, ServerId, ServiceSpec, Session, SessionId,
    SessionTrace, Side, TargetSpec, Token, WallTime,
};
use tidegate_sql::Cache;
use tidegate_wire::auth::native::NativeHash;
use tidegate_wire::frame::frame_into;
use tidegate_wire::login::{ClientLogin, Identity, Secret, ServerLogin, ServerLoginConfig};
use tidegate_wire::{Caps, OkPacket, Status};

const STATEMENT: &str = "SELECT c FROM sbtest1 WHERE id=";

const DEFINITION: &[u8] = b"\x03def\x06sbtest\x07sbtest1\x07sbtest1\x01c\x01c\x0c\x2d\x00\xe0\x01\x00\x00\xfe\x01\x00\x00\x00\x00";
const PARAMETER: &[u8] =
    b"\x03def\x00\x00\x00\x01?\x00\x0c\x3f\x00\x00\x00\x00\x00\xfd\x80\x00\x00\x00\x00";
const EOF: &[u8] = b"\xfe\x00\x00\x02\x00";

/// Packets of a server.
fn reply(payloads: &[&[u8]]) -> Vec<u8> {
    let (mut bytes, mut seq) = (Vec::new(), 1);
    for payload in payloads {
        frame_into(&mut bytes, &mut seq, payload);
    }
    bytes
}

/// The reply to the statement, with EOF packets, as a MariaDB 10.11 sends it; its one row begins
/// with `head`.
fn result_set(head: &[u8]) -> Vec<u8> {
    let row = [head, &[119], &[b'7'; 119]].concat();
    reply(&[b"\x01", DEFINITION, EOF, &row, EOF])
}

/// A packet of the client.
fn command(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame_into(&mut bytes, &mut 0, payload);
    bytes
}

/// A session with one primary and two replicas, and what surrounds it.
struct Bench {
    servers: ServerViews,
    classifier: Cache,
    digests: DigestBook,
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
            position: None,
            rank: Rank::Primary,
            version: 101_100,
            version_string: "10.11.0-MariaDB".into(),
            mysql_family: false,
            caps: Some(caps()),
            collation: 45,
            variables: Arc::default(),
            tls: false,
            connect_timeout: None,
            pool: None,
            proxy_header: None,
            compression: None,
            as_service: false,
            counters: Arc::new(Counters::with_room(2, 256)),
        });
        Bench {
            servers: ServerViews(views.collect()),
            classifier: Cache::new(1 << 20),
            digests: DigestBook::default(),
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
            digests: &mut self.digests,
            out: &mut self.out,
        }
    }

    fn feed(&mut self, session: &mut Session, side: Side, bytes: &mut [u8]) {
        self.out.clear();
        let consumed = session.on_bytes(side, bytes, &mut self.env());
        assert_eq!(consumed, bytes.len());
    }

    /// To whom the last call sent its command.
    fn receiver(&self) -> Option<BackendId> {
        self.out.ops.iter().find_map(|op| match op {
            Op::Forward {
                to: Side::Backend(backend),
                ..
            }
            | Op::Send {
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

fn split() -> Arc<dyn Router> {
    let values = Values::defaults([ReadWriteSplitParams::TABLE]);
    Arc::new(ReadWriteSplit::new(&ReadWriteSplitParams::from_values(
        &values,
    )))
}

fn connection() -> Arc<dyn Router> {
    let values = Values::defaults([ReadConnRouteParams::TABLE]);
    Arc::new(ReadConnRoute::new(&ReadConnRouteParams::from_values(
        &values,
    )))
}

fn service(router: Arc<dyn Router>) -> Arc<ServiceSpec> {
    Arc::new(ServiceSpec {
        name: "S".into(),
        router,
        filters: Vec::new(),
        targets: (0..3).map(|ix| TargetSpec::Server(ServerId(ix))).collect(),
        rank: Rank::Primary,
        auto_tune: AutoTune::default(),
        wait_timeout: None,
        net_write_timeout: None,
        keepalive: None,
        retain_last_statements: 0,
        dump_last_statements: DumpStatements::Never,
        session_trace: SessionTrace::default(),
        log_switches: LogSwitches::default(),
        login_log: LoginLog::default(),
        history: HistoryLimits::default(),
        sharing: None,
        statement_digests: 100,
        max_connections: 0,
        version_string: None,
        position: Arc::default(),
        counters: Arc::new(Counters::with_room(2, 256)),
        target_counters: (0..3)
            .map(|_| Arc::new(Counters::with_room(2, 256)))
            .collect(),
    })
}

fn login_config(id: u32) -> ServerLoginConfig {
    ServerLoginConfig {
        version: b"10.11.0-MariaDB".to_vec(),
        conn_id: id,
        scramble: [7; 20],
        nonces: tidegate_wire::auth::Nonces::default(),
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

/// Logs a client without password in, and its connections.
fn open(bench: &mut Bench, router: Arc<dyn Router>) -> Session {
    let birth = Birth {
        id: SessionId(1),
        service: service(router),
        listener: "L".into(),
        origin: Origin::local_client(),
        scramble: [7; 20],
        seed: [7; 32],
        plugin: tidegate_wire::auth::NATIVE,
        greeting: GreetingFacts {
            version: "5.5.5-10.11.0-MariaDB".into(),
            caps: caps(),
            collation: 45,
            mysql_family: false,
            compression: tidegate_wire::compress::CompressionOffer::NONE,
            terms: Arc::default(),
        },
    };
    let mut session = Session::start(birth, &mut bench.env());
    let mut response = client_response();
    bench.feed(&mut session, Side::Client, &mut response);
    let answer = AccountAnswer::by_native(NativeHash::EMPTY);
    bench.out.clear();
    session.on_answer(Token(1), Answer::Account(answer), &mut bench.env());
    let opened: Vec<BackendId> = (bench.out.ops.iter())
        .filter_map(|op| match op {
            Op::Errand(errand) => match &**errand {
                Errand::Connect(wanted) => Some(wanted.backend),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for backend in opened {
        bench.out.clear();
        session.on_backend_up(backend, &mut bench.env());
        let mut greeting = Vec::new();
        ServerLogin::start(login_config(u32::from(backend.0) + 10), &mut greeting);
        bench.feed(&mut session, Side::Backend(backend), &mut greeting);
        bench.feed(&mut session, Side::Backend(backend), &mut ok(2));
        // What the proxy asks of a connection of its own accord, where it keeps a history.
        if !session.at_rest() {
            bench.feed(&mut session, Side::Backend(backend), &mut ok(1));
        }
    }
    session
}

/// The handshake response of a client that knows the greeting.
fn client_response() -> Vec<u8> {
    let mut identity = Identity::new(b"app", Secret::None);
    identity.caps = caps().difference(Caps::SESSION_TRACK);
    let mut login = ClientLogin::new(identity);
    let mut greeting = Vec::new();
    ServerLogin::start(login_config(1), &mut greeting);
    let mut response = Vec::new();
    let step = login.on_packet(&greeting[4..], 0, &mut response);
    assert!(step.is_ok(), "{step:?}");
    response
}

/// Prepares the statement on every connection; returns its execution, with the parameter's type.
fn prepare(bench: &mut Bench, session: &mut Session) -> Vec<u8> {
    let text = format!("\x16{STATEMENT}?");
    bench.feed(session, Side::Client, &mut command(text.as_bytes()));
    for ix in 0..3u16 {
        let prepared = [0, 40 + ix as u8, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        let mut reply = reply(&[&prepared, PARAMETER, EOF, DEFINITION, EOF]);
        bench.feed(session, Side::Backend(BackendId(ix)), &mut reply);
    }
    command(b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x08\0\x00\0\0\0\0\0\0\0")
}

/// One command and its reply.
fn round_trip(bench: &mut Bench, session: &mut Session, request: &mut [u8], answer: &mut [u8]) {
    bench.feed(session, Side::Client, request);
    let backend = bench.receiver().expect("the statement is routed");
    bench.feed(session, Side::Backend(backend), answer);
}

/// The same without the session.
fn empty_trip(bench: &mut Bench, request: &mut [u8], answer: &mut [u8]) {
    for bytes in [request, answer] {
        let env = bench.env();
        std::hint::black_box((env.now, &env.servers, &env.classifier, &env.out, &bytes));
        std::hint::black_box(bench.receiver());
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().unwrap_or_else(|| "text".into());
    let rest: Vec<String> = arguments.collect();
    let empty = rest.iter().any(|word| word == "empty");
    let count = rest.last().and_then(|count| count.parse().ok());
    let count: u32 = count.unwrap_or(1000);
    let router = if case == "connection" {
        connection()
    } else {
        split()
    };
    let mut bench = Bench::new();
    let mut session = open(&mut bench, router);
    let (template, reply) = if case == "execute" {
        let mut typed = prepare(&mut bench, &mut session);
        let reply = result_set(&[0, 0]);
        round_trip(&mut bench, &mut session, &mut typed, &mut reply.clone());
        let untyped = b"\x17\x01\0\0\0\0\x01\0\0\0\0\0\x00\0\0\0\0\0\0\0";
        (command(untyped), reply)
    } else {
        let text = format!("\x03{STATEMENT}10000000");
        (command(text.as_bytes()), result_set(&[]))
    };
    let (mut request, mut answer) = (template.clone(), reply.clone());
    for round in 0..count {
        request.copy_from_slice(&template);
        answer.copy_from_slice(&reply);
        if case != "same" {
            let literal = request.len() - 6..;
            for (ix, byte) in request[literal].iter_mut().enumerate() {
                *byte = b'0' + (round >> (3 * ix) & 7) as u8;
            }
        }
        if empty {
            empty_trip(&mut bench, &mut request, &mut answer);
        } else {
            round_trip(&mut bench, &mut session, &mut request, &mut answer);
        }
        std::hint::black_box((&request, &answer));
    }
    assert!(session.at_rest());
}
