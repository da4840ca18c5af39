//! The shadow model: what clients have said, what servers have done with it, what clients were told,
//! and the laws that tie the three together.
//!
//! The model knows nothing of the core. It hears of commands when clients write them, of statements
//! when servers run them, and of answers when the core writes them. The first law that is broken ends
//! the schedule.

mod answers;
mod runs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidegate_session::Cause;

use crate::meaning::Trx;
use crate::plan::Promise;
use crate::replication::{Gtid, Position};
use crate::sql::{Stmt, Table, Text};
use crate::state::SessionState;

pub(crate) use answers::Answer;
pub(crate) use runs::{Run, is_repeatable};

/// What a command is.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// COM_QUERY.
    Text(Text),
    /// COM_STMT_PREPARE.
    Prepare(Text),
    /// COM_STMT_EXECUTE of the statement with that token; `carries_token`: in its first parameter.
    Execute {
        stmt: u32,
        carries_token: bool,
        client_id: u32,
    },
    /// COM_STMT_BULK_EXECUTE of the statement with that token.
    Bulk { stmt: u32 },
    /// COM_STMT_FETCH of so many rows.
    Fetch { client_id: u32, rows: u32 },
    /// COM_STMT_RESET.
    StmtReset { client_id: u32 },
    /// COM_INIT_DB.
    InitDb(String),
    /// COM_SET_OPTION.
    MultiStatements(bool),
    /// COM_PING, COM_DEBUG: nothing but OK.
    Plain,
    /// COM_RESET_CONNECTION.
    ResetConnection,
    /// COM_FIELD_LIST.
    FieldList,
    /// COM_STATISTICS.
    Statistics,
    /// COM_CHANGE_USER, with the right password or not.
    ChangeUser {
        user: String,
        database: Option<String>,
        good: bool,
    },
    /// Something that is answered with this error by the proxy or by a server.
    Refused(u16),
    /// Something a filter of the simulator answers with its token.
    FilterAnswers,
    /// A command without an answer.
    Silent,
}

/// What became of what a statement wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing was written.
    None,
    /// In an open transaction.
    Pending,
    Durable,
    RolledBack,
    /// Its transaction was lost with its connection.
    Vanished,
}

/// A command that a client has written.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) session: usize,
    /// When: the world's step.
    pub(crate) step: u64,
    pub(crate) command: u8,
    /// The step of the first command that fixed where it runs: its own, or the long data sent for it.
    pub(crate) bound_since: u64,
    /// Frames of the command's packet.
    pub(crate) frames: u8,
    pub(crate) what: What,
    /// Long data that was sent for it, by length and sum.
    pub(crate) long: (usize, u64),
    /// How often servers have run it.
    pub(crate) executions: u32,
    pub(crate) answered: bool,
    /// The proxy has said that it was not done, and the session goes on.
    pub(crate) refused: bool,
    /// It ran in another state than the session's on that connection, which must not answer then.
    pub(crate) suspect: Option<(u32, String)>,
    /// What it wrote, on each connection it ran on.
    pub(crate) effects: Vec<(u32, Fate)>,
    /// The default database a statement was prepared under.
    pub(crate) database: Option<String>,
    /// The transaction that what it wrote is in.
    pub(crate) gtid: Option<Gtid>,
    /// What all clients had been told was written when it was issued.
    pub(crate) told_before: Position,
}

impl Issued {
    pub(crate) fn new(session: usize, step: u64, command: u8, what: What) -> Issued {
        Issued {
            session,
            step,
            command,
            bound_since: step,
            frames: 1,
            what,
            long: (0, 0),
            executions: 0,
            answered: false,
            refused: false,
            suspect: None,
            effects: Vec::new(),
            database: None,
            gtid: None,
            told_before: Position::default(),
        }
    }
}

impl Issued {
    /// What became of what it wrote: wherever it ran, it is written at most once.
    pub(crate) fn fate(&self) -> Fate {
        let any = |fate: Fate| self.effects.iter().any(|(_, found)| *found == fate);
        if any(Fate::Durable) {
            Fate::Durable
        } else if any(Fate::Pending) {
            Fate::Pending
        } else {
            self.effects.last().map_or(Fate::None, |(_, fate)| *fate)
        }
    }
}

