//! TLS, the same words for servers and listeners.

use std::path::PathBuf;

use crate::declare::{count, flag, optional_path, optional_secret, optional_text};
use crate::secret::Secret;
use crate::word::WordSet;

crate::words! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// Whatever the library thinks safe.
        Max = "MAX",
        V10 = "TLSv10",
        V11 = "TLSv11",
        V12 = "TLSv12",
        V13 = "TLSv13",
    }
}

impl TlsVersion {
    /// The versions as their standards spell them.
    pub const DOTTED: &'static [(&'static str, &'static str)] = &[
        ("TLSv1.0", "TLSv10"),
        ("TLSv1.1", "TLSv11"),
        ("TLSv1.2", "TLSv12"),
        ("TLSv1.3", "TLSv13"),
    ];
}

crate::params! {
    /// TLS.
    pub struct TlsParams {
        /// Speak TLS, and nothing else.
        ssl: bool = flag(false).runtime()
            .old_spellings(&[("required", "true"), ("disabled", "false")]),
        /// Private key.
        ssl_key: Option<PathBuf> = optional_path().runtime(),
        /// Certificate, with the chain that leads to its authority.
        ssl_cert: Option<PathBuf> = optional_path().runtime(),
        /// Where the passphrase of the key is: `env:NAME`, `file:PATH` or `pass:TEXT`.
        ssl_passphrase: Option<Secret> = optional_secret().runtime().since("25.10"),
        /// Authorities the peer's certificate is verified against.
        ssl_ca: Option<PathBuf> = optional_path().aliases(&["ssl_ca_cert"])
            .runtime(),
        /// The TLS versions allowed.
        ssl_version: WordSet<TlsVersion> = TlsVersion::mask(TlsVersion::Max.bit())
            .spellings(TlsVersion::DOTTED).runtime(),
        /// Cipher suites allowed, for versions before 1.3.
        ssl_cipher: Option<String> = optional_text().runtime(),
        /// Longest chain of certificates.
        ssl_cert_verify_depth: u64 = count(9).at_least(1)
            .old_names(&["ssl_cert_verification_depth"]).runtime(),
        /// The peer must present a certificate that verifies.
        ssl_verify_peer_certificate: bool = flag(false).runtime(),
        /// The name in the peer's certificate must be the peer's.
        ssl_verify_peer_host: bool = flag(false).runtime(),
    }
}
