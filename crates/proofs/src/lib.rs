//! The work of logins: what the protocol's machines ask for because it needs a key, random numbers
//! or much time.
//!
//! * [`Workshop`] does any [`Work`](tidegate_wire::auth::Work) of a listener's clients.
//! * [`answer_server`] does what a server's plugins ask of whoever logs in to it.
//! * [`stored`] reads what accounts keep for plugins.
//!
//! Left out: where the work is done. Signatures take some fifty microseconds, the hash of a password
//! milliseconds ([`is_quick`]).
//!
//! Invariant: passwords and keys are wiped after use and never printed; what is kept of a password is
//! of no use to whoever does not know the password's hash.

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

mod ed25519;
mod memory;
mod parsec;
mod rsa;
mod sha_crypt;
pub mod stored;
mod workshop;

pub use ed25519::public_key as ed25519_public_key;
pub use memory::Memory;
pub use rsa::{KeyError, RsaKey};
pub use workshop::{Workshop, answer_server, is_quick};
