//! Servers that die, stop and change their roles under sessions of readwritesplit.

use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, document, run, value, wait_document};

/// The three ways to take the loss of the primary, and the services that do.
const MODES: [&str; 3] = ["fail_instantly", "fail_on_write", "error_on_write"];

/// A primary and so many replicas of the test's own, with a table.
fn servers(replicas: usize) -> ServerGroup {
    let group = ServerGroup::start(replicas).expect("a server group");
    let table = "CREATE TABLE test.t (id INT PRIMARY KEY, made_on INT)";
    group.primary().sql(table).expect("a table");
    group.wait_replicated().expect("replicated");
    group
}

/// A service over `names` with a listener of its own on `<port:NAME>`.
fn service(group: &ServerGroup, name: &str, names: &str, lines: &str) -> String {
    let account = &group.accounts().service;
    format!(
        "[{name}]\ntype=service\nrouter=readwritesplit\nservers={names}\nuser={}\npassword={}\n\
         {lines}\n\n[{name}-listener]\ntype=listener\nservice={name}\nprotocol=MariaDBClient\n\
         address=127.0.0.1\nport=<port:{name}>\n\n",
        account.user, account.password
    )
}

fn one_a_mode(group: &ServerGroup, names: &str) -> String {
    MODES
        .iter()
        .map(|mode| service(group, mode, names, &format!("master_failure_mode={mode}")))
        .collect()
}

fn connect(group: &ServerGroup, tidegate: &Tidegate, port: &str) -> RawClient {
    let login = Login::new(&group.accounts().app).database("test");
    RawClient::connect(tidegate.address(port), &login).expect("a login")
}

fn wait_state(tidegate: &Tidegate, server: &str, state: &str) {
    wait_document(tidegate, &format!("/v1/servers/{server}"), |server| {
        server["data"]["attributes"]["state"] == state
    });
}

fn place(client: &mut RawClient) -> String {
    value(client, "SELECT @@server_id")
}

/// How a statement ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Fine,
    Error(u16),
    Closed,
}

fn end_of(reply: anyhow::Result<Reply>) -> End {
    match reply {
        Ok(Reply::Ok { .. } | Reply::Rows { .. }) => End::Fine,
        Ok(Reply::Err { code, .. }) if code != 1927 => End::Error(code),
        Ok(Reply::Err { .. }) | Err(_) => End::Closed,
    }
}

fn try_to(client: &mut RawClient, sql: &str) -> End {
    end_of(client.query(sql))
}

/// The servers that a session is connected to.
fn connections(tidegate: &Tidegate, client: &RawClient) -> usize {
    let path = format!("/v1/sessions/{}", client.connection_id());
    let session = document(tidegate, &path);
    session["data"]["attributes"]["connections"]
        .as_array()
        .map_or(0, Vec::len)
}

fn wait_running(group: &ServerGroup, sql: &str) {
    let running =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '{sql}%'");
    wait_until("the statements to run", || {
        let count = group.primary().value(&running).expect("a count");
        count.parse::<usize>().expect("a number") >= MODES.len()
    })
    .expect("running");
}

