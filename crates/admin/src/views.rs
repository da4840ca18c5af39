//! What the REST interface knows of the house: plain, owned values.
//!
//! Whoever holds the object graph turns it into these views; nothing here refers back to a
//! live object, so a document can be rendered while the objects go on changing. Times are
//! [`SystemTime`], spans are [`Duration`], an unknown number is `None`: how they are spelled
//! in JSON (`-1`, `"2000ms"`, an HTTP date) is the renderer's business alone.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

/// Effective parameters of an object, as they are shown: durations as `"2000ms"`, passwords
/// as `"*****"`, what is unset as `null`, parameters of a nested module as an object under
/// the module's name.
pub type Parameters = Map<String, Value>;

/// Where a configuration object comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file that holds it; `None` if nothing was persisted.
    pub file: Option<String>,
    /// How it came to be.
    pub kind: SourceKind,
}

/// How a configuration object came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Written in the main configuration.
    Static,
    /// Created through the REST interface.
    Runtime,
    /// Made by a monitor, gone at the next start.
    Volatile,
}

/// One database server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerView {
    /// Its name in the configuration.
    pub name: String,
    /// The state words joined by `", "`, `"Master, Running"`.
    pub state: String,
    /// Extra words of the monitor.
    pub state_details: Option<String>,
    /// Effective parameters.
    pub parameters: Parameters,
    /// Where it was configured.
    pub source: Source,
    /// As the server reports it; `None` until known.
    pub version_string: Option<String>,
    /// The server's `@@server_id`; `None` until known.
    pub node_id: Option<u64>,
    /// Server id of its primary; `None` if it replicates from nobody.
    pub master_id: Option<u64>,
    /// How far it is behind its primary; `None` if unknown.
    pub replication_lag: Option<Duration>,
    /// How long the server itself has been up.
    pub uptime: Duration,
    /// Name of the last monitor event, `"master_up"`, and when it happened.
    pub last_event: Option<(String, SystemTime)>,
    /// Counters.
    pub statistics: ServerStatistics,
    /// What a monitor of MariaDB servers knows; `None` while none watches.
    pub replication: Option<ReplicationView>,
    /// Names of the services that use it.
    pub services: Vec<String>,
    /// Name of the monitor that watches it.
    pub monitor: Option<String>,
}

/// Counters of one server, over all workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerStatistics {
    /// Open connections now.
    pub connections: u64,
    /// Connections ever made.
    pub total_connections: u64,
    /// Most connections open at once.
    pub max_connections: u64,
    /// Commands running now.
    pub active_operations: u64,
    /// Packets routed to it.
    pub routed_packets: u64,
    /// Commands routed to it that only read.
    pub routed_reads: u64,
    /// Commands routed to it that may write.
    pub routed_writes: u64,
    /// Logins it refused.
    pub failed_auths: u64,
    /// Idle connections in the pool.
    pub persistent_connections: u64,
    /// Most idle connections the pool held.
    pub max_pool_size: u64,
    /// Connections taken from the pool.
    pub reused_connections: u64,
    /// Times the pool had none to give.
    pub connection_pool_empty: u64,
    /// Running average of the time a read takes.
    pub adaptive_avg_select_time: Duration,
    /// How long reads took.
    pub read_times: ResponseTimes,
    /// How long writes took.
    pub write_times: ResponseTimes,
    /// Quantiles of them.
    pub spread: SpreadView,
}

/// How long the answers of one server or service took, by what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpreadView {
    /// Statements that only read.
    pub read: TimesView,
    /// Statements that may write.
    pub write: TimesView,
    /// What nobody looked at: everything that `readconnroute` passes on.
    pub other: TimesView,
}

/// How long answers took. Quantiles are never too low, and at most an eighth too high; those of
/// digests at most a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimesView {
    /// How many answers.
    pub count: u64,
    /// Their sum.
    pub total: Duration,
    /// The median.
    pub p50: Duration,
    /// What 95 of 100 did not exceed.
    pub p95: Duration,
    /// What 99 of 100 did not exceed.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// The statements that a service was sent most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DigestsView {
    /// Each text once.
    pub list: Vec<DigestView>,
    /// What a statement that is not in the list may have been sent, at most.
    pub missed_at_most: u64,
    /// Statements that were too long to have a digest.
    pub without_digest: u64,
}

