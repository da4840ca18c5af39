//! Clients and servers that misbehave: each is told, named in the log, and nobody else suffers.

use std::io::Read as _;
use std::net::TcpStream;

use tidegate_testkit::raw::{Login, PacketStream, RawClient, Reply, ScriptedServer};
use tidegate_testkit::{
    Blackhole, Direction, Fault, PATIENCE, Relay, ServerGroup, Tidegate, wait_until,
};

use crate::house::{Plan, connect, group, run, value, wait_document};

fn stream(tidegate: &Tidegate) -> PacketStream {
    let stream = TcpStream::connect(tidegate.address("rw")).expect("a connection");
    PacketStream::new(stream, PATIENCE).expect("a socket")
}

/// Reads until the program closes; a reset is a close too.
fn closed(packets: &mut PacketStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = packets.stream().read_to_end(&mut bytes);
    bytes
}

#[test]
fn garbage_from_a_client_ends_its_connection_alone() {
    let tidegate = Plan::new(group()).start();
    let mut bystander = connect(&tidegate, "rw");
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"[..],
        &[0xFF; 300],
        &[0; 40],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        // A handshake response that ends inside its fixed part.
        b"\x05\x00\x00\x01\x00\x02\x00\x00\x00",
    ] {
        let mut packets = stream(&tidegate);
        packets.write_bytes(garbage).expect("sent");
        packets.shutdown(std::net::Shutdown::Write);
        closed(&mut packets);
        assert_eq!(value(&mut bystander, "SELECT 1"), "1");
    }
    tidegate
        .wait_log("client_protocol")
        .expect("the cause in the log");
}

#[test]
fn a_length_of_a_gibibyte_is_refused_without_the_memory() {
    let tidegate = Plan::new(group()).start();
    let mut bystander = connect(&tidegate, "rw");
    let before = tidegate_testkit::procfs::peak_resident_bytes(tidegate.pid()).expect("memory");
    // Before the login: a header of the longest packet there is, and then its continuations.
    for _ in 0..64 {
        let mut packets = stream(&tidegate);
        packets.read().expect("a greeting");
        packets.write_bytes(b"\xFF\xFF\xFF\x01").expect("sent");
        closed(&mut packets);
    }
    // Inside a handshake response: a proof that says it is a gibibyte long.
    let mut packets = stream(&tidegate);
    packets.read().expect("a greeting");
    let mut hello = 0x0028_A200u32.to_le_bytes().to_vec();
    hello.extend_from_slice(&[0; 4]);
    hello.push(45);
    hello.extend_from_slice(&[0; 23]);
    hello.extend_from_slice(b"app\0\xFE\0\0\0\x40\0\0\0\0");
    packets.write(&hello).expect("sent");
    closed(&mut packets);
    let after = tidegate_testkit::procfs::peak_resident_bytes(tidegate.pid()).expect("memory");
    assert!(after - before < 32 << 20, "{before} to {after} bytes");
    assert_eq!(value(&mut bystander, "SELECT 1"), "1");
}

