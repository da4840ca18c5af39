//! Names that files of earlier releases may hold: each is skipped with a warning, so that
//! old files start.

use crate::decl::Retired;
use crate::object::ObjectKind;

/// The retired parameters of a kind of object.
pub(crate) fn retired(kind: ObjectKind) -> &'static [Retired] {
    match kind {
        ObjectKind::MaxScale => MAXSCALE,
        ObjectKind::Server => SERVER,
        ObjectKind::Service => SERVICE,
        ObjectKind::Monitor => MONITOR,
        ObjectKind::Filter | ObjectKind::Listener | ObjectKind::Include => &[],
    }
}

const fn gone(name: &'static str, advice: &'static str) -> Retired {
    Retired { name, advice }
}

const MAXSCALE: &[Retired] = &[
    gone("thread_stack_size", "set the stack size with ulimit"),
    gone("log_messages", "use log_notice"),
    gone("log_trace", "use log_info"),
    gone("log_to_shm", "point logdir at a directory in memory"),
    gone("non_blocking_polls", "remove it"),
    gone("poll_sleep", "remove it"),
];

const SERVER: &[Retired] = &[
    gone("authenticator_options", "remove it"),
    gone(
        "serv_weight",
        "weights are gone; use rank or the router's selection criteria",
    ),
];

const SERVICE: &[Retired] = &[
    gone(
        "weightby",
        "weights are gone; use rank or the router's selection criteria",
    ),
    gone("retry_on_failure", "remove it"),
    gone("max_retry_interval", "remove it"),
    gone("optimize_wildcard", "remove it"),
    gone("log_to_shm", "remove it"),
];

const MONITOR: &[Retired] = &[
    gone(
        "detect_replication_lag",
        "lag is always measured; remove it",
    ),
    gone("mysql51_replication", "remove it"),
    gone("multimaster", "remove it"),
    gone("allow_cluster_recovery", "remove it"),
];
