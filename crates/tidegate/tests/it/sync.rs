//! `sync_transaction` before real servers: a client hears of its write when replicas have it, or with a
//! warning that they may not.

use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};
use tidegate_testkit::{Server, Tidegate, wait_until};

use crate::causal::{LAGGING, Standstill, table, turn};
use crate::house::{Plan, document, run};

fn start(lines: &str) -> Tidegate {
    Plan::new(&LAGGING)
        .split(&format!("sync_transaction=true\n{lines}"))
        .start()
}

fn connect(tidegate: &Tidegate) -> RawClient {
    let login = Login::new(&LAGGING.accounts().app)
        .database("test")
        .capabilities(CLIENT_MULTI_STATEMENTS);
    RawClient::connect(tidegate.address("rw"), &login).expect("a login")
}

fn counted(tidegate: &Tidegate, name: &str) -> u64 {
    let service = document(tidegate, "/v1/services/RW-Split-Router");
    service["data"]["attributes"]["router_diagnostics"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {service:#}"))
}

/// The rows of a table on a server.
fn rows(server: &Server, table: &str) -> u64 {
    let count = server.value(&format!("SELECT COUNT(*) FROM test.{table}"));
    count.expect("a count").parse().expect("a number")
}

/// The warnings of the OK packet that ends the answer.
fn warnings(client: &mut RawClient) -> u16 {
    let replies = client.replies().expect("an answer");
    match replies.last() {
        Some(Reply::Ok { warnings, .. }) => *warnings,
        other => panic!("no OK but {other:?}"),
    }
}

fn warned(client: &mut RawClient, sql: &str) -> u16 {
    client.send_query(sql).expect("sent");
    warnings(client)
}

/// Replicas that are waiting for a transaction.
fn waiting() -> usize {
    let waits = |replica: &&Server| {
        let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting in MASTER_GTID_WAIT%'";
        replica.value(sql).expect("a count") != "0"
    };
    LAGGING.replicas().iter().filter(waits).count()
}

#[test]
fn a_write_is_told_when_so_many_replicas_have_it() {
    let _turn = turn();
    for (count, lazy) in [(1, false), (2, true)] {
        let name = format!("sync_{count}");
        table(&name);
        let tidegate = start(&format!(
            "sync_transaction_count={count}\nlazy_connect={lazy}\n"
        ));
        let mut client = connect(&tidegate);
        let insert = format!("INSERT INTO {name} (v) VALUES (1)");
        for n in 1..=30 {
            match n % 3 {
                0 => {
                    run(&mut client, "BEGIN");
                    run(&mut client, &insert);
                    run(&mut client, "COMMIT");
                }
                1 => run(&mut client, &insert),
                _ => {
                    let several = format!("SET @a = {n}; {insert}; SET @a = 0");
                    assert_eq!(warned(&mut client, &several), 0);
                }
            }
            let have = |replica: &&Server| rows(replica, &name) == n;
            let replicas = LAGGING.replicas().iter().filter(have).count();
            assert!(replicas >= count, "{replicas} have row {n}");
        }
        assert_eq!(counted(&tidegate, "synced_transactions"), 30);
        assert_eq!(counted(&tidegate, "sync_timeouts"), 0);
    }
}

#[test]
fn a_write_that_replicas_do_not_get_in_time_is_told_with_a_warning() {
    let _turn = turn();
    table("sync_late");
    let tidegate = start("sync_transaction_count=2\nsync_transaction_timeout=1s\n");
    let mut client = connect(&tidegate);
    let insert = "INSERT INTO sync_late (v) VALUES (1)";
    assert_eq!(warned(&mut client, insert), 0);
    let standstill = Standstill::of(&LAGGING.replicas()[..1]);
    assert_eq!(warned(&mut client, insert), 1);
    tidegate
        .wait_log("1 of 2 replicas")
        .expect("a warning in the log");
    standstill.end();
    assert_eq!(rows(LAGGING.primary(), "sync_late"), 2);
    assert_eq!(warned(&mut client, insert), 0, "they are waited for again");
    assert_eq!(counted(&tidegate, "sync_timeouts"), 1);
}

#[test]
fn one_replica_that_stands_still_is_not_waited_for_if_another_suffices() {
    let _turn = turn();
    table("sync_one");
    let tidegate = start("");
    let mut client = connect(&tidegate);
    let standstill = Standstill::of(&LAGGING.replicas()[..1]);
    for _ in 0..10 {
        let insert = "INSERT INTO sync_one (v) VALUES (1)";
        assert_eq!(warned(&mut client, insert), 0);
    }
    assert_eq!(rows(&LAGGING.replicas()[1], "sync_one"), 10);
    standstill.end();
    assert_eq!(counted(&tidegate, "synced_transactions"), 10);
}

#[test]
fn a_write_waits_until_replicas_go_on() {
    let _turn = turn();
    table("sync_wait");
    let tidegate = start("sync_transaction_timeout=60s\n");
    let mut client = connect(&tidegate);
    let standstill = Standstill::begin();
    client
        .send_query("INSERT INTO sync_wait (v) VALUES (1)")
        .expect("sent");
    // What comes behind it is answered behind it, whoever answers it.
    client.send(&[0x0E]).expect("sent");
    client
        .send(&[&[0x17], [9; 9].as_slice()].concat())
        .expect("sent");
    wait_until("replicas that wait", || waiting() == 2).expect("waits");
    assert_eq!(rows(LAGGING.primary(), "sync_wait"), 1);
    standstill.end();
    assert_eq!(warnings(&mut client), 0);
    client.packets().expect_answer();
    assert_eq!(warnings(&mut client), 0, "the ping");
    client.packets().expect_answer();
    let unknown = client.replies().expect("an answer");
    assert_eq!(unknown[0].error_code(), Some(1243));
}

#[test]
fn a_write_whose_server_is_lost_while_it_waits_is_told() {
    let _turn = turn();
    table("sync_lost");
    let tidegate = start("sync_transaction_timeout=60s\n");
    let mut client = connect(&tidegate);
    let standstill = Standstill::begin();
    run(&mut client, "BEGIN");
    run(&mut client, "INSERT INTO sync_lost (v) VALUES (1)");
    client.send_query("COMMIT").expect("sent");
    wait_until("replicas that wait", || waiting() == 2).expect("waits");
    let user = &LAGGING.accounts().app.user;
    let sql = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{user}'");
    for row in LAGGING.primary().rows(&sql).expect("connections") {
        LAGGING
            .primary()
            .sql(&format!("KILL {}", row[0]))
            .expect("killed");
    }
    assert_eq!(warnings(&mut client), 1);
    standstill.end();
    run(&mut client, "INSERT INTO sync_lost (v) VALUES (2)");
    assert_eq!(rows(LAGGING.primary(), "sync_lost"), 2);
}

#[test]
fn semi_synchronous_servers_and_the_proxy_wait_for_the_same() {
    let _turn = turn();
    table("sync_semi");
    let set = |on: &str| {
        let primary = LAGGING.primary();
        primary
            .sql(&format!("SET GLOBAL rpl_semi_sync_master_enabled={on}"))
            .expect("set");
        for replica in LAGGING.replicas() {
            let sql = format!(
                "STOP SLAVE IO_THREAD; SET GLOBAL rpl_semi_sync_slave_enabled={on}; START SLAVE IO_THREAD"
            );
            replica.sql(&sql).expect("set");
        }
        LAGGING.wait_replicated().expect("replicas that caught up");
    };
    set("ON");
    let semi = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'Rpl_semi_sync_master_clients'";
    wait_until("semi-synchronous replicas", || {
        LAGGING.primary().value(semi).expect("a count") == "2"
    })
    .expect("replicas");
    let tidegate = start("sync_transaction_count=2\n");
    let mut client = connect(&tidegate);
    for n in 1..=10 {
        run(&mut client, "INSERT INTO sync_semi (v) VALUES (1)");
        for replica in LAGGING.replicas() {
            assert_eq!(rows(replica, "sync_semi"), n);
        }
    }
    assert_eq!(counted(&tidegate, "sync_timeouts"), 0);
    set("OFF");
}
