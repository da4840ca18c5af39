//! The session resource over live sessions: seen, changed, ended.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Tidegate, wait_until};

use crate::house::{Plan, connect, document, group, run, value, wait_document};

/// The page of the oldest form, as the admin room's own tests have it.
const SEED_ONE: &str = include_str!("../../../admin/tests/rest/seed_page/one.json");
const SEED_ALL: &str = include_str!("../../../admin/tests/rest/seed_page/all.json");

/// Two filters that no service uses.
pub(crate) const FILTERS: &str = "\
[Hints]
type=filter
module=hintfilter

[Audit]
type=filter
module=qlafilter
filebase=<folder>/logdir/audit
log_type=unified
flush=true
";

/// A document as somebody sees it who came by the page's own address.
fn as_localhost(tidegate: &Tidegate, path: &str) -> Value {
    let response = tidegate
        .rest()
        .request("GET", path, &[("Host", "localhost:8989")], "")
        .expect("an answer");
    assert_eq!(response.status, 200, "{response:?}");
    serde_json::from_slice(&response.body).expect("JSON")
}

/// Replaces the dates, which have to be of the page's form, by the page's own.
fn with_the_pages_date(session: &mut Value, date: &Value) {
    let connected = &mut session["attributes"]["connected"];
    let text = connected.as_str().expect("a date");
    let shape: String = text
        .chars()
        .map(|c| match c {
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            '0'..='9' => '9',
            other => other,
        })
        .collect();
    assert!(
        ["Aaa Aaa 99 99:99:99 9999", "Aaa Aaa  9 99:99:99 9999"].contains(&shape.as_str()),
        "{text}"
    );
    *connected = date.clone();
}

#[test]
fn in_seed_mode_the_page_is_reproduced() {
    let tidegate = Plan::new(group()).globals("admin_seed_mode=true\n").start();
    let page: Value = serde_json::from_str(SEED_ALL).expect("the page");
    let date = &page["data"][0]["attributes"]["connected"];
    for path in ["/v1/sessions", "/sessions"] {
        let mut all = as_localhost(&tidegate, path);
        for session in all["data"].as_array_mut().expect("a list") {
            with_the_pages_date(session, date);
        }
        assert_eq!(all, page, "{path}");
    }
    let page: Value = serde_json::from_str(SEED_ONE).expect("the page");
    let mut one = as_localhost(&tidegate, "/v1/sessions/1");
    with_the_pages_date(&mut one["data"], date);
    assert_eq!(one, page);
    let client = connect(&tidegate, "rw");
    assert!(client.connection_id() > 3);
    let all = as_localhost(&tidegate, "/v1/sessions");
    assert_eq!(all["data"].as_array().map(Vec::len), Some(4));
    assert_eq!(all["data"][3]["id"], client.connection_id().to_string());
    assert_eq!(
        all["data"][3]["attributes"]["state"],
        "Session ready for routing"
    );
}

