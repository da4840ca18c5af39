//! What a session of readwritesplit must be able to do, and is asked for nowhere else.

use std::collections::BTreeMap;

use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{ServerGroup, Tidegate};

use crate::house::{Plan, connect, group, run, value};
use crate::readwritesplit::{PRIMARY, place, well_connected};

/// The primary itself.
fn direct() -> RawClient {
    let login = Login::new(&group().accounts().app).database("test");
    RawClient::connect(group().primary().address(), &login).expect("a login")
}

/// More sessions than chance can deal unevenly.
const SESSIONS: usize = 60;

#[test]
fn sessions_begin_with_every_replica() {
    let tidegate = Plan::new(group()).start();
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..SESSIONS {
        *shares
            .entry(place(&mut connect(&tidegate, "rw")))
            .or_default() += 1;
    }
    assert_eq!(shares.len(), 2, "{shares:?}");
    assert!(
        shares.values().all(|count| *count >= SESSIONS / 4),
        "{shares:?}"
    );
}

/// One column of each type, and a value.
const TYPES: &[(&str, &str)] = &[
    ("TINYINT", "-5"),
    ("SMALLINT UNSIGNED", "65535"),
    ("MEDIUMINT", "-8388608"),
    ("INT", "2147483647"),
    ("BIGINT UNSIGNED", "18446744073709551615"),
    ("FLOAT", "1.5"),
    ("DOUBLE", "-2.25e100"),
    ("DECIMAL(30,10)", "12345678901234567890.0123456789"),
    ("BIT(12)", "b'101010101010'"),
    ("DATE", "'2024-02-29'"),
    ("TIME(6)", "'-838:59:58.999999'"),
    ("DATETIME(3)", "'2024-02-29 23:59:59.123'"),
    ("TIMESTAMP", "'2024-02-29 23:59:59'"),
    ("YEAR", "2155"),
    ("CHAR(10)", "'ab c'"),
    ("VARCHAR(100)", "'日本 😀'"),
    ("VARBINARY(10)", "x'00ff10'"),
    ("LONGTEXT", "REPEAT('x', 70000)"),
    ("LONGBLOB", "REPEAT(x'00fe', 40000)"),
    ("ENUM('a','b')", "'b'"),
    ("SET('a','b','c')", "'a,c'"),
    ("JSON", "'{\"a\":[1,2]}'"),
    ("INET6", "'::1'"),
    ("UUID", "'123e4567-e89b-12d3-a456-426655440000'"),
    ("GEOMETRY", "ST_GeomFromText('POINT(1 2)')"),
];

#[test]
fn values_of_every_type_come_through_prepared_statements_as_they_are() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let columns: Vec<String> = (0..)
        .zip(TYPES)
        .map(|(ix, (kind, _))| format!("c{ix} {kind} NULL"))
        .collect();
    let values: Vec<&str> = TYPES.iter().map(|(_, value)| *value).collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    run(
        &mut client,
        &format!("CREATE TABLE every_type (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4"),
    );
    run(
        &mut client,
        &format!("INSERT INTO every_type VALUES (1, {values})"),
    );
    run(&mut client, "INSERT INTO every_type (id) VALUES (2)");
    group().wait_replicated().expect("replicated");
    let mut direct = direct();
    let query = "SELECT * FROM every_type WHERE id < ? ORDER BY id";
    let answer = |client: &mut RawClient| {
        let id = client.prepare(query).expect("prepared");
        client.execute(id, &["9"]).expect("rows")
    };
    let expected = answer(&mut direct);
    let Reply::Rows { rows, columns, .. } = &expected else {
        panic!("{expected:?}")
    };
    assert_eq!(rows.len(), 2);
    // On a replica, on the primary, and in text.
    for before in ["DO 0", "BEGIN"] {
        run(&mut client, before);
        let Reply::Rows {
            rows: found,
            columns: named,
            ..
        } = answer(&mut client)
        else {
            panic!("no rows")
        };
        assert!(found == *rows && named == *columns, "after {before}");
    }
    run(&mut client, "COMMIT");
    let text = "SELECT * FROM every_type ORDER BY id";
    let rows = |client: &mut RawClient| match client.query(text).expect("rows") {
        Reply::Rows { rows, .. } => rows,
        other => panic!("{other:?}"),
    };
    assert!(rows(&mut client) == rows(&mut direct));
}

