//! TLS of all listeners and servers, built together: everything, or nothing and all the reasons.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tidegate_config::params::{ListenerParams, ServerParams, TlsParams, TlsVersion};
use tidegate_config::{Config, Object};
use tidegate_tls::{
    Built, ListenerTls, Passphrase, Problem, SelfMade, ServerTls, TlsSettings, Versions,
};

/// What is wrong with TLS settings or their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsErrors(Vec<String>);

impl TlsErrors {
    pub(crate) fn of(text: &str) -> TlsErrors {
        TlsErrors(vec![text.to_owned()])
    }
}

impl fmt::Display for TlsErrors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for TlsErrors {}

/// The TLS of everything that has some.
#[derive(Debug, Default)]
pub(crate) struct TlsSet {
    /// By the listener's name.
    pub(crate) listeners: BTreeMap<String, Arc<ListenerTls>>,
    /// By the server's name.
    pub(crate) servers: BTreeMap<String, Arc<ServerTls>>,
    /// What somebody should know about.
    pub(crate) warnings: Vec<String>,
    errors: Vec<String>,
}

impl TlsSet {
    /// Reads all files and checks them.
    ///
    /// # Errors
    /// All that is wrong, each with section and parameter.
    pub(crate) fn build(config: &Config, self_made: &SelfMade) -> Result<TlsSet, TlsErrors> {
        let mut set = TlsSet::default();
        for listener in secured_listeners(config) {
            let built = ListenerTls::build(&of_listener(&listener.params), self_made);
            if let Some(tls) = set.take("listener", &listener.name, built) {
                set.listeners.insert(listener.name.clone(), Arc::new(tls));
            }
        }
        for server in secured_servers(config) {
            let host = server.params.address.as_deref().unwrap_or("localhost");
            let built = ServerTls::build(&settings(&server.params.tls), host);
            if let Some(tls) = set.take("server", &server.name, built) {
                set.servers.insert(server.name.clone(), Arc::new(tls));
            }
        }
        if set.errors.is_empty() {
            Ok(set)
        } else {
            Err(TlsErrors(set.errors))
        }
    }

    fn take<T>(&mut self, kind: &str, name: &str, built: Built<T>) -> Option<T> {
        let place = |problem: &Problem| format!("{kind} '{name}': {problem}");
        match built {
            Ok((tls, warnings)) => {
                self.warnings.extend(warnings.iter().map(place));
                Some(tls)
            }
            Err(problems) => {
                self.errors.extend(problems.iter().map(place));
                None
            }
        }
    }
}

/// Reads and checks the files that TLS parameters name, without starting anything. Returns what
/// should be known about them.
///
/// # Errors
/// All that is wrong, each with section and parameter.
pub fn check_tls(config: &Config) -> Result<Vec<String>, TlsErrors> {
    TlsSet::build(config, &SelfMade::default()).map(|set| set.warnings)
}

/// All files that TLS parameters name.
pub(crate) fn files(config: &Config) -> Vec<PathBuf> {
    let listeners = secured_listeners(config).map(|listener| of_listener(&listener.params));
    let servers = secured_servers(config).map(|server| settings(&server.params.tls));
    let mut files: Vec<PathBuf> = listeners
        .chain(servers)
        .flat_map(|tls| tls.files())
        .collect();
    files.sort();
    files.dedup();
    files
}

/// How many listeners and servers have TLS.
pub(crate) fn counts(config: &Config) -> (usize, usize) {
    (
        secured_listeners(config).count(),
        secured_servers(config).count(),
    )
}

fn secured_listeners(config: &Config) -> impl Iterator<Item = &Object<ListenerParams>> {
    let listeners = config.listeners.iter();
    listeners.filter(|listener| {
        let speaks = listener.module.is_none_or(|module| module.opens_socket);
        listener.params.tls.ssl && speaks
    })
}

fn secured_servers(config: &Config) -> impl Iterator<Item = &Object<ServerParams>> {
    config.servers.iter().filter(|server| server.params.tls.ssl)
}

fn of_listener(params: &ListenerParams) -> TlsSettings {
    TlsSettings {
        crl: params.ssl_crl.as_ref().map(PathBuf::from),
        ..settings(&params.tls)
    }
}

fn settings(params: &TlsParams) -> TlsSettings {
    let allowed = params.ssl_version;
    let all = allowed.contains(TlsVersion::Max);
    TlsSettings {
        key: params.ssl_key.clone(),
        passphrase: params
            .ssl_passphrase
            .as_ref()
            .map(|source| Passphrase::new(source.reveal())),
        cert: params.ssl_cert.clone(),
        ca: params.ssl_ca.clone(),
        crl: None,
        versions: Versions {
            v12: all || allowed.contains(TlsVersion::V12),
            v13: all || allowed.contains(TlsVersion::V13),
        },
        ciphers: params.ssl_cipher.clone(),
        verify_depth: usize::try_from(params.ssl_cert_verify_depth).unwrap_or(usize::MAX),
        verify_certificate: params.ssl_verify_peer_certificate,
        verify_host: params.ssl_verify_peer_host,
    }
}
