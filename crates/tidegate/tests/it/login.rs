//! Who gets in, what the others are told, and what the log knows better.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mysql_async::prelude::Queryable as _;
use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{
    CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, Login, PacketStream,
    RawClient, native_password,
};
use tidegate_testkit::{ServerGroup, Tidegate};

use crate::house::{Plan, connect, group, value};
use crate::others;

fn refused(tidegate: &Tidegate, login: &Login) -> String {
    match RawClient::connect(tidegate.address("rw"), login) {
        Ok(_) => panic!("{login:?} was let in\n{}", tidegate.log()),
        Err(error) => format!("{error:#}"),
    }
}

fn account(user: &str, password: &str) -> Account {
    Account {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

#[test]
fn the_refused_read_one_text_and_the_log_knows_why() {
    let tidegate = Plan::new(group()).start();
    let app = group().accounts().app.user.clone();
    let wrong = refused(&tidegate, &Login::new(&account(&app, "wrong")));
    let unknown = refused(&tidegate, &Login::new(&account("nobody-here", "wrong")));
    let empty = refused(&tidegate, &Login::new(&account(&app, "")));
    for (said, user, with) in [
        (&wrong, app.as_str(), "YES"),
        (&unknown, "nobody-here", "YES"),
        (&empty, app.as_str(), "NO"),
    ] {
        let text = format!("Access denied for user '{user}'@'127.0.0.1' (using password: {with})");
        assert!(
            said.contains("1045") && said.contains("28000") && said.contains(&text),
            "{said}"
        );
    }
    tidegate
        .wait_log(&format!(
            "login of '{app}'@'127.0.0.1' failed: the password does not match"
        ))
        .expect("the reason of the wrong password");
    tidegate
        .wait_log("login of 'nobody-here'@'127.0.0.1' failed: ")
        .expect("the reason of the unknown user");
    assert!(!tidegate.log().contains(&group().accounts().app.password));
    let mut client = connect(&tidegate, "rw");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
}

#[test]
fn a_database_that_is_missing_or_forbidden_is_told_with_the_servers_numbers() {
    let tidegate = Plan::new(group()).start();
    let app = Login::new(&group().accounts().app);
    let forbidden = refused(&tidegate, &app.clone().database("mysql"));
    assert!(
        forbidden.contains("1044") && forbidden.contains("to database 'mysql'"),
        "{forbidden}"
    );
    let admin = Login::new(&group().accounts().admin);
    let missing = refused(&tidegate, &admin.database("no_such_database"));
    assert!(
        missing.contains("1049") && missing.contains("Unknown database 'no_such_database'"),
        "{missing}"
    );
    RawClient::connect(tidegate.address("rw"), &app.database("test")).expect("its own database");
}

#[test]
fn hosts_and_empty_passwords_count_as_on_a_server() {
    let primary = group().primary();
    primary
        .sql(
            "CREATE USER host_near@'127.0.0.%' IDENTIFIED BY 'near';
             CREATE USER host_far@'10.1.2.3' IDENTIFIED BY 'far';
             CREATE USER host_mask@'127.0.0.0/255.255.255.0' IDENTIFIED BY 'mask';
             CREATE USER host_free@'%' IDENTIFIED BY '';",
        )
        .expect("accounts");
    group().wait_replicated().expect("on all servers");
    let tidegate = Plan::new(group()).start();
    for (user, password) in [
        ("host_near", "near"),
        ("host_mask", "mask"),
        ("host_free", ""),
    ] {
        let login = Login::new(&account(user, password));
        let mut client = RawClient::connect(tidegate.address("rw"), &login)
            .unwrap_or_else(|error| panic!("{user}: {error:#}\n{}", tidegate.log()));
        assert!(value(&mut client, "SELECT CURRENT_USER()").starts_with(user));
    }
    let far = refused(&tidegate, &Login::new(&account("host_far", "far")));
    assert!(far.contains("1045"), "{far}");
}

#[test]
fn an_anonymous_account_takes_in_whoever_has_none() {
    let group = ServerGroup::start(0).expect("a server");
    group
        .primary()
        .sql("CREATE USER ''@'%' IDENTIFIED BY 'for all'")
        .expect("an account");
    let tidegate = Plan::new(&group).start();
    let login = Login::new(&account("whoever", "for all"));
    let mut client = RawClient::connect(tidegate.address("rw"), &login)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    assert_eq!(value(&mut client, "SELECT CURRENT_USER()"), "@%");
    let wrong = refused(&tidegate, &Login::new(&account("whoever", "for some")));
    assert!(wrong.contains("1045"), "{wrong}");
}

#[test]
fn an_account_made_after_the_start_is_found() {
    let tidegate = Plan::new(group()).start();
    let late = group()
        .create_account("late_comer", "SELECT ON test.*")
        .expect("an account");
    let login = Login::new(&late).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    assert!(value(&mut client, "SELECT CURRENT_USER()").starts_with("late_comer"));
}

#[test]
fn a_database_made_after_the_start_is_found() {
    let group = ServerGroup::start(0).expect("a server");
    let near = account("near", "near");
    group
        .primary()
        .sql("CREATE USER near@'%' IDENTIFIED BY 'near'")
        .expect("an account");
    let tidegate = Plan::new(&group).start();
    group
        .primary()
        .sql("CREATE DATABASE late; GRANT SELECT ON late.* TO near@'%'")
        .expect("a database");
    for who in [&near, &group.accounts().admin] {
        let login = Login::new(who).database("late");
        let mut client = RawClient::connect(tidegate.address("rw"), &login)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
        assert_eq!(value(&mut client, "SELECT DATABASE()"), "late");
    }
}

#[test]
fn a_password_changed_after_the_start_is_found() {
    let old = group()
        .create_account("changes_password", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    RawClient::connect(tidegate.address("rw"), &Login::new(&old)).expect("the first password");
    let statement = format!(
        "SET PASSWORD FOR {} = PASSWORD('another one')",
        old.sql_name()
    );
    group().primary().sql(&statement).expect("a new password");
    group().wait_replicated().expect("on all servers");
    let new = account("changes_password", "another one");
    RawClient::connect(tidegate.address("rw"), &Login::new(&new))
        .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
}

#[test]
fn a_client_with_another_plugin_is_asked_to_switch() {
    let tidegate = Plan::new(group()).start();
    let app = &group().accounts().app;
    let stream = std::net::TcpStream::connect(tidegate.address("rw")).expect("a connection");
    let mut packets = PacketStream::new(stream, tidegate_testkit::PATIENCE).expect("a socket");
    packets.read().expect("a greeting");
    let bits = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
    let mut hello = bits.to_le_bytes().to_vec();
    hello.extend_from_slice(&(1u32 << 24).to_le_bytes());
    hello.push(45);
    hello.extend_from_slice(&[0; 23]);
    hello.extend_from_slice(app.user.as_bytes());
    hello.push(0);
    hello.push(32);
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(b"caching_sha2_password\0");
    packets.write(&hello).expect("sent");
    let asked = packets.read().expect("an answer");
    assert_eq!(asked.first(), Some(&0xFE), "{asked:?}");
    let scramble = asked[1..]
        .strip_prefix(b"mysql_native_password\0")
        .expect("the plugin we know");
    let proof = native_password(&app.password, &scramble[..20]);
    packets.write(&proof).expect("sent");
    let answer = packets.read().expect("an answer");
    assert_eq!(answer.first(), Some(&0x00), "{answer:?}");
}

#[test]
fn an_independent_driver_logs_in_and_works() {
    let tidegate = Plan::new(group()).start();
    let app = &group().accounts().app;
    let options = others::opts(tidegate.address("rw"), app);
    let runtime = others::runtime();
    runtime.block_on(async {
        let mut client = mysql_async::Conn::new(options).await.expect("a login");
        let row: Option<(i64, String)> = client
            .exec_first("SELECT ? + 1, ?", (41, "text"))
            .await
            .expect("a row");
        assert_eq!(row, Some((42, "text".to_owned())));
        let rows: Vec<u64> = client
            .query("SELECT seq FROM seq_1_to_1000")
            .await
            .expect("rows");
        assert_eq!(rows.len(), 1000);
        let id: Option<u32> = client
            .query_first("SELECT CONNECTION_ID()")
            .await
            .expect("a row");
        assert_eq!(id, Some(client.id()));
        client.disconnect().await.expect("a good-bye");
    });
}

#[test]
fn the_command_line_client_works() {
    let tidegate = Plan::new(group()).start();
    let app = &group().accounts().app;
    let mut client = Command::new("mariadb")
        .arg("--no-defaults")
        .args(["--protocol=tcp", "--host=127.0.0.1", "--batch", "test"])
        .arg(format!("--port={}", tidegate.address("rw").port()))
        .arg(format!("--user={}", app.user))
        .env("MYSQL_PWD", &app.password)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("MariaDB's client");
    let script = "SELECT 1 AS one; \\s\nSHOW TABLES LIKE 'none'; SELECT 'end';";
    let mut input = client.stdin.take().expect("its input");
    input.write_all(script.as_bytes()).expect("sent");
    drop(input);
    let output = client.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("one\n1\n") && said.contains("end\nend\n"),
        "{said}"
    );
    assert!(said.contains("Connection id:"), "{said}");
}
