//! How the clients of each listener prove who they are: from parameters and the files they name.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tidegate_accounts::{DatabaseCase, Decoys, Ed25519Way, LoginPolicy, Sealing, Ways};
use tidegate_config::params::{ListenerParams, ServiceParams};
use tidegate_config::{
    Authentication, Authenticator, Config, EdMode, Object, PamMode, Passwords, RsaFiles,
};
use tidegate_proofs::{Memory, RsaKey, Workshop};
use tidegate_session::question::{AtServers, ServiceLogin};
use tidegate_sqlclient::Credentials;
use tidegate_wire::auth::{Asking, NATIVE, SHA2, Secret};
use zeroize::Zeroizing;

use crate::answers::Passages;
use crate::mapped::{self, Mapped, MappedSlot};
use crate::pam::Asker;
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
    pub(crate) mapped: MappedSlot,
    /// With which rights PAM is asked.
    pub(crate) pam: Asker,
    /// The account with which servers that can do so let its clients' sessions in.
    service: Credentials,
    /// What the connections of its clients' sessions begin with.
    pub(crate) init: Vec<String>,
}

impl ListenerLogins {
    /// How servers that can do so let a session in that then turns into its client.
    pub(crate) fn as_service(&self, becomes: String) -> Arc<ServiceLogin> {
        Arc::new(ServiceLogin {
            user: self.service.user.clone().into_bytes(),
            secret: Secret::of_password(self.service.password.clone()),
            becomes: becomes.into(),
        })
    }

    /// Who a user is to servers. `None`: that takes a look at files.
    pub(crate) fn at_servers_at_once(&self, user: &[u8]) -> Option<Option<AtServers>> {
        match &self.mapped.now().mapping {
            Some(mapping) => mapping.at_once(&String::from_utf8_lossy(user)),
            None => Some(None),
        }
    }

    /// The same, with that look.
    pub(crate) async fn at_servers(&self, user: &[u8]) -> Option<AtServers> {
        if let Some(known) = self.at_servers_at_once(user) {
            return known;
        }
        let mapped = self.mapped.now();
        let user = String::from_utf8_lossy(user).into_owned();
        let look = move || mapped.mapping.as_ref()?.by_group(&user);
        let look = tokio::task::spawn_blocking(look);
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
        let shared = Shared::new();
        let made = of_listeners(config, |listener| {
            let logins = logins(
                config,
                listener,
                Files::read(&listener.params, &config.passwords)?,
                &shared,
            )?;
            Ok((listener.name.clone(), Arc::new(logins)))
        });
        Ok(Self(made?.into_iter().collect()))
    }

    /// Reads the files anew that say who clients are to servers. Returns for how many listeners.
    ///
    /// # Errors
    /// All that is wrong; nothing has changed then.
    pub(crate) fn renew(&self, config: &Config) -> Result<usize, LoginErrors> {
        let read = of_listeners(config, |listener| {
            let files = mapped::files_of(listener);
            if files.is_empty() {
                return Ok(None);
            }
            let params = &listener.params;
            let authentication = Authentication::of(params).unwrap_or_default();
            let mapped = Mapped::read(params, &authentication, &config.passwords)?;
            Ok(Some((listener.name.as_str(), mapped)))
        })?;
        let mut renewed = 0;
        for (listener, mapped) in read.into_iter().flatten() {
            if let Some(logins) = self.of(listener) {
                logins.mapped.set(mapped);
                renewed += 1;
            }
        }
        Ok(renewed)
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
    of_listeners(config, |listener| {
        Files::read(&listener.params, &config.passwords)
    })
    .map(drop)
}

/// What is made of each listener that has clients, or all that is wrong.
fn of_listeners<'a, T>(
    config: &'a Config,
    make: impl Fn(&'a Object<ListenerParams>) -> Result<T, String>,
) -> Result<Vec<T>, LoginErrors> {
    let mut made = Vec::new();
    let mut errors = Vec::new();
    for listener in &config.listeners {
        if listener.module.is_some_and(|module| !module.opens_socket) {
            continue;
        }
        match make(listener) {
            Ok(one) => made.push(one),
            Err(error) => errors.push(format!("listener '{}': {error}", listener.name)),
        }
    }
    if errors.is_empty() {
        Ok(made)
    } else {
        Err(LoginErrors(errors))
    }
}

/// What a listener's parameters and the files they name say.
struct Files {
    authentication: Authentication,
    key: Option<Arc<RsaKey>>,
    mapped: Mapped,
    init: Vec<String>,
}

impl Files {
    fn read(params: &ListenerParams, secrets: &Passwords) -> Result<Self, String> {
        // What is wrong with them was said when the configuration was checked.
        let authentication = Authentication::of(params).unwrap_or_default();
        let key = key_of_files(&authentication)?.map(Arc::new);
        let init = params.connection_init_sql_file.as_deref();
        Ok(Self {
            mapped: Mapped::read(params, &authentication, secrets)?,
            authentication,
            key,
            init: init.map(statements).transpose()?.unwrap_or_default(),
        })
    }
}

/// What all listeners have in common.
struct Shared {
    memory: Arc<Memory>,
    decoys: Decoys,
    /// The key of those that name no file of one: made when the first needs it.
    key: OnceCell<Arc<RsaKey>>,
}

impl Shared {
    fn new() -> Self {
        Self {
            memory: Arc::default(),
            decoys: Decoys::new(seed()),
            key: OnceCell::new(),
        }
    }

