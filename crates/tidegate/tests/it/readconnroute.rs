//! One server a session, chosen by role and number of connections.

use std::collections::BTreeMap;

use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{ServerGroup, wait_until};

use crate::house::{Plan, connect, group, run, value, wait_document};
use crate::protocol::load_local;

fn place(client: &mut RawClient) -> String {
    value(client, "SELECT @@server_id")
}

#[test]
fn sessions_go_to_servers_of_the_role() {
    for (options, expected) in [
        ("router_options=master\n", &["1"][..]),
        ("router_options=slave\n", &["2", "3"]),
        ("router_options=running\n", &["1", "2", "3"]),
        ("router_options=master,slave\n", &["1", "2", "3"]),
    ] {
        let tidegate = Plan::new(group()).read(options).start();
        let mut clients: Vec<_> = (0..6).map(|_| connect(&tidegate, "read")).collect();
        let mut places: Vec<String> = clients.iter_mut().map(place).collect();
        places.sort();
        places.dedup();
        assert_eq!(places, expected, "{options}");
    }
}

#[test]
fn sessions_are_spread_evenly_and_stay_where_they_are() {
    let tidegate = Plan::new(group()).start();
    let mut clients: Vec<_> = (0..25).map(|_| connect(&tidegate, "read")).collect();
    let places: Vec<String> = clients.iter_mut().map(place).collect();
    let mut counts = BTreeMap::new();
    for server in &places {
        *counts.entry(server.clone()).or_insert(0) += 1;
    }
    let mut numbers: Vec<i32> = counts.values().copied().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [12, 13], "{counts:?}");
    for (client, server) in clients.iter_mut().zip(&places) {
        run(client, "SET @x = 1");
        assert_eq!(&place(client), server);
    }
}

#[test]
fn maintenance_ends_a_session_at_rest_and_spares_the_others() {
    let tidegate = Plan::new(group()).start();
    let (mut one, mut two) = (connect(&tidegate, "read"), connect(&tidegate, "read"));
    if place(&mut one) == "3" {
        std::mem::swap(&mut one, &mut two);
    }
    assert_eq!((place(&mut one), place(&mut two)), ("2".into(), "3".into()));
    let answer = tidegate
        .rest()
        .put("/v1/servers/replica1/set?state=maintenance")
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"]
            .as_str()
            .is_some_and(|text| text.contains("Maintenance"))
    });
    wait_until("the end of the session", || match one.query("SELECT 1") {
        Ok(reply) => reply.error_code() == Some(1927),
        Err(_) => true,
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    assert_eq!(place(&mut two), "3");
    let mut next = connect(&tidegate, "read");
    assert_eq!(place(&mut next), "3");
}

#[test]
fn a_local_file_is_loaded() {
    let tidegate = Plan::new(group()).read("router_options=master\n").start();
    let primary = group().primary();
    primary
        .sql("CREATE TABLE test.loaded_read (n INT)")
        .expect("a table");
    load_local(&tidegate, "read", "loaded_read", 20_000);
    let count = primary.value("SELECT COUNT(*) FROM test.loaded_read");
    assert_eq!(count.expect("a count"), "20000");
}

#[test]
fn a_session_whose_server_is_lost_ends_and_says_so() {
    let group = ServerGroup::start(1).expect("a server group");
    let tidegate = Plan::new(&group).start();
    let login = Login::new(&group.accounts().app).database("test");
    let mut client = RawClient::connect(tidegate.address("read"), &login).expect("a login");
    let mut writer = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    run(&mut writer, "BEGIN");
    assert_eq!(place(&mut client), "2");
    client.send_query("SELECT SLEEP(50)").expect("sent");
    let asleep = "SELECT COUNT(*) FROM information_schema.processlist \
                  WHERE info = 'SELECT SLEEP(50)'";
    wait_until("the statement to run", || {
        group.replicas()[0]
            .value(asleep)
            .is_ok_and(|count| count == "1")
    })
    .expect("running");
    group.replicas()[0].kill().expect("killed");
    let replies = client.replies().expect("a reply");
    let Reply::Err { code, message, .. } = &replies[0] else {
        panic!("{replies:?}")
    };
    assert_eq!(*code, 1927);
    assert!(
        message.contains("server_lost") && message.contains("'replica1'"),
        "{message}"
    );
    assert!(client.query("SELECT 1").is_err());
    assert_eq!(place(&mut writer), "1");
}
