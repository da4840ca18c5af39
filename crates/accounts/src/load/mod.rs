//! Reading the account tables of one server.
//!
//! Each table is read by a statement of its own that names only columns which exist and which the
//! service's user may see, so that every version of MariaDB and MySQL can be read. Without the
//! account table nothing can be known and loading fails; without one of the others grants may be
//! missed, so nothing is denied for want of a grant, and a [`Gap`] says what to grant.
//!
//! What differs between the makes of servers, roles above all, is asked of the one that has it.

mod columns;
mod mysql_roles;
mod privileges;
mod rows;
mod users;

use std::collections::BTreeSet;

use thiserror::Error;
use tidegate_sqlclient::{Client, ConnectOptions, Error, ResultSet, Row, quote_text};
use tidegate_wire::version::{ServerKind, ServerVersion};

use crate::snapshot::Tables;
use columns::Columns;
use mysql_roles::Roles;

/// The tables that are read, besides the list of databases.
const GRANT_TABLES: [&str; 5] = [
    "db",
    "tables_priv",
    "columns_priv",
    "procs_priv",
    "proxies_priv",
];

/// Where MariaDB keeps who is granted which role.
const ROLES_MAPPING: &str = "roles_mapping";

/// The first MySQL version with roles.
const MYSQL_ROLES: u32 = 8_00_00;

/// Why the accounts of a server could not be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// No connection.
    #[error("cannot fetch accounts from server '{server}': {source}")]
    Connect {
        /// The server.
        server: String,
        /// Why.
        source: Error,
    },
    /// A statement failed.
    #[error("cannot read {table} on server '{server}': {source}")]
    Query {
        /// The server.
        server: String,
        /// What was being read.
        table: String,
        /// Why.
        source: Error,
    },
    /// The account table itself may not be read.
    #[error("cannot read mysql.user on server '{server}': the privilege is missing; {remedy}")]
    NotPermitted {
        /// The server.
        server: String,
        /// The statement that helps.
        remedy: String,
    },
}

impl LoadError {
    /// Was it the service's password, or its account, that the server rejected?
    #[must_use]
    pub fn is_access_denied(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.is_access_denied())
    }
}

/// Something that could not be read, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The server.
    pub server: String,
    /// The table, or `SHOW DATABASES`.
    pub what: &'static str,
    /// The statement that helps.
    pub remedy: String,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            server,
            what,
            remedy,
        } = self;
        write!(
            f,
            "{what} cannot be read on server '{server}', so less is known of its accounts: {remedy}"
        )
    }
}

/// What one server told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    pub(crate) tables: Tables,
    pub(crate) gaps: Vec<Gap>,
    /// Where the server sees us: an address, or a name that it has looked up.
    pub(crate) seen_at: Option<String>,
}

/// Connects to `server` and reads everything.
///
/// # Errors
/// See [`LoadError`].
///
/// # Cancel safety
/// Dropping the future drops the connection.
pub(crate) async fn load(server: &str, options: &ConnectOptions) -> Result<Loaded, LoadError> {
    let client = Client::connect(options).await;
    let client = client.map_err(|source| LoadError::Connect {
        server: server.to_owned(),
        source,
    })?;
    let mut loader = Loader {
        server,
        client,
        columns: Columns::default(),
        grantee: String::new(),
        loaded: Loaded::default(),
    };
    loader.read_all().await?;
    loader.client.close().await;
    Ok(loader.loaded)
}

struct Loader<'a> {
    server: &'a str,
    client: Client,
    columns: Columns,
    /// The service's account as SQL names it.
    grantee: String,
    loaded: Loaded,
}

