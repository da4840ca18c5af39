//! Workers: where sessions meet sockets.
//!
//! The only room that does both: it drives [`Session`](tidegate_session::Session)s, which know
//! nothing of sockets, with real ones. A [`Runtime`] is a fixed number of workers; each is one
//! thread with a readiness loop that owns its sessions from accept to close, and shares nothing
//! with the others on the path of a packet. The control plane talks to them through mailboxes.
//!
//! Left out on purpose: what a session does (the session core), who may log in ([`Answers`]), what
//! the servers are like (posted with [`Runtime::set_servers`]), and every kind of waiting.
//!
//! The invariant: a worker never blocks, and a session that fails fails alone.

#![deny(unsafe_code)]

mod admission;
mod answer;
mod blocks;
mod buffer;
mod clock;
mod config;
mod figures;
mod gather;
mod greeting;
mod handle;
mod host;
mod ids;
mod listen;
pub mod log;
mod mailbox;
mod message;
mod networks;
mod random;
mod socket;
mod sys;
#[cfg(test)]
mod testing;
mod tls;
mod wheel;
mod worker;

pub use admission::Admission;
pub use answer::{Answers, Reply};
pub use config::{Endpoint, ListenerSpec, RuntimeConfig, ServerEndpoint, Servers, Tuning};
pub use figures::{Holdings, WorkerShard};
pub use gather::{Gathered, Pending, Unanswered};
pub use handle::{Refusal, Runtime, StartError};
pub use host::{Machine, raise_descriptor_limit};
pub use listen::ListenError;
pub use message::Which;
pub use networks::Networks;
pub use socket::Keepalive;
pub use sys::{
    Pam, PamAnswer, PamQuestion, forget_environment, lent_sockets, report_fatal_signals,
};
