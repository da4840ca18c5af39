//! `user_accounts_file`: accounts that only the proxy knows.
//!
//! Source: MaxScale manual, "User accounts file". Further than there, `ssl_type` and
//! `account_locked` are known, and unknown fields are errors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::account::{AccountRow, GrantRow, Method, RoleRow};
use crate::document::{Document, Fields};
use crate::encryption::TlsDemand;
use crate::snapshot::Tables;

/// A file of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountsFile {
    /// Where it is; it is read at each load.
    pub path: PathBuf,
    /// `user_accounts_file_usage=file_only_always`: the servers are not asked.
    pub alone: bool,
}

impl AccountsFile {
    /// Reads it.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(crate) async fn read(&self) -> Result<Tables, String> {
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || read(&path));
        let panicked = |_| Err("a defect in Tidegate: reading it panicked".to_owned());
        let tables = reading.await.unwrap_or_else(panicked);
        tables.map_err(|error| {
            let path = self.path.display();
            format!("user_accounts_file: {path}: {error}")
        })
    }
}

fn read(path: &Path) -> Result<Tables, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse(&Zeroizing::new(text))
}

/// Reads the text of a file.
fn parse(text: &str) -> Result<Tables, String> {
    let mut tables = Tables {
        grants_complete: true,
        databases: Some(BTreeSet::new()),
        refuses_expired: true,
        ..Tables::default()
    };
    Document::parse(text)?.each(|list, fields| take(list, fields, &mut tables))?;
    Ok(tables)
}

fn take(list: &str, fields: Fields<'_>, tables: &mut Tables) -> Result<(), String> {
    let known: &[&str] = match list {
        "user" => &[
            "user",
            "host",
            "password",
            "plugin",
            "authentication_string",
            "default_role",
            "super_priv",
            "global_db_priv",
            "proxy_priv",
            "is_role",
            "ssl_type",
            "account_locked",
        ],
        "db" => &["user", "host", "db"],
        "roles_mapping" => &["user", "host", "role"],
        _ => return Err(format!("there is no list '{list}'")),
    };
    fields.only(known)?;
    let (user, host) = (fields.needed("user")?, fields.needed("host")?);
    match list {
        "user" => tables.accounts.push(account(fields, user, host)?),
        "db" => {
            let database = fields.needed("db")?;
            // A pattern says nothing about what exists.
            if let Some(known) = &mut tables.databases
                && !database.contains(['%', '_', '\\'])
            {
                known.insert(database.clone());
            }
            tables.database_grants.push(GrantRow {
                user,
                host,
                database,
            });
        }
        _ => tables.role_grants.push(RoleRow {
            user,
            host,
            role: fields.needed("role")?,
        }),
    }
    Ok(())
}

fn account(fields: Fields<'_>, user: String, host: String) -> Result<AccountRow, String> {
    let text = |name| Ok::<_, String>(fields.text(name)?.unwrap_or_default());
    let stored = match text("authentication_string")? {
        empty if empty.is_empty() => text("password")?,
        stored => stored,
    };
    let is_role = fields.flag("is_role")?;
    Ok(AccountRow {
        user,
        host,
        methods: if is_role {
            Vec::new()
        } else {
            vec![Method::new(&text("plugin")?, &stored)]
        },
        global_access: fields.flag("global_db_priv")?,
        is_super: fields.flag("super_priv")?,
        is_role,
        default_role: Some(text("default_role")?).filter(|role| !role.is_empty()),
        tls: match text("ssl_type")?.as_str() {
            "" => TlsDemand::None,
            "ANY" => TlsDemand::Any,
            "X509" => TlsDemand::Certificate {
                issuer: String::new(),
                subject: String::new(),
                cipher: String::new(),
            },
            other => return Err(format!("ssl_type may be ANY or X509, not '{other}'")),
        },
        locked: fields.flag("account_locked")?,
        may_proxy: fields.flag("proxy_priv")?,
        ..AccountRow::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{LoginDecision, LoginPolicy, LoginRequest, decide};
    use crate::refusal::check_after_password;
    use crate::snapshot::Accounts;

    const FILE: &str = r#"{
        "user": [
            {"user": "reports", "host": "10.%", "password": "*54958E764CE10E50764C2EECBB71D01F08549980", "default_role": "ro"},
            {"user": "ro", "host": "", "is_role": true},
            {"user": "gone", "host": "%", "account_locked": true}],
        "db": [{"user": "ro", "host": "", "db": "sales\\_%"}, {"user": "reports", "host": "10.%", "db": "own"}],
        "roles_mapping": [{"user": "reports", "host": "10.%", "role": "ro"}]
    }"#;

    fn login(accounts: &Accounts, user: &str, database: &str) -> u16 {
        let address = "10.0.0.1".parse().expect("an address");
        let request = LoginRequest::new(user.as_bytes(), Some(address));
        let request = request.with_database(database.as_bytes());
        let policy = LoginPolicy::default();
        let LoginDecision::Account { account, .. } = decide(accounts, &policy, &request) else {
            return 1045;
        };
        let verdict = check_after_password(accounts, &policy, &account, &request, 0);
        verdict.map_or_else(|refusal| refusal.errno(), |()| 0)
    }

    #[test]
    fn accounts_of_a_file_count_like_those_of_servers() {
        let mut tables = parse(FILE).expect("valid");
        // On its own a file does not know which databases there are.
        tables.databases = None;
        let accounts = Accounts::new(tables);
        for (user, database, expect) in [
            ("reports", "own", 0),
            ("reports", "sales_2", 0),
            ("reports", "other", 1044),
            ("gone", "own", 4151),
            ("ro", "own", 1045),
            ("nobody", "own", 1045),
        ] {
            assert_eq!(
                login(&accounts, user, database),
                expect,
                "{user} {database}"
            );
        }
    }

    #[test]
    fn the_servers_accounts_come_first_and_grants_add_up() {
        let mut servers = Tables {
            accounts: vec![AccountRow {
                user: "reports".to_owned(),
                host: "10.%".to_owned(),
                methods: vec![Method::new("", "")],
                locked: true,
                ..AccountRow::default()
            }],
            databases: Some(BTreeSet::from(["there".to_owned()])),
            grants_complete: true,
            ..Tables::default()
        };
        servers.absorb(parse(FILE).expect("valid"));
        assert_eq!(servers.accounts.len(), 3);
        assert!(servers.accounts[0].locked);
        assert_eq!(servers.database_grants.len(), 2);
        let known = servers.databases.expect("known");
        assert!(known.contains("own") && known.contains("there"));
    }

    #[test]
    fn mistakes_are_named() {
        for (file, expect) in [
            ("[]", "it is no JSON object"),
            (r#"{"users": [{}]}"#, "there is no list 'users'"),
            (
                r#"{"user": [{"user": "a"}]}"#,
                "'user' holds an object without the text 'host'",
            ),
            (
                r#"{"user": [{"user": "a", "host": "%", "pasword": ""}]}"#,
                "'user' has no field 'pasword'",
            ),
            (
                r#"{"user": [{"user": "a", "host": "%", "is_role": "yes"}]}"#,
                "'is_role' in 'user' is neither true nor false",
            ),
            (
                r#"{"user": [{"user": "a", "host": "%", "ssl_type": "TLS"}]}"#,
                "ssl_type may be ANY or X509, not 'TLS'",
            ),
        ] {
            assert_eq!(parse(file), Err(expect.to_owned()), "{file}");
        }
    }
}