#[test]
fn a_session_has_all_its_members() {
    let tidegate = Plan::new(group())
        .globals("retain_last_statements=5\nsession_trace=20\n")
        .start();
    let login = Login::new(&group().accounts().app)
        .database("test")
        .attribute("_client_name", "a test")
        .attribute("program_name", "it");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    run(&mut client, "SET @a = 1");
    value(&mut client, "SELECT 1");
    let id = client.connection_id().to_string();
    let path = format!("/v1/sessions/{id}");
    let one = document(&tidegate, &path);
    let session = &one["data"];
    assert_eq!(session["id"], id);
    assert_eq!(session["type"], "sessions");
    let members = &session["attributes"];
    assert_eq!(members["state"], "Session started");
    assert_eq!(members["user"], "app");
    assert_eq!(members["remote"], "127.0.0.1");
    let port = client.local_address().expect("a port").port();
    assert_eq!(members["port"], port);
    assert_eq!(members["database"], "test");
    assert_eq!(members["default_database"], "test");
    assert!(
        members["connected"]
            .as_str()
            .is_some_and(|date| date.ends_with(" GMT"))
    );
    for number in ["seconds_alive", "idle"] {
        assert!(members[number].is_f64(), "{number}: {members:#}");
    }
    assert!(members["thread"].as_u64().is_some_and(|thread| thread < 2));
    assert!(
        members["io_activity"]
            .as_u64()
            .is_some_and(|events| events > 0)
    );
    let peer = &members["client"];
    assert_eq!(peer["cipher"], "");
    assert_eq!(peer["connection_attributes"]["_client_name"], "a test");
    assert_eq!(peer["connection_attributes"]["program_name"], "it");
    assert!(
        peer["sescmd_history_len"]
            .as_u64()
            .is_some_and(|len| len >= 1)
    );
    let connections = members["connections"].as_array().expect("a list");
    assert!(!connections.is_empty());
    for connection in connections {
        assert!(
            connection["connection_id"]
                .as_u64()
                .is_some_and(|id| id > 0)
        );
        let server = connection["server"].as_str().expect("a name");
        assert!(["primary", "replica1", "replica2"].contains(&server));
        assert_eq!(connection["cipher"], "");
    }
    assert_eq!(members["parameters"]["log_info"], false);
    assert!(
        members["memory"]["total"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0)
    );
    let backends = &members["memory"]["connection_buffers"]["backends"];
    let server = connections[0]["server"].as_str().expect("a name");
    assert!(backends[server]["total"].is_u64(), "{members:#}");
    let queries = members["queries"].as_array().expect("a list");
    assert_eq!(queries[0]["statement"], "SELECT 1");
    assert_eq!(queries[0]["command"], "COM_QUERY");
    assert_eq!(queries[1]["statement"], "SET @a = 1");
    assert!(queries[0]["completed"].is_string());
    assert!(
        queries[0]["responses"][0]["server"].is_string(),
        "{members:#}"
    );
    let log = members["log"].as_array().expect("a list");
    assert!(!log.is_empty(), "{members:#}");
    assert_eq!(
        session["relationships"]["services"]["data"],
        json!([{"id": "RW-Split-Router", "type": "services"}])
    );
    let list = document(&tidegate, "/v1/sessions");
    let names = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    let listed = &list["data"][0];
    assert_eq!(listed["id"], id);
    assert_eq!(names(&listed["attributes"]), names(members));
}

#[test]
fn the_oldest_form_can_be_asked_for() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    value(&mut client, "SELECT 1");
    let id = client.connection_id();
    let one = as_localhost(&tidegate, &format!("/v1/sessions/{id}?compat=2.2"));
    let link = format!("http://localhost:8989/v1/sessions/{id}");
    assert_eq!(one["links"]["self"], link);
    assert_eq!(one["data"]["links"]["self"], link);
    let members = &one["data"]["attributes"];
    assert_eq!(members["state"], "Session ready for routing");
    let date = members["connected"].as_str().expect("a date");
    assert!(
        !date.contains("GMT") && date.split_whitespace().count() == 5,
        "{date}"
    );
    let own = &members["connections"][0];
    assert_eq!(
        own["protocol_diagnostics"]["connection_id"],
        own["connection_id"]
    );
    assert_eq!(
        one["data"]["relationships"]["services"]["links"],
        json!({"self": "http://localhost:8989/v1/services/"})
    );
}

#[test]
fn a_busy_session_is_not_idle_and_a_kill_ends_it() {
    let tidegate = Plan::new(group())
        .globals("retain_last_statements=5\n")
        .start();
    let mut client = connect(&tidegate, "rw");
    let mut other = connect(&tidegate, "rw");
    let id = client.connection_id();
    let path = format!("/v1/sessions/{id}");
    wait_document(&tidegate, &path, |session| {
        session["data"]["attributes"]["idle"].as_f64() > Some(0.1)
    });
    client.send_query("SELECT SLEEP(50)").expect("sent");
    wait_document(&tidegate, &path, |session| {
        let members = &session["data"]["attributes"];
        members["idle"] == 0.0
            && members["queries"][0]["statement"] == "SELECT SLEEP(50)"
            && members["queries"][0].get("completed").is_none()
    });
    let answer = tidegate.rest().delete(&path).expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    if let Ok(replies) = client.replies() {
        assert_eq!(replies[0].error_code(), Some(1927), "{replies:?}");
    }
    assert!(client.query("SELECT 1").is_err());
    wait_until("the session to be gone", || {
        tidegate
            .rest()
            .get(&path)
            .is_ok_and(|answer| answer.status == 404)
    })
    .expect("gone");
    tidegate.wait_log("killed").expect("the cause in the log");
    assert_eq!(value(&mut other, "SELECT 1"), "1");
}

