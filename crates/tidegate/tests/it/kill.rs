//! KILL, in every form: over all workers and services, as the servers would have it.

mod forms;
mod races;

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{Server, Tidegate, wait_until};

use crate::house::{Plan, connect, group, run, value};

const COM_PROCESS_KILL: u8 = 0x0C;

fn connect_as(tidegate: &Tidegate, port: &str, account: &Account) -> RawClient {
    let login = Login::new(account).database("test");
    RawClient::connect(tidegate.address(port), &login).expect("a login")
}

/// The code and text of the error that a statement ends in.
fn error(client: &mut RawClient, sql: &str) -> (u16, String) {
    client.send_query(sql).expect("sent");
    read_error(client, sql)
}

fn read_error(client: &mut RawClient, sql: &str) -> (u16, String) {
    let replies = client.replies().expect("a reply");
    let Some(Reply::Err { code, message, .. }) = replies.first() else {
        panic!("{sql}: {replies:?}");
    };
    (*code, message.clone())
}

/// Whether some server runs a statement with this mark in it.
fn is_running(mark: &str) -> bool {
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.processlist \
         WHERE info LIKE '%{mark}%' AND info NOT LIKE '%processlist%'"
    );
    let servers = group().servers().iter();
    let mut counts = servers.map(|server: &Server| server.value(&sql).expect("a count"));
    counts.any(|count| count != "0")
}

/// Starts a long statement, which has begun when this returns.
fn begin_long(client: &mut RawClient, mark: &str) {
    client
        .send_query(&format!("SELECT /*{mark}*/ SLEEP(600)"))
        .expect("sent");
    wait_until(mark, || is_running(mark)).expect("it runs");
}

/// Is it closed? Whoever waited for nothing may be told why.
fn is_closed(client: &mut RawClient) -> bool {
    client.packets().read_to_end().is_ok()
}

/// Is it closed, after an error that has been read, without another word?
fn says_no_more(client: &mut RawClient) -> bool {
    let rest = client.packets().read_to_end();
    rest.is_ok_and(|rest| rest.is_empty())
}

/// Clients on all workers, one after the other.
fn crowd(tidegate: &Tidegate, port: &str) -> Vec<RawClient> {
    (0..4).map(|_| connect(tidegate, port)).collect()
}

#[test]
fn a_session_is_killed_wherever_it_is_and_its_statement_on_the_server() {
    let tidegate = Plan::new(group()).start();
    for (port, other) in [("rw", "read"), ("read", "rw")] {
        let mut killer = connect(&tidegate, other);
        for (number, mut victim) in crowd(&tidegate, port).into_iter().enumerate() {
            let mark = format!("killed_{port}_{number}");
            begin_long(&mut victim, &mark);
            let id = victim.connection_id();
            run(&mut killer, &format!("KILL /*why*/ HARD CONNECTION {id}"));
            assert_eq!(
                read_error(&mut victim, &mark),
                (1927, "Connection was killed".to_owned())
            );
            assert!(says_no_more(&mut victim));
            wait_until(&mark, || !is_running(&mark)).expect("it ends on the server");
            assert_eq!(
                error(&mut killer, &format!("KILL {id}")),
                (1094, format!("Unknown thread id: {id}"))
            );
        }
    }
    tidegate
        .wait_log("said KILL CONNECTION: ")
        .expect("it is logged");
}

#[test]
fn a_query_is_killed_and_its_session_goes_on() {
    let tidegate = Plan::new(group()).start();
    let mut killer = connect(&tidegate, "rw");
    for port in ["rw", "read"] {
        for (number, mut victim) in crowd(&tidegate, port).into_iter().enumerate() {
            run(&mut victim, "SET @mine = 5");
            let mark = format!("interrupted_{port}_{number}");
            begin_long(&mut victim, &mark);
            let id = victim.connection_id();
            run(&mut killer, &format!("KILL SOFT QUERY {id}"));
            // SLEEP tells of it by its value.
            let replies = victim.replies().expect("a reply");
            let interrupted = match &replies[0] {
                Reply::Err { code, .. } => *code == 1317,
                other => other.text_value().expect("a value") == "1",
            };
            assert!(interrupted, "{replies:?}");
            assert_eq!(value(&mut victim, "SELECT @mine"), "5");
            // There is nothing to interrupt now.
            run(&mut killer, &format!("KILL QUERY {id}"));
            assert_eq!(value(&mut victim, "SELECT @mine"), "5");
        }
    }
}

