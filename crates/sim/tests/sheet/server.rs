//! A server's end of a connection: it logs everybody in, keeps what it was told until somebody has
//! looked at it, and answers what the script says.

use std::collections::VecDeque;

use crate::packets::{
    AUTOCOMMIT, CAPS, Frames, IN_TRANSACTION, Inbox, MORE_RESULTS, NO_BACKSLASHES, Packet,
    READ_ONLY, STATE_CHANGED, TRACKING, definition, eof, put_text,
};

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Login,
    Commands,
    /// A file of the client's is coming.
    File,
}

/// A command that is not answered.
#[derive(Debug)]
struct Owed {
    /// In the words of the script.
    text: String,
    command: u8,
    seq: u8,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// Which server's.
    pub(crate) server: usize,
    /// It lets nobody in.
    refuses: bool,
    phase: Phase,
    inbox: Inbox,
    owed: VecDeque<Owed>,
    /// What nobody has looked at yet.
    pub(crate) unseen: VecDeque<String>,
    /// What it was told that no script has to mention is answered with this.
    own: Vec<u8>,
    status: u16,
    /// The flags of a transaction that begins without saying how, and of the next one alone.
    usual: u16,
    next: Option<u16>,
    /// The number of the newest packet.
    last: u8,
}

impl Link {
    pub(crate) fn new(server: usize, refuses: bool) -> Link {
        Link {
            server,
            refuses,
            phase: Phase::Connecting,
            inbox: Inbox::default(),
            owed: VecDeque::new(),
            unseen: VecDeque::new(),
            own: Vec::new(),
            status: AUTOCOMMIT,
            usual: IN_TRANSACTION,
            next: None,
            last: 0,
        }
    }

    /// The connection stands?
    pub(crate) fn is_up(&self) -> bool {
        self.phase != Phase::Connecting
    }

    /// The connection stands now: the greeting.
    pub(crate) fn greet(&mut self) -> Vec<u8> {
        self.phase = Phase::Login;
        let mut frames = Frames::from(0);
        let caps = CAPS | TRACKING;
        let [a, b, c, d, ..] = caps.to_le_bytes();
        let mut payload = vec![10];
        payload.extend_from_slice(b"10.11.6-MariaDB\0");
        payload.extend_from_slice(&(100 + self.server as u32).to_le_bytes());
        payload.extend_from_slice(b"12345678\0");
        payload.extend_from_slice(&[a, b, 45, AUTOCOMMIT as u8, 0, c, d, 21]);
        payload.extend_from_slice(&[0; 10]);
        payload.extend_from_slice(b"123456789012\0mysql_native_password\0");
        frames.put(&payload);
        frames.bytes
    }

