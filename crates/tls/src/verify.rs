//! The two verifiers that rustls asks: of clients' certificates on a listener, and of a server's.
//!
//! Signatures are checked with the key of the certificate whatever its version; everything else
//! only as far as the settings ask for it.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved,
    SignatureScheme,
};
use webpki::{KeyUsage, RawPublicKeyEntity};

use crate::certificate::Certificate;
use crate::trust::Trust;

/// Is `certificate` one of `name`? `host` is the name as it stands in the configuration.
pub(crate) fn check_name(
    certificate: &CertificateDer<'_>,
    host: &str,
    name: &ServerName<'_>,
) -> Result<(), Error> {
    let by_common_name = || {
        Certificate::read(certificate)
            .filter(|certificate| certificate.is_named(host))
            .map(|_| ())
    };
    let listed = ParsedCertificate::try_from(certificate)
        .and_then(|parsed| verify_server_name(&parsed, name));
    listed.or_else(|error| by_common_name().ok_or(error))
}

/// Signatures of a handshake.
#[derive(Debug, Clone, Copy)]
struct Signatures(WebPkiSupportedAlgorithms);

impl Signatures {
    /// Tries every algorithm that the scheme may stand for in TLS 1.2, and the one it does in 1.3.
    fn verify(
        self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        newest: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        let unknown = || Error::from(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme);
        let algorithms = self
            .0
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .map(|(_, algorithms)| *algorithms)
            .ok_or_else(unknown)?;
        if newest && !is_of_tls13(signed.scheme) {
            return Err(unknown());
        }
        let read = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(read.public_key);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
        let tried = algorithms.iter().take(if newest { 1 } else { usize::MAX });
        let fits = |algorithm: &&dyn rustls::pki_types::SignatureVerificationAlgorithm| {
            key.verify_signature(*algorithm, message, signed.signature())
                .is_ok()
        };
        if tried.into_iter().any(fits) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }
}

/// TLS 1.3 has given up PKCS #1 and SHA-1 (RFC 8446, 4.2.3).
fn is_of_tls13(scheme: SignatureScheme) -> bool {
    matches!(
        scheme,
        SignatureScheme::ECDSA_NISTP256_SHA256
            | SignatureScheme::ECDSA_NISTP384_SHA384
            | SignatureScheme::ECDSA_NISTP521_SHA512
            | SignatureScheme::RSA_PSS_SHA256
            | SignatureScheme::RSA_PSS_SHA384
            | SignatureScheme::RSA_PSS_SHA512
            | SignatureScheme::ED25519
            | SignatureScheme::ED448
    )
}

/// Clients' certificates on a listener that knows authorities.
#[derive(Debug)]
pub(crate) struct OfClients {
    trust: Trust,
    hints: Vec<DistinguishedName>,
    mandatory: bool,
    signatures: Signatures,
}

impl OfClients {
    pub(crate) fn new(
        trust: Trust,
        mandatory: bool,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> OfClients {
        OfClients {
            hints: trust.roots().subjects(),
            trust,
            mandatory,
            signatures: Signatures(algorithms),
        }
    }
}

impl ClientCertVerifier for OfClients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.trust
            .verify(end_entity, intermediates, now, KeyUsage::client_auth())
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.0.supported_schemes()
    }
}

/// The certificate of a server.
#[derive(Debug)]
pub(crate) struct OfServer {
    /// `ssl_verify_peer_certificate`; `None`: whoever it is, the connection is encrypted.
    trust: Option<Trust>,
    /// `ssl_verify_peer_host`: the server's configured address.
    host: Option<String>,
    signatures: Signatures,
}

impl OfServer {
    pub(crate) fn new(
        trust: Option<Trust>,
        host: Option<String>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> OfServer {
        OfServer {
            trust,
            host,
            signatures: Signatures(algorithms),
        }
    }
}

impl ServerCertVerifier for OfServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            trust.verify(end_entity, intermediates, now, KeyUsage::server_auth())?;
        }
        if let Some(host) = &self.host {
            check_name(end_entity, host, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signatures.verify(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.0.supported_schemes()
    }
}
