//! TLS settings as plain values, in the words of the configuration.

use std::path::PathBuf;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use zeroize::Zeroizing;

use crate::problem::Problem;

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

/// Where the passphrase of a key is: `env:NAME`, `file:PATH` or `pass:TEXT`. Never printed, wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// As it stands in the configuration.
    #[must_use]
    pub fn new(source: &str) -> Passphrase {
        Passphrase(Zeroizing::new(source.to_owned()))
    }

    /// The passphrase itself.
    ///
    /// # Errors
    /// There is none in that place.
    pub(crate) fn fetch(&self) -> Result<Zeroizing<String>, Problem> {
        const PARAMETER: &str = "ssl_passphrase";
        let problem = |text: String| Problem::new(PARAMETER, text);
        match self.0.split_once(':') {
            Some(("pass", text)) => Ok(Zeroizing::new(text.to_owned())),
            Some(("env", name)) => std::env::var(name)
                .map(Zeroizing::new)
                .map_err(|_| problem(format!("there is no environment variable {name}"))),
            Some(("file", path)) => {
                let text = std::fs::read_to_string(path)
                    .map(Zeroizing::new)
                    .map_err(|error| problem(format!("'{path}' cannot be read: {error}")))?;
                let line = text.lines().next().unwrap_or_default();
                Ok(Zeroizing::new(line.to_owned()))
            }
            _ => Err(problem(
                "it must begin with 'env:', 'file:' or 'pass:', which say where the passphrase is"
                    .to_owned(),
            )),
        }
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The TLS parameters of a listener or a server, with `ssl=true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// `ssl_key`.
    pub key: Option<PathBuf>,
    /// `ssl_passphrase`: what the key is encrypted with.
    pub passphrase: Option<Passphrase>,
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
            passphrase: None,
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
