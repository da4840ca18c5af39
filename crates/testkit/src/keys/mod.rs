//! Key managers for tests: a Vault and a KMIP server of a few lines, with or without TLS.
//!
//! They hold what a test gave them, answer what the proxy asks, and misbehave on command. Left out:
//! whatever the proxy does not ask.

mod kmip;
mod peer;
mod vault;

use anyhow::Result;

use crate::secrets;

pub use kmip::KmipPeer;
pub use peer::Mood;
pub use vault::VaultPeer;

/// A new key as hexadecimal digits, which must not be seen anywhere from now on.
///
/// # Errors
/// There is no randomness.
pub fn new_key(len_bytes: usize) -> Result<String> {
    let digits = random_digits(len_bytes)?;
    secrets::remember(&digits);
    Ok(digits)
}

fn random_digits(len_bytes: usize) -> Result<String> {
    let mut bytes = vec![0; len_bytes];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
