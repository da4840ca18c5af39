//! What a monitor is configured with: plain values, made from parameters by whoever holds them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tidegate_sqlclient::{Address, ConnectOptions, Credentials, Timeouts};
use tidegate_tls::ServerTlsSlot;

use crate::mariadbmon::{Member, Rules};

/// The configuration of a mariadbmon.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorSettings {
    /// `monitor_interval`: from the start of one tick to the start of the next.
    pub interval: Duration,
    /// `backend_connect_timeout`, `backend_read_timeout`, `backend_write_timeout`.
    pub timeouts: Timeouts,
    /// `backend_connect_attempts`: tries a server and tick; at least one.
    pub connect_attempts: u32,
    /// `query_retries`: how often an interrupted question is asked again over a new connection.
    pub query_retries: u32,
    /// `user` and `password`.
    pub credentials: Credentials,
    /// `local_address`.
    pub local_address: Option<IpAddr>,
    /// Server variables that some part of the proxy wants to know.
    pub tracked_variables: BTreeSet<String>,
    /// What decisions depend on.
    pub rules: Rules,
    /// The servers, in configuration order.
    pub servers: Vec<MonitoredServer>,
}

impl MonitorSettings {
    /// Defaults of all parameters, no servers.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            interval: Duration::from_secs(2),
            timeouts: Timeouts::all(Duration::from_secs(3)),
            connect_attempts: 1,
            query_retries: 1,
            credentials,
            local_address: None,
            tracked_variables: BTreeSet::new(),
            rules: Rules::default(),
            servers: Vec::new(),
        }
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.servers.iter().map(MonitoredServer::member).collect()
    }
}

/// A server to be watched.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitoredServer {
    /// Its name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// `extra_port`: tried first.
    pub extra_port: Option<u16>,
    /// `private_address`.
    pub private_host: Option<String>,
    /// `monitoruser` and `monitorpw`, instead of the monitor's own.
    pub credentials: Option<Credentials>,
    /// How connections to it are encrypted.
    pub tls: ServerTlsSlot,
}

impl MonitoredServer {
    /// A server without any special settings.
    #[must_use]
    pub fn new(name: &str, address: Address) -> Self {
        Self {
            name: Arc::from(name),
            address,
            extra_port: None,
            private_host: None,
            credentials: None,
            tls: ServerTlsSlot::default(),
        }
    }

    fn member(&self) -> Member {
        let (socket, host, port) = match &self.address {
            Address::Tcp { host, port } => (None, Some(host.clone()), *port),
            Address::Unix(path) => (Some(path.display().to_string()), None, 0),
        };
        Member {
            name: Arc::clone(&self.name),
            socket,
            host,
            port,
            private_host: self.private_host.clone(),
        }
    }

    /// How the monitor connects to the usual port.
    pub(crate) fn connect_options(&self, settings: &MonitorSettings) -> ConnectOptions {
        let credentials = self.credentials.as_ref().unwrap_or(&settings.credentials);
        let mut options =
            ConnectOptions::new(self.address.clone(), credentials.clone(), settings.timeouts);
        options.local_address = settings.local_address;
        options
    }

    /// The address of the extra port, if there is one.
    pub(crate) fn extra_address(&self) -> Option<Address> {
        match (&self.address, self.extra_port) {
            (Address::Tcp { host, .. }, Some(port)) => Some(Address::Tcp {
                host: host.clone(),
                port,
            }),
            (Address::Tcp { .. } | Address::Unix(_), _) => None,
        }
    }
}
