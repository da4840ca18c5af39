//! What keeps a session on its primary does not end it with the primary's connection.

use super::{behind_relay, connect, counted, service, succeeds};
use crate::house::{Plan, group, run, value};
use tidegate_testkit::Relay;
use tidegate_testkit::raw::Reply;

#[test]
fn what_was_said_of_the_next_transaction_is_said_to_another_connection() {
    for replays in [true, false] {
        let relay = Relay::start(group().primary().address()).expect("a relay");
        let tidegate = Plan::new(group())
            .at("primary", relay.address())
            .more(&service("").replace("replay=true", &format!("replay={replays}")))
            .start();
        let mut client = connect(&tidegate, group());
        let name = format!("pinned_next_{replays}");
        run(&mut client, &format!("CREATE TABLE {name} (v INT)"));
        let insert = format!("INSERT INTO {name} VALUES (1)");
        run(&mut client, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
        run(&mut client, "SET TRANSACTION READ ONLY");
        relay.cut();
        tidegate.wait_log("closed the connection").expect("a loss");
        run(&mut client, "BEGIN");
        let reply = client.query(&insert).expect("an answer");
        assert_eq!(reply.error_code(), Some(1792), "{reply:?}");
        run(&mut client, "ROLLBACK");
        // It held for one transaction.
        relay.cut();
        run(&mut client, "BEGIN");
        run(&mut client, &insert);
        run(&mut client, "COMMIT");
    }
}

#[test]
fn a_serializable_session_goes_on_with_another_connection() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    run(&mut client, "CREATE TABLE pinned_level (v INT)");
    run(
        &mut client,
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    );
    run(&mut client, "INSERT INTO pinned_level VALUES (1)");
    relay.cut();
    tidegate.wait_log("closed the connection").expect("a loss");
    run(&mut client, "INSERT INTO pinned_level VALUES (2)");
    run(&mut client, "BEGIN");
    assert_eq!(value(&mut client, "SELECT COUNT(*) FROM pinned_level"), "2");
    relay.cut();
    client
        .send_query("INSERT INTO pinned_level VALUES (3)")
        .expect("sent");
    succeeds(&mut client);
    assert_eq!(value(&mut client, "SELECT @@tx_isolation"), "SERIALIZABLE");
    run(&mut client, "COMMIT");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_session_that_a_strict_mode_keeps_on_the_primary_goes_on_with_another_connection() {
    let (relay, tidegate) = behind_relay("strict_sp_calls=true");
    let mut client = connect(&tidegate, group());
    group()
        .primary()
        .sql("CREATE OR REPLACE PROCEDURE test.pinned_call() DO 1")
        .expect("a procedure");
    let reply = client.query("CALL pinned_call()").expect("an answer");
    assert!(matches!(reply, Reply::Ok { .. }), "{reply:?}");
    relay.cut();
    tidegate.wait_log("closed the connection").expect("a loss");
    run(&mut client, "CREATE TABLE pinned_strict (v INT)");
}
