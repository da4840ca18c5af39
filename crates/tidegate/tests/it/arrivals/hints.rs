//! Hints before real servers: in texts, and in what is prepared.

use tidegate_testkit::raw::{RawClient, Reply};
use tidegate_testkit::statements::Row;

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

/// Every row's text, said by `say` with what `ready` has made of it.
fn walk<T>(
    ready: impl Fn(&mut RawClient, &str) -> T,
    say: impl Fn(&mut RawClient, &T) -> Vec<Reply>,
) {
    let group = servers();
    let tidegate = Plan::new(&group)
        .split("filters=Hints\n")
        .more("[Hints]\ntype=filter\nmodule=hintfilter\n")
        .start();
    let mut walk = Walk::new(&group, &tidegate);
    for [states, target, text] in ROWS {
        let row = Row::new(states, target, text);
        let (mut client, expected) = walk.prepare(&row);
        let said = ready(&mut client, text);
        walk.say(&row, &mut client, expected, |client| {
            (0..TIMES).flat_map(|_| say(client, &said)).collect()
        });
    }
    walk.finish(ROWS.len(), 20);
}

fn query(client: &mut RawClient, text: &str) -> Vec<Reply> {
    client.send_query(text).expect("sent");
    client.replies().expect("an answer")
}

#[test]
fn hints_lead_where_they_say() {
    walk(
        |_, text| text.to_owned(),
        |client, text| query(client, text),
    );
}

#[test]
fn hints_in_what_is_prepared_lead_its_executions() {
    walk(
        |client, text| client.prepare(text).expect("prepared"),
        |client, id| execute(client, *id),
    );
}

#[test]
fn without_the_filter_hints_mean_nothing() {
    let group = servers();
    let tidegate = Plan::new(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    let row = Row::new("ac", "REPLICA", "SELECT 1 -- maxscale route to master");
    let (mut client, expected) = walk.prepare(&row);
    walk.say(&row, &mut client, expected, |client| {
        query(client, &row.text)
    });
    walk.finish(1, 1);
}
