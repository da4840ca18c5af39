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
    value(&mut client, "SELECT GET_LOCK('insight', 1)");
    value(&mut client, "SELECT 3");
    let service = attributes(&tidegate, "/v1/services/RW-Split-Router");
    let reasons = &service["router_diagnostics"]["primary_reasons"];
    for (reason, count) in [
        ("write", 2),
        ("locking_read", 1),
        ("begins_transaction", 1),
        ("in_transaction", 3),
        ("temporary_table", 2),
        ("pinned_by_lock", 1),
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
            &format!("SELECT COUNT(*) FROM digested WHERE a < {number}"),
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
    let select = find(&list, "SELECT COUNT(*) FROM digested WHERE a < ?").expect("the select");
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
