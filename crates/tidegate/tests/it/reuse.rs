//! `reuse_prepared_statements` before real servers: what a client has closed is not prepared again, and
//! nobody is answered with something else than what they prepare.

use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply, take_lenenc_bytes};
use tidegate_testkit::{Relay, Tidegate};

use crate::house::{Plan, connect, document, group, run, value};

fn start() -> Tidegate {
    Plan::new(group())
        .split("reuse_prepared_statements=true\n")
        .start()
}

fn reused(tidegate: &Tidegate) -> u64 {
    let service = document(tidegate, "/v1/services/RW-Split-Router");
    service["data"]["attributes"]["router_diagnostics"]["prepared_statements_reused"]
        .as_u64()
        .unwrap_or_else(|| panic!("{service:#}"))
}

fn close(client: &mut RawClient, id: u32) {
    client
        .send(&[&[0x19], id.to_le_bytes().as_slice()].concat())
        .expect("closed");
}

/// The first field of the only row of an execution, as text.
fn executed(client: &mut RawClient, id: u32, parameters: &[&str]) -> String {
    match client.execute(id, parameters).expect("executed") {
        Reply::Rows { rows, .. } => {
            let mut rest = &rows[0][2..];
            let field = take_lenenc_bytes(&mut rest).expect("a text");
            String::from_utf8_lossy(field).into_owned()
        }
        other => panic!("no rows but {other:?}"),
    }
}

/// The number of the error that an execution ends in.
fn refused(client: &mut RawClient, id: u32) -> u16 {
    let reply = client.execute(id, &[]).expect("an answer");
    reply.error_code().unwrap_or_else(|| panic!("{reply:?}"))
}

/// How often the primary's connection of the session has prepared and closed a statement.
fn on_primary(client: &mut RawClient) -> (String, String) {
    run(client, "BEGIN");
    let mut status = |name: &str| {
        let sql = format!(
            "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = '{name}'"
        );
        value(client, &sql)
    };
    let counts = (status("Com_stmt_prepare"), status("Com_stmt_close"));
    run(client, "COMMIT");
    counts
}

#[test]
fn a_statement_is_prepared_once_however_often_it_is_prepared_and_closed() {
    let tidegate = start();
    let mut client = connect(&tidegate, "rw");
    for round in 0..20 {
        let text = format!("n{round}");
        let id = client.prepare("SELECT CONCAT('n', ?)").expect("prepared");
        assert_eq!(executed(&mut client, id, &[&round.to_string()]), text);
        close(&mut client, id);
        assert_eq!(
            refused(&mut client, id),
            1243,
            "it is closed for the client"
        );
    }
    let counts = on_primary(&mut client);
    assert_eq!(counts, ("1".to_owned(), "0".to_owned()));
    assert_eq!(reused(&tidegate), 19);
}

#[test]
fn the_answer_is_what_a_server_would_say() {
    let tidegate = start();
    let mut client = connect(&tidegate, "rw");
    let answer = |client: &mut RawClient| {
        let sql = "SELECT ? AS a, seq, REPEAT('x', seq) FROM seq_1_to_3 WHERE seq > ?";
        client
            .send(&[&[0x16], sql.as_bytes()].concat())
            .expect("sent");
        // Two parameters and three columns, each kind with an end.
        let packets: Vec<_> = (0..1 + 3 + 4)
            .map(|_| client.packets().read().expect("a packet"))
            .collect();
        let id = u32::from_le_bytes(packets[0][1..5].try_into().expect("an id"));
        let reply = client.execute(id, &["v", "2"]).expect("executed");
        assert!(matches!(reply, Reply::Rows { ref rows, .. } if rows.len() == 1));
        close(client, id);
        packets
    };
    let first = answer(&mut client);
    run(&mut client, "SET autocommit = 0");
    let second = answer(&mut client);
    assert_eq!(reused(&tidegate), 1);
    for (old, new) in first.iter().zip(&second) {
        if old.first() == Some(&0xFE) {
            assert_eq!(
                (old[3] & 2, new[3] & 2),
                (2, 0),
                "autocommit, as it is then"
            );
        } else {
            assert_eq!(old, new);
        }
    }
}

#[test]
fn two_open_statements_of_one_text_are_two_statements() {
    let tidegate = start();
    let mut client = connect(&tidegate, "rw");
    let text = "SELECT CONCAT(?, '!')";
    let ids = [0, 1].map(|_| client.prepare(text).expect("prepared"));
    assert_ne!(ids[0], ids[1]);
    let first = ids[0].to_le_bytes();
    client
        .send(&[&[0x18], first.as_slice(), &[0, 0], b"long"].concat())
        .expect("long data");
    assert_eq!(executed(&mut client, ids[1], &["short"]), "short!");
    let with_long_data = [&[0x17], first.as_slice(), &[0, 1, 0, 0, 0, 0, 1, 0xFD, 0]].concat();
    client.send(&with_long_data).expect("sent");
    let replies = client.replies().expect("an answer");
    let Some(Reply::Rows { rows, .. }) = replies.first() else {
        panic!("{replies:?}")
    };
    assert!(rows[0].ends_with(b"long!"), "{rows:?}");
    // Both can be had again.
    for id in ids {
        close(&mut client, id);
    }
    let mut again = [0, 1].map(|_| client.prepare(text).expect("prepared"));
    again.sort_unstable();
    assert_eq!(again, ids);
    assert_eq!(reused(&tidegate), 2);
}

