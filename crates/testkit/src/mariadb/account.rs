//! The accounts of a server group: random passwords, and the statements that make them.

use anyhow::{Context as _, Result};

use crate::secrets;

/// A user name and its password on the servers of a group, valid from any host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name.
    pub user: String,
    /// The password, plain: letters and digits.
    pub password: String,
}

/// The accounts every group starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// May do everything.
    pub admin: Account,
    /// What replicas log in to the primary with.
    pub replication: Account,
    /// What a service of the proxy loads the accounts with.
    pub service: Account,
    /// What a monitor of the proxy watches the servers with.
    pub monitor: Account,
    /// An application: everything in the database `test`, nothing else.
    pub app: Account,
}

impl Account {
    /// An account of this name with a random password.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn random(user: &str) -> Result<Self> {
        let password = random_password()?;
        secrets::remember_password(&password);
        Ok(Self {
            user: user.to_owned(),
            password,
        })
    }

    /// The account as SQL names it.
    #[must_use]
    pub fn sql_name(&self) -> String {
        format!("'{}'@'%'", self.user)
    }

    /// The statement that makes the account if it is missing.
    #[must_use]
    pub fn create(&self) -> String {
        format!(
            "CREATE USER IF NOT EXISTS {} IDENTIFIED BY '{}';",
            self.sql_name(),
            self.password
        )
    }
}

impl Accounts {
    /// Accounts with random passwords.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn random() -> Result<Self> {
        Ok(Self {
            admin: Account::random("admin")?,
            replication: Account::random("replication")?,
            service: Account::random("service")?,
            monitor: Account::random("monitor")?,
            app: Account::random("app")?,
        })
    }

    /// The statements that make all accounts on a server, its monitor's with these privileges. They leave no trace in the binary log,
    /// so that each server can run them by itself.
    pub(super) fn setup(&self, monitor: &str) -> String {
        let mut sql = String::from("SET sql_log_bin=0;\n");
        let monitors = format!("GRANT {monitor} ON *.* TO");
        let grants = [
            (&self.admin, "GRANT ALL ON *.* TO", "WITH GRANT OPTION"),
            (&self.replication, "GRANT REPLICATION SLAVE ON *.* TO", ""),
            (&self.service, "GRANT SHOW DATABASES ON *.* TO", ""),
            (&self.service, "GRANT SELECT ON mysql.* TO", ""),
            (&self.monitor, &*monitors, ""),
            (&self.app, "GRANT ALL ON test.* TO", ""),
        ];
        for (account, grant, option) in grants {
            sql.push_str(&format!(
                "{}\n{grant} {} {option};\n",
                account.create(),
                account.sql_name()
            ));
        }
        sql
    }
}

/// 24 hexadecimal digits.
fn random_password() -> Result<String> {
    let mut bytes = [0u8; 12];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .context("no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
