//! The built program before real servers, as its users see it.
//!
//! The servers of [`house::group`] are shared by all tests that leave them as they are; a test
//! that breaks a server starts its own. What is asked here is what a user notices: results,
//! error texts, the log, the REST interface, the exit status.

mod arrivals;
mod attacks;
mod authentication;
mod behaviours;
mod causal;
mod compression;
mod daemon;
mod definitions;
mod failures;
mod fatal;
mod figures;
mod foreign;
mod greeting;
mod grid;
mod hand_overs;
mod house;
mod insight;
mod keys;
mod kill;
mod killed;
mod load;
mod logging;
mod login;
mod manager;
mod others;
mod pam;
mod pool;
mod prepared;
mod protocol;
mod proxied;
mod readconnroute;
mod readwritesplit;
mod replay;
mod rest;
mod reuse;
mod secrets;
mod sessions;
mod sharing;
mod start;
mod sync;
mod threads;
mod tls;
mod traces;
mod trouble;
mod tuned;
mod upkeep;
