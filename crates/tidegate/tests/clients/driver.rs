//! A client's small program, asked step by step.
//!
//! It is told where to go by variables (`DB_HOST`, `DB_PORT`, ...), reads a step a line (the verb
//! and its fields, between tabs) and answers each with one line: `ok`, what it got, `error` with
//! number and text, or `unsupported`. It ends with its input, and so with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use tidegate_testkit::{Account, PATIENCE};

use crate::rust;

/// A client and how its program is started.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its name here, part of its databases' names.
    pub(crate) name: &'static str,
    /// The verbs, and the options of `open`, for which it has nothing.
    pub(crate) lacks: &'static [&'static str],
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Program {
        words: Vec<String>,
        /// More of its surroundings.
        variables: Vec<(&'static str, String)>,
    },
    Rust,
}

/// Where a driver goes, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    /// Where TLS is spoken.
    pub(crate) tls: SocketAddr,
    pub(crate) account: Account,
    pub(crate) database: String,
    /// The certificate of the authority that signed those of servers and proxy.
    pub(crate) ca: PathBuf,
}

/// A driver at work.
pub(crate) enum Driver {
    Process(Process),
    Rust(rust::Driver),
}

/// A driver that is a process.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Client {
    /// A script of `drivers/` that these words run, and its argument.
    pub(crate) fn script(
        name: &'static str,
        words: &[&str],
        script: &str,
        argument: &str,
        lacks: &'static [&'static str],
    ) -> Client {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/drivers");
        let script = format!("{folder}/{script}");
        Client::program(name, &[words, &[&script, argument]].concat(), lacks)
    }

    /// A program that has been built of `drivers/`.
    pub(crate) fn built(name: &'static str, path: &str, lacks: &'static [&'static str]) -> Client {
        Client::program(name, &[&registry(path)], lacks)
    }

    fn program(name: &'static str, words: &[&str], lacks: &'static [&'static str]) -> Client {
        let kind = Kind::Program {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            variables: Vec::new(),
        };
        Client { name, lacks, kind }
    }

    /// With one more variable.
    fn variable(mut self, variable: &'static str, value: String) -> Client {
        if let Kind::Program { variables, .. } = &mut self.kind {
            variables.push((variable, value));
        }
        self
    }

    /// A module of Python's DB-API. Modules of the system's packages are known to the system's
    /// Python only, which need not be the first in the path.
    pub(crate) fn python(
        name: &'static str,
        module: &str,
        lacks: &'static [&'static str],
    ) -> Client {
        let system = "/usr/bin/python3";
        let python = if Path::new(system).exists() {
            system
        } else {
            "python3"
        };
        Client::script(name, &[python], "dbapi.py", module, lacks)
            .variable("PYTHONPATH", registry("python"))
    }

    /// A module of Node.js.
    pub(crate) fn node(name: &'static str, module: &str, lacks: &'static [&'static str]) -> Client {
        Client::script(name, &["node"], "node.js", module, lacks)
            .variable("NODE_PATH", registry("node/node_modules"))
    }

    /// Connector/J, where packages put it.
    pub(crate) fn java(name: &'static str, lacks: &'static [&'static str]) -> Client {
        let jar = "/usr/share/java/mariadb-java-client.jar";
        Client::script(name, &["java", "-cp", jar], "Driver.java", "", lacks)
    }

    /// Go with the packages of the system.
    pub(crate) fn go(name: &'static str, lacks: &'static [&'static str]) -> Client {
        Client::script(name, &["go", "run"], "driver.go", "", lacks)
            .variable("GO111MODULE", "off".to_owned())
            .variable("GOPATH", "/usr/share/gocode".to_owned())
    }

    /// `mysql_async`, in this process.
    pub(crate) fn rust(name: &'static str, lacks: &'static [&'static str]) -> Client {
        let kind = Kind::Rust;
        Client { name, lacks, kind }
    }

    /// Starts the driver.
    pub(crate) fn start(&self, to: &Destination) -> Driver {
        match &self.kind {
            Kind::Rust => Driver::Rust(rust::Driver::new(to)),
            Kind::Program { words, variables } => {
                let mut command = Command::new(&words[0]);
                command
                    .args(&words[1..])
                    .envs(variables.iter().map(|(name, value)| (name, value)));
                Driver::Process(Process::start(command, to))
            }
        }
    }
}

/// Where `cargo xtask test --all-clients` puts packages of registries.
fn registry(name: &str) -> String {
    format!("{}/../xtask/clients/{name}", env!("CARGO_TARGET_TMPDIR"))
}

impl Driver {
    /// Hands over a step; the answer comes by [`answer`](Self::answer).
    pub(crate) fn send(&mut self, verb: &str, fields: &[String]) {
        match self {
            Driver::Process(process) => process.send(verb, fields),
            Driver::Rust(driver) => driver.send(verb, fields),
        }
    }

    /// What the client got.
    pub(crate) fn answer(&mut self) -> String {
        match self {
            Driver::Process(process) => process.answer(),
            Driver::Rust(driver) => driver.answer(),
        }
    }
}

impl Process {
    fn start(mut command: Command, to: &Destination) -> Process {
        let Destination {
            address,
            tls,
            account,
            database,
            ca,
        } = to;
        let mut child = command
            .env("DB_HOST", address.ip().to_string())
            .env("DB_PORT", address.port().to_string())
            .env("DB_TLS_PORT", tls.port().to_string())
            .env("DB_USER", &account.user)
            .env("DB_PASSWORD", &account.password)
            .env("DB_NAME", database)
            .env("DB_CA", ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (told, answers) = channel();
        // It ends with the driver, or with the test.
        thread::spawn(move || {
            output
                .split(b'\n')
                .map_while(Result::ok)
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .all(|line| told.send(line).is_ok())
        });
        Process {
            child,
            input,
            answers,
        }
    }

    fn send(&mut self, verb: &str, fields: &[String]) {
        let words: Vec<&str> = std::iter::once(verb)
            .chain(fields.iter().map(String::as_str))
            .collect();
        // A driver that has ended gives no answer, which is told below.
        let _ = writeln!(self.input, "{}", words.join("\t"));
        let _ = self.input.flush();
    }

    fn answer(&mut self) -> String {
        let answer = self.answers.recv_timeout(PATIENCE);
        answer.unwrap_or_else(|error| panic!("no answer: {error}, {:?}", self.child.try_wait()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already is what is wanted.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
