//! What a connection begins with, byte by byte beside a server's: the greeting and the first OK.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{native_password, sha2_password, take_lenenc_bytes};
use tidegate_testkit::{PATIENCE, Tidegate, wait_until};

use crate::house::{Plan, group};

/// PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_ATTRS, SESSION_TRACK.
const CAPS: u32 = 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19 | 1 << 20 | 1 << 23;
const CONNECT_WITH_DB: u32 = 1 << 3;
const SSL: u32 = 1 << 11;

const VARIABLE: u8 = 0;
const SCHEMA: u8 = 1;

/// A greeting, the sequence number and the payload of the first OK.
pub(crate) struct Begun {
    greeting: Vec<u8>,
    seq: u8,
    ok: Vec<u8>,
}

fn read(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut header = [0; 4];
    stream.read_exact(&mut header).expect("a header");
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).expect("a payload");
    (header[3], payload)
}

fn greeted(address: SocketAddr) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let (_, greeting) = read(&mut stream);
    (stream, greeting)
}

fn begin(address: SocketAddr, collation: u8, database: Option<&str>) -> Begun {
    begin_as(&group().accounts().app, address, collation, database)
}

/// Logs in by the plugin of the greeting. A peer that greets with `caching_sha2_password` has to know the
/// password.
fn begin_as(app: &Account, address: SocketAddr, collation: u8, database: Option<&str>) -> Begun {
    let (mut stream, greeting) = greeted(address);
    let place = Place::in_greeting(&greeting);
    let scramble = [
        &greeting[place.scramble..place.scramble + 8],
        &greeting[place.rest_of_scramble..place.rest_of_scramble + 12],
    ]
    .concat();
    let caps = CAPS
        | if database.is_some() {
            CONNECT_WITH_DB
        } else {
            0
        };
    let mut response = caps.to_le_bytes().to_vec();
    response.extend_from_slice(&(1u32 << 24).to_le_bytes());
    response.push(collation);
    response.extend_from_slice(&[0; 23]);
    response.extend_from_slice(app.user.as_bytes());
    let is_sha2 = greeting.ends_with(b"caching_sha2_password\0");
    let (plugin, proof) = if is_sha2 {
        let proof = sha2_password(&app.password, &scramble);
        ("caching_sha2_password", proof)
    } else {
        let proof = native_password(&app.password, &scramble);
        ("mysql_native_password", proof)
    };
    response.extend_from_slice(&[0, proof.len() as u8]);
    response.extend_from_slice(&proof);
    if let Some(database) = database {
        response.extend_from_slice(database.as_bytes());
        response.push(0);
    }
    response.extend_from_slice(plugin.as_bytes());
    response.extend_from_slice(&[0, 0]);
    let mut packet = (response.len() as u32).to_le_bytes().to_vec();
    packet[3] = 1;
    packet.extend_from_slice(&response);
    stream.write_all(&packet).expect("sent");
    let (mut seq, mut ok) = read(&mut stream);
    if is_sha2 {
        assert_eq!(ok, [1, 3], "the password is not known");
        (seq, ok) = read(&mut stream);
    }
    Begun { greeting, seq, ok }
}

/// Where the parts of a greeting lie that differ from connection to connection.
struct Place {
    version: usize,
    scramble: usize,
    rest_of_scramble: usize,
}

impl Place {
    fn in_greeting(greeting: &[u8]) -> Place {
        let version = greeting.iter().position(|byte| *byte == 0).expect("an end");
        Place {
            version,
            scramble: version + 5,
            rest_of_scramble: version + 5 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 6 + 4,
        }
    }
}

impl Begun {
    /// No more than the greeting.
    pub(crate) fn greeting(address: SocketAddr) -> Begun {
        Begun {
            greeting: greeted(address).1,
            seq: 0,
            ok: Vec::new(),
        }
    }

    /// Clears bits of what a greeting offers, the first 32.
    pub(crate) fn without(mut self, caps: u32) -> Begun {
        let low = Place::in_greeting(&self.greeting).scramble + 9;
        let high = low + 5;
        for (at, bits) in [(low, caps & 0xffff), (high, caps >> 16)] {
            let all = u16::from_le_bytes([self.greeting[at], self.greeting[at + 1]]);
            let left = all & !(bits as u16);
            self.greeting[at..at + 2].copy_from_slice(&left.to_le_bytes());
        }
        self
    }

    /// The greeting without version, number and scramble.
    pub(crate) fn settled_greeting(&self) -> Vec<u8> {
        let place = Place::in_greeting(&self.greeting);
        let mut settled = self.greeting.clone();
        settled[place.version + 1..place.version + 5].fill(0);
        settled[place.scramble..place.scramble + 8].fill(0);
        settled[place.rest_of_scramble..place.rest_of_scramble + 12].fill(0);
        settled.drain(1..place.version);
        settled
    }

    pub(crate) fn version(&self) -> &[u8] {
        &self.greeting[1..Place::in_greeting(&self.greeting).version]
    }

    /// The variables that the first OK tells.
    pub(crate) fn told(app: &Account, address: SocketAddr) -> BTreeMap<String, String> {
        begin_as(app, address, 255, None).settled_ok().1
    }

