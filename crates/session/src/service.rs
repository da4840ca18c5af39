//! A service as its sessions see it: an immutable snapshot, shared by all that started with it.

use std::sync::Arc;
use std::time::Duration;

use crate::cause::Cause;
use crate::filter::Filter;
use crate::histogram::Histogram;
use crate::ids::ServerId;
use crate::keepalive::Keepalive;
use crate::position::ServicePosition;
use crate::router::Router;
use crate::time::Instant;
use crate::tune::AutoTune;
use crate::world::{Count, Counters, Rank};

/// What a service may route to.
#[derive(Debug, Clone)]
pub enum TargetSpec {
    /// A server.
    Server(ServerId),
    /// Another service: its filters, its router, its targets.
    Service(Arc<ServiceSpec>),
}

/// One service: one router, its filters, its targets and the settings a session needs.
#[derive(Debug)]
pub struct ServiceSpec {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The router with its parameters.
    pub router: Arc<dyn Router>,
    /// The filter chain, nearest to the client first.
    pub filters: Vec<Arc<dyn Filter>>,
    /// What the router chooses among, in configuration order; at most [`ServiceSpec::MAX_TARGETS`].
    pub targets: Vec<TargetSpec>,
    /// Its rank when another service routes to it.
    pub rank: Rank,
    /// Idle limit of a client; `None`: no limit.
    pub wait_timeout: Option<Duration>,
    /// A client that takes none of its data for so long is disconnected; `None`: never.
    pub net_write_timeout: Option<Duration>,
    /// Connections that are idle are pinged; `None`: they are not.
    pub keepalive: Option<Keepalive>,
    /// What of these two follows the servers instead.
    pub auto_tune: AutoTune,
    /// How many statements a session keeps for `queries[]`.
    pub retain_last_statements: usize,
    /// What a session keeps for `log[]`.
    pub session_trace: SessionTrace,
    /// When the retained statements are written to the log.
    pub dump_last_statements: DumpStatements,
    /// Which levels this service logs in addition to the global ones.
    pub log_switches: LogSwitches,
    /// What of logins is worth the log.
    pub login_log: LoginLog,
    /// Session command history.
    pub history: HistoryLimits,
    /// Idle sessions lend their connections; `None`: they keep them.
    pub sharing: Option<Sharing>,
    /// The most statement digests that each worker keeps for it; 0: none.
    pub statement_digests: usize,
    /// Most sessions at once; 0: no limit.
    pub max_connections: u64,
    /// The greeting's version text, when set by hand.
    pub version_string: Option<Arc<str>>,
    /// How far the writes have come that were acknowledged through it, the same object in every
    /// snapshot.
    pub position: Arc<ServicePosition>,
    /// Its counters, the same object in every snapshot.
    pub counters: Arc<Counters<ServiceShard>>,
    /// Its counters of each of `targets`, in that order; each the same object in every snapshot.
    pub target_counters: Vec<Arc<Counters<TargetShard>>>,
}

impl ServiceSpec {
    /// The most targets a service may have: a set of them is one machine word.
    pub const MAX_TARGETS: usize = 64;

    /// Are the retained statements of a session that ended so written to the log?
    #[must_use]
    pub fn dump_at_end(&self, cause: Cause) -> bool {
        match self.dump_last_statements {
            DumpStatements::Never => false,
            DumpStatements::OnError => cause.is_trouble(),
            DumpStatements::OnClose => true,
        }
    }
}

/// The log lines that a session keeps of itself, whatever is logged otherwise.
#[derive(Debug, Clone, Default)]
pub struct SessionTrace {
    /// How many; 0: none.
    pub lines: usize,
    /// They are written to the log when one of them matches, however the session ended.
    pub dump_if: Option<Arc<dyn LineMatch>>,
}

/// Tells lines that somebody looks out for.
pub trait LineMatch: std::fmt::Debug + Send + Sync {
    /// Is it one?
    fn matches(&self, line: &str) -> bool;
}

/// The configuration's `dump_last_statements`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DumpStatements {
    /// Not at all.
    #[default]
    Never,
    /// When neither the client nor an orderly stop of ours ended the session.
    OnError,
    /// Always.
    OnClose,
}

/// The five log switches of a session or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogSwitches {
    /// `log_error`.
    pub error: bool,
    /// `log_warning`.
    pub warning: bool,
    /// `log_notice`.
    pub notice: bool,
    /// `log_info`.
    pub info: bool,
    /// `log_debug`.
    pub debug: bool,
}

impl LogSwitches {
    /// Is `level` switched on?
    #[must_use]
    pub fn allows(self, level: crate::output::Level) -> bool {
        use crate::output::Level;
        match level {
            Level::Error => self.error,
            Level::Warning => self.warning,
            Level::Notice => self.notice,
            Level::Info => self.info,
            Level::Debug => self.debug,
        }
    }
}

/// What of logins is written to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLog {
    /// Refused ones (`log_auth_warnings`).
    pub refusals: bool,
    /// Those of accounts that servers let write although they are read-only
    /// (`log_warn_super_user`).
    pub super_users: bool,
}

impl Default for LoginLog {
    fn default() -> LoginLog {
        LoginLog {
            refusals: true,
            super_users: false,
        }
    }
}

