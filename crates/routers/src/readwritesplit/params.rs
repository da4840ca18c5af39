//! The parameters of readwritesplit, and which of them follow from others.

use std::time::Duration;

use tidegate_config::declare::{count, flag, seconds, size};
use tidegate_config::params::ServiceParams;
use tidegate_config::{ByteSize, ModuleDecl, ModuleKind, Params as _, RuleScope, params, words};

words! {
    /// Where statements go that read user variables.
    pub enum SqlVariablesIn {
        /// Wherever reads go.
        All = "all",
        Master = "master",
    }
}

words! {
    /// What makes one replica better than another.
    pub enum SelectionCriteria {
        LeastGlobalConnections = "least_global_connections",
        LeastRouterConnections = "least_router_connections",
        LeastBehindMaster = "least_behind_master",
        LeastCurrentOperations = "least_current_operations",
        AdaptiveRouting = "adaptive_routing",
    }
}

words! {
    /// What happens to a session that loses the primary.
    pub enum MasterFailureMode {
        /// It ends.
        FailInstantly = "fail_instantly",
        /// It ends at its next write.
        FailOnWrite = "fail_on_write",
        /// Its writes fail.
        ErrorOnWrite = "error_on_write",
    }
}

words! {
    /// How a replayed transaction is compared with the original.
    pub enum ReplayChecksum {
        Full = "full",
        /// Results only.
        ResultOnly = "result_only",
        /// Everything but generated identifiers.
        NoInsertId = "no_insert_id",
    }
}

words! {
    /// How a read sees the writes before it.
    pub enum CausalReads {
        None = "none",
        Local = "local",
        Global = "global",
        FastGlobal = "fast_global",
        Fast = "fast",
        Universal = "universal",
        FastUniversal = "fast_universal",
    }
}

const CAUSAL_READS_AS_BOOLEAN: &[(&str, &str)] = &[
    ("false", "none"),
    ("off", "none"),
    ("0", "none"),
    ("true", "local"),
    ("on", "local"),
    ("1", "local"),
];

const UPPER_CASE_CRITERIA: &[(&str, &str)] = &[
    ("LEAST_GLOBAL_CONNECTIONS", "least_global_connections"),
    ("LEAST_ROUTER_CONNECTIONS", "least_router_connections"),
    ("LEAST_BEHIND_MASTER", "least_behind_master"),
    ("LEAST_CURRENT_OPERATIONS", "least_current_operations"),
    ("ADAPTIVE_ROUTING", "adaptive_routing"),
];

