//! Requests that nobody meant: the kept corpus and seeded mutations of it, sent to the real
//! interface. Each gets an answer of HTTP with a document or nothing in it, or is hung up on.

use serde_json::Value;
use tidegate_testkit::fuzz::{Random, corpus, mutated};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Server, basic};
use crate::fake::FakeHouse;

const ROUNDS: u32 = 600;

const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"/",
    b"/v1/",
    b"sessions",
    b"/relationships/",
    b"filters",
    b"?",
    b"&",
    b"filter=",
    b"page[size]=1",
    b"fields[sessions]=",
    b"%00",
    b"%FF",
    b"..",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"If-Match: \"x\"\r\n",
    b"If-Modified-Since: Tue\r\n",
    b"X-HTTP-Method-Override: PATCH\r\n",
    b"{\"data\":{}}",
    b"PUT",
    b"DELETE",
];

/// Everything that comes back when these bytes are sent and nothing more.
async fn answers(server: &Server, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    let mut bytes = Vec::new();
    // An interface that hung up in the middle has said what it had to say.
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

fn check(request: &[u8], answer: &[u8]) {
    let shown = request.escape_ascii();
    let text = String::from_utf8(answer.to_vec()).expect("UTF-8");
    let Some(status) = text.split(' ').nth(1) else {
        return;
    };
    let status: u16 = status.parse().expect("a status");
    assert!(
        status < 500 || status == 501 || status == 505,
        "{text}\nto {shown}"
    );
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        panic!("{text:?} to {shown}");
    };
    if head.contains("application/json") && head.lines().all(|line| !line.contains("chunked")) {
        let mut documents = serde_json::Deserializer::from_str(body).into_iter::<Value>();
        assert!(
            !matches!(documents.next(), Some(Err(_))),
            "{text}\nto {shown}"
        );
    }
}

#[tokio::test]
async fn any_request_is_answered_or_hung_up_on() {
    let server = Server::start(FakeHouse::default());
    let login = format!("Authorization: {}\r\n", basic("admin", "mariadb"));
    let kept: Vec<Vec<u8>> = corpus("admin_request")
        .into_iter()
        .map(|request| {
            let at = request.windows(2).position(|pair| pair == b"\r\n");
            let (line, rest) = request.split_at(at.map_or(request.len(), |at| at + 2));
            [line, login.as_bytes(), rest].concat()
        })
        .collect();
    let mut random = Random::new(7);
    for round in 0..ROUNDS {
        let request = match kept.get(round as usize) {
            Some(request) => request.clone(),
            None => mutated(&kept, PIECES, &mut random),
        };
        check(&request, &answers(&server, &request).await);
    }
    assert_eq!(
        server.raw("GET / HTTP/1.1\r\nHost: h", "").await.status,
        200
    );
    server.stop().await;
}
