//! How a client learns that a certificate nobody signed is the right one (MariaDB 11.4): the OK
//! that ends its login carries what only somebody can compute who keeps its password's hash, and
//! only for the certificate that it was shown.
//!
//! | bytes | field                                                                          |
//! |------:|--------------------------------------------------------------------------------|
//! |     1 | 0x01: SHA-256                                                                  |
//! |    64 | hexadecimal digits of SHA-256(stored hash, scramble, certificate's SHA-256)    |
//!
//! The stored hash is what the account's plugin keeps: for `mysql_native_password` the 20 bytes of
//! SHA1(SHA1(password)). An account without password has no such proof.
//!
//! Source: MariaDB manual, "Zero-Configuration SSL", and what Connector/Node.js expects.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

use super::native::SCRAMBLE_LEN;

/// The kind of hash.
const SHA256: char = '\u{1}';

/// The text of the OK for a client that was shown the certificate with this fingerprint.
pub fn certificate_proof(
    stored: &[u8],
    scramble: &[u8; SCRAMBLE_LEN],
    fingerprint: &[u8; 32],
) -> String {
    let digest = Sha256::new()
        .chain_update(stored)
        .chain_update(scramble)
        .chain_update(fingerprint)
        .finalize();
    let mut proof = String::from(SHA256);
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = write!(proof, "{byte:02x}");
    }
    proof
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::native::NativeHash;

    /// Computed with Python's hashlib.
    #[test]
    fn a_proof_is_what_clients_compute() {
        let stored = NativeHash::of_password(b"mariadb");
        let proof = certificate_proof(stored.bytes().unwrap(), &[7; 20], &[9; 32]);
        assert_eq!(
            proof,
            "\u{1}6d6884ae780d6edfbafa9b527d63fd79f7111bc49931de40cf6c609b8672ccf8"
        );
    }
}
