//! The routers: one folder each, with its parameters, its session and its decisions; and the
//! table from which the rest of the house knows them.
//!
//! A router chooses among targets. It sees statements' classes, servers' states and the outcome
//! of replies, never a byte of a result.

#![forbid(unsafe_code)]

pub mod readconnroute;
pub mod readwritesplit;
mod registry;
mod states;
mod tied;

pub use registry::{ROUTERS, RouterModule, router};
pub(crate) use states::states;