#[test]
fn the_own_session_is_killed_as_a_server_does_it() {
    let tidegate = Plan::new(group()).start();
    let direct = group().primary().address();
    let own = group()
        .create_account("kill_own", "SELECT ON test.*")
        .expect("an account");
    for address in [direct, tidegate.address("rw"), tidegate.address("read")] {
        let login = Login::new(&own);
        let mut client = RawClient::connect(address, &login).expect("a login");
        assert_eq!(
            error(&mut client, "KILL QUERY CONNECTION_ID()"),
            (1317, "Query execution was interrupted".to_owned())
        );
        let id = client.connection_id().to_string();
        for sql in ["SELECT CONNECTION_ID()", "SELECT @@pseudo_thread_id"] {
            assert_eq!(value(&mut client, sql), id, "{address} {sql}");
        }
        assert_eq!(
            error(&mut client, "KILL CONNECTION_ID()"),
            (1927, "Connection was killed".to_owned())
        );
        assert!(says_no_more(&mut client));
        let mut client = RawClient::connect(address, &login).expect("a login");
        for (sql, closes) in [
            ("KILL QUERY USER CURRENT_USER", false),
            ("KILL USER CURRENT_USER()", true),
        ] {
            let reply = client.query(sql).expect("a reply");
            let Reply::Ok { affected_rows, .. } = reply else {
                panic!("{address}: {sql}: {reply:?}");
            };
            assert_eq!(affected_rows, 1, "{address}: {sql}");
            assert!(!closes || is_closed(&mut client), "{address}");
        }
    }
}

#[test]
fn a_prepared_question_for_the_connection_has_the_sessions_number() {
    let tidegate = Plan::new(group()).start();
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        let id = client.prepare("SELECT CONNECTION_ID()").expect("prepared");
        client.execute(id, &[]).expect("executed");
        let session = client.connection_id();
        let text = format!("SELECT CONNECTION_ID() = {session}");
        assert_ne!(value(&mut client, &text), "1", "servers have their own");
    }
}

