//! Clients that others wrote, at work: the command-line clients, and `mysql_async`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use mysql_async::OptsBuilder;
use tidegate_testkit::Tidegate;
use tidegate_testkit::mariadb::Account;

/// What a command-line client prints for some statements, or what it says went wrong. `place`:
/// `--port=NUMBER` here, or `--socket=PATH`.
pub(crate) fn ask_by(
    program: &Path,
    place: &str,
    (user, password): (&str, &str),
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let network: &[&str] = if place.starts_with("--socket") {
        &["--protocol=socket"]
    } else {
        &["--protocol=tcp", "--host=127.0.0.1"]
    };
    let output = Command::new(program)
        .args(["--no-defaults", place])
        .args(network)
        .args(["--batch", "--skip-column-names"])
        .args([format!("--user={user}"), format!("--password={password}")])
        .args(options)
        .args(["--execute", sql])
        .output()
        .expect("the client");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The same of MariaDB's client before `<port:rw>`.
pub(crate) fn ask(
    tidegate: &Tidegate,
    user: &str,
    password: &str,
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let place = format!("--port={}", tidegate.address("rw").port());
    ask_by(Path::new("mariadb"), &place, (user, password), options, sql)
}

/// How `mysql_async` logs in over the network, to the database `test`.
pub(crate) fn opts(address: SocketAddr, account: &Account) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some(&account.user))
        .pass(Some(&account.password))
        .db_name(Some("test"))
        .prefer_socket(false)
}

/// Where it runs.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
