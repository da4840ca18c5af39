//! Clients that others wrote: what they see directly, they see through both routers.
//!
//! Each client runs the steps of `scenario.txt` by a small program of its language (`drivers/`),
//! which answers each step with one line. The lines of three runs are compared: with a server, by
//! readconnroute, by readwritesplit. Any difference fails.
//!
//! What is ignored here needs packages that take long to install; `cargo xtask test --all-clients`
//! brings them and runs everything.

mod command_line;
mod driver;
mod matrix;
mod rust;
mod scenario;
mod stage;

use driver::Client;
use matrix::check;

const PHP: &[&str] = &["php", "-d", "mysqli.allow_local_infile=1"];

#[test]
fn pymysql() {
    check(&Client::python(
        "pymysql",
        "pymysql",
        &["cursor", "change", "reset", "open compress"],
    ));
}

#[test]
fn mysqlclient() {
    check(&Client::python(
        "mysqlclient",
        "MySQLdb",
        &["cursor", "reset"],
    ));
}

#[test]
fn odbc() {
    let lacks = &[
        "cursor",
        "change",
        "reset",
        "open compress",
        "ping",
        "database",
        "charset",
    ];
    check(&Client::python("odbc", "pyodbc", lacks));
}

#[test]
fn php_mysqli() {
    check(&Client::script(
        "php_mysqli",
        PHP,
        "php.php",
        "mysqli",
        &["reset"],
    ));
}

#[test]
fn php_pdo() {
    let lacks = &["cursor", "change", "reset", "database", "charset"];
    check(&Client::script("php_pdo", PHP, "php.php", "pdo", lacks));
}

#[test]
fn perl_dbd_mariadb() {
    let lacks = &["cursor", "change", "reset", "database", "charset"];
    check(&Client::script(
        "perl_dbd_mariadb",
        &["perl"],
        "dbi.pl",
        "MariaDB",
        lacks,
    ));
}

#[test]
fn perl_dbd_mysql() {
    let lacks = &[
        "cursor", "change", "reset", "database", "charset", "open tls",
    ];
    check(&Client::script(
        "perl_dbd_mysql",
        &["perl"],
        "dbi.pl",
        "mysql",
        lacks,
    ));
}

#[test]
fn ruby_mysql2() {
    let lacks = &["cursor", "change", "reset", "charset", "open compress"];
    check(&Client::script(
        "ruby_mysql2",
        &["ruby"],
        "mysql2.rb",
        "",
        lacks,
    ));
}

#[test]
fn mysql_async() {
    let lacks = &[
        "cursor",
        "database",
        "charset",
        "open encoding",
        "open tls",
        "open compress",
    ];
    check(&Client::rust("mysql_async", lacks));
}
