//! Which database the servers of a group run: the system's own MariaDB, or a release that was unpacked into
//! the target folder, and in which words it is spoken to.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io::Write as _};

use anyhow::{Context as _, Result, bail, ensure};

use super::account::Accounts;
use super::options::{self, Options};
use super::program;
use crate::mariadb::Account;
use crate::scratch::Scratch;

/// A database server's make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Product {
    /// The MariaDB of the system's packages.
    #[default]
    Installed,
    /// A later MariaDB than most systems have.
    LaterMariaDb,
    /// MySQL.
    MySql,
}

/// The folder of the unpacked releases, below cargo's target folder.
pub const FOREIGN_FOLDER: &str = "foreign";

/// Names the folder of the servers that groups run which do not choose theirs.
const USUAL: &str = "TIDEGATE_TEST_SERVERS";

impl Product {
    /// What a group runs that does not choose: the system's MariaDB, unless `TIDEGATE_TEST_SERVERS` names
    /// the folder of another.
    pub(super) fn usual() -> Result<Self> {
        let Ok(name) = env::var(USUAL) else {
            return Ok(Self::Installed);
        };
        [Self::LaterMariaDb, Self::MySql]
            .into_iter()
            .find(|product| product.folder_name() == Some(&name))
            .with_context(|| format!("{USUAL} is neither mariadb nor mysql: {name:?}"))
    }

