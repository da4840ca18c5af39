//! Prepared statements on several servers: what a server was told once and another never was.

mod many;
mod pipelines;

use tidegate_testkit::raw::{Login, RawClient, Reply, put_lenenc_bytes, take_lenenc_bytes};
use tidegate_testkit::{Relay, Tidegate, wait_until};

use crate::house::{Plan, connect, group, run, value};

pub(crate) const COM_STMT_EXECUTE: u8 = 0x17;
pub(crate) const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
pub(crate) const COM_STMT_CLOSE: u8 = 0x19;
pub(crate) const COM_STMT_RESET: u8 = 0x1A;
pub(crate) const COM_STMT_FETCH: u8 = 0x1C;

const LONGLONG: [u8; 2] = [8, 0];
const UNSIGNED_LONGLONG: [u8; 2] = [8, 0x80];
const DOUBLE: [u8; 2] = [5, 0];
const BLOB: [u8; 2] = [252, 0];
const VAR_STRING: [u8; 2] = [253, 0];
const NULL: [u8; 2] = [6, 0];

/// The status flag that says that a cursor gave its last row.
const LAST_ROW_SENT: u16 = 0x80;

/// A command that names a statement.
pub(crate) fn named(command: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    [&[command], &id.to_le_bytes()[..], rest].concat()
}

/// An execution of so many parameters; `types`: only what the client sends the first time.
fn execution(id: u32, nulls: &[u8], types: Option<&[[u8; 2]]>, values: &[u8]) -> Vec<u8> {
    let mut rest = vec![0, 1, 0, 0, 0];
    rest.extend_from_slice(nulls);
    match types {
        Some(types) => {
            rest.push(1);
            rest.extend(types.concat());
        }
        None => rest.push(0),
    }
    rest.extend_from_slice(values);
    named(COM_STMT_EXECUTE, id, &rest)
}

/// The only field of a binary row, which is text.
pub(crate) fn text_of(row: &[u8]) -> String {
    let mut field = &row[2..];
    let text = take_lenenc_bytes(&mut field).expect("a field");
    String::from_utf8_lossy(text).into_owned()
}

/// What an answer says: the only text, or the error.
pub(crate) fn said(reply: &Reply) -> String {
    match reply {
        Reply::Rows { rows, .. } => rows.iter().map(|row| text_of(row)).collect(),
        Reply::Err { code, .. } => format!("error {code}"),
        Reply::Ok { .. } => "OK".to_owned(),
    }
}

fn asked(client: &mut RawClient, command: &[u8]) -> String {
    client.send(command).expect("sent");
    let replies = client.replies().expect("an answer");
    said(&replies[0])
}

/// readwritesplit, with relays before the replicas that can cut its connections. The primary has none: by
/// its address the monitor knows whom they replicate from.
fn behind_relays() -> (Vec<Relay>, Tidegate) {
    let relays: Vec<Relay> = group()
        .replicas()
        .iter()
        .map(|server| Relay::start(server.address()).expect("a relay"))
        .collect();
    let plan = group()
        .replicas()
        .iter()
        .zip(&relays)
        .fold(Plan::new(group()), |plan, (server, relay)| {
            plan.at(server.name(), relay.address())
        });
    (relays, plan.start())
}

/// A client that has sent the types of a statement's parameters once goes from server to server.
#[test]
fn types_that_were_sent_once_are_known_on_every_server() {
    let (relays, tidegate) = behind_relays();
    let mut client = connect(&tidegate, "rw");
    let text = "SELECT CONCAT_WS('/', @@server_id, ? + 1, HEX(?), ?, ? IS NULL, ?)";
    let id = client.prepare(text).expect("prepared");
    let types = [LONGLONG, BLOB, DOUBLE, NULL, UNSIGNED_LONGLONG];
    let values = |number: i64| {
        let mut values = number.to_le_bytes().to_vec();
        put_lenenc_bytes(&mut values, b"\0\xFF");
        values.extend(1.5f64.to_le_bytes());
        values.extend(u64::MAX.to_le_bytes());
        values
    };
    let expected = |number: i64| format!("/{}/00FF/1.5/1/18446744073709551615", number + 1);
    // The fourth is none.
    let nulls = &[0b1000];
    let first = asked(
        &mut client,
        &execution(id, nulls, Some(&types), &values(-5)),
    );
    assert!(first.ends_with(&expected(-5)), "{first}");
    let mut places = std::collections::BTreeSet::new();
    for number in 0..12 {
        let on_primary = number % 3 == 0;
        if on_primary {
            run(&mut client, "BEGIN");
        }
        let answer = asked(&mut client, &execution(id, nulls, None, &values(number)));
        if on_primary {
            run(&mut client, "COMMIT");
        }
        let place = answer.strip_suffix(&expected(number));
        let place = place.unwrap_or_else(|| panic!("{number}: {answer}"));
        assert!(place == "1" || !on_primary, "{answer}");
        places.insert(place.to_owned());
        if number % 4 == 3 {
            relays.iter().for_each(Relay::cut);
            let asks = "SELECT @@server_id";
            wait_until("a replica", || value(&mut client, asks) != "1").expect("one is back");
        }
    }
    assert!(places.len() >= 2, "{places:?}");
    // Other types, sent to one server alone.
    let mut texts = Vec::new();
    for text in ["41", "ab", "7.25", "later"] {
        put_lenenc_bytes(&mut texts, text.as_bytes());
    }
    let types = [VAR_STRING, VAR_STRING, VAR_STRING, NULL, VAR_STRING];
    let expected = "/42/6162/7.25/1/later";
    for (before, types) in [
        ("DO 0", Some(&types[..])),
        ("BEGIN", None),
        ("COMMIT", None),
    ] {
        run(&mut client, before);
        let answer = asked(&mut client, &execution(id, nulls, types, &texts));
        assert!(answer.ends_with(expected), "after {before}: {answer}");
    }
}