/// A statement without its literals, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestView {
    /// The digest of its canonical text.
    pub id: u64,
    /// The canonical text, or its beginning.
    pub statement: String,
    /// The text is longer than what is kept of it.
    pub truncated: bool,
    /// How often it was sent.
    pub count: u64,
    /// How often it may have been sent in addition, before it was counted, at most.
    pub missed_at_most: u64,
    /// Answers that were errors.
    pub errors: u64,
    /// Rows in the answers.
    pub rows: u64,
    /// How long the answers took.
    pub times: TimesView,
    /// Which servers answered, and how often.
    pub servers: Vec<(String, u64)>,
    /// When it was first counted.
    pub first_seen: SystemTime,
    /// When it was last sent.
    pub last_seen: SystemTime,
}

/// Where a service would send a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteView {
    /// The statement without its literals.
    pub canonical: String,
    /// The names of its type flags.
    pub types: Vec<&'static str>,
    /// Its operation.
    pub operation: &'static str,
    /// How far it was understood.
    pub parsed: &'static str,
    /// What the service decides, and then each service that is chosen behind it.
    pub steps: Vec<RouteStep>,
    /// The first step if a transaction had been begun; `None` if one has.
    pub in_transaction: Option<RouteStep>,
}

/// What one service does with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteStep {
    /// The service.
    pub service: String,
    /// Its router module.
    pub router: &'static str,
    /// The stable name of the rule that decides.
    pub rule: &'static str,
    /// What the rule says.
    pub sentence: &'static str,
    /// What is done with the statement.
    pub outcome: RouteOutcome,
    /// All targets, in configuration order.
    pub candidates: Vec<RouteCandidate>,
    /// What else becomes of the statement: the parameter that says so, and a sentence.
    pub effects: Vec<(&'static str, String)>,
}

/// What is done with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteOutcome {
    /// It goes to one target.
    One(String),
    /// It goes to several; the client gets the answer of one.
    All {
        /// Of this one.
        answer: String,
        /// All that get it.
        to: Vec<String>,
    },
    /// The proxy answers with this.
    Answered(String),
    /// The client gets this error.
    Refused(String),
    /// The session ends with this.
    Ended(String),
    /// It waits for a server.
    Waits,
}

/// A target as the router sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteCandidate {
    /// Its name.
    pub name: String,
    /// A service, not a server.
    pub is_service: bool,
    /// Its state in words.
    pub state: String,
    /// `primary` or `secondary`.
    pub rank: &'static str,
    /// How far it is behind; `None`: unknown, or it follows nobody.
    pub lag: Option<Duration>,
    /// Connections of the whole proxy.
    pub connections: u64,
    /// Statements in progress.
    pub operations: u64,
    /// It gets the statement.
    pub chosen: bool,
    /// What the router says of it.
    pub verdict: String,
}

/// A histogram with the upper bounds 10⁻⁶, 10⁻⁵ … 10⁵ seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseTimes {
    /// Smallest bound first.
    pub buckets: [ResponseBucket; 12],
}

/// One bucket of a [`ResponseTimes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseBucket {
    /// How many replies.
    pub count: u64,
    /// Their times added up.
    pub total: Duration,
}

/// What a monitor of MariaDB servers knows of one server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplicationView {
    /// The server's name in the configuration.
    pub name: String,
    /// `@@server_id`.
    pub server_id: Option<u64>,
    /// `@@read_only`.
    pub read_only: Option<bool>,
    /// `@@gtid_binlog_pos`.
    pub gtid_binlog_pos: Option<String>,
    /// `@@gtid_current_pos`.
    pub gtid_current_pos: Option<String>,
    /// Number of the group of servers that replicate in a ring.
    pub master_group: Option<u64>,
    /// Whether this monitor holds its lock there; `None` if locks are off.
    pub lock_held: Option<bool>,
    /// Extra words on its state.
    pub state_details: Option<String>,
    /// Its replication connections, empty on a primary.
    pub slave_connections: Vec<ReplicaConnectionView>,
}