#[test]
fn the_primary_is_killed_under_sessions_of_every_kind() {
    let group = servers(1);
    let tidegate = Plan::new(&group)
        .more(&one_a_mode(&group, "primary,replica1"))
        .start();
    let all = || MODES.map(|mode| connect(&group, &tidegate, mode));
    let mut idle = all();
    let mut writing = all();
    let mut writers = all();
    let mut readers = all();
    for client in idle.iter_mut().chain(&mut writing) {
        run(client, "DO 1");
    }
    for client in &mut writers {
        run(client, "BEGIN");
        run(client, "UPDATE t SET made_on = 0 WHERE id = 0");
    }
    for client in &mut readers {
        run(client, "START TRANSACTION READ ONLY");
        assert_eq!(place(client), "2");
    }
    for (id, client) in writing.iter_mut().enumerate() {
        client
            .send_query(&format!("INSERT INTO t SELECT {id}, SLEEP(300)"))
            .expect("sent");
    }
    wait_running(&group, "INSERT INTO t SELECT");
    group.primary().kill().expect("killed");
    let ends = writing.map(|mut client| end_of(client.replies().map(|mut all| all.remove(0))));
    assert_eq!(ends, [End::Closed, End::Closed, End::Error(1290)]);
    wait_state(&tidegate, "primary", "Down");

    let reads = idle
        .each_mut()
        .map(|client| try_to(client, "SELECT @@server_id"));
    assert_eq!(reads, [End::Closed, End::Fine, End::Fine]);
    let in_transactions = writers.map(|mut client| try_to(&mut client, "COMMIT"));
    assert_eq!(in_transactions, [End::Closed, End::Closed, End::Closed]);
    let unaffected = readers.map(|mut client| try_to(&mut client, "SELECT @@server_id"));
    assert_eq!(unaffected, [End::Closed, End::Fine, End::Fine]);
    let [_, on_write, error] = &mut idle;
    for client in [on_write, error] {
        run(client, "SET @a = 1");
        assert_eq!(value(client, "SELECT @a"), "1");
    }

    // Sessions that begin now.
    let login = Login::new(&group.accounts().app).database("test");
    let refused = RawClient::connect(tidegate.address("fail_instantly"), &login);
    assert!(refused.is_err());
    for (port, expected) in [
        ("fail_on_write", End::Closed),
        ("error_on_write", End::Error(1290)),
    ] {
        let mut client = connect(&group, &tidegate, port);
        assert_eq!(place(&mut client), "2");
        assert_eq!(try_to(&mut client, "BEGIN"), expected);
    }
    let [_, on_write, error] = &mut idle;
    assert_eq!(try_to(error, "DELETE FROM t"), End::Error(1290));
    assert_eq!(try_to(on_write, "DELETE FROM t"), End::Closed);
    let log = tidegate.log();
    assert!(log.contains("no primary was found"), "{log}");

    // The primary comes back, and the session that was told of errors goes on with it.
    group.primary().restart().expect("restarted");
    wait_state(&tidegate, "primary", "Master, Running");
    run(error, "INSERT INTO t VALUES (7, @@server_id)");
    assert_eq!(value(error, "SELECT @a"), "1");
    let made_on = group
        .primary()
        .value("SELECT made_on FROM test.t WHERE id = 7");
    assert_eq!(made_on.expect("a row"), "1");
}

#[test]
fn a_statement_waits_for_the_primary_and_runs_once() {
    let group = servers(1);
    let lines = "delayed_retry=true\ndelayed_retry_timeout=120s";
    let patient = service(&group, "patient", "primary,replica1", lines);
    let tidegate = Plan::new(&group).more(&patient).start();
    let mut client = connect(&group, &tidegate, "patient");
    run(&mut client, "INSERT INTO t VALUES (1, 0)");
    group.primary().kill().expect("killed");
    wait_state(&tidegate, "primary", "Down");
    // What comes behind it waits as well, a read too.
    client
        .send_query("INSERT INTO t VALUES (2, @@server_id)")
        .expect("sent");
    client.send_query("SELECT 'behind'").expect("sent");
    tidegate
        .wait_log("no server can take the statement now: it waits")
        .expect("a line in the log");
    group.primary().restart().expect("restarted");
    let first = client.replies().expect("an answer").remove(0);
    assert!(matches!(first, Reply::Ok { .. }), "{first:?}");
    client.packets().expect_answer();
    let second = client.replies().expect("an answer").remove(0);
    assert_eq!(second.text_value().expect("a value"), "behind");
    let rows = group.primary().value("SELECT COUNT(*) FROM test.t");
    assert_eq!(rows.expect("a count"), "2");
    // BEGIN waits too.
    group.primary().kill().expect("killed");
    wait_state(&tidegate, "primary", "Down");
    client.send_query("BEGIN").expect("sent");
    group.primary().restart().expect("restarted");
    let begun = client.replies().expect("an answer").remove(0);
    assert!(matches!(begun, Reply::Ok { .. }), "{begun:?}");
    assert_eq!(place(&mut client), "1");
}

