//! What a client does for MariaDB's plugin `parsec`: a key made of the password, slowly, and a
//! signature over both sides' random bytes.
//!
//! Source: MariaDB manual, "Authentication Plugin - PARSEC".

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use aws_lc_rs::signature::Ed25519KeyPair;
use tidegate_wire::auth::NONCE_LEN;
use zeroize::Zeroizing;

/// The least number of rounds.
const ROUNDS: u32 = 1024;

/// A server that asks for more doublings of the rounds is not answered: it would take seconds.
const MAX_FACTOR: u8 = 9;

/// Our random bytes and the signature over the server's and ours.
pub(crate) fn sign(
    password: &[u8],
    factor: u8,
    salt: &[u8],
    nonce: &[u8; NONCE_LEN],
) -> Result<Vec<u8>, String> {
    let pair = pair(password, factor, salt)?;
    let mut own = [0; NONCE_LEN];
    aws_lc_rs::rand::fill(&mut own).map_err(|_| "the system has no random numbers".to_owned())?;
    let signature = pair.sign(&[&nonce[..], &own].concat());
    Ok([&own, signature.as_ref()].concat())
}

fn pair(password: &[u8], factor: u8, salt: &[u8]) -> Result<Ed25519KeyPair, String> {
    if factor > MAX_FACTOR {
        return Err(format!(
            "parsec asks for 1024 << {factor} rounds, more than 1024 << {MAX_FACTOR}"
        ));
    }
    let rounds = NonZeroU32::new(ROUNDS << factor).ok_or("no rounds")?;
    let mut seed = Zeroizing::new([0; 32]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA512,
        rounds,
        salt,
        password,
        &mut *seed,
    );
    Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| "no key can be made".to_owned())
}

/// What an account with this password and salt stores.
#[cfg(test)]
pub(crate) fn public_key(password: &[u8], factor: u8, salt: &[u8]) -> [u8; 32] {
    use aws_lc_rs::signature::KeyPair as _;
    let pair = pair(password, factor, salt).unwrap();
    pair.public_key().as_ref().try_into().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ed25519::verify;

    #[test]
    fn the_signature_covers_both_nonces() {
        let (nonce, salt) = ([3; NONCE_LEN], b"eighteen bytes of.");
        let key = public_key(b"secret", 1, salt);
        let answer = sign(b"secret", 1, salt, &nonce).unwrap();
        let (own, signature) = answer.split_at(NONCE_LEN);
        let message = [&nonce, own].concat();
        assert!(verify(&key, &message, signature.try_into().unwrap()));
        assert!(!verify(&key, own, signature.try_into().unwrap()));
        assert_ne!(public_key(b"secret", 0, salt), key);
        assert!(sign(b"secret", 10, salt, &nonce).is_err());
    }

    /// PBKDF2-HMAC-SHA512 by Python's hashlib, the key of that seed by openssl.
    #[test]
    fn the_key_is_what_others_derive() {
        let hex: String = public_key(b"secret", 0, b"0123456789abcdefgh")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "c302e3ab8907a85aa96cd4fbb46f9cb88ed013a80c9033803db5659b787b289c"
        );
    }
}
