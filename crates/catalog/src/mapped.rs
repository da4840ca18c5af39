//! The files that say who clients are to servers, read at the start and again whenever they change.
//!
//! Left out: accounts that only the proxy knows (`user_accounts_file`), which are read with the
//! servers' accounts.
//!
//! The invariant: a listener has what one reading of all its files said. Files that are wrong change
//! nothing.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tidegate_config::params::ListenerParams;
use tidegate_config::{Authentication, Config, Object, Passwords};

use crate::mapping::{MappedPasswords, Mapping};

/// What the files of a listener say.
#[derive(Debug, Default)]
pub(crate) struct Mapped {
    /// `user_mapping_file`: who clients are to servers, if somebody else.
    pub(crate) mapping: Option<Mapping>,
    /// With `pam_backend_mapping` clients are to servers whom PAM knows them as, with these
    /// passwords.
    pub(crate) passwords: Option<MappedPasswords>,
}

impl Mapped {
    /// Reads the files.
    ///
    /// # Errors
    /// A text that says what is wrong with one of them.
    pub(crate) fn read(
        params: &ListenerParams,
        authentication: &Authentication,
        secrets: &Passwords,
    ) -> Result<Mapped, String> {
        let mapping = params.user_mapping_file.as_deref();
        Ok(Mapped {
            mapping: mapping
                .map(|path| Mapping::read(path, secrets))
                .transpose()?,
            passwords: passwords_of_pam(authentication, secrets)?,
        })
    }
}

/// The newest reading.
#[derive(Debug, Default)]
pub(crate) struct MappedSlot(RwLock<Arc<Mapped>>);

impl MappedSlot {
    pub(crate) fn new(mapped: Mapped) -> MappedSlot {
        MappedSlot(RwLock::new(Arc::new(mapped)))
    }

    /// What counts now.
    pub(crate) fn now(&self) -> Arc<Mapped> {
        let mapped = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&mapped)
    }

    /// Logins that begin from now on are told this.
    pub(crate) fn set(&self, mapped: Mapped) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mapped);
    }
}

/// The passwords of those that PAM maps to, if it does.
fn passwords_of_pam(
    authentication: &Authentication,
    key: &Passwords,
) -> Result<Option<MappedPasswords>, String> {
    let pam = &authentication.pam;
    match (&pam.passwords, pam.mapped) {
        (_, false) => Ok(None),
        (None, true) => Ok(Some(MappedPasswords::default())),
        (Some(file), true) => MappedPasswords::read(file, key).map(Some),
    }
}

/// The files of a listener.
pub(crate) fn files_of(listener: &Object<ListenerParams>) -> Vec<PathBuf> {
    let pam = Authentication::of(&listener.params).unwrap_or_default().pam;
    let passwords = pam.passwords.filter(|_| pam.mapped);
    let mapping = listener.params.user_mapping_file.clone();
    mapping.into_iter().chain(passwords).collect()
}

/// The files of all listeners, each once.
pub(crate) fn files(config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = config.listeners.iter().flat_map(files_of).collect();
    files.sort();
    files.dedup();
    files
}