fn long_data(client: &mut RawClient, id: u32, parameter: u16, piece: &[u8]) {
    let rest = [&parameter.to_le_bytes(), piece].concat();
    client
        .send(&named(COM_STMT_SEND_LONG_DATA, id, &rest))
        .expect("sent");
}

/// The length that is read back of long data, and what follows.
const LONG_TEXT: &str = "SELECT CONCAT(LENGTH(?), '-', ?)";

#[test]
fn long_data_are_with_their_execution_whatever_comes_between() {
    let tidegate = Plan::new(group()).start();
    let direct = RawClient::connect(
        group().primary().address(),
        &Login::new(&group().accounts().app).database("test"),
    );
    let clients = [
        ("a server", direct.expect("a login")),
        ("readwritesplit", connect(&tidegate, "rw")),
        ("readconnroute", connect(&tidegate, "read")),
    ];
    for (name, mut client) in clients {
        let id = client.prepare(LONG_TEXT).expect("prepared");
        let mut tail = Vec::new();
        put_lenenc_bytes(&mut tail, b"tail");
        let with_types = execution(id, &[0], Some(&[BLOB, VAR_STRING]), &tail);
        let without = execution(id, &[0], None, &tail);
        let piece = vec![b'x'; 100_000];
        // Where the first piece goes, an execution would not go any more.
        for (between, command) in [
            ("DO 0", &with_types),
            ("BEGIN", &without),
            ("SET @a = 1", &without),
            ("COMMIT", &without),
            (
                "SELECT SQL_NO_CACHE 1 FROM (SELECT 1) one FOR UPDATE",
                &without,
            ),
        ] {
            long_data(&mut client, id, 0, &piece);
            client.query(between).expect("an answer");
            long_data(&mut client, id, 0, b"y");
            let answer = asked(&mut client, command);
            // The transaction is on the primary, and they are on a replica: that is told.
            if (name, between) == ("readwritesplit", "BEGIN") {
                assert_eq!(answer, "error 1210");
                long_data(&mut client, id, 0, b"z");
                assert_eq!(asked(&mut client, command), "1-tail");
                continue;
            }
            assert_eq!(answer, "100001-tail", "{name}, {between}");
        }
        // Forgotten, and sent anew.
        long_data(&mut client, id, 0, &piece);
        assert_eq!(asked(&mut client, &named(COM_STMT_RESET, id, &[])), "OK");
        run(&mut client, "BEGIN");
        long_data(&mut client, id, 0, b"abc");
        assert_eq!(asked(&mut client, &without), "3-tail");
        run(&mut client, "COMMIT");
        // Without any the value stands in the execution.
        let mut both = Vec::new();
        put_lenenc_bytes(&mut both, b"12345");
        both.extend_from_slice(&tail);
        let plain = execution(id, &[0], None, &both);
        assert_eq!(asked(&mut client, &plain), "5-tail");
        assert_eq!(value(&mut client, "SELECT 1"), "1");
    }
}

#[test]
fn long_data_that_went_with_their_server_are_told_of_and_the_statement_lives() {
    let (relays, tidegate) = behind_relays();
    let mut client = connect(&tidegate, "rw");
    let id = client.prepare(LONG_TEXT).expect("prepared");
    let mut tail = Vec::new();
    put_lenenc_bytes(&mut tail, b"tail");
    let execution = execution(id, &[0], Some(&[BLOB, VAR_STRING]), &tail);
    for _ in 0..3 {
        long_data(&mut client, id, 0, &[b'x'; 70_000]);
        // It has arrived when what comes behind it is answered.
        assert_eq!(value(&mut client, "SELECT 1"), "1");
        relays.iter().for_each(Relay::cut);
        let answer = asked(&mut client, &execution);
        assert!(
            answer == "70000-tail" || answer.starts_with("error"),
            "{answer}\n{}",
            tidegate.log()
        );
        long_data(&mut client, id, 0, b"anew");
        assert_eq!(asked(&mut client, &execution), "4-tail");
    }
}

