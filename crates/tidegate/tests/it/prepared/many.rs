//! Very many statements: prepared and closed, closed in a storm, open while servers go.

use std::collections::BTreeSet;

use tidegate_testkit::procfs::resident_bytes;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{ServerGroup, Tidegate, wait_until};

use super::pipelines::prepared;
use super::{COM_STMT_CLOSE, COM_STMT_EXECUTE, asked, execution, named};
use crate::house::{Plan, run, value, wait_document};

/// A proxy whose monitor is patient: the servers have much to do.
fn start(group: &ServerGroup) -> Tidegate {
    let text = Plan::new(group).text().replace(
        "monitor_interval=100ms\n",
        "monitor_interval=100ms\nbackend_connect_timeout=60s\nbackend_read_timeout=60s\n",
    );
    Tidegate::start(&text).expect("tidegate")
}

fn connect(group: &ServerGroup, tidegate: &Tidegate) -> RawClient {
    let login = Login::new(&group.accounts().app).database("test");
    RawClient::connect(tidegate.address("rw"), &login).expect("a login")
}

/// Prepares all of these, many at a time.
fn prepare_all(client: &mut RawClient, texts: &[String]) -> Vec<u32> {
    let mut ids = Vec::new();
    for some in texts.chunks(100) {
        for text in some {
            let command = [&[0x16], text.as_bytes()].concat();
            client.send(&command).expect("sent");
        }
        for text in some {
            client.packets().expect_answer();
            ids.push(prepared(client).unwrap_or_else(|error| panic!("{text}: {error}")));
        }
    }
    ids
}

fn close(client: &mut RawClient, id: u32) {
    client.send(&named(COM_STMT_CLOSE, id, &[])).expect("sent");
}

/// Waits until each server has so many statements.
fn wait_count(group: &ServerGroup, count: usize) {
    for server in group.servers() {
        wait_until("the statements to be closed", || {
            let sql = "SELECT variable_value FROM information_schema.global_status \
                       WHERE variable_name = 'Prepared_stmt_count'";
            server.value(sql).expect("a count") == count.to_string()
        })
        .unwrap_or_else(|error| panic!("{}: {error:#}", server.name()));
    }
}

const STATEMENTS: usize = 70_000;

/// Of so many one stays open.
const KEPT: usize = 20;

/// What the proxy's memory may grow by for those that stay open, and what is kept for later ones.
const GROWTH_BYTES: u64 = 48 << 20;

#[test]
fn seventy_thousand_statements_in_one_session() {
    let group = ServerGroup::start(1).expect("a server group");
    let tidegate = start(&group);
    let mut client = connect(&group, &tidegate);
    let mut open = Vec::new();
    let mut seen = BTreeSet::new();
    let idle = resident_bytes(tidegate.pid()).expect("memory");
    for from in (0..STATEMENTS).step_by(1000) {
        let numbers: Vec<usize> = (from..from + 1000).collect();
        let texts: Vec<String> = numbers
            .iter()
            .map(|number| format!("SELECT CONCAT({number}, '-', ?)"))
            .collect();
        for (number, id) in numbers.iter().zip(prepare_all(&mut client, &texts)) {
            assert!(id != 0 && id != u32::MAX && seen.insert(id), "{id}");
            if number % KEPT == 0 {
                open.push((*number, id));
            } else {
                close(&mut client, id);
            }
        }
    }
    wait_count(&group, STATEMENTS / KEPT);
    let now = resident_bytes(tidegate.pid()).expect("memory");
    assert!(now < idle + GROWTH_BYTES, "{idle} bytes, then {now}");
    for before in ["DO 0", "BEGIN"] {
        run(&mut client, before);
        for (number, id) in &open {
            let command = execution(*id, &[0], Some(&[super::VAR_STRING]), b"\x01x");
            assert_eq!(asked(&mut client, &command), format!("{number}-x"));
        }
    }
    run(&mut client, "COMMIT");
    let closed = seen.iter().find(|id| open.iter().all(|(_, it)| it != *id));
    let closed = closed.expect("a closed one");
    let command = named(COM_STMT_EXECUTE, *closed, &[0, 1, 0, 0, 0]);
    assert_eq!(asked(&mut client, &command), "error 1243");
    client.quit().expect("a goodbye");
    wait_count(&group, 0);
}