#[test]
fn the_servers_decide_who_may_kill() {
    let other = group()
        .create_account("kill_other", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    for port in ["rw", "read"] {
        let mut victim = connect(&tidegate, port);
        let mut stranger = connect_as(&tidegate, "rw", &other);
        let mut admin = connect_as(&tidegate, "read", &group().accounts().admin);
        let mark = format!("denied_{port}");
        begin_long(&mut victim, &mark);
        let id = victim.connection_id();
        for kind in ["", "CONNECTION", "QUERY", "SOFT QUERY"] {
            assert_eq!(
                error(&mut stranger, &format!("KILL {kind} {id}")),
                (1095, format!("You are not owner of thread {id}"))
            );
        }
        assert!(is_running(&mark));
        run(&mut admin, &format!("KILL {id}"));
        assert_eq!(read_error(&mut victim, &mark).0, 1927);
    }
}

#[test]
fn a_session_without_connections_is_killed_by_its_user_and_by_those_who_may() {
    let other = group()
        .create_account("kill_lazy", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).split("lazy_connect=true\n").start();
    let mut stranger = connect_as(&tidegate, "rw", &other);
    let mut friend = connect(&tidegate, "rw");
    let mut admin = connect_as(&tidegate, "rw", &group().accounts().admin);
    let victims: Vec<RawClient> = (0..2).map(|_| connect(&tidegate, "rw")).collect();
    for (mut victim, killer) in victims.into_iter().zip([&mut friend, &mut admin]) {
        let id = victim.connection_id();
        for kind in ["CONNECTION", "QUERY"] {
            let (code, _) = error(&mut stranger, &format!("KILL {kind} {id}"));
            assert_eq!(code, 1095);
        }
        run(killer, &format!("KILL QUERY {id}"));
        run(killer, &format!("KILL {id}"));
        assert!(is_closed(&mut victim));
    }
}

#[test]
fn all_sessions_of_a_user_are_killed() {
    let other = group()
        .create_account("kill_many", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group()).start();
    let mut admin = connect_as(&tidegate, "rw", &group().accounts().admin);
    let mut bystander = connect(&tidegate, "rw");
    let victims = || -> Vec<RawClient> {
        (0..6)
            .map(|number| connect_as(&tidegate, ["rw", "read"][number % 2], &other))
            .collect()
    };
    for name in ["kill_many", "'kill_many'@'%'", "'kill_many'@'127.0.0.1'"] {
        let victims = victims();
        run(&mut admin, "KILL USER kill_many@'10.9.8.7'");
        let reply = admin.query(&format!("KILL USER {name}")).expect("a reply");
        let Reply::Ok { affected_rows, .. } = reply else {
            panic!("{name}: {reply:?}");
        };
        assert_eq!(affected_rows, 6, "{name}");
        for mut victim in victims {
            assert!(is_closed(&mut victim));
        }
    }
    let mut one = connect_as(&tidegate, "rw", &other);
    let app = group().accounts().app.user.clone();
    assert_eq!(error(&mut one, &format!("KILL USER {app}")).0, 1095);
    assert_eq!(value(&mut bystander, "SELECT 1"), "1");
}

#[test]
fn forms_that_would_kill_somebody_else_are_refused() {
    let tidegate = Plan::new(group()).start();
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        for (sql, code) in [
            ("KILL QUERY ID 5", 1235),
            ("KILL 2 + 3", 1235),
            ("KILL @id", 1235),
            ("PREPARE s FROM 'KILL 5'", 1295),
            ("EXECUTE IMMEDIATE 'KILL 5'", 1295),
            ("KILL 99999999", 1094),
        ] {
            assert_eq!(error(&mut client, sql).0, code, "{port}: {sql}");
        }
        let refused = client.prepare("KILL 5").expect_err("it is not prepared");
        assert!(format!("{refused:#}").contains("1295"), "{refused:#}");
        client.send(&[COM_PROCESS_KILL, 1, 2, 3, 4]).expect("sent");
        assert_eq!(
            read_error(&mut client, "COM_PROCESS_KILL"),
            (1094, "Unknown thread id: 67305985".to_owned())
        );
        let mut victim = connect(&tidegate, "rw");
        let mut command = vec![COM_PROCESS_KILL];
        command.extend_from_slice(&victim.connection_id().to_le_bytes());
        client.send(&command).expect("sent");
        let replies = client.replies().expect("a reply");
        assert!(matches!(replies[0], Reply::Ok { .. }), "{replies:?}");
        assert!(is_closed(&mut victim));
        assert_eq!(value(&mut client, "SELECT 1"), "1");
    }
}

#[test]
fn a_transaction_whose_session_is_killed_is_not_repeated() {
    let tidegate = Plan::new(group())
        .split("transaction_replay=true\n")
        .start();
    group()
        .primary()
        .sql("CREATE TABLE test.not_repeated (n INT)")
        .expect("a table");
    let mut admin = connect_as(&tidegate, "rw", &group().accounts().admin);
    let mut victim = connect(&tidegate, "rw");
    run(&mut victim, "BEGIN");
    run(&mut victim, "INSERT INTO not_repeated VALUES (1)");
    begin_long(&mut victim, "not_repeated_mark");
    run(&mut admin, &format!("KILL {}", victim.connection_id()));
    assert_eq!(read_error(&mut victim, "the statement").0, 1927);
    let count = group()
        .primary()
        .value("SELECT COUNT(*) FROM test.not_repeated");
    assert_eq!(count.expect("a count"), "0");
}
