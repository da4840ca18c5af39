//! The REST interface over real servers: all but the sessions.

use serde_json::Value;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Rest, Tidegate, wait_until};

use crate::house::{Plan, connect, document, group, run, value, wait_document};
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

#[test]
fn the_workers_tell_what_they_hold_and_how_busy_they_are() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    for number in 0..20 {
        value(&mut client, &format!("SELECT {number} + 1"));
    }
    wait_document(&tidegate, "/v1/maxscale/threads", |threads| {
        let sum = |path: &str| -> u64 {
            let threads = threads["data"].as_array().expect("workers").iter();
            let stats = threads.map(|thread| &thread["attributes"]["stats"]);
            let numbers = stats.map(|stats| stats.pointer(path).and_then(Value::as_u64));
            numbers.map(|number| number.expect(path)).sum()
        };
        sum("/sessions") == 1
            && sum("/memory/sessions") > 1000
            && sum("/memory/query_classifier") > 0
            && sum("/query_classifier_cache/hits") > 10
            && sum("/query_classifier_cache/inserts") > 0
    });
    let machine =
        document(&tidegate, "/v1/maxscale")["data"]["attributes"]["system"]["machine"].clone();
    let number = |name: &str| machine[name].as_f64().expect("a number");
    assert!(
        number("cores_virtual") <= number("cores_available"),
        "{machine}"
    );
    assert!(
        number("cores_available") <= number("cores_physical"),
        "{machine}"
    );
    assert!(
        number("memory_available") <= number("memory_physical"),
        "{machine}"
    );
}

#[test]
fn a_maximum_is_one_of_a_moment_and_not_of_each_worker() {
    let tidegate = Plan::new(group())
        .split("max_slave_connections=0\n")
        .start();
    let maximum = |path: &str| -> (u64, u64) {
        let document = document(&tidegate, path);
        let statistics = &document["data"]["attributes"]["statistics"];
        let number = |name: &str| statistics[name].as_u64().expect("a number");
        (number("max_connections"), number("total_connections"))
    };
    // One at a time, by either of the two workers.
    for _ in 0..8 {
        let mut client = connect(&tidegate, "rw");
        value(&mut client, "SELECT @@server_id FOR UPDATE");
        drop(client);
        wait_document(&tidegate, "/v1/servers/primary", |server| {
            server["data"]["attributes"]["statistics"]["connections"] == 0
        });
    }
    assert_eq!(maximum("/v1/servers/primary"), (1, 8));
    assert_eq!(maximum("/v1/services/RW-Split-Router"), (1, 8));
    let mut clients: Vec<_> = (0..3).map(|_| connect(&tidegate, "rw")).collect();
    for client in &mut clients {
        value(client, "SELECT @@server_id FOR UPDATE");
    }
    assert_eq!(maximum("/v1/servers/primary").0, 3);
    assert_eq!(maximum("/v1/services/RW-Split-Router").0, 3);
}

#[test]
fn what_is_known_of_variables_and_proxies_is_shown() {
    let primary = group().primary();
    primary
        .sql(
            "CREATE USER may_proxy@'%' IDENTIFIED BY 'x'; CREATE USER proxied@'%';
             INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, Grantor)
             VALUES ('%', 'may_proxy', '%', 'proxied', '');
             FLUSH PRIVILEGES;
             CREATE TABLE IF NOT EXISTS test.variables_shown (id INT)",
        )
        .expect("accounts");
    group().wait_replicated().expect("on all servers");
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let bytes = |tidegate: &Tidegate| {
        let sessions = document(tidegate, "/v1/sessions");
        let memory = &sessions["data"][0]["attributes"]["memory"];
        memory["variables"].as_u64().expect("bytes")
    };
    assert_eq!(bytes(&tidegate), 0);
    run(
        &mut client,
        "INSERT INTO test.variables_shown VALUES (@one := 1)",
    );
    assert!(bytes(&tidegate) > 3);
    let service = document(&tidegate, "/v1/services/RW-Split-Router");
    let users = service["data"]["attributes"]["users"]
        .as_array()
        .expect("accounts")
        .clone();
    let may = |name: &str| {
        let user = users.iter().find(|user| user["user"] == name);
        user.unwrap_or_else(|| panic!("{users:?}"))["proxy_priv"].clone()
    };
    assert_eq!(
        (may("may_proxy"), may("proxied")),
        (true.into(), false.into())
    );
}

#[test]
fn services_listeners_and_monitors_are_stopped_and_started() {
    let tidegate = Plan::new(group()).start();
    let state = |path: &str| document(&tidegate, path)["data"]["attributes"]["state"].clone();
    let put = |path: &str| tidegate.rest().put(path).expect("an answer").status;
    let (service, listener) = (
        "/v1/services/RW-Split-Router",
        "/v1/listeners/RW-Split-Listener",
    );
    let mut client = connect(&tidegate, "rw");
    assert_eq!(put(&format!("{service}/stop")), 204);
    assert_eq!(put(&format!("{service}/stop")), 204, "it is stopped");
    assert_eq!(
        (state(service), state(listener)),
        ("Stopped".into(), "Stopped".into())
    );
    assert_eq!(state("/v1/services/Read-Connection-Router"), "Started");
    assert_eq!(value(&mut client, "SELECT 1"), "1", "sessions go on");
    // Clients that come now queue, and are served when it is started.
    let address = tidegate.address("rw");
    let login = Login::new(&group().accounts().app).database("test");
    let queued = std::thread::spawn(move || RawClient::connect(address, &login));
    assert_eq!(put(&format!("{service}/start")), 204);
    assert_eq!(
        (state(service), state(listener)),
        ("Started".into(), "Running".into())
    );
    let mut late = queued.join().expect("a thread").expect("a login");
    assert_eq!(value(&mut late, "SELECT 1"), "1");
    assert_eq!(put(&format!("{listener}/stop?force=yes")), 204);
    assert_eq!(
        (state(service), state(listener)),
        ("Started".into(), "Stopped".into())
    );
    for client in [&mut client, &mut late] {
        let answer = client.query("SELECT 1");
        let answered = answer.is_ok_and(|reply| reply.text_value().is_ok());
        assert!(!answered, "its session was ended");
    }
    tidegate.wait_log("service_stopped").expect("the cause");
    assert_eq!(put("/v1/monitors/Monitor/stop"), 204);
    assert_eq!(state("/v1/monitors/Monitor"), "Stopped");
    assert_eq!(put("/v1/monitors/Monitor/start"), 204);
    wait_document(&tidegate, "/v1/monitors/Monitor", |monitor| {
        monitor["data"]["attributes"]["state"] == "Running"
    });
    assert_eq!(put("/v1/services/None/stop"), 404);
    assert_eq!(put("/v1/servers/primary/stop"), 404);
}