    /// The OK without the variables that it tells, and these.
    fn settled_ok(&self) -> (Vec<u8>, BTreeMap<String, String>) {
        let (head, mut rest) = self.ok.split_at(7);
        let mut told = BTreeMap::new();
        let mut settled = head.to_vec();
        if rest.is_empty() {
            return (settled, told);
        }
        // A server with TLS proves its certificate here, to clients without TLS too.
        let info = take_lenenc_bytes(&mut rest).expect("info");
        settled.extend_from_slice(if info.first() == Some(&1) { &[] } else { info });
        let mut block = take_lenenc_bytes(&mut rest).expect("changes");
        assert!(rest.is_empty());
        while let Some((kind, after)) = block.split_first() {
            block = after;
            let mut data = take_lenenc_bytes(&mut block).expect("a change");
            if *kind == VARIABLE {
                let text = |data: &mut &[u8]| {
                    let bytes = take_lenenc_bytes(data).expect("a text");
                    String::from_utf8(bytes.to_vec()).expect("text")
                };
                let name = text(&mut data);
                told.insert(name, text(&mut data));
            } else {
                settled.push(*kind);
                settled.extend_from_slice(data);
            }
        }
        (settled, told)
    }
}

/// The proxy, when its monitor has seen all servers.
fn start(listener: &str) -> Tidegate {
    Plan::new(group()).listener(listener).start()
}

#[test]
fn greeting_and_first_ok_are_a_servers() {
    // A server of 10.11 has no zstd.
    let tidegate = start("mariadbprotocol.compression=zlib\n");
    for database in [None, Some("test")] {
        // A listener has no TLS unless it is told so; a later server always has.
        let server = begin(group().primary().address(), 33, database).without(SSL);
        let proxy = begin(tidegate.address("rw"), 33, database);
        assert_eq!(proxy.settled_greeting(), server.settled_greeting());
        assert_eq!(proxy.version(), server.version());
        let (ok, told) = server.settled_ok();
        let (mut proxys, told_by_us) = proxy.settled_ok();
        // Later servers tell variables too, of which some are not in `connection_metadata` by default.
        for (name, value) in &told {
            let ours = told_by_us.get(name);
            assert!(ours.is_none_or(|ours| ours == value), "{name}: {ours:?}");
        }
        if told.is_empty() && database.is_none() {
            // That variables are told is the only difference.
            proxys[4] &= !0x40;
        }
        if database.is_some() {
            assert_eq!(ok[7..], [&[SCHEMA][..], b"\x04test"].concat());
        }
        assert_eq!((proxy.seq, proxys), (server.seq, ok));
    }
}

#[test]
fn the_first_ok_tells_of_the_connection() {
    let tidegate = start("");
    let value = |sql: &str| group().primary().value(sql).expect("a value");
    let isolation =
        value("SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')");
    for (collation, charset) in [(33, Some("utf8mb3")), (8, Some("latin1")), (35, None)] {
        let (_, told) = begin(tidegate.address("rw"), collation, None).settled_ok();
        for name in ["client", "connection", "results"] {
            let found = told.get(&format!("character_set_{name}"));
            assert_eq!(found.map(String::as_str), charset, "{name}");
        }
        for name in [
            "max_allowed_packet",
            "system_time_zone",
            "time_zone",
            &isolation,
        ] {
            assert_eq!(
                told[name],
                value(&format!("SELECT @@global.{name}")),
                "{name}"
            );
        }
        assert_eq!(told["maxscale"], env!("CARGO_PKG_VERSION"));
        assert!(told["connection_id"].parse::<u64>().expect("a number") > 0);
        assert!(told["threads_connected"].parse::<u64>().expect("a number") > 0);
    }
}

#[test]
fn what_is_told_can_be_chosen() {
    let tidegate =
        start("connection_metadata=answer=42,connection_id=mine,no_such_variable=auto\n");
    let (_, told) = begin(tidegate.address("rw"), 45, None).settled_ok();
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["answer", "connection_id", "threads_connected"]);
    assert_eq!((&*told["answer"], &*told["connection_id"]), ("42", "mine"));
}

#[test]
fn clients_can_be_sent_elsewhere() {
    let lines =
        "connection_metadata=redirect_url=nowhere\nredirect_url=mariadb://db.example:3307\n";
    let tidegate = start(lines);
    let (_, told) = begin(tidegate.address("rw"), 45, None).settled_ok();
    assert_eq!(told["redirect_url"], "mariadb://db.example:3307");
}

#[test]
fn a_changed_variable_is_told_to_new_clients() {
    let tidegate = start("connection_metadata=wait_timeout=auto\n");
    let told = || begin(tidegate.address("rw"), 45, None).settled_ok().1;
    let before = told()["wait_timeout"].clone();
    let set = |value: &str| {
        let sql = format!("SET GLOBAL wait_timeout={value}");
        group().primary().sql(&sql).expect("set");
    };
    set("4321");
    let changed = wait_until("the new value", || told()["wait_timeout"] == "4321");
    set(&before);
    changed.expect("it is told");
}