params! {
    /// Parameters of readwritesplit.
    pub struct ReadWriteSplitParams {
        /// Most replica connections of a session. 0: reads go to the primary.
        max_slave_connections: u64 = count(255).runtime(),
        /// Replica connections opened when a session starts.
        slave_connections: u64 = count(255).runtime(),
        /// A replica must be less far behind the primary than this to be read. 0: no limit.
        max_replication_lag: Duration = seconds(0)
            .aliases(&["max_slave_replication_lag"]).runtime(),
        /// Where statements go that read user variables.
        use_sql_variables_in: SqlVariablesIn = SqlVariablesIn::All.param().runtime(),
        /// What makes one replica better than another.
        slave_selection_criteria: SelectionCriteria =
            SelectionCriteria::LeastCurrentOperations.param()
                .old_spellings(UPPER_CASE_CRITERIA).runtime(),
        /// The primary takes its share of the reads.
        master_accept_reads: bool = flag(false).runtime(),
        /// A lost primary may be replaced while a session runs.
        master_reconnection: bool = flag(true).runtime(),
        /// What happens to a session that loses the primary.
        master_failure_mode: MasterFailureMode =
            MasterFailureMode::FailOnWrite.param().runtime(),
        /// Repeat a read whose server was lost.
        retry_failed_reads: bool = flag(true).runtime(),
        /// A statement that finds no server waits for one.
        delayed_retry: bool = flag(false).runtime(),
        /// How long it may wait.
        delayed_retry_timeout: Duration = seconds(10).runtime(),
        /// Repeat a transaction whose server was lost.
        transaction_replay: bool = flag(false).runtime(),
        /// Longest transaction that is kept for that.
        transaction_replay_max_size: ByteSize = size(1 << 20).runtime(),
        /// How often a transaction is repeated; counts when there is no time limit.
        transaction_replay_attempts: u64 = count(5).runtime(),
        /// How long a transaction may be repeated. 0: no time limit.
        transaction_replay_timeout: Duration = seconds(30).runtime(),
        /// Repeat a transaction after a deadlock too.
        transaction_replay_retry_on_deadlock: bool = flag(false).runtime(),
        /// Repeat a transaction whose results differed too.
        transaction_replay_retry_on_mismatch: bool = flag(false).runtime(),
        /// Do not repeat a transaction whose COMMIT was on its way.
        transaction_replay_safe_commit: bool = flag(true).runtime(),
        /// How a repeated transaction is compared with the original.
        transaction_replay_checksum: ReplayChecksum =
            ReplayChecksum::Full.param().runtime(),
        /// Begin transactions on a replica and move them when they write.
        optimistic_trx: bool = flag(false).runtime(),
        /// How a read sees the writes before it.
        causal_reads: CausalReads = CausalReads::None.param()
            .old_spellings(CAUSAL_READS_AS_BOOLEAN).runtime(),
        /// How long a read waits for the writes before it.
        causal_reads_timeout: Duration = seconds(10).runtime(),
        /// Connect to a server when it is first needed.
        lazy_connect: bool = flag(false).runtime(),
        /// A prepared statement that is closed stays prepared, for the next preparation of the same text.
        reuse_prepared_statements: bool = flag(false).runtime(),
        /// A write is told to its client when replicas have it.
        sync_transaction: bool = flag(false).since("tidegate").runtime(),
        /// How many replicas must have it.
        sync_transaction_count: u64 = count(1).range(1, 63).since("tidegate").runtime(),
        /// The client is told, with a warning, when it has waited so long.
        sync_transaction_timeout: Duration = seconds(10).since("tidegate").runtime(),
        /// After a multi-statement, everything goes to the primary.
        strict_multi_stmt: bool = flag(false).runtime(),
        /// After a CALL, everything goes to the primary.
        strict_sp_calls: bool = flag(false).runtime(),
        /// A primary on which the session has temporary tables is not replaced: the session ends with it.
        strict_tmp_tables: bool = flag(true).runtime(),
    }
}

/// What the configuration knows of readwritesplit.
pub static MODULE: ModuleDecl = ModuleDecl::new(
    ModuleKind::Router,
    "readwritesplit",
    "Sends writes to the primary and spreads reads over the replicas.",
    ReadWriteSplitParams::TABLE,
)
.rule(derive);

/// Parameters that follow from others, in the order in which one overrules the other.
fn derive(scope: &mut RuleScope<'_>) {
    let mut own: ReadWriteSplitParams = scope.params();
    let service: ServiceParams = scope.params();
    if own.causal_reads != CausalReads::None {
        own.retry_failed_reads = true;
    }
    if own.optimistic_trx {
        own.transaction_replay = true;
    }
    if own.transaction_replay {
        own.delayed_retry = true;
        own.delayed_retry_timeout = own
            .delayed_retry_timeout
            .max(own.transaction_replay_timeout);
    }
    if own.transaction_replay || own.lazy_connect {
        own.master_reconnection = true;
        own.master_failure_mode = MasterFailureMode::FailOnWrite;
    }
    if own.master_reconnection && service.disable_sescmd_history {
        own.master_reconnection = false;
        scope.warn(
            "disable_sescmd_history",
            "without a history a lost primary cannot be replaced: master_reconnection is off",
        );
    }
    scope.replace(&own);
}
