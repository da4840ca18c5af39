//! Client sessions, and the listeners that the oldest form lists among them.
//!
//! There may be thousands, asked for each second: their attributes are written from types of
//! their own, without a map in between.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::json;
use tidegate_jsonapi::{Form, Relationship, Resource};

use super::{Look, object};
use crate::time::{iso_ms, micros, seconds_ms, seconds_tenths};
use crate::views::{
    BufferMemory, ConnectionView, QueryView, ResponseView, SeedListener, SessionMemory,
    SessionState, SessionTimes, SessionView, SharingView,
};

/// A session. `host` is the name of the client's address, if it was looked up and found.
pub(crate) fn session<'a>(
    view: &'a SessionView,
    host: Option<&'a str>,
    look: &Look,
) -> Resource<impl Serialize + 'a> {
    let legacy = look.form == Form::Legacy;
    let switches = view.log_switches;
    let attributes = Attributes {
        state: state(view.state, look.form),
        user: &view.user,
        user_at_servers: view.user_at_servers.as_deref().filter(|_| !legacy),
        remote: remote(view, host),
        port: view.port,
        database: view.database.as_deref(),
        default_database: view.database.as_deref(),
        connected: look.date(view.connected),
        seconds_alive: seconds_ms(view.alive),
        idle: seconds_tenths(view.idle),
        thread: view.thread,
        io_activity: view.io_activity,
        client: Client {
            cipher: &view.client.cipher,
            connection_attributes: Pairs(&view.client.connection_attributes),
            sescmd_history_len: view.client.sescmd_history_len,
            sescmd_history_stored_metadata: view.client.sescmd_history_stored_metadata,
            sescmd_history_stored_responses: view.client.sescmd_history_stored_responses,
        },
        connections: view
            .connections
            .iter()
            .map(|one| Connection::new(one, legacy))
            .collect(),
        parameters: Parameters {
            log_debug: switches.debug,
            log_error: switches.error,
            log_info: switches.info,
            log_notice: switches.notice,
            log_warning: switches.warning,
        },
        connection_sharing: view.sharing.as_ref().filter(|_| !legacy).map(Sharing::new),
        response_times: (!legacy).then(|| Times::new(&view.times)),
        memory: Memory::new(&view.memory),
        queries: view.queries.iter().map(Query::new).collect(),
        log: &view.log,
    };
    Resource::new("sessions", "sessions", view.id.to_string())
        .attributes(attributes)
        .relationships(vec![
            Relationship::new("services", [&view.service]),
            Relationship::new("filters", &view.filters),
        ])
}

/// A listener as a session: two attributes and its service, as the oldest form had it.
pub(crate) fn listener_session(listener: &SeedListener, look: &Look) -> Resource {
    Resource::new("sessions", "sessions", listener.id.to_string())
        .attributes(object(json!({
            "state": "Listener Session",
            "connected": look.date(listener.started),
        })))
        .relationships(vec![Relationship::new("services", [&listener.service])])
}

fn state(state: SessionState, form: Form) -> &'static str {
    match (state, form) {
        (SessionState::Stopping, _) => "Stopping session",
        (_, Form::Legacy) => "Session ready for routing",
        (SessionState::Created, Form::Current) => "Session created",
        (SessionState::Started, Form::Current) => "Session started",
    }
}

fn remote(view: &SessionView, host: Option<&str>) -> String {
    match (view.remote, host) {
        (None, _) => "localhost".to_owned(),
        (Some(_), Some(host)) => host.to_owned(),
        (Some(address), None) => address.to_canonical().to_string(),
    }
}

#[derive(Serialize)]
struct Attributes<'a> {
    state: &'static str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_at_servers: Option<&'a str>,
    remote: String,
    port: u16,
    database: Option<&'a str>,
    default_database: Option<&'a str>,
    connected: String,
    seconds_alive: f64,
    idle: f64,
    thread: u32,
    io_activity: u64,
    client: Client<'a>,
    connections: Vec<Connection<'a>>,
    parameters: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_sharing: Option<Sharing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_times: Option<Times>,
    memory: Memory<'a>,
    queries: Vec<Query<'a>>,
    log: &'a [String],
}

/// What a session has done with its connections that may be lent.
#[derive(Serialize)]
struct Sharing {
    lent_now: usize,
    lent: u64,
    returned: u64,
    kept_by: Option<&'static str>,
    kept: BTreeMap<&'static str, u32>,
}

impl Sharing {
    fn new(view: &SharingView) -> Self {
        Self {
            lent_now: view.lent_now,
            lent: view.lent,
            returned: view.returned,
            kept_by: view.kept_by,
            kept: view.kept.iter().copied().collect(),
        }
    }
}