#[test]
fn a_kill_may_have_a_time_to_live() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let path = format!("/v1/sessions/{}", client.connection_id());
    let rest = tidegate.rest();
    let answer = rest.delete(&format!("{path}?ttl=600")).expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
    let header = [("X-Requested-With", "XMLHttpRequest")];
    let answer = rest
        .request("DELETE", &format!("{path}?ttl=1"), &header, "")
        .expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
    wait_until("the end of its time", || client.query("SELECT 1").is_err()).expect("ended");
}

#[test]
fn log_switches_of_one_session_are_set() {
    let tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    let path = format!("/v1/sessions/{}", client.connection_id());
    let body = r#"{"data":{"attributes":{"parameters":{"log_debug":true,"log_info":true}}}}"#;
    let answer = tidegate.rest().patch(&path, body).expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    let parameters = &document(&tidegate, &path)["data"]["attributes"]["parameters"];
    let expected = json!({"log_debug": true, "log_error": false, "log_info": true,
                          "log_notice": false, "log_warning": false});
    assert_eq!(parameters, &expected);
    for body in [
        r#"{"data":{"attributes":{"parameters":{"log_info":"maybe"}}}}"#,
        r#"{"data":{"attributes":{"parameters":{"no_such":true}}}}"#,
        r#"{"data":{"attributes":{"parameters":{"log_info":false}},
           "relationships":{"filters":{"data":[{"id":"Nobody"}]}}}}"#,
        "{",
        "[]",
        "",
    ] {
        let answer = tidegate.rest().patch(&path, body).expect("an answer");
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert!(told["errors"][0]["detail"].is_string(), "{told}");
    }
    let parameters = &document(&tidegate, &path)["data"]["attributes"]["parameters"];
    assert_eq!(parameters, &expected, "a refused change changed something");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
}

#[test]
fn a_session_gets_filters_of_its_own() {
    let tidegate = Plan::new(group()).more(FILTERS).start();
    let mut client = connect(&tidegate, "rw");
    let mut other = connect(&tidegate, "rw");
    let path = format!("/v1/sessions/{}", client.connection_id());
    let body = r#"{"data":{"relationships":{"filters":
                  {"data":[{"id":"Hints","type":"filters"},{"id":"Audit","type":"filters"}]}}}}"#;
    let answer = tidegate.rest().patch(&path, body).expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    let on = value(
        &mut client,
        "SELECT @@server_id -- maxscale route to master",
    );
    assert_eq!(on, "1");
    let on = value(&mut other, "SELECT @@server_id -- maxscale route to master");
    assert_ne!(on, "1", "the hint filter is the other session's");
    let named: Vec<Value> = document(&tidegate, &path)["data"]["relationships"]["filters"]["data"]
        .as_array()
        .expect("its filters")
        .iter()
        .map(|filter| filter["id"].clone())
        .collect();
    assert_eq!(named, ["Hints", "Audit"]);
    let audit = tidegate.folder().join("logdir");
    wait_until("the statement in the audit file", || {
        fs::read_dir(&audit).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                fs::read_to_string(entry.path()).is_ok_and(|text| {
                    text.contains("route to master") || text.contains("server_id")
                })
            })
        })
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    let answer = tidegate
        .rest()
        .patch(&format!("{path}/relationships/filters"), r#"{"data":[]}"#)
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    let on = value(
        &mut client,
        "SELECT @@server_id -- maxscale route to master",
    );
    assert_ne!(on, "1");
}

