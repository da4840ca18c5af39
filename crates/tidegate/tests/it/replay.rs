//! `transaction_replay` before real servers: a transaction whose server is lost goes on as if nothing
//! had been, or its client is told the truth.

mod bank;
mod kinds;
mod large;
mod pinned;

use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{Direction, Fault, Relay, ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, document, group, run, value, wait_document};

/// A service that repeats transactions, on `<port:replay>`.
fn service(lines: &str) -> String {
    format!(
        "[Replay-Router]\ntype=service\nrouter=readwritesplit\nservers=<names>\n<service>\n\
         transaction_replay=true\n{lines}\n\n\
         [Replay-Listener]\ntype=listener\nservice=Replay-Router\naddress=127.0.0.1\n\
         port=<port:replay>\n\n"
    )
}

/// The shared servers, with a relay before the primary.
fn behind_relay(lines: &str) -> (Relay, Tidegate) {
    let relay = Relay::start(group().primary().address()).expect("a relay");
    let tidegate = Plan::new(group())
        .at("primary", relay.address())
        .more(&service(lines))
        .start();
    (relay, tidegate)
}

fn connect(tidegate: &Tidegate, group: &ServerGroup) -> RawClient {
    let login = Login::new(&group.accounts().app).database("test");
    RawClient::connect(tidegate.address("replay"), &login).expect("a login")
}

/// A table of two rows, 1 with 10 and 2 with 20.
fn table(client: &mut RawClient, name: &str) {
    run(
        client,
        &format!("CREATE TABLE {name} (id INT PRIMARY KEY, v INT) ENGINE=InnoDB"),
    );
    run(
        client,
        &format!("INSERT INTO {name} VALUES (1, 10), (2, 20)"),
    );
}

/// What the primary itself says.
fn on_primary(group: &ServerGroup, sql: &str) -> String {
    group.primary().value(sql).expect("a value")
}