impl Loader<'_> {
    async fn read_all(&mut self) -> Result<(), LoadError> {
        let own = self
            .rows("the current user", "SELECT CURRENT_USER(), USER()")
            .await?;
        let seen = own.rows().first().and_then(|row| row.text(1));
        self.loaded.seen_at = seen
            .and_then(|seen| seen.rsplit_once('@'))
            .map(|(_, host)| host.to_owned());
        self.grantee = grantee(own.rows().first().and_then(|row| row.text(0)).unwrap_or(""));
        let described = self
            .rows("information_schema.COLUMNS", columns::QUERY)
            .await?;
        self.columns = Columns::read(&described);
        self.read_accounts().await?;
        self.loaded.tables.grants_complete = true;
        for table in GRANT_TABLES {
            if self.is_readable(table).await? {
                self.read_grants(table).await?;
            }
        }
        self.read_roles().await?;
        self.read_databases().await?;
        self.read_expiry().await
    }

    async fn read_roles(&mut self) -> Result<(), LoadError> {
        if self.is_mariadb() {
            if self.is_readable(ROLES_MAPPING).await? {
                self.read_grants(ROLES_MAPPING).await?;
            }
            return Ok(());
        }
        if self.version().number() < MYSQL_ROLES {
            return Ok(());
        }
        let mut roles = Roles::default();
        let (table, sql) = mysql_roles::EDGES;
        if self.is_readable(table).await? {
            roles.take_edges(&self.rows(table, sql).await?);
        }
        let (table, sql) = mysql_roles::DEFAULTS;
        if self.is_readable(table).await? {
            roles.take_defaults(&self.rows(table, sql).await?);
        }
        let settings = mysql_roles::SETTINGS;
        roles.take_settings(&self.rows("the variables of roles", settings).await?);
        roles.add_to(&mut self.loaded.tables);
        Ok(())
    }

    fn version(&self) -> ServerVersion {
        ServerVersion::new(&self.client.server_version())
    }

    fn is_mariadb(&self) -> bool {
        self.version().kind() == ServerKind::MariaDb
    }

    async fn rows(&mut self, table: &str, sql: &str) -> Result<ResultSet, LoadError> {
        let result = self.client.rows(sql).await;
        result.map_err(|source| LoadError::Query {
            server: self.server.to_owned(),
            table: table.to_owned(),
            source,
        })
    }

    /// Accounts come whole from `mysql.global_priv`, or, where that does not exist or may not be
    /// read, from `mysql.user`, which knows less.
    async fn read_accounts(&mut self) -> Result<(), LoadError> {
        if self.columns.of("global_priv").has("Priv") {
            let result = self.rows("mysql.global_priv", users::GLOBAL_PRIV).await?;
            let rows = result.rows().iter().filter_map(users::from_global_priv);
            self.loaded.tables.accounts = rows.collect();
            return Ok(());
        }
        let Some(sql) = users::user_query(&self.columns) else {
            return Err(LoadError::NotPermitted {
                server: self.server.to_owned(),
                remedy: self.remedy("user"),
            });
        };
        let result = self.rows("mysql.user", &sql).await?;
        let rows = result.rows().iter();
        self.loaded.tables.accounts = rows.map(|row| users::from_user(&result, row)).collect();
        if self.is_mariadb() && self.exists("global_priv").await? {
            self.gap("mysql.global_priv", self.remedy("global_priv"));
        }
        Ok(())
    }

    /// Notes a gap for a table that is there and may not be read.
    async fn is_readable(&mut self, table: &'static str) -> Result<bool, LoadError> {
        let columns = self.columns.of(table);
        if columns.has("User") || columns.has("FROM_USER") {
            return Ok(true);
        }
        if self.exists(table).await? {
            // Who may act as whom is no grant on a database.
            self.loaded.tables.grants_complete &= table == "proxies_priv";
            self.gap(table, self.remedy(table));
        }
        Ok(false)
    }

    /// Is there such a table? A user without privilege on it is told so, and not that it is
    /// missing.
    async fn exists(&mut self, table: &str) -> Result<bool, LoadError> {
        let outcome = self
            .client
            .query(&format!("SELECT 1 FROM mysql.{table} LIMIT 0"))
            .await;
        match outcome {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_permitted() => Ok(true),
            Err(Error::Server { .. }) => Ok(false),
            Err(source) => Err(LoadError::Query {
                server: self.server.to_owned(),
                table: format!("mysql.{table}"),
                source,
            }),
        }
    }

    async fn read_grants(&mut self, table: &str) -> Result<(), LoadError> {
        let sql = rows::query(table, &self.columns);
        let result = self.rows(&format!("mysql.{table}"), &sql).await?;
        rows::take_in(table, &result, &mut self.loaded.tables);
        Ok(())
    }

    /// The list of databases is complete only for users that may see all of them.
    async fn read_databases(&mut self) -> Result<(), LoadError> {
        let result = self.rows("SHOW DATABASES", "SHOW DATABASES").await?;
        let names = |row: &Row| row.text(0).map(str::to_owned);
        let databases: BTreeSet<String> = result.rows().iter().filter_map(names).collect();
        let grants = self.rows("SHOW GRANTS", "SHOW GRANTS").await?;
        let has = |privilege| {
            let mut lines = grants.rows().iter().filter_map(|row| row.text(0));
            lines.any(|line| has_globally(line, privilege))
        };
        self.loaded.tables.service_sets_users =
            self.version().has_session_authorization() && has("SET USER");
        if has("SHOW DATABASES") {
            self.loaded.tables.databases = Some(databases);
        } else {
            let remedy = format!("GRANT SHOW DATABASES ON *.* TO {}", self.grantee);
            self.gap("SHOW DATABASES", remedy);
        }
        Ok(())
    }

    async fn read_expiry(&mut self) -> Result<(), LoadError> {
        let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
                   ('default_password_lifetime', 'disconnect_on_expired_password')";
        let result = self.rows("the variables of expiry", sql).await?;
        let value = |name: &str| {
            let row = result.rows().iter().find(|row| row.text(0) == Some(name));
            row.and_then(|row| row.text(1))
        };
        let days = value("default_password_lifetime").and_then(|days| days.parse().ok());
        let tables = &mut self.loaded.tables;
        tables.default_password_days = days.unwrap_or(0);
        tables.refuses_expired = value("disconnect_on_expired_password") == Some("ON");
        Ok(())
    }

    fn gap(&mut self, what: &'static str, remedy: String) {
        self.loaded.gaps.push(Gap {
            server: self.server.to_owned(),
            what,
            remedy,
        });
    }

    fn remedy(&self, table: &str) -> String {
        format!("GRANT SELECT ON mysql.{table} TO {}", self.grantee)
    }
}