#[test]
fn half_open_connections_are_closed_after_their_time_and_harm_nobody() {
    let tidegate = Plan::new(group()).globals("log_throttling=0,0,0\n").start();
    let mut bystander = connect(&tidegate, "rw");
    let mut crowd: Vec<PacketStream> = (0..500).map(|_| stream(&tidegate)).collect();
    for packets in &mut crowd {
        packets.read().expect("a greeting");
    }
    // The first bytes of a login that never comes whole.
    crowd[0].write_bytes(b"\x40\x00\x00\x01\x00").expect("sent");
    let mut later = connect(&tidegate, "rw");
    assert_eq!(value(&mut later, "SELECT 1"), "1");
    for packets in &mut crowd {
        closed(packets);
    }
    tidegate
        .wait_log("login_timeout")
        .expect("the cause in the log");
    assert_eq!(value(&mut bystander, "SELECT 1"), "1");
    let threads = crate::house::document(&tidegate, "/v1/sessions");
    assert_eq!(threads["data"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_server_that_closes_amid_a_result_is_named() {
    let relay = Relay::start(group().replicas()[0].address()).expect("a relay");
    let tidegate = Plan::new(group())
        .only(&["primary", "replica1"])
        .at("replica1", relay.address())
        .start();
    let mut bystander = connect(&tidegate, "rw");
    run(&mut bystander, "BEGIN");
    relay.set_fault(Direction::ToClient, Fault::CutAfter(100_000));
    let mut client = connect(&tidegate, "read");
    client
        .send_query("SELECT seq, REPEAT('r', 500) FROM seq_1_to_100000")
        .expect("sent");
    let error = client.count_rows().expect_err("a result cut off");
    relay.set_fault(Direction::ToClient, Fault::None);
    let error = format!("{error:#}");
    assert!(
        !error.contains("amid the rows") || error.contains("server_lost"),
        "{error}"
    );
    tidegate
        .wait_log("server_lost")
        .expect("the cause in the log");
    assert!(tidegate.log().contains("replica1"), "{}", tidegate.log());
    assert_eq!(value(&mut bystander, "SELECT 1"), "1");
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"] == "Slave, Running"
    });
    let mut next = connect(&tidegate, "read");
    assert_eq!(value(&mut next, "SELECT @@server_id"), "2");
}

#[test]
fn packets_cut_anywhere_are_put_together_again() {
    let relay = Relay::start(group().replicas()[0].address()).expect("a relay");
    relay.set_fault(Direction::ToClient, Fault::Pieces(7));
    relay.set_fault(Direction::ToTarget, Fault::Pieces(3));
    let tidegate = Plan::new(group())
        .only(&["primary", "replica1"])
        .at("replica1", relay.address())
        .start();
    let mut client = connect(&tidegate, "read");
    client
        .send_query("SELECT seq, REPEAT('r', 50) FROM seq_1_to_2000")
        .expect("sent");
    assert_eq!(client.count_rows().expect("rows").0, 2000);
    let mut client = connect(&tidegate, "rw");
    run(&mut client, "SET @a = 5");
    for _ in 0..10 {
        assert_eq!(value(&mut client, "SELECT @a"), "5");
    }
}

#[test]
fn a_server_that_speaks_nonsense_is_named() {
    let relay = Relay::start(group().replicas()[0].address()).expect("a relay");
    let tidegate = Plan::new(group())
        .only(&["primary", "replica1"])
        .at("replica1", relay.address())
        .start();
    let mut bystander = connect(&tidegate, "rw");
    run(&mut bystander, "BEGIN");
    relay.set_fault(Direction::ToClient, Fault::GarbageAfter(100_000));
    let mut client = connect(&tidegate, "read");
    client
        .send_query("SELECT seq, REPEAT('r', 500) FROM seq_1_to_100000")
        .expect("sent");
    client
        .count_rows()
        .expect_err("a result that turns to garbage");
    tidegate
        .wait_log("server_protocol")
        .expect("the cause in the log");
    assert!(tidegate.log().contains("replica1"), "{}", tidegate.log());
    assert_eq!(value(&mut bystander, "SELECT 1"), "1");
}

#[test]
fn a_server_that_is_none_is_down_and_says_why() {
    let talker = ScriptedServer::start(|peer| {
        peer.packets
            .write_bytes(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")?;
        peer.packets.read_to_end().map(drop)
    })
    .expect("a scripted server");
    let tidegate = Plan::new(group()).at("replica1", talker.address()).start();
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"] == "Down"
    });
    tidegate
        .wait_log(
            "cannot monitor server 'replica1': \
             what answers there is no MariaDB or MySQL server; check address and port",
        )
        .expect("place and remedy in the log");
    let mut client = connect(&tidegate, "rw");
    assert_eq!(value(&mut client, "SELECT @@server_id"), "3");
}

