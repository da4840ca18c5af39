//! One configuration for several instances.

use std::time::Duration;

use crate::decl::Refers;
use crate::declare::{millis, optional_reference, optional_secret, optional_text, seconds, text};
use crate::secret::Secret;

crate::params! {
    /// Synchronisation of the configuration through the database.
    pub struct SyncParams {
        /// Monitor whose cluster holds the configuration; switches synchronisation on.
        config_sync_cluster: Option<String> = optional_reference(Refers::Monitor)
            .shown_as("string").runtime().reserved(),
        /// Account for it.
        config_sync_user: Option<String> = optional_text().runtime().reserved(),
        /// Password of that account.
        config_sync_password: Option<Secret> = optional_secret().runtime().reserved(),
        /// Schema of the table.
        config_sync_db: String = text("mysql").reserved(),
        /// How often the table is looked at.
        config_sync_interval: Duration = millis(5_000).runtime().reserved(),
        /// Longest time a statement of it may take.
        config_sync_timeout: Duration = seconds(10).runtime().reserved(),
    }
}
