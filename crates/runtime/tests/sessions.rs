//! Real sockets from end to end: scripted clients, a runtime, scripted servers.

mod house;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use house::asking::Asking;
use house::bomb::bomb;
use house::{House, OneAccount, Plan, healthy, login, servers};
use tidegate_runtime::{Endpoint, Refusal, Tuning, Which};
use tidegate_session::question::ClientAddress;
use tidegate_session::world::ServerViews;
use tidegate_session::{Control, SessionId};
use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{Login, PacketStream, RawClient, ScriptedServer};
use tidegate_testkit::{PATIENCE, wait_until};

#[test]
fn a_client_logs_in_and_gets_a_row() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    assert!(client.server_version().contains("MariaDB"));
    for n in 0..50 {
        let reply = client.query(&format!("SELECT {n}")).unwrap();
        assert_eq!(reply.text_value().unwrap(), n.to_string());
    }
    client.quit().unwrap();
    wait_until("the session's end", || house.sessions().is_empty()).unwrap();
    assert_eq!(server.complaints(), [""; 0]);
}

#[test]
fn wrong_passwords_and_users_are_refused() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    for (user, password) in [
        ("app", "wrong"),
        ("nobody", "secret of the tests"),
        ("", ""),
    ] {
        let account = Account {
            user: user.into(),
            password: password.into(),
        };
        let error = RawClient::connect(house.address(), &Login::new(&account)).unwrap_err();
        assert!(format!("{error:#}").contains("1045"), "{error:#}");
    }
    assert_eq!(server.accepted(), 0);
    house.connect();
}

#[test]
fn an_answer_may_come_later_and_may_never_come() {
    let server = healthy();
    let waiting = Arc::default();
    let mut plan = Plan::new(&[&server]);
    plan.answers = OneAccount {
        later: Some(Arc::clone(&waiting)),
        as_service: None,
    };
    let house = House::new(plan);
    let answer = |give: bool| {
        let address = house.address();
        let client = std::thread::spawn(move || RawClient::connect(address, &login()));
        wait_until("the question", || !waiting.lock().unwrap().is_empty()).unwrap();
        // A denied login asks once more.
        while !client.is_finished() {
            let reply = waiting.lock().unwrap().pop();
            match reply {
                Some(reply) if give => reply.send(OneAccount::answer()),
                unanswered => drop(unanswered),
            }
            std::thread::yield_now();
        }
        client.join().unwrap()
    };
    assert_eq!(
        answer(true)
            .unwrap()
            .query("SELECT 1")
            .unwrap()
            .text_value()
            .unwrap(),
        "1"
    );
    assert!(format!("{:#}", answer(false).unwrap_err()).contains("1045"));
}

#[test]
fn large_statements_and_results_pass() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    for len in [10, 70_000, 300_000, (1 << 24) - 2, (1 << 24) - 1, 1 << 24] {
        let text = format!("LENGTH {}", "x".repeat(len - 7));
        assert_eq!(
            client.query(&text).unwrap().text_value().unwrap(),
            len.to_string()
        );
    }
    client.send_query("ROWS 20000 1000").unwrap();
    let (rows, bytes) = client.count_rows().unwrap();
    assert_eq!((rows, bytes), (20_000, 20_000 * 1003));
    assert_eq!(client.query("SELECT 1").unwrap().text_value().unwrap(), "1");
}

/// A COM_QUERY packet.
fn query_packet(text: &str) -> Vec<u8> {
    let mut packet = (text.len() as u32 + 1).to_le_bytes();
    packet[3] = 0;
    [&packet, [3].as_slice(), text.as_bytes()].concat()
}

/// Reads a result of one row and one column from the socket itself: the value.
fn read_value(mut stream: &TcpStream) -> String {
    let mut payloads = Vec::new();
    for sequence in 1..=5 {
        let mut header = [0; 4];
        stream.read_exact(&mut header).unwrap();
        assert_eq!((header[1], header[2], header[3]), (0, 0, sequence));
        let mut payload = vec![0; usize::from(header[0])];
        stream.read_exact(&mut payload).unwrap();
        payloads.push(payload);
    }
    String::from_utf8(payloads[3][1..].to_vec()).unwrap()
}

#[test]
fn a_statement_that_comes_byte_by_byte() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    for byte in query_packet("LENGTH of it") {
        client.packets().write_bytes(&[byte]).unwrap();
    }
    assert_eq!(read_value(client.packets().stream()), "12");
}

