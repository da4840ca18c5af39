//! What REST shows of a session: owned plain data, made on the worker that owns the session.

use std::sync::Arc;
use std::time::Duration;

use crate::histogram::AnswerTimes;
use crate::ids::SessionId;
use crate::question::ClientAddress;
use crate::service::LogSwitches;
use crate::time::WallTime;

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Its number.
    pub id: SessionId,
    /// What it is doing, in the words REST shows.
    pub state: &'static str,
    /// The service the client connected to.
    pub service: Arc<str>,
    /// The listener it came through.
    pub listener: Arc<str>,
    /// The user name as sent.
    pub user: String,
    /// The user name that servers are told, if it is another's or comes with another password.
    pub user_at_servers: Option<String>,
    /// Where the client is.
    pub address: ClientAddress,
    /// The current default database.
    pub database: Option<String>,
    /// The TLS cipher of the client; empty without TLS.
    pub cipher: String,
    /// When the login was accepted.
    pub connected: WallTime,
    /// How long ago that was.
    pub age: Duration,
    /// How long the client has said nothing; zero while a command is in progress.
    pub idle: Duration,
    /// The worker that owns it.
    pub worker: usize,
    /// I/O events of the last 30 seconds.
    pub io_activity: u64,
    /// What the client said of itself, in its order.
    pub attributes: Vec<(String, String)>,
    /// Session commands held for new connections.
    pub history_len: usize,
    /// Answers kept to compare other connections with.
    pub history_responses: usize,
    /// Prepared statements whose parameter data is kept.
    pub history_metadata: usize,
    /// Open connections, in the order the router made them.
    pub connections: Vec<ConnectionView>,
    /// Of a session that lends its connections while it is idle.
    pub lending: Option<LendingView>,
    /// How long servers' answers took.
    pub times: AnswerTimes,
    /// What it logs in addition to the global settings.
    pub log_switches: LogSwitches,
    /// The session's own filters.
    pub filters: Vec<String>,
    /// Estimated memory.
    pub memory: MemoryView,
    /// Retained statements, newest first.
    pub queries: Vec<QueryView>,
    /// The session's own log, oldest first.
    pub log: Vec<String>,
}

/// What a session that lends its connections has done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LendingView {
    /// Those that it has lent and that have not come back.
    pub lent_now: usize,
    /// How often it has lent one.
    pub lent: u64,
    /// How often one came back as it was.
    pub returned: u64,
    /// What keeps it from lending now, by the name of [`Keeps`](crate::Keeps).
    pub kept_by: Option<&'static str>,
    /// How often each reason kept it.
    pub kept: Vec<(&'static str, u32)>,
}

/// A connection to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// The server's name.
    pub server: Arc<str>,
    /// The number that server gave to the connection.
    pub connection_id: u64,
    /// The TLS cipher; empty without TLS.
    pub cipher: String,
}

/// Estimated bytes of a session, by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryView {
    /// The client's side.
    pub client: BufferView,
    /// Each connection to a server.
    pub backends: Vec<(Arc<str>, BufferView)>,
    /// The session command history.
    pub history: usize,
    /// Prepared statements.
    pub statements: usize,
    /// Retained statements.
    pub queries: usize,
    /// What routers know of user variables.
    pub variables: usize,
}

impl MemoryView {
    /// Everything together.
    #[must_use]
    pub fn total(&self) -> usize {
        let buffers = self.backends.iter().map(|(_, buffers)| buffers);
        let buffers: usize = buffers.chain([&self.client]).map(BufferView::total).sum();
        buffers + self.history + self.statements + self.queries + self.variables
    }
}

/// Estimated bytes of one connection. The worker adds what it buffers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BufferView {
    /// Read and not yet used.
    pub read: usize,
    /// Not yet written.
    pub write: usize,
    /// Everything else.
    pub misc: usize,
}

impl BufferView {
    fn total(&self) -> usize {
        self.read + self.write + self.misc
    }
}

/// A retained statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryView {
    /// SQL, or the command's name.
    pub statement: String,
    /// The protocol command.
    pub command: &'static str,
    /// When it arrived.
    pub received: WallTime,
    /// When its reply was complete; `None` while it runs.
    pub completed: Option<WallTime>,
    /// Which servers answered, and how long they took.
    pub responses: Vec<(Arc<str>, Duration)>,
}