/// How sessions share connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// How long a session is idle before it lends its connections (`idle_session_pool_time`).
    pub idle: Duration,
    /// How long it waits for one (`multiplex_timeout`).
    pub patience: Duration,
    /// How long a connection is kept after a statement whose values the next one may ask for.
    pub keep_values: Duration,
}

impl Sharing {
    /// Enough for an application that asks for them at all.
    pub const KEEP_VALUES: Duration = Duration::from_secs(1);
}

/// Limits of the session command history (configuration: `max_sescmd_history` and its siblings).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// `disable_sescmd_history`.
    pub disabled: bool,
    /// `max_sescmd_history`: distinct session commands.
    pub max: usize,
    /// `prune_sescmd_history`: forget the oldest at the limit, instead of giving the history up.
    pub prune: bool,
}

impl Default for HistoryLimits {
    fn default() -> HistoryLimits {
        HistoryLimits {
            disabled: false,
            max: 50,
            prune: true,
        }
    }
}

/// One worker's counters for one target of one service.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct TargetShard {
    /// Open connections of this service's sessions (gauge).
    pub connections: Count,
    /// Commands sent there.
    pub total: Count,
    /// Those that read.
    pub reads: Count,
    /// Those that write.
    pub writes: Count,
    /// Connections ever begun.
    pub total_connections: Count,
    /// The times at which the open connections were begun, added up, in microseconds (gauge): with
    /// their number and the present time it says how long they have been open.
    pub opened_us: Count,
    /// How long the closed connections were open, in microseconds.
    pub held_us: Count,
    /// How long connections had commands in progress, in microseconds.
    pub busy_us: Count,
    /// How long reads took, from the turn in which they were sent on to that in which their answer
    /// was complete.
    pub read_times: Histogram,
    /// How long writes took.
    pub write_times: Histogram,
    /// How long the commands took that nobody looked at.
    pub other_times: Histogram,
}

impl TargetShard {
    /// A command was sent there.
    #[inline]
    pub(crate) fn count(&self, how: Counted) {
        self.total.add(1);
        match how {
            Counted::Read => self.reads.add(1),
            Counted::Write => self.writes.add(1),
            Counted::Other => {}
        }
    }

    /// How long all its connections have been open, in microseconds, summed over all workers.
    #[must_use]
    pub fn open_us(counters: &Counters<TargetShard>, now: Instant) -> u64 {
        let open = counters.sum(|shard| &shard.connections);
        let opened = counters.sum(|shard| &shard.opened_us);
        let still = open.wrapping_mul(now.0).wrapping_sub(opened);
        // The counters of another worker may be read between two of its changes.
        let still = if still > u64::MAX / 2 { 0 } else { still };
        still.saturating_add(counters.sum(|shard| &shard.held_us))
    }
}

/// How a command sent to a target is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counted {
    /// As a read.
    Read,
    /// As a write.
    Write,
    /// As neither: nobody looked.
    #[default]
    Other,
}

/// One worker's counters for one service.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ServiceShard {
    /// Open sessions (gauge).
    pub sessions: Count,
    /// Most sessions at once in all workers, as this worker saw it when one began.
    pub max_sessions: Count,
    /// Sessions ever started.
    pub total_sessions: Count,
    /// Failed logins.
    pub failed_auths: Count,
    /// Commands routed.
    pub queries: Count,
    /// Commands in progress (gauge).
    pub operations: Count,
    /// Commands routed to the primary.
    pub route_primary: Count,
    /// Commands routed to a replica.
    pub route_replica: Count,
    /// Commands routed to all servers.
    pub route_all: Count,
    /// Why commands went to the primary, by the router's numbers
    /// ([`Router::primary_reasons`](crate::router::Router::primary_reasons)).
    pub primary_reasons: [Count; ServiceShard::REASONS],
    /// Transactions ended in which something may have been written.
    pub rw_transactions: Count,
    /// Transactions ended in which every statement was a read.
    pub ro_transactions: Count,
    /// Transactions that were repeated whole, with equal answers.
    pub replayed_transactions: Count,
    /// Transactions that became too long to be repeated.
    pub trx_max_size_exceeded: Count,
    /// Answers of repeated transactions that differed.
    pub replay_mismatches: Count,
    /// Sessions that ended because nobody can tell whether their COMMIT was executed.
    pub unknown_commits: Count,
    /// Writes that were told when as many replicas had them as was wanted.
    pub synced_transactions: Count,
    /// Writes that were told without that.
    pub sync_timeouts: Count,
    /// Preparations that were answered with a statement that is prepared already.
    pub prepared_statements_reused: Count,
    /// Sessions ended, by cause: the order of [`Cause::ALL`](crate::Cause::ALL).
    pub closed: [Count; Cause::ALL.len()],
    /// Sum of session life times, in microseconds.
    pub lifetime_us: Count,
    /// The longest life of a session, in microseconds.
    pub max_lifetime_us: Count,
    /// Sum of history lengths at the end of sessions.
    pub history_len: Count,
    /// The longest history seen.
    pub max_history_len: Count,
}

impl ServiceShard {
    /// The most reasons a router may tell apart.
    pub const REASONS: usize = 32;
}