/// A cursor that a client has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) token: u32,
    pub(crate) next_row: u32,
    pub(crate) table: Table,
}

/// What is known of one session.
#[derive(Debug)]
pub(crate) struct Known {
    /// Every statement's class decides where it goes.
    pub(crate) splits: bool,
    /// A session keeps a history: its state is the same wherever a statement runs.
    pub(crate) history: bool,
    /// Changes of user that failed, of which a connection allows three.
    pub(crate) failed_changes: u32,
    /// A server has answered a session command differently from the others.
    pub(crate) diverged: bool,
    /// What the session's state is after the last answered command.
    pub(crate) state: SessionState,
    /// It cannot be known, because a command that changes it ended in an error of the proxy.
    pub(crate) uncertain: bool,
    /// Commands whose answer is due, oldest first.
    pub(crate) queue: VecDeque<u32>,
    /// The explicit transaction that is open.
    pub(crate) trx: Trx,
    /// Writes that were acknowledged in the transaction.
    pub(crate) acknowledged: Vec<u32>,
    /// Writes of the open transaction that are there to stay, which the client has not been told: its
    /// COMMIT ran before it heard of them.
    pub(crate) durable_unawares: Vec<u32>,
    pub(crate) cursors: BTreeMap<u32, Cursor>,
    /// The last step at which something happened that excuses an error.
    pub(crate) trouble: u64,
    /// The last step at which its client said something after which its reads may be bound elsewhere:
    /// that begins or ends a transaction, or after which a strict mode keeps the session.
    pub(crate) turned: u64,
    /// The last step at which a connection of its may have been lost before it was usable.
    not_connected: u64,
    /// The last step at which it gave a connection up.
    pub(crate) gave_up: u64,
    /// Causes that what happened so far excuses, one bit each.
    pub(crate) excused: u32,
    /// An error of the proxy that nothing has explained yet.
    pub(crate) unexplained: Option<String>,
    pub(crate) over: Option<Cause>,
    /// A filter of the simulator changes commands on their way.
    pub(crate) filtered: bool,
    /// The primary, once lost, may not be replaced: the parameters or the session's state forbid it.
    pub(crate) bound: bool,
    /// Transactions whose server is lost are repeated.
    pub(crate) replays: bool,
    /// Even where the outcome of their COMMIT is not known, so that they may be written twice.
    pub(crate) repeats_commit: bool,
    /// Transactions begin on a replica and move with their first write.
    pub(crate) optimistic: bool,
    /// The answered statements of the open transaction.
    pub(crate) log: Vec<u32>,
    /// What its client was told is written.
    pub(crate) told: Position,
    /// The last step at which a wait of the session timed out.
    pub(crate) timed_out: u64,
}

impl Known {
    pub(crate) fn new(splits: bool, history: bool, state: SessionState) -> Known {
        Known {
            splits,
            history,
            failed_changes: 0,
            diverged: false,
            state,
            uncertain: false,
            queue: VecDeque::new(),
            trx: Trx::None,
            acknowledged: Vec::new(),
            durable_unawares: Vec::new(),
            cursors: BTreeMap::new(),
            trouble: 0,
            turned: 0,
            not_connected: 0,
            gave_up: 0,
            excused: 0,
            unexplained: None,
            over: None,
            filtered: false,
            bound: false,
            replays: false,
            repeats_commit: false,
            optimistic: false,
            log: Vec::new(),
            told: Position::default(),
            timed_out: 0,
        }
    }

    /// Does its client have a transaction open? With autocommit off it always has.
    pub(crate) fn in_transaction(&self) -> bool {
        self.trx != Trx::None || !self.state.autocommit()
    }

    /// May its reads go to any server, as far as the client's statements say?
    pub(crate) fn reads_freely(&self) -> bool {
        !self.filtered && self.trx == Trx::None
    }

