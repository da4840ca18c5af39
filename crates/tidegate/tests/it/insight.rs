//! What the REST interface tells of statements and times: measured before real servers.

use serde_json::Value;
use tidegate_testkit::Tidegate;

use crate::house::{Plan, connect, document, group, run, value, wait_document};
use crate::readwritesplit::well_connected;

fn attributes(tidegate: &Tidegate, path: &str) -> Value {
    document(tidegate, path)["data"]["attributes"].take()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// The statistics of one target of a service.
fn target(service: &Value, name: &str) -> Value {
    service["router_diagnostics"]["server_query_statistics"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|target| target["id"] == name)
        .unwrap_or_else(|| panic!("{name} was not used: {service:#}"))
        .clone()
}

#[test]
fn times_are_measured_for_servers_targets_services_and_sessions() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let id = client.connection_id();
    for _ in 0..10 {
        value(&mut client, "SELECT 1");
    }
    // Long enough to be told from the others: 20 ms on the primary.
    value(&mut client, "SELECT SLEEP(0.02), LAST_INSERT_ID()");
    let primary = attributes(&tidegate, "/v1/servers/primary")["statistics"].take();
    let writes = &primary["response_times"]["write"];
    assert!(number(&writes["count"]) >= 1, "{primary:#}");
    assert!(number(&writes["max_us"]) >= 20_000, "{writes}");
    assert!(number(&writes["p99_us"]) >= 20_000, "{writes}");
    let buckets = primary["response_time_distribution"]["write"]["distribution"]
        .as_array()
        .expect("buckets");
    let slow: Vec<&Value> = buckets
        .iter()
        .filter(|bucket| bucket["time"] == "0.100000")
        .collect();
    assert_eq!(number(&slow[0]["count"]), 1, "{buckets:?}");
    assert!(slow[0]["total"].as_f64() >= Some(0.02), "{buckets:?}");
    let reads: u64 = ["replica1", "replica2", "primary"]
        .iter()
        .map(|server| {
            let server = attributes(&tidegate, &format!("/v1/servers/{server}"));
            number(&server["statistics"]["response_times"]["read"]["count"])
        })
        .sum();
    assert_eq!(reads, 10);
    let averages = ["replica1", "replica2"].map(|server| {
        let mut server = attributes(&tidegate, &format!("/v1/servers/{server}"));
        server["statistics"]["adaptive_avg_select_time"].take()
    });
    assert!(
        averages.iter().any(|average| average != "0ns"),
        "{averages:?}"
    );
    let service = attributes(&tidegate, "/v1/services/RW-Split-Router");
    let times = &service["statistics"]["response_times"];
    assert_eq!(number(&times["read"]["count"]), 10);
    let used = target(&service, "primary");
    assert!(number(&used["response_times"]["write"]["max_us"]) >= 20_000);
    assert!(used["avg_sess_active_pct"].as_f64() > Some(0.0), "{used}");
    let duration = used["avg_sess_duration"].as_str().expect("text");
    assert_ne!(duration, "0ns", "the connection is open for a while");
    let session = attributes(&tidegate, &format!("/v1/sessions/{id}"));
    let mine = &session["response_times"];
    assert_eq!(number(&mine["count"]), 11, "{mine}");
    assert!(number(&mine["max_us"]) >= 20_000);
}

#[test]
fn the_reasons_for_the_primary_are_counted() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "CREATE TABLE IF NOT EXISTS reasons (a INT)");
    run(&mut client, "INSERT INTO reasons VALUES (1)");
    value(&mut client, "SELECT COUNT(*) FROM reasons FOR UPDATE");
    run(&mut client, "BEGIN");
    value(&mut client, "SELECT 1");
    value(&mut client, "SELECT 2");
    run(&mut client, "COMMIT");
    value(&mut client, "SELECT LAST_INSERT_ID()");
    run(&mut client, "CREATE TEMPORARY TABLE mine (a INT)");
    value(&mut client, "SELECT COUNT(*) FROM mine");
    run(&mut client, "LOCK TABLES reasons READ");
    value(&mut client, "SELECT COUNT(*) FROM reasons");
    run(&mut client, "UNLOCK TABLES");
    let service = attributes(&tidegate, "/v1/services/RW-Split-Router");
    let reasons = &service["router_diagnostics"]["primary_reasons"];
    for (reason, count) in [
        ("write", 3),
        ("locking_read", 1),
        ("begins_transaction", 1),
        ("in_transaction", 3),
        ("temporary_table", 2),
        ("pinned_by_lock", 2),
    ] {
        assert_eq!(reasons[reason], count, "{reason}: {reasons:#}");
    }
    assert!(number(&reasons["primary_read"]) >= 1, "{reasons:#}");
    let all: u64 = reasons
        .as_object()
        .expect("reasons")
        .values()
        .map(number)
        .sum();
    assert_eq!(service["router_diagnostics"]["route_master"], all);
}