#[test]
fn pipelined_statements_are_answered_in_order() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    let all: Vec<u8> = (0..2000)
        .flat_map(|n| query_packet(&format!("SELECT {n}")))
        .collect();
    client.packets().write_bytes(&all).unwrap();
    for n in 0..2000 {
        assert_eq!(read_value(client.packets().stream()), n.to_string());
    }
}

#[test]
fn sessions_are_listed_and_killed() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut clients: Vec<_> = (0..10).map(|_| house.connect()).collect();
    for client in &mut clients {
        client.query("SELECT 1").unwrap();
    }
    let all = house.sessions();
    assert_eq!(all.len(), 10);
    for (view, client) in all.iter().zip(&clients) {
        assert_eq!(view.id.0, u64::from(client.connection_id()));
        assert_eq!(
            (&*view.service, &*view.listener, view.user.as_str()),
            ("Read", "Listener", "app")
        );
        let expect = client.local_address().unwrap();
        assert_eq!(view.address, ClientAddress::Ip(expect.ip(), expect.port()));
        assert_eq!(view.connections.len(), 1);
        assert!(view.memory.client.misc > 0);
    }
    // Both workers have some, whoever accepted them.
    assert!((4..=6).contains(&all.iter().filter(|view| view.worker == 0).count()));

    let (send, receive) = std::sync::mpsc::channel();
    let wanted: Arc<[SessionId]> = [all[3].id, SessionId(9999), all[7].id].into();
    house
        .runtime
        .sessions(Which::Ids(wanted), move |result| send.send(result).unwrap());
    let some = receive.recv_timeout(PATIENCE).unwrap().unwrap();
    let mut ids: Vec<_> = some.iter().map(|view| view.id).collect();
    ids.sort();
    assert_eq!(ids, [all[3].id, all[7].id]);

    assert_eq!(
        house.control(SessionId(9999), Control::Kill { after: None }),
        Err(Refusal::Unknown(SessionId(9999)))
    );
    assert_eq!(
        house.control(all[3].id, Control::Kill { after: None }),
        Ok(())
    );
    let last = clients[3].packets().read_to_end().unwrap();
    let text = String::from_utf8_lossy(&last);
    assert!(text.contains("killed"), "{text}");
    wait_until("the end of the killed session", || {
        house.sessions().len() == 9
    })
    .unwrap();
    assert_eq!(
        clients[4].query("SELECT 1").unwrap().text_value().unwrap(),
        "1"
    );
}

#[test]
fn ids_of_all_sessions() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let _clients: Vec<_> = (0..3).map(|_| house.connect()).collect();
    let (send, receive) = std::sync::mpsc::channel();
    house
        .runtime
        .session_ids(move |result| send.send(result).unwrap());
    let mut ids: Vec<_> = receive
        .recv_timeout(PATIENCE)
        .unwrap()
        .unwrap()
        .iter()
        .copied()
        .collect();
    ids.sort();
    assert_eq!(ids, [SessionId(1), SessionId(2), SessionId(3)]);
}

#[test]
fn a_kill_with_a_delay_comes_true() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    let id = house.sessions()[0].id;
    let after = Some(Duration::from_millis(150));
    assert_eq!(house.control(id, Control::Kill { after }), Ok(()));
    assert_eq!(client.query("SELECT 1").unwrap().text_value().unwrap(), "1");
    assert!(String::from_utf8_lossy(&client.packets().read_to_end().unwrap()).contains("killed"));
}

#[test]
fn as_many_sessions_as_the_service_allows() {
    let server = healthy();
    let mut plan = Plan::new(&[&server]);
    plan.change = |service| service.max_connections = 2;
    let house = House::new(plan);
    let first = house.connect();
    let _second = house.connect();
    let error = RawClient::connect(house.address(), &login()).unwrap_err();
    assert!(format!("{error:#}").contains("1040"), "{error:#}");
    first.quit().unwrap();
    wait_until("a free place", || house.sessions().len() == 1).unwrap();
    house.connect();
    assert!(house.log().contains("max_connections=2"));
}

#[test]
fn a_server_that_closes_amid_a_result() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let (mut victim, mut bystander) = (house.connect(), house.connect());
    victim.send_query("CLOSE").unwrap();
    let rest = victim.packets().read_to_end().unwrap();
    assert!(
        String::from_utf8_lossy(&rest).contains("half"),
        "what came before the end is passed on"
    );
    assert_eq!(
        bystander.query("SELECT 1").unwrap().text_value().unwrap(),
        "1"
    );
    assert!(house.log().contains("server_lost"), "{}", house.log());
}

