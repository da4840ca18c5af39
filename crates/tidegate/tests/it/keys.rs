//! Key managers: tokens of the REST interface that outlive the process, because their key is
//! managed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tidegate_testkit::keys::{KmipPeer, Mood, VaultPeer, new_key};
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::{PATIENCE, PortLease, Rest, Scratch, Tidegate};

use crate::house::document;
use crate::start::BARE;

/// The settings under which `/auth` works without HTTPS.
const OPEN: &str = "admin_secure_gui=false\n";

/// A token of the administrator.
fn token(tidegate: &Tidegate) -> String {
    let answer = tidegate.rest().get("/v1/auth").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    document["meta"]["token"]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// What a request with a token comes to.
fn with_token(tidegate: &Tidegate, token: &str) -> u16 {
    let rest = Rest::new(tidegate.address("admin"));
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let answer = rest.request("GET", "/v1/maxscale", &headers, "");
    answer.expect("an answer").status
}

/// A token counts before and after a restart; a random key's would not.
fn outlives_restarts(settings: &str, scratch: &std::sync::Arc<Scratch>) -> Tidegate {
    let config = format!("{BARE}{OPEN}{settings}");
    let builder = Tidegate::builder(&config).scratch(scratch);
    let mut tidegate = builder.start().expect("a start");
    let token = token(&tidegate);
    assert_eq!(with_token(&tidegate, &token), 200);
    tidegate.restart().expect("a restart");
    tidegate.wait_ready().expect("ready again");
    assert_eq!(with_token(&tidegate, &token), 200, "{}", tidegate.log());
    let mut parts: Vec<&str> = token.split('.').collect();
    parts.pop();
    let forged = format!("{}.AAAA", parts.join("."));
    assert_eq!(with_token(&tidegate, &forged), 401);
    assert!(!tidegate.log().contains(&token), "a token in the log");
    tidegate
}

/// The log of a program that ends at its start.
fn refusal(settings: &str, scratch: &std::sync::Arc<Scratch>) -> String {
    let config = format!("{BARE}{OPEN}{settings}");
    let builder = Tidegate::builder(&config).scratch(scratch);
    let mut tidegate = builder.launch().expect("a process");
    let status = tidegate.wait(PATIENCE).expect("its end");
    assert!(!status.success());
    tidegate.log()
}

fn expect_refusal(settings: &str, scratch: &std::sync::Arc<Scratch>, words: &[&str]) {
    let said = refusal(settings, scratch);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

fn write(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.write(name, text).expect("a file");
    shown(&path)
}

fn shown(path: &Path) -> String {
    path.to_str().expect("a text").to_owned()
}

#[test]
fn a_token_of_a_random_key_dies_with_the_process() {
    let mut tidegate = Tidegate::start(&format!("{BARE}{OPEN}")).expect("a start");
    let token = token(&tidegate);
    assert_eq!(with_token(&tidegate, &token), 200);
    tidegate.restart().expect("a restart");
    tidegate.wait_ready().expect("ready again");
    assert_eq!(with_token(&tidegate, &token), 401);
}

#[test]
fn tokens_are_given_over_https_alone_unless_told_otherwise() {
    let tidegate = Tidegate::start(BARE).expect("a start");
    let answer = tidegate.rest().get("/v1/auth").expect("an answer");
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(
        answer.text().contains("admin_secure_gui"),
        "{}",
        answer.text()
    );
}

#[test]
fn keys_of_a_file() {
    let scratch = Scratch::new("keys").expect("a folder");
    let [first, second] = [16, 32].map(|len| new_key(len).expect("a key"));
    let path = write(
        &scratch,
        "keys",
        &format!("# ours\n1;{first}\n7;{second}\n"),
    );
    let settings = format!("key_manager=file\nfile.keyfile={path}\nadmin_jwt_key=7\n");
    for algorithm in ["auto", "HS256", "HS384", "HS512"] {
        let settings = format!("{settings}admin_jwt_algorithm={algorithm}\n");
        outlives_restarts(&settings, &scratch);
    }
    let other = settings.replace("jwt_key=7", "jwt_key=8");
    expect_refusal(
        &other,
        &scratch,
        &["admin_jwt_key", "there is no key '8'", &path],
    );
    write(&scratch, "keys", &format!("1;{first}\n7;{second}00\n"));
    expect_refusal(
        &settings,
        &scratch,
        &[&path, "line 2", "66 hexadecimal digits"],
    );
    let config = write(&scratch, "tidegate.cnf", &format!("[maxscale]\n{settings}"));
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["--config-check", &format!("--config={config}")])
        .output()
        .expect("the program");
    let said = crate::start::text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("line 2"), "{said}");
    fs::remove_file(&path).expect("gone");
    expect_refusal(&settings, &scratch, &["file.keyfile", "cannot be read"]);
}

#[test]
fn what_is_configured_wrongly_is_told_with_its_line() {
    let scratch = Scratch::new("keys").expect("a folder");
    expect_refusal(
        "admin_jwt_key=1\n",
        &scratch,
        &["admin_jwt_key", "key_manager"],
    );
    for (manager, parameter) in [
        ("file", "file.keyfile"),
        ("kmip", "kmip."),
        ("vault", "vault.token"),
    ] {
        let settings = format!("key_manager={manager}\n");
        expect_refusal(&settings, &scratch, &[parameter, "is missing"]);
    }
    expect_refusal("admin_jwt_algorithm=RS256\n", &scratch, &["HTTPS"]);
}

