//! Sessions: lists, single ones, PATCH, DELETE.

use serde_json::{Value, json};

use crate::client::Server;
use crate::fake::{FakeHouse, session};

fn ids(document: &Value) -> Vec<&str> {
    let rows = document["data"].as_array().expect("rows");
    rows.iter().filter_map(|row| row["id"].as_str()).collect()
}

#[tokio::test]
async fn list_and_single_differ_in_nothing() {
    let server = Server::start(FakeHouse::default());
    let list = server.document("/v1/sessions/").await;
    assert_eq!(ids(&list), ["7", "70"]);
    for row in list["data"].as_array().expect("rows") {
        let id = row["id"].as_str().expect("an id");
        let one = server.document(&format!("/v1/sessions/{id}")).await;
        assert_eq!(&one["data"], row);
    }
    let head = server.send("HEAD", "/sessions", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(
        head.header("etag"),
        None,
        "collections of sessions have none"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_long_list_is_the_same_as_its_pages() {
    let house = FakeHouse::default();
    let many = (1..=300).rev().map(|id| session(id, "RW", None)).collect();
    *house.sessions.lock().expect("unpoisoned") = many;
    let server = Server::start(house);
    let all = server.document("/sessions").await;
    let mut paged = Vec::new();
    for number in 0..4 {
        let page = server
            .document(&format!("/sessions?page[size]=90&page[number]={number}"))
            .await;
        assert_eq!(page["meta"]["total"], 300);
        paged.extend(page["data"].as_array().expect("rows").clone());
    }
    assert_eq!(all["data"], Value::from(paged));
    let compact = server.get("/sessions?pretty=false").await;
    assert_eq!(compact.json(), all);
    assert!(!compact.body.contains('\n'));
    let beyond = server
        .document("/sessions?page[size]=90&page[number]=9")
        .await;
    assert_eq!(beyond["data"], json!([]));
    let filtered = server
        .document("/sessions?filter=id=and(ge(50),le(100))&page[size]=10&fields[sessions]=user")
        .await;
    assert_eq!(filtered["meta"]["total"], 51);
    assert_eq!(filtered["data"][9]["id"], "59");
    assert_eq!(filtered["data"][9]["attributes"], json!({ "user": "app" }));
    server.stop().await;
}

#[tokio::test]
async fn filters_of_the_shipped_clients() {
    let server = Server::start(FakeHouse::default());
    for (query, expect) in [
        (
            r#"filter=/relationships/services/data/0/id="RW""#,
            vec!["7"],
        ),
        (
            r#"filter=/relationships/services/data/0/id=%22CLI%22"#,
            vec!["70"],
        ),
        (
            r#"filter=/attributes/connections/0/server="db-a""#,
            vec!["7", "70"],
        ),
        (r#"filter[$.attributes.port]=eq(0)"#, vec!["70"]),
        ("filter=id=7", vec!["7"]),
    ] {
        assert_eq!(
            ids(&server.document(&format!("/sessions?{query}")).await),
            expect,
            "{query}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn names_instead_of_addresses() {
    let server = Server::start(FakeHouse::default());
    let remote = |document: Value| document["data"][0]["attributes"]["remote"].clone();
    assert_eq!(remote(server.document("/sessions").await), "10.0.0.5");
    assert_eq!(
        remote(server.document("/sessions?rdns=true").await),
        "app.example"
    );
    assert_eq!(
        remote(server.document("/sessions?rdns&page[size]=1").await),
        "app.example"
    );
    let one = server.document("/sessions/7?rdns=yes").await;
    assert_eq!(one["data"]["attributes"]["remote"], "app.example");
    let socket = server.document("/sessions/70?rdns=yes").await;
    assert_eq!(socket["data"]["attributes"]["remote"], "localhost");
    server.stop().await;
}

#[tokio::test]
async fn ids_that_are_none() {
    let server = Server::start(FakeHouse::default());
    for id in [
        "0",
        "abc",
        "1x",
        "-7",
        "+7",
        "7.0",
        "restart",
        "8",
        "99999999999999999999",
    ] {
        for (method, body) in [("GET", ""), ("DELETE", ""), ("PATCH", r#"{"data":{}}"#)] {
            let answer = server
                .send(method, &format!("/sessions/{id}"), "", body)
                .await;
            assert_eq!(answer.status, 404, "{method} {id}");
            assert_eq!(answer.details(), [format!("{id} is not a session")]);
        }
    }
    assert!(server.house.asked().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn relationships_have_their_own_urls() {
    let server = Server::start(FakeHouse::default());
    let services = server
        .document("/v1/sessions/7/relationships/services")
        .await;
    assert_eq!(
        services,
        json!({
            "data": [ { "id": "RW", "type": "services" } ],
            "links": {
                "self": "http://h:8989/v1/sessions/7/relationships/services/",
                "related": "http://h:8989/v1/services/"
            }
        })
    );
    let filters = server.document("/sessions/7/relationships/filters").await;
    assert_eq!(ids(&filters), ["Mask", "Audit", "Mask"]);
    assert_eq!(
        server
            .get("/sessions/70/relationships/filters")
            .await
            .status,
        404
    );
    server.stop().await;
}

#[tokio::test]
async fn killing_now_and_later() {
    let server = Server::start(FakeHouse::default());
    for query in ["", "?ttl=0", "?ttl=-5", "?ttl=soon", "?ttl=", "?ttl=30"] {
        let answer = server
            .send("DELETE", &format!("/sessions/7{query}"), "", "")
            .await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{query}");
    }
    let xhr = "\r\nX-Requested-With: XMLHttpRequest";
    let answer = server.send("DELETE", "/sessions/7?ttl=1", xhr, "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let mut expect = vec!["kill 7 None"; 5];
    expect.extend(["kill 7 Some(30s)", "kill 7 Some(1s)"]);
    assert_eq!(server.house.asked(), expect);
    server.stop().await;
}

#[tokio::test]
async fn patching_log_switches_and_filters() {
    let server = Server::start(FakeHouse::default());
    let nothing = "log_debug: None, log_error: None";
    let rest = "log_notice: None, log_warning: None";
    for (body, expect) in [
        (
            json!({ "data": { "attributes": { "parameters": { "log_info": true } } } }),
            format!("{nothing}, log_info: Some(true), {rest}, filters: None"),
        ),
        (
            json!({ "data": { "type": "services", "id": 5, "relationships": { "filters": { "data": [ { "id": "Mask" }, { "id": "Audit" }, { "id": "Mask" } ] } } } }),
            format!(
                "{nothing}, log_info: None, {rest}, filters: Some([\"Mask\", \"Audit\", \"Mask\"])"
            ),
        ),
        (
            json!({ "data": { "attributes": { "parameters": { "log_info": "off" }, "relationships": { "filters": { "data": null } } } } }),
            format!("{nothing}, log_info: Some(false), {rest}, filters: Some([])"),
        ),
        (
            json!({ "data": {} }),
            format!("{nothing}, log_info: None, {rest}, filters: None"),
        ),
    ] {
        let answer = server
            .send("PATCH", "/sessions/7", "", &body.to_string())
            .await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{body}");
        let asked = server.house.asked().pop().expect("asked");
        assert_eq!(asked, format!("alter 7 SessionChange {{ {expect} }}"));
    }
    let list = r#"{"data":[{"id":"Audit"}]}"#;
    let answer = server
        .send("PATCH", "/sessions/7/relationships/filters", "", list)
        .await;
    assert_eq!(answer.status, 204);
    assert!(
        server
            .house
            .asked()
            .pop()
            .expect("asked")
            .ends_with("filters: Some([\"Audit\"]) }")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_document_can_be_sent_back_as_it_came() {
    let server = Server::start(FakeHouse::default());
    let document = server.get("/sessions/7").await.body;
    assert_eq!(
        server
            .send("PATCH", "/sessions/7", "", &document)
            .await
            .status,
        204
    );
    server.stop().await;
}

#[tokio::test]
async fn bad_bodies_name_every_mistake_and_change_nothing() {
    let server = Server::start(FakeHouse::default());
    for (body, details) in [
        ("", vec!["this request needs a JSON body"]),
        (
            "{}",
            vec!["the body must be an object with the member \"data\""],
        ),
        (r#"{"data":[]}"#, vec!["'/data' must be an object"]),
        (
            r#"{"data":{"attributes":{"parameters":{"log_info":"maybe","log_eror":true,"thread":1}},"relationships":{"filters":null}}}"#,
            vec![
                "'log_info' must be a boolean",
                "'log_eror' is not a parameter of a session; it has log_debug, log_error, log_info, log_notice, log_warning",
                "'thread' is not a parameter of a session; it has log_debug, log_error, log_info, log_notice, log_warning",
                "'/data/relationships/filters' must be an object",
            ],
        ),
        (
            r#"{"data":{"relationships":{"filters":{"data":[{"id":"Mask"},{"id":"Ghost"}]}}}}"#,
            vec!["Ghost is not a filter"],
        ),
        (
            r#"{"data":{"relationships":{"filters":{"data":[{}]}}}}"#,
            vec!["'/data/relationships/filters/data/0/id' must be a string that is not empty"],
        ),
    ] {
        let answer = server.send("PATCH", "/sessions/7", "", body).await;
        assert_eq!(
            (answer.status, answer.details()),
            (400, details.iter().map(|d| (*d).to_owned()).collect()),
            "{body}"
        );
    }
    let broken = server.send("PATCH", "/sessions/7", "", "{\"data\":").await;
    assert_eq!(broken.status, 400);
    assert!(broken.details()[0].starts_with("the body is not valid JSON: "));
    let list = server
        .send(
            "PATCH",
            "/sessions/7/relationships/filters",
            "",
            "{\"date\":[]}",
        )
        .await;
    assert_eq!(list.status, 400);
    assert!(server.house.asked().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn sessions_begin_anew_when_told_so() {
    let server = Server::start(FakeHouse::default());
    for (target, headers, status) in [
        ("/v1/sessions/7/restart", "", 204),
        (
            "/v1/sessions/7/restart",
            "\r\nX-Requested-With: XMLHttpRequest",
            200,
        ),
        ("/v1/sessions/restart", "", 204),
        ("/v1/sessions/8/restart", "", 404),
        ("/v1/sessions/x/restart", "", 404),
    ] {
        let answer = server.send("POST", target, headers, "").await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    assert_eq!(
        server.house.asked(),
        ["restart 7", "restart 7", "restart all"]
    );
    for (method, target, status) in [
        ("GET", "/v1/sessions/restart", 404),
        ("GET", "/v1/sessions/7/restart", 405),
        ("DELETE", "/v1/sessions/restart", 404),
    ] {
        let answer = server.send(method, target, "", "").await;
        assert_eq!(answer.status, status, "{method} {target}");
    }
    server.stop().await;
}

#[tokio::test]
async fn every_session_that_does_not_begin_anew_is_named() {
    let reasons = vec![
        "not all sessions could be restarted".to_owned(),
        "session 7: the session cannot be restarted: it has temporary tables".to_owned(),
    ];
    let server = Server::start(FakeHouse {
        refusal: Some(tidegate_admin::house::Refusal::Refused(reasons.clone())),
        ..FakeHouse::default()
    });
    let answer = server.send("POST", "/v1/sessions/restart", "", "").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.details(), reasons);
    server.stop().await;
}
