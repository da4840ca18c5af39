//! TLS of a listener.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ProtocolVersion, ServerConfig};

use crate::certificate::{Certificate, Usage, fingerprint};
use crate::hello::Offer;
use crate::problem::{Built, Problem};
use crate::self_made::SelfMade;
use crate::settings::TlsSettings;
use crate::trust::Trust;
use crate::verify::{OfClients, check_name};
use crate::{cipher, files};

/// What a listener needs for TLS, immutable; another one takes its place when files change.
#[derive(Debug)]
pub struct ListenerTls {
    config: Arc<ServerConfig>,
    fingerprint: [u8; 32],
    offer: Offer,
    verify_host: bool,
}

impl ListenerTls {
    /// Reads and checks everything. Without key and certificate it is the `self_made` one.
    ///
    /// # Errors
    /// All that stands in the way.
    pub fn build(settings: &TlsSettings, self_made: &SelfMade) -> Built<ListenerTls> {
        let mut found = Findings::default();
        let identity = found.note(
            |warnings| match identity(settings, Usage::Server, warnings)? {
                Some(given) => Ok(given),
                None => self_made.identity(),
            },
        );
        let provider = found.note(|warnings| provider(settings, warnings));
        let trust = found.note(|_| clients_trust(settings));
        let (Some(identity), Some(provider), Some(trust)) = (identity, provider, trust) else {
            return Err(found.problems);
        };
        match assemble(settings, provider, identity, trust) {
            Ok(tls) => Ok((tls, found.warnings)),
            Err(problem) => Err(vec![problem]),
        }
    }

    /// For the connections of its clients.
    #[must_use]
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// The SHA-256 fingerprint of its certificate.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// `ssl_verify_peer_host`: is the certificate that a client presented, if any, one of its
    /// address? Names are not looked up: it must list the address itself. A client on this machine
    /// has none.
    ///
    /// # Errors
    /// It is somebody else's.
    pub fn admits(
        &self,
        presented: Option<&[CertificateDer<'_>]>,
        client: Option<IpAddr>,
    ) -> Result<(), rustls::Error> {
        match (presented.and_then(<[_]>::first), client) {
            (Some(certificate), Some(ip)) if self.verify_host => {
                check_name(certificate, &ip.to_string(), &ServerName::from(ip))
            }
            _ => Ok(()),
        }
    }

    /// What it offers to clients.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.offer
    }
}

/// What came of several steps, each of which may fail.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Findings {
    pub(crate) fn note<T>(
        &mut self,
        step: impl FnOnce(&mut Vec<Problem>) -> Result<T, Problem>,
    ) -> Option<T> {
        step(&mut self.warnings)
            .map_err(|problem| self.problems.push(problem))
            .ok()
    }
}

/// Our own certificate with its key.
#[derive(Debug)]
pub(crate) struct OwnIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// `ssl_cert` and `ssl_key`, which go together; `None`: neither is given.
pub(crate) fn identity(
    settings: &TlsSettings,
    usage: Usage,
    warnings: &mut Vec<Problem>,
) -> Result<Option<OwnIdentity>, Problem> {
    match (&settings.cert, &settings.key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(Problem::new("ssl_key", "it must be given with ssl_cert")),
        (None, Some(_)) => Err(Problem::new("ssl_cert", "it must be given with ssl_key")),
        (Some(cert), Some(key)) => Ok(Some(OwnIdentity {
            chain: files::own_chain(cert, usage, now(), warnings)?,
            key: files::private_key(key, settings.passphrase.as_ref())?,
        })),
    }
}

pub(crate) fn now() -> i64 {
    i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX)
}

/// rustls' provider with the cipher suites that `ssl_cipher` and `ssl_version` leave.
pub(crate) fn provider(
    settings: &TlsSettings,
    warnings: &mut Vec<Problem>,
) -> Result<CryptoProvider, Problem> {
    let mut provider = default_provider();
    if let Some(list) = &settings.ciphers {
        provider.cipher_suites = cipher::choose(&provider, list, warnings)?;
    }
    let versions = settings.versions.list();
    if versions.is_empty() {
        return Err(Problem::new(
            "ssl_version",
            "TLS 1.0 and 1.1 are not safe and not there; use TLSv1.2,TLSv1.3",
        ));
    }
    provider
        .cipher_suites
        .retain(|suite| versions.contains(&suite.version()));
    if provider.cipher_suites.is_empty() {
        return Err(Problem::new(
            "ssl_cipher",
            "none of these suites is of a version that ssl_version allows",
        ));
    }
    Ok(provider)
}

/// Key and certificate as rustls works with them.
pub(crate) fn certified(
    provider: &CryptoProvider,
    identity: OwnIdentity,
) -> Result<CertifiedKey, Problem> {
    let key = provider.key_provider.load_private_key(identity.key).map_err(|error| {
        Problem::new("ssl_key", format!("this kind of key cannot be used ({error}); use RSA from 2048 bits on, ECDSA or Ed25519"))
    })?;
    let leaf = identity
        .chain
        .first()
        .and_then(|der| Certificate::read(der));
    let fits = leaf.is_some_and(|leaf| {
        key.public_key()
            .is_none_or(|public| *public == *leaf.public_key)
    });
    if !fits {
        return Err(Problem::new(
            "ssl_key",
            "the key does not belong to the certificate in ssl_cert",
        ));
    }
    Ok(CertifiedKey::new(identity.chain, key))
}

/// Clients may present certificates where there are authorities to verify them against, and must
/// where that is asked for.
fn clients_trust(settings: &TlsSettings) -> Result<Option<Trust>, Problem> {
    if settings.ca.is_none() && !settings.verify_certificate {
        return match &settings.crl {
            Some(_) => Err(Problem::new(
                "ssl_crl",
                "it needs ssl_ca: certificates are revoked by who signed them",
            )),
            None => Ok(None),
        };
    }
    let algorithms = default_provider().signature_verification_algorithms;
    let (ca, crl) = (settings.ca.as_deref(), settings.crl.as_deref());
    Trust::read(ca, crl, settings.verify_depth, algorithms).map(Some)
}

fn assemble(
    settings: &TlsSettings,
    provider: CryptoProvider,
    identity: OwnIdentity,
    trust: Option<Trust>,
) -> Result<ListenerTls, Problem> {
    let unusable = |error: rustls::Error| Problem::new("ssl_version", error.to_string());
    let algorithms = provider.signature_verification_algorithms;
    let suites = provider
        .cipher_suites
        .iter()
        .map(|suite| suite.suite())
        .collect();
    let versions = settings.versions.list();
    let named = versions
        .iter()
        .map(|version| version.version)
        .collect::<Vec<ProtocolVersion>>();
    let certified = certified(&provider, identity)?;
    let print = certified
        .cert
        .first()
        .map_or([0; 32], |leaf| fingerprint(leaf));
    let builder = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)
        .map_err(unusable)?;
    let builder = match trust {
        Some(trust) => builder.with_client_cert_verifier(Arc::new(OfClients::new(
            trust,
            settings.verify_certificate,
            algorithms,
        ))),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // Tickets carry what is needed to resume, so that workers share nothing and keep nothing. A new
    // configuration has new keys: nobody resumes past certificates that do not count any more.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new().map_err(unusable)?;
    Ok(ListenerTls {
        config: Arc::new(config),
        fingerprint: print,
        offer: Offer::new(named, suites),
        verify_host: settings.verify_host,
    })
}
