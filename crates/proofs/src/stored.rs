//! What accounts store for plugins, as text.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tidegate_wire::auth::ParsecKey;

/// Servers leave the padding out in one place and write it in another.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `caching_sha2_password`: kind, thousands of rounds in three hexadecimal digits, salt, digest.
pub(crate) const SHA2_PREFIX: &[u8] = b"$A$";

/// `ed25519`: a public key.
#[must_use]
pub fn ed25519(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// `parsec`: `P`, factor, salt, public key.
#[must_use]
pub fn parsec(text: &str) -> Option<ParsecKey> {
    let mut parts = text.strip_prefix('P')?.splitn(3, ':');
    let factor = parts.next()?;
    let factor = match factor.as_bytes() {
        [digit @ b'0'..=b'9'] => digit - b'0',
        _ => return None,
    };
    Some(ParsecKey {
        factor,
        salt: BASE64.decode(parts.next()?).ok()?,
        key: BASE64.decode(parts.next()?).ok()?.try_into().ok()?,
    })
}

/// Can `text` be what `caching_sha2_password` stores? Empty: no password.
#[must_use]
pub fn is_sha2(text: &[u8]) -> bool {
    text.is_empty() || crate::sha_crypt::Stored::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_ones_are_none() {
        assert_eq!(ed25519(""), None);
        assert_eq!(ed25519("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ"), None);
        assert!(ed25519("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY").is_some());
        let key = "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";
        let read = |text: String| parsec(&text).map(|key| (key.factor, key.salt.len()));
        assert_eq!(read(format!("P2:AAAA:{key}")), Some((2, 3)));
        assert_eq!(read(format!("P2:AAAA:{key}=")), Some((2, 3)));
        assert_eq!(read(format!("Q2:AAAA:{key}")), None);
        assert_eq!(read(format!("P22:AAAA:{key}")), None);
        assert_eq!(read("P2:AAAA".to_owned()), None);
        assert!(is_sha2(b"") && !is_sha2(b"*54958E764CE10E50764C2EECBB71D01F08549980"));
    }
}
