//! Authentication plugins' arithmetic.
//!
//! Left out: plugins other than `mysql_native_password`, whose dialogue needs more than arithmetic or
//! which Tidegate does not serve yet.

mod certificate;
pub mod native;

pub use certificate::certificate_proof;

/// The plugin that proves knowledge of SHA1(password).
pub const NATIVE: &[u8] = b"mysql_native_password";
/// The plugin that sends the password as it is.
pub const CLEAR: &[u8] = b"mysql_clear_password";
/// What a server without plugin names would ask for by a bare switch request: hashes before 4.1.
pub const OLD: &[u8] = b"mysql_old_password";
