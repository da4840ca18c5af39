//! Who is let in, what 401 looks like, and how a password is changed.

use serde_json::json;
use tidegate_admin::house::Refusal;
use tidegate_admin::{Admin, StartError};

use crate::client::{Answer, Server, basic, config};
use crate::fake::FakeHouse;

async fn get(server: &Server, target: &str, headers: &str) -> Answer {
    server
        .raw(&format!("GET {target} HTTP/1.1\r\nHost: h{headers}"), "")
        .await
}

fn new_password(password: &str) -> String {
    json!({ "data": { "type": "inet", "attributes": { "password": password } } }).to_string()
}

#[tokio::test]
async fn only_the_root_needs_no_credentials() {
    let server = Server::start(FakeHouse::default());
    let health = get(&server, "/", "").await;
    assert_eq!((health.status, health.body.as_str()), (200, ""));
    for target in ["/v1/", "/v1", "/servers", "/nothing", "/sessions/7", "*"] {
        let answer = get(&server, target, "").await;
        assert_eq!(answer.status, 401, "{target}");
        assert_eq!(answer.details(), ["credentials are needed"]);
        let realm = answer.header("www-authenticate").expect("a challenge");
        assert!(realm.starts_with("Basic realm="), "{realm}");
    }
    let login = format!("\r\nAuthorization: {}", basic("admin", "mariadb"));
    let health = get(&server, "/v1/", &login).await;
    assert_eq!((health.status, health.body.as_str()), (200, ""));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_accepted() {
    let server = Server::start(FakeHouse::default());
    for (headers, challenge) in [
        (
            format!("\r\nAuthorization: {}", basic("admin", "wrong")),
            true,
        ),
        (
            format!("\r\nAuthorization: {}", basic("nobody", "mariadb")),
            true,
        ),
        (format!("\r\nAuthorization: {}", basic("", "")), true),
        ("\r\nAuthorization: Basic !!!".into(), true),
        ("\r\nAuthorization: Basic".into(), true),
        ("\r\nAuthorization: Basic YWRtaW4=".into(), true),
        ("\r\nAuthorization: Bearer x.y.z".into(), false),
        ("\r\nX-Requested-With: XMLHttpRequest".into(), false),
    ] {
        let answer = get(&server, "/servers", &headers).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(
            answer.header("www-authenticate").is_some(),
            challenge,
            "{headers}"
        );
        assert!(!answer.body.contains("mariadb"));
    }
    server.stop().await;
}

#[tokio::test]
async fn without_authentication_everybody_may_do_everything() {
    let server = Server::start_with(FakeHouse::default(), |config| config.auth = false);
    assert_eq!(get(&server, "/servers", "").await.status, 200);
    let answer = server
        .raw("DELETE /sessions/7 HTTP/1.1\r\nHost: h", "")
        .await;
    assert_eq!(answer.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn a_password_is_changed_and_never_shown() {
    let server = Server::start(FakeHouse::default());
    let answer = server
        .send("PATCH", "/users/inet/admin", "", &new_password("s3cret"))
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(server.get("/users/inet/admin").await.status, 401);
    let login = format!("\r\nAuthorization: {}", basic("admin", "s3cret"));
    let answer = get(&server, "/users/inet/admin", &login).await;
    let document = answer.json();
    assert_eq!(document["data"]["type"], "inet");
    assert_eq!(document["data"]["attributes"]["account"], "admin");
    assert!(document["data"]["attributes"]["last_update"].is_string());
    assert!(document["data"]["attributes"]["last_login"].is_string());
    for secret in ["s3cret", "argon2", "hash"] {
        assert!(!answer.body.contains(secret), "{secret}");
    }
    let stored = std::fs::read_to_string(server.folder.path().join("passwd")).expect("a file");
    assert!(stored.contains("$argon2id$") && !stored.contains("s3cret"));
    server.stop().await;
}

#[tokio::test]
async fn users_as_documents() {
    let server = Server::start(FakeHouse::default());
    for target in ["/v1/users", "/v1/users/inet"] {
        let document = server.document(target).await;
        assert_eq!(document["links"]["self"], "http://h:8989/v1/users/inet/");
        assert_eq!(document["data"][0]["id"], "admin");
        assert_eq!(
            document["data"][0]["links"]["self"],
            "http://h:8989/v1/users/inet/admin/"
        );
    }
    assert_eq!(server.document("/users/unix").await["data"], json!([]));
    let missing = server.get("/users/inet/eve").await;
    assert_eq!(
        (missing.status, missing.details()),
        (404, vec!["eve is not a inetuser".into()])
    );
    server.stop().await;
}

#[tokio::test]
async fn passwords_that_are_none() {
    let server = Server::start(FakeHouse::default());
    for body in [
        "",
        "hunter2",
        r#"{"data":{}}"#,
        r#"{"data":{"attributes":{"password":""}}}"#,
        r#"{"data":{"attributes":{"password":5}}}"#,
        r#"{"data":{"attributes":[]}}"#,
    ] {
        let answer = server.send("PATCH", "/users/inet/admin", "", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.details().len(), 1);
        assert!(!answer.body.contains("hunter2"));
    }
    let kept = server
        .send("PATCH", "/users/inet/admin", "", &new_password("*****"))
        .await;
    assert_eq!(kept.status, 204);
    assert_eq!(
        server.get("/users/inet/admin").await.status,
        200,
        "the mask was taken for one"
    );
    let unknown = server
        .send("PATCH", "/users/inet/eve", "", &new_password("x"))
        .await;
    assert_eq!(unknown.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_basic_account_reads_only() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Admin::bind(config(&folder)).unwrap_or_else(|error| panic!("{error}")));
    let file = folder.path().join("passwd");
    let mut users: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    let mut reader = users["users"][0].clone();
    reader["name"] = "reader".into();
    reader["account"] = "basic".into();
    users["users"].as_array_mut().expect("a list").push(reader);
    std::fs::write(&file, users.to_string()).expect("written");
    let server = Server::start_with(FakeHouse::default(), |config| config.users_file = file);
    let ask = async |method: &str, target: &str| {
        let login = basic("reader", "mariadb");
        let head = format!("{method} {target} HTTP/1.1\r\nHost: h\r\nAuthorization: {login}");
        server.raw(&head, "").await.status
    };
    assert_eq!(ask("GET", "/servers").await, 200);
    assert_eq!(ask("OPTIONS", "/servers").await, 200);
    assert_eq!(ask("DELETE", "/sessions/7").await, 401);
    assert_eq!(ask("PUT", "/servers/db-a/set?state=drain").await, 401);
    assert!(server.house.asked().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn where_requests_may_come_from() {
    let server = Server::start_with(FakeHouse::default(), |config| {
        config.readwrite_hosts = vec!["10.0.0.0/8".into()];
        config.readonly_hosts = vec!["127.0.0.1".into()];
    });
    assert_eq!(server.get("/servers").await.status, 200);
    let answer = server.send("DELETE", "/sessions/7", "", "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.details()[0].contains("admin_readwrite_hosts"));
    server.stop().await;
    let named = Server::start_with(FakeHouse::default(), |config| {
        config.readwrite_hosts = vec!["%.example".into()];
        config.readonly_hosts = vec![];
        config.reverse_lookup = |_| Some("me.example".into());
    });
    assert_eq!(
        named.send("DELETE", "/sessions/7", "", "").await.status,
        204
    );
    named.stop().await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_start_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut settings = config(&folder);
    settings.port = taken.local_addr().expect("an address").port();
    let Err(error) = Admin::bind(settings) else {
        panic!("a port twice");
    };
    let text = error.to_string();
    assert!(matches!(error, StartError::Bind { .. }), "{text}");
    assert!(
        text.contains("127.0.0.1") && text.contains("admin_port"),
        "{text}"
    );

    let mut settings = config(&folder);
    settings.users_file = folder.path().join("no/such/folder/passwd");
    let Err(error) = Admin::bind(settings) else {
        panic!("no folder");
    };
    assert!(
        error.to_string().contains("no/such/folder/passwd"),
        "{error}"
    );

    let mut settings = config(&folder);
    settings.readonly_hosts = vec!["10.0.0.0/99".into()];
    let Err(error) = Admin::bind(settings) else {
        panic!("no network");
    };
    let expect = "admin_readonly_hosts: '10.0.0.0/99' is neither an address";
    assert!(error.to_string().starts_with(expect), "{error}");
}

#[tokio::test]
async fn a_refused_action_is_not_a_refused_login() {
    let house = FakeHouse {
        refusal: Some(Refusal::Refused(vec!["one".into(), "two".into()])),
        ..FakeHouse::default()
    };
    let server = Server::start(house);
    let answer = server.send("DELETE", "/sessions/7", "", "").await;
    assert_eq!(
        (answer.status, answer.details()),
        (400, vec!["one".into(), "two".into()])
    );
    server.stop().await;
}
