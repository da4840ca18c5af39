//! What the REST interface needs to start, and why it may not.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use tidegate_jsonapi::Form;

use crate::auth::{Cost, TokenConfig};

/// The settings in force, named after the `admin_` parameters they come from.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// `admin_host`
    pub host: String,
    /// `admin_port`; 0 takes any free one.
    pub port: u16,
    /// `admin_auth`; off: everybody may do everything.
    pub auth: bool,
    /// `admin_log_auth_failures`
    pub log_auth_failures: bool,
    /// `admin_secure_gui`: tokens are given over HTTPS only.
    pub secure_gui: bool,
    /// How tokens are made.
    pub tokens: TokenConfig,
    /// Where the administrative users are kept; `passwd` in the data directory.
    pub users_file: PathBuf,
    /// `admin_readwrite_hosts`: who may do everything.
    pub readwrite_hosts: Vec<String>,
    /// `admin_readonly_hosts`: who may read, besides those.
    pub readonly_hosts: Vec<String>,
    /// The form of documents for requests that do not ask for one.
    pub form: Form,
    /// Time zone of the dates in the oldest form.
    pub zone: TimeZone,
    /// Looks up the name of an address. It may block; it is called on threads made for that.
    pub reverse_lookup: fn(IpAddr) -> Option<String>,
    /// What hashing a password costs.
    pub password_cost: Cost,
    /// What clients cannot exceed.
    pub limits: Limits,
}

impl AdminConfig {
    /// The defaults, with the users in this file.
    pub fn new(users_file: impl Into<PathBuf>) -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8989,
            auth: true,
            log_auth_failures: true,
            secure_gui: true,
            tokens: TokenConfig::default(),
            users_file: users_file.into(),
            readwrite_hosts: vec!["%".into()],
            readonly_hosts: vec!["%".into()],
            form: Form::Current,
            zone: TimeZone::system(),
            reverse_lookup: |address| dns_lookup::lookup_addr(&address).ok(),
            password_cost: Cost::default(),
            limits: Limits::default(),
        }
    }
}

/// What clients cannot exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Time for a request's head to arrive whole, its wait for the first byte included.
    pub head: Duration,
    /// Time for its body to arrive whole.
    pub body: Duration,
    /// Bytes of a body; a longer one is 413.
    pub body_bytes: usize,
    /// Time a connection may neither send nor take a byte.
    pub silence: Duration,
    /// Time that running requests have to finish when the process stops.
    pub shutdown: Duration,
}

impl Default for Limits {
    /// Far above what consoles, exporters and operators need: a dozen connections, bodies of
    /// some kilobytes. Ten seconds for a request is also what clients give us.
    fn default() -> Self {
        Self {
            connections: 256,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            body_bytes: 1024 * 1024,
            silence: Duration::from_secs(60),
            shutdown: Duration::from_secs(5),
        }
    }
}

/// Why the REST interface cannot start; each text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {host}:{port} for the REST interface: {cause}; choose another \
         admin_host or admin_port, or stop whatever uses it"
    )]
    Bind {
        /// `admin_host`
        host: String,
        /// `admin_port`
        port: u16,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The users cannot be read or written.
    #[error("the administrative users in {}: {cause}; the process must be able to read and write that file and its folder", file.display())]
    Users {
        /// The file.
        file: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The users' file is not one of ours.
    #[error("the administrative users in {}: {problem}; restore the file, or remove it to start again with admin/mariadb", file.display())]
    BrokenUsers {
        /// The file.
        file: PathBuf,
        /// What is wrong; quotes nothing of it.
        problem: String,
    },
    /// There is no randomness for a key.
    #[error("no random key for the tokens of the REST interface: {0}")]
    Random(std::io::Error),
    /// An entry of a host list is none.
    #[error("{parameter}: '{entry}' is neither an address, a network nor a host name pattern")]
    Host {
        /// `admin_readwrite_hosts` or `admin_readonly_hosts`.
        parameter: &'static str,
        /// The entry.
        entry: String,
    },
}

impl StartError {
    pub(crate) fn users(file: &Path, cause: std::io::Error) -> Self {
        Self::Users {
            file: file.to_owned(),
            cause,
        }
    }
}
