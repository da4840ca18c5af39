//! Programs of the system that the tasks need, installed with the system's package manager.
//!
//! Only packages are added; no service is enabled or started on purpose, which is why the
//! packages without a service come first where a system splits them.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use rustix::process::getuid;
use tidegate_testkit::mariadb::find_program;

use crate::args::Args;
use crate::shell;

/// The task's help.
pub(crate) const HELP: &str = "\
install the system packages that tests and benchmarks need
  --bench   also sysbench, HAProxy and valgrind";

/// A program and the packages that bring it.
struct Need {
    what: &'static str,
    programs: &'static [&'static str],
    /// Package names by manager, in the order of [`MANAGERS`]; the first that installs is enough.
    packages: [&'static [&'static str]; 5],
}

/// How a package manager is called.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    install: &'static [&'static str],
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: &["update", "-qq"],
        install: &["install", "-y", "-qq", "--no-install-recommends"],
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y", "-q"],
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["--non-interactive", "install"],
    },
    Manager {
        program: "apk",
        refresh: &["update", "-q"],
        install: &["add", "-q"],
    },
    Manager {
        program: "pacman",
        refresh: &["-Sy", "--noconfirm"],
        install: &["-S", "--noconfirm", "--needed"],
    },
];

const SERVERS: &[Need] = &[
    Need {
        what: "the MariaDB server",
        programs: &["mariadbd", "mysqld"],
        packages: [
            &["mariadb-server-core", "mariadb-server"],
            &["mariadb-server"],
            &["mariadb"],
            &["mariadb"],
            &["mariadb"],
        ],
    },
    Need {
        what: "the MariaDB client",
        programs: &["mariadb", "mysql"],
        packages: [
            &["mariadb-client-core", "mariadb-client"],
            &["mariadb"],
            &["mariadb-client"],
            &["mariadb-client"],
            &["mariadb-clients"],
        ],
    },
];

const OPENSSL: &[Need] = &[Need {
    what: "openssl, which makes and reads what the tests of TLS and secrets compare with",
    programs: &["openssl"],
    packages: [&["openssl"]; 5],
}];

const MYSQL_TEST: &[Need] = &[Need {
    what: "MariaDB's test suite",
    programs: &["mariadb-test", "mysqltest"],
    packages: [
        &["mariadb-test"],
        &["mariadb-test"],
        &["mariadb-test"],
        &["mariadb-test"],
        // Its package of the server holds the suite too.
        &["mariadb"],
    ],
}];

const BENCH: &[Need] = &[
    Need {
        what: "sysbench",
        programs: &["sysbench"],
        packages: [&["sysbench"]; 5],
    },
    Need {
        what: "HAProxy",
        programs: &["haproxy"],
        packages: [&["haproxy"]; 5],
    },
    Need {
        what: "valgrind",
        programs: &["valgrind"],
        packages: [&["valgrind"]; 5],
    },
];

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let bench = args.flag("--bench");
    args.finish()?;
    servers()?;
    tests()?;
    if bench {
        self::bench()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes sure of MariaDB's server and client.
pub(crate) fn servers() -> Result<()> {
    ensure_all(SERVERS)
}

/// Makes sure of what the tests need beside servers.
pub(crate) fn tests() -> Result<()> {
    ensure_all(OPENSSL)
}

/// Makes sure of MariaDB's client alone.
pub(crate) fn client() -> Result<()> {
    ensure_all(&SERVERS[1..])
}

/// Makes sure of MariaDB's test suite.
pub(crate) fn mysql_test() -> Result<()> {
    ensure_all(MYSQL_TEST)
}

/// Makes sure of what the benchmarks add.
pub(crate) fn bench() -> Result<()> {
    ensure_all(BENCH)
}

fn ensure_all(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs
        .iter()
        .filter(|need| find_program(need.programs).is_err())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (index, manager) = MANAGERS
        .iter()
        .enumerate()
        .find(|(_, manager)| find_program(&[manager.program]).is_ok())
        .with_context(|| {
            let names: Vec<&str> = missing.iter().map(|need| need.what).collect();
            format!(
                "no package manager known here: please install {}",
                names.join(", ")
            )
        })?;
    if !manager.refresh.is_empty() {
        println!(
            "reading the package lists ({} {})",
            manager.program,
            manager.refresh.join(" ")
        );
        shell::run(manager.command().args(manager.refresh))?;
    }
    for need in missing {
        manager.install(need, need.packages[index])?;
    }
    Ok(())
}

impl Manager {
    /// The manager, with `sudo` for ordinary users.
    fn command(&self) -> Command {
        let mut command = if getuid().is_root() {
            Command::new(self.program)
        } else {
            let mut sudo = Command::new("sudo");
            sudo.arg(self.program);
            sudo
        };
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn install(&self, need: &Need, packages: &[&str]) -> Result<()> {
        for package in packages {
            println!(
                "installing {} ({} package {package})",
                need.what, self.program
            );
            let installed = shell::run(self.command().args(self.install).arg(package));
            match installed {
                Ok(()) if find_program(need.programs).is_ok() => return Ok(()),
                Ok(()) => println!("{package} does not bring {}", need.programs.join(" or ")),
                Err(error) => println!("{error:#}"),
            }
        }
        bail!("could not install {}: please install it by hand", need.what)
    }
}
