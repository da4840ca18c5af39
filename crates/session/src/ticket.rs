//! What is in flight: commands the client waits for, the command that waits to be sent, the rest
//! of a long one, and session commands whose answers are compared.

use tidegate_sql::hints::Hint;
use tidegate_wire::Command;

use crate::digests::Place;
use crate::fault::ErrReply;
use crate::filter::Verdict as FilterVerdict;
use crate::ids::{BackendId, ClientStmtId};
use crate::replay::Part;
use crate::service::Counted;
use crate::time::Instant;
use crate::waiting::Prefix;

/// A command that was sent and whose answer the client waits for.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) command: Command,
    /// The connection whose reply goes to the client; `None` once it is lost.
    pub(crate) answer: Option<BackendId>,
    /// The statement it prepares, executes or resets.
    pub(crate) stmt: Option<ClientStmtId>,
    /// The number of the session command it is.
    pub(crate) seq: Option<u64>,
    pub(crate) sent: Instant,
    pub(crate) first_byte: Instant,
    /// A part of the answer went to the client.
    pub(crate) started: bool,
    /// The number of the answer's next packet, while no connection is there to tell.
    pub(crate) next_seq: u8,
    /// The connection was lost amid a packet of the answer: nothing can follow it.
    pub(crate) torn: bool,
    /// It may be sent again if nothing of the answer has gone out.
    pub(crate) retry: bool,
    /// It may be sent again if the server says that it did not execute it.
    pub(crate) kept: bool,
    /// It is a session command that may be issued anew.
    pub(crate) anew: bool,
    /// When it first came to be routed.
    pub(crate) since: Instant,
    /// What it does to the transaction was predicted.
    pub(crate) predicted: bool,
    /// How the routers counted it.
    pub(crate) counted: Counted,
    /// Where it is counted by its text.
    pub(crate) digest: Option<Place>,
    /// What its answer is to the record of the open transaction.
    pub(crate) part: Part,
    /// A waiting statement was sent in front of it, or its answer has more packets than came.
    pub(crate) prefix: Option<Prefix>,
    /// What the reply has to change here, once it is known to be good.
    pub(crate) then: Then,
}

impl Ticket {
    /// Of a command that is sent now, and of which nothing else is to be said.
    #[inline]
    pub(crate) fn new(command: Command, answer: BackendId, now: Instant) -> Ticket {
        Ticket {
            command,
            answer: Some(answer),
            stmt: None,
            seq: None,
            sent: now,
            first_byte: now,
            started: false,
            next_seq: 1,
            torn: false,
            retry: false,
            kept: false,
            anew: false,
            since: now,
            predicted: false,
            counted: Counted::Other,
            digest: None,
            part: Part::None,
            prefix: None,
            then: Then::Nothing,
        }
    }

    /// The number that a packet of the answer has for the client.
    pub(crate) fn renumbered(&self, seq: u8) -> u8 {
        seq.wrapping_sub(self.prefix.map_or(0, Prefix::dropped))
    }
}

/// What a good reply changes in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// The default database, taken over unless session tracking says it anyway.
    Database(Box<[u8]>),
    /// Multi-statements are switched on or off.
    MultiStatements(bool),
    /// The connection's state is as after the login.
    Reset,
    /// The statement that was prepared.
    Prepared(Box<crate::stmts::Prepared>),
    /// The server closes the connection, and the session ends (`COMMIT RELEASE`).
    Release,
    /// The servers' accounts are others.
    Accounts,
    /// New lexer modes.
    Modes(tidegate_sql::Modes),
    /// What holds for the next transaction, if it is not the connection's own any more.
    NextTransaction {
        /// COM_QUERY and the statement.
        payload: Vec<u8>,
        /// Nothing else was said since the last transaction.
        first: bool,
    },
}

/// How far the command at the head has come through one chain of filters, so that no filter sees
/// it twice when it has to wait.
#[derive(Debug)]
pub(crate) struct Passed {
    /// The service whose chain it is; `None`: the session's own.
    pub(crate) node: Option<usize>,
    /// How many of its filters have seen the command.
    pub(crate) filters: usize,
    /// What they said where it should go.
    pub(crate) hints: Vec<Hint>,
    /// The last of them took the command out of the way; its answer waits for its turn.
    pub(crate) verdict: Option<FilterVerdict>,
}

