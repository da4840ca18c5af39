//! Attacks by those who have no account, and by those who have one: memory stays bounded, others
//! go on being served, and the log stays readable.

mod bombs;
mod siege;

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{
    CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_SSL, Login, PacketStream, RawClient, Reply,
};
use tidegate_testkit::{Count, PATIENCE};

use crate::house::{connect, group, value};
use crate::protocol::change_user;
use siege::{besiege, plan, start};

const COM_STMT_CLOSE: u8 = 0x19;

/// A connection whose greeting has been read.
fn greeted(address: SocketAddr) -> PacketStream {
    let stream = TcpStream::connect(address).expect("a connection");
    let mut packets = PacketStream::new(stream, PATIENCE).expect("a connection");
    packets.read().expect("a greeting");
    packets
}

/// Waits until the peer has closed, whatever it says before.
fn refused(packets: &mut PacketStream) {
    // A connection that was reset has been closed too.
    let _ = packets.read_to_end();
}

fn guess(user: &str, password: &str) -> Login {
    Login::new(&Account {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

#[test]
fn a_flood_of_wrong_logins() {
    let tidegate = start(&plan());
    let app = &group().accounts().app.user;
    besiege(&tidegate, 2_000, |round| {
        let user = match round % 3 {
            0 => format!("unknown{round}"),
            _ => app.clone(),
        };
        let password = if round % 5 == 0 { "" } else { "a guess" };
        let login = guess(&user, password);
        let refusal = RawClient::connect(tidegate.address("rw"), &login);
        let refusal = format!("{:#}", refusal.expect_err("a refusal"));
        assert!(refusal.contains("1045"), "{refusal}");
    });
}

#[test]
fn connections_that_come_and_say_nothing() {
    let tidegate = start(&plan());
    besiege(&tidegate, 2_000, |round| {
        let mut stream = TcpStream::connect(tidegate.address("rw")).expect("a connection");
        match round % 3 {
            0 => drop(stream),
            1 => {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a greeting");
            }
            _ => {
                let mut packets = greeted(tidegate.address("rw"));
                packets.write_bytes(b"\x40\0\0\x01").expect("sent");
                packets.shutdown(std::net::Shutdown::Write);
                refused(&mut packets);
            }
        }
    });
}

/// Half-open ones wait beside; the slow ones are let in when they are done.
#[test]
fn logins_that_come_byte_by_byte() {
    let tidegate = start(&plan());
    let half_open: Vec<PacketStream> = (0..400).map(|_| greeted(tidegate.address("rw"))).collect();
    let caps = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION;
    let mut response = caps.to_le_bytes().to_vec();
    response.extend_from_slice(&[0, 0, 0, 1, 45]);
    response.extend_from_slice(&[0; 23]);
    response.extend_from_slice(b"nobody\0\0");
    let length = u8::try_from(response.len()).expect("a small packet");
    let packet = [&[length, 0, 0, 1], &response[..]].concat();
    besiege(&tidegate, 200, |_| {
        let mut packets = greeted(tidegate.address("rw"));
        for byte in packet.chunks(1) {
            packets.write_bytes(byte).expect("sent");
        }
        let mut answer = [0; 5];
        let mut stream = packets.stream();
        stream.read_exact(&mut answer).expect("an answer");
        // A request to switch the plugin, or the refusal.
        assert!(matches!(answer[4], 0xFE | 0xFF), "{answer:?}");
    });
    drop(half_open);
}

#[test]
fn packets_that_are_too_long() {
    let tidegate = start(&plan());
    let sixteen_mebibytes = b"\xFF\xFF\xFF\0";
    let filler = vec![b'x'; 1 << 20];
    besiege(&tidegate, 60, |round| {
        if round % 2 == 0 {
            let mut packets = greeted(tidegate.address("rw"));
            // It is refused at its first bytes, so that not all of it may be taken.
            let _ = packets.write_bytes(sixteen_mebibytes);
            let _ = packets.write_bytes(&filler);
            refused(&mut packets);
            return;
        }
        // Begun with an account, and never ended.
        let mut client = connect(&tidegate, "rw");
        let packets = client.packets();
        packets.write_bytes(sixteen_mebibytes).expect("sent");
        packets.write_bytes(b"\x03SELECT '").expect("sent");
        for _ in 0..15 {
            packets.write_bytes(&filler).expect("sent");
        }
        packets.shutdown(std::net::Shutdown::Both);
    });
}

/// The text of a preparation is kept while it comes, for later connections. It is kept once.
#[test]
fn preparations_that_never_end() {
    let tidegate = start(&plan());
    let filler = vec![b'x'; 1 << 20];
    let begun = Mutex::new(Vec::new());
    besiege(&tidegate, 60, |round| {
        let mut client = connect(&tidegate, "rw");
        if round > 0 {
            assert_eq!(value(&mut client, "SELECT 1"), "1");
            return;
        }
        let packets = client.packets();
        packets
            .write_bytes(b"\xFF\xFF\xFF\0\x16SELECT '")
            .expect("sent");
        for _ in 0..15 {
            packets.write_bytes(&filler).expect("sent");
        }
        begun.lock().expect("no panic").push(client);
    });
}

#[test]
fn tls_that_is_none() {
    let tidegate = start(&plan().more(
        "[Secure-Listener]\ntype=listener\nservice=RW-Split-Router\naddress=127.0.0.1\n\
         port=<port:secure>\nssl=true\n",
    ));
    let caps = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_SSL;
    let mut request = caps.to_le_bytes().to_vec();
    request.extend_from_slice(&[0, 0, 0, 1, 45]);
    request.extend_from_slice(&[0; 23]);
    let hello = b"\x16\x03\x01\x40\x00\x01\x00\x3F\xFC\x03\x03";
    besiege(&tidegate, 500, |round| {
        let mut packets = greeted(tidegate.address("secure"));
        packets.write(&request).expect("sent");
        let nonsense: &[u8] = match round % 5 {
            0 => b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
            1 => &[0xFF; 4096],
            // A record that is longer than any may be, and never whole.
            2 => b"\x16\x03\x03\xFF\xFF\x01",
            3 => hello,
            // An alert in place of a beginning.
            _ => b"\x15\x03\x03\x00\x02\x02\x28",
        };
        packets.write_bytes(nonsense).expect("sent");
        packets.shutdown(std::net::Shutdown::Write);
        refused(&mut packets);
    });
}

#[test]
fn headers_of_proxies_that_nobody_knows() {
    let tidegate = start(&plan().more(
        "[Trusting-Listener]\ntype=listener\nservice=RW-Split-Router\naddress=127.0.0.1\n\
         port=<port:trusting>\nproxy_protocol_networks=127.0.0.1\n",
    ));
    let version2 = b"\r\n\r\n\0\r\nQUIT\n";
    besiege(&tidegate, 500, |round| {
        let (port, header): (&str, Vec<u8>) = match round % 5 {
            0 => ("rw", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec()),
            1 => (
                "trusting",
                b"PROXY TCP4 not-an-address 192.0.2.2 1 2\r\n".to_vec(),
            ),
            // A line without an end.
            2 => (
                "trusting",
                [b"PROXY TCP4 ".to_vec(), vec![b'1'; 8000]].concat(),
            ),
            // Sixty-four kibibytes of extensions that never come.
            3 => ("trusting", [version2, &b"\x21\x11\xFF\xFF"[..]].concat()),
            _ => ("trusting", [version2, &b"\x3F\xFF\0\0"[..]].concat()),
        };
        let stream = TcpStream::connect(tidegate.address(port)).expect("a connection");
        let mut packets = PacketStream::new(stream, PATIENCE).expect("a connection");
        // It may have been refused before its end.
        let _ = packets.write_bytes(&header);
        packets.shutdown(std::net::Shutdown::Write);
        refused(&mut packets);
    });
}

#[test]
fn a_thousand_changes_of_user() {
    let other = group().create_account("restless", "SELECT ON test.*");
    let other = other.expect("an account");
    let tidegate = start(&plan());
    let users = [&group().accounts().app, &other];
    besiege(&tidegate, 10, |_| {
        let mut client = connect(&tidegate, "rw");
        for number in 0..100 {
            let account = users[number % 2];
            change_user(&mut client, &account.user, &account.password);
            let replies = client.replies().expect("a reply");
            assert!(matches!(replies[0], Reply::Ok { .. }), "{replies:?}");
        }
        for _ in 0..3 {
            change_user(&mut client, &other.user, "a guess");
            let replies = client.replies().expect("a reply");
            assert_eq!(replies[0].error_code(), Some(1045), "{replies:?}");
        }
    });
}

#[test]
fn millions_of_prepared_statements() {
    let total = Count::of("TIDEGATE_PREPARES", 20_000).total();
    let tidegate = start(&plan());
    let a_round = 500;
    besiege(&tidegate, total / a_round, |round| {
        let mut client = connect(&tidegate, "rw");
        for number in 0..a_round {
            let sql = format!("SELECT ?, {number}");
            let id = client.prepare(&sql).expect("a statement");
            // Some close what they have prepared.
            if round % 2 == 0 {
                let close = [&[COM_STMT_CLOSE], &id.to_le_bytes()[..]].concat();
                client.send(&close).expect("sent");
            }
        }
    });
}