#[test]
fn a_file_is_written_once_by_the_primary() {
    let tidegate = Plan::new(group()).start();
    let login = Login::new(&group().accounts().admin).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    let write = "SELECT 1 INTO OUTFILE 'outfile_of_the_primary'";
    run(&mut client, write);
    let again = client.query(write).expect("an answer");
    assert_eq!(again.error_code(), Some(1086), "{again:?}");
}

#[test]
fn a_direct_execution_after_a_failed_prepare_ends_as_on_a_server() {
    let tidegate = Plan::new(group()).start();
    let outcome = |client: &mut RawClient| {
        client.prepare("SELECT 1").expect("prepared");
        client
            .prepare("SELECT nonsense FROM nowhere")
            .expect_err("no statement");
        let command = [&[0x17], &u32::MAX.to_le_bytes()[..], &[0, 1, 0, 0, 0]].concat();
        client.send(&command).expect("sent");
        let code = client.replies().expect("an answer")[0].error_code();
        client.send(&[0x1F]).expect("sent");
        let reset = client.replies().expect("an answer")[0].error_code();
        assert_eq!(value(client, "SELECT 7"), "7");
        (code, reset)
    };
    let expected = outcome(&mut direct());
    assert_eq!(outcome(&mut connect(&tidegate, "rw")), expected);
}

/// Beyond the limit of the history, which prepared statements are no part of.
const STATEMENTS: u32 = 60;

#[test]
fn more_statements_than_the_history_may_hold_survive_the_loss_of_a_server() {
    let servers = ServerGroup::start(2).expect("a server group");
    let tidegate = Plan::new(&servers).start();
    let login = Login::new(&servers.accounts().app).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    let ids: Vec<u32> = (0..STATEMENTS)
        .map(|n| {
            client
                .prepare(&format!("SELECT ? + {n}"))
                .expect("prepared")
        })
        .collect();
    run(&mut client, "SET @kept = 'kept'");
    let mut check = |tidegate: &Tidegate| {
        for (n, id) in (0..).zip(&ids) {
            let answer = client.execute(*id, &["1000"]).expect("an answer");
            assert!(matches!(answer, Reply::Rows { .. }), "{n}: {answer:?}");
        }
        assert_eq!(
            value(&mut client, "SELECT @kept"),
            "kept",
            "{}",
            tidegate.log()
        );
    };
    check(&tidegate);
    for replica in servers.replicas() {
        replica.kill().expect("killed");
        check(&tidegate);
    }
}

#[test]
fn a_session_command_of_more_than_sixteen_mebibytes_reaches_every_server() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    // Just below the most that a packet holds, at it, and above it.
    for len in [0xFF_FFFB, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0x100_0005] {
        let head = "SET @large = '";
        // The command's byte, and the quote at the end.
        let value_len = len - head.len() - 2;
        run(&mut client, &format!("{head}{}'", "x".repeat(value_len)));
        let length = "SELECT LENGTH(@large)";
        assert_eq!(value(&mut client, length), value_len.to_string());
        run(&mut client, "BEGIN");
        assert_eq!(value(&mut client, length), value_len.to_string());
        run(&mut client, "COMMIT");
    }
}

#[test]
fn a_user_changes_again_and_again() {
    for lines in ["", "disable_sescmd_history=true\n"] {
        let tidegate = Plan::new(group()).split(lines).start();
        let mut client = well_connected(&tidegate);
        for round in 0..20 {
            run(&mut client, &format!("SET @round = {round}"));
            assert_eq!(value(&mut client, "SELECT @round"), round.to_string());
            crate::protocol::change_user(
                &mut client,
                &group().accounts().app.user,
                &group().accounts().app.password,
            );
            let replies = client.replies().expect("an answer");
            assert!(matches!(replies[0], Reply::Ok { .. }), "{replies:?}");
            assert_eq!(value(&mut client, "SELECT @round IS NULL"), "1");
            assert_ne!(place(&mut client), PRIMARY);
        }
    }
}

#[test]
fn commit_release_ends_the_session_as_it_ends_a_servers() {
    let tidegate = Plan::new(group()).start();
    for text in ["COMMIT RELEASE", "ROLLBACK RELEASE"] {
        for mut client in [direct(), connect(&tidegate, "rw")] {
            run(&mut client, "BEGIN");
            run(&mut client, text);
            let rest = client.packets().read_to_end();
            assert_eq!(rest.expect("the end"), b"", "{text}");
        }
    }
}