    fn key(&self) -> Result<Arc<RsaKey>, String> {
        if let Some(key) = self.key.get() {
            return Ok(Arc::clone(key));
        }
        let made = RsaKey::generate().map_err(|error| error.to_string())?;
        Ok(Arc::clone(self.key.get_or_init(|| Arc::new(made))))
    }
}

fn logins(
    config: &Config,
    listener: &Object<ListenerParams>,
    files: Files,
    shared: &Shared,
) -> Result<ListenerLogins, String> {
    let params = &listener.params;
    let authentication = files.authentication;
    let key = match files.key {
        None if wants_key(&authentication) => Some(shared.key()?),
        key => key,
    };
    let sealing: Sealing = key.as_ref().map(|key| key.public());
    let service = config
        .services
        .iter()
        .find(|service| service.name == params.service);
    let policy = LoginPolicy {
        ways: ways(&authentication, &sealing, &shared.decoys),
        match_host: authentication.match_host,
        enable_root_user: service.is_some_and(|service| service.params.enable_root_user),
        database_case: match authentication.lower_case_table_names {
            0 => DatabaseCase::Exact,
            1 => DatabaseCase::Lower,
            _ => DatabaseCase::Ignore,
        },
        servers_decide: authentication.servers_decide,
        tells_mismatch: authentication.tells_mismatch,
    };
    let service = service.map(|service| &service.params);
    let (user, password) = service.map_or(("", ""), |params| {
        (params.user.as_str(), params.password.reveal())
    });
    Ok(ListenerLogins {
        service: Credentials::new(user, password),
        init: files.init,
        plugin: greeting_plugin(&authentication),
        mapped: MappedSlot::new(files.mapped),
        pam: asker(&authentication),
        policy,
        workshop: Workshop {
            key,
            memory: Arc::clone(&shared.memory),
        },
    })
}

/// With which rights PAM is asked.
fn asker(authentication: &Authentication) -> Asker {
    let pam = &authentication.pam;
    match (&pam.socket, pam.mode) {
        (Some(path), _) => Asker::Socket(path.clone()),
        (None, PamMode::Suid) => Asker::Suid,
        (None, PamMode::Password | PamMode::TwoFactors) => Asker::Own,
    }
}

/// The statements of a `connection_init_sql_file`, one a line.
fn statements(path: &Path) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("connection_init_sql_file: {}: {error}", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn ways(authentication: &Authentication, sealing: &Sealing, decoys: &Decoys) -> Ways {
    let ed25519 = match authentication.ed_mode {
        EdMode::Ed25519 => Ed25519Way::Sign,
        EdMode::Sha256 => Ed25519Way::Password(sealing.clone()),
    };
    let pam = match (authentication.pam.clear, authentication.pam.mode) {
        (true, _) => Asking::Clear,
        (false, mode) => Asking::Dialog {
            code: mode == PamMode::TwoFactors,
        },
    };
    Ways {
        pam: authentication.has(Authenticator::Pam).then_some(pam),
        native: authentication.has(Authenticator::MariaDb),
        sha2: authentication
            .has(Authenticator::Sha2)
            .then(|| sealing.clone()),
        ed25519: authentication
            .has(Authenticator::Ed25519)
            .then_some(ed25519),
        parsec: authentication.has(Authenticator::Parsec),
        unchecked: authentication.skip,
        decoys: decoys.clone(),
    }
}

/// The plugin of the first module. Plugins whose nonce is longer than a greeting's scramble are
/// asked for later, as servers do.
fn greeting_plugin(authentication: &Authentication) -> &'static [u8] {
    let by_password = authentication.ed_mode == EdMode::Sha256;
    match authentication.authenticators.first() {
        Some(Authenticator::Sha2) => SHA2,
        Some(Authenticator::Ed25519) if by_password => SHA2,
        Some(
            Authenticator::MariaDb
            | Authenticator::Ed25519
            | Authenticator::Parsec
            | Authenticator::Pam,
        )
        | None => NATIVE,
    }
}

/// May clients need a key that they seal their passwords with?
fn wants_key(authentication: &Authentication) -> bool {
    let by_password =
        authentication.has(Authenticator::Ed25519) && authentication.ed_mode == EdMode::Sha256;
    by_password || authentication.has(Authenticator::Sha2)
}

/// The key that passwords are sealed with, if it is in a file.
fn key_of_files(authentication: &Authentication) -> Result<Option<RsaKey>, String> {
    let of_files = [
        (&authentication.sha2_rsa, "sha2_rsa"),
        (&authentication.ed_rsa, "ed_rsa"),
    ];
    for (files, name) in of_files {
        if let Some(private) = &files.private {
            return read_key(private, files, name).map(Some);
        }
    }
    Ok(None)
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
