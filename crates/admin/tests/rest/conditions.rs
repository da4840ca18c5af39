//! ETags and conditional requests.

use crate::client::Server;
use crate::fake::FakeHouse;

#[tokio::test]
async fn a_reader_that_has_it_already_gets_304() {
    let server = Server::start(FakeHouse::default());
    for target in [
        "/servers",
        "/v1/servers/db-a",
        "/sessions/7",
        "/maxscale",
        "/servers/db-a/relationships/services",
    ] {
        let first = server.get(target).await;
        let tag = first.header("etag").expect("an ETag").to_owned();
        assert!(
            tag.len() == 42 && tag.starts_with('"') && tag.ends_with('"'),
            "{tag}"
        );
        let again = server
            .send("GET", target, &format!("\r\nIf-None-Match: {tag}"), "")
            .await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{target}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        let other = server
            .send("GET", target, "\r\nIf-None-Match: \"x\"", "")
            .await;
        assert_eq!(other.status, 200);
        let head = server.send("HEAD", target, "", "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("etag"), Some(tag.as_str()));
        assert_eq!(
            head.header("content-length"),
            Some(first.body.len().to_string().as_str())
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_tag_is_that_of_the_whole_however_it_is_shown() {
    let server = Server::start(FakeHouse::default());
    let tag = async |target: &str| {
        server
            .get(target)
            .await
            .header("etag")
            .expect("an ETag")
            .to_owned()
    };
    let whole = tag("/servers").await;
    for target in [
        "/v1/servers",
        "/servers?pretty=false",
        "/servers?page[size]=1",
        "/servers?fields[servers]=state",
        "/servers?filter=id=\"db-a\"",
        "/servers?compat=2.2",
    ] {
        assert_eq!(tag(target).await, whole, "{target}");
    }
    assert_ne!(tag("/servers/db-a").await, whole);
    assert_ne!(tag("/servers/db-a").await, tag("/servers/db-b").await);
    server.stop().await;
}

#[tokio::test]
async fn a_failed_condition_prevents_the_change() {
    let server = Server::start(FakeHouse::default());
    let target = "/servers/db-a/set?state=drain";
    for headers in [
        "\r\nIf-Match: \"x\"",
        "\r\nIf-Unmodified-Since: Wed, 17 May 2017 10:06:35 GMT",
    ] {
        let answer = server.send("PUT", target, headers, "").await;
        assert_eq!(
            (answer.status, answer.details().len()),
            (412, 1),
            "{headers}"
        );
    }
    assert!(server.house.asked().is_empty());
    let tag = server
        .get("/servers/db-a")
        .await
        .header("etag")
        .expect("a tag")
        .to_owned();
    let answer = server
        .send("PUT", target, &format!("\r\nIf-Match: {tag}"), "")
        .await;
    assert_eq!(answer.status, 204);
    let missing = server
        .send("DELETE", "/sessions/8", "\r\nIf-Match: \"x\"", "")
        .await;
    assert_eq!(missing.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn last_modified_moves_with_changes_only() {
    let server = Server::start(FakeHouse::default());
    let before = server.get("/servers").await;
    let date = before.header("last-modified").expect("a date");
    assert!(date.ends_with(" GMT"), "{date}");
    assert!(
        before
            .header("date")
            .is_some_and(|date| date.ends_with(" GMT"))
    );
    assert_eq!(before.header("cache-control"), Some("no-cache"));
    let since = format!("\r\nIf-Modified-Since: {date}");
    assert_eq!(server.send("GET", "/servers", &since, "").await.status, 304);
    assert_eq!(
        server.send("GET", "/sessions", &since, "").await.status,
        304
    );
    let early = "\r\nIf-Modified-Since: Wed, 17 May 2017 10:06:35 GMT";
    assert_eq!(server.send("GET", "/servers", early, "").await.status, 200);
    server.stop().await;
}
