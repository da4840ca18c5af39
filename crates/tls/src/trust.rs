//! Whom certificates are verified against: authorities and revocation lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error, OtherError};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::certificate::Certificate;
use crate::files;
use crate::problem::Problem;

/// Where systems keep the authorities that everybody trusts.
const SYSTEM_STORES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Authorities, and which certificates of theirs do not count any more.
#[derive(Debug)]
pub(crate) struct Trust {
    roots: RootCertStore,
    /// The authorities' certificates themselves: a peer may present one of them as its own.
    pinned: Vec<CertificateDer<'static>>,
    revoked: Vec<CertRevocationList<'static>>,
    depth: usize,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A chain is longer than `ssl_cert_verify_depth` allows.
#[derive(Debug, thiserror::Error)]
#[error(
    "{between} authorities lie between it and a trusted one, ssl_cert_verify_depth allows {limit}"
)]
struct TooDeep {
    between: usize,
    limit: usize,
}

/// X.509 version 1 cannot say what a certificate may be used for.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is of X.509 version 1, which cannot be verified safely; have it issued with extensions (subjectAltName)"
)]
pub(crate) struct VersionOne;

impl Trust {
    /// Reads authorities (the system's if none are named) and revocation lists.
    pub(crate) fn read(
        ca: Option<&Path>,
        crl: Option<&Path>,
        depth: usize,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Trust, Problem> {
        const PARAMETER: &str = "ssl_ca";
        let system = || {
            SYSTEM_STORES
                .iter()
                .map(PathBuf::from)
                .find(|path| path.is_file())
        };
        let path = ca.map(Path::to_owned).or_else(system).ok_or_else(|| {
            Problem::new(
                PARAMETER,
                "it must be given: this system has no store of authorities",
            )
        })?;
        let pinned = files::certificates(PARAMETER, &path)?;
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(pinned.iter().cloned());
        if usable == 0 {
            return Err(Problem::file(
                PARAMETER,
                &path,
                "none of its certificates can be an authority",
            ));
        }
        Ok(Trust {
            roots,
            pinned: if ca.is_some() { pinned } else { Vec::new() },
            revoked: crl.map_or(Ok(Vec::new()), read_lists)?,
            depth,
            algorithms,
        })
    }

    pub(crate) fn roots(&self) -> &RootCertStore {
        &self.roots
    }

    /// Is there a way from `peer` over `intermediates` to an authority, and does all of it count
    /// now, for this use?
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn verify(
        &self,
        peer: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), Error> {
        if self.pinned.iter().any(|known| known == peer) {
            return self.verify_pinned(peer, now);
        }
        let revoked: Vec<&CertRevocationList<'_>> = self.revoked.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&revoked).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let parsed = EndEntityCert::try_from(peer).map_err(refusal)?;
        let path = parsed
            .verify_for_usage(
                self.algorithms.all,
                &self.roots.roots,
                intermediates,
                now,
                usage,
                revocation,
                None,
            )
            .map_err(refusal)?;
        let between = path.intermediate_certificates().count();
        if between > self.depth {
            return Err(other(TooDeep {
                between,
                limit: self.depth,
            }));
        }
        Ok(())
    }

    /// A certificate that is trusted by itself needs no more than to count now.
    fn verify_pinned(&self, peer: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        let read = Certificate::read(peer).ok_or(CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now > read.not_after {
            return Err(CertificateError::Expired.into());
        }
        if now < read.not_before {
            return Err(CertificateError::NotValidYet.into());
        }
        Ok(())
    }
}

fn read_lists(path: &Path) -> Result<Vec<CertRevocationList<'static>>, Problem> {
    const PARAMETER: &str = "ssl_crl";
    let read = |der: rustls::pki_types::CertificateRevocationListDer<'static>| {
        let list = OwnedCertRevocationList::from_der(&der);
        list.map(CertRevocationList::from).map_err(|error| {
            Problem::file(
                PARAMETER,
                path,
                format!("this list cannot be used: {error}"),
            )
        })
    };
    files::revocation_lists(PARAMETER, path)?
        .into_iter()
        .map(read)
        .collect()
}

pub(crate) fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

/// What is wrong, so that the peer is sent the right alert.
fn refusal(error: webpki::Error) -> Error {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } => CertificateError::Expired.into(),
        E::CertNotValidYet { .. } => CertificateError::NotValidYet.into(),
        E::CertRevoked => CertificateError::Revoked.into(),
        E::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        E::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus.into(),
        E::CrlExpired { .. } => CertificateError::ExpiredRevocationList.into(),
        E::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose.into(),
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature.into(),
        E::UnsupportedCertVersion => other(VersionOne),
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding.into(),
        error => other(error),
    }
}
