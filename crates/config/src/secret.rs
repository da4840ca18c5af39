//! Passwords, tokens and keys as a type of their own.
//!
//! A [`Secret`] has no `Debug`, no `Display` and no serialization: it enters a log line, an
//! error or a document only where somebody writes [`Secret::reveal`], which a reader can
//! search for. Its memory is overwritten when it is dropped.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::print::{PLAIN, looks_encrypted};

/// A text that nobody may see by accident.
///
/// ```compile_fail
/// println!("{:?}", tidegate_config::Secret::new("x"));
/// ```
///
/// ```compile_fail
/// println!("{}", tidegate_config::Secret::new("x"));
/// ```
#[derive(Clone)]
pub struct Secret {
    clear: Zeroizing<String>,
    /// What stood in the file, when that is not the clear text itself: an encrypted password
    /// or the name of an environment variable. Printed back instead of the clear text.
    written: Option<Zeroizing<String>>,
}

impl Secret {
    /// A secret whose written form is its clear text.
    pub fn new(clear: impl Into<String>) -> Self {
        Self {
            clear: Zeroizing::new(clear.into()),
            written: None,
        }
    }

    /// The same secret, printed back as `written` instead of in clear.
    #[must_use]
    pub fn written_as(mut self, written: impl Into<String>) -> Self {
        self.written = Some(Zeroizing::new(written.into()));
        self
    }

    /// The clear text. Every call is a place to review.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.clear
    }

    /// Whether there is nothing to hide: an empty password is shown as empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clear.is_empty()
    }

    pub(crate) fn written(&self) -> Option<&str> {
        self.written.as_ref().map(|text| text.as_str())
    }
}

impl PartialEq for Secret {
    /// Compares clear texts in a time that depends on their lengths only.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.clear.as_bytes(), other.clear.as_bytes());
        let differing = a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y));
        a.len() == b.len() && std::hint::black_box(differing) == 0
    }
}

impl Eq for Secret {}

/// Finds the key that passwords may be encrypted with.
pub trait Keys {
    /// The key of this directory; `None`: there is none, and every password is taken as it is
    /// written.
    ///
    /// # Errors
    ///
    /// A text for the operator that says why the key cannot be used.
    fn open(&self, directory: &Path) -> Result<Option<Box<dyn Decrypt>>, String>;
}

/// Turns the encrypted form of a password into the clear one.
pub trait Decrypt: Send + Sync {
    /// The clear text of `cipher`: an even number of hexadecimal digits, or what begins with
    /// [`ENCRYPTED`].
    ///
    /// # Errors
    ///
    /// A text for the operator that says why this key cannot decrypt it; it must quote
    /// nothing of the secret.
    fn decrypt(&self, cipher: &str) -> Result<Secret, String>;
}

/// What passwords are decrypted with that stand in other files than the configuration's own.
#[derive(Clone, Default)]
pub struct Passwords(Option<Arc<dyn Decrypt>>);

impl Passwords {
    pub(crate) fn new(key: Option<Arc<dyn Decrypt>>) -> Self {
        Self(key)
    }

    /// The clear form of a password that may be encrypted, or stand behind `plain:`.
    ///
    /// # Errors
    /// A text that says why it cannot be decrypted; it quotes nothing of the secret.
    pub fn clear(&self, written: &str) -> Result<Secret, String> {
        clear(self.0.as_deref(), written)
    }
}

impl PartialEq for Passwords {
    /// The key is nothing that is configured.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(..)")
    }
}

/// The clear form of a password that may be encrypted with this key.
pub(crate) fn clear(key: Option<&dyn Decrypt>, written: &str) -> Result<Secret, String> {
    if let Some(clear) = written.strip_prefix(PLAIN) {
        return Ok(Secret::new(clear));
    }
    match key {
        Some(key) if looks_encrypted(written) => key.decrypt(written),
        None if written.starts_with(ENCRYPTED) => {
            Err("there is no key file in secretsdir or datadir".to_owned())
        }
        Some(_) | None => Ok(Secret::new(written)),
    }
}

/// What every encrypted password begins with that is not of the original's form.
pub const ENCRYPTED: &str = "enc:";

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn equality_is_by_clear_text() {
        assert!(Secret::new("a") == Secret::new("a").written_as("$A"));
        assert!(Secret::new("a") != Secret::new("ab"));
        assert!(Secret::new("") != Secret::new("b"));
    }
}
