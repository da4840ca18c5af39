//! What the REST interface says of a service with readwritesplit: the parameters as they are in
//! force, and the router's figures.

use serde_json::{Value, json};
use tidegate_testkit::Tidegate;

use crate::house::{Plan, connect, document, group, run, value, wait_document};

/// A service of this name with these lines.
fn service(name: &str, lines: &str) -> String {
    format!(
        "[{name}]\ntype=service\nrouter=readwritesplit\nservers=<names>\n<service>\n{lines}\n\n"
    )
}

/// Parameters and their values, as JSON.
type Parameters = &'static [(&'static str, &'static str)];

/// Name, lines, and what the parameters are then.
const DERIVED: &[(&str, &str, Parameters)] = &[
    (
        "defaults",
        "",
        &[
            ("retry_failed_reads", "true"),
            ("transaction_replay", "false"),
            ("delayed_retry", "false"),
            ("delayed_retry_timeout", "\"10000ms\""),
            ("transaction_replay_timeout", "\"30000ms\""),
            ("transaction_replay_max_size", "1048576"),
            ("transaction_replay_attempts", "5"),
            ("transaction_replay_checksum", "\"full\""),
            ("master_reconnection", "true"),
            ("master_failure_mode", "\"fail_on_write\""),
            ("max_slave_connections", "255"),
            ("slave_connections", "255"),
            ("max_replication_lag", "\"0ms\""),
            ("slave_selection_criteria", "\"least_current_operations\""),
            ("causal_reads", "\"none\""),
            ("causal_reads_timeout", "\"10000ms\""),
            ("strict_tmp_tables", "true"),
            ("strict_multi_stmt", "false"),
            ("strict_sp_calls", "false"),
            ("use_sql_variables_in", "\"all\""),
        ],
    ),
    (
        "causal",
        "causal_reads=true\nretry_failed_reads=false",
        &[
            ("causal_reads", "\"local\""),
            ("retry_failed_reads", "true"),
        ],
    ),
    (
        "replay",
        "transaction_replay=true\nmaster_failure_mode=fail_instantly\nmaster_reconnection=false\n\
         delayed_retry_timeout=5s",
        &[
            ("delayed_retry", "true"),
            ("delayed_retry_timeout", "\"30000ms\""),
            ("master_reconnection", "true"),
            ("master_failure_mode", "\"fail_on_write\""),
        ],
    ),
    (
        "patient-replay",
        "transaction_replay=true\ndelayed_retry_timeout=60s\ntransaction_replay_timeout=20s",
        &[
            ("delayed_retry_timeout", "\"60000ms\""),
            ("transaction_replay_timeout", "\"20000ms\""),
        ],
    ),
    (
        "optimistic",
        "optimistic_trx=true\nmaster_failure_mode=error_on_write",
        &[
            ("transaction_replay", "true"),
            ("delayed_retry", "true"),
            ("delayed_retry_timeout", "\"30000ms\""),
            ("master_failure_mode", "\"fail_on_write\""),
        ],
    ),
    (
        "lazy",
        "lazy_connect=true\nmaster_failure_mode=error_on_write\nmaster_reconnection=false",
        &[
            ("master_reconnection", "true"),
            ("master_failure_mode", "\"fail_on_write\""),
            ("delayed_retry", "false"),
        ],
    ),
    (
        "no-history",
        "disable_sescmd_history=true\ntransaction_replay=true",
        &[
            ("master_reconnection", "false"),
            ("master_failure_mode", "\"fail_on_write\""),
            ("delayed_retry", "true"),
        ],
    ),
    (
        "old-words",
        "slave_selection_criteria=LEAST_BEHIND_MASTER\nmax_slave_replication_lag=7s",
        &[
            ("slave_selection_criteria", "\"least_behind_master\""),
            ("max_replication_lag", "\"7000ms\""),
        ],
    ),
];

