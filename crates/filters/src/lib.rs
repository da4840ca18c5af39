//! The filters: one folder each, with its parameters and its session; and the table from which
//! the rest of the house knows them.
//!
//! A filter stands between a client and a router. It sees commands and summaries of replies and
//! says what happens to a command; it owns no socket and writes no file itself: what it wants
//! written goes to a [`LineSink`].

#![forbid(unsafe_code)]

pub mod hintfilter;
pub mod qlafilter;
mod registry;
mod sink;

pub use registry::{FILTERS, FilterModule, Make, filter};
pub use sink::{LineSink, SinkOptions};
