//! The seeded simulator of the session core.
//!
//! A seed makes a world: scripted clients, scripted servers, services over them, and a driver that
//! carries out what sessions want as a worker would, one thing after another in an order that only the
//! seed knows, with bytes cut anywhere and everything failing that can fail. A shadow model beside it
//! knows what each client said, what each server ran and what each client was told, and stops the
//! schedule at the first law that is broken.
//!
//! Left out on purpose: sockets, TLS and time; those are the worker's. The peers write and read the
//! protocol with code of their own, so that a mistake in `wire` cannot hide itself.
//!
//! The invariant: one seed gives one trace. `TIDEGATE_SEED` replays one of them with every event
//! printed.

#![forbid(unsafe_code)]

mod bytes;
mod caps;
mod client;
mod coverage;
mod meaning;
mod model;
mod modules;
mod plan;
#[cfg(feature = "planted")]
pub mod planted;
mod replication;
mod rng;
mod run;
mod server;
mod sql;
mod state;
mod status;
mod trace;
mod world;

pub use coverage::Coverage;
pub use plan::shares;
pub use run::{Outcome, replay, schedule, schedule_followed};
