//! A house of plain memory: one primary, one replica, two services, three sessions.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tidegate_admin::house::{
    Control, GlobalChange, Insight, Objects, Pending, Refusal, RouteQuestion, ServerStateChange,
    SessionChange, Sessions, Switch, Switchable, Unanswered, Which,
};
use tidegate_admin::views::*;

pub struct FakeHouse {
    pub sessions: Mutex<Vec<SessionView>>,
    pub seed: Option<Vec<SeedListener>>,
    /// A worker that does not answer.
    pub stuck: bool,
    /// What was asked for, in words.
    pub asked: Mutex<Vec<String>>,
    pub refusal: Option<Refusal>,
}

impl Default for FakeHouse {
    fn default() -> Self {
        let sessions = vec![
            session(70, "CLI", None),
            session(7, "RW", Some([10, 0, 0, 5].into())),
        ];
        Self {
            sessions: Mutex::new(sessions),
            seed: None,
            stuck: false,
            asked: Mutex::default(),
            refusal: None,
        }
    }
}

impl FakeHouse {
    /// What was asked for so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }

    fn act(&self, what: String) -> Pending<'_, Result<(), Refusal>> {
        self.asked.lock().expect("unpoisoned").push(what);
        let outcome = self.refusal.clone().map_or(Ok(()), Err);
        Box::pin(async move { outcome })
    }

    fn on_session(&self, id: u64, what: String) -> Pending<'_, Result<(), Refusal>> {
        let sessions = self.sessions.lock().expect("unpoisoned");
        if sessions.iter().any(|view| view.id == id) {
            self.act(what)
        } else {
            Box::pin(async { Err(Refusal::Unknown) })
        }
    }

    fn answered<T>(&self, value: T) -> Result<T, Unanswered> {
        if self.stuck {
            Err(Unanswered { worker: 1 })
        } else {
            Ok(value)
        }
    }
}

impl Objects for FakeHouse {
    fn servers(&self) -> Vec<ServerView> {
        vec![server("db-a", true), server("db-b", false)]
    }
    fn services(&self) -> Vec<ServiceView> {
        vec![service("RW", "readwritesplit"), service("CLI", "cli")]
    }
    fn monitors(&self) -> Vec<MonitorView> {
        vec![monitor()]
    }
    fn filters(&self) -> Vec<FilterView> {
        vec![filter("Mask", &["RW"]), filter("Audit", &[])]
    }
    fn maxscale(&self) -> MaxScaleView {
        maxscale()
    }
    fn threads(&self) -> Pending<'_, Result<Vec<ThreadView>, Unanswered>> {
        let threads = self.answered(vec![thread(0), thread(1)]);
        Box::pin(async move { threads })
    }
}

impl Sessions for FakeHouse {
    fn session_ids(&self) -> Pending<'_, Result<Vec<u64>, Unanswered>> {
        let sessions = self.sessions.lock().expect("unpoisoned");
        let ids = self.answered(sessions.iter().map(|view| view.id).collect());
        Box::pin(async move { ids })
    }

    fn sessions(&self, which: Which) -> Pending<'_, Result<Vec<SessionView>, Unanswered>> {
        let wanted = |view: &&SessionView| match &which {
            Which::All => true,
            Which::Ids(ids) => ids.contains(&view.id),
        };
        let sessions = self.sessions.lock().expect("unpoisoned");
        let views = self.answered(sessions.iter().filter(wanted).cloned().collect());
        Box::pin(async move {
            tokio::task::yield_now().await;
            views
        })
    }

    fn alter_session(&self, id: u64, change: SessionChange) -> Pending<'_, Result<(), Refusal>> {
        self.on_session(id, format!("alter {id} {change:?}"))
    }

    fn kill_session(&self, id: u64, after: Option<Duration>) -> Pending<'_, Result<(), Refusal>> {
        self.on_session(id, format!("kill {id} {after:?}"))
    }

    fn restart_session(&self, id: u64) -> Pending<'_, Result<(), Refusal>> {
        self.on_session(id, format!("restart {id}"))
    }

    fn restart_sessions(&self) -> Pending<'_, Result<(), Refusal>> {
        self.act("restart all".to_owned())
    }

    fn seed_listeners(&self) -> Option<Vec<SeedListener>> {
        self.seed.clone()
    }
}