    /// From now on the session may end so.
    pub(crate) fn excuse(&mut self, cause: Cause) {
        self.excused |= 1 << cause as u32;
    }
}

/// The shadow model of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The world's step.
    pub(crate) step: u64,
    issued: Vec<Issued>,
    pub(crate) sessions: Vec<Known>,
    /// Servers that take writes now, and the last step at which each did.
    pub(crate) primaries: Vec<(bool, u64)>,
    /// Nobody who takes writes can be connected, and the last step at which that was so.
    pub(crate) no_primary: (bool, u64),
    /// Replicas that are near enough to be read, and the last step at which each was.
    pub(crate) near: Vec<(bool, u64)>,
    /// A server is down or must not be connected to.
    pub(crate) ailing: bool,
    /// A server has stopped to answer, or a connection will never stand: that is given up at any time
    /// later.
    pub(crate) silent: bool,
    /// What a read must see.
    pub(crate) promise: Promise,
    /// What any client was told is written.
    told: Position,
    /// Closed statements are given out again, so clients prepare texts once more.
    pub(crate) reuses: bool,
    /// So many other servers have what a client is told is written, unless it is told late.
    pub(crate) synced: usize,
    /// What is told just now is told although they may not, or it cannot be seen whether it is.
    pub(crate) told_late: bool,
    /// What each server has.
    pub(crate) applied: Vec<Position>,
    /// Reads that ran more than once.
    pub(crate) retried: u64,
    /// Answered statements that ran again.
    pub(crate) repeated: u64,
    /// Connections that the proxy has given up.
    pub(crate) parted: BTreeSet<u32>,
    /// What each connection ran in its open transaction.
    pub(crate) ran: BTreeMap<u32, Vec<u32>>,
    /// The first broken law.
    pub(crate) broken: Option<String>,
    /// What it heard, for a schedule that is replayed.
    pub(crate) story: Option<Vec<String>>,
}

impl Model {
    /// The token of the next command.
    pub(crate) fn next_token(&self) -> u32 {
        self.issued.len() as u32 + 1
    }

    /// A client has written a command. Its token is the one that was next.
    pub(crate) fn issue(&mut self, mut issued: Issued) -> u32 {
        issued.told_before = self.told;
        let token = self.next_token();
        self.tell(|_| {
            format!(
                "session {}: its client issues {token}: {:?}",
                issued.session, issued.what
            )
        });
        if let What::Text(text) = &issued.what
            && text.stmts.len() > 1
        {
            self.sessions[issued.session].bound = true;
        }
        if let What::Text(text) = &issued.what
            && (text.stmts.len() > 1 || text.stmts.iter().any(Stmt::turns))
        {
            self.sessions[issued.session].turned = issued.step;
        }
        if !matches!(issued.what, What::Silent) {
            self.sessions[issued.session].queue.push_back(token);
        }
        self.issued.push(issued);
        token
    }

    /// A line for a schedule that is replayed.
    fn tell(&mut self, text: impl FnOnce(&Model) -> String) {
        if self.story.is_some() {
            let text = text(self);
            self.story.get_or_insert_default().push(text);
        }
    }

    pub(crate) fn get(&self, token: u32) -> Option<&Issued> {
        self.issued.get((token as usize).checked_sub(1)?)
    }

    fn get_mut(&mut self, token: u32) -> Option<&mut Issued> {
        self.issued.get_mut((token as usize).checked_sub(1)?)
    }

    /// How many commands there were.
    pub(crate) fn count(&self) -> usize {
        self.issued.len()
    }

    /// What a command wrote is in this transaction. What is written to another server than the
    /// primary is nobody's to wait for.
    pub(crate) fn written(&mut self, token: u32, gtid: Gtid, server: usize) {
        if self.primaries.get(server).is_some_and(|(now, _)| *now)
            && let Some(issued) = self.get_mut(token)
        {
            issued.gtid = Some(gtid);
        }
    }

