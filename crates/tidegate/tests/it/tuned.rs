//! `auto_tune`: services whose sessions may be idle as long as their servers' connections.

use std::io::Read as _;

use serde_json::Value;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Server, ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, document, value, wait_document};

const SPLIT: &str = "/v1/services/RW-Split-Router";

/// Servers of a test's own, whose variables it changes.
fn servers() -> ServerGroup {
    ServerGroup::builder()
        .replicas(1)
        .option("wait_timeout=20000")
        .start()
        .expect("a group")
}

fn connect(group: &ServerGroup, tidegate: &Tidegate) -> RawClient {
    let login = Login::new(&group.accounts().app).database("test");
    RawClient::connect(tidegate.address("rw"), &login).expect("a login")
}

/// `wait_timeout` and `connection_keepalive` as a service shows them.
fn limits(service: &Value) -> (&str, &str) {
    let parameters = &service["data"]["attributes"]["parameters"];
    let text = |name: &str| parameters[name].as_str().unwrap_or_default();
    (text("wait_timeout"), text("connection_keepalive"))
}

fn set_global(server: &Server, seconds: u64) {
    let sql = format!("SET GLOBAL wait_timeout = {seconds}");
    server.sql(&sql).expect("set");
}

#[test]
fn both_limits_follow_the_least_patient_server() {
    let group = servers();
    let sections = format!(
        "[alone]\ntype=server\naddress=127.0.0.1\nport={}\n\
         [Mixed]\ntype=service\nrouter=readconnroute\nservers=alone,{}\nuser={}\npassword={}\n\
         wait_timeout=77s\n\
         [Nested]\ntype=service\nrouter=readconnroute\ntargets=RW-Split-Router\nuser={}\npassword={}\n",
        group.primary().port(),
        group.replicas()[0].name(),
        group.accounts().service.user,
        group.accounts().service.password,
        group.accounts().service.user,
        group.accounts().service.password,
    );
    let tidegate = Plan::new(&group)
        .globals("auto_tune=all\ndebug=allow-duplicate-servers\n")
        .split("wait_timeout=1000000s\nconnection_keepalive=0s\n")
        .more(&sections)
        .start();
    let shown = document(&tidegate, SPLIT);
    assert_eq!(limits(&shown), ("20000000ms", "16000000ms"));
    let mut client = connect(&group, &tidegate);
    assert_eq!(value(&mut client, "SELECT 1"), "1");

    set_global(&group.replicas()[0], 3);
    wait_document(&tidegate, SPLIT, |shown| {
        limits(shown) == ("3000ms", "2400ms")
    });
    wait_document(&tidegate, "/v1/services/Nested", |shown| {
        limits(shown) == ("3000ms", "2400ms")
    });
    let mixed = document(&tidegate, "/v1/services/Mixed");
    assert_eq!(
        limits(&mixed),
        ("77000ms", "300000ms"),
        "one is unmonitored"
    );

    // The session was there before, and follows.
    let mut last = Vec::new();
    let _ = client.packets().stream().read_to_end(&mut last);
    let said = String::from_utf8_lossy(&last).into_owned();
    assert!(said.contains("for 3 seconds"), "{said}");
    tidegate.wait_log("client_idle").expect("the cause");

    set_global(&group.replicas()[0], 30_000);
    wait_document(&tidegate, SPLIT, |shown| {
        limits(shown) == ("20000000ms", "16000000ms")
    });
}

#[test]
fn connections_are_kept_from_a_server_that_has_become_impatient() {
    let group = servers();
    let tidegate = Plan::new(&group)
        .globals("auto_tune=connection_keepalive\n")
        .split("force_connection_keepalive=true\n")
        .start();
    let shown = document(&tidegate, SPLIT);
    assert_eq!(limits(&shown), ("28800000ms", "16000000ms"));
    for server in group.servers() {
        set_global(server, 2);
    }
    wait_document(&tidegate, SPLIT, |shown| {
        limits(shown) == ("28800000ms", "1600ms")
    });
    // Its connections are opened now, under the new limit of the servers.
    let mut client = connect(&group, &tidegate);
    let number = value(&mut client, "SELECT CONNECTION_ID() + 0");
    let id: usize = value(&mut client, "SELECT @@server_id")
        .parse()
        .expect("a number");
    let server = &group.servers()[id - 1];
    // Longer than the server would have let it be, if nothing had been said on it.
    let born =
        "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='Uptime'";
    let uptime = || -> u64 {
        server
            .value(born)
            .expect("a time")
            .parse()
            .expect("a number")
    };
    let begun = uptime();
    wait_until("the server's patience to be over twice", || {
        uptime() > begun + 5
    })
    .expect("time");
    assert_eq!(value(&mut client, "SELECT CONNECTION_ID() + 0"), number);
}

#[test]
fn what_cannot_be_tuned_is_told() {
    let builder = Tidegate::builder(&format!("{}auto_tune=wait_timout\n", crate::start::BARE));
    let mut tidegate = builder.launch().expect("a process");
    let status = tidegate.wait(tidegate_testkit::PATIENCE).expect("its end");
    assert!(!status.success());
    let log = tidegate.log();
    assert!(log.contains("did you mean 'wait_timeout'?"), "{log}");
}
