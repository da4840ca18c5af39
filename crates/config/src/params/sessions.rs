//! What is kept of sessions for diagnosis.

use crate::declare::{count, pattern};
use crate::pattern::Pattern;

crate::words! {
    /// When a session's retained statements are written to the log.
    pub enum DumpLastStatements {
        /// At the end of every session.
        OnClose = "on_close",
        /// When the client vanishes without COM_QUIT.
        OnError = "on_error",
        Never = "never",
    }
}

crate::params! {
    /// Diagnosis of sessions.
    pub struct SessionDiagnosisParams {
        /// Statements kept per session and shown with it; services may override it.
        retain_last_statements: u64 = count(0).runtime(),
        /// When the retained statements are written to the log.
        dump_last_statements: DumpLastStatements =
            DumpLastStatements::Never.param().runtime(),
        /// Log lines kept per session, whatever is logged otherwise. 0: none.
        session_trace: u64 = count(0).runtime(),
        /// Write a session's kept lines to the log at its end when one of them matches. They are
        /// always written when the client vanishes or a server answers unexpectedly.
        session_trace_match: Option<Pattern> = pattern().runtime(),
    }
}
