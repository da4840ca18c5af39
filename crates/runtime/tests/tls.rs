//! A client that asks for TLS gets it, in the middle of its login.

mod house;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use house::{House, PASSWORD, Plan, USER, healthy};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha1::Digest as _;
use tidegate_runtime::{Endpoint, ListenerSpec};
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::raw::{
    CLIENT_LONG_PASSWORD, CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION,
    CLIENT_SSL, RawClient, ScriptedServer, native_password,
};
use tidegate_testkit::{PATIENCE, wait_until};
use tidegate_tls::{ListenerTls, SelfMade, TlsSettings};

/// A listener's TLS, and what a client needs that knows its authority.
fn configs() -> (Arc<ListenerTls>, Arc<ClientConfig>) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Test CA").unwrap();
    let identity = authority
        .issue(&Wish::new("proxy.test").hosts(&["proxy.test"]))
        .unwrap();
    let files = identity.write_to(folder.path(), "proxy").unwrap();
    let settings = TlsSettings {
        key: Some(files.key),
        cert: Some(files.cert),
        ..TlsSettings::default()
    };
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
        .unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (
        Arc::new(
            ListenerTls::build(&settings, &SelfMade::default())
                .unwrap()
                .0,
        ),
        Arc::new(client),
    )
}

fn read_packet(stream: &mut impl Read) -> Vec<u8> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let mut payload = vec![0; usize::from(header[0]) | usize::from(header[1]) << 8];
    stream.read_exact(&mut payload).unwrap();
    payload
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(bytes).into()
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    [&[payload.len() as u8, 0, 0, sequence], payload].concat()
}

fn fixed_part() -> Vec<u8> {
    let bits = CLIENT_LONG_PASSWORD
        | CLIENT_PROTOCOL_41
        | CLIENT_SECURE_CONNECTION
        | CLIENT_PLUGIN_AUTH
        | CLIENT_SSL;
    let mut bytes = bits.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(1u32 << 24).to_le_bytes());
    bytes.push(45);
    bytes.extend_from_slice(&[0; 23]);
    bytes
}

