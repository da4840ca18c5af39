//! What sessions of one service go by: the parameters as routing needs them.

use std::time::Duration;

use tidegate_session::{Checksum, ReplayRules, SyncRules};

use super::causal;
use super::choose::Limits;
use crate::tied::Strict;

use super::params::{MasterFailureMode, ReadWriteSplitParams, ReplayChecksum, SqlVariablesIn};

/// The parameters of a service, after those that follow from others have been derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) causal: causal::Settings,
    /// Replica connections opened when a session starts.
    pub(crate) replicas_at_start: usize,
    pub(crate) failure_mode: MasterFailureMode,
    /// A lost primary may be replaced while a session runs.
    pub(crate) reconnects: bool,
    pub(crate) retries_reads: bool,
    /// How long a statement may wait for a server. `None`: not at all.
    pub(crate) patience: Option<Duration>,
    pub(crate) lazy: bool,
    pub(crate) strict: Strict,
    pub(crate) strict_tables: bool,
    /// What reads or assigns user variables goes to the primary.
    pub(crate) variables_on_primary: bool,
    /// Transactions begin on a replica.
    pub(crate) optimistic: bool,
    /// Which replicas a write waits for before it is told. `None`: for none.
    pub(crate) sync: Option<SyncRules>,
    /// Prepared statements that are closed are given out again.
    pub(crate) reuses: bool,
    /// How transactions are repeated whose server is lost. `None`: they are not.
    pub(crate) replay: Option<ReplayRules>,
}

impl Settings {
    pub(crate) fn new(params: &ReadWriteSplitParams) -> Settings {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Settings {
            limits: Limits {
                max_replicas: count(params.max_slave_connections),
                max_replication_lag: params.max_replication_lag,
                master_accept_reads: params.master_accept_reads,
                criterion: params.slave_selection_criteria,
            },
            causal: causal::Settings {
                mode: params.causal_reads,
                timeout: params.causal_reads_timeout,
            },
            replicas_at_start: count(params.slave_connections.min(params.max_slave_connections)),
            failure_mode: params.master_failure_mode,
            reconnects: params.master_reconnection,
            retries_reads: params.retry_failed_reads,
            patience: params.delayed_retry.then_some(params.delayed_retry_timeout),
            lazy: params.lazy_connect,
            strict: Strict {
                multi: params.strict_multi_stmt,
                calls: params.strict_sp_calls,
            },
            strict_tables: params.strict_tmp_tables,
            variables_on_primary: params.use_sql_variables_in == SqlVariablesIn::Master,
            optimistic: params.optimistic_trx,
            sync: params.sync_transaction.then_some(SyncRules {
                replicas: count(params.sync_transaction_count),
                timeout: params.sync_transaction_timeout,
            }),
            reuses: params.reuse_prepared_statements,
            replay: replay_rules(params),
        }
    }
}

/// How transactions are repeated; `None`: they are not.
fn replay_rules(params: &ReadWriteSplitParams) -> Option<ReplayRules> {
    let wanted = params.transaction_replay || params.optimistic_trx;
    wanted.then(|| ReplayRules {
        max_bytes: usize::try_from(params.transaction_replay_max_size.0).unwrap_or(usize::MAX),
        timeout: params.transaction_replay_timeout,
        attempts: params.transaction_replay_attempts,
        on_deadlock: params.transaction_replay_retry_on_deadlock,
        on_mismatch: params.transaction_replay_retry_on_mismatch,
        safe_commit: params.transaction_replay_safe_commit,
        checksum: match params.transaction_replay_checksum {
            ReplayChecksum::Full => Checksum::Full,
            ReplayChecksum::ResultOnly => Checksum::ResultOnly,
            ReplayChecksum::NoInsertId => Checksum::NoInsertId,
        },
    })
}
