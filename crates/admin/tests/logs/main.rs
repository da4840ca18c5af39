//! What is written to the log: every change, every refused login, never a secret.
//!
//! A program of its own, because all of it listens to the log of the whole process.

#![allow(missing_docs, unreachable_pub, dead_code)]

#[path = "../rest/client.rs"]
mod client;
#[path = "../rest/fake.rs"]
mod fake;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::client::{Server, basic};
use crate::fake::FakeHouse;

/// Keeps each event as one line of text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().target().to_owned();
        event.record(&mut Text(&mut line));
        self.0.lock().expect("unpoisoned").push(line);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Lines {
    fn with(&self, part: &str) -> Vec<String> {
        let lines = self.0.lock().expect("unpoisoned");
        lines
            .iter()
            .filter(|line| line.contains(part))
            .cloned()
            .collect()
    }
}

#[tokio::test]
async fn changes_and_refusals_leave_a_trace_without_secrets() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).expect("the first");
    let server = Server::start(FakeHouse::default());
    server
        .send("DELETE", "/sessions/7?ttl=30&password=hunter2", "", "")
        .await;
    server
        .send("PUT", "/servers/db-a/set?state=drain", "", "")
        .await;
    server.get("/servers").await;
    let wrong = basic("admin", "hunter2");
    for method in ["GET", "DELETE"] {
        let head = format!("{method} /sessions/7 HTTP/1.1\r\nHost: h\r\nAuthorization: {wrong}");
        server.raw(&head, "").await;
    }
    server.raw("GET /sessions HTTP/1.1\r\nHost: h", "").await;
    let body = r#"{"data":{"attributes":{"password":"hunter2"}}}"#;
    server.send("PATCH", "/users/inet/admin", "", body).await;
    server.stop().await;

    let audit = lines.with("tidegate::audit");
    let expect = [
        [
            "user=\"admin\"",
            "REST: DELETE /sessions/7 ttl=30",
            "status=204",
        ],
        [
            "user=\"admin\"",
            "REST: PUT /servers/db-a/set state=drain",
            "status=204",
        ],
        ["user=\"-\"", "REST: DELETE /sessions/7", "status=401"],
        [
            "user=\"admin\"",
            "REST: PATCH /users/inet/admin",
            "status=204",
        ],
    ];
    assert_eq!(audit.len(), expect.len(), "{audit:#?}");
    for (line, parts) in audit.iter().zip(expect) {
        assert!(
            parts.iter().all(|part| line.contains(part)),
            "{line} has not all of {parts:?}"
        );
        assert!(line.contains("peer=127.0.0.1"), "{line}");
    }
    assert_eq!(lines.with("refused user 'admin' from 127.0.0.1").len(), 2);
    assert_eq!(lines.with("default password").len(), 1);
    for secret in ["hunter2", "mariadb", "argon2", "Basic ", &wrong[6..]] {
        assert_eq!(lines.with(secret), Vec::<String>::new(), "{secret}");
    }

    let silent = Server::start_with(FakeHouse::default(), |config| {
        config.log_auth_failures = false;
    });
    let head = format!("GET /servers HTTP/1.1\r\nHost: h\r\nAuthorization: {wrong}");
    assert_eq!(silent.raw(&head, "").await.status, 401);
    silent.stop().await;
    assert_eq!(
        lines.with("refused user").len(),
        2,
        "silent where that is wished"
    );
}
