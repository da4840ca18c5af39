//! Scripted clients: they log in, issue random commands, and read what comes as fast or as slowly as
//! they like.
//!
//! The reader checks every byte at the moment the core writes it; the client itself hears of it when it
//! has read so far.

mod command;
mod dialogue;
mod reader;
mod replies;
mod script;

use std::collections::{BTreeMap, VecDeque};

use crate::bytes::Pipe;
use crate::coverage::Rare;
use crate::model::{Model, What};
use crate::plan::ClientPlan;
use crate::rng::Rng;
use crate::server::Accounts;

pub(crate) use reader::Reader;
pub(crate) use script::Kind;

/// What a client hears when it has read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The greeting.
    Greeting {
        scramble: [u8; 20],
        caps: u64,
    },
    /// It shall answer this scramble.
    Switch {
        scramble: [u8; 20],
        seq: u8,
    },
    LoggedIn,
    Refused,
    /// A server wants a file; the number of its first packet.
    File {
        seq: u8,
    },
    Answered {
        token: u32,
    },
    Prepared {
        token: u32,
        id: u32,
        params: u16,
    },
}

/// A statement the client has prepared.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The token of its COM_STMT_PREPARE.
    token: u32,
    params: u16,
    /// The types that were sent last; a parameter's value is always written as they say.
    types: Vec<u8>,
    typed: bool,
    /// Long data sent for the next execution, which is its second parameter.
    long: Option<Vec<u8>>,
    /// The step at which the first of them was sent.
    bound_since: Option<u64>,
    writes: bool,
}

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Greeting,
    Login,
    Commands,
    /// It waits for an answer before it does anything else.
    Alone,
    /// It sends a file: so many pieces are left, the next has that number.
    File {
        pieces: u8,
        seq: u8,
    },
    /// It has said or done its last.
    Done,
}

/// How a client ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// COM_QUIT.
    Quit,
    /// It closes its connection.
    Close,
    /// It says nothing any more.
    Silence,
}

/// What a client is lent to act.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    pub(crate) model: &'a mut Model,
    pub(crate) accounts: &'a Accounts,
    pub(crate) coverage: &'a mut crate::coverage::Coverage,
}

/// One scripted client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its session's number in the world.
    session: usize,
    pub(crate) plan: ClientPlan,
    rng: Rng,
    pub(crate) stage: Stage,
    pub(crate) reader: Reader,
    /// What it will hear, and after how many bytes of what it reads.
    notices: VecDeque<(u64, Notice)>,
    /// Bytes that were written to it, and those it has read.
    pub(crate) written: u64,
    pub(crate) read: u64,
    /// What it has written and nobody has read.
    pub(crate) to_proxy: Pipe,
    /// It will write nothing more: the connection is closed from its side.
    pub(crate) closed: bool,
    /// Commands it still wants to issue.
    budget: usize,
    /// Commands whose answer it has not read.
    pub(crate) waiting: usize,
    scramble: [u8; 20],
    caps: u64,
    user: String,
    statements: BTreeMap<u32, Statement>,
    /// The texts it has prepared, by their tokens.
    texts: BTreeMap<u32, String>,
    /// Those of statements that it has closed since.
    closed_texts: Vec<u32>,
    /// Cursors it believes to be open, by statement.
    cursors: Vec<u32>,
    /// Names of text-protocol statements it has prepared.
    named: Vec<String>,
    /// The token of its last COM_RESET_CONNECTION: what was prepared before it is gone.
    reset_by: u32,
    pub(crate) goodbye: Option<Goodbye>,
}

impl Client {
    pub(crate) fn new(session: usize, plan: ClientPlan, rng: Rng) -> Client {
        let budget = plan.commands;
        let user = plan.user.clone();
        Client {
            session,
            plan,
            rng,
            stage: Stage::Greeting,
            reader: Reader::new(session),
            notices: VecDeque::new(),
            written: 0,
            read: 0,
            to_proxy: Pipe::default(),
            closed: false,
            budget,
            waiting: 0,
            scramble: [0; 20],
            caps: 0,
            user,
            statements: BTreeMap::new(),
            texts: BTreeMap::new(),
            closed_texts: Vec::new(),
            cursors: Vec::new(),
            named: Vec::new(),
            reset_by: 0,
            goodbye: None,
        }
    }

    /// The core has written this to the client.
    pub(crate) fn receive(&mut self, bytes: &[u8], lent: &mut Lent<'_>) -> Result<(), String> {
        self.written += bytes.len() as u64;
        let mut heard = Vec::new();
        self.reader
            .feed(bytes, lent.model, lent.coverage, &mut heard)?;
        self.notices
            .extend(heard.into_iter().map(|notice| (self.written, notice)));
        Ok(())
    }

