//! Reads on replicas, writes on the primary, one connection as far as the client can tell.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable as _;
use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};
use tidegate_testkit::{ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, connect, document, group, run, value, wait_document};
use crate::others;

const COM_INIT_DB: u8 = 0x02;

/// The `server_id` of the primary; replicas have 2 and 3.
pub(crate) const PRIMARY: &str = "1";

/// Where a statement ran that would be a read on its own.
pub(crate) fn place(client: &mut RawClient) -> String {
    value(client, "SELECT @@server_id")
}

/// A session that has connections to all three servers.
pub(crate) fn well_connected(tidegate: &Tidegate) -> RawClient {
    let mut client = connect(tidegate, "rw");
    let id = client.connection_id();
    for _ in 0..20 {
        place(&mut client);
    }
    run(&mut client, "SET @seen = 1");
    run(&mut client, "DO 1");
    wait_document(tidegate, &format!("/v1/sessions/{id}"), |session| {
        let connections = session["data"]["attributes"]["connections"].as_array();
        connections.is_some_and(|list| list.len() == 3)
    });
    client
}

/// Runs a text of several statements, the last of which fails.
fn run_into_error(client: &mut RawClient, sql: &str) {
    client.send_query(sql).expect("sent");
    let replies = client.replies().expect("replies");
    let last = replies.last().and_then(Reply::error_code);
    assert!(last.is_some(), "{sql}: {replies:?}");
}

#[test]
fn a_transaction_is_open_although_the_text_that_began_it_failed() {
    let tidegate = Plan::new(group()).start();
    let login = Login::new(&group().accounts().app)
        .database("test")
        .capabilities(CLIENT_MULTI_STATEMENTS);
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    assert_ne!(place(&mut client), PRIMARY);
    run_into_error(&mut client, "BEGIN; SELECT nothing");
    assert_eq!(place(&mut client), PRIMARY);
    assert_eq!(value(&mut client, "SELECT @@in_transaction + 0"), "1");
    run_into_error(&mut client, "COMMIT; SELECT nothing; BEGIN");
    assert_ne!(place(&mut client), PRIMARY);
}

#[test]
fn reads_go_to_replicas_and_writes_to_the_primary() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    assert_ne!(place(&mut client), PRIMARY);
    run(
        &mut client,
        "CREATE TABLE split (id INT PRIMARY KEY, made_on INT)",
    );
    run(&mut client, "INSERT INTO split VALUES (1, @@server_id)");
    run(&mut client, "UPDATE split SET made_on = made_on + 0");
    let on_primary = group().primary().value("SELECT made_on FROM test.split");
    assert_eq!(on_primary.expect("a row"), PRIMARY);
    assert_eq!(
        value(&mut client, "SELECT @@server_id FROM split FOR UPDATE"),
        PRIMARY
    );
    assert_eq!(
        value(&mut client, "SELECT @@server_id, LAST_INSERT_ID()"),
        PRIMARY
    );
    assert_ne!(place(&mut client), PRIMARY);
}

#[test]
fn a_transaction_stays_on_the_primary_unless_it_only_reads() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "BEGIN");
    assert_eq!(place(&mut client), PRIMARY);
    run(&mut client, "COMMIT");
    assert_ne!(place(&mut client), PRIMARY);
    run(&mut client, "START TRANSACTION READ ONLY");
    let first = place(&mut client);
    assert_ne!(first, PRIMARY);
    for _ in 0..5 {
        assert_eq!(place(&mut client), first);
    }
    run(&mut client, "COMMIT");
    run(&mut client, "SET autocommit = 0");
    assert_eq!(place(&mut client), PRIMARY);
    assert_eq!(place(&mut client), PRIMARY);
    run(&mut client, "COMMIT");
    run(&mut client, "SET autocommit = 1");
    assert_ne!(place(&mut client), PRIMARY);
}

#[test]
fn session_commands_reach_every_server() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    run(&mut client, "SET @word = 'tide'");
    run(&mut client, "SET SESSION sql_select_limit = 7");
    run(&mut client, "USE information_schema");
    let seen: BTreeSet<String> = (0..40)
        .map(|_| {
            let row = client
                .query("SELECT @word, @@sql_select_limit, DATABASE(), @@server_id")
                .and_then(|reply| reply.text_rows())
                .expect("a row")
                .remove(0);
            let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
            assert_eq!(row[..3], ["tide", "7", "information_schema"]);
            row[3].clone()
        })
        .collect();
    assert!(!seen.is_empty() && !seen.contains(PRIMARY), "{seen:?}");
    run(&mut client, "BEGIN");
    assert_eq!(value(&mut client, "SELECT @word"), "tide");
    assert_eq!(
        value(&mut client, "SELECT DATABASE()"),
        "information_schema"
    );
    assert_eq!(place(&mut client), PRIMARY);
    run(&mut client, "ROLLBACK");
    client
        .send(&[&[COM_INIT_DB], "test".as_bytes()].concat())
        .expect("sent");
    client.replies().expect("OK");
    assert_eq!(value(&mut client, "SELECT DATABASE()"), "test");
    let id = client.connection_id();
    let session = document(&tidegate, &format!("/v1/sessions/{id}"));
    assert_eq!(session["data"]["attributes"]["database"], "test");
}

