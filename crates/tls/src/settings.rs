//! TLS settings as plain values, in the words of the configuration.

use std::path::PathBuf;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// `ssl_version`: which versions may be used, of those that are safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// TLS 1.2.
    pub v12: bool,
    /// TLS 1.3.
    pub v13: bool,
}

impl Versions {
    /// All that there are.
    pub const ALL: Versions = Versions {
        v12: true,
        v13: true,
    };

    /// For rustls, the newest first.
    pub(crate) fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        let all = [(self.v13, &TLS13), (self.v12, &TLS12)];
        let allowed = all.into_iter().filter(|(on, _)| *on);
        allowed.map(|(_, version)| version).collect()
    }
}

/// The TLS parameters of a listener or a server, with `ssl=true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// `ssl_key`.
    pub key: Option<PathBuf>,
    /// `ssl_cert`.
    pub cert: Option<PathBuf>,
    /// `ssl_ca`.
    pub ca: Option<PathBuf>,
    /// `ssl_crl`; listeners only.
    pub crl: Option<PathBuf>,
    /// `ssl_version`.
    pub versions: Versions,
    /// `ssl_cipher`.
    pub ciphers: Option<String>,
    /// `ssl_cert_verify_depth`: the most authorities between the peer and a trusted one.
    pub verify_depth: usize,
    /// `ssl_verify_peer_certificate`.
    pub verify_certificate: bool,
    /// `ssl_verify_peer_host`.
    pub verify_host: bool,
}

impl Default for TlsSettings {
    fn default() -> TlsSettings {
        TlsSettings {
            key: None,
            cert: None,
            ca: None,
            crl: None,
            versions: Versions::ALL,
            ciphers: None,
            verify_depth: 9,
            verify_certificate: false,
            verify_host: false,
        }
    }
}

impl TlsSettings {
    /// The files that are read, each once.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let all = [&self.key, &self.cert, &self.ca, &self.crl];
        let mut files: Vec<PathBuf> = all.into_iter().flatten().cloned().collect();
        files.dedup();
        files
    }
}
