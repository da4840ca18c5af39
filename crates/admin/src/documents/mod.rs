//! Views as resources: which attribute is called what, and how each value is spelled.
//!
//! Unknown numbers are `-1`, unknown texts `null`, counts are integers always: strict clients
//! refuse a whole answer for one float among them.

mod digests;
mod maxscale;
mod monitors;
mod route;
mod servers;
mod services;
mod sessions;
mod threads;
mod times;
mod users;

use std::time::SystemTime;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tidegate_jsonapi::{Form, LinkBase, Resource};

use crate::auth::User;
use crate::route::Collection;
use crate::time::{ctime, http_date};
use crate::views::{
    DigestView, FilterView, ListenerView, MaxScaleView, MonitorView, Parameters, SeedListener,
    ServerView, ServiceView, SessionView, Source, SourceKind, ThreadView,
};

pub(crate) use digests::id as digest_id;
pub(crate) use route::{route_document, route_text};
pub(crate) use sessions::{listener_session, session};
pub use times::{spread, times};

/// How documents look to the client that asked.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) base: LinkBase,
    pub(crate) form: Form,
    pub(crate) zone: TimeZone,
}

impl Look {
    /// The look in which entity tags are computed, the same for every client.
    pub(crate) fn canonical() -> Self {
        Self {
            base: LinkBase::new("http", "", true),
            form: Form::Current,
            zone: TimeZone::UTC,
        }
    }

    fn date(&self, time: SystemTime) -> String {
        match self.form {
            Form::Current => http_date(time),
            Form::Legacy => ctime(time, &self.zone),
        }
    }

    fn date_or_null(&self, time: Option<SystemTime>) -> Value {
        time.map_or(Value::Null, |time| self.date(time).into())
    }
}

/// Views taken at one moment, to be rendered as often as needed.
pub(crate) enum Snapshot {
    Servers(Vec<ServerView>),
    Services(Vec<ServiceView>),
    Listeners(Vec<ListenerView>),
    Monitors(Vec<MonitorView>),
    Filters(Vec<FilterView>),
    MaxScale(Box<MaxScaleView>),
    Threads(Vec<ThreadView>),
    Users(Vec<User>),
    /// Statements of the service with this name.
    Digests(String, Vec<DigestView>),
    /// One session, with the name of its client's address if that is wanted and known.
    Session(Box<SessionView>, Option<String>),
    /// A listener that is listed as a session.
    ListenerSession(SeedListener),
}

impl Snapshot {
    /// The type of its resources, which is also the name of `fields[TYPE]`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Servers(_) => Collection::Servers.word(),
            Self::Services(_) => Collection::Services.word(),
            Self::Listeners(_) => Collection::Listeners.word(),
            Self::Monitors(_) => Collection::Monitors.word(),
            Self::Filters(_) => Collection::Filters.word(),
            Self::MaxScale(_) => "maxscale",
            Self::Threads(_) => "threads",
            Self::Users(_) => "inet",
            Self::Digests(..) => "digests",
            Self::Session(..) | Self::ListenerSession(_) => "sessions",
        }
    }

    /// The path of its collection.
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Threads(_) => "maxscale/threads",
            Self::Users(_) => "users/inet",
            _ => self.kind(),
        }
    }

    /// The resources, in order.
    pub(crate) fn resources(&self, look: &Look) -> Vec<Resource> {
        match self {
            Self::Servers(views) => views
                .iter()
                .map(|view| servers::server(view, look))
                .collect(),
            Self::Services(views) => views
                .iter()
                .map(|view| services::service(view, look))
                .collect(),
            Self::Listeners(views) => views.iter().map(services::listener).collect(),
            Self::Monitors(views) => views.iter().map(monitors::monitor).collect(),
            Self::Filters(views) => views.iter().map(services::filter).collect(),
            Self::MaxScale(view) => vec![maxscale::maxscale(view, look)],
            Self::Threads(views) => views.iter().map(threads::thread).collect(),
            Self::Users(users) => users.iter().map(|user| users::user(user, look)).collect(),
            Self::Digests(service, views) => views
                .iter()
                .map(|view| digests::digest(view, service))
                .collect(),
            Self::Session(view, host) => vec![session(view, host.as_deref(), look).plain()],
            Self::ListenerSession(listener) => vec![listener_session(listener, look)],
        }
    }
}

/// The members of an object literal.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Parameters with the informational entries that stand among them.
fn with_meta(parameters: &Parameters, meta: &[(&str, &str)]) -> Value {
    let mut parameters = parameters.clone();
    for (name, value) in meta {
        parameters.insert((*name).to_owned(), (*value).into());
    }
    parameters.into()
}

fn source(source: &Source) -> Value {
    let kind = match source.kind {
        SourceKind::Static => "static",
        SourceKind::Runtime => "runtime",
        SourceKind::Volatile => "volatile",
    };
    json!({ "file": source.file, "type": kind })
}

/// `-1` for what is not known.
fn or_minus_one(number: Option<u64>) -> Value {
    number.map_or_else(|| json!(-1), |number| json!(number))
}