/// Quotes what `CURRENT_USER()` says: everything up to the last `@` is the name.
fn grantee(current_user: &str) -> String {
    let (user, host) = current_user.rsplit_once('@').unwrap_or((current_user, "%"));
    format!("{}@{}", quote_text(user), quote_text(host))
}

/// Does this line of `SHOW GRANTS` give its user this global privilege?
fn has_globally(grant: &str, privilege: &str) -> bool {
    grant
        .split_once(" ON *.* TO ")
        .is_some_and(|(privileges, _)| {
            privileges.contains(privilege) || privileges.contains("ALL PRIVILEGES")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grantees_are_quoted() {
        assert_eq!(grantee("svc@%"), "'svc'@'%'");
        assert_eq!(grantee("a@b's@10.%"), "'a@b''s'@'10.%'");
    }

    #[test]
    fn who_sees_all_databases() {
        let sees_databases = |grant| has_globally(grant, "SHOW DATABASES");
        assert!(sees_databases(
            "GRANT SELECT, SHOW DATABASES ON *.* TO `s`@`%`"
        ));
        assert!(sees_databases(
            "GRANT ALL PRIVILEGES ON *.* TO `s`@`%` WITH GRANT OPTION"
        ));
        assert!(!sees_databases("GRANT ALL PRIVILEGES ON `db`.* TO `s`@`%`"));
        assert!(!sees_databases(
            "GRANT USAGE ON *.* TO `SHOW DATABASES`@`%`"
        ));
    }
}