#[test]
fn a_storm_of_closes() {
    let group = ServerGroup::start(2).expect("a server group");
    let tidegate = start(&group);
    let mut client = connect(&group, &tidegate);
    let texts: Vec<String> = (0..4000).map(|n| format!("SELECT CONCAT({n})")).collect();
    for round in 0..3 {
        let ids = prepare_all(&mut client, &texts);
        wait_count(&group, texts.len());
        let mut bytes = Vec::new();
        let mut put = |command: &[u8]| {
            bytes.extend_from_slice(&command.len().to_le_bytes()[..3]);
            bytes.push(0);
            bytes.extend_from_slice(command);
        };
        // Each twice, among executions of those that are closed, and of those that are not yet.
        let mut expected = Vec::new();
        for (ix, id) in ids.iter().enumerate() {
            put(&named(COM_STMT_CLOSE, *id, &[]));
            if ix % 100 == 50 {
                put(&named(COM_STMT_EXECUTE, *id, &[0, 1, 0, 0, 0]));
                expected.push("error 1243".to_owned());
                if let Some(next) = ids.get(ix + 1) {
                    put(&named(COM_STMT_EXECUTE, *next, &[0, 1, 0, 0, 0]));
                    expected.push((ix + 1).to_string());
                }
            }
            put(&named(COM_STMT_CLOSE, *id, &[]));
        }
        let all_there = std::thread::scope(|scope| {
            let mut writer = client.packets().stream().try_clone().expect("a handle");
            scope.spawn(move || {
                std::io::Write::write_all(&mut writer, &bytes).expect("sent");
            });
            let mut answers = Vec::new();
            for _ in 0..expected.len() {
                client.packets().expect_answer();
                let replies = client.replies().expect("an answer");
                answers.push(super::said(&replies[0]));
            }
            answers
        });
        assert_eq!(all_there, expected, "{round}");
        assert_eq!(value(&mut client, "SELECT 1"), "1");
        wait_count(&group, 0);
    }
}

const OPEN: i64 = 500;

#[test]
fn five_hundred_open_statements_go_on_while_servers_are_killed_and_change_their_roles() {
    let group = ServerGroup::start(2).expect("a server group");
    let tidegate = Plan::new(&group)
        .split("transaction_replay=true\nmaster_failure_mode=fail_on_write\n")
        .start();
    let mut client = connect(&group, &tidegate);
    let texts: Vec<String> = (0..OPEN)
        .map(|n| format!("SELECT CONCAT({n}, '-', ? + 1, '-', ?)"))
        .collect();
    let ids = prepare_all(&mut client, &texts);
    let execute = |id: u32, n: i64, first: bool| {
        let values = [&n.to_le_bytes()[..], b"\x01x"].concat();
        let types = [super::LONGLONG, super::VAR_STRING];
        execution(id, &[0], first.then_some(&types), &values)
    };
    let mut check = |what: &str, first: bool| {
        for before in ["BEGIN", "COMMIT"] {
            run(&mut client, before);
            for (n, id) in (0..).zip(&ids) {
                let answer = asked(&mut client, &execute(*id, n, first));
                assert_eq!(answer, format!("{n}-{}-x", n + 1), "{what}, {before}");
            }
        }
    };
    let wait_state = |server: &str, state: &str| {
        wait_document(&tidegate, &format!("/v1/servers/{server}"), |server| {
            server["data"]["attributes"]["state"] == state
        });
    };
    check("at first", true);
    let [primary, first, second] = group.servers() else {
        panic!("three servers")
    };
    for replica in [first, second] {
        replica.kill().expect("killed");
        check("a replica is killed", false);
    }
    first.restart().expect("started");
    wait_state(first.name(), "Slave, Running");
    check("a replica is back", false);
    primary.kill().expect("killed");
    primary.restart().expect("started");
    wait_state(primary.name(), "Master, Running");
    check("the primary was killed", false);
    first
        .sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only=0")
        .expect("a primary");
    primary.sql("SET GLOBAL read_only=1").expect("read only");
    group.join(primary, first).expect("joined");
    wait_state(first.name(), "Master, Running");
    wait_state(primary.name(), "Slave, Running");
    check("the roles are exchanged", false);
}
