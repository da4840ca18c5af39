//! How the clients of each listener prove who they are: from parameters and the files they name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tidegate_accounts::{DatabaseCase, Ed25519Way, LoginPolicy, Sealing, Ways};
use tidegate_config::params::{ListenerParams, ServiceParams};
use tidegate_config::{Authentication, Authenticator, Config, EdMode, Object, RsaFiles};
use tidegate_proofs::{Memory, RsaKey, Workshop};
use tidegate_session::question::AtServers;
use tidegate_wire::auth::{NATIVE, SHA2};
use zeroize::Zeroizing;

use crate::answers::Passages;
use crate::mapping::Mapping;
use crate::settings;

/// What is wrong with files that listeners need: one text each, with listener and option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginErrors(Vec<String>);

impl fmt::Display for LoginErrors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for LoginErrors {}

/// The logins of one listener.
#[derive(Debug)]
pub(crate) struct ListenerLogins {
    /// Who may log in, and how.
    pub(crate) policy: LoginPolicy,
    /// Where the work of its clients is done.
    pub(crate) workshop: Workshop,
    /// The plugin it greets with.
    pub(crate) plugin: &'static [u8],
    /// Who its clients are to servers, if somebody else.
    mapping: Option<Arc<Mapping>>,
    /// What the connections of its clients' sessions begin with.
    pub(crate) init: Vec<String>,
}

impl ListenerLogins {
    /// Who a user is to servers. `None`: that takes a look at files.
    pub(crate) fn at_servers_at_once(&self, user: &[u8]) -> Option<Option<AtServers>> {
        match &self.mapping {
            Some(mapping) => mapping.at_once(&String::from_utf8_lossy(user)),
            None => Some(None),
        }
    }

    /// The same, with that look.
    pub(crate) async fn at_servers(&self, user: &[u8]) -> Option<AtServers> {
        if let Some(known) = self.at_servers_at_once(user) {
            return known;
        }
        let mapping = Arc::clone(self.mapping.as_ref()?);
        let user = String::from_utf8_lossy(user).into_owned();
        let look = tokio::task::spawn_blocking(move || mapping.by_group(&user));
        // A look that panicked saw nothing.
        look.await.unwrap_or_default()
    }
}

/// The logins of all listeners, by name.
#[derive(Debug, Default)]
pub(crate) struct Logins(BTreeMap<String, Arc<ListenerLogins>>);

impl Logins {
    /// Reads all files.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn build(config: &Config) -> Result<Self, LoginErrors> {
        let mut made = Self::default();
        let mut errors = Vec::new();
        let seed = seed();
        let memory = Arc::new(Memory::default());
        for listener in &config.listeners {
            if listener.module.is_some_and(|module| !module.opens_socket) {
                continue;
            }
            match logins(config, listener, seed, &memory) {
                Ok(logins) => {
                    made.0.insert(listener.name.clone(), Arc::new(logins));
                }
                Err(error) => errors.push(format!("listener '{}': {error}", listener.name)),
            }
        }
        if errors.is_empty() {
            Ok(made)
        } else {
            Err(LoginErrors(errors))
        }
    }

    /// The ways from a service's clients to its servers.
    pub(crate) fn passages(&self, config: &Config, service: &Object<ServiceParams>) -> Passages {
        let listeners: Vec<_> = config
            .listeners
            .iter()
            .filter(|listener| listener.params.service == service.name)
            .collect();
        let servers = settings::servers_of(config, service);
        let mut servers = config
            .servers
            .iter()
            .filter(|server| servers.contains(&server.name));
        Passages {
            service: service.name.clone(),
            ways: listeners
                .iter()
                .filter_map(|listener| self.of(&listener.name))
                .map(|logins| logins.policy.ways.clone())
                .collect(),
            tls: listeners.iter().any(|listener| listener.params.tls.ssl),
            tells: servers.all(|server| server.params.proxy_protocol),
        }
    }

    pub(crate) fn of(&self, listener: &str) -> Option<&Arc<ListenerLogins>> {
        self.0.get(listener)
    }
}

/// Reads and checks the files that listeners' logins need, without starting anything.
///
/// # Errors
/// All that is wrong, each with listener and option.
pub fn check_logins(config: &Config) -> Result<(), LoginErrors> {
    Logins::build(config).map(drop)
}

