//! What is checked once a client has proven its password, and how a refusal reads.
//!
//! In the server's order: lock, encryption, expiry, database.

use thiserror::Error;

use crate::database::{self, DatabaseVerdict};
use crate::decide::{LoginPolicy, LoginRequest};
use crate::host::ClientHost;
use crate::snapshot::{Account, Accounts};

/// Why a client that knows its password is not let in. The text is what the client reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// `ACCOUNT LOCK`.
    #[error("Access denied, this account is locked")]
    Locked,
    /// The account demands encryption that the connection lacks.
    #[error("Access denied for user '{user}'@'{client}' (using password: YES)")]
    TlsRequired {
        /// As the client sent it.
        user: String,
        /// Where the client is.
        client: String,
        /// What is lacking, for the log.
        lack: String,
    },
    /// The password has expired and the client cannot change it.
    #[error(
        "Your password has expired. To log in you must change it using a client that supports \
         expired passwords"
    )]
    PasswordExpired,
    /// No grant on the database.
    #[error("Access denied for user '{user}'@'{host}' to database '{database}'")]
    DatabaseDenied {
        /// The account's user name.
        user: String,
        /// The account's host pattern.
        host: String,
        /// The database asked for.
        database: String,
    },
    /// A grant, but no database.
    #[error("Unknown database '{database}'")]
    UnknownDatabase {
        /// The database asked for.
        database: String,
    },
}

impl Refusal {
    /// The server's number for this error.
    #[must_use]
    pub fn errno(&self) -> u16 {
        match self {
            Self::Locked => 4151,
            Self::TlsRequired { .. } => 1045,
            Self::PasswordExpired => 1862,
            Self::DatabaseDenied { .. } => 1044,
            Self::UnknownDatabase { .. } => 1049,
        }
    }

    /// Its SQLSTATE.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Locked | Self::PasswordExpired => "HY000",
            Self::TlsRequired { .. } => "28000",
            Self::DatabaseDenied { .. } | Self::UnknownDatabase { .. } => "42000",
        }
    }

    /// What the log says beyond the client's text.
    #[must_use]
    pub fn log_reason(&self) -> String {
        match self {
            Self::TlsRequired { lack, .. } => lack.clone(),
            Self::Locked
            | Self::PasswordExpired
            | Self::DatabaseDenied { .. }
            | Self::UnknownDatabase { .. } => self.to_string(),
        }
    }
}

/// Checks what remains once the password was right. `now` is in seconds since 1970.
///
/// # Errors
/// The first of: encryption required, locked, password expired, database denied or missing. That is the
/// order of a MariaDB 10.11.
pub fn check_after_password(
    accounts: &Accounts,
    policy: &LoginPolicy,
    account: &Account,
    request: &LoginRequest,
    now: u64,
) -> Result<(), Refusal> {
    let row = account.row();
    if let Some(lack) = row.tls.lack(request.tls.as_ref()) {
        return Err(Refusal::TlsRequired {
            user: String::from_utf8_lossy(&request.user).into_owned(),
            client: request.client.text().to_owned(),
            lack,
        });
    }
    if row.locked {
        return Err(Refusal::Locked);
    }
    let expired = row.expiry.is_over(now, accounts.default_password_days());
    if expired && !request.handles_expired && accounts.refuses_expired() {
        return Err(Refusal::PasswordExpired);
    }
    match &request.database {
        // The server finds out whom such a client stands for, and what that one may.
        Some(_) if account.is_for_anybody() => Ok(()),
        Some(database) => check_database(accounts, policy, account, &request.client, database),
        None => Ok(()),
    }
}

/// Checks a database alone, as for a login.
///
/// # Errors
/// [`Refusal::DatabaseDenied`] or [`Refusal::UnknownDatabase`].
pub fn check_database(
    accounts: &Accounts,
    policy: &LoginPolicy,
    account: &Account,
    client: &ClientHost,
    database: &[u8],
) -> Result<(), Refusal> {
    if database.is_empty() {
        return Ok(());
    }
    let verdict = match std::str::from_utf8(database) {
        Ok(name) => database::check(accounts, account, client, name, policy.database_case),
        Err(_) => DatabaseVerdict::Denied,
    };
    let database = String::from_utf8_lossy(database).into_owned();
    let row = account.row();
    match verdict {
        DatabaseVerdict::Allowed => Ok(()),
        DatabaseVerdict::Denied => Err(Refusal::DatabaseDenied {
            user: row.user.clone(),
            host: row.host.clone(),
            database,
        }),
        DatabaseVerdict::Missing => Err(Refusal::UnknownDatabase { database }),
    }
}