#[test]
fn a_session_command_that_fails_is_told_and_changes_nothing() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    let reply = client.query("SET no_such_variable = 1").expect("a reply");
    assert_eq!(reply.error_code(), Some(1193), "{reply:?}");
    let reply = client.query("USE no_such_database").expect("a reply");
    assert!(matches!(reply.error_code(), Some(1044 | 1049)), "{reply:?}");
    assert_eq!(value(&mut client, "SELECT DATABASE()"), "test");
    assert_ne!(place(&mut client), PRIMARY);
}

#[test]
fn the_connection_id_is_the_sessions() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let id = client.connection_id().to_string();
    assert_eq!(value(&mut client, "SELECT CONNECTION_ID()"), id);
    let session = document(&tidegate, &format!("/v1/sessions/{id}"));
    assert_eq!(session["data"]["id"], id);
    assert_eq!(session["data"]["attributes"]["user"], "app");
}

#[test]
fn statements_prepared_once_run_on_every_server() {
    let tidegate = Plan::new(group()).start();
    let app = &group().accounts().app;
    let options = others::opts(tidegate.address("rw"), app);
    let runtime = others::runtime();
    runtime.block_on(async {
        let mut client = mysql_async::Conn::new(options).await.expect("a login");
        client
            .query_drop("CREATE TABLE prepared (id INT PRIMARY KEY, note VARCHAR(40))")
            .await
            .expect("a table");
        // A replica that does not know the table yet would be left out.
        group().wait_replicated().expect("replicated");
        let insert = client
            .prep("INSERT INTO prepared VALUES (?, ?)")
            .await
            .expect("prepared");
        let place = client
            .prep("SELECT @@server_id + ?")
            .await
            .expect("prepared");
        for n in 0..20i32 {
            client
                .exec_drop(&insert, (n, Some(format!("note {n}"))))
                .await
                .expect("a row more");
            let on: Option<i64> = client.exec_first(&place, (100,)).await.expect("a row");
            assert!(matches!(on, Some(102 | 103)), "{on:?}");
            client.query_drop("BEGIN").await.expect("a transaction");
            let on: Option<i64> = client.exec_first(&place, (200,)).await.expect("a row");
            assert_eq!(on, Some(201));
            client.query_drop("COMMIT").await.expect("its end");
        }
        client.close(place).await.expect("closed");
        let rows: Vec<(i32, Option<String>)> = client
            .exec(
                "SELECT id, note FROM prepared WHERE id >= ? ORDER BY id FOR UPDATE",
                (18,),
            )
            .await
            .expect("rows");
        let expected = [(18, Some("note 18".into())), (19, Some("note 19".into()))];
        assert_eq!(rows, expected);
        client.disconnect().await.expect("a good-bye");
    });
}

#[test]
fn statements_prepared_in_text_run_on_every_server() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    run(
        &mut client,
        "PREPARE where_am_i FROM 'SELECT @@server_id, ?'",
    );
    run(&mut client, "SET @n = 5");
    for _ in 0..5 {
        let reply = client
            .query("EXECUTE where_am_i USING @n")
            .expect("a reply");
        let row = reply.text_rows().expect("a row").remove(0);
        assert_eq!(row[1].as_deref(), Some("5"));
    }
    run(&mut client, "DEALLOCATE PREPARE where_am_i");
    let gone = client
        .query("EXECUTE where_am_i USING @n")
        .expect("a reply");
    assert_eq!(gone.error_code(), Some(1243), "{gone:?}");
}

#[test]
fn without_its_replicas_a_session_goes_on() {
    let group = ServerGroup::start(2).expect("a server group");
    let tidegate = Plan::new(&group).start();
    let login = Login::new(&group.accounts().app).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    for replica in group.replicas() {
        assert_ne!(place(&mut client), PRIMARY);
        replica.kill().expect("killed");
        assert_eq!(value(&mut client, "SELECT 7"), "7", "{}", tidegate.log());
    }
    assert_eq!(place(&mut client), PRIMARY);
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"] == "Down"
    });
    tidegate
        .wait_log("replica2")
        .expect("the lost server is named");
}