#[test]
fn statements_are_counted_by_their_digests() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    run(&mut client, "CREATE TABLE IF NOT EXISTS digested (a INT)");
    for number in 0..5 {
        run(
            &mut client,
            &format!("INSERT INTO digested VALUES ({number})"),
        );
        value(
            &mut client,
            &format!("SELECT COUNT(*) FROM digested WHERE a < {number} FOR UPDATE"),
        );
    }
    let refused = client.query("SELECT 'a secret' FROM no_such_table");
    assert!(refused.is_ok(), "the connection stands");
    let at = "/v1/services/RW-Split-Router/digests";
    let find = |list: &Value, text: &str| -> Option<Value> {
        let rows = list["data"].as_array().expect("rows");
        rows.iter()
            .find(|row| row["attributes"]["statement"] == text)
            .cloned()
    };
    let list = document(&tidegate, at);
    let insert = find(&list, "INSERT INTO digested VALUES (?)").expect("the insert");
    let attributes = &insert["attributes"];
    assert_eq!(attributes["count"], 5);
    assert_eq!(attributes["response_times"]["count"], 5);
    assert_eq!(attributes["errors"], 0);
    assert_eq!(attributes["servers"][0]["id"], "primary");
    assert_eq!(attributes["servers"][0]["count"], 5);
    let select = find(
        &list,
        "SELECT COUNT(*) FROM digested WHERE a < ? FOR UPDATE",
    )
    .expect("the select");
    assert_eq!(select["attributes"]["rows"], 5);
    let failed = find(&list, "SELECT ? FROM no_such_table").expect("the one that failed");
    assert_eq!(failed["attributes"]["errors"], 1);
    assert!(!list.to_string().contains("a secret"));
    let one = document(
        &tidegate,
        &format!("{at}/{}", insert["id"].as_str().expect("an id")),
    );
    assert_eq!(
        one["data"]["attributes"]["statement"],
        "INSERT INTO digested VALUES (?)"
    );
    let gone = tidegate.rest().delete(at).expect("an answer");
    assert_eq!(gone.status, 204);
    wait_document(&tidegate, at, |list| {
        find(list, "INSERT INTO digested VALUES (?)").is_none()
    });
}

#[test]
fn a_service_that_does_not_look_at_statements_has_no_digests() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "read");
    value(&mut client, "SELECT 1");
    let list = document(&tidegate, "/v1/services/Read-Connection-Router/digests");
    assert_eq!(list["meta"]["total"], 0);
    let service = attributes(&tidegate, "/v1/services/Read-Connection-Router");
    assert!(number(&service["statistics"]["response_times"]["other"]["count"]) >= 1);
}

#[test]
fn maintenance_by_force_takes_the_connections_at_once() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    let path = format!("/v1/sessions/{}", client.connection_id());
    // Nothing moves the session: it holds its connections for as long as it is idle.
    let connected_to = |session: &Value, server: &str| {
        let list = session["data"]["attributes"]["connections"].as_array();
        list.is_some_and(|list| list.iter().any(|one| one["server"] == server))
    };
    assert!(connected_to(&document(&tidegate, &path), "replica1"));
    let set = "/v1/servers/replica1/set?state=maintenance&force=yes";
    assert_eq!(tidegate.rest().put(set).expect("an answer").status, 204);
    wait_document(&tidegate, &path, |session| {
        !connected_to(session, "replica1")
    });
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["statistics"]["connections"] == 0
    });
    value(&mut client, "SELECT 1");
    let clear = "/v1/servers/replica1/clear?state=maintenance";
    assert_eq!(tidegate.rest().put(clear).expect("an answer").status, 204);
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"] == "Slave, Running"
    });
}

