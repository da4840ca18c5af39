//! Statements out of a grammar before a real server that refuses writes: what would be routed to a
//! replica must never be refused there.
//!
//! The server is the oracle of what writes: it runs with `read_only`, and the account is an ordinary
//! one. What the classifier sends to the primary is tried on the server too, to tell how much of it
//! is caution. A view over a function that writes is beyond what any text tells, so there is none.

mod grammar;

use std::collections::BTreeMap;

use tidegate_session::request::Request;
use tidegate_sql::{Modes, Parsed, TempTables, TrxTracker, classify};
use tidegate_testkit::fuzz::Random;
use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};
use tidegate_testkit::{Count, ServerGroup};
use tidegate_wire::Command;

use super::route::{Class, State, class};
use crate::tied::Variables;

/// "The server is running with the --read-only option".
const READ_ONLY: u16 = 1290;

/// "You have an error in your SQL syntax".
const SYNTAX: u16 = 1064;

/// Statements that share their sql_mode.
const BLOCK: u64 = 500;

const SCHEMA: &str = "
    USE test;
    CREATE TABLE t1 (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
    CREATE TABLE t2 (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
    CREATE TABLE t3 (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
    INSERT INTO t1 VALUES (1, 1), (2, 2);
    INSERT INTO t2 VALUES (1, 1), (2, 2);
    CREATE VIEW v1 AS SELECT id, v FROM t1;
    CREATE SEQUENCE s1;
    CREATE FUNCTION f_reads(x INT) RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) + x FROM t1);
    CREATE PROCEDURE p_reads() SELECT MAX(id) FROM t1;
    CREATE PROCEDURE p_writes() INSERT INTO t3 (v) VALUES (1);
    CREATE PROCEDURE p_out(OUT x INT) SET x = 1;
    DELIMITER //
    CREATE FUNCTION f_writes(x INT) RETURNS INT MODIFIES SQL DATA
    BEGIN INSERT INTO t3 (v) VALUES (x); RETURN x; END //
    DELIMITER ;
    SET GLOBAL read_only = 1;
";

/// The modes that blocks of statements run in, with the server's name for them.
const MODES: [(&str, Modes); 4] = [
    ("", plain()),
    (
        "ANSI_QUOTES",
        Modes {
            ansi_quotes: true,
            ..plain()
        },
    ),
    (
        "NO_BACKSLASH_ESCAPES",
        Modes {
            no_backslash_escapes: true,
            ..plain()
        },
    ),
    // What the server's ORACLE brings along.
    (
        "ORACLE",
        Modes {
            oracle: true,
            ansi_quotes: true,
            ..plain()
        },
    ),
];

const fn plain() -> Modes {
    Modes {
        ansi_quotes: false,
        no_backslash_escapes: false,
        oracle: false,
        mysql_family: false,
        multibyte: tidegate_sql::Multibyte::None,
    }
}

/// Where a statement goes that is the first of its session.
fn route(text: &str, modes: Modes) -> (Class, Parsed) {
    let statement = classify(text.as_bytes(), modes);
    let (temporary, trx) = (TempTables::default(), TrxTracker::new());
    let payload = [&[Command::Query.byte()], text.as_bytes()].concat();
    let request = Request {
        payload: &payload,
        ..Request::of_text(text.as_bytes(), &statement, &trx)
    };
    let variables = Variables::default();
    let state = State {
        temporary: &temporary,
        database: Some(b"test"),
        pinned: None,
        variables: &variables,
        variables_on_primary: false,
    };
    (class(&request, state), statement.parsed)
}

/// Does a server that is not the primary get it?
fn reaches_replicas(class: Class) -> bool {
    matches!(class, Class::Replica | Class::All | Class::Last)
}

/// The number of the first error; 0 if there is none.
fn error_of(replies: &[Reply]) -> u16 {
    replies.iter().find_map(Reply::error_code).unwrap_or(0)
}

#[test]
fn what_goes_to_a_replica_is_never_refused_by_a_read_only_server() {
    let group = ServerGroup::builder()
        .replicas(0)
        .option("max_statement_time=20")
        .option("log_bin_trust_function_creators=1")
        .start()
        .expect("a server");
    group.primary().sql(SCHEMA).expect("the schema");
    let login = Login::new(&group.accounts().app).database("test");
    let login = login.capabilities(CLIENT_MULTI_STATEMENTS);
    let connect = || RawClient::connect(group.primary().address(), &login).expect("a login");
    let mut client = connect();
    let mut random = Random::new(1);
    let mut count = Count::of("TIDEGATE_STATEMENTS", 50_000);
    let mut tally: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for number in 0..count.total() {
        let (mode, modes) = MODES[(number / BLOCK) as usize % MODES.len()];
        let text = grammar::statement(&mut random);
        let (class, parsed) = route(&text, modes);
        client
            .send(&[Command::ResetConnection.byte()])
            .expect("sent");
        assert_eq!(error_of(&client.replies().expect("a reply")), 0);
        if !mode.is_empty() {
            client
                .query(&format!("SET sql_mode = '{mode}'"))
                .expect("a reply");
        }
        client.send_query(&text).expect("sent");
        // A statement may cost the connection, as KILL 0 does.
        let error = match client.replies() {
            Ok(replies) => error_of(&replies),
            Err(_) => {
                client = connect();
                continue;
            }
        };
        let place = match (reaches_replicas(class), parsed) {
            (true, _) => "to replicas",
            (false, Parsed::Invalid) => "to the primary, not understood",
            (false, _) => "to the primary",
        };
        let outcome = match error {
            0 => "done",
            READ_ONLY => "refused",
            SYNTAX => "no statement",
            _ => "failed",
        };
        assert!(
            error != READ_ONLY || !reaches_replicas(class),
            "statement {number}, sql_mode '{mode}', goes to {class:?} and writes: {text}"
        );
        *tally.entry((place, outcome)).or_default() += 1;
        count.progress(number);
    }
    let of = |place, outcome| tally.get(&(place, outcome)).copied().unwrap_or(0);
    println!("{tally:#?}");
    let total = count.total();
    assert!(of("to replicas", "done") > total / 5, "{tally:#?}");
    assert!(of("to the primary", "refused") > total / 5, "{tally:#?}");
}