fn counted(tidegate: &Tidegate, name: &str) -> u64 {
    let service = document(tidegate, "/v1/services/Replay-Router");
    service["data"]["attributes"]["router_diagnostics"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {service:#}"))
}

/// The answer to a statement that ends the session.
fn refused(client: &mut RawClient) -> String {
    match client.replies().expect("an answer").as_slice() {
        [
            Reply::Err {
                code: 1927,
                message,
                ..
            },
        ] => message.clone(),
        other => panic!("no end but {other:?}"),
    }
}

fn succeeds(client: &mut RawClient) {
    let replies = client.replies().expect("an answer");
    assert!(
        matches!(replies.as_slice(), [Reply::Ok { .. }]),
        "{replies:?}"
    );
}

#[test]
fn a_transaction_goes_on_when_its_connection_breaks_between_two_statements() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_idle");
    run(&mut client, "SET @n = 1");
    run(&mut client, "BEGIN");
    let read = "SELECT v FROM replay_idle WHERE id = 1 FOR UPDATE";
    assert_eq!(value(&mut client, read), "10");
    run(&mut client, "UPDATE replay_idle SET v = v + 1 WHERE id = 1");
    run(&mut client, "SET @n = @n + 1");
    relay.cut();
    run(
        &mut client,
        "UPDATE replay_idle SET v = v + @n WHERE id = 2",
    );
    run(&mut client, "COMMIT");
    assert_eq!(value(&mut client, "SELECT @n"), "2");
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.replay_idle";
    assert_eq!(on_primary(group(), sums), "11,22");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_statement_in_flight_is_executed_once_when_its_connection_breaks() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_flight");
    run(&mut client, "START TRANSACTION");
    run(
        &mut client,
        "UPDATE replay_flight SET v = v + 1 WHERE id = 1",
    );
    relay.stall();
    client
        .send_query("UPDATE replay_flight SET v = v + 1 WHERE id = 2")
        .expect("sent");
    relay.cut();
    relay.release();
    succeeds(&mut client);
    run(&mut client, "COMMIT");
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.replay_flight";
    assert_eq!(on_primary(group(), sums), "11,21");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn prepared_statements_are_repeated_though_they_are_closed_since() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_prepared");
    let old = client
        .prepare("UPDATE replay_prepared SET v = v + ? WHERE id = 1")
        .expect("prepared");
    run(&mut client, "BEGIN");
    client.execute(old, &["5"]).expect("executed");
    let new = client
        .prepare("SELECT v FROM replay_prepared WHERE id = ?")
        .expect("prepared");
    let Reply::Rows { rows, .. } = client.execute(new, &["1"]).expect("executed") else {
        panic!("no rows")
    };
    assert_eq!(rows.len(), 1);
    for id in [old, new] {
        client
            .send(&[&[0x19], id.to_le_bytes().as_slice()].concat())
            .expect("closed");
    }
    relay.cut();
    run(
        &mut client,
        "UPDATE replay_prepared SET v = v + 1 WHERE id = 2",
    );
    run(&mut client, "COMMIT");
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.replay_prepared";
    assert_eq!(on_primary(group(), sums), "15,21");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn long_data_of_a_statement_that_was_closed_unexecuted_do_not_hinder_a_replay() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_long_data");
    run(&mut client, "BEGIN");
    run(
        &mut client,
        "UPDATE replay_long_data SET v = v + 1 WHERE id = 1",
    );
    let id = client
        .prepare("SELECT v FROM replay_long_data WHERE id = ?")
        .expect("prepared");
    let id = id.to_le_bytes();
    client
        .send(&[&[0x18], id.as_slice(), &[0, 0], b"1"].concat())
        .expect("long data");
    client
        .send(&[&[0x19], id.as_slice()].concat())
        .expect("closed");
    run(
        &mut client,
        "UPDATE replay_long_data SET v = v + 1 WHERE id = 2",
    );
    relay.cut();
    run(&mut client, "COMMIT");
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.replay_long_data";
    assert_eq!(on_primary(group(), sums), "11,21");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_result_that_broke_off_goes_on_at_the_same_byte() {
    let (relay, tidegate) = behind_relay("");
    let query = "SELECT seq, REPEAT(CHAR(65 + seq % 26), 90) FROM seq_1_to_20000";
    let mut direct = connect(&tidegate, group());
    direct.send_query(query).expect("sent");
    let whole = direct.count_rows().expect("rows");
    relay.set_fault(Direction::ToClient, Fault::CutAfter(700_001));
    let mut client = connect(&tidegate, group());
    run(&mut client, "BEGIN");
    relay.set_fault(Direction::ToClient, Fault::None);
    run(&mut client, "DO 1");
    client.send_query(query).expect("sent");
    assert_eq!(client.count_rows().expect("rows"), whole);
    run(&mut client, "COMMIT");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
    tidegate
        .wait_log("goes on where it broke off")
        .expect("a word of it in the log");
}

#[test]
fn a_transaction_that_meets_other_rows_is_not_repeated() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_other");
    run(&mut client, "BEGIN");
    assert_eq!(
        value(&mut client, "SELECT v FROM replay_other WHERE id = 1"),
        "10"
    );
    relay.stall();
    client
        .send_query("UPDATE replay_other SET v = v + 1 WHERE id = 2")
        .expect("sent");
    relay.cut();
    group()
        .primary()
        .sql("UPDATE test.replay_other SET v = 11 WHERE id = 1")
        .expect("changed");
    relay.release();
    let told = refused(&mut client);
    assert!(told.contains("its answers differ"), "{told}");
    assert_eq!(counted(&tidegate, "replay_mismatches"), 1);
    assert_eq!(counted(&tidegate, "replayed_transactions"), 0);
    let kept = "SELECT v FROM test.replay_other WHERE id = 2";
    assert_eq!(on_primary(group(), kept), "20");
}

#[test]
fn with_retry_on_mismatch_it_is_tried_until_the_rows_are_as_they_were() {
    let (relay, tidegate) = behind_relay("transaction_replay_retry_on_mismatch=true");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_again");
    run(&mut client, "BEGIN");
    assert_eq!(
        value(&mut client, "SELECT v FROM replay_again WHERE id = 1"),
        "10"
    );
    let other = |v: u32| {
        let sql = format!("UPDATE test.replay_again SET v = {v} WHERE id = 1");
        group().primary().sql(&sql).expect("changed");
    };
    relay.stall();
    client
        .send_query("UPDATE replay_again SET v = v + 1 WHERE id = 2")
        .expect("sent");
    relay.cut();
    other(11);
    relay.release();
    wait_until("a mismatch", || counted(&tidegate, "replay_mismatches") > 0).expect("a mismatch");
    other(10);
    succeeds(&mut client);
    run(&mut client, "COMMIT");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_commit_of_unknown_outcome_is_told_as_such() {
    let (relay, tidegate) = behind_relay("");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_commit");
    run(&mut client, "BEGIN");
    run(
        &mut client,
        "UPDATE replay_commit SET v = v + 1 WHERE id = 1",
    );
    relay.stall();
    client.send_query("COMMIT").expect("sent");
    relay.cut();
    relay.release();
    let told = refused(&mut client);
    assert!(
        told.contains("not known whether the transaction was committed"),
        "{told}"
    );
    assert_eq!(counted(&tidegate, "unknown_commits"), 1);
    assert_eq!(counted(&tidegate, "replayed_transactions"), 0);
}

#[test]
fn without_safe_commit_the_transaction_is_repeated_with_its_commit() {
    let (relay, tidegate) = behind_relay("transaction_replay_safe_commit=false");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_unsafe");
    run(&mut client, "BEGIN");
    run(
        &mut client,
        "UPDATE replay_unsafe SET v = v + 1 WHERE id = 1",
    );
    relay.stall();
    client.send_query("COMMIT").expect("sent");
    relay.cut();
    relay.release();
    succeeds(&mut client);
    let kept = "SELECT v FROM test.replay_unsafe WHERE id = 1";
    assert_eq!(on_primary(group(), kept), "11");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_transaction_that_is_too_long_is_not_repeated() {
    let (relay, tidegate) = behind_relay("transaction_replay_max_size=1Ki");
    let mut client = connect(&tidegate, group());
    table(&mut client, "replay_long");
    run(&mut client, "BEGIN");
    let padding = "p".repeat(2000);
    run(
        &mut client,
        &format!("UPDATE /* {padding} */ replay_long SET v = 0 WHERE id = 1"),
    );
    relay.stall();
    client.send_query("SELECT 1").expect("sent");
    relay.cut();
    relay.release();
    refused(&mut client);
    assert_eq!(counted(&tidegate, "trx_max_size_exceeded"), 1);
    assert_eq!(counted(&tidegate, "replayed_transactions"), 0);
    let mut next = connect(&tidegate, group());
    assert_eq!(
        value(
            &mut next,
            "SELECT v FROM replay_long WHERE id = 1 FOR UPDATE"
        ),
        "10"
    );
}

#[test]
fn the_loser_of_a_deadlock_is_repeated_after_the_winner() {
    let (_relay, tidegate) = behind_relay("transaction_replay_retry_on_deadlock=true");
    let mut winner = connect(&tidegate, group());
    table(&mut winner, "replay_deadlock");
    run(
        &mut winner,
        "INSERT INTO replay_deadlock SELECT seq, 0 FROM seq_10_to_60",
    );
    let mut loser = connect(&tidegate, group());
    run(&mut winner, "BEGIN");
    // The server undoes the one that has changed less.
    run(
        &mut winner,
        "UPDATE replay_deadlock SET v = v + 1 WHERE id >= 10",
    );
    run(
        &mut winner,
        "UPDATE replay_deadlock SET v = v + 1 WHERE id = 1",
    );
    run(&mut loser, "BEGIN");
    run(
        &mut loser,
        "UPDATE replay_deadlock SET v = v + 1 WHERE id = 2",
    );
    winner
        .send_query("UPDATE replay_deadlock SET v = v + 1 WHERE id = 2")
        .expect("sent");
    let waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx \
                   WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%replay_deadlock%'";
    wait_until("a lock that is waited for", || {
        on_primary(group(), waiting) == "1"
    })
    .expect("a wait");
    loser
        .send_query("UPDATE replay_deadlock SET v = v + 1 WHERE id = 1")
        .expect("sent");
    succeeds(&mut winner);
    run(&mut winner, "COMMIT");
    succeeds(&mut loser);
    run(&mut loser, "COMMIT");
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.replay_deadlock WHERE id < 10";
    assert_eq!(on_primary(group(), sums), "12,22");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

/// Makes the first replica the primary and the other one its replica.
fn promote_first(servers: &ServerGroup) {
    let [first, second] = servers.replicas() else {
        panic!("two replicas")
    };
    first
        .sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0")
        .expect("promoted");
    second.sql("STOP SLAVE; RESET SLAVE ALL").expect("stopped");
    servers.join(second, first).expect("a replica");
}

fn own_servers() -> (ServerGroup, Tidegate) {
    let servers = ServerGroup::builder()
        .replicas(2)
        .start()
        .expect("a server group");
    let tidegate = Plan::new(&servers).more(&service("")).start();
    (servers, tidegate)
}

fn wait_primary(tidegate: &Tidegate, server: &str) {
    wait_document(tidegate, &format!("/v1/servers/{server}"), |document| {
        document["data"]["attributes"]["state"]
            .as_str()
            .is_some_and(|state| state.contains("Master"))
    });
}

#[test]
fn a_transaction_moves_to_the_replica_that_takes_the_killed_primarys_place() {
    let (servers, tidegate) = own_servers();
    let mut client = connect(&tidegate, &servers);
    table(&mut client, "moved");
    servers.wait_replicated().expect("replicated");
    run(&mut client, "BEGIN");
    assert_eq!(
        value(&mut client, "SELECT SUM(v) FROM moved FOR UPDATE"),
        "30"
    );
    run(&mut client, "UPDATE moved SET v = v + 1 WHERE id = 1");
    client
        .send_query("UPDATE moved SET v = v + SLEEP(2) + 1 WHERE id = 2")
        .expect("sent");
    servers.primary().kill().expect("killed");
    promote_first(&servers);
    succeeds(&mut client);
    run(&mut client, "COMMIT");
    let new = &servers.replicas()[0];
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.moved";
    assert_eq!(new.value(sums).expect("a value"), "11,21");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

#[test]
fn a_transaction_moves_when_the_primarys_role_is_moved() {
    let (servers, tidegate) = own_servers();
    let mut client = connect(&tidegate, &servers);
    table(&mut client, "switched");
    servers.wait_replicated().expect("replicated");
    run(&mut client, "BEGIN");
    run(&mut client, "UPDATE switched SET v = v + 1 WHERE id = 1");
    promote_first(&servers);
    let old = servers.primary();
    servers
        .join(old, &servers.replicas()[0])
        .expect("a replica");
    wait_primary(&tidegate, "replica1");
    run(&mut client, "UPDATE switched SET v = v + 1 WHERE id = 2");
    run(&mut client, "COMMIT");
    let new = &servers.replicas()[0];
    let sums = "SELECT GROUP_CONCAT(v ORDER BY id) FROM test.switched";
    assert_eq!(new.value(sums).expect("a value"), "11,21");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
}

/// The service's targets, by the statements that they got.
fn statements_of(tidegate: &Tidegate, server: &str) -> u64 {
    let service = document(tidegate, "/v1/services/Replay-Router");
    let targets = &service["data"]["attributes"]["router_diagnostics"]["server_query_statistics"];
    let list = targets.as_array().expect("a list");
    list.iter()
        .find(|target| target["id"] == server)
        .and_then(|target| target["total"].as_u64())
        .unwrap_or_default()
}

#[test]
fn an_optimistic_transaction_that_only_reads_stays_on_a_replica() {
    let tidegate = Plan::new(group())
        .more(&service("optimistic_trx=true"))
        .start();
    let mut client = connect(&tidegate, group());
    run(&mut client, "SET @connected = 1");
    let before = statements_of(&tidegate, "primary");
    run(&mut client, "BEGIN");
    assert_ne!(value(&mut client, "SELECT @@server_id"), "1");
    run(&mut client, "COMMIT");
    assert_eq!(statements_of(&tidegate, "primary"), before);
    assert_eq!(counted(&tidegate, "ro_transactions"), 1);
    assert_eq!(counted(&tidegate, "replayed_transactions"), 0);
}

#[test]
fn an_optimistic_transaction_moves_to_the_primary_when_it_writes() {
    let tidegate = Plan::new(group())
        .more(&service("optimistic_trx=true"))
        .start();
    let mut client = connect(&tidegate, group());
    table(&mut client, "hopeful");
    group().wait_replicated().expect("replicated");
    run(&mut client, "START TRANSACTION");
    assert_eq!(value(&mut client, "SELECT SUM(v) FROM hopeful"), "30");
    run(&mut client, "DELETE FROM hopeful WHERE id = 2");
    assert_eq!(value(&mut client, "SELECT @@server_id"), "1");
    run(&mut client, "COMMIT");
    assert_eq!(on_primary(group(), "SELECT SUM(v) FROM test.hopeful"), "10");
    assert_eq!(counted(&tidegate, "replayed_transactions"), 1);
    assert_eq!(counted(&tidegate, "ro_transactions"), 0);
    assert_eq!(counted(&tidegate, "rw_transactions"), 1);
}
