//! Decisions about logins: which account a client is, and which password proves it.
//!
//! What else stands in a client's way is asked in a second step, after the password
//! ([`check_after_password`](crate::check_after_password)). Both are pure functions of a snapshot,
//! so a worker calls them without waiting for anybody.
//!
//! The invariant: the first account that matches is *the* account; a wrong password never tries
//! the next one, and a client is never told more than that it was not let in.

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;
use tidegate_wire::auth::Method;

use crate::database::DatabaseCase;
use crate::encryption::ClientTls;
use crate::host::ClientHost;
use crate::snapshot::{Account, Accounts};
use crate::ways::{Use, Ways};

/// The account whose logins `enable_root_user` governs.
const ROOT: &str = "root";

/// How many patterns a refusal lists.
const HOSTS_SHOWN: usize = 5;

/// What a service and its listener say about logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPolicy {
    /// `authenticator` and its options: how a client may prove who it is.
    pub ways: Ways,
    /// `match_host`: must the client's address match the account's?
    pub match_host: bool,
    /// `enable_root_user`: may `root` log in?
    pub enable_root_user: bool,
    /// `lower_case_table_names`.
    pub database_case: DatabaseCase,
    /// `clear_pw_passthrough`: no account is looked at, the servers decide.
    pub servers_decide: bool,
    /// `log_password_mismatch`: the log shows how the hash of a wrong password differs.
    pub tells_mismatch: bool,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self {
            ways: Ways::native(),
            match_host: true,
            enable_root_user: false,
            database_case: DatabaseCase::Exact,
            servers_decide: false,
            tells_mismatch: false,
        }
    }
}

impl LoginPolicy {
    /// Is this user refused whoever it is?
    #[must_use]
    pub fn bars(&self, user: &[u8]) -> Option<DenyReason> {
        (user == ROOT.as_bytes() && !self.enable_root_user).then_some(DenyReason::RootDisabled)
    }
}

/// A client that wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// The user name as it was sent.
    pub user: Vec<u8>,
    /// Where the client is.
    pub client: ClientHost,
    /// The database it named, as it was sent.
    pub database: Option<Vec<u8>>,
    /// How the connection is encrypted; `None`: it is not.
    pub tls: Option<ClientTls>,
    /// Does the client know what to do about an expired password?
    pub handles_expired: bool,
}

impl LoginDecision {
    /// Could the client's host name change it? Only where no account matches the address, and some
    /// account's host could be a name.
    #[must_use]
    pub fn wants_name(&self) -> bool {
        matches!(
            self,
            Self::Denied {
                reason: DenyReason::NoHostMatch { by_name, .. },
                ..
            } if !by_name.is_empty()
        )
    }
}

impl LoginRequest {
    /// A login without a database over a plain connection. `ip`: `None` for a UNIX socket.
    #[must_use]
    pub fn new(user: &[u8], ip: Option<IpAddr>) -> Self {
        Self {
            user: user.to_vec(),
            client: ip.map_or_else(ClientHost::unix, ClientHost::ip),
            database: None,
            tls: None,
            handles_expired: false,
        }
    }

    /// The same with a database.
    #[must_use]
    pub fn with_database(mut self, database: &[u8]) -> Self {
        self.database = Some(database.to_vec());
        self
    }
}

/// What [`decide`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginDecision {
    /// Let it prove that, then call [`check_after_password`](crate::check_after_password).
    Account {
        /// Who the client is if it can prove it.
        account: Arc<Account>,
        /// How it may prove it, in order of trial; at least one.
        methods: Vec<Method>,
    },
    /// The client is told "access denied" and no more.
    Denied {
        /// For the log.
        reason: DenyReason,
        /// What it is asked all the same; no answer is right.
        decoy: Vec<Method>,
    },
}

