//! The MariaDB protocol in a few lines of plain standard library, for scripted peers.
//!
//! Written apart from `tidegate-wire` on purpose, so that both can be wrong only in different
//! ways. It knows the shapes that tests need (classic end-of-rows packets, the proofs of two plugins,
//! text and binary results as they came) and leaves out TLS, compression and other plugins.

mod client;
mod packet;
mod server;

pub use client::{Login, RawClient, Reply};
pub use packet::{
    CLIENT_COMPRESS, CLIENT_CONNECT_ATTRS, CLIENT_CONNECT_WITH_DB, CLIENT_DEPRECATE_EOF,
    CLIENT_FOUND_ROWS, CLIENT_LOCAL_FILES, CLIENT_LONG_PASSWORD, CLIENT_MULTI_RESULTS,
    CLIENT_MULTI_STATEMENTS, CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_PS_MULTI_RESULTS,
    CLIENT_SECURE_CONNECTION, CLIENT_SESSION_TRACK, CLIENT_SSL, CLIENT_TRANSACTIONS,
    CLIENT_ZSTD_COMPRESSION, PacketStream, native_password, put_lenenc, put_lenenc_bytes,
    sha2_password, take_lenenc, take_lenenc_bytes,
};
pub use server::{Peer, ScriptedServer};
