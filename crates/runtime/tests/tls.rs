//! A client that asks for TLS gets it, in the middle of its login.

mod house;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use house::{House, PASSWORD, Plan, USER, healthy};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tidegate_runtime::{Endpoint, ListenerSpec};
use tidegate_testkit::PATIENCE;
use tidegate_testkit::pki::{Authority, Wish};
use tidegate_testkit::raw::{
    CLIENT_LONG_PASSWORD, CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION,
    CLIENT_SSL, native_password,
};
use tidegate_tls::{ListenerTls, TlsSettings};

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
        Arc::new(ListenerTls::build(&settings).unwrap().0),
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

#[test]
fn login_and_statements_over_tls() {
    let backend = healthy();
    let house = House::new(Plan::new(&[&backend]));
    let (server, client) = configs();
    let Endpoint::Tcp(address) = house
        .runtime
        .add_listener(&ListenerSpec {
            name: Arc::from("Secure"),
            endpoint: Endpoint::Tcp("127.0.0.1:0".parse().unwrap()),
            service: Arc::clone(&house.service),
            tls: Some(server),
            started: true,
        })
        .unwrap()
    else {
        panic!("a TCP listener");
    };

    let mut plain = TcpStream::connect(address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    let greeting = read_packet(&mut plain);
    let after_version = 1 + greeting[1..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let mut scramble = greeting[after_version + 4..after_version + 12].to_vec();
    scramble.extend_from_slice(&greeting[after_version + 31..after_version + 43]);
    plain.write_all(&packet(1, &fixed_part())).unwrap();

    let connection =
        ClientConnection::new(client, ServerName::try_from("proxy.test").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, plain);
    let mut response = fixed_part();
    response.extend_from_slice(USER.as_bytes());
    response.extend_from_slice(&[0, 20]);
    response.extend_from_slice(&native_password(PASSWORD, &scramble));
    response.extend_from_slice(b"mysql_native_password\0");
    stream.write_all(&packet(2, &response)).unwrap();
    assert_eq!(read_packet(&mut stream)[0], 0, "OK");

    for n in 0..20 {
        stream
            .write_all(&packet(0, format!("\x03SELECT {n}").as_bytes()))
            .unwrap();
        let packets: Vec<_> = (0..5).map(|_| read_packet(&mut stream)).collect();
        assert_eq!(packets[3][1..], *n.to_string().as_bytes());
    }
    stream.write_all(&packet(0, b"\x03ROWS 3000 1000")).unwrap();
    let rows = std::iter::from_fn(|| Some(read_packet(&mut stream)))
        .skip(3)
        .take_while(|packet| packet[0] != 0xFE);
    assert_eq!(rows.count(), 3000);
}
