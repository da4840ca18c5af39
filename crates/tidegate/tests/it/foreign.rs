//! Servers of other releases than the system's: MySQL, and a later MariaDB, with their own clients.
//!
//! All of it is ignored without `cargo xtask test --foreign`, which brings the servers.

mod later_mariadb;
mod mysql;

use tidegate_testkit::mariadb::{Account, Product};
use tidegate_testkit::{Server, Tidegate};

use crate::greeting::Begun;
use crate::others::ask_by;

/// What a release's own client prints for some statements, or what it says went wrong.
fn ask(
    product: Product,
    tidegate: &Tidegate,
    account: &Account,
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let address = tidegate.address("rw");
    ask_at(
        product,
        &format!("--port={}", address.port()),
        account,
        options,
        sql,
    )
}

/// The same of whoever is at a place: `--port=NUMBER`, or `--socket=PATH`.
fn ask_at(
    product: Product,
    place: &str,
    account: &Account,
    options: &[&str],
    sql: &str,
) -> Result<String, String> {
    let name = match product {
        Product::Installed | Product::LaterMariaDb => "mariadb",
        Product::MySql => "mysql",
    };
    let program = product.program(name).expect("a client");
    let who = (&*account.user, &*account.password);
    ask_by(&program, place, who, options, sql)
}

/// The proxy's greeting is its server's but for these bits of the latter.
fn greets_as(tidegate: &Tidegate, server: &Server, but: u32) {
    let (theirs, ours) = (
        Begun::greeting(server.address()).without(but),
        Begun::greeting(tidegate.address("rw")),
    );
    assert_eq!(ours.settled_greeting(), theirs.settled_greeting());
    assert_eq!(ours.version(), theirs.version());
}

/// The same account with a password that is wrong.
fn mistyped(account: &Account) -> Account {
    Account {
        password: "wrong".to_owned(),
        ..account.clone()
    }
}