    /// What it answers by itself to what it was told.
    pub(crate) fn own_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.own)
    }

    /// It is told something.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.inbox.push(bytes);
        while let Some(packet) = self.inbox.pull() {
            self.take(&packet);
        }
    }

    fn take(&mut self, packet: &Packet) {
        self.last = packet.seq;
        match self.phase {
            Phase::Login => {
                self.phase = Phase::Commands;
                let mut frames = Frames::from(packet.seq + 1);
                frames.put(&if self.refuses {
                    error(1045, "28000", "Access denied")
                } else {
                    self.ok(&[])
                });
                self.own.extend_from_slice(&frames.bytes);
            }
            Phase::File => {
                let text = String::from_utf8_lossy(&packet.payload).into_owned();
                if packet.payload.is_empty() {
                    self.phase = Phase::Commands;
                }
                self.unseen
                    .push_back(format!("piece {text}").trim_end().to_owned());
            }
            Phase::Commands | Phase::Connecting => self.command(packet),
        }
    }

    fn command(&mut self, packet: &Packet) {
        let text = words(packet);
        let command = packet.first().unwrap_or_default();
        if text.starts_with("SET session_track_schema=ON") {
            let mut frames = Frames::from(1);
            frames.put(&self.ok(&[]));
            self.own.extend_from_slice(&frames.bytes);
            return;
        }
        self.unseen.push_back(text.clone());
        // COM_QUIT, COM_STMT_CLOSE and COM_STMT_SEND_LONG_DATA have no answer.
        if !matches!(command, 0x01 | 0x18 | 0x19) {
            let seq = packet.seq + 1;
            self.owed.push_back(Owed { text, command, seq });
        }
    }

    /// It answers the oldest command as the script says.
    pub(crate) fn answer(&mut self, text: &str) -> Result<Vec<u8>, String> {
        if let Some(rest) = text.strip_prefix("more ") {
            return self.go_on(rest);
        }
        let owed = self.owed.pop_front().ok_or("it owes no answer")?;
        let mut frames = Frames::from(owed.seq);
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "ok" => {
                self.follow(&owed.text);
                let mut ok = self.ok(&changes(rest));
                if let Some(rows) = rest.strip_prefix("changed ") {
                    ok[1] = rows.parse().map_err(|_| format!("changed {rows}?"))?;
                }
                frames.put(&ok);
            }
            // The first of two results is that of what stands in front of the statement.
            "ok+" => {
                frames.put(&self.ok_with(&[], MORE_RESULTS));
                self.last = owed.seq;
                let rest = self.result(rest, owed.command, &mut frames);
                if rest {
                    return Err("a result that is not whole behind another".to_owned());
                }
            }
            "error" => {
                let mut words = rest.splitn(3, ' ');
                let code = words.next().and_then(|code| code.parse().ok());
                let code = code.ok_or_else(|| format!("which error: {rest}?"))?;
                let state = words.next().unwrap_or("HY000");
                frames.put(&error(code, state, words.next().unwrap_or("no")));
            }
            "rows" => {
                if self.result(text, owed.command, &mut frames) {
                    self.owed.push_front(owed);
                }
            }
            "eof" => frames.put(&eof(self.status)),
            "prepared" => self.prepared(rest, &mut frames)?,
            "file" => {
                self.phase = Phase::File;
                frames.put(b"\xFBx.csv");
                self.owed.push_front(Owed {
                    text: "file".to_owned(),
                    ..owed
                });
            }
            _ => return Err(format!("what is the answer {text:?}?")),
        }
        Ok(frames.bytes)
    }

    /// A result set with rows of one column each. `true`: the script wants it to break off.
    fn result(&self, text: &str, command: u8, frames: &mut Frames) -> bool {
        let values = text.strip_prefix("rows").unwrap_or_default();
        frames.put(&[1]);
        frames.put(&definition());
        frames.put(&eof(self.status));
        let mut breaks_off = false;
        for value in values.split_whitespace() {
            breaks_off = value == "...";
            if !breaks_off {
                frames.put(&row(value, command));
            }
        }
        if !breaks_off {
            frames.put(&eof(self.status));
        }
        breaks_off
    }

    /// The answer after a file has come.
    fn go_on(&mut self, text: &str) -> Result<Vec<u8>, String> {
        let owed = self.owed.pop_front().ok_or("it owes no answer")?;
        let mut frames = Frames::from(self.last + 1);
        match text {
            "ok" if owed.text == "file" => frames.put(&self.ok(&[])),
            _ => return Err(format!("what is the rest {text:?}?")),
        }
        Ok(frames.bytes)
    }

    fn prepared(&self, rest: &str, frames: &mut Frames) -> Result<(), String> {
        let mut numbers = rest.split_whitespace().map(str::parse::<u16>);
        let (Some(Ok(id)), Some(Ok(params))) = (numbers.next(), numbers.next()) else {
            return Err(format!("prepared {rest}? It is: prepared ID PARAMETERS"));
        };
        let (id, params_bytes) = (u32::from(id).to_le_bytes(), params.to_le_bytes());
        frames.put(&[&[0], &id[..], &[1, 0], &params_bytes[..], &[0, 0, 0]].concat());
        for columns in [params, 1] {
            if columns > 0 {
                (0..columns).for_each(|_| frames.put(&definition()));
                frames.put(&eof(self.status));
            }
        }
        Ok(())
    }

    fn ok(&self, changes: &[u8]) -> Vec<u8> {
        self.ok_with(changes, 0)
    }

    fn ok_with(&self, changes: &[u8], more: u16) -> Vec<u8> {
        let changed = if changes.is_empty() { 0 } else { STATE_CHANGED };
        let [low, high] = (self.status | changed | more).to_le_bytes();
        let mut payload = vec![0, 0, 0, low, high, 0, 0];
        if !changes.is_empty() {
            payload.push(0);
            put_text(&mut payload, changes);
        }
        payload
    }

    /// A transaction is open, or none is, by whatever means.
    pub(crate) fn set_in_transaction(&mut self, open: bool) {
        self.status &= !IN_TRANSACTION;
        self.status |= if open { IN_TRANSACTION } else { 0 };
    }

    /// What a statement that succeeded does to the transaction.
    fn follow(&mut self, text: &str) {
        let text = text.to_ascii_uppercase();
        let read_only = IN_TRANSACTION | READ_ONLY;
        let begun = match text.as_str() {
            "SET AUTOCOMMIT=0" => return self.status &= !AUTOCOMMIT,
            "SET SQL_MODE='NO_BACKSLASH_ESCAPES'" => return self.status |= NO_BACKSLASHES,
            "SET TRANSACTION READ ONLY" => return self.next = Some(read_only),
            "SET TRANSACTION READ WRITE" => return self.next = Some(IN_TRANSACTION),
            "SET SESSION TRANSACTION READ ONLY" => return self.usual = read_only,
            "START TRANSACTION READ ONLY" => read_only,
            "START TRANSACTION READ WRITE" | "XA START 'X'" => IN_TRANSACTION,
            "BEGIN" | "START TRANSACTION" => self.next.take().unwrap_or(self.usual),
            "SET AUTOCOMMIT=1" => {
                self.status |= AUTOCOMMIT;
                0
            }
            "COMMIT" | "ROLLBACK" | "XA PREPARE 'X'" => 0,
            _ => return,
        };
        self.status = self.status & !read_only | begun;
    }
}