#[test]
fn passwords_in_statements_are_kept_nowhere() {
    let account = group()
        .create_account("tells_secrets", "SELECT ON test.*")
        .expect("an account");
    let tidegate = Plan::new(group())
        .globals("retain_last_statements=5\nsession_trace=50\ndump_last_statements=on_close\n")
        .start();
    let mut client =
        RawClient::connect(tidegate.address("rw"), &Login::new(&account)).expect("a login");
    let path = format!("/v1/sessions/{}", client.connection_id());
    run(&mut client, "SET PASSWORD = PASSWORD('hush-hush')");
    let session = document(&tidegate, &path);
    let kept = &session["data"]["attributes"]["queries"][0]["statement"];
    assert!(
        kept.as_str()
            .is_some_and(|text| text.starts_with("SET PASSWORD")),
        "{kept}"
    );
    client.query("SELECT 'the last one'").expect("a reply");
    assert!(!session.to_string().contains("hush-hush"));
    client.quit().expect("said");
    tidegate
        .wait_log("the last one")
        .expect("the last statements in the log");
    assert!(!tidegate.log().contains("hush-hush"), "{}", tidegate.log());
}

#[test]
fn one_session_alone_can_be_made_talkative() {
    let text = Plan::new(group())
        .text()
        .replace("log_info=true", "log_info=false");
    let tidegate = Tidegate::start(&text).expect("tidegate");
    let mut quiet = connect(&tidegate, "rw");
    let mut loud = connect(&tidegate, "rw");
    let (quiet_id, loud_id) = (quiet.connection_id(), loud.connection_id());
    let body = r#"{"data":{"attributes":{"parameters":{"log_info":true}}}}"#;
    let answer = tidegate
        .rest()
        .patch(&format!("/v1/sessions/{loud_id}"), body)
        .expect("an answer");
    assert_eq!(answer.status, 204, "{answer:?}");
    for client in [&mut quiet, &mut loud] {
        value(client, "SELECT 1");
        run(client, "SET @a = 1");
    }
    quiet.quit().expect("said");
    loud.quit().expect("said");
    tidegate
        .wait_log(&format!("({loud_id}) "))
        .expect("lines of the talkative session");
    let log = tidegate.log();
    assert!(!log.contains(&format!("({quiet_id}) ")), "{log}");
}

#[test]
fn a_session_that_ends_badly_leaves_its_trace_in_the_log() {
    let text = Plan::new(group())
        .globals("session_trace=20\nsession_trace_match=/INSERT INTO nowhere/\n")
        .globals("retain_last_statements=1\ndump_last_statements=on_error\n")
        .text()
        .replace("log_info=true", "log_info=false");
    let tidegate = Tidegate::start(&text).expect("tidegate");
    let [polite, lost, mut awaited] = [(); 3].map(|()| {
        let mut client = connect(&tidegate, "rw");
        value(&mut client, "SELECT 'a statement of a traced session'");
        client
    });
    let trace_of = |id: u32| format!("({id}) session trace: ");
    let [polite_id, lost_id, awaited_id] =
        [&polite, &lost, &awaited].map(|client| client.connection_id());
    awaited
        .query("INSERT INTO nowhere VALUES (1)")
        .expect("a reply");
    polite.quit().expect("said");
    awaited.quit().expect("said");
    // It vanishes without a word.
    drop(lost);
    for id in [awaited_id, lost_id] {
        tidegate.wait_log(&trace_of(id)).expect("its trace");
    }
    let log = tidegate.log();
    for words in [
        "info: COM_QUERY to primary: INSERT INTO nowhere",
        "debug: COM_QUERY answered by primary in ",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains(&trace_of(polite_id)), "{log}");
    let last_statement_of = |id: u32| {
        log.lines().any(|line| {
            line.contains(&format!("({id}) "))
                && line.ends_with("Z SELECT 'a statement of a traced session'")
        })
    };
    assert!(last_statement_of(lost_id), "{log}");
    assert!(!last_statement_of(polite_id), "{log}");
}