impl Control for FakeHouse {
    fn change_server_state(
        &self,
        server: &str,
        change: ServerStateChange,
    ) -> Pending<'_, Result<(), Refusal>> {
        if self.servers().iter().all(|view| view.name != server) {
            return Box::pin(async { Err(Refusal::Unknown) });
        }
        self.act(format!(
            "{} {server} {:?} force={}",
            if change.set { "set" } else { "clear" },
            change.bit,
            change.force
        ))
    }

    fn reload_accounts(&self, service: &str) -> Pending<'_, Result<(), Refusal>> {
        self.act(format!("reload {service}"))
    }

    fn reopen_logs(&self) {}

    fn alter_globals(&self, change: GlobalChange) -> Pending<'_, Result<(), Refusal>> {
        self.act(format!(
            "threads {:?} keys {:?}",
            change.threads, change.keys
        ))
    }

    fn switch(&self, what: Switchable, name: &str, to: Switch) -> Pending<'_, Result<(), Refusal>> {
        self.act(format!("{what:?} {name} {to:?}"))
    }
}

impl Insight for FakeHouse {
    fn digests(&self, service: &str) -> Pending<'_, Result<DigestsView, Refusal>> {
        let known = self.services().iter().any(|view| view.name == service);
        let outcome = if !known {
            Err(Refusal::Unknown)
        } else {
            self.answered(digests()).map_err(Refusal::from)
        };
        Box::pin(async move { outcome })
    }

    fn explain_route(&self, service: &str, question: &RouteQuestion) -> Result<RouteView, Refusal> {
        if self.services().iter().all(|view| view.name != service) {
            return Err(Refusal::Unknown);
        }
        self.asked
            .lock()
            .expect("unpoisoned")
            .push(format!("{question:?}"));
        Ok(route())
    }

    fn reset_digests(&self, service: &str) -> Pending<'_, Result<(), Refusal>> {
        self.act(format!("reset digests of {service}"))
    }

    fn reset_position(&self, service: &str) -> Pending<'_, Result<(), Refusal>> {
        self.act(format!("reset the position of {service}"))
    }
}

fn route() -> RouteView {
    let candidate = |name: &str, state: &str, lag, chosen, verdict: &str| RouteCandidate {
        name: name.into(),
        is_service: false,
        state: state.into(),
        rank: "primary",
        lag,
        connections: 3,
        operations: 0,
        chosen,
        verdict: verdict.into(),
    };
    let step = |rule, sentence, target: &str| RouteStep {
        service: "RW".into(),
        router: "readwritesplit",
        rule,
        sentence,
        outcome: RouteOutcome::One(target.into()),
        candidates: vec![
            candidate(
                "db-a",
                "Master, Running",
                None,
                target == "db-a",
                "eligible, but it is the primary, and replicas can take the read",
            ),
            candidate(
                "db-b",
                "Slave, Running",
                Some(Duration::from_secs(2)),
                target == "db-b",
                "chosen: no eligible server has fewer than its 0 statements in progress",
            ),
        ],
        effects: vec![("transaction_replay", "It is repeated.".into())],
    };
    RouteView {
        canonical: "SELECT a FROM t WHERE id = ?".into(),
        types: vec!["READ"],
        operation: "OP_SELECT",
        parsed: "PARSED",
        steps: vec![step(
            "read",
            "It only reads, so a replica may take it.",
            "db-b",
        )],
        in_transaction: Some(step(
            "in_transaction",
            "A transaction is open, so it runs where the transaction runs.",
            "db-a",
        )),
    }
}

fn digests() -> DigestsView {
    let digest = |id, statement: &str, count, errors| DigestView {
        id,
        statement: statement.into(),
        truncated: false,
        count,
        missed_at_most: 1,
        errors,
        rows: 10 * count,
        times: times(),
        servers: vec![("db-a".into(), count)],
        first_seen: then(0),
        last_seen: then(count),
    };
    DigestsView {
        list: vec![
            digest(0xAB, "SELECT a FROM t WHERE id = ?", 5, 0),
            digest(0xCD, "INSERT INTO t VALUES (?)", 2, 1),
            digest(0xEF, "SELECT ?", 9, 0),
        ],
        missed_at_most: 1,
        without_digest: 2,
    }
}

/// 17 May 2017, 10:06:35 GMT, and some seconds.
pub fn then(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_495_015_595 + seconds)
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other}"),
    }
}

