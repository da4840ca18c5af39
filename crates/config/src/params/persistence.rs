//! Which files are read and written besides the main one.

use crate::declare::flag;

crate::params! {
    /// Persistence and substitution.
    pub struct PersistenceParams {
        /// Write a file for each change made at runtime.
        persist_runtime_changes: bool = flag(true),
        /// Read those files at start.
        load_persisted_configs: bool = flag(true),
        /// Replace values that begin with `$` by environment variables.
        substitute_variables: bool = flag(false),
    }
}
