//! `idle_session_pool_time` before real servers: more sessions than connections, each with its own
//! state.

use std::thread;

use serde_json::Value;
use tidegate_testkit::Tidegate;
use tidegate_testkit::raw::{Login, RawClient};

use crate::house::{Plan, connect, document, group, run, value, wait_document};

const LIMIT: u64 = 2;

/// readwritesplit over the primary alone, which may have two connections.
fn start(service: &str) -> Tidegate {
    start_with(service, 1)
}

fn start_with(service: &str, threads: usize) -> Tidegate {
    let servers =
        format!("max_routing_connections={LIMIT}\npersistpoolmax={LIMIT}\npersistmaxtime=300s\n");
    let text = Plan::new(group())
        .only(&[group().primary().name()])
        .every_server(&servers)
        .split(&format!("{service}\nlazy_connect=true\n"))
        .text()
        .replace("threads=2\n", &format!("threads={threads}\n"))
        .replace("router_options=slave\n", "router_options=master\n");
    Tidegate::start(&text).expect("tidegate")
}

const SHARED: &str = "idle_session_pool_time=0ms";

fn sharing(tidegate: &Tidegate, client: &RawClient) -> Value {
    let session = document(
        tidegate,
        &format!("/v1/sessions/{}", client.connection_id()),
    );
    session["data"]["attributes"]["connection_sharing"].clone()
}

/// Waits until a session keeps its connection for this reason.
fn wait_kept(tidegate: &Tidegate, client: &RawClient, reason: &str) {
    let path = format!("/v1/sessions/{}", client.connection_id());
    wait_document(tidegate, &path, |session| {
        session["data"]["attributes"]["connection_sharing"]["kept_by"] == reason
    });
}

fn number(client: &mut RawClient) -> String {
    value(client, "SELECT CONCAT(@@pseudo_thread_id, '')")
}

#[test]
fn many_sessions_share_two_connections_and_each_has_its_own_state() {
    for threads in [1, 2] {
        let tidegate = start_with(SHARED, threads);
        thread::scope(|scope| {
            for n in 0..20 {
                let tidegate = &tidegate;
                scope.spawn(move || {
                    let mut client = connect(tidegate, "rw");
                    run(&mut client, &format!("SET @mine = {n}"));
                    let sql_mode = if n % 2 == 0 { "ANSI_QUOTES" } else { "" };
                    run(&mut client, &format!("SET sql_mode = '{sql_mode}'"));
                    let id = client.prepare("SELECT @mine + ?").expect("prepared");
                    for round in 0..30 {
                        let state = "SELECT CONCAT(@mine, ',', @@sql_mode)";
                        assert_eq!(value(&mut client, state), format!("{n},{sql_mode}"));
                        let reply = client.execute(id, &["0"]).expect("executed");
                        assert_eq!(reply.error_code(), None, "{reply:?}");
                        run(&mut client, &format!("SET @round = {round}"));
                    }
                });
            }
        });
        let primary = document(&tidegate, "/v1/servers/primary");
        let figures = &primary["data"]["attributes"]["statistics"];
        let most = figures["connections"].as_u64().unwrap_or(99)
            + figures["persistent_connections"].as_u64().unwrap_or(99);
        assert!(most <= LIMIT, "{figures:#}");
    }
}

#[test]
fn an_idle_session_gets_its_own_connection_back_as_it_was() {
    let tidegate = start(SHARED);
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "SET @mine = 1");
    let id = number(&mut client);
    assert_eq!(number(&mut client), id);
    let sharing = sharing(&tidegate, &client);
    assert!(sharing["returned"].as_u64() >= Some(1), "{sharing:#}");
    assert_eq!(sharing["lent_now"], 1, "{sharing:#}");
}

#[test]
fn what_cannot_be_told_to_another_connection_keeps_the_session_on_its_own() {
    let tidegate = start(SHARED);
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "BEGIN");
    value(&mut client, "SELECT 1");
    wait_kept(&tidegate, &client, "transaction");
    run(&mut client, "COMMIT");
    for (take, give, reason) in [
        (
            "SELECT GET_LOCK('shared', 1)",
            "SELECT RELEASE_ALL_LOCKS()",
            "state",
        ),
        (
            "CREATE TEMPORARY TABLE of_mine (a INT)",
            "DROP TEMPORARY TABLE of_mine",
            "state",
        ),
        ("SET autocommit = 0", "SET autocommit = 1", "transaction"),
    ] {
        client.query(take).expect("a reply");
        wait_kept(&tidegate, &client, reason);
        client.query(give).expect("a reply");
        let path = format!("/v1/sessions/{}", client.connection_id());
        wait_document(&tidegate, &path, |session| {
            session["data"]["attributes"]["connection_sharing"]["lent_now"] == 1
        });
    }
}