/// One replication connection, a row of `SHOW ALL SLAVES STATUS`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplicaConnectionView {
    /// `Connection_name`, empty for the default one.
    pub connection_name: String,
    /// `Master_Host`.
    pub master_host: String,
    /// `Master_Port`.
    pub master_port: u16,
    /// `Master_Server_Id`.
    pub master_server_id: u64,
    /// The configured server behind host and port; empty if it is none of ours.
    pub master_server_name: String,
    /// `Slave_IO_Running`: `Yes`, `No`, `Connecting`.
    pub slave_io_running: String,
    /// `Slave_SQL_Running`: `Yes`, `No`.
    pub slave_sql_running: String,
    /// `Seconds_Behind_Master`.
    pub seconds_behind_master: Option<u64>,
    /// `Gtid_IO_Pos`.
    pub gtid_io_pos: String,
    /// `Using_Gtid`.
    pub using_gtid: String,
    /// `Last_IO_Error`.
    pub last_io_error: String,
    /// `Last_SQL_Error`.
    pub last_sql_error: String,
}

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// Its name in the configuration.
    pub name: String,
    /// Its router module.
    pub router: String,
    /// Whether its listeners accept.
    pub state: ServiceState,
    /// When it was started.
    pub started: SystemTime,
    /// Counters.
    pub statistics: ServiceStatistics,
    /// Effective parameters, the router's included.
    pub parameters: Parameters,
    /// What the router tells of itself.
    pub router_diagnostics: Map<String, Value>,
    /// Its listeners, in configuration order.
    pub listeners: Vec<ListenerView>,
    /// Accounts loaded from the servers.
    pub users: Vec<AccountView>,
    /// When they were last loaded.
    pub users_last_update: Option<SystemTime>,
    /// Accounts that will not work through the service: user, host and reason.
    pub users_troubles: Vec<AccountTroubleView>,
    /// Where it was configured.
    pub source: Source,
    /// Names of the servers it routes to.
    pub servers: Vec<String>,
    /// Names of the services it routes to.
    pub services: Vec<String>,
    /// Names of its filters, in order.
    pub filters: Vec<String>,
    /// The monitor named by `cluster`, whose servers it uses.
    pub monitor: Option<String>,
}

/// Whether a service takes new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceState {
    /// It does.
    Started,
    /// Its listeners were stopped.
    Stopped,
    /// None of its listeners could be opened.
    Failed,
}

/// Counters of one service, over all workers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceStatistics {
    /// Client connections now.
    pub connections: u64,
    /// Client connections ever.
    pub total_connections: u64,
    /// Most client connections at once.
    pub max_connections: u64,
    /// Commands running now.
    pub active_operations: u64,
    /// Packets routed.
    pub routed_packets: u64,
    /// Commands that only read.
    pub routed_reads: u64,
    /// Commands that may write.
    pub routed_writes: u64,
    /// Clients that failed to log in.
    pub failed_auths: u64,
    /// Longest session command history of a closed session.
    pub max_sescmd_history_length: u64,
    /// Average length of those histories.
    pub avg_sescmd_history_length: f64,
    /// Longest life of a closed session.
    pub max_session_lifetime: Duration,
    /// Average life of closed sessions.
    pub avg_session_lifetime: Duration,
    /// How long answers took.
    pub spread: SpreadView,
}

/// One account loaded from the servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountView {
    /// Name; empty for the anonymous account.
    pub user: String,
    /// Host pattern.
    pub host: String,
    /// Authentication plugin.
    pub plugin: String,
    /// Role set at login; empty for none.
    pub default_role: String,
    /// Whether it must use TLS.
    pub ssl: bool,
    /// Whether it has the SUPER privilege.
    pub super_priv: bool,
    /// Whether it has a privilege on every database.
    pub global_priv: bool,
    /// Whether it may act as another account.
    pub proxy_priv: bool,
}

/// One listener.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerView {
    /// Its name in the configuration.
    pub name: String,
    /// Whether it accepts.
    pub state: ListenerState,
    /// Effective parameters.
    pub parameters: Parameters,
    /// Where it was configured.
    pub source: Source,
    /// The service it stands in front of.
    pub service: String,
}

/// Whether a listener accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerState {
    /// It does.
    Running,
    /// It was stopped.
    Stopped,
    /// It could not be opened.
    Failed,
}

/// One monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorView {
    /// Its name in the configuration.
    pub name: String,
    /// Its module, `mariadbmon`.
    pub module: String,
    /// Whether it runs (`Running`) or was stopped (`Stopped`).
    pub running: bool,
    /// Completed rounds.
    pub ticks: u64,
    /// Effective parameters.
    pub parameters: Parameters,
    /// Where it was configured.
    pub source: Source,
    /// What it knows of the whole group; `None` for modules that tell nothing.
    pub diagnostics: Option<MonitorDiagnostics>,
    /// Names of the servers it watches.
    pub servers: Vec<String>,
    /// Names of the services with `cluster=` this monitor.
    pub services: Vec<String>,
}

/// What a monitor of MariaDB servers knows of its group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonitorDiagnostics {
    /// Name of the primary.
    pub master: Option<String>,
    /// The domain the primary writes to.
    pub master_gtid_domain_id: Option<u64>,
    /// Whether this is the monitor in charge; `None` when cooperative locks are off.
    pub primary: Option<bool>,
    /// `Idle`, or what it is doing.
    pub state: String,
    /// One entry a server.
    pub server_info: Vec<ReplicationView>,
}

