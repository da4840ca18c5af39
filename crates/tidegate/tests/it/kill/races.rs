//! KILL of sessions whose connections come and go: those that are being made, that wait in a pool, that
//! were lent, or that another session has by now.

use tidegate_testkit::raw::{Login, RawClient, Reply};
use tidegate_testkit::{Direction, Fault, Relay, Tidegate, wait_until};

use super::{begin_long, connect_as, error, is_closed, is_running, read_error, says_no_more};
use crate::house::{Plan, connect, group, run, value, wait_document};

/// The server's own number of the client's connection.
fn thread(client: &mut RawClient) -> String {
    value(client, "SELECT CONNECTION_ID() + 0")
}

/// One worker, whose connections all go to the primary at this place.
fn start(plan: Plan<'_>, pool: usize, split: &str) -> Tidegate {
    let lines = format!("persistpoolmax={pool}\npersistmaxtime=300s\nmax_routing_connections=2\n");
    let text = plan
        .only(&[group().primary().name()])
        .every_server(&lines)
        .split(split)
        .text()
        .replace("threads=2\n", "threads=1\n")
        .replace("router_options=slave\n", "router_options=master\n");
    Tidegate::start(&text).expect("tidegate")
}

fn wait_pooled(tidegate: &Tidegate, count: u64) {
    let path = format!("/v1/servers/{}", group().primary().name());
    wait_document(tidegate, &path, |server| {
        server["data"]["attributes"]["statistics"]["persistent_connections"] == count
    });
}

fn wait_lent(tidegate: &Tidegate, client: &RawClient) {
    let path = format!("/v1/sessions/{}", client.connection_id());
    wait_document(tidegate, &path, |session| {
        session["data"]["attributes"]["connection_sharing"]["lent_now"] == 1
    });
}

fn is_listed(tidegate: &Tidegate, id: u32) -> bool {
    let path = format!("/v1/sessions/{id}");
    tidegate.rest().get(&path).expect("an answer").status == 200
}

#[test]
fn a_session_that_still_connects_to_its_server_is_killed() {
    let stranger = group()
        .create_account("kill_connecting", "SELECT ON test.*")
        .expect("an account");
    let replica = &group().replicas()[0];
    let relay = Relay::start(replica.address()).expect("a relay");
    let tidegate = Plan::new(group())
        .only(&[group().primary().name(), replica.name()])
        .at(replica.name(), relay.address())
        .start();
    // Nothing the server says passes, so that its greeting is waited for.
    relay.set_fault(Direction::ToClient, Fault::StallAfter(0));
    let mut stranger = connect_as(&tidegate, "rw", &stranger);
    let mut friend = connect(&tidegate, "rw");
    let mut admin = connect_as(&tidegate, "rw", &group().accounts().admin);
    for by_friend in [true, false] {
        let mut victim = connect(&tidegate, "read");
        victim.send_query("SELECT 1").expect("sent");
        let id = victim.connection_id();
        for kind in ["CONNECTION", "QUERY", "HARD"] {
            let (code, _) = error(&mut stranger, &format!("KILL {kind} {id}"));
            assert_eq!(code, 1095, "{kind}");
        }
        let killer = if by_friend { &mut friend } else { &mut admin };
        run(killer, &format!("KILL QUERY {id}"));
        assert!(is_listed(&tidegate, id));
        run(killer, &format!("KILL {id}"));
        assert_eq!(read_error(&mut victim, "it").0, 1927);
        assert!(says_no_more(&mut victim));
        assert_eq!(error(killer, &format!("KILL {id}")).0, 1094);
    }
}