    /// The name of its folder among the unpacked releases; `None`: it is the system's.
    #[must_use]
    pub fn folder_name(self) -> Option<&'static str> {
        match self {
            Self::Installed => None,
            Self::LaterMariaDb => Some("mariadb"),
            Self::MySql => Some("mysql"),
        }
    }

    /// A program of it, by its usual name.
    ///
    /// # Errors
    /// It is not there; the text says what to do.
    pub fn program(self, name: &str) -> Result<PathBuf> {
        let Some(folder) = self.folder_name() else {
            return program::find_program(&[name]);
        };
        let program = target_folder()?
            .join(FOREIGN_FOLDER)
            .join(folder)
            .join("bin")
            .join(name);
        ensure!(
            program.is_file(),
            "{} is missing: `cargo xtask setup --foreign` brings servers of other releases",
            program.display()
        );
        Ok(program)
    }

    pub(super) fn server(self) -> Result<PathBuf> {
        match self {
            Self::Installed => program::server(),
            Self::LaterMariaDb => self.program("mariadbd"),
            Self::MySql => self.program("mysqld"),
        }
    }

    /// Where its own files lie that are not programs.
    fn share(self) -> Result<PathBuf> {
        let program = self.server()?;
        let root = program.ancestors().nth(2);
        let root = root.context("a program at the root of the file system")?;
        Ok(root.join("usr/share").join(match self {
            Self::MySql => "mysql",
            Self::Installed | Self::LaterMariaDb => "mariadb",
        }))
    }

    /// Lines for the option file, beside those that all have.
    pub(super) fn options(self, options: &Options<'_>) -> Result<String> {
        if self == Self::Installed {
            return Ok(options.mariadb());
        }
        let share = self.share()?;
        let root = share.ancestors().nth(3).unwrap_or(Path::new("/"));
        let text = match self {
            Self::MySql => options.mysql(),
            Self::Installed | Self::LaterMariaDb => options.mariadb(),
        };
        Ok(format!(
            "{text}lc_messages_dir={share}\ncharacter_sets_dir={share}/charsets\nplugin_dir={root}/usr/lib/mysql/plugin\n",
            share = share.display(),
            root = root.display(),
        ))
    }

    /// Makes a fresh data folder of the empty one at `data`, as a user without privileges.
    pub(super) fn make_data(self, scratch: &Scratch, data: &Path) -> Result<()> {
        let mut make = match self {
            Self::Installed => {
                // Its own, because a server that starts removes what lies in the common one.
                let temporary = scratch.folder("tmp")?;
                let text = format!(
                    "[mariadbd]\ntmpdir={}\n{}",
                    temporary.display(),
                    options::SIZES
                );
                let options = scratch.write("my.cnf", &text)?;
                let mut install = Command::new(program::find_program(&[
                    "mariadb-install-db",
                    "mysql_install_db",
                ])?);
                install
                    .arg(format!("--defaults-file={}", options.display()))
                    .arg(format!("--datadir={}", data.display()))
                    .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
                    .arg("--skip-name-resolve");
                install
            }
            Self::LaterMariaDb => return self.bootstrap(scratch, data),
            Self::MySql => {
                let share = self.share()?;
                let mut install = Command::new(self.server()?);
                install
                    .args(["--no-defaults", "--initialize-insecure"])
                    .arg(format!("--datadir={}", data.display()))
                    .arg(format!("--lc-messages-dir={}", share.display()))
                    .args(options::MYSQL_SIZES.lines().map(|line| format!("--{line}")));
                install
            }
        };
        scratch.disguise(&mut make);
        program::run(make.current_dir(scratch.path())).context("cannot make a data folder")?;
        if self == Self::MySql {
            // Who the server is, which each must find out for itself.
            fs::remove_file(data.join("auto.cnf"))?;
        }
        Ok(())
    }

    /// What MariaDB's script does: its statements, read by a server that listens to nobody.
    fn bootstrap(self, scratch: &Scratch, data: &Path) -> Result<()> {
        const SCRIPTS: [&str; 4] = [
            "mariadb_system_tables.sql",
            "mariadb_performance_tables.sql",
            "mariadb_system_tables_data.sql",
            "maria_add_gis_sp_bootstrap.sql",
        ];
        let share = self.share()?;
        let mut text =
            "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n".to_owned();
        for script in SCRIPTS {
            text.push_str(&fs::read_to_string(share.join(script))?);
        }
        let temporary = scratch.folder("tmp")?;
        let mut server = Command::new(self.server()?);
        scratch.disguise(&mut server);
        let mut server = server
            .args(["--no-defaults", "--bootstrap", "--skip-log-bin"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", temporary.display()))
            .arg(format!("--lc-messages-dir={}", share.display()))
            .args(options::SIZES.lines().map(|line| format!("--{line}")))
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the server that makes a data folder")?;
        let mut input = server.stdin.take().context("the server has no input")?;
        // One that ended early tells why on its standard error, below.
        let _ = input.write_all(text.as_bytes());
        drop(input);
        let output = server.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "cannot make a data folder: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// The statements of a server's first start.
    pub(super) fn setup(self, accounts: &Accounts) -> String {
        let forget_root = match self {
            Self::Installed | Self::LaterMariaDb => {
                "DELETE FROM mysql.global_priv WHERE User IN ('root', '');\nFLUSH PRIVILEGES;\n"
            }
            Self::MySql => "DROP USER 'root'@'localhost';\n",
        };
        let monitor = match self {
            Self::Installed | Self::LaterMariaDb => "REPLICATION CLIENT, SLAVE MONITOR",
            Self::MySql => "REPLICATION CLIENT",
        };
        format!("{}{forget_root}", accounts.setup(monitor))
    }

    /// Makes a replica follow the primary at a port, from the position it has.
    pub(super) fn follow(self, port: u16, account: &Account) -> String {
        let Account { user, password } = account;
        match self {
            Self::Installed | Self::LaterMariaDb => format!(
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='{user}', \
                 MASTER_PASSWORD='{password}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, \
                 MASTER_SSL_VERIFY_SERVER_CERT=0; START SLAVE;"
            ),
            Self::MySql => format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, \
                 SOURCE_USER='{user}', SOURCE_PASSWORD='{password}', SOURCE_AUTO_POSITION=1, \
                 SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA;"
            ),
        }
    }

    /// Asks a primary how far it is.
    pub(super) fn position(self) -> &'static str {
        match self {
            Self::Installed | Self::LaterMariaDb => "SELECT @@gtid_binlog_pos",
            Self::MySql => "SELECT REPLACE(@@global.gtid_executed, '\\n', '')",
        }
    }

    /// Gives 0 once a replica is so far.
    pub(super) fn wait(self, position: &str) -> String {
        match self {
            Self::Installed | Self::LaterMariaDb => {
                format!("SELECT MASTER_GTID_WAIT('{position}', 60)")
            }
            Self::MySql => format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', 60)"),
        }
    }
}

/// Cargo's target folder, in which the running program lies.
pub(super) fn target_folder() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .context("this program does not lie in cargo's target folder")?;
    Ok(target.to_owned())
}