#[test]
fn keys_of_vault() {
    let scratch = Scratch::new("keys").expect("a folder");
    let authority = Authority::new("keys").expect("an authority");
    let ca = write(&scratch, "ca", authority.pem());
    let identity = authority.issue(&Wish::new("vault")).expect("signed");
    let peer = VaultPeer::start(Some(&identity)).expect("a peer");
    peer.put("jwt", &new_key(24).expect("a key"));
    let settings = format!(
        "key_manager=vault\nvault.host=127.0.0.1\nvault.port={}\nvault.token={}\nvault.ca={ca}\n\
         vault.timeout=20s\nadmin_jwt_key=jwt\n",
        peer.address().port(),
        peer.token(),
    );
    let mut tidegate = outlives_restarts(&settings, &scratch);
    assert_eq!(peer.accepted(), 2, "read once at each start");
    let shown = document(&tidegate, "/v1/maxscale");
    let token = &shown["data"]["attributes"]["parameters"]["vault"]["token"];
    assert_eq!(token.as_str(), Some("*****"));

    // A new version is for the next start; what the old one signed does not count then.
    let before = self::token(&tidegate);
    peer.put("jwt", &new_key(32).expect("a key"));
    assert_eq!(with_token(&tidegate, &before), 200);
    tidegate.restart().expect("a restart");
    tidegate.wait_ready().expect("ready again");
    assert_eq!(with_token(&tidegate, &before), 401);

    drop(tidegate);

    let other = settings.replace("jwt_key=jwt", "jwt_key=other");
    expect_refusal(&other, &scratch, &["there is no key 'other'"]);
    let plain = format!("{settings}vault.tls=false\n");
    expect_refusal(&plain, &scratch, &["cannot be reached"]);
    peer.set(Mood::Sealed);
    expect_refusal(&settings, &scratch, &["sealed"]);
    peer.set(Mood::Silent);
    let hasty = settings.replace("timeout=20s", "timeout=1s");
    expect_refusal(
        &hasty,
        &scratch,
        &["did not answer within 1000 ms", "vault.timeout"],
    );
    let free = PortLease::take().expect("a port");
    let port = format!("port={}", peer.address().port());
    let absent = settings.replace(&port, &format!("port={}", free.port()));
    expect_refusal(&absent, &scratch, &["cannot be reached"]);
}

#[test]
fn keys_of_kmip() {
    let scratch = Scratch::new("keys").expect("a folder");
    let authority = Authority::new("keys").expect("an authority");
    let ca = write(&scratch, "ca", authority.pem());
    let client = authority.issue(&Wish::new("tidegate")).expect("signed");
    let client = client.write(&scratch, "client").expect("files");
    let identity = authority.issue(&Wish::new("kmip")).expect("signed");
    let peer = KmipPeer::start(&identity, authority.pem()).expect("a peer");
    peer.put("49a1ca88-6bea", &new_key(32).expect("a key"));
    let settings = format!(
        "key_manager=kmip\nkmip.host=127.0.0.1\nkmip.port={}\nkmip.ca={ca}\nkmip.cert={}\n\
         kmip.key={}\nadmin_jwt_key=49a1ca88-6bea\n",
        peer.address().port(),
        shown(&client.cert),
        shown(&client.key),
    );
    outlives_restarts(&settings, &scratch);
    assert_eq!(peer.accepted(), 2, "read once at each start");
    let other = settings.replace("jwt_key=49a1ca88", "jwt_key=50a1ca88");
    expect_refusal(&other, &scratch, &["there is no key '50a1ca88-6bea'"]);
    peer.set(Mood::Garbled);
    expect_refusal(&settings, &scratch, &["this is not KMIP"]);
}

fn patch(tidegate: &Tidegate, parameters: &str) -> (u16, String) {
    let body = format!(r#"{{"data":{{"attributes":{{"parameters":{parameters}}}}}}}"#);
    let answer = tidegate
        .rest()
        .patch("/v1/maxscale", &body)
        .expect("an answer");
    (answer.status, answer.text())
}

#[test]
fn a_key_manager_is_switched_on_while_the_process_runs() {
    let scratch = Scratch::new("keys").expect("a folder");
    let path = write(&scratch, "keys", "nonsense\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("readable");
    let builder = Tidegate::builder(BARE).scratch(&scratch);
    let tidegate = builder.start().expect("a start");
    let manager = || {
        let shown = document(&tidegate, "/v1/maxscale");
        let manager = &shown["data"]["attributes"]["parameters"]["key_manager"];
        manager.as_str().expect("a word").to_owned()
    };
    let on = format!(r#"{{"key_manager":"file","file":{{"keyfile":"{path}"}}}}"#);

    let (status, text) = patch(&tidegate, &on);
    assert!(status == 400 && text.contains("line 1"), "{text}");
    let (status, text) = patch(&tidegate, r#"{"key_manager":"file"}"#);
    assert!(status == 400 && text.contains("file.keyfile"), "{text}");
    let (status, text) = patch(&tidegate, r#"{"key_manager":"volt","threads":2}"#);
    assert!(status == 400 && text.contains("volt"), "{text}");
    assert_eq!(manager(), "none");

    write(
        &scratch,
        "keys",
        &format!("1;{}\n", new_key(32).expect("a key")),
    );
    assert_eq!(patch(&tidegate, &on), (204, String::new()));
    assert_eq!(manager(), "file");
    let (status, text) = patch(&tidegate, r#"{"key_manager":"none"}"#);
    assert!(
        status == 400 && text.contains("cannot be switched off"),
        "{text}"
    );
    let shown = document(&tidegate, "/v1/maxscale");
    let keyfile = &shown["data"]["attributes"]["parameters"]["file"]["keyfile"];
    assert_eq!(keyfile.as_str(), Some(path.as_str()));

    // Whatever is altered, the file is read again.
    write(&scratch, "keys", "1;00\n");
    let (status, text) = patch(&tidegate, r#"{"threads":1}"#);
    assert!(
        status == 400 && text.contains("2 hexadecimal digits"),
        "{text}"
    );
}