/// The rest of a command that is longer than what was looked at, on its way.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Who gets it; nobody: it is swallowed.
    pub(crate) to: Vec<BackendId>,
    /// Bytes of the current frame that are still to come.
    pub(crate) left: usize,
    /// Another frame follows.
    pub(crate) continues: bool,
    /// The number of the frame expected next.
    pub(crate) next_seq: u8,
    /// Bytes of the whole packet so far.
    pub(crate) total: u64,
    /// It is the command of the newest ticket.
    pub(crate) ticketed: bool,
    /// The session command whose record they belong to.
    pub(crate) record: Option<u64>,
    /// The open transaction's record wants them.
    pub(crate) part: Part,
    /// What the client is told when it has sent everything.
    pub(crate) after: Option<ErrReply>,
}

/// Session commands whose outcomes are being compared: each must end everywhere as it did on the
/// connection whose answer the client got.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    open: Vec<Verdict>,
}

#[derive(Debug)]
struct Verdict {
    seq: u64,
    /// The outcome the client was told.
    expected: Option<bool>,
    /// Replies still to come from others.
    owed: usize,
    /// Outcomes that came before it.
    early: Vec<(BackendId, bool)>,
}

impl Verdicts {
    /// Command `seq` was sent to `others` besides the one that answers.
    pub(crate) fn open(&mut self, seq: u64, others: usize) {
        if others > 0 {
            self.open.push(Verdict {
                seq,
                expected: None,
                owed: others,
                early: Vec::new(),
            });
        }
    }

    /// Command `seq` is repeated on one more connection before its outcome is known.
    pub(crate) fn join(&mut self, seq: u64) {
        match self.open.iter_mut().find(|verdict| verdict.seq == seq) {
            Some(verdict) => verdict.owed += 1,
            None => self.open(seq, 1),
        }
    }

    /// The client was told `ok`. Returns those who had answered differently before.
    pub(crate) fn told(&mut self, seq: u64, ok: bool) -> Vec<BackendId> {
        let Some(verdict) = self.open.iter_mut().find(|verdict| verdict.seq == seq) else {
            return Vec::new();
        };
        verdict.expected = Some(ok);
        let differing = verdict
            .early
            .drain(..)
            .filter(|(_, other)| *other != ok)
            .map(|(id, _)| id)
            .collect();
        self.drop_settled();
        differing
    }

    /// `backend` answered `ok`. `true`: as the others did, as far as is known.
    pub(crate) fn heard(&mut self, seq: u64, backend: BackendId, ok: bool) -> bool {
        let Some(verdict) = self.open.iter_mut().find(|verdict| verdict.seq == seq) else {
            return true;
        };
        verdict.owed = verdict.owed.saturating_sub(1);
        let agrees = match verdict.expected {
            Some(expected) => expected == ok,
            None => {
                verdict.early.push((backend, ok));
                true
            }
        };
        self.drop_settled();
        agrees
    }

    /// `backend` will not answer command `seq` any more.
    pub(crate) fn lost(&mut self, seq: u64, backend: BackendId) {
        if let Some(verdict) = self.open.iter_mut().find(|verdict| verdict.seq == seq) {
            verdict.owed = verdict.owed.saturating_sub(1);
            verdict.early.retain(|(id, _)| *id != backend);
        }
        self.drop_settled();
    }

    /// `backend` is gone; what it said early does not count.
    pub(crate) fn forget(&mut self, backend: BackendId) {
        for verdict in &mut self.open {
            verdict.early.retain(|(id, _)| *id != backend);
        }
    }

    /// Nobody will be told the outcome of `seq`: the command failed with the session's connection.
    pub(crate) fn abandon(&mut self, seq: u64) {
        self.open.retain(|verdict| verdict.seq != seq);
    }

    fn drop_settled(&mut self) {
        self.open
            .retain(|verdict| verdict.owed > 0 || verdict.expected.is_none());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BackendId = BackendId(1);
    const B: BackendId = BackendId(2);

    #[test]
    fn a_differing_outcome_is_found_whoever_answers_first() {
        let mut verdicts = Verdicts::default();
        verdicts.open(1, 2);
        assert!(verdicts.heard(1, A, false));
        assert_eq!(verdicts.told(1, true), [A]);
        assert!(!verdicts.heard(1, B, false));
        assert!(verdicts.is_empty());
    }

    #[test]
    fn a_lost_connection_is_not_waited_for() {
        let mut verdicts = Verdicts::default();
        verdicts.open(1, 1);
        verdicts.lost(1, A);
        assert_eq!(verdicts.told(1, true), []);
        assert!(verdicts.is_empty());
    }
}
