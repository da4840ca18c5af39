//! The `tidegate` program, started on a configuration file in a folder of its own.
//!
//! The configuration text names its ports and folder instead of choosing them: `<port:NAME>`
//! stands for a free port, the same for each use of the name, and `<folder>` for the folder.
//! `admin` is by custom the REST interface's port.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use crate::http::Rest;
use crate::ports::{PortLease, is_listening};
use crate::scratch::{Managed, Scratch};
use crate::secrets;
use crate::wait::{PATIENCE, wait_for};

/// The variable that names the program to test, instead of the one beside the test's own.
const BINARY: &str = "TIDEGATE_BIN";

/// The folders a server may write to, as options of the command line.
const FOLDERS: [&str; 6] = [
    "logdir",
    "cachedir",
    "datadir",
    "persistdir",
    "piddir",
    "module_configdir",
];

/// How to start [`Tidegate`].
#[derive(Debug)]
pub struct TidegateBuilder {
    config: String,
    binary: Option<PathBuf>,
    arguments: Vec<String>,
    through: Vec<String>,
    variables: Vec<(String, String)>,
    scratch: Option<Arc<Scratch>>,
}

/// All that a [`Tidegate`] needs before its process starts.
#[derive(Debug)]
pub struct Prepared {
    command: Command,
    scratch: Arc<Scratch>,
    ports: BTreeMap<String, PortLease>,
    folder: PathBuf,
    config: String,
}

/// A running (or ended) `tidegate`. Dropping it kills it and removes its files.
#[derive(Debug)]
pub struct Tidegate {
    process: Managed,
    /// What started it, for the next time.
    command: Command,
    ports: BTreeMap<String, PortLease>,
    folder: PathBuf,
    config: String,
}

impl TidegateBuilder {
    /// Another program than the one cargo built beside the test.
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Started by another program, with the program's own line behind these words.
    #[must_use]
    pub fn through(mut self, words: &[&str]) -> Self {
        self.through = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lives in a folder that others live in too, instead of one of its own.
    #[must_use]
    pub fn scratch(mut self, scratch: &Arc<Scratch>) -> Self {
        self.scratch = Some(Arc::clone(scratch));
        self
    }

    /// Starts the program and waits until all its ports listen.
    ///
    /// # Errors
    /// The program is not built, or ended, or did not listen in time; the text carries its log.
    pub fn start(self) -> Result<Tidegate> {
        let mut tidegate = self.launch()?;
        tidegate.wait_ready()?;
        Ok(tidegate)
    }

    /// Starts the program and does not wait: for configurations that should not start.
    ///
    /// # Errors
    /// The program is not built, or its folder could not be made.
    pub fn launch(self) -> Result<Tidegate> {
        self.prepare()?.launch()
    }

    /// Makes everything but the process, for tests that measure the start itself.
    ///
    /// # Errors
    /// The program is not built, or its folder could not be made.
    pub fn prepare(self) -> Result<Prepared> {
        let scratch = match &self.scratch {
            Some(scratch) => Arc::clone(scratch),
            None => Scratch::new("tidegate")?,
        };
        let folder = scratch.folder("tidegate")?;
        let mut ports = BTreeMap::new();
        let config = fill_in(&self.config, &folder, &mut ports)?;
        let file = scratch.write("tidegate/tidegate.cnf", &config)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let log = File::create(folder.join("output.log"))?;
        let binary = self.binary.clone().map_or_else(find_binary, Ok)?;
        let binary = within_reach(&binary, &scratch)?;
        let mut command = match self.through.split_first() {
            None => Command::new(binary),
            Some((first, words)) => {
                let mut command = Command::new(first);
                command.args(words).arg(binary);
                command
            }
        };
        command
            .arg(format!("--config={}", file.display()))
            .args(["--nodaemon", "--log=stdout"])
            .args(&self.arguments)
            .envs(self.variables)
            .current_dir(&folder)
            .stdout(log.try_clone()?)
            .stderr(log);
        for name in FOLDERS {
            let path = scratch.folder(&format!("tidegate/{name}"))?;
            command.arg(format!("--{name}={}", path.display()));
        }
        Ok(Prepared {
            command,
            scratch,
            ports,
            folder,
            config,
        })
    }
}

impl Prepared {
    /// Starts the program and does not wait.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn launch(mut self) -> Result<Tidegate> {
        let process = self.scratch.spawn("tidegate", &mut self.command)?;
        Ok(Tidegate {
            process,
            command: self.command,
            ports: self.ports,
            folder: self.folder,
            config: self.config,
        })
    }
}

impl Tidegate {
    /// For a configuration text with `<port:NAME>` and `<folder>` in it.
    #[must_use]
    pub fn builder(config: &str) -> TidegateBuilder {
        TidegateBuilder {
            config: config.to_owned(),
            binary: None,
            arguments: Vec::new(),
            through: Vec::new(),
            variables: Vec::new(),
            scratch: None,
        }
    }

    /// Starts the built program on a configuration text and waits until it accepts.
    ///
    /// # Errors
    /// As [`TidegateBuilder::start`].
    pub fn start(config: &str) -> Result<Self> {
        Self::builder(config).start()
    }

