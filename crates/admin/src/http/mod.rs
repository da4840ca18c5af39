//! HTTP/1.1 around the interface: sockets, limits, and the translation between the HTTP
//! library's types and the plain [`Request`](crate::request::Request) and
//! [`Reply`](crate::reply::Reply).

mod connection;
mod guard;
mod sanitise;
mod server;

pub use server::Admin;