fn from_file() -> Source {
    Source {
        file: Some("/etc/tidegate.cnf".into()),
        kind: SourceKind::Static,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn session(id: u64, service: &str, remote: Option<IpAddr>) -> SessionView {
    SessionView {
        id,
        state: SessionState::Started,
        service: service.into(),
        filters: names(if id == 7 {
            &["Mask", "Audit", "Mask"]
        } else {
            &[]
        }),
        user: "app".into(),
        user_at_servers: None,
        remote,
        port: if remote.is_some() { 51712 } else { 0 },
        database: remote.map(|_| "shop".to_owned()),
        connected: then(0),
        alive: Duration::from_millis(42_731),
        idle: Duration::from_millis(3_499),
        thread: 1,
        io_activity: 12,
        client: ClientView {
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            connection_attributes: vec![("_client_name".into(), "libmariadb".into())],
            sescmd_history_len: 2,
            sescmd_history_stored_responses: 2,
            sescmd_history_stored_metadata: 0,
        },
        connections: vec![connection("db-a", 991), connection("db-b", 412)],
        times: SessionTimes {
            distribution: [0, 0, 0, 40, 2, 0, 0, 0, 0, 0, 0, 0],
            total: Duration::from_micros(21_000),
            max: Duration::from_micros(3_200),
        },
        sharing: None,
        log_switches: LogSwitches {
            info: true,
            ..LogSwitches::default()
        },
        memory: memory(),
        queries: queries(),
        log: names(&["2017-05-17 10:06:36   info   : (7); routed to db-a"]),
    }
}

fn connection(server: &str, connection_id: u64) -> ConnectionView {
    ConnectionView {
        server: server.into(),
        connection_id,
        cipher: String::new(),
    }
}

fn memory() -> SessionMemory {
    let buffers = |misc_bytes| BufferMemory {
        readq_bytes: 1,
        writeq_bytes: 2,
        misc_bytes,
    };
    SessionMemory {
        client: buffers(640),
        backends: vec![("db-b".into(), buffers(600)), ("db-a".into(), buffers(660))],
        sescmd_history_bytes: 300,
        exec_metadata_bytes: 0,
        last_queries_bytes: 90,
        variables_bytes: 4,
    }
}

fn queries() -> Vec<QueryView> {
    let query = |statement: &str, completed| QueryView {
        statement: statement.into(),
        command: "COM_QUERY".into(),
        received: then(1) + Duration::from_millis(250),
        completed,
        responses: vec![ResponseView {
            server: "db-a".into(),
            duration: Duration::from_micros(12_900),
        }],
    };
    vec![
        query("SELECT SLEEP(5)", None),
        query("SELECT 1", Some(then(2))),
    ]
}

fn server(name: &str, primary: bool) -> ServerView {
    ServerView {
        name: name.into(),
        state: if primary {
            "Master, Running"
        } else {
            "Slave, Running"
        }
        .into(),
        state_details: None,
        parameters: members(json!({
            "address": "127.0.0.1", "port": 3306, "protocol": null, "ssl": false,
            "ssl_ca": null, "ssl_cert": null, "ssl_key": null,
            "ssl_verify_peer_certificate": false, "ssl_verify_peer_host": false,
            "ssl_version": "MAX", "monitorpw": "*****", "persistmaxtime": "0ms"
        })),
        source: from_file(),
        version_string: Some("11.4.2-MariaDB-log".into()),
        node_id: Some(if primary { 1 } else { 2 }),
        master_id: (!primary).then_some(1),
        replication_lag: (!primary).then_some(Duration::from_millis(1_900)),
        uptime: Duration::from_secs(100),
        last_event: Some(("master_up".into(), then(0))),
        statistics: ServerStatistics {
            connections: 3,
            total_connections: 9,
            adaptive_avg_select_time: Duration::from_micros(250),
            spread: SpreadView {
                read: times(),
                ..SpreadView::default()
            },
            ..ServerStatistics::default()
        },
        replication: Some(replication(name, primary)),
        services: names(&["RW"]),
        monitor: Some("Mon".into()),
    }
}

fn times() -> TimesView {
    TimesView {
        count: 5,
        total: Duration::from_micros(1_255),
        p50: Duration::from_micros(239),
        p95: Duration::from_micros(479),
        p99: Duration::from_micros(479),
        max: Duration::from_micros(480),
    }
}

fn replication(name: &str, primary: bool) -> ReplicationView {
    let from_primary = ReplicaConnectionView {
        master_host: "127.0.0.1".into(),
        master_port: 3306,
        master_server_id: 1,
        master_server_name: "db-a".into(),
        slave_io_running: "Yes".into(),
        slave_sql_running: "Yes".into(),
        seconds_behind_master: Some(1),
        gtid_io_pos: "0-1-5".into(),
        using_gtid: "Slave_Pos".into(),
        ..ReplicaConnectionView::default()
    };
    ReplicationView {
        name: name.into(),
        server_id: Some(if primary { 1 } else { 2 }),
        read_only: Some(!primary),
        gtid_binlog_pos: Some("0-1-5".into()),
        gtid_current_pos: Some("0-1-5".into()),
        master_group: None,
        lock_held: None,
        state_details: None,
        slave_connections: if primary { vec![] } else { vec![from_primary] },
    }
}

fn service(name: &str, router: &str) -> ServiceView {
    let full = name == "RW";
    ServiceView {
        name: name.into(),
        router: router.into(),
        state: ServiceState::Started,
        started: then(0),
        statistics: ServiceStatistics {
            connections: 1,
            total_connections: 4,
            avg_session_lifetime: Duration::from_millis(1_500),
            ..ServiceStatistics::default()
        },
        parameters: members(json!({
            "user": "svc", "password": "*****", "max_connections": 0,
            "connection_keepalive": "300000ms"
        })),
        router_diagnostics: members(json!({
            "queries": 9, "route_master": 4, "route_slave": 5, "route_all": 0,
            "rw_transactions": 0, "ro_transactions": 0, "replayed_transactions": 0
        })),
        listeners: if full {
            vec![listener("RW-L", "RW")]
        } else {
            vec![]
        },
        users: vec![AccountView {
            user: "app".into(),
            host: "%".into(),
            plugin: "mysql_native_password".into(),
            ..AccountView::default()
        }],
        users_last_update: full.then(|| then(3)),
        users_troubles: Vec::new(),
        source: from_file(),
        servers: names(if full { &["db-a", "db-b"] } else { &[] }),
        services: vec![],
        filters: names(if full { &["Mask"] } else { &[] }),
        monitor: None,
    }
}

fn listener(name: &str, service: &str) -> ListenerView {
    ListenerView {
        name: name.into(),
        state: ListenerState::Running,
        parameters: members(json!({
            "address": "::", "port": 4006, "socket": null, "protocol": "MariaDBProtocol",
            "ssl": false, "MariaDBProtocol": { "allow_replication": true }
        })),
        source: Source {
            file: None,
            kind: SourceKind::Runtime,
        },
        service: service.into(),
    }
}

fn monitor() -> MonitorView {
    MonitorView {
        name: "Mon".into(),
        module: "mariadbmon".into(),
        running: true,
        ticks: 17,
        parameters: members(json!({
            "user": "mon", "password": "*****", "monitor_interval": "2000ms",
            "cooperative_monitoring_locks": "none", "auto_failover": false, "auto_rejoin": true
        })),
        source: from_file(),
        diagnostics: Some(MonitorDiagnostics {
            master: Some("db-a".into()),
            master_gtid_domain_id: Some(0),
            primary: None,
            state: "Idle".into(),
            server_info: vec![replication("db-a", true), replication("db-b", false)],
        }),
        servers: names(&["db-a", "db-b"]),
        services: vec![],
    }
}

fn filter(name: &str, services: &[&str]) -> FilterView {
    FilterView {
        name: name.into(),
        module: "qlafilter".into(),
        parameters: members(json!({ "filebase": "/tmp/q", "flush": false })),
        diagnostics: Some(json!({ "queries": 3 })),
        source: from_file(),
        services: names(services),
    }
}

fn maxscale() -> MaxScaleView {
    MaxScaleView {
        version: "0.1.0".into(),
        commit: "abcdef".into(),
        started_at: then(0),
        activated_at: then(0),
        uptime: Duration::from_millis(5_900),
        process_datadir: "/var/lib/tidegate/data1".into(),
        parameters: members(json!({
            "threads": 2, "writeq_high_water": 65536, "writeq_low_water": 1024, "passive": false,
            "config_sync_cluster": null, "config_sync_user": null, "config_sync_db": "mysql",
            "config_sync_interval": "5000ms", "config_sync_timeout": "10000ms"
        })),
        system: SystemView {
            cores_available: 2,
            cores_physical: 2,
            cores_virtual: 1.5,
            memory_available_bytes: 1 << 30,
            memory_physical_bytes: 1 << 31,
            threads: 2,
            query_classifier_cache_size_bytes: 1 << 20,
            os: OsView {
                sysname: "Linux".into(),
                ..OsView::default()
            },
        },
    }
}

fn thread(id: u32) -> ThreadView {
    ThreadView {
        id,
        listening: true,
        accepts: 5,
        sessions: 1,
        load: LoadView {
            last_second: 99,
            last_minute: 50,
            last_hour: 1,
        },
        memory: ThreadMemory {
            query_classifier_bytes: 100,
            sessions_bytes: 20,
            zombies_bytes: 3,
        },
        ..ThreadView::default()
    }
}
