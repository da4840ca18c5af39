//! How a scripted server writes its replies.

use crate::bytes::{put_int, put_lenenc, put_nul, put_packet, put_text};
use crate::caps;
use crate::status;

/// What a row's first value says: whose row it is.
pub(crate) fn marker(server: usize, conn: u32, token: u32, row: u32) -> String {
    format!("s{server}c{conn}t{token}r{row}")
}

/// What definitions of rows in some form are called, and such rows say themselves.
pub(crate) fn form_name(form: u32) -> String {
    format!("f{form}")
}

/// The form that a marker or a definition's name ends with.
pub(crate) fn read_form(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    text.rsplit_once('f')?.1.parse().ok()
}

/// Reads a marker: server, connection, token, row; whatever form follows.
pub(crate) fn read_marker(text: &[u8]) -> Option<(usize, u32, u32, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let rest = text.strip_prefix('s')?;
    let (server, rest) = rest.split_once('c')?;
    let (conn, rest) = rest.split_once('t')?;
    let (token, row) = rest.split_once('r')?;
    Some((
        server.parse().ok()?,
        conn.parse().ok()?,
        token.parse().ok()?,
        row.split('f').next()?.parse().ok()?,
    ))
}

/// One entry of the session tracking block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Variable(&'static str, String),
    Schema(String),
    Characteristics(&'static str),
    State,
}

/// Writes the packets of one reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) seq: u8,
    caps: u64,
}

/// The numbers of an OK packet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ok {
    pub(crate) token: u32,
    pub(crate) status: u16,
    /// The command it answers, so that the client can tell.
    pub(crate) command: u8,
}

impl Reply {
    pub(crate) fn new(caps: u64, seq: u8) -> Reply {
        Reply {
            bytes: Vec::new(),
            seq,
            caps,
        }
    }

    pub(crate) fn packet(&mut self, payload: &[u8]) {
        put_packet(&mut self.bytes, &mut self.seq, payload);
    }

    fn has(&self, cap: u64) -> bool {
        self.caps & cap != 0
    }

    pub(crate) fn ok(&mut self, ok: Ok, info: &str, changes: &[Change]) {
        self.ok_packet(0x00, ok, info, changes);
    }

    fn ok_packet(&mut self, header: u8, ok: Ok, info: &str, changes: &[Change]) {
        let tracked = self.has(caps::SESSION_TRACK) && !changes.is_empty();
        let status = if tracked {
            ok.status | status::SESSION_STATE_CHANGED
        } else {
            ok.status
        };
        let mut payload = vec![header];
        put_lenenc(&mut payload, 1);
        put_lenenc(&mut payload, u64::from(ok.token));
        put_int(&mut payload, u64::from(status), 2);
        put_int(&mut payload, u64::from(ok.command), 2);
        if tracked || !info.is_empty() {
            put_text(&mut payload, info.as_bytes());
        }
        if tracked {
            put_text(&mut payload, &changes_block(changes));
        }
        self.packet(&payload);
    }

    pub(crate) fn err(&mut self, code: u16, text: &str) {
        let mut payload = vec![0xFF];
        put_int(&mut payload, u64::from(code), 2);
        payload.extend_from_slice(b"#HY000");
        payload.extend_from_slice(text.as_bytes());
        self.packet(&payload);
    }

    /// A progress report, where the proxy agreed to get them.
    pub(crate) fn progress(&mut self) {
        if self.has(caps::PROGRESS) {
            let mut payload = vec![0xFF, 0xFF, 0xFF, 1, 1, 2];
            put_int(&mut payload, 500, 3);
            put_text(&mut payload, b"working");
            self.packet(&payload);
        }
    }

    /// The end of rows or definitions.
    pub(crate) fn end(&mut self, ok: Ok, changes: &[Change]) {
        if self.has(caps::DEPRECATE_EOF) {
            self.ok_packet(0xFE, ok, "", changes);
        } else {
            self.eof(ok);
        }
    }