#[test]
fn without_its_primary_a_session_reads_on_and_ends_when_it_writes() {
    let group = ServerGroup::start(1).expect("a server group");
    let tidegate = Plan::new(&group)
        .globals("retain_last_statements=1\n")
        .start();
    let login = Login::new(&group.accounts().app).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    run(&mut client, "CREATE TABLE survives (n INT)");
    let mut busy = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    run(&mut busy, "BEGIN");
    let busy_path = format!("/v1/sessions/{}", busy.connection_id());
    busy.send_query("SELECT SLEEP(50)").expect("sent");
    wait_document(&tidegate, &busy_path, |session| {
        let queries = &session["data"]["attributes"]["queries"];
        queries[0]["statement"] == "SELECT SLEEP(50)"
    });
    let mut reader = RawClient::connect(tidegate.address("read"), &login).expect("a login");
    assert_eq!(place(&mut reader), "2");
    group.primary().kill().expect("killed");
    let replies = busy.replies().expect("a reply");
    let Reply::Err { code, message, .. } = &replies[0] else {
        panic!("{replies:?}")
    };
    assert_eq!(*code, 1927);
    assert!(
        message.contains("server_lost") && message.contains("'primary'"),
        "{message}"
    );
    assert!(busy.query("SELECT 1").is_err());
    assert_eq!(place(&mut client), "2");
    let reply = client.query("INSERT INTO survives VALUES (1)");
    assert!(
        reply.map_or(true, |reply| reply.error_code().is_some()),
        "a write without a primary"
    );
    assert!(client.query("SELECT 1").is_err(), "the session has ended");
    tidegate
        .wait_log("server_lost")
        .expect("the cause in the log");
    assert_eq!(place(&mut reader), "2");
}

#[test]
fn a_replica_that_answers_a_session_command_differently_is_left_out() {
    let group = ServerGroup::start(1).expect("a server group");
    group
        .primary()
        .sql("SET sql_log_bin = 0; CREATE DATABASE only_here")
        .expect("a database");
    let tidegate = Plan::new(&group).start();
    let login = Login::new(&group.accounts().admin);
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    assert_eq!(place(&mut client), "2");
    run(&mut client, "USE only_here");
    wait_until("the replica to be left out", || {
        place(&mut client) == PRIMARY
    })
    .expect("left out");
    assert_eq!(value(&mut client, "SELECT DATABASE()"), "only_here");
    tidegate
        .wait_log("answered a session command differently")
        .expect("the reason in the log");
    let mut other = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    assert_eq!(place(&mut other), "2");
}

#[test]
fn a_variable_is_read_where_it_was_assigned() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    run(&mut client, "CREATE TABLE assigned (v INT)");
    run(&mut client, "SET @i = 1");
    run(&mut client, "INSERT INTO assigned VALUES (@i := 7)");
    for _ in 0..4 {
        assert_eq!(value(&mut client, "SELECT @i"), "7");
    }
    assert_eq!(value(&mut client, "SELECT @@server_id + 0 * @i"), PRIMARY);
    run(&mut client, "SET @i = 2");
    let found = value(&mut client, "SELECT @@server_id + 0 * @i");
    assert_ne!(found, PRIMARY);
    // On a replica alone, in a transaction there.
    run(&mut client, "START TRANSACTION READ ONLY");
    let replica = place(&mut client);
    run(&mut client, "SELECT 9 INTO @r");
    run(&mut client, "COMMIT");
    for _ in 0..4 {
        assert_eq!(value(&mut client, "SELECT @r"), "9");
        assert_eq!(value(&mut client, "SELECT @@server_id + 0 * @r"), replica);
    }
    // What must run on the primary does not run with another value.
    let reply = client
        .query("INSERT INTO assigned VALUES (@r)")
        .expect("a reply");
    assert_eq!(reply.error_code(), Some(1105), "{reply:?}");
}

#[test]
fn an_execute_goes_where_its_text_would() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "PREPARE s FROM 'SELECT @@server_id'");
    assert_ne!(value(&mut client, "EXECUTE s"), PRIMARY);
    run(
        &mut client,
        "PREPARE s FROM 'SELECT @@server_id + 0 * LAST_INSERT_ID()'",
    );
    assert_eq!(value(&mut client, "EXECUTE s"), PRIMARY);
    run(&mut client, "DEALLOCATE PREPARE s");
}

#[test]
fn a_read_that_loses_one_server_after_another_is_not_sent_again_for_ever() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    client
        .send_query("SELECT SLEEP(300), 'loses one after another'")
        .expect("sent");
    let find = "SELECT ID FROM information_schema.PROCESSLIST \
                WHERE INFO LIKE 'SELECT SLEEP(300), %loses one after another%'";
    let done = AtomicBool::new(false);
    let replies = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                for server in group().servers() {
                    for row in server.rows(find).expect("connections") {
                        // It may have ended meanwhile.
                        drop(server.sql(&format!("KILL {}", row[0])));
                    }
                }
            }
        });
        let replies = client.replies();
        done.store(true, Ordering::SeqCst);
        replies
    });
    let told = replies.expect("an answer")[0].error_code();
    assert_eq!(told, Some(1927), "{}", tidegate.log());
}