/// Reads the rows of a fetch up to its end.
fn fetch(client: &mut RawClient, id: u32, count: u32) -> Result<(Vec<String>, bool), u16> {
    client
        .send(&named(COM_STMT_FETCH, id, &count.to_le_bytes()))
        .expect("sent");
    let mut rows = Vec::new();
    loop {
        let packet = client.packets().read().expect("a packet");
        match packet[0] {
            0xFF => return Err(u16::from_le_bytes([packet[1], packet[2]])),
            0xFE if packet.len() == 5 => {
                let status = u16::from_le_bytes([packet[3], packet[4]]);
                return Ok((rows, status & LAST_ROW_SENT != 0));
            }
            _ => rows.push(text_of(&packet)),
        }
    }
}

/// Opens a cursor that only reads.
fn open(client: &mut RawClient, id: u32) {
    client
        .send(&named(COM_STMT_EXECUTE, id, &[1, 1, 0, 0, 0]))
        .expect("sent");
    for _ in 0..3 {
        let packet = client.packets().read().expect("a packet");
        assert_ne!(packet[0], 0xFF, "{}", String::from_utf8_lossy(&packet));
    }
}

#[test]
fn cursors_stay_where_they_are_whatever_comes_between() {
    let tidegate = Plan::new(group()).start();
    let direct = Login::new(&group().accounts().app).database("test");
    let direct = RawClient::connect(group().primary().address(), &direct).expect("a login");
    let clients = [direct, connect(&tidegate, "rw"), connect(&tidegate, "read")];
    for (number, mut client) in clients.into_iter().enumerate() {
        let text = |from: u32, to: u32| {
            format!("SELECT CONCAT(@@server_id, ':', seq) FROM seq_{from}_to_{to}")
        };
        let first = client.prepare(&text(1, 100)).expect("prepared");
        let second = client.prepare(&text(201, 300)).expect("prepared");
        open(&mut client, first);
        let mut place = None;
        for round in 0..10u32 {
            let (rows, last) = fetch(&mut client, first, 10).expect("rows");
            assert_eq!((rows.len(), last), (10, false), "{number}");
            for (offset, row) in (1..).zip(&rows) {
                let (at, value) = row.split_once(':').expect("a place");
                assert_eq!(*place.get_or_insert(at.to_owned()), at, "{number}");
                assert_eq!(value, (round * 10 + offset).to_string());
            }
            match round {
                0 => assert_eq!(value(&mut client, "SELECT 1"), "1"),
                1 => run(&mut client, "SET @between = 1"),
                2 => run(&mut client, "BEGIN"),
                3 => assert_eq!(value(&mut client, "SELECT 1 FOR UPDATE"), "1"),
                4 => open(&mut client, second),
                5 => {
                    let other = client.prepare("SELECT ?").expect("prepared");
                    client.execute(other, &["5"]).expect("executed");
                    client
                        .send(&named(COM_STMT_CLOSE, other, &[]))
                        .expect("sent");
                }
                6 => {
                    let (rows, _) = fetch(&mut client, second, 3).expect("rows");
                    assert!(rows[2].ends_with(":203"), "{rows:?}");
                }
                7 => assert_eq!(
                    client.query("SELECT no_such").expect("it").error_code(),
                    Some(1054)
                ),
                8 => assert_eq!(value(&mut client, "SELECT @between"), "1"),
                _ => {}
            }
        }
        assert_eq!(
            fetch(&mut client, first, 10),
            Ok((vec![], true)),
            "{number}"
        );
        // A cursor that was closed, and one that another execution took the place of.
        let reset = asked(&mut client, &named(COM_STMT_RESET, second, &[]));
        assert_eq!(reset, "OK");
        assert_eq!(fetch(&mut client, second, 1), Err(1421), "{number}");
        open(&mut client, second);
        open(&mut client, second);
        let (rows, _) = fetch(&mut client, second, 1).expect("rows");
        assert!(rows[0].ends_with(":201"), "{rows:?}");
        assert_eq!(value(&mut client, "SELECT 2"), "2");
    }
}

#[test]
fn a_cursor_that_went_with_its_server_is_told_of_and_the_statement_lives() {
    let (relays, tidegate) = behind_relays();
    let mut client = connect(&tidegate, "rw");
    let id = client
        .prepare("SELECT CONCAT(seq) FROM seq_1_to_100")
        .expect("prepared");
    for _ in 0..3 {
        open(&mut client, id);
        let (rows, _) = fetch(&mut client, id, 10).expect("rows");
        assert_eq!(rows[9], "10");
        relays.iter().for_each(Relay::cut);
        // What it has given does not come again.
        let lost = fetch(&mut client, id, 10);
        assert!(lost.is_err(), "{lost:?}");
        assert_eq!(value(&mut client, "SELECT 1"), "1");
    }
}
