//! The client against what is no proper server.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tidegate_sqlclient::{Address, Client, ConnectOptions, Credentials, Error, Timeouts};
use tidegate_testkit::raw::{Peer, ScriptedServer};

const SHORT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

fn options(listener: &TcpListener, timeout: Duration) -> ConnectOptions {
    let port = listener.local_addr().expect("bound").port();
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    };
    ConnectOptions::new(address, Credentials::new("u", "p"), Timeouts::all(timeout))
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let listener = listener();
    let options = options(&listener, PATIENCE);
    drop(listener);
    let error = Client::connect(&options).await.expect_err("refused");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_socket_refuses() {
    let address = Address::Unix("/nonexistent/socket".into());
    let options = ConnectOptions::new(address, Credentials::new("u", ""), Timeouts::all(PATIENCE));
    let error = Client::connect(&options).await.expect_err("refused");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = listener();
    let error = Client::connect(&options(&listener, SHORT))
        .await
        .expect_err("a time-out");
    assert!(error.is_timeout(), "{error}");
}

/// Lets one client in, writes `bytes` and hangs up.
async fn meets(bytes: &'static [u8]) -> Error {
    let listener = listener();
    let options = options(&listener, PATIENCE);
    let server = thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().expect("a client");
        stream.write_all(bytes).expect("written");
    });
    let error = Client::connect(&options).await.expect_err("no login");
    server.join().expect("the server's thread");
    error
}

#[tokio::test]
async fn nonsense_is_an_error() {
    let error = meets(b"").await;
    assert!(matches!(error, Error::Io(_)), "{error}");
    let error = meets(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert!(matches!(error, Error::NotAServer), "{error}");
    let error = meets(b"\x03\x00\x00\x00abc").await;
    assert!(matches!(error, Error::Login(_)), "{error}");
    let error = meets(b"\x09\x00\x00\x00\xff\x10\x04Too ma").await;
    assert!(error.is_too_many_connections(), "{error}");
}

/// Logs in to a server that answers each command with `bytes`, and runs one statement.
async fn asks(bytes: &'static [u8]) -> Error {
    let server = ScriptedServer::start(move |peer: &mut Peer| {
        peer.login()?;
        peer.command()?;
        peer.packets.write_bytes(bytes)?;
        peer.packets.read_to_end().map(drop)
    })
    .expect("a server");
    let address = Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: server.address().port(),
    };
    let mut timeouts = Timeouts::all(PATIENCE);
    timeouts.read = SHORT;
    let mut options = ConnectOptions::new(address, Credentials::new("u", "p"), timeouts);
    options.reply_limit = 1000;
    let mut client = Client::connect(&options).await.expect("logged in");
    let error = client.query("SELECT 1").await.expect_err("no result");
    let again = client.query("SELECT 1").await.expect_err("unusable");
    assert!(matches!(again, Error::Unusable), "{again}");
    error
}

#[tokio::test]
async fn replies_that_make_no_sense_are_errors() {
    let out_of_order = asks(b"\x07\0\0\x02\0\0\0\x02\0\0\0").await;
    assert!(matches!(out_of_order, Error::Wire(_)), "{out_of_order}");
    let empty = asks(b"\0\0\0\x01").await;
    assert!(matches!(empty, Error::Unexpected { .. }), "{empty}");
    let infile = asks(b"\x05\0\0\x01\xfb/etc").await;
    assert!(
        matches!(infile, Error::Unexpected { first: 0xfb, .. }),
        "{infile}"
    );
    let many_columns = asks(b"\x09\0\0\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff").await;
    assert!(many_columns.is_timeout(), "{many_columns}");
    let huge = asks(b"\xff\xff\xff\x01").await;
    assert!(matches!(huge, Error::TooLarge { limit: 1000 }), "{huge}");
    let silent = asks(b"").await;
    assert!(silent.is_timeout(), "{silent}");
}