    /// The address of `<port:NAME>`.
    ///
    /// # Panics
    /// The configuration has no such port: a mistake of the test.
    #[must_use]
    pub fn address(&self, port: &str) -> SocketAddr {
        match self.ports.get(port) {
            Some(lease) => lease.address(),
            None => panic!("the configuration names no <port:{port}>"),
        }
    }

    /// A client of the REST interface with the default login.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(self.address("admin")).login("admin", "mariadb")
    }

    /// The folder with configuration file, log and data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The configuration file's text as the program read it.
    #[must_use]
    pub fn config(&self) -> &str {
        &self.config
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All it has written to its standard output and error so far: its log.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("output.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until the log holds `text`.
    ///
    /// # Errors
    /// It did not come in time; the error carries the log.
    pub fn wait_log(&self, text: &str) -> Result<()> {
        wait_for(&format!("{text:?} in the log"), PATIENCE, || {
            Ok(self.log().contains(text).then_some(()))
        })
        .with_context(|| self.log())
    }

    /// Waits until every port of the configuration listens. No connection is made for it, so
    /// sessions and counters begin with the test's own.
    ///
    /// # Errors
    /// The program ended instead, or a port stayed closed; the text carries the log.
    pub fn wait_ready(&mut self) -> Result<()> {
        let ports: Vec<u16> = self.ports.values().map(PortLease::port).collect();
        for port in ports {
            wait_for(
                &format!("tidegate to listen on port {port}"),
                PATIENCE,
                || {
                    if let Some(status) = self.process.exited()? {
                        bail!("tidegate ended at its start, {status}");
                    }
                    Ok(is_listening(port).then_some(()))
                },
            )
            .with_context(|| self.log())?;
        }
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Ends the process at once.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// It did not end within [`PATIENCE`].
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.process.terminate(PATIENCE).with_context(|| self.log())
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// It did not within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.wait(deadline).with_context(|| self.log())
    }

    /// Ends the process in order if it runs, and starts it again in the same folder, on the same
    /// configuration and ports. Does not wait until it listens. The log goes on in the same file.
    ///
    /// # Errors
    /// It did not end in time, or could not be started.
    pub fn restart(&mut self) -> Result<()> {
        self.terminate()?;
        let scratch = Arc::clone(self.process.scratch());
        self.process = scratch.spawn("tidegate", &mut self.command)?;
        Ok(())
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// The operating system does not know the process any more.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.process.exited()
    }
}

impl Drop for Tidegate {
    fn drop(&mut self) {
        secrets::check("its output", &self.log());
        let path = self.folder.join("logdir/tidegate.log");
        // A test may have put something without an end there.
        if fs::metadata(&path).is_ok_and(|file| file.is_file()) {
            let log = fs::read(&path).unwrap_or_default();
            secrets::check("its log", &String::from_utf8_lossy(&log));
        }
    }
}

/// Replaces `<folder>` and each `<port:NAME>`, leasing ports for names that are new.
fn fill_in(text: &str, folder: &Path, ports: &mut BTreeMap<String, PortLease>) -> Result<String> {
    let mut config = text.replace("<folder>", &folder.display().to_string());
    while let Some((before, after)) = config.split_once("<port:") {
        let (name, rest) = after.split_once('>').context("a <port: without its end")?;
        if !ports.contains_key(name) {
            ports.insert(name.to_owned(), PortLease::take()?);
        }
        let port = ports.get(name).map_or(0, PortLease::port);
        config = format!("{before}{port}{rest}");
    }
    Ok(config)
}

/// The program cargo built in the same profile as the running test.
fn find_binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(BINARY) {
        return Ok(path.into());
    }
    let test = env::current_exe().context("cannot tell where this program lies")?;
    let found = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("tidegate"));
    found
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "no tidegate beside {}: `cargo build -p tidegate` first",
                test.display()
            )
        })
}

/// A path under which an unprivileged user can start the program: a copy in the folder, if the
/// build lies in a folder that is closed to others.
fn within_reach(binary: &Path, scratch: &Scratch) -> Result<PathBuf> {
    let binary = binary
        .canonicalize()
        .with_context(|| format!("no {}", binary.display()))?;
    ensure!(binary.is_file(), "{} is no program", binary.display());
    let open =
        |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 1 == 1);
    if !scratch.changes_user() || binary.ancestors().all(open) {
        return Ok(binary);
    }
    let copy = scratch.path().join("tidegate.bin");
    fs::copy(&binary, &copy).with_context(|| format!("cannot write {}", copy.display()))?;
    scratch.give_away(&copy)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_port() {
        let mut ports = BTreeMap::new();
        let text = "a=<port:x>\nb=<port:y>\nc=<port:x>\nd=<folder>/e\n";
        let text = fill_in(text, Path::new("/f"), &mut ports).expect("filled in");
        let values: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(values[0], values[2]);
        assert_ne!(values[0], values[1]);
        assert_eq!(values[3], "/f/e");
        assert_eq!(ports.len(), 2);
    }

    #[test]
    fn an_unfinished_name_is_an_error() {
        assert!(fill_in("a=<port:x", Path::new("/f"), &mut BTreeMap::new()).is_err());
    }
}