#[test]
fn maintenance_by_force_interrupts_a_read_that_then_runs_elsewhere() {
    let tidegate = Plan::new(group()).only(&["primary", "replica1"]).start();
    let mut client = connect(&tidegate, "rw");
    value(&mut client, "SELECT 1");
    let path = format!("/v1/sessions/{}", client.connection_id());
    client
        .send_query("SELECT SLEEP(30), @@server_id")
        .expect("sent");
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["statistics"]["active_operations"] == 1
    });
    let set = "/v1/servers/replica1/set?state=maintenance&force=yes";
    assert_eq!(tidegate.rest().put(set).expect("an answer").status, 204);
    // It goes on on the primary; nobody waits for it to end.
    wait_document(&tidegate, "/v1/servers/primary", |server| {
        server["data"]["attributes"]["statistics"]["active_operations"] == 1
    });
    let killed = tidegate.rest().delete(&path).expect("an answer");
    assert_eq!(killed.status, 204);
}

/// The first step of a route.
fn route(tidegate: &Tidegate, service: &str, query: &str) -> Value {
    let path = format!("/v1/services/{service}/route?{query}");
    attributes(tidegate, &path)["steps"][0].take()
}

fn candidate<'a>(step: &'a Value, name: &str) -> &'a Value {
    step["candidates"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|candidate| candidate["id"] == name)
        .unwrap_or_else(|| panic!("no {name}: {step:#}"))
}

#[test]
fn a_route_is_explained_as_it_is_taken() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    for server in ["replica1", "replica2"] {
        wait_document(&tidegate, &format!("/v1/servers/{server}"), |server| {
            server["data"]["attributes"]["state"] == "Slave, Running"
        });
    }
    // The name of the server that a statement runs on, by its @@server_id.
    let names = ["primary", "replica1", "replica2"];
    let is_reader = |name: &Value| name == "replica1" || name == "replica2";
    for (sql, rule) in [
        ("SELECT @@server_id", "read"),
        ("SELECT @@server_id FOR UPDATE", "locking_read"),
        ("SELECT @@server_id, LAST_INSERT_ID()", "primary_read"),
    ] {
        let step = route(
            &tidegate,
            "RW-Split-Router",
            &format!("sql={}", sql.replace(' ', "+")),
        );
        assert_eq!(step["rule"]["name"], rule, "{step:#}");
        let id: usize = value(&mut client, sql).parse().expect("a number");
        let said = &step["outcome"]["targets"][0];
        if rule == "read" {
            assert!(is_reader(said), "{step:#}");
            assert_ne!(names[id - 1], "primary");
            let verdict = candidate(&step, "primary")["verdict"].as_str();
            assert!(
                verdict.is_some_and(|text| text.contains("replicas can take")),
                "{step:#}"
            );
        } else {
            assert_eq!(said, names[id - 1], "{sql}: {step:#}");
            let verdict = candidate(&step, "replica1")["verdict"].as_str();
            assert!(
                verdict.is_some_and(|text| text.contains("not the primary")),
                "{step:#}"
            );
        }
    }
    let all = route(&tidegate, "RW-Split-Router", "sql=SET+@a=1");
    assert_eq!(all["outcome"]["kind"], "all");
    assert_eq!(all["outcome"]["targets"].as_array().map(Vec::len), Some(3));
    let unknown = route(&tidegate, "RW-Split-Router", "sql=FROBNICATE+t");
    assert_eq!(unknown["rule"]["name"], "unknown_text");
    assert_eq!(unknown["outcome"]["targets"][0], "primary");
    let within = route(
        &tidegate,
        "RW-Split-Router",
        "sql=SELECT+1&in_transaction=true",
    );
    assert_eq!(within["rule"]["name"], "in_transaction");
    assert_eq!(within["outcome"]["targets"][0], "primary");
    let read_only = route(
        &tidegate,
        "RW-Split-Router",
        "sql=SELECT+1&in_transaction=read_only",
    );
    assert!(
        is_reader(&read_only["outcome"]["targets"][0]),
        "{read_only:#}"
    );
    let manual = route(
        &tidegate,
        "RW-Split-Router",
        "sql=SELECT+1&autocommit=false",
    );
    assert_eq!(manual["outcome"]["targets"][0], "primary");
    let hinted = route(
        &tidegate,
        "RW-Split-Router",
        "sql=SELECT+1&hints=route+to+server+replica2",
    );
    assert_eq!(hinted["rule"]["name"], "hint");
    assert_eq!(hinted["outcome"]["targets"][0], "replica2");
    let read = route(&tidegate, "Read-Connection-Router", "sql=DELETE+FROM+t");
    assert_eq!(read["rule"]["name"], "connection");
    assert!(is_reader(&read["outcome"]["targets"][0]), "{read:#}");
}