    /// Bytes that it could read.
    pub(crate) fn unread(&self) -> u64 {
        self.written - self.read
    }

    /// It reads, and reacts to what it reads.
    pub(crate) fn read_some(&mut self, count: u64, lent: &mut Lent<'_>) {
        self.read += count;
        while let Some((at, _)) = self.notices.front()
            && *at <= self.read
        {
            if let Some((_, notice)) = self.notices.pop_front() {
                self.hear(notice, lent);
            }
        }
    }

    fn hear(&mut self, notice: Notice, lent: &mut Lent<'_>) {
        match notice {
            Notice::Greeting { scramble, caps } => self.answer_greeting(scramble, caps, lent),
            Notice::Switch { scramble, seq } => self.answer_switch(scramble, seq, lent),
            Notice::LoggedIn => {
                self.stage = Stage::Commands;
            }
            Notice::Refused => {
                if self.stage == Stage::Alone {
                    self.stage = Stage::Commands;
                }
            }
            Notice::File { seq } => {
                let pieces = self.rng.below(4) as u8;
                self.stage = Stage::File { pieces, seq };
            }
            Notice::Answered { token } => self.answered(token, lent),
            Notice::Prepared { token, id, params } if token > self.reset_by => {
                let text = lent.model.prepared(token);
                let writes = text.is_some_and(crate::sql::Text::writes);
                // The same text may have been prepared before.
                let first = text.and_then(|text| text.token);
                let statement = Statement {
                    token: first.unwrap_or(token),
                    params,
                    types: Vec::new(),
                    typed: false,
                    long: None,
                    bound_since: None,
                    writes,
                };
                self.statements.insert(id, statement);
            }
            Notice::Prepared { .. } => {}
        }
    }

    fn answered(&mut self, token: u32, lent: &mut Lent<'_>) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(What::ChangeUser {
            good: true, user, ..
        }) = lent.model.get(token).map(|issued| &issued.what)
        {
            self.user.clone_from(user);
            self.forget_statements();
            lent.coverage.count(Rare::UserChanged);
        }
        if self.stage == Stage::Alone {
            self.stage = Stage::Commands;
        }
    }

    fn forget_statements(&mut self) {
        self.statements.clear();
        self.cursors.clear();
        self.named.clear();
    }

    /// Does it want to do something?
    pub(crate) fn wants_to_act(&self) -> bool {
        match self.stage {
            Stage::File { .. } => true,
            Stage::Commands => {
                self.goodbye.is_none()
                    && (self.budget == 0 && self.waiting == 0 || self.wants_command())
            }
            Stage::Greeting | Stage::Login | Stage::Alone | Stage::Done => false,
        }
    }

    fn wants_command(&self) -> bool {
        self.budget > 0 && self.waiting < self.plan.depth
    }

    /// It does the next thing it wants to do.
    pub(crate) fn act(&mut self, lent: &mut Lent<'_>) {
        match self.stage {
            Stage::File { pieces, seq } => self.send_piece(pieces, seq),
            Stage::Commands if self.budget == 0 => self.leave(lent),
            Stage::Commands => {
                self.budget -= 1;
                self.issue(lent);
            }
            Stage::Greeting | Stage::Login | Stage::Alone | Stage::Done => {}
        }
    }

    fn send_piece(&mut self, pieces: u8, seq: u8) {
        let mut out = Vec::new();
        let mut next = seq;
        let len = if pieces == 0 {
            0
        } else {
            self.rng.between(1, 3000)
        };
        crate::bytes::put_packet(&mut out, &mut next, &vec![b'\x19'; len]);
        self.to_proxy.push(&out);
        self.stage = if pieces == 0 {
            Stage::Commands
        } else {
            Stage::File {
                pieces: pieces - 1,
                seq: next,
            }
        };
    }

    /// It goes, as it was planned.
    pub(crate) fn leave(&mut self, lent: &mut Lent<'_>) {
        use tidegate_session::Cause;
        let goodbye = self.plan.goodbye;
        self.goodbye = Some(goodbye);
        match goodbye {
            Goodbye::Quit => {
                self.to_proxy.push(&[1, 0, 0, 0, 1]);
                lent.model.sessions[self.session].excuse(Cause::ClientQuit);
            }
            Goodbye::Close => self.hang_up(lent),
            Goodbye::Silence => {}
        }
    }

    /// It closes its connection, whatever is going on.
    pub(crate) fn hang_up(&mut self, lent: &mut Lent<'_>) {
        self.goodbye = Some(Goodbye::Close);
        self.closed = true;
        lent.model
            .trouble(self.session, &[tidegate_session::Cause::ClientLost]);
        if self.waiting > 0 {
            lent.coverage.count(Rare::ClientLostWaiting);
        }
    }
}
