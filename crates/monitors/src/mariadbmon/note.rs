//! What a tick has to tell the log.

use std::fmt;
use std::sync::Arc;

use super::facts::ContactError;
use super::primary::{Invalid, Unsuitable};
use crate::bits::{AdminState, ServerBits};
use crate::event::Event;

/// One line for the log. Names only, no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A server's state changed.
    StatusChange {
        /// Its name.
        server: Arc<str>,
        /// Its address, as far as it has one.
        address: String,
        /// What that is called.
        event: Option<Event>,
        /// Bits before.
        before: ServerBits,
        /// Bits now.
        after: ServerBits,
    },
    /// A server cannot be asked, for another reason than before.
    ContactLost {
        /// Its name.
        server: Arc<str>,
        /// Why.
        error: ContactError,
    },
    /// The monitor's account lacks a privilege.
    NotPermitted {
        /// The server's name.
        server: Arc<str>,
        /// The server's words.
        error: String,
    },
    /// The extra port does not answer; the usual one is tried.
    ExtraPortFailed {
        /// The server's name.
        server: Arc<str>,
        /// Why.
        error: String,
    },
    /// An administrator set or cleared a state.
    AdminChange {
        /// The server's name.
        server: Arc<str>,
        /// Which.
        state: AdminState,
        /// Set or cleared.
        on: bool,
    },
    /// There was no primary; this is it.
    PrimaryFound {
        /// Its name.
        server: Arc<str>,
    },
    /// Another server is the primary now.
    PrimaryReplaced {
        /// The old one.
        old: Arc<str>,
        /// The new one.
        new: Arc<str>,
        /// Why the old one was given up.
        why: Invalid,
    },
    /// The primary is invalid, but no other server is suitable.
    PrimaryKept {
        /// The primary.
        server: Arc<str>,
        /// Why it is invalid.
        why: Invalid,
        /// Why each of the others is unsuitable.
        others: Vec<(Arc<str>, Unsuitable)>,
    },
    /// No server can be the primary.
    NoPrimary {
        /// Why each is unsuitable.
        others: Vec<(Arc<str>, Unsuitable)>,
    },
}

impl Note {
    /// Does it ask for somebody's attention?
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::StatusChange { .. } | Self::PrimaryFound { .. } | Self::AdminChange { .. } => {
                false
            }
            Self::ContactLost { .. }
            | Self::NotPermitted { .. }
            | Self::ExtraPortFailed { .. }
            | Self::PrimaryReplaced { .. }
            | Self::PrimaryKept { .. }
            | Self::NoPrimary { .. } => true,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StatusChange {
                server,
                address,
                event,
                before,
                after,
            } => {
                write!(f, "server changed state: {server}[{address}]: ")?;
                if let Some(event) = event {
                    write!(f, "{event}. ")?;
                }
                // Whether a draining server still has connections is not known here.
                write!(f, "[{}] -> [{}]", before.text(1), after.text(1))
            }
            Self::ContactLost { server, error } => {
                write!(f, "cannot monitor server '{server}': {error}")
            }
            Self::NotPermitted { server, error } => write!(
                f,
                "the monitor's account lacks a privilege on server '{server}': {error}"
            ),
            Self::ExtraPortFailed { server, error } => write!(
                f,
                "extra_port of server '{server}' does not answer, its usual port is used: {error}"
            ),
            Self::AdminChange { server, state, on } => {
                let verb = if *on { "set" } else { "cleared" };
                write!(f, "state '{}' {verb} for server '{server}'", state.word())
            }
            Self::PrimaryFound { server } => write!(f, "server '{server}' is the primary"),
            Self::PrimaryReplaced { old, new, why } => write!(
                f,
                "server '{new}' replaces '{old}' as the primary: '{old}' is no longer valid because {why}"
            ),
            Self::PrimaryKept {
                server,
                why,
                others,
            } => {
                write!(
                    f,
                    "server '{server}' is not a valid primary because {why}, but it is kept: no other server is suitable"
                )?;
                list(f, others)
            }
            Self::NoPrimary { others } => {
                f.write_str("no server can be the primary")?;
                list(f, others)
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, others: &[(Arc<str>, Unsuitable)]) -> fmt::Result {
    for (index, (server, why)) in others.iter().enumerate() {
        let before = if index == 0 { " (" } else { "; " };
        write!(f, "{before}'{server}': {why}")?;
    }
    if others.is_empty() {
        Ok(())
    } else {
        f.write_str(")")
    }
}
