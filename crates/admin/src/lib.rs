//! The REST interface.
//!
//! Serves the house as JSON:API documents over HTTP. It knows the house only through the plain
//! [`views`] and the [`House`] trait, which the composition implements; it knows nothing of
//! sockets of the data plane, configuration files or SQL. A handler never waits for a worker
//! longer than the implementation of [`House`] promises, one second.
//!
//! [`Admin::bind`] takes the port and tells what stands in the way before anything is served;
//! [`Admin::serve`] answers until it is told to stop.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod app;
mod auth;
mod change;
mod condition;
mod config;
mod digests;
mod documents;
mod explain;
mod gathering;
pub mod house;
mod http;
mod login;
mod lookup;
mod read;
mod reply;
mod request;
mod route;
mod session_list;
pub mod spell;
mod time;
pub mod views;

pub use auth::{Cost, SigningKey, TokenAlgorithm, TokenConfig};
pub use config::{AdminConfig, Limits, StartError};
pub use house::House;
pub use http::Admin;
pub use tidegate_jsonapi::Form;
