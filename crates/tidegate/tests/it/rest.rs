//! The REST interface over real servers: all but the sessions.

use serde_json::Value;
use tidegate_testkit::{Rest, wait_until};

use crate::house::{Plan, connect, document, group, value, wait_document};
use crate::sessions::FILTERS;

#[test]
fn the_other_documents_tell_of_the_real_house() {
    let tidegate = Plan::new(group()).more(FILTERS).start();
    let mut client = connect(&tidegate, "rw");
    value(&mut client, "SELECT 1");
    wait_document(&tidegate, "/v1/servers/primary", |server| {
        server["data"]["attributes"]["state"] == "Master, Running"
    });
    let servers = document(&tidegate, "/v1/servers");
    for (server, real) in servers["data"]
        .as_array()
        .expect("servers")
        .iter()
        .zip(group().servers())
    {
        assert_eq!(server["id"], real.name());
        let members = &server["attributes"];
        assert_eq!(members["parameters"]["port"], real.port());
        let version = members["version_string"].as_str().expect("a version");
        assert!(version.contains("MariaDB"), "{version}");
        assert!(members["statistics"]["total_connections"].is_u64());
        assert!(
            members["gtid_current_pos"]
                .as_str()
                .is_some_and(|gtid| gtid.starts_with("0-1-"))
        );
    }
    assert_eq!(servers["data"][1]["attributes"]["state"], "Slave, Running");
    assert_eq!(servers["data"][1]["attributes"]["master_id"], 1);
    assert_eq!(servers["data"][1]["attributes"]["node_id"], 2);
    let service = document(&tidegate, "/v1/services/RW-Split-Router");
    let members = &service["data"]["attributes"];
    assert_eq!(members["router"], "readwritesplit");
    assert_eq!(members["state"], "Started");
    assert_eq!(members["connections"], 1);
    let users = members["users"].as_array().expect("accounts");
    assert!(users.iter().any(|user| user["user"] == "app"));
    assert_eq!(members["listeners"][0]["id"], "RW-Split-Listener");
    assert!(
        members["router_diagnostics"]["queries"].as_u64() >= Some(1),
        "{members:#}"
    );
    assert!(
        !service
            .to_string()
            .contains(&group().accounts().service.password)
    );
    let listener = document(&tidegate, "/v1/listeners/RW-Split-Listener");
    assert_eq!(listener["data"]["attributes"]["state"], "Running");
    assert_eq!(
        listener["data"]["attributes"]["parameters"]["port"],
        tidegate.address("rw").port()
    );
    let monitor = document(&tidegate, "/v1/monitors/Monitor");
    let members = &monitor["data"]["attributes"];
    assert_eq!(members["module"], "mariadbmon");
    assert_eq!(members["state"], "Running");
    assert_eq!(members["monitor_diagnostics"]["master"], "primary");
    let filter = document(&tidegate, "/v1/filters/Hints");
    assert_eq!(filter["data"]["attributes"]["module"], "hintfilter");
    let own = document(&tidegate, "/v1/maxscale");
    assert!(own["data"]["attributes"]["version"].is_string());
    assert_eq!(own["data"]["attributes"]["parameters"]["threads"], 2);
    let threads = document(&tidegate, "/v1/maxscale/threads");
    assert_eq!(threads["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(threads["data"][1]["id"], "1");
    for path in [
        "/v1/services",
        "/v1/listeners",
        "/v1/monitors",
        "/v1/filters",
    ] {
        let list = document(&tidegate, path);
        assert!(
            list["data"].as_array().is_some_and(|list| !list.is_empty()),
            "{path}"
        );
    }
}

#[test]
fn maintenance_and_drain_keep_clients_away() {
    let tidegate = Plan::new(group()).start();
    for state in ["maintenance", "drain"] {
        let rest = tidegate.rest();
        let answer = rest
            .put(&format!("/v1/servers/replica1/set?state={state}"))
            .expect("an answer");
        assert_eq!(answer.status, 204, "{answer:?}");
        wait_document(&tidegate, "/v1/servers/replica1", |server| {
            let text = server["data"]["attributes"]["state"]
                .as_str()
                .unwrap_or_default();
            text.starts_with("Maintenance") || text.starts_with("Drain")
        });
        for port in ["rw", "read"] {
            for _ in 0..6 {
                let mut client = connect(&tidegate, port);
                assert_eq!(
                    value(&mut client, "SELECT @@server_id"),
                    "3",
                    "{state} {port}"
                );
            }
        }
        let answer = rest
            .put(&format!("/v1/servers/replica1/clear?state={state}"))
            .expect("an answer");
        assert_eq!(answer.status, 204, "{answer:?}");
        wait_until("the replica to be used again", || {
            let mut client = connect(&tidegate, "read");
            value(&mut client, "SELECT @@server_id") == "2"
        })
        .expect("used again");
    }
    let answer = tidegate
        .rest()
        .put("/v1/servers/primary/set?state=maintenance")
        .expect("an answer");
    assert_eq!(
        answer.status, 400,
        "the primary of a running monitor: {answer:?}"
    );
}

#[test]
fn strangers_and_nonsense_are_turned_away() {
    let tidegate = Plan::new(group()).start();
    let client = connect(&tidegate, "rw");
    let nobody = Rest::new(tidegate.address("admin"));
    assert_eq!(nobody.get("/v1/sessions").expect("an answer").status, 401);
    let wrong = nobody.login("admin", "wrong");
    assert_eq!(wrong.get("/v1/sessions").expect("an answer").status, 401);
    let rest = tidegate.rest();
    for (id, detail) in [
        ("0", "0 is not a session"),
        ("abc", "abc is not a session"),
        ("1x", "1x is not a session"),
        ("99999999999", "99999999999 is not a session"),
    ] {
        let answer = rest.get(&format!("/v1/sessions/{id}")).expect("an answer");
        assert_eq!(answer.status, 404, "{id}");
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(told["errors"][0]["detail"], detail);
    }
    let path = format!("/v1/sessions/{}", client.connection_id());
    assert_eq!(rest.put(&path).expect("an answer").status, 405);
    let answer = rest
        .request("POST", "/v1/sessions", &[], "{}")
        .expect("an answer");
    assert_eq!(answer.status, 405, "{answer:?}");
    assert_eq!(rest.get("/v1/nowhere").expect("an answer").status, 404);
    let answer = rest
        .put("/v1/servers/nobody/set?state=drain")
        .expect("an answer");
    assert_eq!(answer.status, 404, "{answer:?}");
    let answer = rest
        .put("/v1/servers/replica1/set?state=happy")
        .expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
    let options = rest.request("OPTIONS", &path, &[], "").expect("an answer");
    let allowed = options
        .header("allow")
        .or(options.header("accept"))
        .unwrap_or_default();
    for method in ["GET", "HEAD", "PATCH", "DELETE"] {
        assert!(allowed.contains(method), "{options:?}");
    }
    let head = rest.request("HEAD", &path, &[], "").expect("an answer");
    assert_eq!(head.status, 200);
}

#[test]
fn accounts_are_read_again_on_demand() {
    let tidegate = Plan::new(group()).start();
    let known = |name: &str| {
        document(&tidegate, "/v1/services/RW-Split-Router")["data"]["attributes"]["users"]
            .as_array()
            .is_some_and(|users| users.iter().any(|user| user["user"] == name))
    };
    assert!(known("app") && !known("on_demand"));
    group()
        .create_account("on_demand", "SELECT ON test.*")
        .expect("an account");
    let answer = tidegate
        .rest()
        .request("POST", "/v1/services/RW-Split-Router/reload", &[], "")
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(known("on_demand"));
}
