//! A later MariaDB: its servers behind the proxy, its client before it.

use std::os::unix::fs::PermissionsExt as _;

use tidegate_testkit::mariadb::{Account, Product};
use tidegate_testkit::{ServerGroup, Tidegate};

use super::{ask, greets_as, mistyped};
use crate::house::Plan;

fn group(options: &[&str]) -> ServerGroup {
    let builder = ServerGroup::builder()
        .product(Product::LaterMariaDb)
        .replicas(1);
    let builder = options
        .iter()
        .fold(builder, |builder, option| builder.option(option));
    builder.start().expect("a later MariaDB")
}

/// The folder of its client's plugins, among which is PARSEC's.
fn plugins() -> String {
    let client = Product::LaterMariaDb.program("mariadb").expect("a client");
    let root = client.ancestors().nth(2).expect("its release");
    let libraries = std::fs::read_dir(root.join("usr/lib")).expect("libraries");
    let mut folders = libraries.map(|entry| entry.expect("an entry").path());
    let folder = folders.find_map(|folder| {
        let plugins = folder.join("libmariadb3/plugin");
        plugins.exists().then_some(plugins)
    });
    format!("--plugin-dir={}", folder.expect("plugins").display())
}

fn start(group: &ServerGroup, listener: &str) -> Tidegate {
    Plan::new(group).listener(listener).start()
}

const WHO: &str = "SELECT CURRENT_USER(), @@version LIKE '11.%'";

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn its_client_verifies_a_certificate_that_nobody_signed() {
    let group = group(&[]);
    let tidegate = start(&group, "ssl=true\n");
    let ask = |account: &Account| ask(Product::LaterMariaDb, &tidegate, account, &[], WHO);
    let app = &group.accounts().app;
    assert_eq!(ask(app).as_deref(), Ok("app@%\t1"));
    let wrong = ask(&mistyped(app)).expect_err("a wrong password");
    assert!(wrong.contains("1045"), "{wrong}");
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn parsec_meets_those_who_made_it() {
    let group = group(&["plugin_load_add=auth_parsec"]);
    let account = Account::random("derives").expect("a password");
    let sql = format!(
        "CREATE USER derives@'%' IDENTIFIED VIA parsec USING PASSWORD('{}')",
        account.password
    );
    group.primary().sql(&sql).expect("an account");
    group.wait_replicated().expect("replicas that caught up");
    let mapping = group
        .scratch()
        .write(
            "mapping.json",
            &format!(
                r#"{{"user_map": [{{"original_user": "derives", "mapped_user": "derives"}}],
                    "server_credentials": [{{"mapped_user": "derives", "plugin": "parsec", "password": "{}"}}]}}"#,
                account.password
            ),
        )
        .expect("a mapping");
    std::fs::set_permissions(&mapping, std::fs::Permissions::from_mode(0o600)).expect("0600");
    for listener in ["", "ssl=true\n"] {
        let listener = format!(
            "{listener}authenticator=ParsecAuth\nuser_mapping_file={}\n",
            mapping.display()
        );
        let tidegate = start(&group, &listener);
        let plugins = plugins();
        let ssl: &[&str] = match listener.starts_with("ssl") {
            true => &[&plugins],
            false => &[&plugins, "--skip-ssl"],
        };
        let ask = |account: &Account| ask(Product::LaterMariaDb, &tidegate, account, ssl, WHO);
        assert_eq!(
            ask(&account).as_deref(),
            Ok("derives@%\t1"),
            "{}",
            tidegate.log()
        );
        let wrong = ask(&mistyped(&account)).expect_err("a wrong password");
        assert!(wrong.contains("1045"), "{wrong}");
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn its_servers_are_split_and_waited_for() {
    let group = group(&[]);
    let create = "CREATE TABLE test.waits (n INT)";
    group.primary().sql(create).expect("a table");
    let tidegate = Plan::new(&group)
        .split("causal_reads=local\ntransaction_replay=true\n")
        .start();
    let app = &group.accounts().app;
    let statements = "USE test; INSERT INTO waits VALUES (1); SELECT COUNT(*), @@server_id FROM waits; \
                      BEGIN; SELECT @@server_id; COMMIT; SET @x = 1; SELECT @x, @@server_id";
    let said = ask(
        Product::LaterMariaDb,
        &tidegate,
        app,
        &["--ssl-verify-server-cert=0"],
        statements,
    );
    assert_eq!(said.as_deref(), Ok("1\t2\n1\n1\t2"), "{}", tidegate.log());
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn clients_are_greeted_as_by_its_servers() {
    let group = group(&[]);
    let tidegate = start(&group, "ssl=true\nmariadbprotocol.compression=zlib\n");
    greets_as(&tidegate, group.primary(), 0);
}