    /// A client was told that what this command wrote is there to stay.
    fn told_of(&mut self, session: usize, token: u32) {
        if let Some(gtid) = self.get(token).and_then(|issued| issued.gtid) {
            let mut position = Position::default();
            position.raise(gtid);
            let have = self.applied.iter().filter(|it| it.reaches(position));
            // The server that wrote it is one of them.
            if self.synced >= have.count() && !self.told_late && self.synced > 0 {
                self.breach(format!(
                    "session {session}: write {token} of {gtid:?} was told before {} replicas had it, they have {:?}",
                    self.synced, self.applied
                ));
            }
            self.told.raise(gtid);
            self.sessions[session].told.raise(gtid);
        }
    }

    /// The command that is answered next.
    pub(crate) fn front(&self, session: usize) -> Option<u32> {
        self.sessions[session].queue.front().copied()
    }

    /// A law is broken.
    pub(crate) fn breach(&mut self, text: String) {
        self.broken.get_or_insert(text);
    }

    /// Something happened to a session that excuses errors, and its end with these causes.
    pub(crate) fn trouble(&mut self, session: usize, causes: &[Cause]) {
        let step = self.step;
        let known = &mut self.sessions[session];
        known.trouble = step;
        for cause in causes {
            known.excuse(*cause);
        }
    }

    /// A connection of the session's was lost, and may not have been usable yet.
    pub(crate) fn not_connected(&mut self, session: usize) {
        self.sessions[session].not_connected = self.step;
    }

    /// Who takes writes has changed, and whether one of them can be connected.
    pub(crate) fn set_primaries(&mut self, now: &[bool], connectable: bool) {
        let (lacked, last) = self.no_primary;
        self.no_primary = (!connectable, if lacked { self.step } else { last });
        self.primaries.resize(now.len(), (false, 0));
        let step = self.step;
        for (known, is_primary) in self.primaries.iter_mut().zip(now) {
            if known.0 {
                known.1 = step;
            }
            known.0 = *is_primary;
        }
    }

    /// How far the replicas are behind has changed.
    pub(crate) fn set_near(&mut self, now: &[bool]) {
        self.near.resize(now.len(), (false, 0));
        let step = self.step;
        for (known, is_near) in self.near.iter_mut().zip(now) {
            if known.0 {
                known.1 = step;
            }
            known.0 = *is_near;
        }
    }

    /// Was the server near enough at some time since that step?
    fn was_near(&self, server: usize, since: u64) -> bool {
        self.near
            .get(server)
            .is_none_or(|(now, last)| *now || *last >= since)
    }

    /// Is it true that the session has no primary, or had none when the command was issued?
    pub(super) fn lacks_primary(&self, session: usize, issued_at: u64) -> bool {
        let known = &self.sessions[session];
        self.lacked_primary(issued_at)
            || known.trouble >= issued_at
            || known.bound && known.trouble > 0
    }

    /// Is it true that the session could not connect to a primary that there is?
    pub(super) fn cannot_connect(&self, session: usize, issued_at: u64) -> bool {
        let known = &self.sessions[session];
        let failed = self.silent || known.bound || known.not_connected >= issued_at;
        self.lacked_primary(issued_at) || failed
    }

    /// Is there no primary, or was there none at some time since that step?
    fn lacked_primary(&self, since: u64) -> bool {
        let (now, last) = self.no_primary;
        now || last >= since
    }

    /// Did the server take writes at some time since that step?
    fn was_primary(&self, server: usize, since: u64) -> bool {
        self.primaries
            .get(server)
            .is_some_and(|(now, last)| *now || *last >= since)
    }

    /// Has the server not taken writes since the beginning?
    pub(crate) fn never_primary(&self, server: usize) -> bool {
        self.primaries
            .get(server)
            .is_some_and(|(now, last)| !*now && *last == 0)
    }

    /// The session has ended.
    pub(crate) fn ended(&mut self, session: usize, cause: Cause) {
        let known = &mut self.sessions[session];
        known.unexplained = None;
        if known.over.replace(cause).is_some() {
            self.breach(format!("session {session} ended twice"));
        } else if known.excused >> cause as u32 & 1 == 0 {
            self.breach(format!(
                "session {session} ended with {}, which nothing explains",
                cause.word()
            ));
        }
    }
}