#[test]
fn a_statement_waits_no_longer_than_it_may() {
    let group = servers(1);
    let impatient = service(
        &group,
        "impatient",
        "primary,replica1",
        "delayed_retry=true\ndelayed_retry_timeout=1s",
    );
    let tidegate = Plan::new(&group).more(&impatient).start();
    let mut client = connect(&group, &tidegate, "impatient");
    run(&mut client, "DO 1");
    group.primary().kill().expect("killed");
    wait_state(&tidegate, "primary", "Down");
    assert_eq!(try_to(&mut client, "DELETE FROM t"), End::Closed);
    tidegate
        .wait_log("delayed_retry_timeout (1 s) exceeded")
        .expect("the reason in the log");
}

/// The roles of the first two servers are exchanged, and the monitor has seen it.
fn exchange_roles(group: &ServerGroup, tidegate: &Tidegate) {
    let (old, new) = (group.primary(), &group.replicas()[0]);
    new.sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only=0")
        .expect("a primary");
    old.sql("SET GLOBAL read_only=1").expect("read only");
    group.join(old, new).expect("joined");
    wait_state(tidegate, "replica1", "Master, Running");
    wait_state(tidegate, "primary", "Slave, Running");
}

#[test]
fn the_role_of_the_primary_moves_under_open_sessions() {
    let group = servers(1);
    let fixed = service(
        &group,
        "fixed",
        "primary,replica1",
        "master_reconnection=false\nmaster_failure_mode=error_on_write",
    );
    let tidegate = Plan::new(&group)
        .more(&(one_a_mode(&group, "primary,replica1") + &fixed))
        .start();
    let all = || MODES.map(|mode| connect(&group, &tidegate, mode));
    let mut idle = all();
    let mut in_transactions = all();
    let mut bound = all();
    for client in &mut idle {
        run(client, "DO 1");
        run(client, "SET @word = 'kept'");
    }
    for client in &mut in_transactions {
        run(client, "BEGIN");
        run(client, "DELETE FROM t");
    }
    for (client, mode) in bound.iter_mut().zip(MODES) {
        assert_eq!(value(client, &format!("SELECT GET_LOCK('{mode}', 0)")), "1");
    }
    let mut fixed = connect(&group, &tidegate, "fixed");
    run(&mut fixed, "DO 1");
    exchange_roles(&group, &tidegate);
    for (id, client) in idle.iter_mut().enumerate() {
        run(client, &format!("INSERT INTO t VALUES ({id}, @@server_id)"));
        assert_eq!(value(client, "SELECT @word"), "kept");
    }
    let made_on = group.replicas()[0].value("SELECT MIN(made_on) FROM test.t");
    assert_eq!(made_on.expect("rows"), "2");
    for mut client in in_transactions {
        assert_eq!(try_to(&mut client, "SELECT 1"), End::Closed);
    }
    // What a lock protects must not be done without it.
    let locked = bound.map(|mut client| try_to(&mut client, "DELETE FROM t"));
    assert_eq!(locked, [End::Closed, End::Closed, End::Error(1290)]);
    assert_eq!(try_to(&mut fixed, "DELETE FROM t"), End::Error(1290));
    assert_eq!(try_to(&mut fixed, "SELECT 1"), End::Fine);
}

#[test]
fn temporary_tables_bind_a_session_to_its_primary() {
    let group = servers(1);
    let lax = service(&group, "lax", "primary,replica1", "strict_tmp_tables=false");
    let tidegate = Plan::new(&group).more(&lax).start();
    let [mut strict, mut dropped, mut lax] =
        ["rw", "rw", "lax"].map(|port| connect(&group, &tidegate, port));
    for client in [&mut strict, &mut dropped, &mut lax] {
        run(client, "CREATE TEMPORARY TABLE tt (a INT)");
    }
    run(&mut dropped, "DROP TABLE tt");
    exchange_roles(&group, &tidegate);
    assert_eq!(try_to(&mut strict, "DELETE FROM t"), End::Closed);
    run(&mut dropped, "DELETE FROM t");
    run(&mut lax, "DELETE FROM t");
    assert_eq!(try_to(&mut lax, "SELECT * FROM tt"), End::Error(1146));
}

