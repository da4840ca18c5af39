//! The session core: one client connection with everything that belongs to it, as a state machine
//! without I/O.
//!
//! A [`Session`] takes events (bytes of a side, a connection that opened or broke, an answer, a
//! tick, an administrator's wish) and fills an [`Output`] with operations that its caller carries
//! out. It never awaits, reads a clock, draws a random number or touches a socket, so the same
//! code runs under the worker's sockets and under the simulator's seeds.
//!
//! Left out on purpose: transport (TLS, compression, buffers of unsent bytes), name lookups,
//! account data, the choice among servers (a [`Router`](router::Router)'s) and what statements
//! are rewritten or logged (a [`Filter`](filter::Filter)'s).
//!
//! What holds after every event, swept in debug builds by [`Session::check_invariants`]: every
//! command the client waits for is owed by exactly one connection, answers leave in the order of
//! the commands, and a connection tracks just the replies it owes. `LIFECYCLE.md` beside this
//! file draws the states.

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

#[macro_use]
mod plant;

mod anew;
pub mod average;
mod backend;
mod cause;
mod chain;
mod client;
mod commands;
mod compression;
mod control;
mod definitions;
mod digest;
pub mod digests;
mod dispatch;
mod encryption;
pub mod explain;
mod fault;
pub mod filter;
pub mod freeze;
mod guise;
pub mod histogram;
mod history;
mod ids;
mod keepalive;
mod key;
mod kill;
mod login;
mod long_data;
mod look;
mod losses;
mod metadata;
mod narrate;
mod next_trx;
mod observe;
mod opening;
mod origin;
mod outcome;
mod output;
mod own;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod pooled;
pub mod position;
mod put_off;
pub mod question;
mod refusal;
mod replay;
mod replies;
pub mod request;
mod restart;
mod reuse;
mod route;
pub mod router;
mod scene;
mod service;
mod session;
mod setup;
mod sharing;
mod stmts;
mod straight;
mod sync;
mod tally;
mod target_view;
mod terms;
mod thaw;
mod ticket;
mod time;
mod timing;
mod tune;
mod view;
mod waiting;
mod wishes;
pub mod world;

pub use backend::Link;
pub use cause::Cause;
pub use control::{Control, ControlError};
pub use encryption::{Encryption, PeerCertificate};
pub use fault::{Blame, ErrReply, Fault, Retry, SessionFault};
pub use ids::{BackendId, BackendStmtId, ClientStmtId, ServerId, SessionId, Side, TargetId, Token};
pub use keepalive::Keepalive;
pub use kill::{Found, KillOrder, Whom};
pub use metadata::Announcement;
pub use origin::Origin;
pub use output::{Errand, Event, Level, LogLine, Op, Output, Wanted};
pub use pooled::{Fit, Leftover, Owner, Said};
pub use replay::{Checksum, ReplayRules};
pub use scene::Scene;
pub use service::{
    Counted, DumpStatements, HistoryLimits, LineMatch, LogSwitches, LoginLog, ServiceShard,
    ServiceSpec, SessionTrace, Sharing, TargetShard, TargetSpec,
};
pub use session::{Backlog, Birth, CONNECT_TIMEOUT, Env, GreetingFacts, LOGIN_TIMEOUT, Session};
pub use sharing::Keeps;
pub use sync::SyncRules;
pub use target_view::TargetView;
pub use terms::Terms;
pub use thaw::{Filters, Thawing};
pub use time::{Instant, WallTime};
pub use tune::{AutoTune, IdleLimits};
pub use view::{BufferView, ConnectionView, LendingView, MemoryView, QueryView, SessionView};
