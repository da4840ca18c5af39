//! A runtime with a service in front of scripted servers: what the tests of this folder live in.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "each test file uses its own part"
)]

pub mod asking;
pub mod bomb;
pub mod sql;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_config::Values;
use tidegate_routers::router;
use tidegate_runtime::log::{Format, LogConfig, LogSettings, LogThread};
use tidegate_runtime::{
    Answers, Endpoint, ListenerSpec, Refusal, Reply, Runtime, RuntimeConfig, ServerEndpoint,
    Servers, Tuning, Which,
};
use tidegate_session::question::{AccountAnswer, Answer, KillAnswer, Question, ServiceLogin};
use tidegate_session::world::{Counters, Rank, ServerStatus, ServerView, ServerViews};
use tidegate_session::{
    AutoTune, Control, DumpStatements, HistoryLimits, LogSwitches, LoginLog, ServerId, ServiceSpec,
    SessionId, SessionTrace, SessionView, TargetSpec,
};
use tidegate_testkit::PATIENCE;
use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{Login, Peer, RawClient, ScriptedServer};
use tidegate_wire::Caps;
use tidegate_wire::auth::native;
use tidegate_wire::compress::CompressionOffer;

pub const USER: &str = "app";
pub const PASSWORD: &str = "secret of the tests";

/// Lets [`USER`] in with [`PASSWORD`], at once or later.
#[derive(Debug, Default)]
pub struct OneAccount {
    /// Answers wait here until the test gives them.
    pub later: Option<Arc<Mutex<Vec<Reply>>>>,
    /// The account to log in with in its place, where servers can do that.
    pub as_service: Option<Arc<ServiceLogin>>,
}

impl OneAccount {
    pub fn answer() -> Answer {
        Answer::Account(AccountAnswer::by_native(native::hash(PASSWORD.as_bytes())))
    }
}

impl Answers for OneAccount {
    fn at_once(&self, question: &Question) -> Option<Answer> {
        let query = match question {
            Question::Account(query) => query,
            Question::Work(_) => {
                return Some(Answer::Work(Err("nobody does it here".to_owned())));
            }
            Question::Kill(_) => {
                return Some(Answer::Kill(KillAnswer::failed("nobody does it here")));
            }
        };
        assert_ne!(query.user, b"panic", "a planted panic");
        if self.later.is_some() {
            return None;
        }
        let denied = AccountAnswer::denied("only one account exists");
        Some(match OneAccount::answer() {
            Answer::Account(AccountAnswer::Found(mut found)) if query.user == USER.as_bytes() => {
                found.as_service.clone_from(&self.as_service);
                Answer::Account(AccountAnswer::Found(found))
            }
            _ => Answer::Account(denied),
        })
    }

    fn accounts_changed(&self, _: &str) {}

    fn later(&self, _: Question, reply: Reply) {
        let queue = self.later.as_ref().expect("only then it is called");
        queue.lock().unwrap().push(reply);
    }
}

/// What a house is built of.
pub struct Plan {
    pub workers: usize,
    pub most_workers: usize,
    pub servers: Vec<Option<SocketAddr>>,
    pub tuning: Tuning,
    pub answers: OneAccount,
    pub change: fn(&mut ServiceSpec),
    pub endpoint: Endpoint,
    pub compression: CompressionOffer,
}

impl Plan {
    pub fn new(servers: &[&ScriptedServer]) -> Plan {
        Plan {
            workers: 2,
            most_workers: 2,
            servers: servers
                .iter()
                .map(|server| Some(server.address()))
                .collect(),
            tuning: Tuning::default(),
            answers: OneAccount::default(),
            change: |_| {},
            endpoint: Endpoint::Tcp("127.0.0.1:0".parse().unwrap()),
            compression: CompressionOffer::NONE,
        }
    }
}

/// A running house. Dropping it ends it.
pub struct House {
    pub runtime: Runtime,
    pub service: Arc<ServiceSpec>,
    pub servers: Servers,
    pub endpoint: Endpoint,
    log_path: PathBuf,
    log: LogThread,
    _folder: tempfile::TempDir,
}

