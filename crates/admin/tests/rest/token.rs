//! Tokens: how they are given, what they open, and what they do not.

use tidegate_admin::{AdminConfig, SigningKey};

use crate::client::{Answer, Server};
use crate::fake::FakeHouse;

fn open(config: &mut AdminConfig) {
    config.secure_gui = false;
    config.tokens.key = Some(SigningKey::new(&[7; 32]));
}

async fn with(server: &Server, target: &str, headers: &str) -> Answer {
    let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{headers}");
    server.raw(&head, "").await
}

async fn token(server: &Server) -> String {
    let document = server.document("/v1/auth").await;
    let token = document["meta"]["token"].as_str().expect("a token");
    token.to_owned()
}

#[tokio::test]
async fn a_token_opens_what_its_user_may_do() {
    let server = Server::start_with(FakeHouse::default(), open);
    let token = token(&server).await;
    let bearer = format!("Authorization: Bearer {token}");
    let answer = with(&server, "/v1/servers", &bearer).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("set-cookie").is_none());
    let cookie = format!("Cookie: theme=dark; token_sig={token}");
    assert_eq!(with(&server, "/v1/servers", &cookie).await.status, 200);
    let both = format!("Authorization: Basic eDp5\r\n{cookie}");
    let answer = with(&server, "/v1/servers", &both).await;
    assert_eq!(answer.status, 401, "the header counts");
    let broken = format!("Authorization: Bearer {token}x");
    for headers in [broken, "Cookie: token_sig=x.y.z".to_owned()] {
        let answer = with(&server, "/v1/servers", &headers).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert!(answer.header("www-authenticate").is_none(), "{headers}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_cannot_beget_a_token() {
    let server = Server::start_with(FakeHouse::default(), open);
    let token = token(&server).await;
    for headers in [
        format!("Authorization: Bearer {token}"),
        format!("Cookie: token_sig={token}"),
        "X-None: x".to_owned(),
    ] {
        let answer = with(&server, "/v1/auth", &headers).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert!(answer.header("www-authenticate").is_none(), "{headers}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_browser_gets_a_cookie_and_loses_it() {
    let server = Server::start_with(FakeHouse::default(), open);
    let session = server.get("/v1/auth?persist=yes").await;
    assert_eq!((session.status, session.body.as_str()), (204, ""));
    let cookie = session.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("token_sig=ey"), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; SameSite=Strict; HttpOnly"),
        "{cookie}"
    );
    for (age, expect) in [("60", "; Max-Age=60"), ("2147483646", "; Max-Age=86400")] {
        let kept = server
            .get(&format!("/v1/auth?persist=yes&max-age={age}"))
            .await;
        let cookie = kept.header("set-cookie").expect("a cookie");
        assert!(cookie.ends_with(expect), "{cookie}");
    }
    for ignored in ["0", "-1", "many", "2147483647"] {
        let kept = server
            .get(&format!("/v1/auth?persist=yes&max-age={ignored}"))
            .await;
        let cookie = kept.header("set-cookie").expect("a cookie");
        assert!(cookie.ends_with("HttpOnly"), "{cookie}");
    }
    let gone = with(&server, "/v1/auth?logout=yes", "X-None: x").await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        gone.header("set-cookie"),
        Some("token_sig=; Path=/; SameSite=Strict; HttpOnly; Max-Age=0")
    );
    server.stop().await;
}

#[tokio::test]
async fn without_https_tokens_are_given_only_if_that_is_allowed() {
    let server = Server::start(FakeHouse::default());
    let answer = server.get("/v1/auth").await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.details()[0].contains("admin_secure_gui"),
        "{answer:?}"
    );
    server.stop().await;
}