fn logins(
    config: &Config,
    listener: &Object<ListenerParams>,
    seed: [u8; 32],
    memory: &Arc<Memory>,
) -> Result<ListenerLogins, String> {
    let params = &listener.params;
    // What is wrong with them was said when the configuration was checked.
    let authentication = Authentication::of(params).unwrap_or_default();
    let key = key(&authentication)?;
    let mapping = params.user_mapping_file.as_deref();
    let mapping = mapping.map(Mapping::read).transpose()?.map(Arc::new);
    let sealing: Sealing = key.as_ref().map(RsaKey::public);
    let service = config
        .services
        .iter()
        .find(|service| service.name == params.service);
    let policy = LoginPolicy {
        ways: ways(&authentication, &sealing, seed),
        match_host: authentication.match_host,
        enable_root_user: service.is_some_and(|service| service.params.enable_root_user),
        database_case: match authentication.lower_case_table_names {
            0 => DatabaseCase::Exact,
            1 => DatabaseCase::Lower,
            _ => DatabaseCase::Ignore,
        },
    };
    let init = params.connection_init_sql_file.as_deref();
    Ok(ListenerLogins {
        init: init.map(statements).transpose()?.unwrap_or_default(),
        plugin: greeting_plugin(&authentication),
        mapping,
        policy,
        workshop: Workshop {
            key,
            memory: Arc::clone(memory),
        },
    })
}

/// The statements of a `connection_init_sql_file`, one a line.
fn statements(path: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("connection_init_sql_file: {}: {error}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn ways(authentication: &Authentication, sealing: &Sealing, seed: [u8; 32]) -> Ways {
    let ed25519 = match authentication.ed_mode {
        EdMode::Ed25519 => Ed25519Way::Sign,
        EdMode::Sha256 => Ed25519Way::Password(sealing.clone()),
    };
    Ways {
        native: authentication.has(Authenticator::MariaDb),
        sha2: authentication
            .has(Authenticator::Sha2)
            .then(|| sealing.clone()),
        ed25519: authentication
            .has(Authenticator::Ed25519)
            .then_some(ed25519),
        parsec: authentication.has(Authenticator::Parsec),
        unchecked: authentication.skip,
        seed,
    }
}

/// The plugin of the first module. Plugins whose nonce is longer than a greeting's scramble are
/// asked for later, as servers do.
fn greeting_plugin(authentication: &Authentication) -> &'static [u8] {
    let by_password = authentication.ed_mode == EdMode::Sha256;
    match authentication.authenticators.first() {
        Some(Authenticator::Sha2) => SHA2,
        Some(Authenticator::Ed25519) if by_password => SHA2,
        Some(Authenticator::MariaDb | Authenticator::Ed25519 | Authenticator::Parsec) | None => {
            NATIVE
        }
    }
}

/// The key that passwords are sealed with: of the files, or a new one where a client may need it.
fn key(authentication: &Authentication) -> Result<Option<RsaKey>, String> {
    let by_password =
        authentication.has(Authenticator::Ed25519) && authentication.ed_mode == EdMode::Sha256;
    let of_files = [
        (&authentication.sha2_rsa, "sha2_rsa"),
        (&authentication.ed_rsa, "ed_rsa"),
    ];
    for (files, name) in of_files {
        if let Some(private) = &files.private {
            return read_key(private, files, name).map(Some);
        }
    }
    if !by_password && !authentication.has(Authenticator::Sha2) {
        return Ok(None);
    }
    RsaKey::generate()
        .map(Some)
        .map_err(|error| error.to_string())
}

fn read_key(private: &Path, files: &RsaFiles, name: &str) -> Result<RsaKey, String> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let key = RsaKey::parse(&read(private)?)
        .map_err(|error| format!("{name}_privkey_path: {}: {error}", private.display()))?;
    if let Some(public) = &files.public
        && !key.is_public_key(&read(public)?)
    {
        return Err(format!(
            "{name}_pubkey_path: {} does not hold the public key of {}",
            public.display(),
            private.display()
        ));
    }
    Ok(key)
}

/// What decoys are chosen with. Without random numbers they are the same after each start.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    // Nothing depends on it that anybody must not know.
    let _ = aws_lc_rs::rand::fill(&mut seed);
    seed
}
