//! Hints before real servers: in texts, and in what is prepared.

use super::cases::Row;
use super::commands::execute;
use super::{Walk, servers};
use crate::house::Plan;

/// How often each is said.
const TIMES: usize = 25;

/// State, target, text.
const ROWS: &[[&str; 3]] = &[
    ["ac", "PRIMARY", "SELECT 1 -- maxscale route to master"],
    ["ac", "PRIMARY", "SELECT 1 # maxscale route to master"],
    ["ac", "PRIMARY", "SELECT /* maxscale route to master */ 1"],
    [
        "ac",
        "REPLICA",
        "INSERT INTO t1(v) VALUES (1) -- maxscale route to slave",
    ],
    ["ac", "3", "SELECT 1 -- maxscale route to server replica2"],
    ["ac", "2", "SELECT 1 -- maxscale route to server replica1"],
    ["ac", "1", "SELECT 1 -- maxscale route to server primary"],
    [
        "ac",
        "REPLICA",
        "SELECT 1 -- maxscale route to server nosuch",
    ],
    ["ac", "LAST", "SELECT 1 -- maxscale route to last"],
    [
        "ac",
        "REPLICA",
        "SELECT 1 -- maxscale max_slave_replication_lag=5",
    ],
    [
        "ac",
        "REPLICA",
        "SELECT 1 -- maxscale max_slave_replication_lag=abc",
    ],
    ["ac", "PRIMARY", "SET @a = 1 -- maxscale route to master"],
    ["rw", "TRX", "SELECT 1 -- maxscale route to slave"],
    ["ro", "TRX", "SELECT 1 -- maxscale route to master"],
    ["ac0", "TRX", "SELECT 1 -- maxscale route to slave"],
    ["ac", "REPLICA", "SELECT '-- maxscale route to master'"],
    [
        "ac",
        "REPLICA",
        "/* a */ SELECT 1 -- maxscale route to master",
    ],
    ["ac", "REPLICA", "SELECT 1 -- maxscale route to server =("],
    ["ac", "REPLICA", "SELECT 1 -- maxscale route to nowhere"],
    ["ac", "REPLICA", "SELECT 1 -- maxscale"],
];

fn plan<'a>(group: &'a tidegate_testkit::ServerGroup) -> Plan<'a> {
    Plan::new(group)
        .split("filters=Hints\n")
        .more("[Hints]\ntype=filter\nmodule=hintfilter\n")
}

#[test]
fn hints_lead_where_they_say() {
    let group = servers();
    let tidegate = plan(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    for [states, target, text] in ROWS {
        let row = Row::new(states, target, text);
        let (mut client, expected) = walk.prepare(&row);
        walk.say(&row, &mut client, expected, |client| {
            let replies = (0..TIMES).map(|_| {
                client.send_query(text).expect("sent");
                client.replies().expect("an answer")
            });
            replies.flatten().collect()
        });
    }
    walk.finish(ROWS.len(), 20);
}

#[test]
fn hints_in_what_is_prepared_lead_its_executions() {
    let group = servers();
    let tidegate = plan(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    for [states, target, text] in ROWS {
        let row = Row::new(states, target, text);
        let (mut client, expected) = walk.prepare(&row);
        let id = client.prepare(text).expect("prepared");
        walk.say(&row, &mut client, expected, |client| {
            (0..TIMES).flat_map(|_| execute(client, id)).collect()
        });
    }
    walk.finish(ROWS.len(), 20);
}

#[test]
fn without_the_filter_hints_mean_nothing() {
    let group = servers();
    let tidegate = Plan::new(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    let row = Row::new("ac", "REPLICA", "SELECT 1 -- maxscale route to master");
    let (mut client, expected) = walk.prepare(&row);
    walk.say(&row, &mut client, expected, |client| {
        client.send_query(&row.text).expect("sent");
        client.replies().expect("an answer")
    });
    walk.finish(1, 1);
}
