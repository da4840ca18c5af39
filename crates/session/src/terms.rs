//! What the parameters of a listener say of all its sessions.

use crate::metadata::Announcement;

/// The same for all sessions of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What clients are told when their login ends.
    pub metadata: Vec<Announcement>,
    /// Statements that each connection to a server runs before anything of its session
    /// (`connection_init_sql_file`). They must succeed and return no rows.
    pub init: Vec<String>,
}
