//! What only a socket shows: raw request lines, limits, keep-alive, a clean end.

use std::time::Duration;

use tidegate_admin::house::{Objects, Unanswered};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Server, basic};
use crate::fake::{FakeHouse, session};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.expect("connected")
}

async fn all(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .await
        .expect("read to the end");
    text
}

#[tokio::test]
async fn raw_quotes_and_bars_in_a_query_are_accepted() {
    let house = FakeHouse::default();
    let mut odd = session(9, "RW", None);
    odd.user = "a|b<c>{d}\\^`é".into();
    house.sessions.lock().expect("unpoisoned").push(odd);
    let server = Server::start(house);
    let login = basic("admin", "mariadb");
    let target = "/sessions?filter=/attributes/user=\"a|b<c>{d}\\\\^`é\"&page[size]=50";
    let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\nAuthorization: {login}");
    let answer = server.raw(&head, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["meta"]["total"], 1);
    server.stop().await;
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::start(FakeHouse::default());
    let mut stream = connect(&server).await;
    let login = basic("admin", "mariadb");
    let body = r#"{"data":{"attributes":{"parameters":{"log_info":"on"}}}}"#;
    let requests = format!(
        "PATCH /sessions/7 HTTP/1.1\r\nHost: h\r\nAuthorization: {login}\r\nContent-Length: {}\r\n\r\n{body}\
         PATCH /sessions/7 HTTP/1.1\r\nHost: h\r\nAuthorization: {login}\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n\
         GET /servers?filter=id=\"db-a\"&pretty=no HTTP/1.1\r\nHost: h\r\nAuthorization: {login}\r\nConnection: close\r\n\r\n",
        body.len(),
        body.len()
    );
    stream.write_all(requests.as_bytes()).await.expect("sent");
    let text = all(&mut stream).await;
    let statuses: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("HTTP/1.1 "))
        .collect();
    assert_eq!(
        statuses,
        [
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 200 OK"
        ]
    );
    assert!(text.contains("\"id\":\"db-a\"") && !text.contains("\"id\":\"db-b\""));
    assert_eq!(server.house.asked().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let server = Server::start_with(FakeHouse::default(), |config| {
        config.limits.body_bytes = 100;
    });
    let answer = server
        .send("PATCH", "/sessions/7", "", &"x".repeat(100))
        .await;
    assert_eq!(answer.status, 400);
    let answer = server
        .send("PATCH", "/sessions/7", "", &"x".repeat(101))
        .await;
    assert_eq!(
        (answer.status, answer.details()),
        (413, vec!["the body is longer than 100 bytes".into()])
    );
    server.stop().await;
}

#[tokio::test]
async fn heads_have_a_limit() {
    let server = Server::start(FakeHouse::default());
    let mut stream = connect(&server).await;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let text = all(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn garbage_is_400_and_others_go_on() {
    let server = Server::start(FakeHouse::default());
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\n\n",
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(garbage).await.expect("sent");
        let text = all(&mut stream).await;
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 400 "),
            "{text}"
        );
    }
    assert_eq!(server.get("/servers").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_slow_head_is_given_up() {
    let server = Server::start_with(FakeHouse::default(), |config| {
        config.limits.head = Duration::from_millis(50);
    });
    let mut stream = connect(&server).await;
    stream.write_all(b"GET / HT").await.expect("sent");
    assert!(!all(&mut stream).await.contains(" 200 "));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let server = Server::start_with(FakeHouse::default(), |config| {
        config.limits.body = Duration::from_millis(50);
    });
    let mut stream = connect(&server).await;
    let login = basic("admin", "mariadb");
    let text = format!(
        "PATCH /sessions/7 HTTP/1.1\r\nHost: h\r\nAuthorization: {login}\r\nContent-Length: 5\r\n\r\n{{"
    );
    stream.write_all(text.as_bytes()).await.expect("sent");
    let text = all(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_somebody_unknown_is_not_read() {
    let server = Server::start(FakeHouse::default());
    let mut stream = connect(&server).await;
    let head = "PATCH /sessions/7 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let text = all(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 401 "), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn connections_are_bounded_and_further_ones_wait() {
    let server = Server::start_with(FakeHouse::default(), |config| config.limits.connections = 1);
    let mut first = connect(&server).await;
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .expect("sent");
    let mut status = [0; 15];
    first.read_exact(&mut status).await.expect("answered");
    let mut second = connect(&server).await;
    second
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(50), second.peek(&mut byte)).await;
    assert!(early.is_err(), "answered while the only place was taken");
    drop(first);
    assert!(all(&mut second).await.starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

#[tokio::test]
async fn probes_that_only_connect_do_no_harm() {
    let server = Server::start(FakeHouse::default());
    for _ in 0..20 {
        drop(connect(&server).await);
    }
    assert_eq!(server.get("/servers").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_the_port() {
    let server = Server::start(FakeHouse::default());
    let address = server.address;
    let mut idle = connect(&server).await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .expect("sent");
    let mut status = [0; 15];
    idle.read_exact(&mut status).await.expect("answered");
    server.stop().await;
    all(&mut idle).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the port is still open"
    );
}

#[test]
fn the_fake_house_counts_as_one() {
    let house = FakeHouse::default();
    assert_eq!(house.servers().len(), 2);
    assert_eq!(
        Unanswered { worker: 3 }.to_string(),
        "worker 3 did not answer within one second; try again"
    );
}