#[test]
fn without_any_server_clients_are_told_and_later_served() {
    let group = ServerGroup::start(0).expect("a server");
    let tidegate = Plan::new(&group).read("router_options=running\n").start();
    let login = Login::new(&group.accounts().app).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    group.primary().kill().expect("killed");
    wait_document(&tidegate, "/v1/servers/primary", |server| {
        server["data"]["attributes"]["state"] == "Down"
    });
    for port in ["rw", "read"] {
        let error = match RawClient::connect(tidegate.address(port), &login) {
            Ok(mut client) => match client.query("SELECT 1") {
                Ok(Reply::Err { message, .. }) => message,
                other => format!("{other:?}"),
            },
            Err(error) => format!("{error:#}"),
        };
        assert!(error.contains("no_server"), "{port}: {error}");
    }
    assert!(
        client
            .query("SELECT 1")
            .map_or(true, |reply| reply.error_code().is_some())
    );
    tidegate
        .wait_log("no_server")
        .expect("the cause in the log");
    group.primary().restart().expect("up again");
    wait_until("clients to be served again", || {
        RawClient::connect(tidegate.address("rw"), &login)
            .and_then(|mut client| client.query("SELECT 1")?.text_value())
            .is_ok_and(|one| one == "1")
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
}

#[test]
fn servers_that_come_late_are_taken_in() {
    let group = ServerGroup::start(0).expect("a server");
    group.primary().stop().expect("stopped");
    let tidegate = Plan::new(&group).start();
    let login = Login::new(&group.accounts().app).database("test");
    let error = RawClient::connect(tidegate.address("rw"), &login).expect_err("no accounts yet");
    assert!(format!("{error:#}").contains("1045"), "{error:#}");
    tidegate
        .wait_log("account data is not loaded yet")
        .expect("the reason in the log");
    group.primary().restart().expect("up");
    wait_until("clients to be served", || {
        RawClient::connect(tidegate.address("rw"), &login)
            .and_then(|mut client| client.query("SELECT 1")?.text_value())
            .is_ok_and(|one| one == "1")
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
}

#[test]
fn a_silent_server_is_given_up() {
    let group = ServerGroup::start(1).expect("a server group");
    let plan = Plan::new(&group);
    let text = plan.text().replace(
        "monitor_interval=100ms",
        "monitor_interval=100ms\nbackend_connect_timeout=1s\nbackend_read_timeout=1s\n\
         backend_write_timeout=1s",
    );
    let tidegate = Tidegate::start(&text).expect("tidegate");
    let login = Login::new(&group.accounts().app).database("test");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    run(&mut client, "BEGIN");
    group.replicas()[0].pause().expect("frozen");
    assert_eq!(value(&mut client, "SELECT @@server_id"), "1");
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"] == "Down"
    });
    tidegate
        .wait_log("cannot monitor server 'replica1': ")
        .expect("the place in the log");
    let log = tidegate.log();
    let remedies = ["the server hangs", "nobody answers there"];
    assert!(remedies.iter().any(|words| log.contains(words)), "{log}");
    let mut other = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    assert_eq!(value(&mut other, "SELECT @@server_id"), "1");
    run(&mut client, "COMMIT");
    assert_eq!(value(&mut client, "SELECT @@server_id"), "1");
    group.replicas()[0].resume().expect("going on");
    wait_document(&tidegate, "/v1/servers/replica1", |server| {
        server["data"]["attributes"]["state"] == "Slave, Running"
    });
}

#[test]
fn an_address_that_drops_packets_is_given_up() {
    let hole = Blackhole::open().expect("a socket");
    let text = Plan::new(group())
        .at("replica1", hole.address())
        .text()
        .replace(
            "monitor_interval=100ms",
            "monitor_interval=100ms\nbackend_connect_timeout=1s",
        );
    let tidegate = Tidegate::start(&text).expect("tidegate");
    tidegate
        .wait_log("cannot monitor server 'replica1': connect timed out after 1000 ms: nobody")
        .expect("place and remedy in the log");
    for port in ["rw", "read"] {
        let mut client = connect(&tidegate, port);
        assert_eq!(value(&mut client, "SELECT @@server_id"), "3");
    }
}

#[test]
fn a_client_idle_for_too_long_is_told() {
    let text = Plan::new(group()).text();
    let text = text.replace(
        "[RW-Split-Router]\n",
        "[RW-Split-Router]\nwait_timeout=1s\n",
    );
    let tidegate = Tidegate::start(&text).expect("tidegate");
    let mut bystander = connect(&tidegate, "read");
    let mut client = connect(&tidegate, "rw");
    assert_eq!(value(&mut client, "SELECT 1"), "1");
    let said = String::from_utf8_lossy(&closed(client.packets())).into_owned();
    assert!(
        said.contains("client_idle") && said.contains("wait_timeout"),
        "{said}"
    );
    tidegate
        .wait_log("client_idle")
        .expect("the cause in the log");
    assert_eq!(value(&mut bystander, "SELECT 1"), "1");
}

#[test]
fn more_clients_than_a_service_takes_are_told() {
    let text = Plan::new(group()).text();
    let text = text.replace(
        "[RW-Split-Router]\n",
        "[RW-Split-Router]\nmax_connections=1\n",
    );
    let tidegate = Tidegate::start(&text).expect("tidegate");
    // Those that asked whether the port is open may still be counted.
    let login = Login::new(&group().accounts().app).database("test");
    let mut only = None;
    wait_until("the only place", || {
        only = RawClient::connect(tidegate.address("rw"), &login).ok();
        only.is_some()
    })
    .expect("a login");
    let error = RawClient::connect(tidegate.address("rw"), &login).expect_err("one too many");
    let error = format!("{error:#}");
    assert!(error.contains("1040"), "{error}");
    tidegate
        .wait_log("service_full")
        .expect("the cause in the log");
    let mut only = only.expect("a login");
    assert_eq!(value(&mut only, "SELECT 1"), "1");
}