#[test]
fn a_server_that_speaks_nonsense() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let (mut victim, mut bystander) = (house.connect(), house.connect());
    victim.send_query("NONSENSE").unwrap();
    victim.packets().read_to_end().unwrap();
    assert_eq!(
        bystander.query("SELECT 1").unwrap().text_value().unwrap(),
        "1"
    );
    assert!(house.log().contains("server_protocol"), "{}", house.log());
}

#[test]
fn a_server_that_is_not_there() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for address in [Some(gone), None] {
        let mut plan = Plan::new(&[]);
        plan.servers = vec![address];
        let house = House::new(plan);
        let outcome = RawClient::connect(house.address(), &login())
            .and_then(|mut client| client.query("SELECT 1"));
        match outcome {
            Err(_) => {}
            Ok(reply) => assert_eq!(reply.error_code(), Some(1927)),
        }
        wait_until("the session's end", || house.sessions().is_empty()).unwrap();
    }
}

#[test]
fn garbage_and_silence_on_the_client_port() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut garbage = TcpStream::connect(house.address()).unwrap();
    garbage.set_read_timeout(Some(PATIENCE)).unwrap();
    garbage
        .write_all(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).unwrap();
    assert!(answer.len() > 40, "a greeting, and then an error");

    let silent: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(house.address()).unwrap())
        .collect();
    let mut client = house.connect();
    assert_eq!(client.query("SELECT 1").unwrap().text_value().unwrap(), "1");
    assert_eq!(
        house.sessions().len(),
        1,
        "who has not logged in is not listed"
    );
    drop(silent);

    // A header that announces 16 MiB at login.
    let mut huge =
        PacketStream::new(TcpStream::connect(house.address()).unwrap(), PATIENCE).unwrap();
    huge.write_bytes(&[0xff, 0xff, 0xff, 1]).unwrap();
    huge.read_to_end().unwrap();
    assert_eq!(server.complaints(), [""; 0]);
}

#[test]
fn a_panic_ends_one_session_alone() {
    let server = healthy();
    let mut plan = Plan::new(&[&server]);
    plan.workers = 1;
    plan.change = |service| {
        service.filters.push(Arc::new(Asking(bomb)));
        service.session_trace.lines = 10;
    };
    let house = House::new(plan);
    let (mut victim, mut bystander) = (house.connect(), house.connect());
    assert_eq!(victim.query("SELECT 1").unwrap().text_value().unwrap(), "1");
    victim.send_query("BOMB hunter2").unwrap();
    victim.packets().read_to_end().unwrap();
    assert_eq!(
        bystander.query("SELECT 1").unwrap().text_value().unwrap(),
        "1"
    );
    assert_eq!(house.sessions().len(), 1);
    assert_eq!(
        house.service.counters.sum(|shard| &shard.sessions),
        1,
        "counters are given back"
    );
    wait_until("closed sockets", || {
        house.runtime.counters().sum(|shard| &shard.sockets) == 2
    })
    .unwrap();
    let log = house.log();
    assert!(log.contains("(1) session ended: panic"), "{log}");
    assert!(log.contains("(1) session trace: "), "{log}");
    assert!(
        log.contains("tests/house/bomb.rs"),
        "the place is named: {log}"
    );
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_panicking_account_manager_lets_nobody_in_and_harms_nobody() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut bystander = house.connect();
    let account = Account {
        user: "panic".into(),
        password: "hunter2".into(),
    };
    RawClient::connect(house.address(), &Login::new(&account)).unwrap_err();
    assert_eq!(
        bystander.query("SELECT 1").unwrap().text_value().unwrap(),
        "1"
    );
}

#[test]
fn a_slow_client_does_not_fill_the_memory() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    client.send_query("ROWS 40000 1000").unwrap();
    // The buffers between fill up, and then nobody moves any more.
    let held = || {
        let view = house.sessions().remove(0);
        view.memory.client.read + view.memory.client.write + view.memory.backends[0].1.read
    };
    wait_until("a full queue", || held() > 64 * 1024).unwrap();
    assert!(held() < 1024 * 1024, "{}", held());
    let before = server_progress(&house);
    assert!(before < 40_000_000, "40 MB cannot have been read: {before}");
    let (rows, _) = client.count_rows().unwrap();
    assert_eq!(rows, 40_000);
    wait_until("an empty queue", || held() == 0).unwrap();
    assert_eq!(client.query("SELECT 1").unwrap().text_value().unwrap(), "1");
}

