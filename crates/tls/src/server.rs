//! TLS towards a server: for sessions, monitors and whoever loads accounts.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;

use crate::certificate::Usage;
use crate::listener::{Findings, certified, identity, provider};
use crate::problem::{Built, Problem};
use crate::settings::TlsSettings;
use crate::trust::Trust;
use crate::verify::OfServer;

/// What connections to one server need for TLS, immutable; another one takes its place when files
/// change. It remembers tickets, so that connections resume where the server allows it.
#[derive(Debug)]
pub struct ServerTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl ServerTls {
    /// Reads and checks everything. `host` is the server's address as configured: a name or an IP
    /// address, `localhost` for a UNIX socket.
    ///
    /// # Errors
    /// All that stands in the way.
    pub fn build(settings: &TlsSettings, host: &str) -> Built<ServerTls> {
        let mut found = Findings::default();
        let name = found.note(|_| server_name(settings, host));
        let identity = found.note(|warnings| identity(settings, Usage::Client, warnings));
        let provider = found.note(|warnings| provider(settings, warnings));
        let trust = found.note(|_| trust(settings));
        let (Some(name), Some(identity), Some(provider), Some(trust)) =
            (name, identity, provider, trust)
        else {
            return Err(found.problems);
        };
        let certified = match identity
            .map(|identity| certified(&provider, identity))
            .transpose()
        {
            Ok(certified) => certified,
            Err(problem) => return Err(vec![problem]),
        };
        let algorithms = provider.signature_verification_algorithms;
        let host = settings.verify_host.then(|| host.to_owned());
        let verifier = Arc::new(OfServer::new(trust, host, algorithms));
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&settings.versions.list());
        let builder = match builder {
            Ok(builder) => builder
                .dangerous()
                .with_custom_certificate_verifier(verifier),
            Err(error) => return Err(vec![Problem::new("ssl_version", error.to_string())]),
        };
        let config = match certified {
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
            None => builder.with_no_client_auth(),
        };
        Ok((
            ServerTls {
                config: Arc::new(config),
                name,
            },
            found.warnings,
        ))
    }

    /// For connections to it.
    #[must_use]
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Its name in the handshake.
    #[must_use]
    pub fn name(&self) -> &ServerName<'static> {
        &self.name
    }
}

impl PartialEq for ServerTls {
    /// Two are the same if they were built at once.
    fn eq(&self, other: &ServerTls) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl Eq for ServerTls {}

/// The newest TLS towards a server: whoever connects now and then looks here each time.
#[derive(Debug, Clone, Default)]
pub struct ServerTlsSlot(Arc<RwLock<Option<Arc<ServerTls>>>>);

impl ServerTlsSlot {
    /// With what there is at first; `None`: connections are in the clear.
    #[must_use]
    pub fn new(tls: Option<Arc<ServerTls>>) -> ServerTlsSlot {
        ServerTlsSlot(Arc::new(RwLock::new(tls)))
    }

    /// What counts now.
    #[must_use]
    pub fn now(&self) -> Option<Arc<ServerTls>> {
        let tls = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tls.clone()
    }

    /// Connections that are made from now on use this.
    pub fn set(&self, tls: Option<Arc<ServerTls>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tls;
    }
}

impl PartialEq for ServerTlsSlot {
    /// Are they one and the same?
    fn eq(&self, other: &ServerTlsSlot) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Authorities are read only where something is verified against them; a file that is given all the
/// same must make sense.
fn trust(settings: &TlsSettings) -> Result<Option<Trust>, Problem> {
    if !settings.verify_certificate && settings.ca.is_none() {
        return Ok(None);
    }
    let algorithms =
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let trust = Trust::read(
        settings.ca.as_deref(),
        None,
        settings.verify_depth,
        algorithms,
    )?;
    Ok(settings.verify_certificate.then_some(trust))
}

fn server_name(settings: &TlsSettings, host: &str) -> Result<ServerName<'static>, Problem> {
    let bare = host.trim_matches(['[', ']']);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(ServerName::from(ip));
    }
    match ServerName::try_from(bare.to_owned()) {
        Ok(name) => Ok(name),
        // A name that no certificate can have matters only to who looks at it.
        Err(_) if !settings.verify_host => Ok(ServerName::from(IpAddr::from([0, 0, 0, 0]))),
        Err(_) => Err(Problem::new(
            "ssl_verify_peer_host",
            format!("'{host}' is no host name that a certificate could have"),
        )),
    }
}
