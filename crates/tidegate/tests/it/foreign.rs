//! Servers of other releases than the system's: MySQL, and a later MariaDB, with their own clients.
//!
//! All of it is ignored without `cargo xtask test --foreign`, which brings the servers.

mod later_mariadb;
mod mysql;

use std::process::Command;

use tidegate_testkit::Tidegate;
use tidegate_testkit::mariadb::{Account, Product};

/// What a release's own client prints for some statements, or what it says went wrong.
fn ask(
    product: Product,
    tidegate: &Tidegate,
    account: &Account,
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let name = match product {
        Product::Installed | Product::LaterMariaDb => "mariadb",
        Product::MySql => "mysql",
    };
    let output = Command::new(product.program(name).expect("a client"))
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
        .args(["--batch", "--skip-column-names"])
        .arg(format!("--port={}", tidegate.address("rw").port()))
        .arg(format!("--user={}", account.user))
        .arg(format!("--password={}", account.password))
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

/// The same account with a password that is wrong.
fn mistyped(account: &Account) -> Account {
    Account {
        password: "wrong".to_owned(),
        ..account.clone()
    }
}
