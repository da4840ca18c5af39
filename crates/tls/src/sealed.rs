//! Private keys that are encrypted with a passphrase: PKCS #8 with PBES2, which is what `openssl`
//! writes today.
//!
//! Left out: PBES1, DES, scrypt, and the older form with a `Proc-Type` line.
//!
//! Source: RFC 8018 (PKCS #5), RFC 5958 (PKCS #8).

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{
    self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::der::{Der, tag};

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];

/// More rounds than anybody uses; a file must not keep the process busy for hours.
const MAX_ROUNDS: u32 = 10_000_000;

/// Why a key stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// It is encrypted in a way that is not known here.
    Unknown,
    /// The passphrase is another one, or the key is damaged.
    Wrong,
}

/// Is there an encrypted key of this form in a PEM file?
pub(crate) fn is_sealed(pem: &str) -> bool {
    pem.contains(BEGIN)
}

/// Decrypts the key in a PEM file.
pub(crate) fn open(pem: &str, passphrase: &str) -> Result<PrivatePkcs8KeyDer<'static>, Sealed> {
    let body = pem
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(body, _)| body.split_whitespace().collect::<String>());
    let der = body.and_then(|body| STANDARD.decode(body).ok());
    let der = der.ok_or(Sealed::Unknown)?;
    let lock = Lock::read(&der).ok_or(Sealed::Unknown)?;
    let mut key = vec![0; lock.key_len];
    pbkdf2::derive(
        lock.hash,
        lock.rounds,
        lock.salt,
        passphrase.as_bytes(),
        &mut key,
    );
    let key = UnboundCipherKey::new(lock.cipher, &key).map_err(|_| Sealed::Unknown)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| Sealed::Unknown)?;
    let mut data = lock.data.to_vec();
    let context = DecryptionContext::Iv128(FixedLength::from(lock.iv));
    let opened = key.decrypt(&mut data, context).map_err(|_| Sealed::Wrong)?;
    // Padding alone fits one wrong passphrase in 256.
    Der::new(opened)
        .inside(tag::SEQUENCE)
        .ok_or(Sealed::Wrong)?;
    Ok(PrivatePkcs8KeyDer::from(opened.to_vec()))
}

/// How a key is encrypted.
struct Lock<'a> {
    hash: pbkdf2::Algorithm,
    rounds: NonZeroU32,
    salt: &'a [u8],
    cipher: &'static Algorithm,
    key_len: usize,
    iv: [u8; 16],
    data: &'a [u8],
}

impl<'a> Lock<'a> {
    fn read(der: &'a [u8]) -> Option<Lock<'a>> {
        let mut info = Der::new(der).inside(tag::SEQUENCE)?;
        let mut scheme = info.inside(tag::SEQUENCE)?;
        let data = info.take(tag::OCTET_STRING)?;
        if scheme.take(tag::OBJECT_ID)? != PBES2 {
            return None;
        }
        let mut parts = scheme.inside(tag::SEQUENCE)?;
        let mut derivation = parts.inside(tag::SEQUENCE)?;
        let mut encryption = parts.inside(tag::SEQUENCE)?;
        if derivation.take(tag::OBJECT_ID)? != PBKDF2 {
            return None;
        }
        let mut details = derivation.inside(tag::SEQUENCE)?;
        let salt = details.take(tag::OCTET_STRING)?;
        let rounds = number(details.take(tag::INTEGER)?)?;
        details.take_if(tag::INTEGER);
        let hash = match details.inside(tag::SEQUENCE) {
            Some(mut named) => hash(named.take(tag::OBJECT_ID)?)?,
            None => PBKDF2_HMAC_SHA1,
        };
        let (cipher, key_len) = match encryption.take(tag::OBJECT_ID)? {
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2] => (&AES_128, 16),
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22] => (&AES_192, 24),
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42] => (&AES_256, 32),
            _ => return None,
        };
        Some(Lock {
            hash,
            rounds: NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= MAX_ROUNDS)?,
            salt,
            cipher,
            key_len,
            iv: encryption.take(tag::OCTET_STRING)?.try_into().ok()?,
            data,
        })
    }
}

fn hash(id: &[u8]) -> Option<pbkdf2::Algorithm> {
    Some(
        match id.strip_prefix(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2])? {
            [7] => PBKDF2_HMAC_SHA1,
            [9] => PBKDF2_HMAC_SHA256,
            [10] => PBKDF2_HMAC_SHA384,
            [11] => PBKDF2_HMAC_SHA512,
            _ => return None,
        },
    )
}

/// A number that is not negative.
fn number(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    let fold = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
    (digits.len() <= 4).then(|| digits.iter().fold(0, fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl genpkey -algorithm ed25519 | openssl pkcs8 -topk8 -passout pass:sesame`, OpenSSL 3.0.
    const KEY: &str = include_str!("sealed/ed25519.pem");

    #[test]
    fn a_key_opens_with_its_passphrase_alone() {
        assert!(is_sealed(KEY));
        let der = open(KEY, "sesame").unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.key_provider.load_private_key(der.into()).unwrap();
        for wrong in ["", "Sesame", "sesame "] {
            assert_eq!(open(KEY, wrong).unwrap_err(), Sealed::Wrong, "{wrong}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let body: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        for place in 0..der.len() {
            assert!(Lock::read(&der[..place]).is_none());
            let mut broken = der.clone();
            broken[place] ^= 0x5a;
            // Whatever it says: no panic, and no end of rounds.
            let _ = Lock::read(&broken);
        }
    }
}
