//! Authentication plugins: what accounts store, what a client can prove, and the arithmetic that is
//! cheap.
//!
//! Left out: signatures, RSA, slow hashes, and whatever asks somebody else. A login that needs such
//! [`Work`] says so and goes on with the outcome, so that nothing here knows a key or takes long.

mod certificate;
mod method;
pub mod native;
mod nonces;
mod secret;
pub mod sha2;
mod work;

pub use certificate::certificate_proof;
pub use method::{Asking, Method, ParsecKey};
pub use nonces::Nonces;
pub use secret::Secret;
pub use work::{Done, PasswordCheck, Sealed, Work};

/// The plugin that proves knowledge of SHA1(password).
pub const NATIVE: &[u8] = b"mysql_native_password";
/// The plugin that sends the password as it is.
pub const CLEAR: &[u8] = b"mysql_clear_password";
/// What a server without plugin names would ask for by a bare switch request: hashes before 4.1.
pub const OLD: &[u8] = b"mysql_old_password";
/// The plugin that proves knowledge of SHA256(password), or hands the password over.
pub const SHA2: &[u8] = b"caching_sha2_password";
/// The plugin that signs with a key made of the password.
pub const ED25519: &[u8] = b"client_ed25519";
/// The plugin that signs with a key made of password and salt, slowly.
pub const PARSEC: &[u8] = b"parsec";
/// The plugin that answers questions.
pub const DIALOG: &[u8] = b"dialog";

/// Random bytes that a client signs.
pub const NONCE_LEN: usize = 32;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_LEN: usize = 64;

/// Are they the same bytes? Takes the same time wherever bytes of equal length differ.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    let bytes = left.iter().zip(right);
    let difference = bytes.fold(0, |all, (left, right)| all | (left ^ right));
    std::hint::black_box(difference) == 0 && left.len() == right.len()
}