/// Bytes read by all workers.
fn server_progress(house: &House) -> u64 {
    house.runtime.counters().sum(|shard| &shard.read_bytes)
}

#[test]
fn a_client_that_vanishes_while_it_is_owed_much() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    client.send_query("ROWS 40000 1000").unwrap();
    wait_until("a full queue", || {
        house.sessions()[0].memory.client.write > 64 * 1024
    })
    .unwrap();
    drop(client);
    wait_until("the session's end", || house.sessions().is_empty()).unwrap();
    wait_until("closed sockets", || {
        house.runtime.counters().sum(|shard| &shard.sockets) == 0
    })
    .unwrap();
}

#[test]
fn over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidegate.sock");
    let server = healthy();
    let mut plan = Plan::new(&[&server]);
    plan.endpoint = Endpoint::Unix(path.clone());
    let house = House::new(plan);
    let mut clients: Vec<_> = (0..4)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    for client in &mut clients {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut header = [0; 5];
        client.read_exact(&mut header).unwrap();
        assert_eq!(header[4], 10, "a greeting");
    }
    wait_until("hand-over", || {
        house
            .runtime
            .counters()
            .iter()
            .all(|shard| shard.sessions.get() == 2)
    })
    .unwrap();
    drop(house);
    assert!(!path.exists());
}

#[test]
fn listeners_come_and_go() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    house.runtime.stop_listener("Listener").unwrap();
    let address = house.address();
    let waiting = std::thread::spawn(move || RawClient::connect(address, &login()));
    house.runtime.start_listener("Listener").unwrap();
    let mut client = waiting.join().unwrap().unwrap();

    house.runtime.remove_listener("Listener").unwrap();
    assert!(house.runtime.stop_listener("Listener").is_err());
    wait_until("a closed port", || TcpStream::connect(address).is_err()).unwrap();
    assert_eq!(
        client.query("SELECT 1").unwrap().text_value().unwrap(),
        "1",
        "its sessions live on"
    );
    assert_eq!(&*house.sessions()[0].listener, "Listener");
}

#[test]
fn servers_may_change_while_sessions_live() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    let mut down = (*house.servers.views).clone();
    down.0[0].status = Default::default();
    let mut changed = house.servers.clone();
    changed.views = Arc::new(ServerViews(down.0));
    house.runtime.set_servers(&changed);
    client.packets().read_to_end().unwrap();
    wait_until("the session's end", || house.sessions().is_empty()).unwrap();

    house
        .runtime
        .set_servers(&servers(&[Some(server.address())], 2));
    wait_until("a new session", || {
        RawClient::connect(house.address(), &login())
            .is_ok_and(|mut client| client.query("SELECT 1").is_ok())
    })
    .unwrap();
}

#[test]
fn draining_waits_for_a_rest_and_force_does_not() {
    let hold = Arc::new(std::sync::Barrier::new(2));
    let held = Arc::clone(&hold);
    let server = ScriptedServer::start(move |peer| {
        peer.login()?;
        loop {
            if peer.command()?.ends_with(b"HOLD") {
                held.wait();
                held.wait();
            }
            peer.ok()?;
        }
    })
    .unwrap();
    let house = House::new(Plan::new(&[&server]));
    let (mut busy, mut idle) = (house.connect(), house.connect());
    busy.send_query("HOLD").unwrap();
    hold.wait();
    house.runtime.begin_shutdown(false);
    let goodbye = idle.packets().read_to_end().unwrap();
    assert!(
        String::from_utf8_lossy(&goodbye).contains("shut"),
        "{goodbye:?}"
    );
    assert!(!house.runtime.wait(Duration::ZERO));
    hold.wait();
    assert_eq!(busy.replies().unwrap().len(), 1, "what runs is finished");
    busy.packets().read_to_end().unwrap();
    assert!(house.runtime.wait(PATIENCE));
}

#[test]
fn tuning_is_in_force_at_once() {
    let server = healthy();
    let house = House::new(Plan::new(&[&server]));
    let mut client = house.connect();
    house.runtime.set_tuning(&Tuning {
        turn_bytes: 1,
        high_water_bytes: 1,
        low_water_bytes: 0,
        ..Tuning::default()
    });
    client.send_query("ROWS 2000 100").unwrap();
    assert_eq!(client.count_rows().unwrap().0, 2000);
}
