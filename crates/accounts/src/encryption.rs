//! What an account demands of a connection's encryption, and whether a connection has it.

/// How a client's connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// The cipher suite, as OpenSSL names it.
    pub cipher: String,
    /// The certificate that the client presented; it has been verified.
    pub certificate: Option<ClientCertificate>,
}

/// A client's certificate, its names in OpenSSL's one-line form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
}

/// What an account demands of the connection's encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TlsDemand {
    /// Nothing.
    #[default]
    None,
    /// Any encryption.
    Any,
    /// A client certificate, with these properties where they are not empty. As on a server,
    /// `REQUIRE CIPHER` alone is content without one.
    Certificate {
        /// `REQUIRE ISSUER`.
        issuer: String,
        /// `REQUIRE SUBJECT`.
        subject: String,
        /// `REQUIRE CIPHER`.
        cipher: String,
    },
}

impl TlsDemand {
    /// What a connection lacks, for the log; `None`: nothing.
    #[must_use]
    pub fn lack(&self, tls: Option<&ClientTls>) -> Option<String> {
        let (issuer, subject, cipher) = match (self, tls) {
            (Self::None, _) | (Self::Any, Some(_)) => return None,
            (_, None) => {
                return Some("the account requires TLS (REQUIRE SSL or more)".to_owned());
            }
            (
                Self::Certificate {
                    issuer,
                    subject,
                    cipher,
                },
                Some(_),
            ) => (issuer, subject, cipher),
        };
        let tls = tls?;
        if !cipher.is_empty() && *cipher != tls.cipher {
            let used = &tls.cipher;
            return Some(format!(
                "the account requires CIPHER '{cipher}', this is '{used}'"
            ));
        }
        if !cipher.is_empty() && issuer.is_empty() && subject.is_empty() {
            return None;
        }
        let Some(certificate) = &tls.certificate else {
            return Some(
                "the account requires a client certificate (REQUIRE X509 or more) and none was \
                 presented; clients are asked for one where the listener has ssl_ca"
                    .to_owned(),
            );
        };
        let differs = |what: &str, wanted: &str, found: &str| {
            (!wanted.is_empty() && wanted != found).then(|| {
                format!("the account requires {what} '{wanted}', the certificate's is '{found}'")
            })
        };
        differs("ISSUER", issuer, &certificate.issuer)
            .or_else(|| differs("SUBJECT", subject, &certificate.subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(issuer: &str, subject: &str, cipher: &str) -> TlsDemand {
        TlsDemand::Certificate {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            cipher: cipher.to_owned(),
        }
    }

    #[test]
    fn demands_are_met_or_the_lack_is_named() {
        let bare = ClientTls {
            cipher: "TLS_X".to_owned(),
            certificate: None,
        };
        let with = ClientTls {
            certificate: Some(ClientCertificate {
                subject: "/CN=app".to_owned(),
                issuer: "/CN=ca".to_owned(),
            }),
            ..bare.clone()
        };
        let check = |demand: TlsDemand, tls: Option<&ClientTls>, lack: Option<&str>| {
            let said = demand.lack(tls);
            let fits = match (&said, lack) {
                (Some(said), Some(lack)) => said.contains(lack),
                (said, lack) => said.is_none() && lack.is_none(),
            };
            assert!(fits, "{demand:?} {tls:?}: {said:?}");
        };
        check(TlsDemand::None, None, None);
        check(TlsDemand::Any, None, Some("requires TLS"));
        check(TlsDemand::Any, Some(&bare), None);
        check(demand("", "", ""), None, Some("requires TLS"));
        check(demand("", "", ""), Some(&bare), Some("REQUIRE X509"));
        check(demand("", "", ""), Some(&with), None);
        check(demand("", "", "TLS_X"), Some(&bare), None);
        check(
            demand("", "", "TLS_Y"),
            Some(&with),
            Some("this is 'TLS_X'"),
        );
        check(demand("/CN=ca", "", ""), Some(&with), None);
        check(
            demand("/CN=ca", "", "TLS_X"),
            Some(&bare),
            Some("REQUIRE X509"),
        );
        check(
            demand("/CN=other", "", ""),
            Some(&with),
            Some("ISSUER '/CN=other'"),
        );
        check(
            demand("/CN=ca", "/CN=other", ""),
            Some(&with),
            Some("the certificate's is '/CN=app'"),
        );
        check(demand("/CN=ca", "/CN=app", "TLS_X"), Some(&with), None);
    }
}