/// Why nobody can log in this way. For the log, never for the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DenyReason {
    /// No account data yet.
    #[error("account data is not loaded yet")]
    NotLoaded,
    /// The user name is not valid text.
    #[error("the user name is not valid UTF-8")]
    NotText,
    /// `enable_root_user=false`.
    #[error("user 'root' may not log in through this service (enable_root_user=false)")]
    RootDisabled,
    /// There is no such user and no anonymous account.
    #[error("no account has this user name")]
    UnknownUser,
    /// The user exists, but not for this address.
    #[error("no account of this user matches {client}; there are accounts for {}{}", list_hosts(.hosts), note_names(.by_name))]
    NoHostMatch {
        /// Where the client is.
        client: String,
        /// The host patterns of the user's accounts, in the order of trial.
        hosts: Vec<String>,
        /// Those among them that would match host names only.
        by_name: Vec<String>,
    },
    /// None of the account's methods can be used here.
    #[error("account '{user}'@'{host}' uses {plugins}, which is not enabled on the listener")]
    PluginNotEnabled {
        /// The account's user name.
        user: String,
        /// The account's host pattern.
        host: String,
        /// Its plugins.
        plugins: String,
    },
    /// PAM might know the user, but the anonymous account may not act for others.
    #[error(
        "the anonymous account ''@'{host}' has pam and no PROXY privilege, so that nobody can log in by it"
    )]
    NoProxyGrant {
        /// The account's host pattern.
        host: String,
    },
    /// The stored hash cannot be matched by any password.
    #[error("account '{user}'@'{host}' has no password hash that a password could match")]
    UnusableHash {
        /// The account's user name.
        user: String,
        /// The account's host pattern.
        host: String,
    },
}

fn list_hosts(patterns: &[String]) -> String {
    let shown: Vec<String> = patterns
        .iter()
        .take(HOSTS_SHOWN)
        .map(|p| format!("'{p}'"))
        .collect();
    let rest = patterns.len() - shown.len();
    match rest {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn note_names(patterns: &[String]) -> String {
    if patterns.is_empty() {
        return String::new();
    }
    format!(
        "; of these {} would match a host name that the client's address does not have",
        list_hosts(patterns)
    )
}

/// Finds the account of a login.
#[must_use]
pub fn decide(accounts: &Accounts, policy: &LoginPolicy, request: &LoginRequest) -> LoginDecision {
    let found = find(accounts, policy, request);
    match found.and_then(|account| choose_methods(account, &policy.ways)) {
        Ok((account, methods)) => LoginDecision::Account { account, methods },
        Err(reason) => LoginDecision::Denied {
            reason,
            decoy: policy.ways.decoy(accounts, &request.user),
        },
    }
}

fn find(
    accounts: &Accounts,
    policy: &LoginPolicy,
    request: &LoginRequest,
) -> Result<Arc<Account>, DenyReason> {
    let user = std::str::from_utf8(&request.user).map_err(|_| DenyReason::NotText)?;
    if let Some(reason) = policy.bars(&request.user) {
        return Err(reason);
    }
    let candidates = accounts.candidates(user);
    if candidates.is_empty() {
        return Err(DenyReason::UnknownUser);
    }
    let matching = candidates
        .iter()
        .find(|account| account.host.matches(&request.client));
    let anyway = || {
        candidates
            .iter()
            .find(|account| !policy.match_host && account.row().user == user)
    };
    match matching.or_else(anyway) {
        Some(account) => Ok(Arc::clone(account)),
        None => Err(no_host_match(&candidates, request)),
    }
}

fn no_host_match(candidates: &[&Arc<Account>], request: &LoginRequest) -> DenyReason {
    let hosts = |wanted: &dyn Fn(&Account) -> bool| -> Vec<String> {
        candidates
            .iter()
            .filter(|account| wanted(account))
            .map(|account| account.host.text().to_owned())
            .collect()
    };
    DenyReason::NoHostMatch {
        client: request.client.text().to_owned(),
        hosts: hosts(&|_| true),
        by_name: hosts(&|account| request.client.is_tcp() && account.host.wants_name()),
    }
}

/// Takes the methods that can be used here.
fn choose_methods(
    account: Arc<Account>,
    ways: &Ways,
) -> Result<(Arc<Account>, Vec<Method>), DenyReason> {
    let row = account.row();
    let methods = ways.of_account(row);
    if !methods.is_empty() {
        if account.is_for_anybody() && !row.may_proxy {
            let host = row.host.clone();
            return Err(DenyReason::NoProxyGrant { host });
        }
        return Ok((account, methods));
    }
    let (user, host) = (row.user.clone(), row.host.clone());
    let mut uses = row.methods.iter().map(|method| ways.of_method(method));
    if uses.any(|found| found == Use::Unusable) {
        return Err(DenyReason::UnusableHash { user, host });
    }
    let plugins: Vec<&str> = row.methods.iter().map(|method| method.plugin()).collect();
    let plugins = plugins.join(", ");
    Err(DenyReason::PluginNotEnabled {
        user,
        host,
        plugins,
    })
}
