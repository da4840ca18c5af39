//! The certificate of listeners that are given none. Nobody has signed it; clients from MariaDB
//! 11.4 on verify it by their password, others can only encrypt.

use std::sync::OnceLock;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::listener::OwnIdentity;
use crate::problem::Problem;

/// One key and certificate, made when first wanted and kept from then on.
#[derive(Debug, Default)]
pub struct SelfMade(OnceLock<Made>);

#[derive(Debug)]
struct Made {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl SelfMade {
    pub(crate) fn identity(&self) -> Result<OwnIdentity, Problem> {
        let made = match self.0.get() {
            Some(made) => made,
            None => {
                let made = make().map_err(|error| {
                    let text = format!("a certificate cannot be made: {error}");
                    Problem::new("ssl_cert", text)
                })?;
                self.0.get_or_init(|| made)
            }
        };
        Ok(OwnIdentity {
            chain: vec![made.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(made.key.clone()).into(),
        })
    }
}

fn make() -> Result<Made, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Tidegate");
    let key = KeyPair::generate()?;
    Ok(Made {
        certificate: params.self_signed(&key)?.der().clone(),
        key: key.serialize_der(),
    })
}
