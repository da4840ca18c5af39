//! Whole documents, kept as files. `TIDEGATE_BLESS=1` writes them anew.

use std::path::Path;

use crate::client::Server;
use crate::fake::FakeHouse;

async fn check(server: &Server, target: &str, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/rest/golden")
        .join(name);
    let answer = server.get(target).await;
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    answer.json();
    let found = format!("{}\n", answer.body);
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        std::fs::write(&file, &found).expect("written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        found, expected,
        "{target} is not {name}; bless it if it shall be so"
    );
}

#[tokio::test]
async fn documents() {
    let server = Server::start(FakeHouse::default());
    for (target, name) in [
        ("/v1/servers/db-b", "server.json"),
        ("/v1/services/RW/", "service.json"),
        ("/v1/listeners/RW-L", "listener.json"),
        ("/v1/monitors/Mon", "monitor.json"),
        ("/v1/filters/Mask", "filter.json"),
        ("/v1/maxscale", "maxscale.json"),
        ("/v1/maxscale/threads/1", "thread.json"),
        ("/v1/sessions/7", "session.json"),
        ("/v1/sessions/7?compat=2.2", "session_2.2.json"),
        (
            "/v1/services/RW?compat=2.2&fields[services]=state,started,listeners,servers",
            "service_2.2.json",
        ),
        (
            "/v1/services/RW/route?sql=SELECT%20a%20FROM%20t%20WHERE%20id=1",
            "route.json",
        ),
        ("/v1/services/RW/digests", "digests.json"),
        ("/v1/services/RW/digests/00000000000000cd", "digest.json"),
        ("/sessions", "sessions.json"),
        ("/v1/services/RW/listeners", "listeners_of_service.json"),
        ("/v1/services/RW/relationships/servers", "relationship.json"),
    ] {
        check(&server, target, name).await;
    }
    server.stop().await;
}