impl House {
    pub fn new(plan: Plan) -> House {
        tidegate_testkit::secrets::remember(PASSWORD);
        let folder = tempfile::tempdir().unwrap();
        let log_path = folder.path().join("tidegate.log");
        let log = LogThread::start(LogConfig {
            path: Some(log_path.clone()),
            stdout: false,
            traces: None,
            journal: LogConfig::JOURNAL.into(),
            format: Format::Text,
            banner: "Tidegate test".into(),
            settings: LogSettings {
                throttling: None,
                ..LogSettings::default()
            },
        })
        .unwrap();
        let servers = servers(&plan.servers, plan.workers);
        let mut service = service(plan.servers.len(), plan.workers);
        (plan.change)(&mut service);
        let service = Arc::new(service);
        let runtime = Runtime::start(RuntimeConfig {
            workers: plan.workers,
            most_workers: plan.most_workers,
            pin: false,
            first_session: SessionId(1),
            lent: Vec::new(),
            log: log.log(),
            servers: servers.clone(),
            tuning: plan.tuning,
            answers: Arc::new(plan.answers),
            classifier_bytes: 1 << 20,
        })
        .unwrap();
        let endpoint = runtime
            .add_listener(&ListenerSpec {
                name: Arc::from("Listener"),
                endpoint: plan.endpoint,
                service: Arc::clone(&service),
                tls: None,
                tellers: Arc::default(),
                plugin: tidegate_wire::auth::NATIVE,
                compression: plan.compression,
                terms: Arc::default(),
                started: true,
            })
            .unwrap();
        House {
            runtime,
            service,
            servers,
            endpoint,
            log_path,
            log,
            _folder: folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        match &self.endpoint {
            Endpoint::Tcp(address) => *address,
            Endpoint::Unix(path) => panic!("not TCP but {}", path.display()),
        }
    }

    pub fn connect(&self) -> RawClient {
        RawClient::connect(self.address(), &login()).unwrap()
    }

    /// All sessions.
    pub fn sessions(&self) -> Vec<SessionView> {
        let (send, receive) = channel();
        self.runtime
            .sessions(Which::All, move |result| send.send(result).unwrap());
        let all = receive.recv_timeout(PATIENCE).unwrap().unwrap();
        let mut views: Vec<_> = all.iter().cloned().collect();
        views.sort_by_key(|view| view.id);
        views
    }

    pub fn control(&self, session: SessionId, control: Control) -> Result<(), Refusal> {
        let (send, receive) = channel();
        self.runtime.control(session, control, move |result| {
            send.send(result).unwrap();
        });
        receive.recv_timeout(PATIENCE).unwrap()
    }

    /// The servers that a session is connected to.
    pub fn servers_of(&self, client: &RawClient) -> Vec<String> {
        let id = SessionId(u64::from(client.connection_id()));
        let all = self.sessions();
        let view = all.iter().find(|view| view.id == id).expect("the session");
        view.connections
            .iter()
            .map(|one| one.server.to_string())
            .collect()
    }

    /// The monitor sees the servers so from now on.
    pub fn look_again(&self, change: impl FnOnce(&mut [ServerView])) {
        let mut views = (*self.servers.views).clone();
        change(&mut views.0);
        let mut changed = self.servers.clone();
        changed.views = Arc::new(views);
        self.runtime.set_servers(&changed);
    }

    /// What the log says so far.
    pub fn log(&self) -> String {
        self.log.log().flush(PATIENCE);
        std::fs::read_to_string(&self.log_path).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.runtime.begin_shutdown(true);
        assert!(
            self.runtime.wait(Duration::from_secs(30)),
            "the workers do not end"
        );
        tidegate_testkit::secrets::check("the log", &self.log());
    }
}

pub fn login() -> Login {
    Login::new(&Account {
        user: USER.into(),
        password: PASSWORD.into(),
    })
}

pub fn servers(addresses: &[Option<SocketAddr>], workers: usize) -> Servers {
    let views = addresses.iter().enumerate().map(|(ix, _)| ServerView {
        name: Arc::from(format!("server{}", ix + 1)),
        status: ServerStatus::RUNNING.with(if ix == 0 {
            ServerStatus::MASTER
        } else {
            ServerStatus::SLAVE
        }),
        lag: None,
        position: None,
        rank: Rank::Primary,
        version: 101_100,
        version_string: Arc::from("10.11.0-MariaDB-scripted"),
        mysql_family: false,
        caps: Some(Caps::empty()),
        collation: 45,
        variables: Arc::default(),
        tls: false,
        connect_timeout: None,
        pool: None,
        proxy_header: None,
        compression: None,
        as_service: false,
        counters: Arc::new(Counters::new(workers)),
    });
    let endpoints = addresses.iter().map(|address| ServerEndpoint {
        address: address.map(Endpoint::Tcp),
        ..ServerEndpoint::default()
    });
    Servers {
        views: Arc::new(ServerViews(views.collect())),
        endpoints: endpoints.collect(),
    }
}

pub fn service(servers: usize, workers: usize) -> ServiceSpec {
    let module = router("readconnroute").unwrap();
    ServiceSpec {
        name: Arc::from("Read"),
        router: (module.make)(&Values::defaults([module.declaration.table])),
        filters: Vec::new(),
        targets: (0..servers as u32)
            .map(|ix| TargetSpec::Server(ServerId(ix)))
            .collect(),
        rank: Rank::Primary,
        auto_tune: AutoTune::default(),
        wait_timeout: None,
        net_write_timeout: None,
        keepalive: None,
        retain_last_statements: 0,
        session_trace: SessionTrace::default(),
        dump_last_statements: DumpStatements::Never,
        log_switches: LogSwitches::default(),
        login_log: LoginLog::default(),
        history: HistoryLimits::default(),
        sharing: None,
        statement_digests: 100,
        max_connections: 0,
        version_string: None,
        position: Arc::default(),
        counters: Arc::new(Counters::new(workers)),
        target_counters: (0..servers)
            .map(|_| Arc::new(Counters::new(workers)))
            .collect(),
    }
}

/// A healthy server that knows a few statements:
///
/// | statement | answer |
/// |---|---|
/// | `SELECT n` | a row with the text after `SELECT ` |
/// | `ROWS n width` | so many rows, each of so many bytes |
/// | `LENGTH …` | the length of the statement |
/// | `CLOSE` | half a result, then the connection closes |
/// | `NONSENSE` | a packet with a wrong number |
/// | anything else | OK |
pub fn healthy() -> ScriptedServer {
    ScriptedServer::start(|peer| {
        peer.login()?;
        while serve(peer)? {}
        Ok(())
    })
    .unwrap()
}

fn serve(peer: &mut Peer) -> anyhow::Result<bool> {
    let command = peer.command()?;
    let text = String::from_utf8_lossy(&command[1..]).into_owned();
    let words: Vec<&str> = text.split(' ').collect();
    match (command[0], words.as_slice()) {
        (1, _) => return Ok(false),
        (3, ["SELECT", value]) => peer.rows("value", &[value])?,
        (3, ["LENGTH", ..]) => peer.rows("length", &[&text.len().to_string()])?,
        (3, ["ROWS", count, width]) => {
            peer.begin_rows("filler")?;
            let row = "x".repeat(width.parse()?);
            for _ in 0..count.parse()? {
                peer.row(&row)?;
            }
            peer.end()?;
        }
        (3, ["CLOSE"]) => {
            peer.begin_rows("half")?;
            peer.row("one")?;
            return Ok(false);
        }
        (3, ["NONSENSE"]) => peer.packets.write_bytes(b"\x01\x00\x00\x77\x00")?,
        _ => peer.ok()?,
    }
    Ok(true)
}