#[test]
fn parameters_that_follow_from_others_are_shown_as_they_are() {
    let sections: String = DERIVED
        .iter()
        .map(|(name, lines, _)| service(name, lines))
        .collect();
    let tidegate = Plan::new(group()).more(&sections).start();
    for (name, _, expected) in DERIVED {
        let service = document(&tidegate, &format!("/v1/services/{name}"));
        let parameters = &service["data"]["attributes"]["parameters"];
        for (parameter, value) in *expected {
            let found = parameters[*parameter].to_string();
            assert_eq!(found, *value, "{parameter} of {name}");
        }
    }
    let log = tidegate.log();
    assert!(
        log.contains("without a history a lost primary cannot be replaced"),
        "{log}"
    );
}

fn diagnostics(tidegate: &Tidegate, service: &str) -> Value {
    let path = format!("/v1/services/{service}");
    document(tidegate, &path)["data"]["attributes"]["router_diagnostics"].take()
}

/// The members that count.
const NUMBERS: &[&str] = &[
    "queries",
    "route_master",
    "route_slave",
    "route_all",
    "rw_transactions",
    "ro_transactions",
    "replayed_transactions",
    "trx_max_size_exceeded",
];

#[test]
fn the_routers_figures_are_complete_and_right() {
    let tidegate = Plan::new(group())
        .split("slave_connections=1\nmax_slave_connections=1\n")
        .more(&service("causal", "causal_reads=local"))
        .more(&service("reusing", "reuse_prepared_statements=true"))
        .start();
    let untouched = diagnostics(&tidegate, "RW-Split-Router");
    for name in NUMBERS {
        assert_eq!(untouched[*name], 0, "{name}: {untouched:#}");
    }
    assert_eq!(untouched["server_query_statistics"], json!([]));
    assert_eq!(untouched.get("last_gtid"), None);
    assert_eq!(untouched.get("prepared_statements_reused"), None);
    let causal = diagnostics(&tidegate, "causal");
    assert_eq!(causal["last_gtid"], Value::Null, "{causal:#}");
    let reusing = diagnostics(&tidegate, "reusing");
    assert_eq!(reusing["prepared_statements_reused"], 0, "{reusing:#}");

    let mut client = connect(&tidegate, "rw");
    let path = format!("/v1/sessions/{}", client.connection_id());
    wait_document(&tidegate, &path, |session| {
        let list = session["data"]["attributes"]["connections"].as_array();
        list.is_some_and(|list| list.len() == 2)
    });
    for _ in 0..3 {
        value(&mut client, "SELECT 1");
    }
    run(&mut client, "SET @a = 1");
    run(&mut client, "CREATE TABLE figures (a INT)");
    run(&mut client, "BEGIN");
    run(&mut client, "INSERT INTO figures VALUES (1)");
    run(&mut client, "COMMIT");
    // Every statement of it is a read: that makes it one that only reads.
    run(&mut client, "BEGIN");
    value(&mut client, "SELECT 1");
    run(&mut client, "COMMIT");
    let found = diagnostics(&tidegate, "RW-Split-Router");
    for (name, expected) in [
        ("queries", 11),
        ("route_slave", 3),
        ("route_all", 1),
        ("route_master", 7),
        ("rw_transactions", 1),
        ("ro_transactions", 1),
        ("replayed_transactions", 0),
        ("trx_max_size_exceeded", 0),
    ] {
        assert_eq!(found[name], expected, "{name}: {found:#}");
    }
    let targets = found["server_query_statistics"].as_array().expect("a list");
    assert_eq!(targets.len(), 2, "{found:#}");
    for target in targets {
        let is_primary = target["id"] == "primary";
        // A session command is a query and a read on every server that it was sent to.
        let reads = if is_primary { 2 } else { 4 };
        let writes = if is_primary { 6 } else { 0 };
        assert_eq!(target["read"], reads, "{target:#}");
        assert_eq!(target["write"], writes, "{target:#}");
        assert_eq!(target["total"], reads + writes, "{target:#}");
        assert!(target["avg_sess_duration"].is_string(), "{target:#}");
        assert!(target["avg_sess_active_pct"].is_number(), "{target:#}");
        assert!(target["avg_selects_per_session"].is_u64(), "{target:#}");
    }
}
