//! LOAD DATA LOCAL INFILE through both routers: nothing, very much, and ends before the end.

use tidegate_testkit::procfs::{peak_resident_bytes, resident_bytes};
use tidegate_testkit::raw::{CLIENT_LOCAL_FILES, Login, RawClient, Reply};
use tidegate_testkit::{Relay, Tidegate, wait_until};

use crate::house::{Plan, group, run, value};

/// The ways through: a listener, and lines for the service of readwritesplit.
const WAYS: [(&str, &str); 3] = [
    ("rw", ""),
    ("read", ""),
    ("rw", "transaction_replay=true\ndelayed_retry=true\n"),
];

fn login() -> Login {
    Login::new(&group().accounts().app)
        .database("test")
        .capabilities(CLIENT_LOCAL_FILES)
}

fn connect(tidegate: &Tidegate, port: &str) -> RawClient {
    RawClient::connect(tidegate.address(port), &login()).expect("a login")
}

/// A relay before the primary, and a proxy whose both routers go there.
fn behind_relay(lines: &str) -> (Relay, Tidegate) {
    let primary = group().primary();
    let relay = Relay::start(primary.address()).expect("a relay");
    let tidegate = Plan::new(group())
        .at(primary.name(), relay.address())
        .read("router_options=master\n")
        .split(lines)
        .start();
    (relay, tidegate)
}

fn make(table: &str) {
    let sql = format!("CREATE OR REPLACE TABLE test.{table} (n INT) ENGINE=InnoDB");
    group().primary().sql(&sql).expect("a table");
}

fn count(table: &str) -> String {
    let sql = format!("SELECT COUNT(*) FROM test.{table}");
    group().primary().value(&sql).expect("a count")
}

/// Says that a file is to be loaded, and reads the server's question for it.
fn begin(client: &mut RawClient, sql: &str) {
    client.send_query(sql).expect("sent");
    let asked = client.packets().read().expect("a question for the file");
    assert_eq!(asked, b"\xFBlines", "{}", String::from_utf8_lossy(&asked));
}

fn load(table: &str) -> String {
    format!("LOAD DATA LOCAL INFILE 'lines' INTO TABLE {table}")
}

