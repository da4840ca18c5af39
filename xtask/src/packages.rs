//! Programs of the system that the tasks need, installed with the system's package manager.
//!
//! Only packages are added; no service is enabled or started on purpose, which is why the
//! packages without a service come first where a system splits them.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::getuid;
use tidegate_testkit::mariadb::find_program;

use crate::args::Args;
use crate::shell;

/// The task's help.
pub(crate) const HELP: &str = "\
install the system packages that tests and benchmarks need
  --bench    also sysbench, HAProxy and valgrind
  --foreign  also MySQL and a later MariaDB, unpacked into the target folder";

/// Something needed and the packages that bring it.
struct Need {
    what: &'static str,
    sign: Sign,
    /// Package names by manager, in the order of [`MANAGERS`]; the first that installs is enough.
    packages: [&'static [&'static str]; 5],
}

/// How to tell that something is there.
enum Sign {
    /// One of these programs is.
    Program(&'static [&'static str]),
    /// This command succeeds.
    Success(&'static [&'static str]),
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
        sign: Sign::Program(&["mariadbd", "mysqld"]),
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
        sign: Sign::Program(&["mariadb", "mysql"]),
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
    sign: Sign::Program(&["openssl"]),
    packages: [&["openssl"]; 5],
}];

const MYSQL_TEST: &[Need] = &[Need {
    what: "MariaDB's test suite",
    sign: Sign::Program(&["mariadb-test", "mysqltest"]),
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
        sign: Sign::Program(&["sysbench"]),
        packages: [&["sysbench"]; 5],
    },
    Need {
        what: "HAProxy",
        sign: Sign::Program(&["haproxy"]),
        packages: [&["haproxy"]; 5],
    },
    Need {
        what: "valgrind",
        sign: Sign::Program(&["valgrind"]),
        packages: [&["valgrind"]; 5],
    },
];

/// Clients of other languages that install quickly; the tests of clients run by each.
const CLIENTS: &[Need] = &[
    Need {
        what: "PyMySQL",
        sign: Sign::Success(&[PYTHON, "-c", "import pymysql"]),
        packages: [
            &["python3-pymysql"],
            &["python3-PyMySQL"],
            &["python3-PyMySQL"],
            &["py3-pymysql"],
            &["python-pymysql"],
        ],
    },
    Need {
        what: "mysqlclient for Python",
        sign: Sign::Success(&[PYTHON, "-c", "import MySQLdb"]),
        packages: [
            &["python3-mysqldb"],
            &["python3-mysqlclient"],
            &["python3-mysqlclient"],
            &["py3-mysqlclient"],
            &["python-mysqlclient"],
        ],
    },
    Need {
        what: "ODBC for Python",
        sign: Sign::Success(&[PYTHON, "-c", "import pyodbc"]),
        packages: [
            &["python3-pyodbc"],
            &["python3-pyodbc"],
            &["python3-pyodbc"],
            &["py3-pyodbc"],
            &["python-pyodbc"],
        ],
    },
    Need {
        what: "MariaDB Connector/ODBC",
        sign: Sign::Success(&["grep", "-q", "MariaDB Unicode", "/etc/odbcinst.ini"]),
        packages: [
            &["odbc-mariadb"],
            &["mariadb-connector-odbc"],
            &["mariadb-connector-odbc"],
            &["mariadb-connector-odbc"],
            &["mariadb-connector-odbc"],
        ],
    },
    Need {
        what: "PHP",
        sign: Sign::Program(&["php"]),
        packages: [
            &["php-cli"],
            &["php-cli"],
            &["php8-cli", "php-cli"],
            &["php", "php84", "php83"],
            &["php"],
        ],
    },
    Need {
        what: "PHP's mysqli and PDO",
        sign: Sign::Success(&[
            "php",
            "-r",
            "exit(extension_loaded('mysqli') && extension_loaded('pdo_mysql') ? 0 : 1);",
        ]),
        packages: [
            &["php-mysql"],
            &["php-mysqlnd"],
            &["php8-mysql"],
            &["php-mysqli", "php84-pdo_mysql", "php83-pdo_mysql"],
            &["php"],
        ],
    },
    Need {
        what: "DBD::MariaDB for Perl",
        sign: Sign::Success(&["perl", "-MDBD::MariaDB", "-e", "1"]),
        packages: [
            &["libdbd-mariadb-perl"],
            &["perl-DBD-MariaDB"],
            &["perl-DBD-MariaDB"],
            &["perl-dbd-mariadb"],
            &["perl-dbd-mariadb"],
        ],
    },
    Need {
        what: "DBD::mysql for Perl",
        sign: Sign::Success(&["perl", "-MDBD::mysql", "-e", "1"]),
        packages: [
            &["libdbd-mysql-perl"],
            &["perl-DBD-MySQL"],
            &["perl-DBD-mysql"],
            &["perl-dbd-mysql"],
            &["perl-dbd-mysql"],
        ],
    },
    Need {
        what: "mysql2 for Ruby",
        sign: Sign::Success(&["ruby", "-rmysql2", "-e", "1"]),
        packages: [
            &["ruby-mysql2"],
            &["rubygem-mysql2"],
            &["ruby-mysql2", "rubygem-mysql2"],
            &["ruby-mysql2"],
            &["ruby-mysql2"],
        ],
    },
];

