//! Sessions that log in with the service's account and turn into their clients there
//! (`use_service_credentials`), before scripted servers that take themselves for a MariaDB 12.

mod house;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use house::{House, OneAccount, PASSWORD, Plan, USER, login};
use tidegate_session::question::ServiceLogin;
use tidegate_session::world::{PoolRules, ServerView};
use tidegate_testkit::raw::{Peer, RawClient, ScriptedServer, native_password};
use tidegate_testkit::wait_until;
use tidegate_wire::SecretBytes;
use tidegate_wire::auth::Secret;

const SERVICE: &str = "svc";
const TURN: &str = "SET SESSION AUTHORIZATION `app`@`127.0.0.1`";

/// What a server was told on all its connections.
type Told = Arc<Mutex<Vec<String>>>;

/// What it answers to the statement that turns a connection: `true` is OK.
type Turns = Arc<Mutex<bool>>;

fn name_at(payload: &[u8], at: usize) -> String {
    let rest = &payload[at..];
    let end = rest.iter().position(|byte| *byte == 0).expect("a NUL");
    String::from_utf8_lossy(&rest[..end]).into_owned()
}

fn serve(peer: &mut Peer, told: &Told, turns: &Turns) -> anyhow::Result<()> {
    let note = |what: String| told.lock().unwrap().push(what);
    peer.greet()?;
    let response = peer.packets.read()?;
    note(format!("login {}", name_at(&response, 32)));
    peer.ok()?;
    loop {
        let command = peer.command()?;
        let text = String::from_utf8_lossy(&command[1..]).into_owned();
        match command[0] {
            1 => return Ok(()),
            2 => note(format!("USE {text}")),
            3 => note(text.clone()),
            17 => note(format!("change {}", name_at(&command, 1))),
            31 => note("reset".to_owned()),
            _ => {}
        }
        if command[0] == 3 && text == TURN && !*turns.lock().unwrap() {
            peer.err(1045, "28000", "Access denied trying to change to user")?;
        } else if let (3, Some(value)) = (command[0], text.strip_prefix("SELECT ")) {
            peer.rows("value", &[value])?;
        } else {
            peer.ok()?;
        }
    }
}

/// A house before one such server.
struct Stage {
    house: House,
    told: Told,
    turns: Turns,
    _server: ScriptedServer,
}

impl Stage {
    fn new(change: impl FnOnce(&mut ServerView)) -> Self {
        let (told, turns) = (Told::default(), Arc::new(Mutex::new(true)));
        let (log, will) = (Arc::clone(&told), Arc::clone(&turns));
        let server = ScriptedServer::start(move |peer| serve(peer, &log, &will)).unwrap();
        let service = ServiceLogin {
            user: SERVICE.into(),
            secret: Secret::of_password(SecretBytes::new(b"the service's password")),
            becomes: Arc::from("`app`@`127.0.0.1`"),
        };
        let house = House::new(Plan {
            workers: 1,
            most_workers: 1,
            answers: OneAccount {
                later: None,
                as_service: Some(Arc::new(service)),
            },
            ..Plan::new(&[&server])
        });
        house.look_again(|views| {
            views[0].version = 12_00_02;
            views[0].as_service = true;
            change(&mut views[0]);
        });
        Self {
            house,
            told,
            turns,
            _server: server,
        }
    }

    fn connect(&self) -> RawClient {
        RawClient::connect(self.house.address(), &login().database("shop")).unwrap()
    }

    /// What was told so far, without the proxy's own settings.
    fn told(&self) -> Vec<String> {
        let mut told = std::mem::take(&mut *self.told.lock().unwrap());
        told.retain(|line| !line.starts_with("SET session_track"));
        told
    }
}

fn ask(client: &mut RawClient, value: &str) {
    let reply = client.query(&format!("SELECT {value}")).unwrap();
    assert_eq!(reply.text_value().unwrap(), value);
}