#[test]
fn a_statement_that_was_closed_amid_long_data_is_not_used_again() {
    let tidegate = start();
    let mut client = connect(&tidegate, "rw");
    let text = "SELECT CONCAT(?, '?')";
    let id = client.prepare(text).expect("prepared");
    client
        .send(&[&[0x18], id.to_le_bytes().as_slice(), &[0, 0], b"left"].concat())
        .expect("long data");
    close(&mut client, id);
    let id = client.prepare(text).expect("prepared");
    assert_eq!(executed(&mut client, id, &["new"]), "new?");
    assert_eq!(reused(&tidegate), 0);
}

#[test]
fn what_gives_a_text_another_meaning_has_it_prepared_anew() {
    let admin = |sql: &str| group().primary().sql(sql).expect("run");
    for (database, v) in [("reuse_a", "a"), ("reuse_b", "b")] {
        admin(&format!("CREATE DATABASE IF NOT EXISTS {database}"));
        admin(&format!(
            "CREATE OR REPLACE TABLE {database}.t AS SELECT '{v}' AS v"
        ));
        admin(&format!(
            "GRANT ALL ON {database}.* TO {}",
            group().accounts().app.user
        ));
    }
    group().wait_replicated().expect("replicas that caught up");
    let tidegate = start();
    let login = Login::new(&group().accounts().app)
        .database("test")
        .capabilities(CLIENT_MULTI_STATEMENTS);
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    let once = |client: &mut RawClient, text: &str| {
        let id = client.prepare(text).expect("prepared");
        let found = executed(client, id, &[]);
        close(client, id);
        found
    };
    for database in ["reuse_a", "reuse_b", "reuse_a", "reuse_b"] {
        run(&mut client, &format!("USE {database}"));
        let expected = database.replace("reuse_", "");
        assert_eq!(once(&mut client, "SELECT v FROM t"), expected);
    }
    assert_eq!(reused(&tidegate), 2, "under the same database");
    assert_eq!(once(&mut client, "SELECT \"v\" FROM t"), "v");
    run(&mut client, "SET @a = 1");
    assert_eq!(once(&mut client, "SELECT \"v\" FROM t"), "v");
    assert_eq!(reused(&tidegate), 3, "user variables change no text");
    run(&mut client, "SET sql_mode = 'ANSI_QUOTES'");
    assert_eq!(once(&mut client, "SELECT \"v\" FROM t"), "b");
    client
        .send_query("SET sql_mode = ''; SET NAMES utf8mb4")
        .expect("sent");
    client.replies().expect("answers");
    assert_eq!(once(&mut client, "SELECT \"v\" FROM t"), "v");
    run(&mut client, "SET NAMES latin1");
    assert_eq!(once(&mut client, "SELECT \"v\" FROM t"), "v");
    client.send(&[0x1F]).expect("sent");
    client.replies().expect("a reset");
    run(&mut client, "USE reuse_a");
    assert_eq!(once(&mut client, "SELECT v FROM t"), "a");
    assert_eq!(reused(&tidegate), 3);
}

#[test]
fn a_kept_statement_is_prepared_on_the_connection_that_takes_the_place_of_a_lost_one() {
    let relay = Relay::start(group().primary().address()).expect("a relay");
    let tidegate = Plan::new(group())
        .at("primary", relay.address())
        .split("reuse_prepared_statements=true\n")
        .start();
    let mut client = connect(&tidegate, "rw");
    let text = "SELECT CONCAT(?, '') FOR UPDATE";
    let id = client.prepare(text).expect("prepared");
    assert_eq!(executed(&mut client, id, &["before"]), "before");
    close(&mut client, id);
    relay.cut();
    tidegate.wait_log("closed the connection").expect("a loss");
    let id = client.prepare(text).expect("prepared");
    assert_eq!(executed(&mut client, id, &["after"]), "after");
    assert_eq!(reused(&tidegate), 1);
}

#[test]
fn off_by_default() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    for _ in 0..3 {
        let id = client.prepare("SELECT CONCAT('n', ?)").expect("prepared");
        close(&mut client, id);
    }
    let counts = on_primary(&mut client);
    assert_eq!(counts, ("3".to_owned(), "3".to_owned()));
    let service = document(&tidegate, "/v1/services/RW-Split-Router");
    let diagnostics = &service["data"]["attributes"]["router_diagnostics"];
    assert!(diagnostics["prepared_statements_reused"].is_null());
}
