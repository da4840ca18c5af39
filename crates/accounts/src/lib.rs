//! User accounts: loaded from the servers, matched against clients, asked about logins.
//!
//! * [`Accounts`] is an immutable snapshot of a service's accounts, roles, grants and databases.
//! * [`decide`] finds the account of a [`LoginRequest`] and what password to check;
//!   [`check_after_password`] says what else stands in the way. Both are pure: a worker calls them
//!   on its own `Arc` of the snapshot.
//! * [`AccountManager`] loads, refreshes and hands out snapshots, one manager a service.
//!
//! Left out: looking up host names, which the caller does where
//! [`LoginDecision::wants_name`] says so, asking PAM, and for now accounts of `gssapi` and `unix_socket`.
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
mod document;
mod encryption;
mod file;
mod host;
mod like;
mod load;
mod manager;
mod refusal;
mod snapshot;
mod stand_in;
#[cfg(test)]
mod tests;
mod troubles;
mod ways;

pub use account::{AccountRow, Expiry, GrantRow, Method, RoleRow};
pub use database::{DatabaseCase, DatabaseVerdict};
pub use decide::{DenyReason, LoginDecision, LoginPolicy, LoginRequest, decide};
pub use document::{Document, Fields};
pub use encryption::{ClientCertificate, ClientTls, TlsDemand};
pub use file::AccountsFile;
pub use host::ClientHost;
pub use load::{Gap, LoadError};
pub use manager::{
    AccountHost, AccountManager, AccountNote, AccountSettings, AccountSource, AccountsView,
    Refresh, RefreshLimit,
};
pub use refusal::{Refusal, check_after_password, check_database};
pub use snapshot::{Account, Accounts, Tables};
pub use stand_in::stand_in;
pub use troubles::{Passage, Trouble, troubles};
pub use ways::{Decoys, Ed25519Way, Sealing, Ways};
