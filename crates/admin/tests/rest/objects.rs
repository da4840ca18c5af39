//! Configuration objects: collections, single ones, relationships, server states, errors.

use serde_json::{Value, json};

use crate::client::Server;
use crate::fake::FakeHouse;

fn ids(document: &Value) -> Vec<&str> {
    let rows = document["data"].as_array().expect("rows");
    rows.iter().filter_map(|row| row["id"].as_str()).collect()
}

#[tokio::test]
async fn every_collection_lists_what_can_be_fetched_by_itself() {
    let server = Server::start(FakeHouse::default());
    for collection in [
        "servers",
        "services",
        "listeners",
        "monitors",
        "filters",
        "maxscale/threads",
    ] {
        let list = server.document(&format!("/v1/{collection}")).await;
        let url = format!("http://h:8989/v1/{collection}/");
        assert_eq!(list["links"]["self"], url);
        let rows = list["data"].as_array().expect("rows");
        assert!(!rows.is_empty(), "{collection}");
        for row in rows {
            let id = row["id"].as_str().expect("a string");
            let one = server.document(&format!("/v1/{collection}/{id}/")).await;
            assert_eq!(&one["data"], row);
            assert_eq!(one["links"]["self"], format!("{url}{id}/"));
            let has_links = row.get("links").is_some();
            assert_eq!(has_links, collection != "listeners", "{row}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn links_mirror_the_prefix_and_the_name_we_were_called_by() {
    let server = Server::start(FakeHouse::default());
    let bare = server.document("/servers/db-a").await;
    assert_eq!(bare["links"]["self"], "http://h:8989/servers/db-a/");
    let login = crate::client::basic("admin", "mariadb");
    let head = format!("GET /v1/maxscale HTTP/1.0\r\nAuthorization: {login}");
    let nameless = server.raw(&head, "").await.json();
    assert_eq!(
        nameless["links"]["self"],
        format!("http://127.0.0.1:{}/v1/maxscale/", server.address.port())
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there() {
    let server = Server::start(FakeHouse::default());
    for (target, detail) in [
        ("/servers/asdf", "asdf is not a server"),
        ("/services/asdf", "asdf is not a service"),
        ("/monitors/asdf", "asdf is not a monitor"),
        ("/filters/asdf", "asdf is not a filter"),
        ("/listeners/asdf", "asdf is not a listener"),
        ("/maxscale/threads/9", "9 is not a thread"),
        ("/maxscale/threads/01", "01 is not a thread"),
        ("/services/asdf/listeners", "asdf is not a service"),
        (
            "/services/CLI/listeners/RW-L",
            "RW-L is not a listener of CLI",
        ),
        (
            "/servers/asdf/relationships/services",
            "asdf is not a server",
        ),
        (
            "/services/CLI/relationships/servers",
            "there are no servers in relation",
        ),
        ("/servers/DB-A", "DB-A is not a server"),
    ] {
        let answer = server.get(target).await;
        assert_eq!(
            (answer.status, answer.details()),
            (404, vec![detail.into()]),
            "{target}"
        );
    }
    for target in [
        "/nothing",
        "/threads",
        "/v1/threads",
        "/v2/servers",
        "/servers/db-a/b",
        "/%",
    ] {
        let answer = server.get(target).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{target}");
    }
    server.stop().await;
}

#[tokio::test]
async fn methods_and_what_they_are_good_for() {
    let server = Server::start(FakeHouse::default());
    for (target, allow) in [
        ("/sessions", "GET, HEAD, OPTIONS"),
        ("/sessions/7", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        (
            "/sessions/7/relationships/filters",
            "GET, HEAD, PATCH, OPTIONS",
        ),
        ("/servers/db-a/set", "PUT, OPTIONS"),
        ("/services/RW/reload", "POST, OPTIONS"),
        ("/users/inet/admin", "GET, HEAD, PATCH, OPTIONS"),
        ("*", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    ] {
        let answer = server.send("OPTIONS", target, "", "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{target}");
        assert_eq!(answer.header("allow"), Some(allow), "{target}");
        assert_eq!(answer.header("accept"), Some(allow), "{target}");
        assert_eq!(
            answer.header("accept-patch").is_some(),
            allow.contains("PATCH")
        );
    }
    for (method, target) in [
        ("PUT", "/sessions/7"),
        ("POST", "/servers"),
        ("GET", "/servers/db-a/set"),
        ("DELETE", "/maxscale"),
        ("BREW", "/servers"),
        ("get", "/servers"),
    ] {
        let answer = server.send(method, target, "", "").await;
        assert_eq!(answer.status, 405, "{method} {target}");
        assert!(
            answer
                .header("allow")
                .is_some_and(|allow| allow.ends_with("OPTIONS"))
        );
        assert_eq!(answer.details().len(), 1);
    }
    for method in ["OPTIONS", "PUT", "BREW"] {
        assert_eq!(server.send(method, "/nothing", "", "").await.status, 404);
    }
    server.stop().await;
}

#[tokio::test]
async fn server_states_are_set_and_cleared() {
    let server = Server::start(FakeHouse::default());
    for (target, status) in [
        ("/servers/db-a/set?state=maintenance&force=yes", 204),
        ("/v1/servers/db-a/set/?state=drain", 204),
        ("/servers/db-a/clear?state=maintenance&force=yes", 204),
        ("/servers/db-a/set?state=nonsense", 400),
        ("/servers/db-a/set", 400),
        ("/servers/asdf/set?state=drain", 404),
    ] {
        let answer = server.send("PUT", target, "", "").await;
        assert_eq!(answer.status, status, "{target}");
        match status {
            204 => assert_eq!(answer.body, ""),
            _ => assert_eq!(answer.details().len(), 1, "{answer:?}"),
        }
    }
    let overridden = "\r\nX-HTTP-Method-Override: PUT";
    let answer = server
        .send("POST", "/servers/db-b/set?state=master", overridden, "")
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        server.house.asked(),
        [
            "set db-a Maintenance force=true",
            "set db-a Drain force=false",
            "clear db-a Maintenance force=false",
            "set db-b Master force=false",
        ]
    );
    server.stop().await;
}

#[tokio::test]
async fn accounts_are_reloaded() {
    let server = Server::start(FakeHouse::default());
    assert_eq!(
        server
            .send("POST", "/services/RW/reload", "", "")
            .await
            .status,
        204
    );
    assert_eq!(server.house.asked(), ["reload RW"]);
    server.stop().await;
}

#[tokio::test]
async fn filters_pages_and_fields() {
    let server = Server::start(FakeHouse::default());
    let replicas = server
        .document("/servers?filter=attributes/master_id=1")
        .await;
    assert_eq!(ids(&replicas), ["db-b"]);
    let none = server.document("/services?filter=id=\"x\"").await;
    assert_eq!(none["data"], json!([]));
    let page = server
        .document("/v1/servers?page[size]=1&page[number]=1&fields[servers]=name")
        .await;
    assert_eq!(ids(&page), ["db-b"]);
    assert_eq!(page["meta"]["total"], 2);
    assert_eq!(page["data"][0]["attributes"], json!({ "name": "db-b" }));
    assert!(page["data"][0].get("relationships").is_none());
    assert_eq!(
        page["links"]["first"],
        "http://h:8989/v1/servers/?fields%5Bservers%5D=name&page%5Bnumber%5D=0&page%5Bsize%5D=1"
    );
    let one = server
        .document("/services/RW?fields[services]=servers&filter=id=\"x\"")
        .await;
    assert!(one["data"].get("attributes").is_none());
    assert_eq!(
        one["data"]["relationships"]["servers"]["data"][1]["id"],
        "db-b"
    );
    let bad = server.get("/servers?filter=id").await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.details(), ["filter 'id': expected POINTER=EXPRESSION"]);
    server.stop().await;
}

#[tokio::test]
async fn indented_unless_told_otherwise() {
    let server = Server::start(FakeHouse::default());
    for (query, indented) in [
        ("", true),
        ("?pretty", true),
        ("?pretty=true", true),
        ("?pretty=nonsense", true),
        ("?pretty=false", false),
        ("?pretty=no", false),
    ] {
        for target in ["/servers", "/sessions", "/servers/asdf"] {
            let body = server.get(&format!("{target}{query}")).await.body;
            assert_eq!(body.starts_with("{\n    \""), indented, "{target}{query}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_media_type_of_json_api_on_request_only() {
    let server = Server::start(FakeHouse::default());
    let accept = "\r\nAccept: application/vnd.api+json";
    let own = server.send("GET", "/servers", accept, "").await;
    assert_eq!(own.header("content-type"), Some("application/vnd.api+json"));
    assert_eq!(
        server.get("/servers").await.header("content-type"),
        Some("application/json")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_stuck_worker_is_503_and_hurts_nobody_else() {
    let server = Server::start(FakeHouse {
        stuck: true,
        ..FakeHouse::default()
    });
    for target in [
        "/sessions",
        "/sessions?page[size]=1",
        "/sessions/7",
        "/maxscale/threads",
        "/maxscale/threads/0",
    ] {
        let answer = server.get(target).await;
        assert_eq!(answer.status, 503, "{target}");
        assert_eq!(
            answer.details(),
            ["worker 1 did not answer within one second; try again"]
        );
    }
    assert_eq!(server.get("/servers").await.status, 200);
    server.stop().await;
}
