//! The object graph: servers, services, listeners, monitors and filters, from a valid
//! configuration to running objects.
//!
//! A configuration is built whole ([`Graph`]) before anything of it runs. Then monitors and
//! account managers start on the control plane's runtime, workers and listeners on theirs, and
//! what monitors find out goes over one [`Board`] to the workers and to whoever lists servers.
//!
//! Left out for now: changing a configuration that runs, persisting it, synchronising it.
//!
//! Invariant: a session never refers to an object that a later configuration took away; it keeps
//! the snapshot it started with.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod answers;
mod board;
mod catalog;
mod graph;
mod kill;
mod logins;
mod mapped;
mod mapping;
mod names;
mod pam;
mod places;
mod renew;
mod settings;
mod sink;
mod tls;

pub use board::{Board, BoardEntry, StateError};
pub use catalog::{Catalog, Listener, Service, StartError};
pub use graph::{Graph, GraphError, Ledger, is_cli, server_id};
pub use logins::{LoginErrors, check_logins};
pub use pam::{
    Asker, HELPER, LoginAnswer, LoginQuestion, SUID_PROGRAM, ask_login_service,
    serve as serve_logins,
};
pub use renew::watch_files;
pub use tls::{TlsErrors, check_tls};
