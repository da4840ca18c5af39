//! Statements, buffers, internal queries.

use std::time::Duration;

use crate::declare::{auto_size, flag, int, optional_text, seconds, size, text};
use crate::unit::ByteSize;

const WITHOUT_EFFECT: &str = "it has no effect; remove it";

crate::words! {
    /// The dialect a session starts in.
    pub enum SqlMode {
        /// MariaDB's own.
        Default = "default",
        /// PL/SQL, with autocommit off.
        Oracle = "oracle",
    }
}

crate::params! {
    /// Handling of statements.
    pub struct StatementParams {
        /// Memory for classified statements, shared out among the workers. 0: no cache.
        query_classifier_cache_size: ByteSize = auto_size().runtime(),
        /// Without effect: there is one classifier.
        query_classifier: String = text("qc_sqlite").ignored().deprecated(WITHOUT_EFFECT),
        /// Without effect: there is one classifier.
        query_classifier_args: Option<String> = optional_text()
            .ignored().deprecated(WITHOUT_EFFECT),
        /// The dialect a session is assumed to start in.
        sql_mode: SqlMode = SqlMode::Default.param().reserved(),
        /// Bytes queued for one side above which the other side is not read. 0: no limit.
        writeq_high_water: ByteSize = size(65_536).runtime(),
        /// Reading resumes when the queue is shorter than this.
        writeq_low_water: ByteSize = size(1_024).runtime(),
        /// How often an interrupted query of the proxy's own is repeated.
        query_retries: i64 = int(1).at_least(0).reserved(),
        /// Total time for those repetitions.
        query_retry_timeout: Duration = seconds(5).runtime().reserved(),
        /// Only watch: no automatic failover, no automatic rejoin, no monitor scripts.
        passive: bool = flag(false).at_once(),
    }
}
