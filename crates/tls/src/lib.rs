//! TLS as it is configured: one way from settings to connections, for listeners and for servers
//! with everything that connects to them.
//!
//! Certificates, keys, authorities and revocation lists are read, checked and turned into what
//! rustls works with; peers' certificates are verified; errors become sentences that name the
//! parameter and the remedy.
//!
//! Left out: sockets and bytes, which belong to whoever drives a connection.
//!
//! The invariant: what could be built is complete. A key fits its certificate, at least one version
//! and cipher suite are left, and verification that was asked for has something to verify with.

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

mod certificate;
mod cipher;
mod der;
mod explain;
mod files;
mod hello;
mod listener;
mod problem;
mod sealed;
mod self_made;
mod server;
mod settings;
mod trust;
mod verify;

pub use certificate::{Certificate, Usage, fingerprint};
pub use cipher::openssl_name;
pub use explain::{Peer, explain};
pub use hello::Offer;
pub use listener::ListenerTls;
pub use problem::{Built, Problem};
pub use self_made::SelfMade;
pub use server::{ServerTls, ServerTlsSlot};
pub use settings::{Passphrase, TlsSettings, Versions};
