//! Test tools: real MariaDB groups on loopback, the `tidegate` process, scripted peers, faults.
//!
//! Everything here is for tests, the demo and the benchmarks; nothing in the proxy itself may
//! depend on it. It speaks the wire protocol with a few lines of its own, never with
//! `tidegate-wire`, so that a mistake there cannot hide on both sides of a test.
//!
//! What it leaves out: assertions. A tool here starts things, breaks things and tells what it
//! saw; what should have been seen is the test's business.
//!
//! The invariant: nothing outlives the process that asked for it. Every child belongs to a
//! [`Scratch`], whose reaper ends the children and removes the folder even when the owner was
//! killed; ports come from [`PortLease`], which two processes can never hold at once.
#![forbid(unsafe_code)]

mod blackhole;
mod count;
pub mod fuzz;
mod http;
pub mod keys;
pub mod mariadb;
pub mod pki;
mod ports;
pub mod procfs;
pub mod raw;
mod relay;
mod scratch;
pub mod secrets;
pub mod statements;
mod tidegate;
mod wait;

pub use blackhole::Blackhole;
pub use count::Count;
pub use http::{Response, Rest};
pub use mariadb::{Account, Accounts, GroupBuilder, Server, ServerGroup};
pub use ports::{PortLease, is_listening};
pub use relay::{Direction, Fault, Relay};
pub use scratch::{Managed, Scratch};
pub use tidegate::{Prepared, Tidegate, TidegateBuilder};
pub use wait::{PATIENCE, wait_for, wait_until};