/// A command in the words of the script.
fn words(packet: &Packet) -> String {
    let text = packet.text();
    let id = || {
        let bytes = packet
            .payload
            .get(1..5)
            .and_then(|id| id.first_chunk::<4>());
        u32::from_le_bytes(bytes.copied().unwrap_or_default())
    };
    match packet.first() {
        Some(0x01) => "quit".to_owned(),
        Some(0x02) => format!("init db {text}"),
        Some(0x03) => text,
        Some(0x0e) => "ping".to_owned(),
        Some(0x11) => {
            let user = text.split('\0').next().unwrap_or_default();
            format!("change user {user}")
        }
        Some(0x16) => format!("prepare {text}"),
        Some(0x17) => format!("execute {}{}", id(), parameter(&packet.payload)),
        Some(0x19) => format!("close {}", id()),
        Some(0x1b) => format!("several {}", packet.payload.get(1) == Some(&0)),
        Some(0x1f) => "reset connection".to_owned(),
        other => format!("command {other:?}"),
    }
}

/// The type and the value of the only parameter of an execution, if it has one.
fn parameter(payload: &[u8]) -> String {
    // Id, flags and iterations, then the bitmap of NULLs and whether types follow.
    match payload.get(10..) {
        Some([_, 0, ..]) => " without a type".to_owned(),
        Some([_, 1, 253, 0, len, value @ ..]) if value.len() == usize::from(*len) => {
            format!(" with {}", String::from_utf8_lossy(value))
        }
        Some([]) | None => String::new(),
        Some(other) => format!(" with {other:?}"),
    }
}

/// The change that says which transaction was written last.
fn changes(text: &str) -> Vec<u8> {
    let Some(position) = text.strip_prefix("gtid ") else {
        return Vec::new();
    };
    let mut change = Vec::new();
    put_text(&mut change, b"last_gtid");
    put_text(&mut change, position.as_bytes());
    let mut out = vec![0];
    put_text(&mut out, &change);
    out
}

fn row(value: &str, command: u8) -> Vec<u8> {
    let mut row = if command == 0x17 {
        vec![0, 0]
    } else {
        Vec::new()
    };
    put_text(&mut row, value.as_bytes());
    row
}

fn error(code: u16, state: &str, text: &str) -> Vec<u8> {
    let mut payload = vec![0xFF];
    payload.extend_from_slice(&code.to_le_bytes());
    payload.extend_from_slice(format!("#{state}{text}").as_bytes());
    payload
}