#[test]
fn a_connection_that_a_kill_is_on_its_way_to_is_left_to_nobody() {
    let primary = group().primary();
    let relay = Relay::start(primary.address()).expect("a relay");
    let plan = Plan::new(group()).at(primary.name(), relay.address());
    let tidegate = start(plan, 2, "");
    let mut killer = connect(&tidegate, "rw");
    let login = Login::new(&group().accounts().admin).database("test");
    let mut holder = RawClient::connect(primary.address(), &login).expect("a login");
    run(&mut holder, "CREATE TABLE kill_locked (n INT)");
    for kind in ["QUERY", "CONNECTION", "HARD", "USER"] {
        let mut victim = connect(&tidegate, "read");
        let aimed_at = thread(&mut victim);
        let id = victim.connection_id();
        // Something that it can hit, and that ends before it comes.
        run(&mut holder, "LOCK TABLES kill_locked WRITE");
        let mark = format!("held_{kind}");
        let sql = format!("SELECT /*{mark}*/ COUNT(*) FROM kill_locked");
        victim.send_query(&sql).expect("sent");
        wait_until(&mark, || is_running(&mark)).expect("it runs");
        // The servers' own KILL waits.
        relay.hold_new();
        let accepted = relay.accepted();
        let whom = match kind {
            "USER" => format!("'{}'@'127.0.0.1'", group().accounts().app.user),
            _ => id.to_string(),
        };
        killer
            .send_query(&format!("KILL {kind} {whom}"))
            .expect("sent");
        wait_until("the KILL on its way", || relay.accepted() > accepted).expect("it comes");
        run(&mut holder, "UNLOCK TABLES");
        let counted = victim.replies().expect("a count");
        assert_eq!(counted[0].text_value().expect("a count"), "0");
        victim.quit().expect("a goodbye");
        wait_until("the end of the session", || !is_listed(&tidegate, id)).expect("it ends");
        wait_pooled(&tidegate, 0);
        relay.release();
        let mut other = connect(&tidegate, "read");
        assert_ne!(thread(&mut other), aimed_at);
        let reply = killer.replies().expect("a reply");
        assert!(matches!(reply[0], Reply::Ok { .. }), "{kind}: {reply:?}");
        if kind == "USER" {
            return;
        }
        assert_eq!(value(&mut other, "SELECT 1"), "1");
        drop(other);
        wait_pooled(&tidegate, 1);
    }
}

#[test]
fn a_connection_that_has_moved_to_another_session_is_not_hit() {
    let tidegate = start(Plan::new(group()), 2, "");
    let mut first = connect(&tidegate, "read");
    let moved = thread(&mut first);
    let gone = first.connection_id();
    first.quit().expect("a goodbye");
    wait_pooled(&tidegate, 1);
    let mut second = connect(&tidegate, "read");
    let mut admin = connect_as(&tidegate, "rw", &group().accounts().admin);
    assert_eq!(thread(&mut second), moved);
    for kind in ["", "QUERY", "HARD"] {
        begin_long(&mut second, "moved_on");
        let text = format!("KILL {kind} {gone}");
        assert_eq!(error(&mut admin, &text).0, 1094);
        assert!(is_running("moved_on"));
        run(
            &mut admin,
            &format!("KILL QUERY {}", second.connection_id()),
        );
        second.replies().expect("a reply");
        assert_eq!(thread(&mut second), moved);
    }
}

#[test]
fn a_session_that_has_lent_its_connection_is_killed_and_its_borrower_is_not() {
    let tidegate = start(
        Plan::new(group()),
        1,
        "idle_session_pool_time=0ms\nlazy_connect=true\n",
    );
    for kind in ["QUERY", "CONNECTION"] {
        let mut lender = connect(&tidegate, "rw");
        let lent = thread(&mut lender);
        wait_lent(&tidegate, &lender);
        // The other connection that there may be.
        let mut holder = connect(&tidegate, "rw");
        run(&mut holder, "BEGIN");
        assert_ne!(thread(&mut holder), "");
        let mut borrower = connect(&tidegate, "rw");
        let mark = format!("borrowed_{kind}");
        begin_long(&mut borrower, &mark);
        let mut killer = connect(&tidegate, "rw");
        run(
            &mut killer,
            &format!("KILL {kind} {}", lender.connection_id()),
        );
        assert!(is_running(&mark), "{lent}");
        if kind == "QUERY" {
            run(&mut holder, "COMMIT");
            assert_eq!(value(&mut lender, "SELECT 1"), "1");
        } else {
            assert!(is_closed(&mut lender));
        }
        let id = borrower.connection_id();
        run(&mut killer, &format!("KILL {id}"));
        assert_eq!(read_error(&mut borrower, &mark).0, 1927);
        wait_until(&mark, || !is_running(&mark)).expect("it ends on the server");
    }
}

#[test]
fn a_session_that_was_not_killed_lends_its_connection_as_before() {
    let stranger = group()
        .create_account("kill_pardoned", "SELECT ON test.*")
        .expect("an account");
    let tidegate = start(
        Plan::new(group()),
        2,
        "idle_session_pool_time=0ms\nlazy_connect=true\n",
    );
    let mut victim = connect(&tidegate, "rw");
    let mut friend = connect(&tidegate, "rw");
    let mut stranger = connect_as(&tidegate, "rw", &stranger);
    let id = victim.connection_id();
    run(&mut victim, "BEGIN");
    assert_eq!(value(&mut victim, "SELECT 1"), "1");
    run(&mut friend, &format!("KILL QUERY {id}"));
    for kind in ["QUERY", "CONNECTION"] {
        assert_eq!(error(&mut stranger, &format!("KILL {kind} {id}")).0, 1095);
    }
    run(&mut victim, "COMMIT");
    wait_lent(&tidegate, &victim);
}