/// What the clients need that take longer to install.
const SLOW_CLIENTS: &[Need] = &[
    Need {
        what: "Node.js and npm",
        sign: Sign::Success(&["npm", "--version"]),
        packages: [
            &["npm"],
            &["npm"],
            &["npm-default", "npm"],
            &["npm"],
            &["npm"],
        ],
    },
    Need {
        what: "pip",
        sign: Sign::Success(&[PYTHON, "-m", "pip", "--version"]),
        packages: [
            &["python3-pip"],
            &["python3-pip"],
            &["python3-pip"],
            &["py3-pip"],
            &["python-pip"],
        ],
    },
    Need {
        what: "headers of Python, to build MariaDB's client for it",
        sign: Sign::Success(&[
            "sh",
            "-c",
            "test -e \"$(/usr/bin/python3 -c 'import sysconfig; \
             print(sysconfig.get_paths()[\"include\"])')/Python.h\"",
        ]),
        packages: [
            &["python3-dev"],
            &["python3-devel"],
            &["python3-devel"],
            &["python3-dev"],
            &["python"],
        ],
    },
    Need {
        what: "MariaDB Connector/C, to build MariaDB's client for Python",
        sign: Sign::Program(&["mariadb_config"]),
        packages: [
            &["libmariadb-dev"],
            &["mariadb-connector-c-devel"],
            &["libmariadb-devel"],
            &["mariadb-connector-c-dev"],
            &["mariadb-libs"],
        ],
    },
    Need {
        what: "Java's compiler",
        sign: Sign::Program(&["javac"]),
        packages: [
            &["default-jdk-headless"],
            &["java-latest-openjdk-devel"],
            &["java-21-openjdk-devel"],
            &["openjdk21-jdk"],
            &["jdk-openjdk"],
        ],
    },
    Need {
        what: "MariaDB Connector/J",
        sign: Sign::Success(&["test", "-e", "/usr/share/java/mariadb-java-client.jar"]),
        packages: [
            &["libmariadb-java"],
            &["mariadb-java-client"],
            &["mariadb-java-client"],
            &["mariadb-java-client"],
            &["mariadb-java-client"],
        ],
    },
    Need {
        what: "Go",
        sign: Sign::Program(&["go"]),
        packages: [&["golang-go"], &["golang"], &["go"], &["go"], &["go"]],
    },
    Need {
        what: "go-sql-driver/mysql",
        sign: Sign::Success(&[
            "test",
            "-d",
            "/usr/share/gocode/src/github.com/go-sql-driver/mysql",
        ]),
        packages: [
            &["golang-github-go-sql-driver-mysql-dev"],
            &["golang-github-sql-driver-mysql-devel"],
            &["golang-github-go-sql-driver-mysql"],
            &["go-sql-driver-mysql"],
            &["go-sql-driver-mysql"],
        ],
    },
];

/// The Python that knows the system's packages.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let bench = args.flag("--bench");
    let foreign = args.flag("--foreign");
    args.finish()?;
    servers()?;
    tests()?;
    clients()?;
    if bench {
        self::bench()?;
    }
    if foreign {
        crate::foreign::install()?;
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

/// Makes sure of the clients that install quickly.
pub(crate) fn clients() -> Result<()> {
    ensure_all(CLIENTS)
}

/// Makes sure of what the clients need that take longer to install.
pub(crate) fn slow_clients() -> Result<()> {
    ensure_all(SLOW_CLIENTS)
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
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.sign.seen()).collect();
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

impl Sign {
    fn seen(&self) -> bool {
        match self {
            Sign::Program(names) => find_program(names).is_ok(),
            Sign::Success(words) => Command::new(words[0])
                .args(&words[1..])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
        }
    }
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
                Ok(()) if need.sign.seen() => return Ok(()),
                Ok(()) => println!("{package} does not bring {}", need.what),
                Err(error) => println!("{error:#}"),
            }
        }
        bail!("could not install {}: please install it by hand", need.what)
    }
}
