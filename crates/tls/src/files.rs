//! Reading the files that TLS parameters name.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::certificate::{Certificate, Usage};
use crate::problem::Problem;
use crate::sealed::{self, Sealed};
use crate::settings::Passphrase;

/// More than any of these files needs.
const LIMIT_BYTES: u64 = 16 * 1024 * 1024;

fn read(parameter: &'static str, path: &Path) -> Result<Vec<u8>, Problem> {
    let problem = |reason: String| Problem::file(parameter, path, reason);
    let metadata = std::fs::metadata(path).map_err(|error| problem(unreadable(&error)))?;
    if !metadata.is_file() || metadata.len() > LIMIT_BYTES {
        return Err(problem("this is not a PEM file".to_owned()));
    }
    std::fs::read(path).map_err(|error| problem(unreadable(&error)))
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "the user this process runs as may not read it".to_owned()
        }
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// All certificates of a PEM file, at least one.
pub(crate) fn certificates(
    parameter: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    all(parameter, path, "certificate")
}

/// The revocation lists of a PEM file, at least one.
pub(crate) fn revocation_lists(
    parameter: &'static str,
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Problem> {
    all(parameter, path, "revocation list")
}

/// Everything of one kind in a PEM file, at least one.
fn all<T: PemObject>(parameter: &'static str, path: &Path, noun: &str) -> Result<Vec<T>, Problem> {
    let bytes = read(parameter, path)?;
    let problem = |reason: String| Problem::file(parameter, path, reason);
    let found: Result<Vec<T>, _> = T::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(problem(format!(
            "it holds no {noun} in PEM form{}",
            instead(&bytes)
        ))),
        Ok(found) => Ok(found),
        Err(error) => Err(problem(format!("damaged: {error}"))),
    }
}

/// The first private key of a PEM file, opened with the passphrase if it is encrypted.
pub(crate) fn private_key(
    path: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDer<'static>, Problem> {
    const PARAMETER: &str = "ssl_key";
    let bytes = Zeroizing::new(read(PARAMETER, path)?);
    let problem = |reason: String| Problem::file(PARAMETER, path, reason);
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    if sealed::is_sealed(text) {
        let passphrase = passphrase.ok_or_else(|| {
            problem(
                "the key is encrypted; ssl_passphrase must say where its passphrase is".to_owned(),
            )
        })?;
        return match sealed::open(text, &passphrase.fetch()?) {
            Ok(key) => Ok(key.into()),
            Err(Sealed::Wrong) => Err(problem("ssl_passphrase does not open it".to_owned())),
            Err(Sealed::Unknown) => Err(problem(ANOTHER_WAY.to_owned())),
        };
    }
    if holds(&bytes, b"ENCRYPTED") {
        return Err(problem(ANOTHER_WAY.to_owned()));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => problem(format!(
            "it holds no private key in PEM form{}",
            instead(&bytes)
        )),
        error => problem(format!("damaged: {error}")),
    })
}

/// For keys that are encrypted in one of the older ways.
const ANOTHER_WAY: &str = "the key is encrypted in a way that is not supported; write it as \
     openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEWKEY does";

/// What the file holds where something else was expected.
fn instead(bytes: &[u8]) -> &'static str {
    if holds(bytes, b"PRIVATE KEY-----") {
        ", but a private key"
    } else if holds(bytes, b"BEGIN CERTIFICATE-----") {
        ", but a certificate"
    } else if holds(bytes, b"BEGIN X509 CRL-----") {
        ", but a revocation list"
    } else {
        ""
    }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Our own certificate with its chain: it must be one, and be meant for this.
pub(crate) fn own_chain(
    path: &Path,
    usage: Usage,
    now: i64,
    warnings: &mut Vec<Problem>,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    const PARAMETER: &str = "ssl_cert";
    let chain = certificates(PARAMETER, path)?;
    let problem = |reason: String| Problem::file(PARAMETER, path, reason);
    let first = chain.first().and_then(|der| Certificate::read(der));
    let first = first.ok_or_else(|| problem("its first certificate makes no sense".to_owned()))?;
    if !first.allows(usage) {
        let (word, who) = match usage {
            Usage::Server => ("serverAuth", "a listener"),
            Usage::Client | Usage::Any | Usage::Other => ("clientAuth", "a connection to a server"),
        };
        return Err(problem(format!(
            "its extended key usage does not allow what {who} needs, {word}; have it issued with that purpose too"
        )));
    }
    if now > first.not_after {
        let days = (now - first.not_after) / 86_400;
        warnings.push(problem(format!(
            "it expired {days} days ago; peers that verify it will refuse it"
        )));
    } else if now < first.not_before {
        warnings.push(problem(
            "it is not valid yet; peers that verify it will refuse it".to_owned(),
        ));
    }
    Ok(chain)
}
