//! `mariadbmon`: primary/replica clusters of MariaDB and MySQL servers.
//!
//! Each tick observes the servers and [`diagnose`] concludes: who is the primary, who replicates
//! from it, how far behind. Everything here but the asking is a pure function.
//!
//! Left out for now: whatever changes a server (failover, switchover, rejoin), scripts, disk
//! space, the journal, cooperative locks, name lookups.
//!
//! The invariant: at most one server is `Master`, and observing never changes a server.

mod ask;
mod diagnose;
mod facts;
mod graph;
mod note;
pub mod params;
mod primary;
mod roles;
mod rules;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use ask::{AskError, ask};
pub use diagnose::{Diagnosis, diagnose};
pub use facts::{ContactError, ContactFailure, Facts, IoState, LinkRow, Liveness, Observation};
pub use note::Note;
pub use primary::{Invalid, Unsuitable};
pub use rules::{MasterConditions, Rules, SlaveConditions};
pub use view::{ClusterView, Link, Member, Node};
