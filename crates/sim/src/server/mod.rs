//! Scripted MariaDB servers: each connection a state machine over whole packets, which runs the
//! statements of the simulator, keeps a session's state and tells the shadow model what it runs.

mod commands;
mod login;
mod prepared;
mod reply;
mod run;

use std::collections::BTreeMap;

use crate::bytes::{Packet, Packets, Pipe};
use crate::coverage::{Coverage, Rare};
use crate::meaning::Trx;
use crate::model::{Fate, Model};
use crate::replication::{Gtid, Replication};
use crate::rng::Rng;
use crate::state::SessionState;
use crate::status;

use login::Login;
pub(crate) use login::VERSION;
use prepared::Prepared;
pub(crate) use prepared::{LONG, LONGLONG, VAR_STRING, measure};
pub(crate) use reply::{Reply, read_form, read_marker};

/// The service's own account, and its password.
pub(crate) const SERVICE: (&str, &str) = ("service", "of-the-service");

/// User names and passwords: the truth, which an account manager may know too late.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts(pub(crate) BTreeMap<String, String>);

/// What a connection's step is lent.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    pub(crate) model: &'a mut Model,
    pub(crate) accounts: &'a Accounts,
    pub(crate) replication: &'a mut Replication,
    pub(crate) rng: &'a mut Rng,
    pub(crate) coverage: &'a mut Coverage,
}

/// What a connection is doing.
#[derive(Debug)]
enum Phase {
    Login(Login),
    Commands,
    /// The file of LOAD DATA LOCAL, for the command with that token.
    File {
        token: u32,
        bytes: usize,
        seq: u8,
    },
    /// It has ended from this side.
    Closed,
}

/// What goes wrong on a connection, decided beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quirks {
    /// The login is refused with this error.
    pub(crate) refuse: Option<u16>,
    /// The next SET fails, here alone.
    pub(crate) divergent: bool,
    /// It takes no part in its cluster and refuses so many statements.
    pub(crate) unprepared: u32,
    /// It shuts down: the next statement ends in error 1053, and the connection with it.
    pub(crate) stops: bool,
    /// A change of user is refused.
    pub(crate) refuse_change: bool,
    /// The next read that the client has had an answer to finds other rows.
    pub(crate) altered: bool,
    /// The greeting makes no sense.
    pub(crate) odd_greeting: bool,
    /// It has said something that nobody asked for, which the session may not have read yet.
    pub(crate) spoke: bool,
    /// It died idle, on a replica, and nobody will miss it.
    pub(crate) unmissed: bool,
}

impl Quirks {
    /// Will something go wrong whoever has the connection by then?
    pub(crate) fn outlast_sessions(&self) -> bool {
        self.refuse_change || self.divergent || self.stops || self.unprepared > 0
    }
}

/// The error of a fault that the simulator planted on one server.
pub(crate) const DIVERGENT: u16 = 1999;

/// What a node says that takes no part in its cluster.
pub(crate) const UNPREPARED: u16 = 1047;

/// What a server says that shuts down.
pub(crate) const STOPPING: u16 = 1053;

/// A server's end of one connection.
#[derive(Debug)]
pub(crate) struct Conn {
    /// The number the server gave to it.
    pub(crate) id: u32,
    pub(crate) server: usize,
    /// The session that made it.
    pub(crate) session: usize,
    phase: Phase,
    /// What was agreed.
    caps: u64,
    offered: u64,
    scramble: [u8; 20],
    state: SessionState,
    trx: Trx,
    /// The transaction that was committed last and has not been reported.
    committed: Option<Gtid>,
    /// Writes of the open transaction.
    pending: Vec<u32>,
    stmts: BTreeMap<u32, Prepared>,
    last_stmt: u32,
    /// The proxy's own settings were made: more is reported.
    tracks: bool,
    packets: Packets,
    pub(crate) from_proxy: Pipe,
    pub(crate) to_proxy: Pipe,
    pub(crate) quirks: Quirks,
    /// It has run a statement of the client's: the proxy had it open.
    pub(crate) has_served: bool,
    /// The text that runs has a waiting statement in front of it, for which several statements may have
    /// been allowed.
    waited: bool,
    /// The server has stopped to work.
    pub(crate) hung: bool,
    /// A whole packet may still lie in `packets`.
    more: bool,
    /// The proxy has closed its end.
    pub(crate) parted: bool,
    /// How eagerly it works, by weight.
    pub(crate) pace: u32,
}

impl Conn {
    pub(crate) fn new(id: u32, server: usize, session: usize, offered: u64, rng: &mut Rng) -> Conn {
        let mut scramble = [0; 20];
        for byte in &mut scramble {
            *byte = rng.between(1, 127) as u8;
        }
        Conn {
            id,
            server,
            session,
            phase: Phase::Login(Login::Response),
            caps: 0,
            offered,
            scramble,
            state: SessionState::default(),
            trx: Trx::None,
            committed: None,
            pending: Vec::new(),
            stmts: BTreeMap::new(),
            // Two connections never give a statement the same number.
            last_stmt: id * 1000,
            tracks: false,
            packets: Packets::default(),
            from_proxy: Pipe::default(),
            to_proxy: Pipe::default(),
            quirks: Quirks::default(),
            has_served: false,
            waited: false,
            hung: false,
            more: false,
            parted: false,
            pace: 10,
        }
    }