/// How long answers took; counts are listed from up to 1 µs to up to 10⁵ s.
#[derive(Serialize)]
struct Times {
    count: u64,
    mean_us: u64,
    max_us: u64,
    distribution: [u32; 12],
}

impl Times {
    fn new(view: &SessionTimes) -> Self {
        let count = sum(view.distribution.iter().map(|count| u64::from(*count)));
        Self {
            count,
            mean_us: micros(view.total).checked_div(count).unwrap_or(0),
            max_us: micros(view.max),
            distribution: view.distribution,
        }
    }
}

#[derive(Serialize)]
struct Client<'a> {
    cipher: &'a str,
    connection_attributes: Pairs<'a>,
    sescmd_history_len: u64,
    sescmd_history_stored_metadata: u64,
    sescmd_history_stored_responses: u64,
}

/// Names and values as an object. A name that a client sent twice is written once, with the
/// last value.
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs: BTreeMap<&str, &str> = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        serializer.collect_map(pairs)
    }
}

#[derive(Serialize)]
struct Connection<'a> {
    server: &'a str,
    connection_id: u64,
    cipher: &'a str,
    /// Where the oldest form has the connection's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_diagnostics: Option<Diagnostics>,
}

#[derive(Serialize)]
struct Diagnostics {
    connection_id: u64,
}

impl<'a> Connection<'a> {
    fn new(view: &'a ConnectionView, legacy: bool) -> Self {
        let connection_id = view.connection_id;
        Self {
            server: &view.server,
            connection_id,
            cipher: &view.cipher,
            protocol_diagnostics: legacy.then_some(Diagnostics { connection_id }),
        }
    }
}

#[derive(Serialize)]
struct Parameters {
    log_debug: bool,
    log_error: bool,
    log_info: bool,
    log_notice: bool,
    log_warning: bool,
}

#[derive(Serialize)]
struct Query<'a> {
    statement: &'a str,
    command: &'a str,
    received: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
    responses: Vec<Response<'a>>,
}

#[derive(Serialize)]
struct Response<'a> {
    server: &'a str,
    /// In milliseconds.
    duration: u64,
}

impl<'a> Query<'a> {
    fn new(view: &'a QueryView) -> Self {
        let response = |response: &'a ResponseView| Response {
            server: &response.server,
            duration: u64::try_from(response.duration.as_millis()).unwrap_or(u64::MAX),
        };
        Self {
            statement: &view.statement,
            command: &view.command,
            received: iso_ms(view.received),
            completed: view.completed.map(iso_ms),
            responses: view.responses.iter().map(response).collect(),
        }
    }
}

#[derive(Serialize)]
struct Memory<'a> {
    connection_buffers: ConnectionBuffers<'a>,
    sescmd_history: u64,
    exec_metadata: u64,
    last_queries: u64,
    variables: u64,
    total: u64,
}

#[derive(Serialize)]
struct ConnectionBuffers<'a> {
    client: Buffers,
    /// By server; two connections to one server are added up.
    backends: BTreeMap<&'a str, Buffers>,
    total: u64,
}

#[derive(Serialize, Clone, Copy, Default)]
struct Buffers {
    readq: u64,
    writeq: u64,
    misc: u64,
    total: u64,
}

impl<'a> Memory<'a> {
    fn new(view: &'a SessionMemory) -> Self {
        let client = Buffers::default().plus(view.client);
        let mut backends: BTreeMap<&str, Buffers> = BTreeMap::new();
        for (server, buffers) in &view.backends {
            let sum = backends.entry(server).or_default();
            *sum = sum.plus(*buffers);
        }
        let buffers = sum(backends
            .values()
            .map(|buffers| buffers.total)
            .chain([client.total]));
        Self {
            connection_buffers: ConnectionBuffers {
                client,
                backends,
                total: buffers,
            },
            sescmd_history: view.sescmd_history_bytes,
            exec_metadata: view.exec_metadata_bytes,
            last_queries: view.last_queries_bytes,
            variables: view.variables_bytes,
            total: sum([
                buffers,
                view.sescmd_history_bytes,
                view.exec_metadata_bytes,
                view.last_queries_bytes,
                view.variables_bytes,
            ]),
        }
    }
}

impl Buffers {
    fn plus(self, other: BufferMemory) -> Self {
        let (readq, writeq, misc) = (
            self.readq.saturating_add(other.readq_bytes),
            self.writeq.saturating_add(other.writeq_bytes),
            self.misc.saturating_add(other.misc_bytes),
        );
        Self {
            readq,
            writeq,
            misc,
            total: sum([readq, writeq, misc]),
        }
    }
}

fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}
