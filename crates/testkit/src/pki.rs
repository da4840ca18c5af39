//! Certificates for tests: an authority, what it signs, and what it revokes.
//!
//! Left out: anything but ECDSA keys and one level of authorities.

use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::scratch::Scratch;

/// Somebody who signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    issued: std::cell::Cell<u64>,
}

/// What a certificate is to be like.
#[derive(Debug, Clone)]
pub struct Wish {
    name: String,
    hosts: Vec<String>,
    expired: bool,
    usages: Vec<ExtendedKeyUsagePurpose>,
}

/// A certificate with its key, in PEM form.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub cert: String,
    /// Its private key.
    pub key: String,
    serial: u64,
}

/// Where an [`Identity`] lies.
#[derive(Debug, Clone)]
pub struct IdentityFiles {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Wish {
    /// A certificate with this common name, for 127.0.0.1 and localhost, valid for years.
    #[must_use]
    pub fn new(name: &str) -> Wish {
        Wish {
            name: name.to_owned(),
            hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
            expired: false,
            usages: Vec::new(),
        }
    }

    /// For these names and addresses instead.
    #[must_use]
    pub fn hosts(mut self, hosts: &[&str]) -> Wish {
        self.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        self
    }

    /// It was valid once.
    #[must_use]
    pub fn expired(mut self) -> Wish {
        self.expired = true;
        self
    }

    /// For servers only (`serverAuth`).
    #[must_use]
    pub fn for_servers(mut self) -> Wish {
        self.usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self
    }
}

impl Authority {
    /// With this common name.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(name: &str) -> Result<Authority> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = pem("CERTIFICATE", params.self_signed(&key)?.der());
        Ok(Authority {
            issuer: Issuer::new(params, key),
            pem,
            issued: std::cell::Cell::new(1),
        })
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs what is wished for.
    ///
    /// # Errors
    /// A name that no certificate can have.
    pub fn issue(&self, wish: &Wish) -> Result<Identity> {
        let mut params = CertificateParams::new(wish.hosts.clone())?;
        params.distinguished_name = common_name(&wish.name);
        params.extended_key_usages.clone_from(&wish.usages);
        params.use_authority_key_identifier_extension = true;
        let serial = self.issued.get() + 1;
        self.issued.set(serial);
        params.serial_number = Some(SerialNumber::from(serial));
        if wish.expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate()?;
        Ok(Identity {
            cert: pem("CERTIFICATE", params.signed_by(&key, &self.issuer)?.der()),
            key: pem("PRIVATE KEY", &key.serialize_der()),
            serial,
        })
    }

    /// The list of what does not count any more.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn revoke(&self, revoked: &[&Identity]) -> Result<String> {
        let revoked = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2500, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(pem("X509 CRL", params.signed_by(&self.issuer)?.der()))
    }
}

impl Identity {
    /// Writes it as `NAME.crt` and `NAME.key`, for the processes of `scratch` to read.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write(&self, scratch: &Scratch, name: &str) -> Result<IdentityFiles> {
        Ok(IdentityFiles {
            cert: scratch.write(&format!("{name}.crt"), &self.cert)?,
            key: scratch.write(&format!("{name}.key"), &self.key)?,
        })
    }

    /// The same into any folder.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write_to(&self, folder: &Path, name: &str) -> Result<IdentityFiles> {
        let files = IdentityFiles {
            cert: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.cert, &self.cert)?;
        std::fs::write(&files.key, &self.key)?;
        Ok(files)
    }
}

/// PEM: base64 in lines, between two that say what it is.
fn pem(what: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {what}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {what}-----\n"));
    pem
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
