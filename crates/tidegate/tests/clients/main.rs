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
    // Compressed it wants packets numbered by frames between results, which depends on when they come:
    // `compression` in `it` has what it can do.
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

#[test]
#[ignore = "needs a package of npm: cargo xtask test --all-clients"]
fn node_mysql2() {
    let lacks = &["cursor", "reset"];
    check(&Client::node("node_mysql2", "mysql2", lacks));
}

#[test]
#[ignore = "needs a package of npm: cargo xtask test --all-clients"]
fn node_mariadb() {
    let lacks = &["cursor", "database", "open encoding"];
    check(&Client::node("node_mariadb", "mariadb", lacks));
}

#[test]
#[ignore = "needs a package of PyPI: cargo xtask test --all-clients"]
fn mysql_connector_python() {
    let lacks = &["cursor"];
    check(&Client::python(
        "mysql_connector_python",
        "mysql.connector",
        lacks,
    ));
}

#[test]
#[ignore = "needs a package of PyPI: cargo xtask test --all-clients"]
fn mariadb_python() {
    let lacks = &["charset", "open encoding", "second-fails"];
    check(&Client::python("mariadb_python", "mariadb", lacks));
}

#[test]
#[ignore = "needs Java: cargo xtask test --all-clients"]
fn connector_j() {
    let lacks = &["change", "reset", "charset", "open encoding"];
    check(&Client::java("connector_j", lacks));
}

#[test]
#[ignore = "needs Go: cargo xtask test --all-clients"]
fn go_sql_driver() {
    let lacks = &[
        "change",
        "reset",
        "charset",
        "database",
        "cursor",
        "second-fails",
        "open compress",
    ];
    check(&Client::go("go_sql_driver", lacks));
}

#[test]
#[ignore = "is built by itself: cargo xtask test --all-clients"]
fn sqlx() {
    let lacks = &[
        "change",
        "reset",
        "charset",
        "database",
        "cursor",
        "load",
        "open compress",
    ];
    check(&Client::built("sqlx", "sqlx/debug/driver-sqlx", lacks));
}
