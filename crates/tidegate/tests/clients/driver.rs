//! A client's small program, asked step by step.
//!
//! It is told where to go by variables (`DB_HOST`, `DB_PORT`, ...), reads a step a line (the verb
//! and its fields, between tabs) and answers each with one line: `ok`, what it got, `error` with
//! number and text, or `unsupported`. It ends with its input, and so with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

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
        /// The interpreter, and what stands before the program's own file.
        words: Vec<String>,
        script: &'static str,
        argument: &'static str,
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
    /// A script of `drivers/` that `words` run.
    pub(crate) fn script(
        name: &'static str,
        words: &[&str],
        script: &'static str,
        argument: &'static str,
        lacks: &'static [&'static str],
    ) -> Client {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let kind = Kind::Program {
            words,
            script,
            argument,
        };
        Client { name, lacks, kind }
    }

    /// A module of Python's DB-API. Modules of the system's packages are known to the system's
    /// Python only, which need not be the first in the path.
    pub(crate) fn python(
        name: &'static str,
        module: &'static str,
        lacks: &'static [&'static str],
    ) -> Client {
        let system = "/usr/bin/python3";
        let python = if Path::new(system).exists() {
            system
        } else {
            "python3"
        };
        Client::script(name, &[python], "dbapi.py", module, lacks)
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
            Kind::Program {
                words,
                script,
                argument,
            } => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/drivers");
                let mut command = Command::new(&words[0]);
                command
                    .args(&words[1..])
                    .arg(folder.join(script))
                    .arg(argument);
                Driver::Process(Process::start(command, to))
            }
        }
    }
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
        answer.unwrap_or_else(|error| format!("no answer: {error}, {:?}", self.child.try_wait()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
