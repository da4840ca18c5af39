//! The two forms of an encrypted password.
//!
//! | form | layout | cipher |
//! |---|---|---|
//! | MaxScale's, what `passwd` prints | hexadecimal: 16 bytes of IV, then the ciphertext | AES-256-CBC, padded (PKCS #7) |
//! | `enc:v2:KEY:` | hexadecimal: 12 bytes of nonce, the ciphertext, 16 bytes of tag | AES-256-GCM, with `enc:v2:KEY:` as additional data |
//!
//! `KEY` is the first eight digits of the key's SHA-256: it says which key is missing. The second
//! form cannot be changed unnoticed, and says by its first letters what it is.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::iv::{FixedLength, IV_LEN_128_BIT};
use zeroize::Zeroizing;

use super::hex;
use super::keyfile::Key;

/// What the second form begins with.
const MODERN: &str = "enc:v2:";

/// Why a text is not a password encrypted with one of our keys. Quotes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CipherError {
    #[error("it is not an even number of hexadecimal digits")]
    NotHex,
    #[error("it is too short")]
    Short,
    #[error("its padding is wrong")]
    Padding,
    #[error("it was changed, or encrypted with another key")]
    Tag,
    #[error("it was encrypted with key {0}, which is not in the key file")]
    Unknown(String),
    #[error("it does not hold a text")]
    NotText,
    #[error("the system has no randomness to give")]
    Random,
}

/// How a password is to be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    /// As MaxScale does.
    #[default]
    Classic,
    /// `enc:v2:`.
    Modern,
}

/// The encrypted form of a password.
pub(super) fn encrypt(key: &Key, clear: &str, form: Form) -> Result<String, CipherError> {
    match form {
        Form::Classic => encrypt_classic(key, clear),
        Form::Modern => encrypt_modern(key, clear),
    }
}

fn encrypt_classic(key: &Key, clear: &str) -> Result<String, CipherError> {
    let mut text = Zeroizing::new(clear.as_bytes().to_vec());
    let cipher = UnboundCipherKey::new(&AES_256, key.bytes())
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(|_| CipherError::Random)?;
    let context = cipher
        .encrypt(&mut *text)
        .map_err(|_| CipherError::Random)?;
    let DecryptionContext::Iv128(iv) = context else {
        return Err(CipherError::Random);
    };
    let whole = [iv.as_ref().as_slice(), &text].concat();
    Ok(hex::upper(&whole).to_string())
}

fn encrypt_modern(key: &Key, clear: &str) -> Result<String, CipherError> {
    let head = format!("{MODERN}{}:", id(key));
    let mut text = Zeroizing::new(clear.as_bytes().to_vec());
    let cipher =
        RandomizedNonceKey::new(&AES_256_GCM, key.bytes()).map_err(|_| CipherError::Random)?;
    let nonce = cipher
        .seal_in_place_append_tag(Aad::from(head.as_bytes()), &mut *text)
        .map_err(|_| CipherError::Random)?;
    let whole = [nonce.as_ref().as_slice(), &text].concat();
    Ok(format!("{head}{}", *hex::upper(&whole)))
}

/// The password, with the first of the keys that fits.
pub(super) fn decrypt(keys: &[Key], text: &str) -> Result<Zeroizing<String>, CipherError> {
    let Some(modern) = text.strip_prefix(MODERN) else {
        let mut error = CipherError::Padding;
        for key in keys {
            match decrypt_classic(key, text) {
                Ok(clear) => return Ok(clear),
                Err(reason) => error = reason,
            }
        }
        return Err(error);
    };
    let (wanted, digits) = modern.split_once(':').ok_or(CipherError::Short)?;
    let key = keys
        .iter()
        .find(|key| id(key) == wanted)
        .ok_or_else(|| CipherError::Unknown(wanted.to_owned()))?;
    decrypt_modern(key, &text[..text.len() - digits.len()], digits)
}