/// COM_CHANGE_USER to the same user and database, and the first byte of its answer.
fn change_user(client: &mut RawClient) -> u8 {
    let mut packet = vec![17];
    packet.extend_from_slice(USER.as_bytes());
    packet.extend_from_slice(b"\0\0shop\0\x2d\0mysql_native_password\0");
    client.send(&packet).unwrap();
    let switch = client.packets().read().unwrap();
    assert_eq!(switch[0], 0xFE);
    let scramble = &switch[b"\xFEmysql_native_password\0".len()..][..20];
    let proof = native_password(PASSWORD, scramble);
    client.packets().write(&proof).unwrap();
    client.packets().read().unwrap()[0]
}

#[test]
fn a_session_logs_in_as_the_service_and_turns_into_its_client() {
    let stage = Stage::new(|_| {});
    let mut client = stage.connect();
    ask(&mut client, "1");
    assert_eq!(stage.told(), ["login svc", TURN, "USE shop", "SELECT 1"]);
}

#[test]
fn an_older_server_and_one_that_reads_proxy_headers_are_logged_in_to_as_ever() {
    let stage = Stage::new(|view| view.version = 11_08_02);
    ask(&mut stage.connect(), "1");
    assert_eq!(stage.told(), ["login app", "SELECT 1"]);
    let stage = Stage::new(|view| view.as_service = false);
    ask(&mut stage.connect(), "1");
    assert_eq!(stage.told(), ["login app", "SELECT 1"]);
}

#[test]
fn a_connection_that_does_not_turn_is_not_used() {
    let stage = Stage::new(|_| {});
    *stage.turns.lock().unwrap() = false;
    let error = RawClient::connect(stage.house.address(), &login())
        .and_then(|mut client| client.query("SELECT 1"))
        .map(|reply| reply.error_code());
    // The login is over before any server is asked; whichever comes first tells the client.
    if let Ok(code) = error {
        assert_eq!(code, Some(1045));
    }
    wait_until("the session's end", || stage.house.sessions().is_empty()).unwrap();
    assert!(!stage.told().contains(&"SELECT 1".to_owned()));
    let log = stage.house.log();
    assert!(
        log.contains("refused the login: Access denied trying"),
        "{log}"
    );
}

#[test]
fn a_change_of_user_is_over_when_the_connection_has_turned() {
    let stage = Stage::new(|_| {});
    let mut client = stage.connect();
    ask(&mut client, "1");
    stage.told();
    assert_eq!(change_user(&mut client), 0);
    assert_eq!(stage.told(), ["change svc", TURN, "USE shop"]);
    ask(&mut client, "2");
    *stage.turns.lock().unwrap() = false;
    assert_eq!(change_user(&mut client), 0xFF, "the server has refused");
    wait_until("the session's end", || stage.house.sessions().is_empty()).unwrap();
}

#[test]
fn a_reset_connection_turns_again() {
    let stage = Stage::new(|_| {});
    let mut client = stage.connect();
    ask(&mut client, "1");
    stage.told();
    client.send(&[31]).unwrap();
    assert_eq!(client.packets().read().unwrap()[0], 0);
    ask(&mut client, "2");
    assert_eq!(stage.told(), ["reset", TURN, "USE shop", "SELECT 2"]);
}

#[test]
fn a_connection_of_the_pool_is_the_services_again_before_it_turns() {
    let stage = Stage::new(|view| {
        view.pool = Some(PoolRules {
            most: 10,
            max_age: Duration::from_secs(3600),
        });
    });
    let mut told = Vec::new();
    // A session that comes before the connection is reset opens one of its own.
    wait_until("a connection of the pool", || {
        let mut client = stage.connect();
        ask(&mut client, "1");
        client.quit().unwrap();
        told.extend(stage.told());
        told.contains(&"change svc".to_owned())
    })
    .unwrap();
    let taken = told.iter().position(|line| line == "change svc").unwrap();
    let turned = &told[taken..taken + 4];
    assert_eq!(turned, ["change svc", TURN, "USE shop", "SELECT 1"]);
}
