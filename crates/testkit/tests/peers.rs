//! The scripted peers against a real server, against each other, and through the relay.

use anyhow::Result;
use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply, ScriptedServer};
use tidegate_testkit::{Account, Direction, Fault, Relay, ServerGroup, wait_until};

fn anybody() -> Login {
    Login::new(&Account {
        user: "anybody".to_owned(),
        password: "x".to_owned(),
    })
}

/// Answers every statement with one row.
fn polite() -> ScriptedServer {
    ScriptedServer::start(|peer| {
        peer.login()?;
        while peer.command()?.first() == Some(&3) {
            peer.rows("answer", &["42"])?;
        }
        Ok(())
    })
    .expect("a scripted server")
}

#[test]
fn the_client_speaks_with_a_real_server() {
    let group = ServerGroup::start(0).expect("a server");
    let server = group.primary();
    let login = Login::new(&group.accounts().app)
        .database("test")
        .capabilities(CLIENT_MULTI_STATEMENTS)
        .attribute("program_name", "peers");
    let mut client = RawClient::connect(server.address(), &login).expect("logged in");
    let id = client.query("SELECT CONNECTION_ID()").expect("a row");
    assert_eq!(
        id.text_value().expect("an id"),
        client.connection_id().to_string()
    );
    assert!(client.server_version().contains("MariaDB"));
    let error = client
        .query("SELECT nothing FROM nowhere")
        .expect("an answer");
    assert_eq!(error.error_code(), Some(1146));
    client
        .send_query("SELECT 1; DO 2; SELECT NULL, 'x'")
        .expect("sent");
    let replies = client.replies().expect("three results");
    assert_eq!(replies[0].text_value().expect("a row"), "1");
    assert!(matches!(replies[1], Reply::Ok { .. }));
    assert_eq!(
        replies[2].text_rows().expect("rows"),
        [[None, Some("x".to_owned())]]
    );
    let id = client.prepare("SELECT CONCAT(?, 'b')").expect("prepared");
    let Reply::Rows { rows, .. } = client.execute(id, &["a"]).expect("executed") else {
        panic!("no rows");
    };
    assert_eq!(rows, [b"\0\0\x02ab".to_vec()]);
    client.quit().expect("closed");
}

#[test]
fn an_account_made_on_the_primary_logs_in_to_the_replica() {
    let group = ServerGroup::start(1).expect("a group");
    let account = group.create_account("visitor", "SELECT ON test.*");
    let login = Login::new(&account.expect("an account")).database("test");
    let mut client = RawClient::connect(group.replicas()[0].address(), &login).expect("logged in");
    let user = client.query("SELECT CURRENT_USER()").expect("a row");
    assert_eq!(user.text_value().expect("a user"), "visitor@%");
}

#[test]
fn a_wrong_password_is_refused() {
    let group = ServerGroup::start(0).expect("a server");
    let mut account = group.accounts().app.clone();
    account.password.push('x');
    let refusal = RawClient::connect(group.primary().address(), &Login::new(&account));
    let text = format!("{:#}", refusal.expect_err("refused"));
    assert!(text.contains("1045"), "{text}");
}

#[test]
fn a_script_answers_and_complains() {
    let server = ScriptedServer::start(|peer| {
        peer.login()?;
        peer.command()?;
        peer.err(1064, "42000", "no")?;
        anyhow::bail!("enough")
    })
    .expect("a scripted server");
    let mut client = RawClient::connect(server.address(), &anybody()).expect("logged in");
    assert_eq!(
        client.query("SELECT 1").expect("an answer").error_code(),
        Some(1064)
    );
    assert!(client.packets().read_to_end().expect("closed").is_empty());
    wait_until("the complaint", || {
        server.complaints() == ["connection 1: enough"]
    })
    .expect("it");
    assert_eq!(server.accepted(), 1);
}

/// Connects through a relay with a fault on one way and runs a statement.
fn through(direction: Direction, fault: Fault) -> Result<String> {
    let server = polite();
    let relay = Relay::start(server.address())?;
    relay.set_fault(direction, fault);
    let mut client = RawClient::connect(relay.address(), &anybody())?;
    client.query("SELECT 42")?.text_value()
}

#[test]
fn a_relay_without_fault_and_one_in_pieces_change_nothing() {
    for fault in [Fault::None, Fault::Pieces(1)] {
        for direction in [Direction::ToTarget, Direction::ToClient] {
            assert_eq!(
                through(direction, fault).expect("an answer"),
                "42",
                "{fault:?}"
            );
        }
    }
}

#[test]
fn a_relay_cuts_closes_and_spoils() {
    // Byte 120 of what the server sends lies after the login, in the reply to the statement.
    for fault in [
        Fault::CutAfter(120),
        Fault::HalfCloseAfter(120),
        Fault::GarbageAfter(110),
    ] {
        assert!(through(Direction::ToClient, fault).is_err(), "{fault:?}");
    }
    assert!(through(Direction::ToTarget, Fault::CutAfter(20)).is_err());
}

#[test]
fn a_relay_cuts_what_is_open_after_so_many_bytes() {
    let server = polite();
    let relay = Relay::start(server.address()).expect("a relay");
    let mut client = RawClient::connect(relay.address(), &anybody()).expect("logged in");
    client.query("SELECT 42").expect("a row");
    relay.cut_after(20);
    assert!(relay.is_armed());
    let error = client.query("SELECT 42").expect_err("cut amid the reply");
    assert!(format!("{error:#}").contains("packet"), "{error:#}");
    assert!(!relay.is_armed());
    let mut next = RawClient::connect(relay.address(), &anybody()).expect("logged in");
    next.query("SELECT 42").expect("a row");
}

#[test]
fn a_stalled_relay_goes_on_when_released() {
    let server = polite();
    let relay = Relay::start(server.address()).expect("a relay");
    let mut client = RawClient::connect(relay.address(), &anybody()).expect("logged in");
    relay.stall();
    let passed = relay.passed_bytes();
    client.send_query("SELECT 42").expect("sent");
    relay.release();
    assert_eq!(
        client.replies().expect("a reply")[0]
            .text_value()
            .expect("a row"),
        "42"
    );
    assert!(relay.passed_bytes() > passed);
    relay.cut();
    assert!(client.query("SELECT 42").is_err());
}
