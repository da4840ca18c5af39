//! What connections to servers begin with, and how those are kept alive that nobody uses.

use tidegate_testkit::raw::{RawClient, Reply};
use tidegate_testkit::{PortLease, Server, Tidegate, wait_until};

use crate::house::{Plan, connect, group, run, value};

/// A listener of the service with readconnroute, with these lines.
fn second_listener(lines: &str) -> String {
    format!(
        "[Second]\ntype=listener\nservice=Read-Connection-Router\naddress=127.0.0.1\n\
         port=<port:second>\n{lines}\n"
    )
}

/// The server to which a session's reads go, and its number for the connection.
fn reader(client: &mut RawClient) -> (&'static Server, String) {
    let id = value(client, "SELECT @@server_id");
    let number = value(client, "SELECT CONNECTION_ID() + 0");
    let ix: usize = id.parse().expect("a number");
    (&group().servers()[ix - 1], number)
}

/// For how many milliseconds the server has heard nothing on the connection.
fn idle_ms(server: &Server, number: &str) -> f64 {
    let sql = format!("SELECT TIME_MS FROM information_schema.processlist WHERE id = {number}");
    let found = server.value(&sql).expect("a time");
    found.parse().expect("a number")
}

/// Waits until the server hears something on the connection of which it had heard nothing for a while,
/// and calls `meanwhile` again and again.
fn wait_heard(server: &Server, number: &str, mut meanwhile: impl FnMut()) {
    let mut longest = 0.0f64;
    wait_until("something to be heard", || {
        meanwhile();
        let now = idle_ms(server, number);
        longest = longest.max(now);
        longest > 500.0 && now < longest
    })
    .expect("a ping");
}

#[test]
fn connections_that_a_busy_session_does_not_use_are_pinged() {
    let mut tidegate = Plan::new(group())
        .split("connection_keepalive=1s\n")
        .start();
    tidegate.wait_ready().expect("ready");
    let mut client = connect(&tidegate, "rw");
    let (server, number) = reader(&mut client);
    wait_heard(server, &number, || {
        run(&mut client, "DO SLEEP(0) /* a write */")
    });
    assert_eq!(
        reader(&mut client).1,
        number,
        "the connection is still there"
    );
}

#[test]
fn those_of_an_idle_session_are_pinged_where_that_is_wanted() {
    let mut tidegate = Plan::new(group())
        .split("connection_keepalive=1s\nforce_connection_keepalive=true\n")
        .start();
    tidegate.wait_ready().expect("ready");
    let mut client = connect(&tidegate, "rw");
    let (server, number) = reader(&mut client);
    wait_heard(server, &number, || {});
    assert_eq!(
        reader(&mut client).1,
        number,
        "the connection is still there"
    );
}

/// A proxy whose sessions begin with these statements, by both routers.
fn start_with(statements: &str) -> Tidegate {
    let file = format!("init-{}.sql", statements.len());
    let path = group().scratch().write(&file, statements).expect("a file");
    let lines = format!("connection_init_sql_file={}\n", path.display());
    let mut tidegate = Plan::new(group())
        .listener(&lines)
        .more(&second_listener(&lines))
        .start();
    tidegate.wait_ready().expect("ready");
    tidegate
}

#[test]
fn every_connection_begins_with_the_statements_of_the_file() {
    let tidegate = start_with("SET @greeting = 'hello'\n\n  SET max_statement_time = 77\n");
    for port in ["rw", "second"] {
        let mut client = connect(&tidegate, port);
        let asked = "SELECT CONCAT(@greeting, ' ', ROUND(@@max_statement_time))";
        assert_eq!(value(&mut client, asked), "hello 77", "{port}");
        // As on a connection that is new.
        client.send(&[0x1f]).expect("sent");
        let reset = client.replies().expect("a reply");
        assert!(matches!(reset[..], [Reply::Ok { .. }]), "{reset:?}");
        assert_eq!(
            value(&mut client, asked),
            "hello 77",
            "{port}, after a reset"
        );
    }
    // Clients of other listeners of the service have nothing of it.
    let mut client = connect(&tidegate, "read");
    assert_eq!(value(&mut client, "SELECT @greeting IS NULL"), "1");
}

#[test]
fn a_connection_on_which_such_a_statement_fails_is_not_used() {
    for (statements, trouble) in [
        ("SET no_such_variable = 1\n", "Unknown system variable"),
        ("SELECT 'a row'\n", "it returns rows"),
    ] {
        let tidegate = start_with(statements);
        for port in ["rw", "second"] {
            let mut client = connect(&tidegate, port);
            let reply = client.query("SELECT 1");
            let refused = reply
                .as_ref()
                .map_or(true, |reply| reply.error_code().is_some());
            assert!(refused, "{port}: {reply:?}");
        }
        tidegate
            .wait_log("of connection_init_sql_file: ")
            .expect("a line of it");
        let log = tidegate.log();
        assert!(log.contains(statements.trim()), "{log}");
        assert!(log.contains(trouble), "{log}");
    }
}

#[test]
fn connections_come_from_the_chosen_address() {
    let mut tidegate = Plan::new(group())
        .globals("local_address=127.0.0.9\n")
        .start();
    tidegate.wait_ready().expect("ready");
    let mut client = connect(&tidegate, "rw");
    let (server, number) = reader(&mut client);
    let sql = format!("SELECT host FROM information_schema.processlist WHERE id = {number}");
    let host = server.value(&sql).expect("a host");
    assert!(host.starts_with("127.0.0.9:"), "{host}");
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.processlist \
         WHERE user = '{}' AND host LIKE '127.0.0.9:%'",
        group().accounts().monitor.user
    );
    let watching = || {
        group()
            .primary()
            .value(&sql)
            .is_ok_and(|count| count == "1")
    };
    wait_until("the monitor to be seen", watching).expect("it comes from there too");
}

#[test]
fn a_client_that_takes_nothing_is_disconnected() {
    let mut tidegate = Plan::new(group()).split("net_write_timeout=1s\n").start();
    tidegate.wait_ready().expect("ready");
    let mut stalled = connect(&tidegate, "rw");
    let (server, number) = reader(&mut stalled);
    let much = "SELECT REPEAT('x', 1000) FROM seq_1_to_100000";
    stalled.send_query(much).expect("sent");
    tidegate
        .wait_log("the client took none of its data for 1 seconds, see net_write_timeout")
        .expect("it is told");
    let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {number}");
    let gone = || server.value(&sql).is_ok_and(|count| count == "0");
    wait_until("the server to be free of it", gone).expect("it is");
    // Another that takes it in time gets all of it.
    let mut reading = connect(&tidegate, "rw");
    reading.send_query(much).expect("sent");
    assert_eq!(reading.count_rows().expect("rows").0, 100_000);
}

#[test]
fn the_extra_port_is_tried_first() {
    let nobody = PortLease::take().expect("a port");
    let tidegate = Plan::new(group())
        .every_server(&format!("extra_port={}\n", nobody.port()))
        .start();
    for name in ["primary", "replica1", "replica2"] {
        let text = format!("extra_port of server '{name}' does not answer, its usual port is used");
        tidegate.wait_log(&text).expect("a line of it");
    }
    let mut client = connect(&tidegate, "rw");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
}
