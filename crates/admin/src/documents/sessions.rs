//! Client sessions, and the listeners that the oldest form lists among them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidegate_jsonapi::{Form, Relationship, Resource};

use super::{Look, object};
use crate::time::{iso_ms, seconds_ms, seconds_tenths};
use crate::views::{
    BufferMemory, ConnectionView, QueryView, SeedListener, SessionMemory, SessionState, SessionView,
};

/// A session. `host` is the name of the client's address, if it was looked up and found.
pub(crate) fn session(view: &SessionView, host: Option<&str>, look: &Look) -> Resource {
    let connections: Vec<Value> = view
        .connections
        .iter()
        .map(|connection| server_connection(connection, look.form))
        .collect();
    let attributes: Map<String, Value> = view
        .client
        .connection_attributes
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let switches = view.log_switches;
    let attributes = object(json!({
        "state": state(view.state, look.form),
        "user": view.user,
        "remote": remote(view, host),
        "port": view.port,
        "database": view.database,
        "default_database": view.database,
        "connected": look.date(view.connected),
        "seconds_alive": seconds_ms(view.alive),
        "idle": seconds_tenths(view.idle),
        "thread": view.thread,
        "io_activity": view.io_activity,
        "client": {
            "cipher": view.client.cipher,
            "connection_attributes": attributes,
            "sescmd_history_len": view.client.sescmd_history_len,
            "sescmd_history_stored_metadata": view.client.sescmd_history_stored_metadata,
            "sescmd_history_stored_responses": view.client.sescmd_history_stored_responses,
        },
        "connections": connections,
        "parameters": {
            "log_debug": switches.debug,
            "log_error": switches.error,
            "log_info": switches.info,
            "log_notice": switches.notice,
            "log_warning": switches.warning,
        },
        "memory": memory(&view.memory),
        "queries": view.queries.iter().map(query).collect::<Vec<_>>(),
        "log": view.log,
    }));
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

fn server_connection(connection: &ConnectionView, form: Form) -> Value {
    let mut value = object(json!({
        "server": connection.server,
        "connection_id": connection.connection_id,
        "cipher": connection.cipher,
    }));
    if form == Form::Legacy {
        value.insert(
            "protocol_diagnostics".into(),
            json!({ "connection_id": connection.connection_id }),
        );
    }
    value.into()
}

fn query(view: &QueryView) -> Value {
    let responses: Vec<Value> = view
        .responses
        .iter()
        .map(|response| {
            let duration_ms = u64::try_from(response.duration.as_millis()).unwrap_or(u64::MAX);
            json!({ "server": response.server, "duration": duration_ms })
        })
        .collect();
    let mut value = object(json!({
        "statement": view.statement,
        "command": view.command,
        "received": iso_ms(view.received),
    }));
    if let Some(completed) = view.completed {
        value.insert("completed".into(), iso_ms(completed).into());
    }
    value.insert("responses".into(), responses.into());
    value.into()
}

fn memory(view: &SessionMemory) -> Value {
    let mut backends: BTreeMap<&str, BufferMemory> = BTreeMap::new();
    for (server, buffers) in &view.backends {
        let sum = backends.entry(server).or_default();
        *sum = sum.plus(*buffers);
    }
    let connection_buffers = backends
        .values()
        .fold(view.client, |sum, buffers| sum.plus(*buffers))
        .total();
    let total = [
        connection_buffers,
        view.sescmd_history_bytes,
        view.exec_metadata_bytes,
        view.last_queries_bytes,
        view.variables_bytes,
    ]
    .into_iter()
    .fold(0, u64::saturating_add);
    let backends: Map<String, Value> = backends
        .into_iter()
        .map(|(server, buffers)| (server.to_owned(), buffers.to_value()))
        .collect();
    json!({
        "connection_buffers": {
            "client": view.client.to_value(),
            "backends": backends,
            "total": connection_buffers,
        },
        "sescmd_history": view.sescmd_history_bytes,
        "exec_metadata": view.exec_metadata_bytes,
        "last_queries": view.last_queries_bytes,
        "variables": view.variables_bytes,
        "total": total,
    })
}

impl BufferMemory {
    fn plus(self, other: Self) -> Self {
        Self {
            readq_bytes: self.readq_bytes.saturating_add(other.readq_bytes),
            writeq_bytes: self.writeq_bytes.saturating_add(other.writeq_bytes),
            misc_bytes: self.misc_bytes.saturating_add(other.misc_bytes),
        }
    }

    fn total(self) -> u64 {
        self.readq_bytes
            .saturating_add(self.writeq_bytes)
            .saturating_add(self.misc_bytes)
    }

    fn to_value(self) -> Value {
        json!({
            "readq": self.readq_bytes,
            "writeq": self.writeq_bytes,
            "misc": self.misc_bytes,
            "total": self.total(),
        })
    }
}