/// One filter.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterView {
    /// Its name in the configuration.
    pub name: String,
    /// Its module.
    pub module: String,
    /// Effective parameters.
    pub parameters: Parameters,
    /// What it tells of itself.
    pub diagnostics: Option<Value>,
    /// Where it was configured.
    pub source: Source,
    /// Names of the services that use it.
    pub services: Vec<String>,
}

/// The process itself.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxScaleView {
    /// Our version, dotted.
    pub version: String,
    /// Source revision.
    pub commit: String,
    /// When the process started.
    pub started_at: SystemTime,
    /// When it last left passive mode.
    pub activated_at: SystemTime,
    /// How long it has been up.
    pub uptime: Duration,
    /// The data directory of this process.
    pub process_datadir: String,
    /// Effective global parameters, directories included.
    pub parameters: Parameters,
    /// The machine it runs on.
    pub system: SystemView,
}

/// The machine, the operating system and what was made of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SystemView {
    /// Cores the process may use.
    pub cores_available: u64,
    /// Cores of the machine.
    pub cores_physical: u64,
    /// Cores that the control group grants, in parts.
    pub cores_virtual: f64,
    /// Bytes of memory the process may use.
    pub memory_available_bytes: u64,
    /// Bytes of memory of the machine.
    pub memory_physical_bytes: u64,
    /// Workers.
    pub threads: u64,
    /// Upper bound of the classification caches.
    pub query_classifier_cache_size_bytes: u64,
    /// `uname`.
    pub os: OsView,
}

/// What `uname` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OsView {
    /// Operating system.
    pub sysname: String,
    /// Host name.
    pub nodename: String,
    /// Its release.
    pub release: String,
    /// Its version.
    pub version: String,
    /// The kind of machine.
    pub machine: String,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadView {
    /// Its index, from 0.
    pub id: u32,
    /// Whether it takes sessions.
    pub state: ThreadState,
    /// Whether it accepts connections.
    pub listening: bool,
    /// Connections accepted.
    pub accepts: u64,
    /// Read events.
    pub reads: u64,
    /// Write events.
    pub writes: u64,
    /// Error events.
    pub errors: u64,
    /// Hang-up events.
    pub hangups: u64,
    /// Average number of events a turn.
    pub avg_event_queue_length: u64,
    /// Largest number of events in a turn.
    pub max_event_queue_length: u64,
    /// Longest time one event took, in units of 100 ms.
    pub max_exec_time: u64,
    /// Longest time an event waited, in units of 100 ms.
    pub max_queue_time: u64,
    /// Sockets now.
    pub current_descriptors: u64,
    /// Sockets ever.
    pub total_descriptors: u64,
    /// Sessions now.
    pub sessions: u64,
    /// Closed sessions whose memory is still held.
    pub zombies: u64,
    /// How busy it was.
    pub load: LoadView,
    /// What it holds in memory.
    pub memory: ThreadMemory,
    /// Its classification cache.
    pub classifier_cache: ClassifierCacheView,
}

/// Whether a worker takes sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadState {
    /// It does.
    #[default]
    Active,
    /// It only finishes those it has.
    Draining,
    /// It has none and takes none.
    Dormant,
}

/// Busy time, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadView {
    /// Of the last second.
    pub last_second: u8,
    /// Of the last minute.
    pub last_minute: u8,
    /// Of the last hour.
    pub last_hour: u8,
}

/// Bytes that a worker holds, estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadMemory {
    /// Classification cache.
    pub query_classifier_bytes: u64,
    /// Sessions.
    pub sessions_bytes: u64,
    /// Closed sessions.
    pub zombies_bytes: u64,
}

/// A worker's classification cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassifierCacheView {
    /// Bytes held.
    pub size_bytes: u64,
    /// Entries made.
    pub inserts: u64,
    /// Statements found.
    pub hits: u64,
    /// Statements not found.
    pub misses: u64,
    /// Entries dropped for room.
    pub evictions: u64,
}

