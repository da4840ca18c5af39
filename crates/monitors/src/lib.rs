//! Server states: observed, diagnosed, published.
//!
//! A monitor watches a group of servers. Each tick it asks all of them, concludes by pure
//! functions ([`mariadbmon::diagnose`]) and publishes one immutable [`ServerState`] a server.
//! Sessions, routers and REST see nothing but these views.
//!
//! Left out for now: every operation that changes a server, scripts, disk space, the journal.
//!
//! The invariant: a monitor never waits without a deadline, so a silent server delays a tick by
//! its timeouts and no more.

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

mod bits;
mod diagnostics;
mod event;
mod handle;
pub mod mariadbmon;
mod probe;
mod server;
mod settings;
mod task;

pub use bits::{AdminState, ServerBits};
pub use diagnostics::{Activity, Diagnostics, MonitorView, ServerInfo, SlaveConnection};
pub use event::{Event, Role};
pub use handle::{MonitorHandle, MonitorObserver, RequestError};
pub use server::ServerState;
pub use settings::{MonitorSettings, MonitoredServer};
pub use tidegate_wire::{GtidError, GtidList};