    /// Can it do something?
    pub(crate) fn has_work(&self) -> bool {
        !self.hung && !self.is_closed() && (self.more || !self.from_proxy.is_empty())
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Is the server in the middle of something: a login, or a statement it has not answered?
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.phase, Phase::Commands)
            || !self.to_proxy.is_empty()
            || !self.from_proxy.is_empty()
            || self.more
    }

    pub(crate) fn in_login(&self) -> bool {
        matches!(self.phase, Phase::Login(_))
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.trx != Trx::None
    }

    /// The peer, or the server itself, ends the connection.
    pub(crate) fn close(&mut self, model: &mut Model, fate: Fate) {
        self.end_transaction(model, fate);
        self.phase = Phase::Closed;
    }

    /// What servers say before they shut down.
    pub(crate) fn say_goodbye(&mut self) {
        let mut reply = Reply::new(self.caps, 0);
        reply.err(1053, "#0 Server shutdown in progress");
        self.to_proxy.push(&reply.bytes);
    }

    /// Reads some of what the proxy wrote, and works on some of the packets that are whole.
    pub(crate) fn work(&mut self, lent: &mut Lent<'_>) -> Result<(), String> {
        let there = self.from_proxy.len();
        if there > 0 {
            let count = crate::world::cut(lent.rng, there);
            let mut bytes = Vec::new();
            self.from_proxy.read(count, &mut bytes);
            self.packets.push(&bytes);
        }
        loop {
            let Some(packet) = self.packets.pull()? else {
                self.more = false;
                return Ok(());
            };
            self.more = true;
            self.packet(&packet, lent)?;
            if self.is_closed() || self.hung || lent.rng.one_in(4) {
                return Ok(());
            }
        }
    }

    fn packet(&mut self, packet: &Packet, lent: &mut Lent<'_>) -> Result<(), String> {
        match self.phase {
            Phase::Login(_) => self.login(packet, lent),
            Phase::Commands => self.command(packet, lent),
            Phase::File { token, bytes, seq } => self.file(packet, token, bytes, seq, lent),
            Phase::Closed => Ok(()),
        }
    }

    /// A piece of a file, or its end.
    fn file(
        &mut self,
        packet: &Packet,
        token: u32,
        bytes: usize,
        seq: u8,
        lent: &mut Lent<'_>,
    ) -> Result<(), String> {
        if packet.first_seq != seq {
            return Err(format!(
                "a piece of a file is numbered {}, not {seq}",
                packet.first_seq
            ));
        }
        let next = packet.last_seq.wrapping_add(1);
        if packet.payload.is_empty() {
            self.phase = Phase::Commands;
            let mut reply = Reply::new(self.caps, next);
            self.wrote(token, lent);
            let was = self.state.clone();
            let changes = self.changes(&was);
            reply.ok(self.ok(token, 3), "", &changes);
            self.to_proxy.push(&reply.bytes);
            lent.coverage.count(Rare::FileLoaded);
        } else {
            self.phase = Phase::File {
                token,
                bytes: bytes + packet.payload.len(),
                seq: next,
            };
        }
        Ok(())
    }

    /// What rows say of where they are from: nothing in a transaction that may be repeated, for the
    /// answers would differ.
    fn origin(&self, model: &Model) -> (usize, u32) {
        let in_transaction = self.trx != Trx::None || !self.state.autocommit();
        if model.sessions[self.session].replays && in_transaction {
            (0, 0)
        } else {
            (self.server, self.id)
        }
    }

    /// The numbers of an OK or EOF packet at this moment.
    fn ok(&self, token: u32, command: u8) -> reply::Ok {
        reply::Ok {
            token,
            status: self.status(),
            command,
        }
    }

    fn status(&self) -> u16 {
        let autocommit = if self.state.autocommit() {
            status::AUTOCOMMIT
        } else {
            0
        };
        let trx = match self.trx {
            Trx::None => 0,
            Trx::ReadWrite => status::IN_TRANS,
            Trx::ReadOnly => status::IN_TRANS | status::IN_TRANS_READONLY,
        };
        autocommit | trx
    }

    /// A statement has written: at once, or in the transaction.
    fn wrote(&mut self, token: u32, lent: &mut Lent<'_>) {
        if self.trx == Trx::None && self.state.autocommit() {
            self.durable(&[token], lent);
        } else {
            self.trx = Trx::ReadWrite;
            self.pending.push(token);
            lent.model.settle(token, self.id, Fate::Pending);
        }
    }

    /// A transaction of these writes is committed.
    fn durable(&mut self, tokens: &[u32], lent: &mut Lent<'_>) {
        if tokens.is_empty() {
            return;
        }
        let gtid = lent.replication.commit(self.server, self.session);
        self.committed = Some(gtid);
        for token in tokens {
            lent.model.settle(*token, self.id, Fate::Durable);
            lent.model.written(*token, gtid, self.server);
        }
    }

    fn commit(&mut self, lent: &mut Lent<'_>) {
        self.trx = Trx::None;
        let tokens = std::mem::take(&mut self.pending);
        self.durable(&tokens, lent);
    }

    fn end_transaction(&mut self, model: &mut Model, fate: Fate) {
        self.trx = Trx::None;
        model.left_transaction(self.id);
        for token in std::mem::take(&mut self.pending) {
            model.settle(token, self.id, fate);
        }
    }
}
