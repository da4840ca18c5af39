//! Seed mode: the two answers that the oldest page of the API shows, member by member.

use serde_json::Value;

use crate::client::{Server, basic};
use crate::fake::{FakeHouse, session, then};
use tidegate_admin::views::SeedListener;

const ONE: &str = include_str!("seed_page/one.json");
const ALL: &str = include_str!("seed_page/all.json");

fn seed_house() -> FakeHouse {
    let services = ["RW-Split-Router", "Read-Connection-Router", "CLI"];
    let listeners = services.iter().zip(1..).map(|(service, id)| SeedListener {
        id,
        service: (*service).to_owned(),
        started: then(0),
    });
    let house = FakeHouse {
        seed: Some(listeners.collect()),
        ..FakeHouse::default()
    };
    house.sessions.lock().expect("unpoisoned").clear();
    house
}

async fn ask(server: &Server, target: &str) -> Value {
    let login = basic("admin", "mariadb");
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost:8989\r\nAuthorization: {login}");
    let answer = server.raw(&head, "").await;
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    answer.json()
}

/// Every member of the page is in the answer, with the same value.
fn contains(answer: &Value, page: &Value, pointer: &str) {
    match page {
        Value::Object(members) => {
            for (name, value) in members {
                let inner = answer
                    .get(name)
                    .unwrap_or_else(|| panic!("no {pointer}/{name}"));
                contains(inner, value, &format!("{pointer}/{name}"));
            }
        }
        Value::Array(elements) => {
            let found = answer
                .as_array()
                .unwrap_or_else(|| panic!("{pointer} is no list"));
            assert_eq!(found.len(), elements.len(), "{pointer}");
            for (index, (inner, value)) in found.iter().zip(elements).enumerate() {
                contains(inner, value, &format!("{pointer}/{index}"));
            }
        }
        _ => assert_eq!(answer, page, "{pointer}"),
    }
}

#[tokio::test]
async fn the_page_is_reproduced_member_by_member() {
    let server = Server::start(seed_house());
    let one: Value = serde_json::from_str(ONE).expect("the page");
    let all: Value = serde_json::from_str(ALL).expect("the page");
    for (targets, page) in [
        (
            [
                "/sessions/1",
                "/v1/sessions/1?pretty",
                "/sessions/1/?pretty=false",
            ],
            &one,
        ),
        (
            [
                "/sessions",
                "/v1/sessions/?pretty=true",
                "/sessions/?page[size]=3",
            ],
            &all,
        ),
    ] {
        for target in targets {
            let answer = ask(&server, target).await;
            contains(&answer, page, "");
            assert_eq!(
                &answer["data"], &page["data"],
                "{target} shows more than the page"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn clients_come_behind_the_listeners_and_have_all_members() {
    let house = seed_house();
    let clients = vec![
        session(5, "CLI", None),
        session(4, "CLI", Some([10, 0, 0, 5].into())),
    ];
    *house.sessions.lock().expect("unpoisoned") = clients;
    let server = Server::start(house);
    let all = ask(&server, "/sessions").await;
    let rows = all["data"].as_array().expect("rows");
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert_eq!(rows[3]["attributes"]["state"], "Session ready for routing");
    assert_eq!(
        rows[3]["attributes"]["connected"],
        "Wed May 17 10:06:35 2017"
    );
    assert_eq!(
        rows[3]["links"]["self"],
        "http://localhost:8989/v1/sessions/4"
    );
    assert_eq!(rows[3]["attributes"]["remote"], "10.0.0.5");
    for (number, expect) in [(0, vec!["1", "2"]), (1, vec!["3", "4"]), (2, vec!["5"])] {
        let page = ask(
            &server,
            &format!("/sessions?page[size]=2&page[number]={number}"),
        )
        .await;
        let rows = page["data"].as_array().expect("rows");
        let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
        assert_eq!(ids, expect);
        assert_eq!(page["meta"]["total"], 5);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_listener_is_no_session_to_act_on() {
    let server = Server::start(seed_house());
    for (method, body) in [("DELETE", ""), ("PATCH", r#"{"data":{}}"#)] {
        let answer = server.send(method, "/sessions/1", "", body).await;
        assert_eq!(answer.status, 404, "{method}");
        assert_eq!(answer.details(), ["1 is not a session"]);
    }
    server.stop().await;
}

#[tokio::test]
async fn other_documents_keep_their_present_form_but_links_have_the_prefix() {
    let server = Server::start(seed_house());
    let document = ask(&server, "/servers/db-a").await;
    assert_eq!(
        document["links"]["self"],
        "http://localhost:8989/v1/servers/db-a/"
    );
    assert_eq!(
        document["data"]["attributes"]["triggered_at"],
        "Wed, 17 May 2017 10:06:35 GMT"
    );
    server.stop().await;
}