/// The scramble of a greeting.
fn scramble(greeting: &[u8]) -> Vec<u8> {
    let after_version = 1 + greeting[1..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let mut scramble = greeting[after_version + 4..after_version + 12].to_vec();
    scramble.extend_from_slice(&greeting[after_version + 31..after_version + 43]);
    scramble
}

/// The handshake response of the one user there is.
fn response(scramble: &[u8]) -> Vec<u8> {
    let mut response = fixed_part();
    response.extend_from_slice(USER.as_bytes());
    response.extend_from_slice(&[0, 20]);
    response.extend_from_slice(&native_password(PASSWORD, scramble));
    response.extend_from_slice(b"mysql_native_password\0");
    response
}

/// A house with a listener that wants TLS.
struct Secure {
    house: House,
    address: SocketAddr,
    listener: Arc<ListenerTls>,
    client: Arc<ClientConfig>,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Secure {
    fn new(server: &ScriptedServer) -> Secure {
        let house = House::new(Plan::new(&[server]));
        let (listener, client) = configs();
        let Endpoint::Tcp(address) = house
            .runtime
            .add_listener(&ListenerSpec {
                name: Arc::from("Secure"),
                endpoint: Endpoint::Tcp("127.0.0.1:0".parse().unwrap()),
                service: Arc::clone(&house.service),
                tls: Some(Arc::clone(&listener)),
                tellers: Arc::default(),
                plugin: tidegate_wire::auth::NATIVE,
                compression: tidegate_wire::compress::CompressionOffer::NONE,
                terms: Arc::default(),
                started: true,
            })
            .unwrap()
        else {
            panic!("a TCP listener");
        };
        Secure {
            house,
            address,
            listener,
            client,
        }
    }

    /// A connection that has asked for TLS, and the greeting's scramble.
    fn ask(&self) -> (TcpStream, Vec<u8>) {
        let mut plain = TcpStream::connect(self.address).unwrap();
        plain.set_read_timeout(Some(PATIENCE)).unwrap();
        let scramble = scramble(&read_packet(&mut plain));
        plain.write_all(&packet(1, &fixed_part())).unwrap();
        (plain, scramble)
    }

    /// A client that has logged in, the payload of the OK, and the scramble.
    fn log_in(&self) -> (Stream, Vec<u8>, Vec<u8>) {
        let (plain, scramble) = self.ask();
        let name = ServerName::try_from("proxy.test").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        let mut stream = StreamOwned::new(connection, plain);
        stream.write_all(&packet(2, &response(&scramble))).unwrap();
        let ok = read_packet(&mut stream);
        (stream, ok, scramble)
    }

    fn handshakes(&self) -> [u64; 3] {
        let counters = self.house.runtime.counters();
        [
            counters.sum(|shard| &shard.tls_handshakes),
            counters.sum(|shard| &shard.tls_resumed),
            counters.sum(|shard| &shard.tls_failures),
        ]
    }
}

fn query(stream: &mut Stream, text: &str) {
    let statement = [b"\x03", text.as_bytes()].concat();
    stream.write_all(&packet(0, &statement)).unwrap();
}

/// The one value of a result.
fn value(stream: &mut Stream, text: &str) -> String {
    query(stream, text);
    let packets: Vec<_> = (0..5).map(|_| read_packet(stream)).collect();
    String::from_utf8(packets[3][1..].to_vec()).unwrap()
}

fn count_rows(stream: &mut Stream) -> usize {
    std::iter::from_fn(|| Some(read_packet(stream)))
        .skip(3)
        .take_while(|packet| packet[0] != 0xFE)
        .count()
}

#[test]
fn login_and_statements_over_tls() {
    let server = healthy();
    let secure = Secure::new(&server);
    let (mut stream, ok, _) = secure.log_in();
    assert_eq!(ok[0], 0, "OK");
    for n in 0..20 {
        assert_eq!(value(&mut stream, &format!("SELECT {n}")), n.to_string());
    }
    query(&mut stream, "ROWS 3000 1000");
    assert_eq!(count_rows(&mut stream), 3000);
}

#[test]
fn a_client_can_verify_the_certificate_by_its_password() {
    let server = healthy();
    let secure = Secure::new(&server);
    let (_stream, ok, scramble) = secure.log_in();
    let stored = sha1(&sha1(PASSWORD.as_bytes()));
    let text = [&stored, &scramble[..], secure.listener.fingerprint()].concat();
    // A fingerprint is the SHA-256 of anything.
    let proof = tidegate_tls::fingerprint(&text);
    let digits: String = proof.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = format!("\x01{digits}");
    assert!(ok.ends_with(expected.as_bytes()), "{ok:?}");
}

#[test]
fn handshakes_resume_and_are_counted() {
    let server = healthy();
    let secure = Secure::new(&server);
    for _ in 0..4 {
        let (mut stream, ..) = secure.log_in();
        assert_eq!(value(&mut stream, "SELECT 7"), "7");
    }
    assert_eq!(secure.handshakes(), [4, 3, 0]);
}

#[test]
fn what_is_not_tls_ends_one_session_alone() {
    let server = healthy();
    let secure = Secure::new(&server);
    let (mut good, ..) = secure.log_in();
    let hello = [0x16, 3, 1, 0xff, 0xff, 1, 0, 0, 0];
    let endless = [
        &[0x16, 3, 3, 0x40, 0][..],
        &[1, 0xff, 0xff, 0xff],
        &[0; 20_000],
    ]
    .concat();
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x20\0\0\x02\x85\xa6\xff\x01",
        &hello,
        &[0xff; 5000],
        &endless,
    ];
    for (count, bytes) in garbage.into_iter().enumerate() {
        let (mut plain, _) = secure.ask();
        // It may be told that it is wrong before it has said everything.
        let _ = plain.write_all(bytes);
        let _ = plain.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer[0] == 21,
            "an alert at most: {answer:?}"
        );
        assert_eq!(
            value(&mut good, &format!("SELECT {count}")),
            count.to_string()
        );
    }
    let log = secure.house.log();
    assert!(
        log.contains("the client sent something that is not TLS"),
        "{log}"
    );
}

#[test]
fn a_client_that_goes_on_in_the_clear_is_told_that_tls_is_required() {
    let server = healthy();
    let secure = Secure::new(&server);
    let login = house::login();
    let error = RawClient::connect(secure.address, &login).unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("1045") && text.contains("must use TLS"),
        "{text}"
    );
}

#[test]
fn a_slow_client_with_tls_does_not_fill_the_memory() {
    let server = healthy();
    let secure = Secure::new(&server);
    let (mut stream, ..) = secure.log_in();
    query(&mut stream, "ROWS 40000 1000");
    let held = || {
        let view = secure.house.sessions().remove(0);
        view.memory.client.read + view.memory.client.write + view.memory.backends[0].1.read
    };
    wait_until("a full queue", || held() > 64 * 1024).unwrap();
    assert!(held() < 1024 * 1024, "{}", held());
    assert_eq!(count_rows(&mut stream), 40_000);
    wait_until("an empty queue", || held() == 0).unwrap();
    assert_eq!(value(&mut stream, "SELECT 1"), "1");
}

#[test]
fn a_login_in_the_clear_right_behind_the_request_for_tls_is_not_heard() {
    let server = healthy();
    let secure = Secure::new(&server);
    let mut plain = TcpStream::connect(secure.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    let scramble = scramble(&read_packet(&mut plain));
    let hurried = [packet(1, &fixed_part()), packet(2, &response(&scramble))].concat();
    plain.write_all(&hurried).unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
    let log = secure.house.log();
    assert!(!log.contains("client logged in"), "{log}");
    assert_eq!(secure.handshakes(), [0, 0, 1]);
}
