//! Statements longer than what the proxy looks at, in a transaction that is repeated.

use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};

use super::{behind_relay, connect, counted, on_primary, refused, succeeds};
use crate::house::{group, run};

/// More than twice what is looked at of a statement.
const LONG: usize = 600 * 1024;

const LINES: &str = "transaction_replay_max_size=4Mi";

fn table(client: &mut RawClient, name: &str) {
    run(
        client,
        &format!("CREATE TABLE {name} (id INT PRIMARY KEY, v MEDIUMTEXT)"),
    );
}

fn lengths(name: &str) -> String {
    let sql = format!("SELECT GROUP_CONCAT(LENGTH(v) ORDER BY id) FROM test.{name}");
    on_primary(group(), &sql)
}

#[test]
fn a_long_statement_is_repeated() {
    let (relay, tidegate) = behind_relay(LINES);
    let mut client = connect(&tidegate, group());
    table(&mut client, "large_text");
    run(&mut client, "BEGIN");
    let long = format!(
        "INSERT INTO large_text VALUES (1, '{}')",
        "x;'' ".repeat(LONG / 5)
    );
    run(&mut client, &long);
    relay.cut();
    run(&mut client, "INSERT INTO large_text VALUES (2, 'y')");
    run(&mut client, "COMMIT");
    assert_eq!(lengths("large_text"), format!("{},1", LONG / 5 * 4));
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_long_statement_is_executed_once_when_the_server_is_lost_amid_it() {
    let (relay, tidegate) = behind_relay(LINES);
    let mut client = connect(&tidegate, group());
    table(&mut client, "large_amid");
    run(&mut client, "BEGIN");
    run(&mut client, "INSERT INTO large_amid VALUES (1, 'y')");
    let mut packet = format!(
        "\x03INSERT INTO large_amid VALUES (2, '{}')",
        "x".repeat(LONG)
    )
    .into_bytes();
    let len = u32::try_from(packet.len()).expect("a length");
    let [a, b, c, _] = len.to_le_bytes();
    packet.splice(0..0, [a, b, c, 0]);
    let (first, rest) = packet.split_at(LONG * 2 / 3);
    client.packets().write_bytes(first).expect("sent");
    relay.cut();
    tidegate.wait_log("will be repeated").expect("a loss");
    client.packets().write_bytes(rest).expect("sent");
    client.packets().expect_answer();
    succeeds(&mut client);
    run(&mut client, "COMMIT");
    assert_eq!(lengths("large_amid"), format!("1,{LONG}"));
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn what_a_long_statement_hides_at_its_end_is_not_repeated() {
    let (relay, tidegate) = behind_relay(LINES);
    let login = Login::new(&group().accounts().app)
        .database("test")
        .capabilities(CLIENT_MULTI_STATEMENTS);
    let mut client = RawClient::connect(tidegate.address("replay"), &login).expect("a login");
    table(&mut client, "large_hidden");
    run(&mut client, "BEGIN");
    let long = format!(
        "INSERT INTO large_hidden VALUES (1, '{}'); COMMIT; BEGIN",
        "x".repeat(LONG)
    );
    client.send_query(&long).expect("sent");
    assert_eq!(client.replies().expect("answers").len(), 3);
    relay.cut();
    client
        .send_query("INSERT INTO large_hidden VALUES (2, 'y')")
        .expect("sent");
    refused(&mut client);
    assert_eq!(lengths("large_hidden"), LONG.to_string());
    assert_eq!(counted(&tidegate, "replayed_transactions"), 0);
}

#[test]
fn long_data_of_any_length_are_repeated() {
    let (relay, tidegate) = behind_relay(LINES);
    let mut client = connect(&tidegate, group());
    table(&mut client, "large_data");
    let id = client
        .prepare("INSERT INTO large_data VALUES (2, ?)")
        .expect("prepared");
    let id = id.to_le_bytes();
    run(&mut client, "BEGIN");
    run(&mut client, "INSERT INTO large_data VALUES (1, 'y')");
    for _ in 0..2 {
        let piece = [&[0x18], id.as_slice(), &[0, 0], &vec![b'x'; LONG]].concat();
        client.send(&piece).expect("long data");
    }
    relay.cut();
    let execute = [&[0x17], id.as_slice(), &[0, 1, 0, 0, 0, 0, 1, 0xFD, 0]].concat();
    client.send(&execute).expect("sent");
    let replies = client.replies().expect("an answer");
    assert!(
        matches!(replies.as_slice(), [Reply::Ok { .. }]),
        "{replies:?}"
    );
    run(&mut client, "COMMIT");
    assert_eq!(lengths("large_data"), format!("1,{}", 2 * LONG));
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}
