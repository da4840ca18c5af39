//! The key manager in force, and its change.

use std::sync::{Arc, PoisonError, RwLock};

use tidegate_config::params::{KeyManager as Which, KeyParams};

use crate::error::KeyError;
use crate::file::FileKeys;
use crate::key::{KeyManager, ManagedKey, Version};
use crate::kmip::Kmip;
use crate::vault::Vault;

/// The key manager in force, if there is one.
#[derive(Debug)]
pub struct Keys(RwLock<State>);

#[derive(Debug, Clone)]
struct State {
    params: KeyParams,
    manager: Option<Arc<dyn KeyManager>>,
}

impl State {
    fn open(params: KeyParams) -> Result<State, KeyError> {
        let manager: Option<Arc<dyn KeyManager>> = match params.key_manager {
            Which::None => None,
            Which::File => {
                let path = params.file_keyfile.as_deref().ok_or(KeyError::Setting {
                    parameter: "file.keyfile",
                    reason: "it must be given with key_manager=file".to_owned(),
                })?;
                Some(Arc::new(FileKeys::read(path)?))
            }
            Which::Kmip => Some(Arc::new(Kmip::open(&params)?)),
            Which::Vault => Some(Arc::new(Vault::open(&params)?)),
        };
        Ok(State { params, manager })
    }
}

impl Keys {
    /// The manager that these parameters say. Reads the files they name, and so blocks for a moment;
    /// nobody is connected to.
    ///
    /// # Errors
    /// Something is missing, or a file is wrong.
    pub fn open(params: KeyParams) -> Result<Keys, KeyError> {
        Ok(Keys(RwLock::new(State::open(params)?)))
    }

    /// The parameters in force.
    #[must_use]
    pub fn params(&self) -> KeyParams {
        self.state().params
    }

    fn state(&self) -> State {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Works with these parameters from now on; files are read again, whatever has changed. Blocks
    /// for a moment.
    ///
    /// # Errors
    /// As [`Keys::open`], or there was a manager and is to be none; nothing has changed then.
    pub fn alter(&self, params: KeyParams) -> Result<(), KeyError> {
        let before = self.state();
        if before.manager.is_some() && params.key_manager == Which::None {
            return Err(KeyError::SwitchedOff);
        }
        let state = State::open(params)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
        Ok(())
    }

    /// The key of this id.
    ///
    /// # Errors
    /// There is no manager, no such key, or it cannot be had.
    ///
    /// # Cancel safety
    /// A dropped future was only not answered.
    pub async fn key(&self, id: &str, version: Version) -> Result<ManagedKey, KeyError> {
        match self.state().manager {
            Some(manager) => manager.key(id, version).await,
            None => Err(KeyError::Off(id.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(path: &Path) -> KeyParams {
        KeyParams {
            key_manager: Which::File,
            file_keyfile: Some(path.to_owned()),
            ..KeyParams::default()
        }
    }

    #[tokio::test]
    async fn a_manager_can_be_switched_on_and_not_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, format!("1;{}\n", "0a".repeat(32))).unwrap();
        let keys = Keys::open(KeyParams::default()).unwrap();
        let error = keys.key("1", Version::Latest).await.unwrap_err();
        assert!(matches!(error, KeyError::Off(_)), "{error}");

        keys.alter(file(&path)).unwrap();
        let key = keys.key("1", Version::Latest).await.unwrap();
        assert_eq!(key.bytes(), [10; 32]);
        let error = keys.alter(KeyParams::default()).unwrap_err();
        assert!(matches!(error, KeyError::SwitchedOff), "{error}");

        std::fs::write(&path, "nonsense").unwrap();
        let error = keys.alter(file(&path)).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        assert!(keys.key("1", Version::Latest).await.is_ok(), "as before");
        std::fs::write(&path, format!("2;{}\n", "0b".repeat(16))).unwrap();
        keys.alter(keys.params()).unwrap();
        assert!(keys.key("1", Version::Latest).await.is_err());
        assert_eq!(
            keys.key("2", Version::Latest).await.unwrap().bytes(),
            [11; 16]
        );
    }

    #[test]
    fn what_a_manager_needs_is_asked_for() {
        let check = |params, parameter: &str| {
            let error = Keys::open(params).unwrap_err().to_string();
            assert!(error.starts_with(parameter), "{error}");
        };
        let of = |key_manager| KeyParams {
            key_manager,
            ..KeyParams::default()
        };
        check(of(Which::File), "file.keyfile: it must be given");
        check(of(Which::Kmip), "kmip.host: it must be given");
        check(of(Which::Vault), "vault.token: it must be given");
        let mut params = of(Which::Vault);
        params.vault_token = Some(tidegate_config::Secret::new("a token"));
        params.vault_ca = Some("/nonexistent".into());
        check(params, "vault.ca: '/nonexistent'");
    }
}
