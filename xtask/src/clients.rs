//! Clients of package registries, for the tests of clients: installed into the target folder.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::packages::{self, PYTHON};
use crate::shell;

/// Packages of npm; the major versions that the tests were written with.
const NPM: [&str; 2] = ["mysql2@3", "mariadb@3"];

/// Packages of PyPI. MariaDB's next major version of its client has another interface.
const PYPI: [&str; 2] = ["mysql-connector-python", "mariadb<1.2"];

/// The project of the driver that is built with sqlx.
const SQLX: &str = "crates/tidegate/tests/clients/drivers/sqlx/Cargo.toml";

/// Makes sure of all clients, those that install quickly aside.
pub(crate) fn install() -> Result<()> {
    packages::slow_clients()?;
    let folder = shell::target_folder()?.join("xtask/clients");
    let node = folder.join("node");
    fs::create_dir_all(&node)?;
    println!("installing {} (npm)", NPM.join(" and "));
    shell::run(
        Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&node)
            .args(NPM),
    )?;
    println!("installing {} (pip)", PYPI.join(" and "));
    shell::run(
        Command::new(PYTHON)
            .args(["-m", "pip", "install", "--quiet", "--upgrade"])
            .args(["--root-user-action=ignore", "--target"])
            .arg(folder.join("python"))
            .args(PYPI),
    )?;
    println!("building the driver with sqlx");
    shell::run(
        shell::cargo()
            .args(["build", "--quiet", "--locked", "--manifest-path", SQLX])
            .arg("--target-dir")
            .arg(folder.join("sqlx")),
    )
}
