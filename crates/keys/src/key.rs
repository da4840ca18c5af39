//! A key, and who has it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroizing;

use crate::error::KeyError;

/// A boxed future, so that [`KeyManager`] can be a trait object.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which version of a key is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The newest.
    Latest,
    /// This one. Managers that know no versions have only the first.
    Number(u64),
}

/// A symmetric key of 128, 192 or 256 bits. Never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagedKey {
    version: u64,
    bytes: Zeroizing<Vec<u8>>,
}

impl ManagedKey {
    /// A key may have as many bits as AES knows. `Err` holds the number of bits that came.
    pub(crate) fn new(version: u64, bytes: Zeroizing<Vec<u8>>) -> Result<ManagedKey, usize> {
        if matches!(bytes.len(), 16 | 24 | 32) {
            Ok(ManagedKey { version, bytes })
        } else {
            Err(bytes.len().saturating_mul(8))
        }
    }

    /// Its version; 1 where the manager knows none.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The key itself: 16, 24 or 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for ManagedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagedKey(version {}, ..)", self.version)
    }
}

/// Who has keys.
pub trait KeyManager: fmt::Debug + Send + Sync {
    /// The key of this id. Asked on the control plane; a manager that is far away may take as long
    /// as its timeout allows.
    ///
    /// # Errors
    /// There is no such key, or it cannot be had; each text names the place and the remedy.
    ///
    /// # Cancel safety
    /// Nothing is changed anywhere; a dropped future was only not answered.
    fn key<'a>(
        &'a self,
        id: &'a str,
        version: Version,
    ) -> Pending<'a, Result<ManagedKey, KeyError>>;
}

/// What managers without versions answer where one is asked for.
pub(crate) fn only_first(version: Version, id: &str) -> Result<(), KeyError> {
    match version {
        Version::Latest | Version::Number(1) => Ok(()),
        Version::Number(version) => Err(KeyError::NoVersions {
            id: id.to_owned(),
            version,
        }),
    }
}
