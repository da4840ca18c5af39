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

mod route {
    //! `GET /services/:service/route`.

    use super::*;

    #[derive(Deserialize)]
    struct Document {
        data: Resource,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Resource {
        id: String,
        #[serde(rename = "type")]
        kind: String,
        attributes: Route,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Route {
        sql: String,
        canonical: String,
        class: Class,
        context: Context,
        summary: String,
        steps: Vec<Step>,
        in_transaction: Option<Brief>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Class {
        types: Vec<String>,
        operation: String,
        parsed: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Context {
        in_transaction: bool,
        read_only: bool,
        autocommit: bool,
        database: Option<String>,
        hints: Option<String>,
        sql_mode: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Brief {
        rule: Rule,
        outcome: Outcome,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Step {
        service: String,
        router: String,
        rule: Rule,
        outcome: Outcome,
        candidates: Vec<Candidate>,
        effects: Vec<Rule>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        name: String,
        text: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outcome {
        kind: String,
        targets: Vec<String>,
        answer: Option<String>,
        text: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Candidate {
        id: String,
        #[serde(rename = "type")]
        kind: String,
        state: String,
        rank: String,
        lag_seconds: Option<u64>,
        connections: u64,
        operations: u64,
        chosen: bool,
        verdict: String,
    }

    const AT: &str = "/v1/services/RW/route";

    #[tokio::test]
    async fn it_has_exactly_these_members() {
        let server = Server::start(FakeHouse::default());
        let answer = server
            .get(&format!(
                "{AT}?sql=SELECT+a+FROM+t+WHERE+id%3D1&database=shop"
            ))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let document: Document = serde_json::from_str(&answer.body).expect("the document");
        let Resource {
            id,
            kind,
            attributes: route,
        } = document.data;
        assert_eq!((id.as_str(), kind.as_str()), ("RW", "routes"));
        assert_eq!(route.sql, "SELECT a FROM t WHERE id=1");
        assert_eq!(route.canonical, "SELECT a FROM t WHERE id = ?");
        assert_eq!(route.class.types, ["READ"]);
        assert_eq!(
            (route.class.operation.as_str(), route.class.parsed.as_str()),
            ("OP_SELECT", "PARSED")
        );
        let context = route.context;
        assert!(context.autocommit && !context.in_transaction && !context.read_only);
        assert_eq!(context.database.as_deref(), Some("shop"));
        assert_eq!((context.hints, context.sql_mode.as_str()), (None, ""));
        assert_eq!(
            route.summary,
            "to db-b. It only reads, so a replica may take it."
        );
        let [step] = route.steps.as_slice() else {
            panic!("one step")
        };
        assert_eq!(
            (step.service.as_str(), step.router.as_str()),
            ("RW", "readwritesplit")
        );
        assert_eq!(step.rule.name, "read");
        assert!(step.rule.text.ends_with('.'));
        assert_eq!(
            (step.outcome.kind.as_str(), &*step.outcome.targets),
            ("one", &["db-b".to_owned()][..])
        );
        assert_eq!(step.outcome.answer.as_deref(), Some("db-b"));
        assert_eq!(step.outcome.text, None);
        let replica = &step.candidates[1];
        assert_eq!(
            (replica.id.as_str(), replica.kind.as_str()),
            ("db-b", "servers")
        );
        assert_eq!(
            (replica.state.as_str(), replica.rank.as_str()),
            ("Slave, Running", "primary")
        );
        assert_eq!(
            (replica.lag_seconds, replica.connections, replica.operations),
            (Some(2), 3, 0)
        );
        assert!(replica.chosen && replica.verdict.starts_with("chosen"));
        assert_eq!(step.effects[0].name, "transaction_replay");
        assert_eq!(step.effects[0].text, "It is repeated.");
        let brief = route.in_transaction.expect("what would change");
        assert_eq!(brief.rule.name, "in_transaction");
        assert_eq!(brief.outcome.targets, ["db-a"]);
        server.stop().await;
    }

    #[tokio::test]
    async fn it_can_be_read_on_a_terminal() {
        let server = Server::start(FakeHouse::default());
        let target = format!("{AT}?sql=SELECT+1");
        let by_format = server.get(&format!("{target}&format=text")).await;
        let by_header = server
            .send("GET", &target, "\r\nAccept: text/plain", "")
            .await;
        assert_eq!(by_format.body, by_header.body);
        assert_eq!(
            by_header.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        let lines: Vec<&str> = by_format.body.lines().collect();
        assert_eq!(lines[0], "SELECT 1");
        assert!(
            by_format.body.contains("> db-b  Slave, Running"),
            "{}",
            by_format.body
        );
        assert!(
            by_format
                .body
                .contains("  then     transaction_replay: It is repeated.\n")
        );
        assert!(
            by_format
                .body
                .contains("In a transaction it would go to db-a")
        );
        server.stop().await;
    }

    #[tokio::test]
    async fn long_statements_come_in_a_body() {
        let server = Server::start(FakeHouse::default());
        let question = |sql: &str, transaction: &str, autocommit| {
            format!(
                "RouteQuestion {{ sql: {sql:?}, transaction: {transaction}, autocommit: {autocommit}, database: None, hints: None, sql_mode: \"\" }}"
            )
        };
        for (headers, body) in [
            ("\r\nContent-Type: text/plain", "SELECT 2"),
            ("", r#"{"sql": "SELECT 3", "in_transaction": "read_only"}"#),
            (
                "",
                r#"{"data": {"attributes": {"sql": "SELECT 4", "in_transaction": true, "autocommit": false}}}"#,
            ),
        ] {
            let answer = server.send("POST", AT, headers, body).await;
            assert_eq!(answer.status, 200, "{body}: {answer:?}");
        }
        assert_eq!(
            server.house.asked(),
            [
                question("SELECT 2", "None", true),
                question("SELECT 3", "ReadOnly", true),
                question("SELECT 4", "ReadWrite", false),
            ]
        );
        server.stop().await;
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_said() {
        let server = Server::start(FakeHouse::default());
        for (target, status, detail) in [
            ("/v1/services/RW/route", 400, "'sql' is missing"),
            (
                "/v1/services/RW/route?sql=SELECT+1&in_transaction=perhaps",
                400,
                "must be true, false or read_only",
            ),
            (
                "/v1/services/RW/route?sql=SELECT+1&autocommit=2",
                400,
                "must be a boolean",
            ),
            (
                "/v1/services/none/route?sql=SELECT+1",
                404,
                "none is not a service",
            ),
        ] {
            let answer = server.get(target).await;
            assert_eq!(answer.status, status, "{target}");
            assert!(answer.details()[0].contains(detail), "{target}: {answer:?}");
        }
        for body in [
            "",
            "[]",
            r#"{"sql": 1}"#,
            r#"{"sql": "SELECT 1", "user": "x"}"#,
        ] {
            let answer = server.send("POST", AT, "", body).await;
            assert_eq!(answer.status, 400, "{body}");
        }
        server.stop().await;
    }
}