#[test]
fn who_waits_for_too_long_is_told() {
    let tidegate = start(&format!("{SHARED}\nmultiplex_timeout=1s"));
    let mut holders: Vec<_> = (0..LIMIT).map(|_| connect(&tidegate, "rw")).collect();
    for holder in &mut holders {
        run(holder, "BEGIN");
        value(holder, "SELECT 1");
    }
    let mut third = connect(&tidegate, "rw");
    let reply = third.query("SELECT 1").expect("a reply");
    let text = format!("{reply:?}");
    assert!(
        reply.error_code().is_some() && text.contains("multiplex_timeout"),
        "{text}"
    );
    run(&mut holders[0], "COMMIT");
    let mut fourth = connect(&tidegate, "rw");
    assert_eq!(value(&mut fourth, "SELECT 'well'"), "well");
}

#[test]
fn who_waits_gets_the_next_connection_that_is_given_back() {
    let tidegate = start(SHARED);
    let mut holders: Vec<_> = (0..LIMIT).map(|_| connect(&tidegate, "rw")).collect();
    for holder in &mut holders {
        run(holder, "BEGIN");
        value(holder, "SELECT 1");
    }
    let mut third = connect(&tidegate, "rw");
    third.send_query("SELECT 'at last'").expect("sent");
    run(&mut holders[0], "COMMIT");
    let replies = third.replies().expect("a reply");
    assert_eq!(replies[0].text_value().expect("a value"), "at last");
}

#[test]
fn without_sharing_the_limit_is_told_at_once() {
    let tidegate = start("");
    let mut holders: Vec<_> = (0..LIMIT).map(|_| connect(&tidegate, "rw")).collect();
    for holder in &mut holders {
        value(holder, "SELECT 1");
    }
    let login = Login::new(&group().accounts().app);
    let mut third = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    let reply = third.query("SELECT 1").expect("a reply");
    assert!(reply.error_code().is_some(), "{reply:?}");
    tidegate
        .wait_log("max_routing_connections")
        .expect("the limit in the log");
}

#[test]
fn values_of_the_statement_before_are_there_or_an_error_says_that_they_are_not() {
    let tidegate = start(SHARED);
    group()
        .primary()
        .sql("CREATE TABLE test.shared_ids (id INT AUTO_INCREMENT PRIMARY KEY, a INT)")
        .expect("a table");
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "INSERT INTO test.shared_ids (a) VALUES (1)");
    let mut others: Vec<_> = (0..LIMIT).map(|_| connect(&tidegate, "rw")).collect();
    assert_eq!(value(&mut client, "SELECT LAST_INSERT_ID()"), "1");
    // Nobody asked for anything since: others take all connections.
    for other in &mut others {
        run(other, "BEGIN");
        value(other, "SELECT 1");
    }
    for other in &mut others {
        run(other, "COMMIT");
    }
    let reply = client.query("SELECT LAST_INSERT_ID()").expect("a reply");
    let text = format!("{reply:?}");
    assert!(text.contains("idle_session_pool_time"), "{text}");
    run(&mut client, "INSERT INTO test.shared_ids (a) VALUES (2)");
    assert_eq!(value(&mut client, "SELECT LAST_INSERT_ID()"), "2");
}

#[test]
fn what_was_lent_before_a_restart_does_not_come_back_after_it() {
    let tidegate = start(SHARED);
    let mut other = connect(&tidegate, "rw");
    run(&mut other, "BEGIN");
    value(&mut other, "SELECT 1");
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "SET @first = 1");
    // The other's is the one that was lent first now, which the client gets when it begins anew.
    run(&mut other, "COMMIT");
    assert_eq!(value(&mut client, "SELECT @first"), "1");
    let restart = format!("/v1/sessions/{}/restart", client.connection_id());
    let answer = tidegate
        .rest()
        .request("POST", &restart, &[], "")
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    run(&mut client, "SET @second = 2");
    for _ in 0..3 {
        let both = "SELECT CONCAT(@first, ',', @second)";
        assert_eq!(value(&mut client, both), "1,2");
    }
}

#[test]
fn what_is_lent_is_fetched_back_before_the_state_cannot_be_told_any_more() {
    let pool = format!("persistpoolmax={LIMIT}\npersistmaxtime=300s\n");
    let service = format!("{SHARED}\nmax_sescmd_history=0\nprune_sescmd_history=false\n");
    let tidegate = Plan::new(group())
        .only(&["primary", "replica1"])
        .every_server(&pool)
        .split(&service)
        .start();
    let mut client = connect(&tidegate, "rw");
    let path = format!("/v1/sessions/{}", client.connection_id());
    wait_document(&tidegate, &path, |session| {
        session["data"]["attributes"]["connection_sharing"]["lent_now"] == 2
    });
    run(&mut client, "START TRANSACTION READ ONLY");
    run(&mut client, "SET @mine = 1");
    run(&mut client, "COMMIT");
    wait_kept(&tidegate, &client, "history");
    run(&mut client, "BEGIN");
    assert_eq!(value(&mut client, "SELECT @mine"), "1");
    run(&mut client, "COMMIT");
}
