//! Passwords on their way over connections that anybody can read: sealed with an RSA key.
//!
//! Source: MySQL internals manual, "Caching_sha2_password information"; RFC 8017, 7.1 (OAEP with
//! SHA-1, as MySQL has it); RFC 7468 for the files.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_wire::SecretBytes;
use tidegate_wire::auth::sha2::mask;
use zeroize::Zeroize as _;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// Characters of a line of a PEM file.
const LINE_LEN: usize = 64;

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none in the text, or in another form.
    #[error(
        "there is no '-----BEGIN PRIVATE KEY-----' (PKCS #8) in it; `openssl pkcs8 -topk8 -nocrypt` converts keys"
    )]
    NoKey,
    /// It is no RSA key, or one of less than 2048 or more than 8192 bits.
    #[error("it is no RSA key of 2048 to 8192 bits")]
    Unusable,
    /// No key could be made.
    #[error("no RSA key can be made")]
    NotMade,
}

/// A key that clients seal passwords with.
pub struct RsaKey {
    key: OaepPrivateDecryptingKey,
    public: Arc<[u8]>,
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(..)")
    }
}

impl RsaKey {
    /// A new one of 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::NotMade`].
    pub fn generate() -> Result<Self, KeyError> {
        let key =
            PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| KeyError::NotMade)?;
        Self::new(key)
    }

    /// From the text of a PEM file.
    ///
    /// # Errors
    /// [`KeyError::NoKey`], [`KeyError::Unusable`].
    pub fn parse(pem: &str) -> Result<Self, KeyError> {
        let mut der = section(pem, PRIVATE).ok_or(KeyError::NoKey)?;
        let key = PrivateDecryptingKey::from_pkcs8(&der);
        der.zeroize();
        Self::new(key.map_err(|_| KeyError::Unusable)?)
    }

    fn new(key: PrivateDecryptingKey) -> Result<Self, KeyError> {
        let der: PublicKeyX509Der<'_> =
            key.public_key().as_der().map_err(|_| KeyError::Unusable)?;
        let public = pem(PUBLIC, der.as_ref()).into_bytes().into();
        Ok(Self {
            key: OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Unusable)?,
            public,
        })
    }

    /// The public key as clients are sent it (PEM).
    #[must_use]
    pub fn public(&self) -> Arc<[u8]> {
        Arc::clone(&self.public)
    }

    /// Is this the text of a file with the public key?
    #[must_use]
    pub fn is_public_key(&self, pem: &str) -> bool {
        let own = std::str::from_utf8(&self.public).unwrap_or_default();
        section(pem, PUBLIC).is_some_and(|der| section(own, PUBLIC) == Some(der))
    }

    /// Opens what a client sealed, unmasks it, and takes off its NUL.
    pub(crate) fn open(&self, sealed: &[u8], scramble: &[u8; 20]) -> Option<SecretBytes> {
        let mut room = vec![0; self.key.min_output_size()];
        let opened = self
            .key
            .decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut room, None);
        let text = opened.map(|masked| mask(masked, scramble));
        room.zeroize();
        let password = text.ok()?;
        password.strip_suffix(&[0]).map(SecretBytes::new)
    }
}

/// Seals a password for whoever has this public key (PEM).
pub(crate) fn seal(key: &[u8], masked: &[u8]) -> Option<Vec<u8>> {
    let der = section(std::str::from_utf8(key).ok()?, PUBLIC)?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).ok()?).ok()?;
    let mut room = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(&OAEP_SHA1_MGF1SHA1, masked, &mut room, None);
    Some(sealed.ok()?.to_vec())
}

/// The bytes of the first section of this kind.
fn section(pem: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let mut digits: String = body.split_whitespace().collect();
    let der = STANDARD.decode(&digits).ok();
    digits.zeroize();
    der
}

fn pem(kind: &str, der: &[u8]) -> String {
    let digits = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {kind}-----\n");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE_LEN));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(&format!("-----END {kind}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAMBLE: [u8; 20] = *b"01234567890123456789";

    fn masked(password: &[u8]) -> SecretBytes {
        mask(&[password, &[0]].concat(), &SCRAMBLE)
    }

    #[test]
    fn what_is_sealed_can_be_opened() {
        let key = RsaKey::generate().unwrap();
        for password in [&b""[..], b"secret", &[b'x'; 100]] {
            let sealed = seal(&key.public(), &masked(password)).unwrap();
            assert_eq!(key.open(&sealed, &SCRAMBLE).as_deref(), Some(password));
            assert_ne!(key.open(&sealed, &[7; 20]).as_deref(), Some(password));
        }
        assert_eq!(key.open(b"nonsense", &SCRAMBLE), None);
        assert_eq!(seal(b"no key", &masked(b"secret")), None);
        assert_eq!(seal(&key.public(), &[1; 400]), None);
        let public = String::from_utf8(key.public().to_vec()).unwrap();
        assert!(key.is_public_key(&public));
        assert!(!key.is_public_key("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"));
    }

    #[test]
    fn what_is_no_key() {
        assert_eq!(RsaKey::parse("").unwrap_err(), KeyError::NoKey);
        let wrong = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(RsaKey::parse(wrong).unwrap_err(), KeyError::Unusable);
    }
}