#[test]
fn what_a_killed_query_does_on_other_servers_ends_too() {
    let tidegate = Plan::new(group()).start();
    let mut victim = crate::readwritesplit::well_connected(&tidegate);
    let mut killer = connect(&tidegate, "rw");
    victim
        .send_query("SET @everywhere = (SELECT /*everywhere*/ SLEEP(600))")
        .expect("sent");
    wait_until("it", || is_running("everywhere")).expect("it runs");
    run(
        &mut killer,
        &format!("KILL QUERY {}", victim.connection_id()),
    );
    let replies = victim.replies().expect("a reply");
    assert_eq!(replies.len(), 1, "{replies:?}");
    wait_until("the end", || !is_running("everywhere")).expect("it ends on every server");
    assert_eq!(value(&mut victim, "SELECT 1"), "1");
}

#[test]
fn a_killed_query_is_not_repeated() {
    let tidegate = Plan::new(group())
        .split("transaction_replay=true\ndelayed_retry=true\n")
        .start();
    let mut holder = connect(&tidegate, "rw");
    run(&mut holder, "CREATE TABLE killed_waits (n INT PRIMARY KEY)");
    run(&mut holder, "INSERT INTO killed_waits VALUES (1), (2)");
    run(&mut holder, "BEGIN");
    run(&mut holder, "UPDATE killed_waits SET n = 3 WHERE n = 1");
    let mut killer = connect(&tidegate, "rw");
    for begin in ["BEGIN", "DO 0"] {
        let mut victim = connect(&tidegate, "rw");
        run(&mut victim, begin);
        run(&mut victim, "UPDATE killed_waits SET n = 2 WHERE n = 2");
        let sql = "UPDATE /*killed_waits_mark*/ killed_waits SET n = 4 WHERE n = 1";
        victim.send_query(sql).expect("sent");
        wait_until("it", || is_running("killed_waits_mark")).expect("it runs");
        run(
            &mut killer,
            &format!("KILL QUERY {}", victim.connection_id()),
        );
        assert_eq!(
            read_error(&mut victim, sql),
            (1317, "Query execution was interrupted".to_owned())
        );
        assert!(!is_running("killed_waits_mark"));
        assert_eq!(value(&mut victim, "SELECT COUNT(*) FROM killed_waits"), "2");
        run(&mut victim, "ROLLBACK");
    }
    run(&mut holder, "ROLLBACK");
}

/// Whoever waits for a free connection is ended, and does not wait on.
#[test]
fn a_session_that_waits_for_a_connection_is_killed() {
    let tidegate = start(
        Plan::new(group()),
        2,
        "idle_session_pool_time=0ms\nlazy_connect=true\n",
    );
    let mut holders: Vec<RawClient> = (0..2).map(|_| connect(&tidegate, "rw")).collect();
    for holder in &mut holders {
        run(holder, "BEGIN");
        assert_eq!(value(holder, "SELECT 1"), "1");
    }
    let mut victim = connect(&tidegate, "rw");
    victim.send_query("SELECT 'never'").expect("sent");
    let mut killer = connect(&tidegate, "rw");
    run(
        &mut killer,
        &format!("KILL QUERY {}", victim.connection_id()),
    );
    run(&mut killer, &format!("KILL {}", victim.connection_id()));
    assert_eq!(read_error(&mut victim, "it").0, 1927);
    assert!(says_no_more(&mut victim));
    run(&mut holders[0], "COMMIT");
    let mut next = connect(&tidegate, "rw");
    assert_eq!(value(&mut next, "SELECT 'well'"), "well");
}

/// What is prepared from a variable nobody reads: its number is a server's, as documented.
#[test]
fn what_a_variable_hides_is_a_matter_of_the_server() {
    let primary = group().primary().address();
    let tidegate = Plan::new(group()).read("router_options=master\n").start();
    let login = Login::new(&group().accounts().app);
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        let mut victim = RawClient::connect(primary, &login).expect("a login");
        let id = victim.connection_id();
        run(&mut client, &format!("SET @kill = 'KILL {id}'"));
        run(&mut client, "PREPARE p FROM @kill");
        run(&mut client, "EXECUTE p");
        assert!(is_closed(&mut victim), "{port}");
        run(&mut client, "DEALLOCATE PREPARE p");
        assert_eq!(value(&mut client, "SELECT 1"), "1");
    }
}