#[test]
fn an_explained_route_counts_nothing_and_knows_the_servers_states() {
    let tidegate = Plan::new(group()).start();
    let set = "/v1/servers/replica1/set?state=maintenance";
    assert_eq!(tidegate.rest().put(set).expect("an answer").status, 204);
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        let state = server["data"]["attributes"]["state"].as_str();
        state.is_some_and(|state| state.starts_with("Maintenance"))
    });
    let step = route(&tidegate, "RW-Split-Router", "sql=SELECT+1");
    assert_eq!(step["outcome"]["targets"][0], "replica2", "{step:#}");
    let verdict = &candidate(&step, "replica1")["verdict"];
    assert_eq!(verdict, "not eligible: it is in maintenance");
    let at = "/v1/services/RW-Split-Router";
    let before = attributes(&tidegate, at)["router_diagnostics"].take();
    assert_eq!(before["queries"], 0);
    assert_eq!(before["route_slave"], 0);
    assert_eq!(before["server_query_statistics"], serde_json::json!([]));
    let text = tidegate
        .rest()
        .get(&format!("{at}/route?sql=SELECT+1&format=text"))
        .expect("an answer")
        .text();
    assert!(text.contains("> replica2"), "{text}");
    assert!(
        text.contains("In a transaction it would go to primary"),
        "{text}"
    );
}

/// The server connections of a session, by what the servers call them.
fn links(tidegate: &Tidegate, id: u32) -> Vec<(String, u64)> {
    let session = attributes(tidegate, &format!("/v1/sessions/{id}"));
    let list = session["connections"].as_array().expect("a list");
    list.iter()
        .map(|one| (one["server"].to_string(), number(&one["connection_id"])))
        .collect()
}

#[test]
fn a_restarted_session_has_new_connections_and_its_old_state() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    let id = client.connection_id();
    run(&mut client, "SET @kept = 'still here'");
    run(&mut client, "SET sql_mode = 'ANSI_QUOTES'");
    let statement = client.prepare("SELECT @kept, ?").expect("a statement");
    client.execute(statement, &["1"]).expect("a reply");
    let before = links(&tidegate, id);
    let restart = format!("/v1/sessions/{id}/restart");
    let answer = tidegate
        .rest()
        .request("POST", &restart, &[], "")
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    wait_document(&tidegate, &format!("/v1/sessions/{id}"), |_| {
        let now = links(&tidegate, id);
        now.len() == before.len() && now.iter().all(|link| !before.contains(link))
    });
    assert_eq!(value(&mut client, "SELECT @kept"), "still here");
    assert_eq!(value(&mut client, "SELECT @@sql_mode"), "ANSI_QUOTES");
    assert_eq!(value(&mut client, "SELECT DATABASE()"), "test");
    client
        .execute(statement, &["2"])
        .expect("the statement is still prepared");
    assert_eq!(client.connection_id(), id);
}

#[test]
fn a_session_in_a_transaction_is_restarted_after_it() {
    let tidegate = Plan::new(group()).start();
    let mut client = well_connected(&tidegate);
    let id = client.connection_id();
    run(&mut client, "CREATE TEMPORARY TABLE tied (a INT)");
    let restart = format!("/v1/sessions/{id}/restart");
    let post = |path: &str| {
        tidegate
            .rest()
            .request("POST", path, &[], "")
            .expect("an answer")
    };
    let refused = post(&restart);
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("temporary tables"),
        "{}",
        refused.text()
    );
    let all = post("/v1/sessions/restart");
    assert_eq!(all.status, 400);
    assert!(
        all.text().contains(&format!("session {id}:")),
        "{}",
        all.text()
    );
    run(&mut client, "DROP TEMPORARY TABLE tied");
    run(&mut client, "BEGIN");
    let before = links(&tidegate, id);
    let busy = post(&restart);
    assert_eq!(busy.status, 204, "{}", busy.text());
    value(&mut client, "SELECT 1");
    assert_eq!(
        links(&tidegate, id),
        before,
        "not before the transaction is over"
    );
    run(&mut client, "COMMIT");
    wait_document(&tidegate, &format!("/v1/sessions/{id}"), |_| {
        let now = links(&tidegate, id);
        !now.is_empty() && now.iter().all(|link| !before.contains(link))
    });
}

#[test]
fn a_session_without_a_history_cannot_be_restarted() {
    let tidegate = Plan::new(group()).start();
    let client = connect(&tidegate, "read");
    let path = format!("/v1/sessions/{}/restart", client.connection_id());
    let answer = tidegate
        .rest()
        .request("POST", &path, &[], "")
        .expect("an answer");
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("keeps no session command history"),
        "{}",
        answer.text()
    );
}
