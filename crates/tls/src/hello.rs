//! What a client's first message offers, for the log when nothing of it will do.

use std::fmt;

use rustls::{CipherSuite, ProtocolVersion};

use crate::cipher::openssl_name;

/// A client's offer, or a listener's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    versions: Vec<u16>,
    suites: Vec<u16>,
}

/// How many suites a line of the log names.
const SHOWN: usize = 12;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SUPPORTED_VERSIONS: u16 = 43;

impl Offer {
    pub(crate) fn new(versions: Vec<ProtocolVersion>, suites: Vec<CipherSuite>) -> Offer {
        Offer {
            versions: versions.into_iter().map(u16::from).collect(),
            suites: suites.into_iter().map(u16::from).collect(),
        }
    }

    /// Reads the ClientHello at the start of a stream; `None`: there is none, or not all of it in
    /// one record.
    ///
    /// Source: RFC 8446, 4.1.2 and 5.1.
    #[must_use]
    pub fn read(stream: &[u8]) -> Option<Offer> {
        let mut record = Reader(stream);
        if record.number(1)? != usize::from(HANDSHAKE) {
            return None;
        }
        record.number(2)?;
        let mut message = Reader(record.vector(2)?);
        if message.number(1)? != usize::from(CLIENT_HELLO) {
            return None;
        }
        let mut hello = Reader(message.vector(3)?);
        let version = hello.number(2)?;
        hello.bytes(32)?;
        hello.vector(1)?;
        let suites = numbers(hello.vector(2)?);
        hello.vector(1)?;
        let mut versions = vec![u16::try_from(version).ok()?];
        // TLS 1.2 and older clients may leave extensions out.
        let mut extensions = Reader(hello.vector(2).unwrap_or_default());
        while let Some(kind) = extensions.number(2) {
            let contents = extensions.vector(2)?;
            if kind == usize::from(SUPPORTED_VERSIONS) {
                versions = numbers(Reader(contents).vector(1)?);
            }
        }
        Some(Offer { versions, suites })
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> = self.versions.iter().filter_map(version).collect();
        let named = |suite: &u16| match openssl_name(CipherSuite::from(*suite)) {
            "unknown" => format!("{suite:#06x}"),
            name => name.to_owned(),
        };
        let suites: Vec<String> = self.suites.iter().take(SHOWN).map(named).collect();
        let (versions, suites) = (versions.join(" "), suites.join(" "));
        write!(f, "{versions} with {suites}")?;
        match self.suites.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The version's name. Clients throw in numbers that mean nothing, to see whether servers mind.
fn version(version: &u16) -> Option<String> {
    let minor = version.checked_sub(0x0301).filter(|minor| *minor <= 3);
    match version {
        0x0300 => Some("SSLv3".to_owned()),
        _ => minor.map(|minor| format!("TLSv1.{minor}")),
    }
}

/// Pairs of bytes as numbers.
fn numbers(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes))
        .collect()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A number of so many bytes.
    fn number(&mut self, len: usize) -> Option<usize> {
        let bytes = self.bytes(len)?;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | usize::from(*byte)),
        )
    }

    /// Bytes behind their own length, which has so many bytes.
    fn vector(&mut self, len: usize) -> Option<&'a [u8]> {
        let len = self.number(len)?;
        self.bytes(len)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::client::UnbufferedClientConnection;
    use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
    use rustls::{ClientConfig, RootCertStore};

    use super::*;

    fn hello() -> Vec<u8> {
        let config = ClientConfig::builder()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = "db.test".try_into().unwrap();
        let mut connection = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = vec![0; 4096];
        let UnbufferedStatus { state, .. } = connection.process_tls_records(&mut []);
        let Ok(ConnectionState::EncodeTlsData(mut data)) = state else {
            panic!("a client begins");
        };
        let len = data.encode(&mut bytes).unwrap();
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn an_offer_is_read() {
        let text = Offer::read(&hello()).unwrap().to_string();
        assert!(text.starts_with("TLSv1.3 TLSv1.2 with TLS_AES_"), "{text}");
        assert!(text.contains("ECDHE-RSA-AES128-GCM-SHA256"), "{text}");
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let hello = hello();
        for end in 0..hello.len() {
            assert_eq!(Offer::read(&hello[..end]), None);
        }
        for place in 0..hello.len() {
            let mut broken = hello.clone();
            broken[place] ^= 0xa5;
            // Whatever it says: no panic.
            let _ = Offer::read(&broken).map(|offer| offer.to_string());
        }
    }
}