    fn eof(&mut self, ok: Ok) {
        let mut payload = vec![0xFE];
        put_int(&mut payload, u64::from(ok.command), 2);
        put_int(&mut payload, u64::from(ok.status), 2);
        self.packet(&payload);
    }

    /// The EOF after definitions, which newer dialects leave out.
    pub(crate) fn end_of_definitions(&mut self, ok: Ok) {
        if !self.has(caps::DEPRECATE_EOF) {
            self.eof(ok);
        }
    }

    /// May definitions be left out?
    pub(crate) fn caches_definitions(&self) -> bool {
        self.has(caps::CACHE_METADATA)
    }

    /// How many columns follow; without `definitions`, the client is trusted to remember them.
    pub(crate) fn column_count(&mut self, count: u64, definitions: bool) {
        let mut payload = Vec::new();
        put_lenenc(&mut payload, count);
        if self.has(caps::CACHE_METADATA) {
            payload.push(u8::from(definitions));
        }
        self.packet(&payload);
    }

    pub(crate) fn column(&mut self, name: &str) {
        let mut payload = Vec::new();
        for text in ["def", "", "t", "t", name, name] {
            put_text(&mut payload, text.as_bytes());
        }
        payload.push(0x0C);
        put_int(&mut payload, 45, 2);
        put_int(&mut payload, 1 << 20, 4);
        payload.push(0xFD);
        put_int(&mut payload, 0, 2);
        payload.push(0);
        put_int(&mut payload, 0, 2);
        self.packet(&payload);
    }

    /// A row of one value, or of two where it has to be `bytes` long.
    pub(crate) fn row(&mut self, marker: &str, bytes: u32, binary: bool) {
        let mut payload = Vec::new();
        if binary {
            payload.extend_from_slice(&[0, 0]);
        }
        put_text(&mut payload, marker.as_bytes());
        if bytes > 0 {
            put_text(&mut payload, &vec![b'x'; bytes as usize]);
        }
        self.packet(&payload);
    }
}

fn changes_block(changes: &[Change]) -> Vec<u8> {
    let mut block = Vec::new();
    for change in changes {
        let mut data = Vec::new();
        let kind = match change {
            Change::Variable(name, value) => {
                put_text(&mut data, name.as_bytes());
                put_text(&mut data, value.as_bytes());
                0
            }
            Change::Schema(name) => {
                put_text(&mut data, name.as_bytes());
                1
            }
            Change::State => {
                put_text(&mut data, b"1");
                2
            }
            Change::Characteristics(sql) => {
                put_text(&mut data, sql.as_bytes());
                4
            }
        };
        block.push(kind);
        put_text(&mut block, &data);
    }
    block
}

/// A server's greeting.
pub(crate) fn greeting(version: &str, conn: u32, scramble: &[u8; 20], caps: u64) -> Vec<u8> {
    let mut payload = vec![10];
    put_nul(&mut payload, version.as_bytes());
    put_int(&mut payload, u64::from(conn), 4);
    payload.extend_from_slice(&scramble[..8]);
    payload.push(0);
    put_int(&mut payload, caps & 0xFFFF, 2);
    payload.push(45);
    put_int(&mut payload, u64::from(status::AUTOCOMMIT), 2);
    put_int(&mut payload, caps >> 16 & 0xFFFF, 2);
    payload.push(21);
    payload.extend_from_slice(&[0; 6]);
    put_int(&mut payload, caps >> 32, 4);
    payload.extend_from_slice(&scramble[8..]);
    payload.push(0);
    put_nul(&mut payload, b"mysql_native_password");
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_read_back() {
        assert_eq!(
            read_marker(marker(1, 22, 333, 0).as_bytes()),
            Some((1, 22, 333, 0))
        );
        assert_eq!(read_marker(b"x"), None);
        assert_eq!(read_marker(b"s1c22t333r0f2"), Some((1, 22, 333, 0)));
        assert_eq!(read_form(b"s1c22t333r0f2"), Some(2));
        assert_eq!(read_form(form_name(1).as_bytes()), Some(1));
        assert_eq!(read_form(b"s1c22t333r0"), None);
    }
}
