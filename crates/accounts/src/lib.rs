//! User accounts: loaded from the servers, matched against clients, asked about logins.
//!
//! * [`Accounts`] is an immutable snapshot of a service's accounts, roles, grants and databases.
//! * [`decide`] finds the account of a [`LoginRequest`] and what password to check;
//!   [`check_after_password`] says what else stands in the way. Both are pure: a worker calls them
//!   on its own `Arc` of the snapshot.
//!
//! Left out for now: host name lookups (an account that would need one does not match, and the
//! reason for the log says so), and every plugin but `mysql_native_password`.
//!
//! The invariant: the account the proxy picks is the one the server would pick for a client at
//! that address.

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

mod account;
mod database;
mod decide;
mod host;
mod like;
mod snapshot;

pub use account::{AccountRow, Expiry, GrantRow, Method, RoleRow, TlsDemand};
pub use database::{DatabaseCase, DatabaseVerdict};
pub use decide::{
    DenyReason, LoginDecision, LoginPolicy, LoginRequest, Refusal, check_after_password,
    check_database, decide,
};
pub use host::ClientHost;
pub use snapshot::{Account, Accounts, Tables};
