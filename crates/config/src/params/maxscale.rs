//! The `[maxscale]` section as a whole.

use std::time::Duration;

use super::{
    AccountParams, AdminParams, DirectoryParams, KeyParams, LogParams, PersistenceParams,
    SessionDiagnosisParams, StatementParams, SyncParams, TelemetryParams, ThreadParams,
};
use crate::declare::{flag, optional_text, seconds};

crate::params! {
    /// The process itself.
    pub struct ProcessParams {
        /// Write a core file on a crash. Cores contain secrets.
        core_file: bool = flag(false),
        /// Debug options, separated by commas.
        debug: Option<String> = optional_text(),
        /// How long sessions in a transaction may finish when the server stops.
        shutdown_timeout: Duration = seconds(0).at_once().since("tidegate"),
    }
}

crate::params! {
    /// Global parameters.
    pub struct MaxScaleParams {
        ..directories: DirectoryParams,
        ..threads: ThreadParams,
        ..log: LogParams,
        ..sessions: SessionDiagnosisParams,
        ..accounts: AccountParams,
        ..statements: StatementParams,
        ..persistence: PersistenceParams,
        ..admin: AdminParams,
        ..sync: SyncParams,
        ..keys: KeyParams,
        ..telemetry: TelemetryParams,
        ..process: ProcessParams,
    }
}