#[test]
fn a_read_goes_on_elsewhere_when_its_server_is_killed() {
    let group = servers(2);
    let tidegate = Plan::new(&group).start();
    let mut client = connect(&group, &tidegate, "rw");
    run(&mut client, "SET @word = 'kept'");
    let prepared = client.prepare("SELECT @word, ?").expect("prepared");
    let mut killed = std::collections::BTreeSet::new();
    for expected in 1..=2 {
        // A session stays with its replica until that is lost: whichever it is.
        wait_until("a read on a replica", || {
            client
                .send_query("SELECT SLEEP(0.2), @word, @@server_id")
                .expect("sent");
            let busy = "SELECT COUNT(*) FROM information_schema.processlist \
                        WHERE info LIKE 'SELECT SLEEP(0.2)%'";
            for replica in group.replicas() {
                if replica.value(busy).is_ok_and(|count| count != "0") {
                    replica.kill().expect("killed");
                    killed.insert(replica.name().to_owned());
                    break;
                }
            }
            let answer = client.replies().expect("an answer").remove(0);
            let rows = answer.text_rows().expect("a row");
            assert_eq!(rows[0][1].as_deref(), Some("kept"));
            killed.len() == expected
        })
        .expect("killed");
    }
    assert_eq!(killed.len(), 2);
    // Nobody but the primary is left.
    assert_eq!(place(&mut client), "1");
    let answer = client.execute(prepared, &["x"]).expect("an answer");
    assert!(matches!(answer, Reply::Rows { .. }), "{answer:?}");
}

#[test]
fn lazy_sessions_connect_to_what_they_need() {
    let group = servers(2);
    let names = "primary,replica1,replica2";
    let tidegate = Plan::new(&group)
        .more(&service(&group, "lazy", names, "lazy_connect=true"))
        .more(&service(&group, "few", names, "slave_connections=1"))
        .more(&service(&group, "one", names, "max_slave_connections=1"))
        .more(&service(&group, "none", names, "max_slave_connections=0"))
        .start();
    let mut client = connect(&group, &tidegate, "lazy");
    assert_eq!(connections(&tidegate, &client), 0);
    run(&mut client, "SET @word = 'kept'");
    assert_eq!(connections(&tidegate, &client), 1);
    // It stays with the replica that it has.
    for _ in 0..5 {
        assert_ne!(place(&mut client), "1");
    }
    assert_eq!(connections(&tidegate, &client), 1);
    run(&mut client, "BEGIN");
    assert_eq!(value(&mut client, "SELECT @word"), "kept");
    run(&mut client, "COMMIT");
    assert_eq!(connections(&tidegate, &client), 2);
    let mut writer = connect(&group, &tidegate, "lazy");
    run(&mut writer, "DELETE FROM t");
    assert_eq!(connections(&tidegate, &writer), 1);
    for (port, expected) in [("few", 2), ("one", 2), ("none", 1)] {
        let client = connect(&group, &tidegate, port);
        let path = format!("/v1/sessions/{}", client.connection_id());
        wait_document(&tidegate, &path, |session| {
            let list = session["data"]["attributes"]["connections"].as_array();
            list.is_some_and(|list| list.len() == expected)
        });
    }
    let mut bare = connect(&group, &tidegate, "none");
    assert_eq!(place(&mut bare), "1");
}

#[test]
fn replicas_that_lag_or_are_of_another_rank_are_not_read() {
    let group = servers(2);
    let names = "primary,replica1,replica2";
    let current = service(&group, "current", names, "max_replication_lag=2s");
    let tidegate = Plan::new(&group)
        .rank("replica2", "secondary")
        .more(&current)
        .start();
    let mut ranked = connect(&group, &tidegate, "rw");
    for _ in 0..10 {
        assert_eq!(place(&mut ranked), "2");
    }
    let replica = &group.replicas()[0];
    replica
        .sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=600; START SLAVE")
        .expect("a delay");
    group
        .primary()
        .sql("INSERT INTO test.t VALUES (1, 1)")
        .expect("a row");
    let mut client = connect(&group, &tidegate, "current");
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        let lag = server["data"]["attributes"]["replication_lag"].as_i64();
        lag.is_some_and(|lag| lag >= 2)
    });
    // The only replica of the primary's rank is too far behind.
    assert_eq!(place(&mut client), "1");
    assert_eq!(place(&mut ranked), "2");
}
