//! One `mariadbd`: started, asked, broken and brought back.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io::Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use super::account::{Account, Accounts};
use super::options::Options;
use super::product::Product;
use super::{program, template};
use crate::ports::PortLease;
use crate::scratch::{Managed, Scratch};
use crate::wait::{PATIENCE, wait_for};

/// The protocol's version byte, the first of every greeting's payload.
const PROTOCOL_VERSION: u8 = 10;

/// How much of an error log a failure shows.
const LOG_TAIL_LINES: usize = 15;

/// A MariaDB server on 127.0.0.1 that ends with this value.
#[derive(Debug)]
pub struct Server {
    name: String,
    product: Product,
    port: PortLease,
    folder: PathBuf,
    scratch: Arc<Scratch>,
    process: Mutex<Option<Managed>>,
}

impl Server {
    /// Makes a data folder and starts a server on it.
    pub(super) fn start(
        scratch: &Arc<Scratch>,
        product: Product,
        name: &str,
        server_id: u32,
        read_only: bool,
        accounts: &Accounts,
        extra: &[String],
    ) -> Result<Self> {
        let port = PortLease::take()?;
        let folder = scratch.folder(name)?;
        template::copy_to(product, &folder.join("data"))?;
        let options = product.options(&Options {
            folder: &folder,
            port: port.port(),
            server_id,
            read_only,
            extra,
        })?;
        scratch.write(&format!("{name}/my.cnf"), &options)?;
        scratch.write(
            &format!("{name}/client.cnf"),
            &client_options(&folder, &accounts.admin),
        )?;
        scratch.give_away(&folder)?;
        let server = Self {
            name: name.to_owned(),
            product,
            port,
            folder,
            scratch: Arc::clone(scratch),
            process: Mutex::new(None),
        };
        server.first_start(accounts)?;
        Ok(server)
    }

    fn first_start(&self, accounts: &Accounts) -> Result<()> {
        let setup = format!("{}/setup.sql", self.name);
        let setup = self.scratch.write(&setup, &self.product.setup(accounts))?;
        self.launch(&[format!("--init-file={}", setup.display())])?;
        self.wait_ready()?;
        fs::remove_file(setup)?;
        Ok(())
    }

    /// The server's name in its group: `primary`, `replica1`, ...
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, also while it is down.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The port of [`address`](Self::address).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.port()
    }

    /// Its UNIX socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }

    /// An option file with which MariaDB's own client logs in as administrator.
    #[must_use]
    pub fn client_options(&self) -> PathBuf {
        self.folder.join("client.cnf")
    }

    /// The process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Managed::pid)
    }

    /// The end of its error log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.folder.join("error.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// Runs statements as administrator, over the UNIX socket, and returns what MariaDB's client
    /// prints: a line a row, fields separated by tabs, `NULL` for null, no headings.
    ///
    /// # Errors
    /// The client is not installed, the server does not answer, or a statement failed.
    pub fn sql(&self, statements: &str) -> Result<String> {
        run_client(&self.client_options(), statements).with_context(|| format!("on {}", self.name))
    }

    /// [`sql`](Self::sql), taken apart into rows and fields.
    ///
    /// # Errors
    /// As `sql`.
    pub fn rows(&self, query: &str) -> Result<Vec<Vec<String>>> {
        let text = self.sql(query)?;
        Ok(text
            .lines()
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect())
    }

    /// The first field of the first row.
    ///
    /// # Errors
    /// As [`sql`](Self::sql), and when there is no row.
    pub fn value(&self, query: &str) -> Result<String> {
        let first = self
            .rows(query)?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next());
        first.with_context(|| format!("no row for {query:?} on {}", self.name))
    }

    /// Ends the process at once, as a crash or an out-of-memory kill would.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn kill(&self) -> Result<()> {
        match self.process().take() {
            Some(mut process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Shuts the server down in order.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn stop(&self) -> Result<()> {
        let Some(mut process) = self.process().take() else {
            return Ok(());
        };
        let status = process.terminate(PATIENCE)?;
        ensure!(
            status.success(),
            "{} ended with {status}: {}",
            self.name,
            self.log_tail()
        );
        Ok(())
    }

    /// Freezes the process: its connections stay open and it says nothing, like a host that lost
    /// its network.
    ///
    /// # Errors
    /// The process is gone.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts the server again, on the same port and data, after [`kill`](Self::kill) or
    /// [`stop`](Self::stop), and waits until it accepts.
    ///
    /// # Errors
    /// It is running, or did not come up.
    pub fn restart(&self) -> Result<()> {
        self.launch(&[])?;
        self.wait_ready()
    }

    /// Waits until the server greets a new connection.
    ///
    /// # Errors
    /// It ended instead, or did not accept in time; the text carries the end of its log.
    pub fn wait_ready(&self) -> Result<()> {
        let what = format!("{} to accept connections on {}", self.name, self.address());
        wait_for(&what, PATIENCE, || {
            if let Some(status) = self.exited()? {
                bail!(
                    "{} ended at its start, {status}: {}",
                    self.name,
                    self.log_tail()
                );
            }
            Ok(greets(self.address()).then_some(()))
        })
    }

    fn exited(&self) -> Result<Option<std::process::ExitStatus>> {
        self.process()
            .as_mut()
            .context("the server was not started")?
            .exited()
    }

    fn launch(&self, arguments: &[String]) -> Result<()> {
        let mut process = self.process();
        ensure!(process.is_none(), "{} is running already", self.name);
        let mut command = Command::new(self.product.server()?);
        command
            .arg(format!("--defaults-file={}/my.cnf", self.folder.display()))
            .args(arguments)
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        *process = Some(self.scratch.spawn(&self.name, &mut command)?);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.process()
            .as_mut()
            .context("the server is not running")?
            .signal(signal)
    }

    fn process(&self) -> MutexGuard<'_, Option<Managed>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `statements` through MariaDB's client with an option file that says where and who, and
/// returns what it prints: a line a row, fields separated by tabs, no headings.
///
/// # Errors
/// The client is not installed, the server does not answer, or a statement failed.
pub fn run_client(options: &Path, statements: &str) -> Result<String> {
    let mut client = Command::new(program::find_program(&["mariadb", "mysql"])?)
        .arg(format!("--defaults-file={}", options.display()))
        .args(["--batch", "--skip-column-names"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start MariaDB's client")?;
    let mut input = client.stdin.take().context("the client has no input")?;
    // A client that ended early tells why on its standard error, below.
    let _ = input.write_all(statements.as_bytes());
    drop(input);
    let output = client.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {statements}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn client_options(folder: &Path, account: &Account) -> String {
    format!(
        "[client]\nsocket={}/sock\nuser={}\npassword={}\ndefault_character_set=utf8mb4\n",
        folder.display(),
        account.user,
        account.password
    )
}

fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
        return false;
    };
    let mut greeting = [0u8; 5];
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && greeting[4] == PROTOCOL_VERSION
}
