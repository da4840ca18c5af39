//! What of the global parameters can be changed, and how that is passed on.

use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::fake::FakeHouse;

async fn patch(server: &Server, parameters: Value) -> Answer {
    let body = json!({ "data": { "attributes": { "parameters": parameters } } });
    server
        .send("PATCH", "/maxscale", "", &body.to_string())
        .await
}

#[tokio::test]
async fn changes_are_passed_on_as_one() {
    let server = Server::start(FakeHouse::default());
    let parameters = json!({
        "threads": "3",
        "passive": false,
        "key_manager": "vault",
        "vault": { "host": "keys", "port": 8201, "tls": false, "token": "*****", "mount": "", "ca": null },
        "file.keyfile": "/keys",
    });
    let answer = patch(&server, parameters).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    // An empty change counts too: files are read again.
    assert_eq!(patch(&server, json!({ "threads": 2 })).await.status, 204);
    assert_eq!(
        server.house.asked(),
        [
            "threads Some(3) keys [(\"key_manager\", Some(\"vault\")), (\"vault.host\", Some(\"keys\")), \
             (\"vault.port\", Some(\"8201\")), (\"vault.tls\", Some(\"false\")), (\"vault.mount\", None), \
             (\"vault.ca\", None), (\"file.keyfile\", Some(\"/keys\"))]",
            "threads None keys []",
        ]
    );
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_changed_is_told_at_once() {
    let server = Server::start(FakeHouse::default());
    let parameters = json!({
        "threads": "many", "passive": true, "tread": 1, "vault": { "port": [] }
    });
    let answer = patch(&server, parameters).await;
    assert_eq!(answer.status, 400);
    let details = answer.details();
    assert_eq!(details.len(), 4, "{details:?}");
    assert!(server.house.asked().is_empty());
    server.stop().await;
}
