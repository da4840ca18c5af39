//! What the REST interface asks of the house.
//!
//! The arrow points inwards: this room names what it needs, the composition at the top
//! implements it over the object catalogue and the workers. Reads of configuration objects
//! answer at once (the control plane holds them); whatever needs a worker is a future, and the
//! implementation bounds it in time: a worker that does not answer within a second makes it
//! [`Unanswered`].

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::views::{
    DigestsView, FilterView, MaxScaleView, MonitorView, RouteView, SeedListener, ServerView,
    ServiceView, SessionView, ThreadView,
};

/// A boxed future, so that [`House`] can be a trait object.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything at once. Implemented for whatever implements the parts.
pub trait House: Objects + Sessions + Control + Insight + 'static {}

impl<T: Objects + Sessions + Control + Insight + 'static> House for T {}

/// The configuration objects, for reading. Lists are in configuration order.
pub trait Objects: Send + Sync {
    /// All servers.
    fn servers(&self) -> Vec<ServerView>;
    /// All services, each with its listeners.
    fn services(&self) -> Vec<ServiceView>;
    /// All monitors.
    fn monitors(&self) -> Vec<MonitorView>;
    /// All filters.
    fn filters(&self) -> Vec<FilterView>;
    /// The process.
    fn maxscale(&self) -> MaxScaleView;
    /// All workers, by index.
    fn threads(&self) -> Pending<'_, Result<Vec<ThreadView>, Unanswered>>;
}

/// The client sessions. Only those whose login succeeded exist here.
pub trait Sessions: Send + Sync {
    /// The ids of all open sessions, in any order.
    fn session_ids(&self) -> Pending<'_, Result<Vec<u64>, Unanswered>>;
    /// Views of the sessions asked for, in any order; those that closed meanwhile are left out.
    fn sessions(&self, which: Which) -> Pending<'_, Result<Vec<SessionView>, Unanswered>>;
    /// Changes a running session; all of it or nothing.
    fn alter_session(&self, id: u64, change: SessionChange) -> Pending<'_, Result<(), Refusal>>;
    /// Closes a session now (`None`) or when the time has passed; a second call replaces the
    /// deadline of the first.
    fn kill_session(&self, id: u64, after: Option<Duration>) -> Pending<'_, Result<(), Refusal>>;
    /// Lets a session begin anew with its service's present configuration, at its next rest.
    fn restart_session(&self, id: u64) -> Pending<'_, Result<(), Refusal>>;
    /// The same for all sessions; refused if any of them does not want to, with a sentence each.
    fn restart_sessions(&self) -> Pending<'_, Result<(), Refusal>>;
    /// The listeners that are listed as sessions; `None` unless started in seed mode.
    fn seed_listeners(&self) -> Option<Vec<SeedListener>> {
        None
    }
}

/// The actions on configuration objects.
pub trait Control: Send + Sync {
    /// Sets or clears one state bit of a server. Clearing what is not set is no error.
    fn change_server_state(
        &self,
        server: &str,
        change: ServerStateChange,
    ) -> Pending<'_, Result<(), Refusal>>;
    /// Loads the accounts of a service now, whatever its rate limit.
    fn reload_accounts(&self, service: &str) -> Pending<'_, Result<(), Refusal>>;
    /// Closes and opens the log files again, after they were renamed.
    fn reopen_logs(&self);
    /// Changes global parameters; all of it or nothing. What lies in files that are read whenever
    /// one is changed is read again, even if the change is empty.
    fn alter_globals(&self, change: GlobalChange) -> Pending<'_, Result<(), Refusal>>;
    /// Starts or stops something; what is as it is to be is no error.
    fn switch(&self, what: Switchable, name: &str, to: Switch) -> Pending<'_, Result<(), Refusal>>;
}

/// What services do with statements.
pub trait Insight: Send + Sync {
    /// The statements that a service was sent most, in any order.
    fn digests(&self, service: &str) -> Pending<'_, Result<DigestsView, Refusal>>;
    /// Where a service would send a statement, and why; nothing is sent.
    fn explain_route(&self, service: &str, question: &RouteQuestion) -> Result<RouteView, Refusal>;
    /// Begins counting them anew.
    fn reset_digests(&self, service: &str) -> Pending<'_, Result<(), Refusal>>;
    /// Forgets how far the writes have come that were acknowledged through a service.
    fn reset_position(&self, service: &str) -> Pending<'_, Result<(), Refusal>>;
}

/// A statement whose route is asked for, and the session it is asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteQuestion {
    /// The statement.
    pub sql: String,
    /// Has a transaction been begun?
    pub transaction: TransactionState,
    /// Is autocommit on?
    pub autocommit: bool,
    /// The default database.
    pub database: Option<String>,
    /// What a filter would have said, in the words of a hint comment: `route to slave`.
    pub hints: Option<String>,
    /// The modes in which the text is read, separated by commas; of those that matter `ORACLE`,
    /// `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES`.
    pub sql_mode: String,
}

/// The transaction that has been begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionState {
    /// None.
    None,
    /// One that may write.
    ReadWrite,
    /// One that only reads.
    ReadOnly,
}

/// Which sessions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those with these ids.
    Ids(Vec<u64>),
}

/// What a PATCH of a session asks for; `None` leaves things as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionChange {
    /// `log_debug`
    pub log_debug: Option<bool>,
    /// `log_error`
    pub log_error: Option<bool>,
    /// `log_info`
    pub log_info: Option<bool>,
    /// `log_notice`
    pub log_notice: Option<bool>,
    /// `log_warning`
    pub log_warning: Option<bool>,
    /// The session's own filters, in order; empty removes them. A name may stand twice.
    pub filters: Option<Vec<String>>,
}

/// What a PATCH of the process asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GlobalChange {
    /// `threads`: how many workers take sessions.
    pub threads: Option<u64>,
    /// Parameters of the key manager by their names in files, and their new values as text; `None`
    /// is the default.
    pub keys: Vec<(String, Option<String>)>,
}

/// What can be started and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switchable {
    /// A service, with all its listeners.
    Service,
    /// One listener.
    Listener,
    /// A monitor.
    Monitor,
}

/// Started or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It works.
    Start,
    /// It does not: a listener's clients queue, a monitor's servers stay as they are.
    Stop {
        /// Sessions that came through it are ended.
        force: bool,
    },
}

/// A state bit to set or to clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerStateChange {
    /// Which bit.
    pub bit: StateBit,
    /// Set (`true`) or clear.
    pub set: bool,
    /// With [`StateBit::Maintenance`]: close its connections at once.
    pub force: bool,
}

/// The server states that can be set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateBit {
    /// `master`
    Master,
    /// `slave`
    Slave,
    /// `maintenance`
    Maintenance,
    /// `running`
    Running,
    /// `synced`
    Synced,
    /// `drain`
    Drain,
}

/// A worker did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker} did not answer within one second; try again")]
pub struct Unanswered {
    /// Its index.
    pub worker: u32,
}

/// Why an action was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such object, or it went away meanwhile.
    #[error("no such object")]
    Unknown,
    /// It cannot be done; one sentence for each reason, without secrets.
    #[error("refused: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// A worker did not answer in time: it may still be done.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}
