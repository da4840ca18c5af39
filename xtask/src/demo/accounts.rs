//! The accounts and the database that the demo makes on servers, and removes again.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::mariadb::run_client;
use tidegate_testkit::{Account, Scratch};

/// The demo's database.
pub(super) const DATABASE: &str = "tidegate_demo";

/// Who logs in to the servers for what.
#[derive(Debug, Clone)]
pub(super) struct DemoAccounts {
    pub(super) service: Account,
    pub(super) monitor: Account,
    pub(super) app: Account,
}

impl DemoAccounts {
    /// Names of the demo's own, random passwords.
    pub(super) fn random() -> Result<Self> {
        Ok(Self {
            service: Account::random("tidegate_demo_service")?,
            monitor: Account::random("tidegate_demo_monitor")?,
            app: Account::random("tidegate_demo_app")?,
        })
    }

    /// One account for everything: what the caller gave.
    pub(super) fn all(account: &Account) -> Self {
        let [service, monitor, app] = [account, account, account].map(Account::clone);
        Self {
            service,
            monitor,
            app,
        }
    }

    /// Statements that make accounts, database and table; they replicate.
    pub(super) fn create(&self) -> String {
        let Self {
            service,
            monitor,
            app,
        } = self;
        let accounts: String = [service, monitor, app].map(Account::create).concat();
        format!(
            "{accounts}
            GRANT SHOW DATABASES ON *.* TO {service};
            GRANT SELECT ON mysql.* TO {service};
            GRANT REPLICATION CLIENT, SLAVE MONITOR ON *.* TO {monitor};
            GRANT ALL ON {DATABASE}.* TO {app};
            CREATE DATABASE {DATABASE};
            CREATE TABLE {DATABASE}.orders (
                id INT AUTO_INCREMENT PRIMARY KEY, item VARCHAR(40), server INT
            );
            INSERT INTO {DATABASE}.orders (item) VALUES ('coffee');",
            service = service.sql_name(),
            monitor = monitor.sql_name(),
            app = app.sql_name(),
        )
    }

    /// Looks whether any of it is there already: what somebody else made is not ours to remove.
    pub(super) fn ensure_absent(&self, options: &Path) -> Result<()> {
        let users = [&self.service, &self.monitor, &self.app].map(|it| format!("'{}'", it.user));
        let found = run_client(
            options,
            &format!(
                "SELECT CONCAT('database ', schema_name) FROM information_schema.schemata
                 WHERE schema_name = '{DATABASE}'
                 UNION SELECT CONCAT('user ', user) FROM mysql.user WHERE user IN ({})",
                users.join(", ")
            ),
        )?;
        ensure!(
            found.trim().is_empty(),
            "there already is on the servers, perhaps from a demo that was killed: {}; \
             look at it and drop it, then start again",
            found.lines().collect::<Vec<_>>().join(", ")
        );
        Ok(())
    }

    /// Statements that remove them again.
    pub(super) fn drop(&self) -> String {
        let users = [&self.service, &self.monitor, &self.app]
            .map(Account::sql_name)
            .join(", ");
        format!("DROP DATABASE IF EXISTS {DATABASE}; DROP USER IF EXISTS {users};")
    }
}

/// An option file for MariaDB's client, so that no password is seen in a list of processes.
pub(super) fn client_options(
    scratch: &Scratch,
    name: &str,
    host: &str,
    port: u16,
    account: &Account,
) -> Result<PathBuf> {
    // Inside an option file a backslash and a quote need a backslash.
    let password = account.password.replace('\\', "\\\\").replace('"', "\\\"");
    let text = format!(
        "[client]\nhost={host}\nport={port}\nuser={}\npassword=\"{password}\"\n",
        account.user
    );
    scratch.write(name, &text)
}

/// Runs one query through an option file; the first field of the first row.
pub(super) fn value(options: &Path, query: &str) -> Result<String> {
    let text = run_client(options, query)?;
    let line = text
        .lines()
        .next()
        .with_context(|| format!("no row for {query:?}"))?;
    Ok(line.split('\t').next().unwrap_or_default().to_owned())
}