fn end(client: &mut RawClient) -> Reply {
    client.packets().write(b"").expect("taken");
    let mut replies = client.replies().expect("a reply");
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

fn loaded(reply: &Reply) -> u64 {
    let Reply::Ok { affected_rows, .. } = reply else {
        panic!("{reply:?}")
    };
    *affected_rows
}

#[test]
fn a_file_without_a_byte_is_loaded_and_errors_are_told_in_their_place() {
    for (port, lines) in WAYS {
        let (_relay, tidegate) = behind_relay(lines);
        let mut client = connect(&tidegate, port);
        make("load_small");
        for _ in 0..3 {
            begin(&mut client, &load("load_small"));
            assert_eq!(loaded(&end(&mut client)), 0);
        }
        // In a transaction that is rolled back.
        run(&mut client, "BEGIN");
        begin(&mut client, &load("load_small"));
        client.packets().write(b"1\n2\n").expect("taken");
        client.packets().write(b"3\n").expect("taken");
        assert_eq!(loaded(&end(&mut client)), 3);
        assert_eq!(value(&mut client, "SELECT COUNT(*) FROM load_small"), "3");
        run(&mut client, "ROLLBACK");
        assert_eq!(count("load_small"), "0");
        // No file is asked for.
        let refused = client.query(&load("load_nowhere")).expect("a reply");
        assert_eq!(refused.error_code(), Some(1146), "{refused:?}");
        // The server finds fault with the first line, and takes the others all the same.
        run(&mut client, "SET @kept = 2");
        begin(
            &mut client,
            "LOAD DATA LOCAL INFILE 'lines' INTO TABLE load_small (@n) \
             SET n = (SELECT @n UNION SELECT @n + 1)",
        );
        for _ in 0..20 {
            client
                .packets()
                .write("1\n".repeat(10_000).as_bytes())
                .expect("taken");
        }
        assert_eq!(end(&mut client).error_code(), Some(1242));
        assert_eq!(value(&mut client, "SELECT @kept"), "2");
        client.quit().expect("a goodbye");
        assert_eq!(count("load_small"), "0");
    }
}

/// Files of so many bytes, one for each of [`WAYS`].
const LARGE_BYTES: [usize; 3] = [1 << 30, 256 << 20, 256 << 20];

/// What the client sends at a time, which is one line.
const PIECE_BYTES: usize = 64 << 10;

/// What the proxy may use more for it.
const GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn a_large_file_passes_in_little_memory() {
    for ((port, lines), bytes) in WAYS.into_iter().zip(LARGE_BYTES) {
        let (_relay, tidegate) = behind_relay(lines);
        let mut client = connect(&tidegate, port);
        make("load_large");
        assert_eq!(value(&mut client, "SELECT 1"), "1");
        let before = resident_bytes(tidegate.pid()).expect("memory");
        run(&mut client, "BEGIN");
        begin(
            &mut client,
            "LOAD DATA LOCAL INFILE 'lines' INTO TABLE load_large (@line) SET n = LENGTH(@line)",
        );
        let mut piece = vec![b'x'; PIECE_BYTES];
        piece[PIECE_BYTES - 1] = b'\n';
        for _ in 0..bytes / PIECE_BYTES {
            client.packets().write(&piece).expect("taken");
        }
        assert_eq!(loaded(&end(&mut client)), (bytes / PIECE_BYTES) as u64);
        let peak = peak_resident_bytes(tidegate.pid()).expect("memory");
        assert!(
            peak < before + GROWTH_BYTES,
            "{port} {lines}: {before}, {peak}"
        );
        let sum = "SELECT SUM(n) FROM load_large";
        let expected = (bytes - bytes / PIECE_BYTES).to_string();
        assert_eq!(value(&mut client, sum), expected);
        run(&mut client, "COMMIT");
    }
}

/// What of a file would be a statement if it were taken for a command.
fn treacherous(table: &str) -> Vec<u8> {
    [
        b"\x03",
        format!("INSERT INTO {table} VALUES (-1)").as_bytes(),
    ]
    .concat()
}

#[test]
fn nothing_is_loaded_when_the_client_goes_amid_the_file() {
    for (port, lines) in WAYS {
        let (_relay, tidegate) = behind_relay(lines);
        for torn in [false, true] {
            make("load_left");
            let mut client = connect(&tidegate, port);
            begin(&mut client, &load("load_left"));
            for _ in 0..20 {
                let piece = "7\n".repeat(20_000);
                client.packets().write(piece.as_bytes()).expect("taken");
            }
            if torn {
                let head = [0xFF, 0xFF, 0, client_sequence(20)];
                client.packets().write_bytes(&head).expect("taken");
                client.packets().write_bytes(b"8\n").expect("taken");
            }
            let id = client.connection_id();
            drop(client);
            wait_until("the session to end", || {
                let path = format!("/v1/sessions/{id}");
                tidegate.rest().get(&path).expect("an answer").status == 404
            })
            .expect("it ends");
            wait_until("the server to notice", || {
                let sql = "SELECT COUNT(*) FROM information_schema.processlist \
                           WHERE info LIKE 'LOAD DATA%load_left%'";
                group().primary().value(sql).expect("a count") == "0"
            })
            .expect("it does");
            assert_eq!(count("load_left"), "0", "{port} {lines} {torn}");
            let mut next = connect(&tidegate, port);
            begin(&mut next, &load("load_left"));
            next.packets().write(b"9\n").expect("taken");
            assert_eq!(loaded(&end(&mut next)), 1);
        }
    }
}

/// The number of the packet behind the question and so many pieces.
fn client_sequence(pieces: u8) -> u8 {
    2 + pieces
}

/// The client writes the rest of its file, for it looks for an answer behind the end only. It finds the
/// connection closed, before or after an error.
fn finds_out(client: &mut RawClient, table: &str) {
    for _ in 0..50 {
        if client.packets().write(&treacherous(table)).is_err() {
            return;
        }
    }
    if client.packets().write(b"").is_err() {
        return;
    }
    if let Ok(packet) = client.packets().read() {
        assert_eq!(packet[0], 0xFF, "{packet:?}");
        assert!(client.query("SELECT 'on'").is_err(), "it goes on");
    }
}

#[test]
fn a_server_that_dies_amid_the_file_is_told_of_and_no_byte_of_it_is_a_command() {
    let modes = ["fail_instantly", "fail_on_write", "error_on_write"];
    let modes = modes.map(|mode| ("rw", format!("master_failure_mode={mode}\n")));
    let ways = WAYS.map(|(port, lines)| (port, lines.to_owned()));
    for (port, lines) in modes.into_iter().chain(ways) {
        let (relay, tidegate) = behind_relay(&lines);
        for in_transaction in [false, true] {
            make("load_lost");
            let mut client = connect(&tidegate, port);
            if in_transaction {
                run(&mut client, "BEGIN");
                run(&mut client, "INSERT INTO load_lost VALUES (5)");
            }
            begin(&mut client, &load("load_lost"));
            for _ in 0..20 {
                let piece = "7\n".repeat(20_000);
                client.packets().write(piece.as_bytes()).expect("taken");
            }
            relay.cut();
            finds_out(&mut client, "load_lost");
            let mut next = connect_again(&tidegate, port);
            assert_eq!(value(&mut next, "SELECT COUNT(*) FROM load_lost"), "0");
            begin(&mut next, &load("load_lost"));
            next.packets().write(b"9\n").expect("taken");
            assert_eq!(loaded(&end(&mut next)), 1);
            assert_eq!(count("load_lost"), "1", "{port} {lines} {in_transaction}");
        }
    }
}

/// The monitor's connection was cut too, so that the server may look down for a moment.
fn connect_again(tidegate: &Tidegate, port: &str) -> RawClient {
    let mut found = None;
    wait_until("a session", || {
        let client = RawClient::connect(tidegate.address(port), &login());
        found = client.ok().and_then(|mut client| {
            let reply = client.query("SELECT 1").ok()?;
            reply.text_rows().is_ok().then_some(client)
        });
        found.is_some()
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    found.expect("a session")
}

#[test]
fn a_file_whose_statement_is_killed_is_read_to_its_end() {
    for (port, lines) in WAYS {
        let (_relay, tidegate) = behind_relay(lines);
        let mut killer = connect(&tidegate, port);
        make("load_killed");
        let mut client = connect(&tidegate, port);
        for round in 0..3 {
            begin(&mut client, &load("load_killed"));
            let piece = "7\n".repeat(20_000);
            for _ in 0..10 {
                client.packets().write(piece.as_bytes()).expect("taken");
            }
            run(
                &mut killer,
                &format!("KILL QUERY {}", client.connection_id()),
            );
            for _ in 0..10 {
                client.packets().write(piece.as_bytes()).expect("taken");
            }
            let reply = end(&mut client);
            assert_eq!(reply.error_code(), Some(1317), "{round}: {reply:?}");
            assert_eq!(value(&mut client, "SELECT COUNT(*) FROM load_killed"), "0");
        }
    }
}
