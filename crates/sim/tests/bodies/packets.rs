//! Well-formed packets: what clients ask and what servers answer.

use tidegate_wire::frame::frame_into;
use tidegate_wire::login::{ClientLogin, Identity, Secret, ServerLogin, ServerLoginConfig};
use tidegate_wire::{Caps, Command, Shape};

/// Statements of every kind that a session treats in its own way.
pub(super) const TEXTS: &[&str] = &[
    "SELECT 1",
    "SELECT @a, c FROM t1 WHERE id=7",
    "INSERT INTO t1 VALUES (1)",
    "SET @a = 5",
    "SET autocommit=0",
    "SET autocommit=1",
    "BEGIN",
    "START TRANSACTION READ ONLY",
    "COMMIT",
    "ROLLBACK",
    "USE test",
    "SELECT CONNECTION_ID()",
    "PREPARE s FROM 'SELECT ?'",
    "EXECUTE s USING @a",
    "DEALLOCATE PREPARE s",
    "CREATE TEMPORARY TABLE tmp (a INT)",
    "SELECT * FROM tmp",
    "DROP TEMPORARY TABLE tmp",
    "SELECT 1; SELECT 2",
    "SET @a = 1; INSERT INTO t1 VALUES (@a)",
    "LOAD DATA LOCAL INFILE 'x' INTO TABLE t1",
    "LOCK TABLES t1 WRITE",
    "UNLOCK TABLES",
    "SET sql_mode='ORACLE'",
    "SET NAMES gbk",
    "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "KILL QUERY 3",
    "CALL p()",
    "SELECT GET_LOCK('l', 1)",
    "SELECT LAST_INSERT_ID()",
    "SHOW WARNINGS",
    "SET PASSWORD = PASSWORD('x')",
    "XA START 'x'",
    "-- maxscale route to server db2\nSELECT 1",
    "SELECT 1 /* maxscale route to all */",
    "SELECT 'unclosed",
    "",
];

const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c?\0\x01\0\0\0\x03\x81\0\0\0\0";
const EOF: &[u8] = b"\xfe\0\0\x02\0";
const ERR: &[u8] = b"\xff\x28\x04#42000no";
const SWITCH: &[u8] = b"\xfemysql_native_password\x0001234567890123456789\0";

/// An OK packet, with a change of the default database where session changes are tracked.
fn ok(first: u8, status: u16, tracked: bool) -> Vec<u8> {
    let status = if tracked { status | 0x4000 } else { status };
    let [low, high] = status.to_le_bytes();
    let mut packet = vec![first, 0, 0, low, high, 0, 0];
    if tracked {
        packet.extend_from_slice(b"\0\x07\x01\x05\x04test");
    }
    packet
}

/// The greeting of a server.
pub(super) fn greeting(id: u32, caps: Caps) -> Vec<u8> {
    let mut bytes = Vec::new();
    let config = ServerLoginConfig {
        version: b"10.11.0-MariaDB".to_vec(),
        conn_id: id,
        scramble: [7; 20],
        collation: 45,
        caps_offered: caps,
        default_plugin: b"mysql_native_password".to_vec(),
        nonces: tidegate_wire::auth::Nonces::default(),
    };
    ServerLogin::start(config, &mut bytes);
    bytes
}

/// The answer of a client without a password to the greeting that [`greeting`] makes.
pub(super) fn client_response(caps: Caps, choice: u8) -> Vec<u8> {
    let mut identity = Identity::new(b"app", Secret::None);
    identity.caps = if choice & 1 == 0 {
        caps
    } else {
        caps.difference(Caps::SESSION_TRACK)
    };
    identity.database = (choice & 2 != 0).then(|| b"test".to_vec());
    let mut response = Vec::new();
    let mut login = ClientLogin::new(identity);
    let greeting = greeting(1, caps);
    let step = login.on_packet(&greeting[4..], 0, &mut response);
    assert!(step.is_ok(), "{step:?}");
    response
}

/// A command about the prepared statement `id`.
pub(super) fn prepared(choice: u8, id: u8) -> Vec<u8> {
    let id = [id, 0, 0, 0];
    let with = |command: Command, rest: &[u8]| [&[command.byte()], &id[..], rest].concat();
    match choice % 8 {
        0 => [&[Command::StmtPrepare.byte()], &b"SELECT ?"[..]].concat(),
        1 => [
            &[Command::StmtPrepare.byte()],
            &b"INSERT INTO t1 VALUES (?)"[..],
        ]
        .concat(),
        2 => with(Command::StmtExecute, b"\0\x01\0\0\0\0\x01\x03\0\x05\0\0\0"),
        3 => with(Command::StmtExecute, b"\x01\x01\0\0\0\0\0\x05\0\0\0"),
        4 => with(Command::StmtClose, b""),
        5 => with(Command::StmtReset, b""),
        6 => with(Command::StmtFetch, b"\x02\0\0\0"),
        _ => with(Command::StmtSendLongData, b"\0\0piece"),
    }
}

