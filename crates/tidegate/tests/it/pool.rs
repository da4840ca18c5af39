//! `persistpoolmax` before real servers: connections that sessions leave behind are used again, and
//! nobody notices.

use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Server, ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, connect, document, group, run, value, wait_document};

/// A proxy of one worker, for each has a pool of its own, whose readconnroute goes to the primary.
fn start(server_lines: &str) -> Tidegate {
    start_plan(
        &Plan::new(group())
            .read("router_options=master\n")
            .every_server(server_lines),
    )
}

fn start_plan(plan: &Plan<'_>) -> Tidegate {
    let text = plan.text().replace("threads=2\n", "threads=1\n");
    Tidegate::start(&text).expect("tidegate")
}

const POOL: &str = "persistpoolmax=10\npersistmaxtime=300s\n";

fn primary() -> &'static Server {
    group().primary()
}

fn path() -> String {
    format!("/v1/servers/{}", primary().name())
}

/// A figure of the primary's pool.
fn figure(tidegate: &Tidegate, name: &str) -> u64 {
    let server = document(tidegate, &path());
    server["data"]["attributes"]["statistics"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {server:#}"))
}

/// Waits until so many connections are kept.
fn wait_kept(tidegate: &Tidegate, count: u64) {
    wait_document(tidegate, &path(), |server| {
        server["data"]["attributes"]["statistics"]["persistent_connections"] == count
    });
}

/// The server's number of the client's connection.
fn number(client: &mut RawClient) -> String {
    // Asked for alone, it is the session's.
    value(client, "SELECT CONNECTION_ID() + 0")
}

/// Ends a session in order, and waits until its connection is kept.
fn leave(tidegate: &Tidegate, client: RawClient, kept: u64) {
    client.quit().expect("a goodbye");
    wait_kept(tidegate, kept);
}

/// Connects until the session has this connection of the server.
fn connect_to(tidegate: &Tidegate, login: &Login, expect: &str) -> RawClient {
    let mut found = None;
    wait_until("the connection to be used again", || {
        let mut client = RawClient::connect(tidegate.address("read"), login).expect("a login");
        if number(&mut client) == expect {
            found = Some(client);
        }
        found.is_some()
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    found.expect("a client")
}

fn app() -> Login {
    Login::new(&group().accounts().app).database("test")
}

#[test]
fn nothing_of_a_session_is_left_for_the_next() {
    let tidegate = start(POOL);
    primary()
        .sql("CREATE ROLE IF NOT EXISTS pool_role; GRANT pool_role TO 'app'@'%'")
        .expect("a role");
    let mut first = connect(&tidegate, "read");
    let id = number(&mut first);
    for statement in [
        "SET @x = 1, sql_mode = 'ANSI_QUOTES', NAMES latin1",
        "CREATE TEMPORARY TABLE of_the_first (a INT)",
        "SET ROLE pool_role",
        "PREPARE p FROM 'SELECT 1'",
        "USE information_schema",
    ] {
        run(&mut first, statement);
    }
    assert_eq!(value(&mut first, "SELECT GET_LOCK('pooled', 0)"), "1");
    assert_eq!(value(&mut first, "SELECT CURRENT_ROLE()"), "pool_role");
    run(&mut first, "COMMIT");
    leave(&tidegate, first, 1);
    let mut second = connect_to(&tidegate, &app(), &id);
    let state = "SELECT CONCAT_WS(',', IFNULL(@x, '-'), @@autocommit, @@character_set_client, \
                 IFNULL(CURRENT_ROLE(), '-'), DATABASE(), @@sql_mode LIKE '%ANSI%', \
                 IFNULL(IS_USED_LOCK('pooled'), '-'))";
    assert_eq!(value(&mut second, state), "-,ON,utf8mb4,-,test,0,-");
    for (statement, code) in [("SELECT * FROM of_the_first", 1146), ("EXECUTE p", 1243)] {
        let reply = second.query(statement).expect("a reply");
        assert_eq!(reply.error_code(), Some(code), "{statement}: {reply:?}");
    }
    assert!(figure(&tidegate, "reused_connections") >= 1);
}

#[test]
fn another_account_gets_the_connection_as_its_own() {
    let other = group()
        .create_account("pool_other", "SELECT ON *.*")
        .expect("an account");
    let tidegate = start(POOL);
    let mut first = connect(&tidegate, "read");
    let id = number(&mut first);
    leave(&tidegate, first, 1);
    let mut second = connect_to(&tidegate, &Login::new(&other), &id);
    let who = value(
        &mut second,
        "SELECT CONCAT(CURRENT_USER(), IFNULL(DATABASE(), '-'))",
    );
    assert_eq!(who, "pool_other@%-");
    let reply = second
        .query("CREATE TABLE test.of_other (a INT)")
        .expect("a reply");
    assert_eq!(
        reply.error_code(),
        Some(1142),
        "it has its own rights: {reply:?}"
    );
}

#[test]
fn an_account_that_the_server_does_not_know_any_more_is_refused() {
    let gone = group()
        .create_account("pool_gone", "SELECT ON *.*")
        .expect("an account");
    let tidegate = start(POOL);
    let login = Login::new(&gone);
    let mut first = RawClient::connect(tidegate.address("read"), &login).expect("a login");
    number(&mut first);
    leave(&tidegate, first, 1);
    primary().sql("DROP USER pool_gone@'%'").expect("dropped");
    // The proxy may not have heard of it: then the server says no.
    let refused = RawClient::connect(tidegate.address("read"), &login)
        .and_then(|mut client| client.query("SELECT 1"));
    let code = match refused {
        Ok(reply) => reply.error_code(),
        Err(error) => {
            assert!(format!("{error:#}").contains("1045"), "{error:#}");
            Some(1045)
        }
    };
    assert_eq!(code, Some(1045));
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_replaced() {
    let tidegate = start(POOL);
    let mut first = connect(&tidegate, "read");
    let id = number(&mut first);
    leave(&tidegate, first, 1);
    primary().sql(&format!("KILL {id}")).expect("killed");
    let mut second = connect(&tidegate, "read");
    assert_ne!(number(&mut second), id);
    assert_eq!(value(&mut second, "SELECT 'well'"), "well");
}

#[test]
fn no_more_are_kept_than_there_may_be_and_none_for_longer() {
    let group = ServerGroup::start(0).expect("a server");
    let lines = "persistpoolmax=2\npersistmaxtime=1s\n";
    let plan = Plan::new(&group).read("router_options=master\n");
    let tidegate = start_plan(&plan.every_server(lines));
    let aborted = || {
        group
            .primary()
            .value("SHOW GLOBAL STATUS WHERE Variable_name = 'Aborted_clients' AND Value > 0")
            .ok()
    };
    let login = Login::new(&group.accounts().app);
    let connect = || RawClient::connect(tidegate.address("read"), &login).expect("a login");
    let mut clients: Vec<_> = (0..5).map(|_| connect()).collect();
    clients.iter_mut().for_each(|client| {
        number(client);
    });
    for client in clients {
        client.quit().expect("a goodbye");
    }
    wait_document(&tidegate, &path(), |server| {
        server["data"]["attributes"]["statistics"]["connections"] == 0
    });
    assert_eq!(figure(&tidegate, "max_pool_size"), 2);
    wait_kept(&tidegate, 0);
    assert_eq!(aborted(), None, "they are closed in order");
}

#[test]
fn maintenance_empties_the_pool() {
    let tidegate = start_plan(&Plan::new(group()).every_server(POOL));
    let path = "/v1/servers/replica1";
    let mut clients: Vec<_> = (0..2).map(|_| connect(&tidegate, "read")).collect();
    clients.iter_mut().for_each(|client| {
        number(client);
    });
    for client in clients {
        client.quit().expect("a goodbye");
    }
    let kept = |count: u64| {
        wait_document(&tidegate, path, |server| {
            server["data"]["attributes"]["statistics"]["persistent_connections"] == count
        });
    };
    kept(1);
    let answer = tidegate
        .rest()
        .put("/v1/servers/replica1/set?state=maintenance")
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    kept(0);
}

#[test]
fn a_session_of_readwritesplit_finds_its_own_state() {
    let tidegate = start(POOL);
    for round in 0..5 {
        let mut client = connect(&tidegate, "rw");
        assert_eq!(value(&mut client, "SELECT IFNULL(@mine, '-')"), "-");
        run(&mut client, &format!("SET @mine = {round}"));
        run(&mut client, "SET NAMES latin1");
        let id = client.prepare("SELECT @mine").expect("prepared");
        client.execute(id, &[]).expect("executed");
        let state = "SELECT CONCAT(@mine, @@character_set_client)";
        assert_eq!(value(&mut client, state), format!("{round}latin1"));
        client.quit().expect("a goodbye");
        wait_document(&tidegate, &path(), |server| {
            server["data"]["attributes"]["statistics"]["connections"] == 0
        });
    }
    assert!(figure(&tidegate, "reused_connections") > 0);
}

#[test]
fn an_open_transaction_is_undone_and_its_connection_closed() {
    let tidegate = start(POOL);
    primary()
        .sql("CREATE TABLE test.pool_undone (a INT)")
        .expect("a table");
    let mut first = connect(&tidegate, "read");
    run(&mut first, "BEGIN");
    run(&mut first, "INSERT INTO test.pool_undone VALUES (1)");
    first.quit().expect("a goodbye");
    wait_document(&tidegate, &path(), |server| {
        server["data"]["attributes"]["statistics"]["connections"] == 0
    });
    assert_eq!(figure(&tidegate, "max_pool_size"), 0);
    let count = primary().value("SELECT COUNT(*) FROM test.pool_undone");
    assert_eq!(count.expect("a count"), "0");
}

#[test]
fn a_connection_is_kept_after_a_kill_that_is_over() {
    let tidegate = start(POOL);
    let mut killer = RawClient::connect(tidegate.address("read"), &app()).expect("a login");
    let mut client = RawClient::connect(tidegate.address("read"), &app()).expect("a login");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
    let kill = format!("KILL QUERY {}", client.connection_id());
    run(&mut killer, &kill);
    leave(&tidegate, client, 1);
}
