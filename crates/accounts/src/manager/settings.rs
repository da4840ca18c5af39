//! What an account manager is configured with.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_sqlclient::{Address, ConnectOptions, Credentials, Timeouts};
use tidegate_tls::ServerTls;

use crate::file::AccountsFile;

/// How often failed logins may cause a load: `users_refresh_time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshLimit {
    /// Never (a negative value).
    Never,
    /// At most once in this time; zero is no limit.
    OncePer(Duration),
}

/// The configuration of an account manager.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountSettings {
    /// The service's name, for the log.
    pub service: String,
    /// `user` and `password`.
    pub credentials: Credentials,
    /// What they were before the last change: tried when a server refuses the new ones.
    pub previous: Option<Credentials>,
    /// `auth_all_servers`: the union of all servers' accounts.
    pub all_servers: bool,
    /// `auth_connect_timeout`: for connecting, reading and writing.
    pub timeout: Duration,
    /// `users_refresh_time`.
    pub limit: RefreshLimit,
    /// `users_refresh_interval`; `None`: off.
    pub interval: Option<Duration>,
    /// `local_address`.
    pub local_address: Option<IpAddr>,
    /// `user_accounts_file`.
    pub file: Option<AccountsFile>,
}

impl AccountSettings {
    /// Defaults of all parameters.
    #[must_use]
    pub fn new(service: &str, credentials: Credentials) -> Self {
        Self {
            service: service.to_owned(),
            credentials,
            previous: None,
            all_servers: false,
            timeout: Duration::from_secs(10),
            limit: RefreshLimit::OncePer(Duration::from_secs(30)),
            interval: None,
            local_address: None,
            file: None,
        }
    }

    pub(super) fn connect_options(
        &self,
        source: &AccountSource,
        address: &Address,
        credentials: &Credentials,
    ) -> ConnectOptions {
        let timeouts = Timeouts::all(self.timeout);
        let mut options = ConnectOptions::new(address.clone(), credentials.clone(), timeouts);
        options.tls.clone_from(&source.tls);
        options.local_address = self.local_address;
        options
    }
}

/// A server to load accounts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSource {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// `extra_port`: tried first.
    pub extra_port: Option<u16>,
    /// How connections to it are encrypted; `None`: in the clear.
    pub tls: Option<Arc<ServerTls>>,
}

impl AccountSource {
    /// The address of the extra port, if there is one.
    pub(super) fn extra_address(&self) -> Option<Address> {
        match (&self.address, self.extra_port) {
            (Address::Tcp { host, .. }, Some(port)) => Some(Address::Tcp {
                host: host.clone(),
                port,
            }),
            (Address::Tcp { .. } | Address::Unix(_), _) => None,
        }
    }
}
