//! TLS errors as sentences that say what to do.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client of a listener.
    Client,
    /// A server.
    Server,
    /// A key manager.
    KeyManager,
}

/// What went wrong and what would help, for the log.
#[must_use]
pub fn explain(error: &Error, peer: Peer) -> String {
    let (noun, ca) = match peer {
        Peer::Client => ("client", "ssl_ca of the listener"),
        Peer::Server => ("server", "ssl_ca of the server's section"),
        Peer::KeyManager => ("key manager", "its authorities (kmip.ca, vault.ca)"),
    };
    match error {
        Error::InvalidCertificate(error) => {
            format!(
                "the {noun}'s certificate is refused: {}",
                certificate(error, ca)
            )
        }
        Error::NoCertificatesPresented => format!(
            "the {noun} presented no certificate, which ssl_verify_peer_certificate demands"
        ),
        Error::AlertReceived(alert) => format!("the {noun} broke it off: {}", received(*alert)),
        Error::PeerIncompatible(error) => {
            format!("nothing in common with the {noun}: {}", incompatible(error))
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("the {noun} sent something that is not TLS")
        }
        error => error.to_string(),
    }
}

fn certificate(error: &CertificateError, ca: &str) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired; it has to be renewed".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is one of the clocks wrong?".to_owned()
        }
        CertificateError::Revoked => "it is revoked (ssl_crl)".to_owned(),
        CertificateError::UnknownIssuer => {
            format!("nobody in {ca} has signed it; add the authority's certificate there")
        }
        CertificateError::BadSignature => {
            format!(
                "a signature does not fit; is the authority in {ca} another one of the same name?"
            )
        }
        CertificateError::UnknownRevocationStatus => {
            "ssl_crl has no list of the authority that signed it".to_owned()
        }
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "the list in ssl_crl is out of date; fetch the newest".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("{error}; use the name that stands in it, or switch ssl_verify_peer_host off")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage does not allow this use".to_owned()
        }
        CertificateError::Other(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn received(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => "it does not know who signed our certificate",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it does not accept our certificate"
        }
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::CertificateRevoked => "our certificate is revoked",
        AlertDescription::CertificateRequired => {
            "it demands a certificate of ours; give it one with ssl_cert and ssl_key"
        }
        AlertDescription::HandshakeFailure => {
            "none of the versions and cipher suites offered will do, or it demands a certificate"
        }
        AlertDescription::ProtocolVersion => "it does not speak the TLS versions offered",
        _ => "it gave no reason that would help",
    }
}

fn incompatible(error: &PeerIncompatible) -> String {
    match error {
        PeerIncompatible::NoCipherSuitesInCommon => "no cipher suite (ssl_cipher)".to_owned(),
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::Tls13RequiredForQuic
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            "no version of TLS (ssl_version)".to_owned()
        }
        error => format!("{error:?}"),
    }
}
