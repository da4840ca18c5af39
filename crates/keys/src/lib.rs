//! Key managers: symmetric keys by id and version, for whatever signs or encrypts.
//!
//! [`Keys`] holds the manager that `key_manager` names, and what may be changed of it while the
//! process runs. A manager is asked from the control plane alone: a session never waits for one.
//!
//! Left out: making, rotating and wrapping keys, which is the business of whoever manages them.
//!
//! The invariant: no error and no `Debug` text quotes a key, a token, or what somebody who is not
//! trusted sent back in their place.

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

mod connection;
mod error;
mod file;
mod hex;
mod key;
mod keys;
mod kmip;
pub mod ttlv;
mod vault;

pub use error::KeyError;
pub use key::{KeyManager, ManagedKey, Pending, Version};
pub use keys::Keys;