/// One client session, as it was at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionView {
    /// The connection id that the client got, from 1.
    pub id: u64,
    /// Its phase.
    pub state: SessionState,
    /// The service it connected to.
    pub service: String,
    /// Filters set on this very session, in order; those of the service are not among them.
    pub filters: Vec<String>,
    /// The name the client logged in with.
    pub user: String,
    /// The name that servers are told, if the client is somebody else to them.
    pub user_at_servers: Option<String>,
    /// Where the client comes from; `None` for a UNIX socket.
    pub remote: Option<IpAddr>,
    /// The client's port; 0 for a UNIX socket.
    pub port: u16,
    /// Current default database.
    pub database: Option<String>,
    /// When it logged in.
    pub connected: SystemTime,
    /// Its age.
    pub alive: Duration,
    /// Time since the client last sent something; zero while a statement runs.
    pub idle: Duration,
    /// Index of the worker that owns it.
    pub thread: u32,
    /// I/O events in the last 30 seconds.
    pub io_activity: u64,
    /// The client's side.
    pub client: ClientView,
    /// Open server connections, in the order the router made them.
    pub connections: Vec<ConnectionView>,
    /// Of a session that lends its connections while it is idle.
    pub sharing: Option<SharingView>,
    /// How long servers' answers took.
    pub times: SessionTimes,
    /// What it logs in addition to the global and the service's settings.
    pub log_switches: LogSwitches,
    /// What it holds in memory.
    pub memory: SessionMemory,
    /// Retained statements, newest first.
    pub queries: Vec<QueryView>,
    /// Lines of the session's log, oldest first.
    pub log: Vec<String>,
}

/// What a session has done with its connections that may be lent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharingView {
    /// Those that it has lent now.
    pub lent_now: usize,
    /// How often it has lent one.
    pub lent: u64,
    /// How often one came back as it was.
    pub returned: u64,
    /// Why it keeps its connections now, if something makes it.
    pub kept_by: Option<&'static str>,
    /// How often each reason made it.
    pub kept: Vec<(&'static str, u32)>,
}

/// How long the answers took that a session's client got from servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionTimes {
    /// How many took up to 10⁻⁶, 10⁻⁵ … 10⁵ seconds and more than the bound before.
    pub distribution: [u32; 12],
    /// Their times added up.
    pub total: Duration,
    /// The longest.
    pub max: Duration,
}

/// The phase of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Logged in, no statement routed yet.
    Created,
    /// In normal operation.
    Started,
    /// On its way out.
    Stopping,
}

/// The client's side of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientView {
    /// TLS cipher; empty without TLS.
    pub cipher: String,
    /// Connection attributes, as sent at connect.
    pub connection_attributes: Vec<(String, String)>,
    /// Session commands held for replay.
    pub sescmd_history_len: u64,
    /// Results kept to compare other servers with.
    pub sescmd_history_stored_responses: u64,
    /// Metadata entries of prepared statements kept.
    pub sescmd_history_stored_metadata: u64,
}

/// A session's connection to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// The server's name.
    pub server: String,
    /// The connection id that server gave.
    pub connection_id: u64,
    /// TLS cipher; empty without TLS.
    pub cipher: String,
}

/// The five log switches of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogSwitches {
    /// `log_debug`
    pub debug: bool,
    /// `log_error`
    pub error: bool,
    /// `log_info`
    pub info: bool,
    /// `log_notice`
    pub notice: bool,
    /// `log_warning`
    pub warning: bool,
}

/// Bytes that a session holds, estimates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionMemory {
    /// Buffers of the client connection.
    pub client: BufferMemory,
    /// Buffers of each server connection, by server name.
    pub backends: Vec<(String, BufferMemory)>,
    /// Session command history.
    pub sescmd_history_bytes: u64,
    /// Metadata of prepared statements.
    pub exec_metadata_bytes: u64,
    /// Retained statements.
    pub last_queries_bytes: u64,
    /// User variables known.
    pub variables_bytes: u64,
}

/// Bytes that one connection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferMemory {
    /// Read and not yet handled.
    pub readq_bytes: u64,
    /// Waiting to be sent.
    pub writeq_bytes: u64,
    /// Everything else.
    pub misc_bytes: u64,
}

/// One retained statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryView {
    /// Its text with secrets masked, or the command's name.
    pub statement: String,
    /// The command, `COM_QUERY`.
    pub command: String,
    /// When it arrived.
    pub received: SystemTime,
    /// When its reply was finished; `None` while it runs.
    pub completed: Option<SystemTime>,
    /// Who answered.
    pub responses: Vec<ResponseView>,
}

/// One server's answer to a retained statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseView {
    /// The server's name.
    pub server: String,
    /// How long it took.
    pub duration: Duration,
}

/// A listener as the oldest form of the API lists it: a session of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedListener {
    /// Its id, drawn from the session counter before any client.
    pub id: u64,
    /// The service it stands in front of.
    pub service: String,
    /// When it started.
    pub started: SystemTime,
}

/// An account that will not work through a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTroubleView {
    /// The user name.
    pub user: String,
    /// The host pattern.
    pub host: String,
    /// Why it will not work.
    pub reason: String,
}