/// A COM_CHANGE_USER of a client without a password.
pub(super) fn change_user() -> &'static [u8] {
    b"\x11app\0\0test\0\x2d\0mysql_native_password\0"
}

/// What a server can answer to a command.
pub(super) struct Answer {
    pub(super) caps: Caps,
    /// The number after the command's.
    pub(super) seq: u8,
    /// Which of the ways there are.
    pub(super) kind: u8,
    /// The id of a statement that is prepared.
    pub(super) statement: u32,
}

impl Answer {
    /// The answer to a command of that code.
    pub(super) fn to(&self, command: Option<u8>) -> Vec<u8> {
        let shape = command
            .and_then(Command::from_byte)
            .map_or(Shape::Ok, Command::reply_shape);
        let tracked = self.kind & 4 != 0;
        let packets = match (self.kind % 4, shape) {
            (3, _) => vec![ERR.to_vec()],
            (_, Shape::Prepare) => self.prepare_ok(),
            (0, Shape::Eof) => vec![self.eof(2)],
            (_, Shape::Fetch) => vec![b"\0\0\x05\0\0\0".to_vec(), self.eof(0x82)],
            (_, Shape::FieldList) => vec![DEFINITION.to_vec(), self.eof(2)],
            (_, Shape::Statistics) => vec![b"Uptime: 1".to_vec()],
            (1, Shape::Auth) => vec![SWITCH.to_vec()],
            (1, Shape::Query) => self.rows(b"\x01z", 2),
            (1, Shape::Execute) => self.rows(b"\0\0\x05\0\0\0", 2),
            (2, Shape::Query) if self.kind & 8 != 0 => vec![b"\xfbx".to_vec()],
            (2, Shape::Query) => {
                let mut packets = self.rows(b"\x01z", 0x0a);
                packets.push(ok(0, 3, tracked));
                packets
            }
            (2, Shape::Execute) => self.cursor(),
            (2, _) => vec![ok(0, 1, tracked)],
            _ => vec![ok(0, 2, tracked)],
        };
        self.framed(&packets)
    }

    /// A server's word on a login.
    pub(super) fn to_login(&self) -> Vec<u8> {
        let packet = match self.kind % 4 {
            1 => SWITCH.to_vec(),
            3 => ERR.to_vec(),
            _ => ok(0, 2, false),
        };
        self.framed(&[packet])
    }

    fn framed(&self, packets: &[Vec<u8>]) -> Vec<u8> {
        let (mut out, mut seq) = (Vec::new(), self.seq);
        for packet in packets {
            frame_into(&mut out, &mut seq, packet);
        }
        out
    }

    fn has_eof(&self) -> bool {
        !self.caps.contains(Caps::DEPRECATE_EOF)
    }

    fn eof(&self, status: u8) -> Vec<u8> {
        if self.has_eof() {
            vec![0xfe, 0, 0, status, 0]
        } else {
            ok(0xfe, u16::from(status), false)
        }
    }

    fn rows(&self, row: &[u8], status: u8) -> Vec<Vec<u8>> {
        let mut packets = vec![self.count(), DEFINITION.to_vec()];
        packets.extend(self.has_eof().then(|| EOF.to_vec()));
        packets.push(row.to_vec());
        packets.push(self.eof(status));
        packets
    }

    fn cursor(&self) -> Vec<Vec<u8>> {
        vec![self.count(), DEFINITION.to_vec(), self.eof(0x42)]
    }

    fn count(&self) -> Vec<u8> {
        if self.caps.contains(Caps::CACHE_METADATA) {
            vec![1, 1]
        } else {
            vec![1]
        }
    }

    fn prepare_ok(&self) -> Vec<Vec<u8>> {
        let [a, b, c, d] = self.statement.to_le_bytes();
        let mut packets = vec![
            vec![0, a, b, c, d, 0, 0, 1, 0, 0, 0, 0],
            DEFINITION.to_vec(),
        ];
        packets.extend(self.has_eof().then(|| EOF.to_vec()));
        packets
    }
}
