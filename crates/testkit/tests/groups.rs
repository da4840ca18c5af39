//! The groups themselves, against real servers.

use tidegate_testkit::{PATIENCE, ServerGroup, wait_for};

#[test]
fn replicas_follow_and_nothing_is_left() {
    let group = ServerGroup::start(2).expect("a group");
    let folder = group.scratch().path().to_owned();
    group
        .primary()
        .sql("CREATE TABLE test.t (a INT); INSERT INTO test.t VALUES (7)")
        .expect("SQL");
    group.wait_replicated().expect("replicated");
    for replica in group.replicas() {
        assert_eq!(replica.value("SELECT a FROM test.t").expect("a row"), "7");
        assert_eq!(replica.value("SELECT @@read_only").expect("a row"), "1");
    }
    let users = group
        .primary()
        .value("SELECT COUNT(*) FROM mysql.user WHERE User IN ('root','')");
    assert_eq!(
        users.expect("a row"),
        "0",
        "no account with a known password"
    );
    drop(group);
    assert!(!folder.exists());
}

#[test]
fn a_killed_server_comes_back_with_its_data_on_its_port() {
    let group = ServerGroup::start(0).expect("a server");
    let server = group.primary();
    server
        .sql("CREATE TABLE test.t (a INT); INSERT INTO test.t VALUES (7)")
        .expect("SQL");
    let (port, pid) = (server.port(), server.pid());
    server.kill().expect("killed");
    assert!(server.sql("SELECT 1").is_err());
    server.restart().expect("restarted");
    assert_eq!(server.value("SELECT a FROM test.t").expect("a row"), "7");
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    server.stop().expect("stopped in order");
}

#[test]
fn a_paused_server_says_nothing_until_resumed() {
    let group = ServerGroup::start(0).expect("a server");
    let server = group.primary();
    server.pause().expect("paused");
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid().expect("a pid")))?;
        Ok(stat.contains(") T ").then_some(()))
    };
    wait_for("the stopped state", PATIENCE, state).expect("stopped");
    server.resume().expect("resumed");
    assert_eq!(server.value("SELECT 1").expect("a row"), "1");
}