fn decrypt_classic(key: &Key, text: &str) -> Result<Zeroizing<String>, CipherError> {
    let mut bytes = hex::parse(text).ok_or(CipherError::NotHex)?;
    let Some((iv, cipher)) = bytes.split_first_chunk_mut::<IV_LEN_128_BIT>() else {
        return Err(CipherError::Short);
    };
    if cipher.is_empty() {
        return Err(CipherError::Short);
    }
    let context = DecryptionContext::Iv128(FixedLength::from(&*iv));
    let clear = UnboundCipherKey::new(&AES_256, key.bytes())
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|key| key.decrypt(cipher, context))
        .map_err(|_| CipherError::Padding)?;
    as_text(clear)
}

fn decrypt_modern(key: &Key, head: &str, digits: &str) -> Result<Zeroizing<String>, CipherError> {
    let mut bytes = hex::parse(digits).ok_or(CipherError::NotHex)?;
    let Some((nonce, cipher)) = bytes.split_first_chunk_mut::<NONCE_LEN>() else {
        return Err(CipherError::Short);
    };
    let nonce = Nonce::from(&*nonce);
    let clear = RandomizedNonceKey::new(&AES_256_GCM, key.bytes())
        .and_then(|key| key.open_in_place(nonce, Aad::from(head.as_bytes()), cipher))
        .map_err(|_| CipherError::Tag)?;
    as_text(clear)
}

fn as_text(clear: &[u8]) -> Result<Zeroizing<String>, CipherError> {
    let text = std::str::from_utf8(clear).map_err(|_| CipherError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// What a key is called.
fn id(key: &Key) -> String {
    let hash = digest(&SHA256, key.bytes());
    let text = hex::upper(hash.as_ref());
    text[..8].to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u8) -> Key {
        let mut bytes = [0; Key::LEN];
        for (byte, value) in bytes.iter_mut().zip(first..) {
            *byte = value;
        }
        Key::new(bytes)
    }

    #[test]
    fn both_forms_come_back_and_never_look_alike() {
        let keys = [key(0), key(100)];
        for form in [Form::Classic, Form::Modern] {
            for clear in ["", "x", "exactly 16 bytes", "Grüße, 'quotes' # and\nlines"] {
                let text = encrypt(&keys[0], clear, form).unwrap();
                assert_ne!(text, encrypt(&keys[0], clear, form).unwrap());
                assert_eq!(decrypt(&keys, &text).unwrap().as_str(), clear);
            }
        }
    }

    /// Made with `openssl enc -aes-256-cbc -K 0001… -iv a0a1…`.
    #[test]
    fn what_another_program_encrypted_is_read() {
        let text = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf80ae9e77d1451f1d82899ac9abab0837";
        assert_eq!(decrypt(&[key(0)], text).unwrap().as_str(), "the password");
        let upper = text.to_ascii_uppercase();
        assert_eq!(
            decrypt(&[key(9), key(0)], &upper).unwrap().as_str(),
            "the password"
        );
    }

    #[test]
    fn what_cannot_be_decrypted_says_why_and_nothing_else() {
        let keys = [key(0)];
        let check = |text: &str, expect: CipherError| {
            assert_eq!(decrypt(&keys, text).unwrap_err(), expect, "{text}");
        };
        check("12", CipherError::Short);
        check("xy", CipherError::NotHex);
        check("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", CipherError::Short);
        check("enc:v2:", CipherError::Short);
        check(
            "enc:v2:01234567:00",
            CipherError::Unknown("01234567".into()),
        );
        let foreign = encrypt(&key(5), "secret", Form::Modern).unwrap();
        assert!(matches!(
            decrypt(&keys, &foreign),
            Err(CipherError::Unknown(_))
        ));
        let mut changed = encrypt(&keys[0], "secret", Form::Modern).unwrap();
        changed.pop();
        changed.push('0');
        let mut other = changed.clone();
        other.pop();
        other.push('1');
        let outcomes = [decrypt(&keys, &changed), decrypt(&keys, &other)];
        assert!(outcomes.iter().any(|it| *it == Err(CipherError::Tag)));
    }
}
