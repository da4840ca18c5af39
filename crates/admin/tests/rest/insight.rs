//! What services tell of the statements they were sent.

use serde::Deserialize;

use crate::client::Server;
use crate::fake::FakeHouse;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[allow(dead_code, reason = "it has to be there")]
    links: serde_json::Value,
    data: Vec<Row>,
    meta: Meta,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    total: u64,
    missed_at_most: u64,
    without_digest: u64,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    attributes: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    statement: String,
    truncated: bool,
    count: u64,
    missed_at_most: u64,
    errors: u64,
    rows: u64,
    response_times: Times,
    servers: Vec<Server_>,
    first_seen: String,
    last_seen: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    count: u64,
    total_us: u64,
    mean_us: u64,
    p50_us: u64,
    p95_us: u64,
    p99_us: u64,
    max_us: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server_ {
    id: String,
    count: u64,
}

async fn list(server: &Server, target: &str) -> List {
    let answer = server.get(target).await;
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{target}: {error}"))
}

fn statements(list: &List) -> Vec<&str> {
    let words = list
        .data
        .iter()
        .map(|row| row.attributes.statement.as_str());
    words
        .map(|text| text.split(' ').next().unwrap_or(text))
        .collect()
}

#[tokio::test]
async fn digests_have_exactly_these_members() {
    let server = Server::start(FakeHouse::default());
    let list = list(&server, "/v1/services/RW/digests").await;
    assert_eq!(
        (
            list.meta.total,
            list.meta.missed_at_most,
            list.meta.without_digest
        ),
        (3, 1, 2)
    );
    let row = &list.data[1];
    assert_eq!(
        (row.id.as_str(), row.kind.as_str()),
        ("00000000000000ab", "digests")
    );
    let digest = &row.attributes;
    assert_eq!(digest.statement, "SELECT a FROM t WHERE id = ?");
    assert_eq!(
        (
            digest.count,
            digest.missed_at_most,
            digest.errors,
            digest.rows
        ),
        (5, 1, 0, 50)
    );
    assert!(!digest.truncated);
    assert_eq!(
        (digest.servers[0].id.as_str(), digest.servers[0].count),
        ("db-a", 5)
    );
    assert_eq!(digest.first_seen, "2017-05-17T10:06:35.000Z");
    assert_eq!(digest.last_seen, "2017-05-17T10:06:40.000Z");
    let times = &digest.response_times;
    assert_eq!((times.count, times.total_us, times.mean_us), (5, 1255, 251));
    assert_eq!(
        (times.p50_us, times.p95_us, times.p99_us, times.max_us),
        (239, 479, 479, 480)
    );
    server.stop().await;
}

#[tokio::test]
async fn digests_are_sorted_and_paged() {
    let server = Server::start(FakeHouse::default());
    let at = "/v1/services/RW/digests";
    let all = list(&server, at).await;
    let ids: Vec<&str> = all
        .data
        .iter()
        .map(|row| row.id.trim_start_matches('0'))
        .collect();
    assert_eq!(ids, ["ef", "ab", "cd"], "those sent most first");
    let failed = list(&server, &format!("{at}?sort=-errors&page[size]=1")).await;
    assert_eq!(statements(&failed), ["INSERT"]);
    assert_eq!(failed.meta.total, 3);
    let least = list(&server, &format!("{at}?sort=count")).await;
    assert_eq!(statements(&least), ["INSERT", "SELECT", "SELECT"]);
    let filtered = list(&server, &format!("{at}?filter[attributes.errors]=gt(0)")).await;
    assert_eq!(statements(&filtered), ["INSERT"]);
    let wrong = server.get(&format!("{at}?sort=colour")).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.details()[0].contains("cannot be sorted by 'colour'"));
    server.stop().await;
}

#[tokio::test]
async fn digests_begin_anew_when_told_so() {
    let house = FakeHouse::default();
    let server = Server::start(house);
    for (method, target) in [
        ("DELETE", "/v1/services/RW/digests"),
        ("POST", "/v1/services/RW/digests/reset"),
    ] {
        let answer = server.send(method, target, "", "").await;
        assert_eq!(answer.status, 204, "{method} {target}");
    }
    assert_eq!(
        server.house.asked(),
        ["reset digests of RW", "reset digests of RW"]
    );
    for (method, target, status) in [
        ("GET", "/v1/services/none/digests", 404),
        ("GET", "/v1/services/RW/digests/00000000000000ff", 404),
        ("POST", "/v1/services/RW/digests", 405),
        ("GET", "/v1/services/RW/digests/reset", 405),
    ] {
        let answer = server.send(method, target, "", "").await;
        assert_eq!(answer.status, status, "{method} {target}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_worker_that_does_not_answer_is_named() {
    let server = Server::start(FakeHouse {
        stuck: true,
        ..FakeHouse::default()
    });
    let answer = server.get("/v1/services/RW/digests").await;
    assert_eq!(answer.status, 503);
    assert!(answer.details()[0].contains("worker 1"));
    server.stop().await;
}
