//! Prepared statements that are used again: what a client closes stays prepared, and a later
//! COM_STMT_PREPARE with the same text is answered from what the server said the first time.
//!
//! Only a statement that the client has closed is given out again, so long data and cursors never
//! belong to two of the client's at once; of the same text as many are kept as were open together.
//! Not kept is what was closed amid long data or a cursor, what only one server has prepared, and
//! whatever the session's later state could give another meaning. The client's executions, and what
//! is repeated of an open transaction, find a kept statement under the number that it always had.
//!
//! Left out on purpose: noticing that a table was altered meanwhile. Servers do, at the execution;
//! the definitions in the answer to the preparation are those of the first one.

use tidegate_wire::Command;
use tidegate_wire::frame::Header;
use tidegate_wire::reply::EOF;

use crate::ids::{BackendId, ClientStmtId, Side};
use crate::key::Key;
use crate::request::Request;
use crate::route::Stop;
use crate::session::{Cx, Session};
use crate::stmts::Prepared;
use crate::ticket::{Then, Ticket};

/// The most closed statements that a session keeps; the oldest goes first.
pub(crate) const MAX_KEPT: usize = 256;
/// An answer longer than this is not kept, nor is its statement once it is closed. Some 500 columns.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The same of a statement's text.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Variables by which a text may mean something else, or be described otherwise, as servers report
/// them.
const DECISIVE: [&[u8]; 4] = [
    b"sql_mode",
    b"character_set_client",
    b"character_set_connection",
    b"character_set_results",
];

/// Does a change of this variable give texts another meaning?
pub(crate) fn is_decisive(variable: &[u8]) -> bool {
    DECISIVE.contains(&variable)
}

/// May a session command with this key give texts another meaning?
pub(crate) fn may_be_decisive(key: &Key) -> bool {
    match key {
        Key::Variables(names) => !names
            .iter()
            .all(|name| name.starts_with(b"@") || **name == *b"autocommit"),
        Key::Text { .. } => true,
        // Which default database a statement was prepared under is kept with it.
        Key::Schema | Key::Named(_) | Key::Deallocated(_) | Key::Statement(_) => false,
    }
}

impl Session {
    /// Room for the answer to a preparation, if it may be given again.
    pub(crate) fn answer_to_keep(
        &self,
        request: &Request<'_>,
        everywhere: bool,
    ) -> Option<Vec<u8>> {
        let fits = request.complete && request.text.len() <= MAX_TEXT_BYTES;
        (self.needs.reuses && everywhere && fits).then(Vec::new)
    }

    /// A piece of the answer that is coming: of one to a preparation it is kept.
    pub(crate) fn keep_answer(&mut self, piece: &[u8]) {
        if let Some(Ticket {
            then: Then::Prepared(prepared),
            ..
        }) = self.tickets.front_mut()
            && let Some(answer) = &mut prepared.answer
        {
            if answer.len() + piece.len() <= MAX_ANSWER_BYTES {
                answer.extend_from_slice(piece);
            } else {
                prepared.answer = None;
            }
        }
    }

    /// A preparation that a kept statement answers, or the end of a statement that will be kept, goes
    /// to no server. Both come when nothing is in flight.
    pub(crate) fn check_reuse(
        &mut self,
        request: &Request<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Stop> {
        let concerned = matches!(request.command, Command::StmtPrepare | Command::StmtClose);
        if !concerned || self.is_replaying() || !self.tickets.is_empty() {
            return Ok(());
        }
        if self.stmts.take_stale() {
            self.stop_reusing(cx);
        }
        match (request.command, request.prepared) {
            (Command::StmtClose, Some(id)) if self.may_keep(id) => Err(Stop::Keep(id)),
            (Command::StmtPrepare, _) if request.complete => {
                let schema = self.client.database.as_deref();
                let found = self.stmts.find_kept(request.text, schema);
                found.map_or(Ok(()), |id| Err(Stop::Reuse(id)))
            }
            _ => Ok(()),
        }
    }

    /// Is the statement one that could be given out again as if it had just been prepared?
    fn may_keep(&self, id: ClientStmtId) -> bool {
        self.stmts.get(id).is_some_and(|prepared| {
            prepared.answer.is_some()
                && prepared.long_data_on.is_none()
                && !prepared.long_data_lost
                && !prepared.has_cursor
        })
    }

    /// The client closes a statement, which stays prepared.
    pub(crate) fn keep_statement(&mut self, id: ClientStmtId, cx: &mut Cx<'_>) {
        let schema = self.history.schema_of(id);
        self.stmts.keep(id, schema);
        if let Some(oldest) = self.stmts.too_many_kept() {
            self.let_go_kept(oldest, cx);
        }
    }

    /// The client prepares what is prepared already.
    pub(crate) fn give_out(&mut self, id: ClientStmtId, cx: &mut Cx<'_>) {
        let status = self.status();
        let caps = self.client.caps;
        let Some(answer) = self.stmts.give_out(id, caps) else {
            return;
        };
        let answer = with_status(answer, status.bits());
        self.counters.prepared_statements_reused.add(1);
        cx.out.send(Side::Client, &answer);
        self.own_answer_done(None, cx);
    }

    /// Whatever was prepared so far is not given out again.
    pub(crate) fn stop_reusing(&mut self, cx: &mut Cx<'_>) {
        for id in self.stmts.forget_answers() {
            self.let_go_kept(id, cx);
        }
    }

    /// Closes a kept statement on all servers.
    fn let_go_kept(&mut self, id: ClientStmtId, cx: &mut Cx<'_>) {
        if !self.keep_closed(id) {
            self.stmts.remove(id);
        }
        self.history.forget_statement(id);
        self.close_on_servers(id, cx);
    }

    /// Tells every server that has a statement to close it.
    pub(crate) fn close_on_servers(&mut self, id: ClientStmtId, cx: &mut Cx<'_>) {
        for (ix, backend) in self.backends.iter_mut().enumerate() {
            let side = Side::Backend(BackendId(u16::try_from(ix).unwrap_or(u16::MAX)));
            if let Some(mapped) = backend.stmts.remove(id)
                && backend.takes_commands()
            {
                let [a, b, c, d] = mapped.backend.0.to_le_bytes();
                let packet = [5, 0, 0, 0, Command::StmtClose.byte(), a, b, c, d];
                cx.out.send(side, &packet);
            }
        }
    }
}

impl Prepared {
    /// The server's answer is complete: it is given again under the client's number.
    pub(crate) fn seal_answer(&mut self) {
        let id = self.id.0.to_le_bytes();
        if let Some(answer) = &mut self.answer {
            match answer.get_mut(Header::LEN + 1..Header::LEN + 5) {
                Some(field) => field.copy_from_slice(&id),
                None => self.answer = None,
            }
        }
    }
}

/// The answer as it would be given now: its EOF packets say what state the session is in.
///
/// | offset | bytes | EOF packet             |
/// |-------:|------:|------------------------|
/// |      0 |     4 | header, length 5       |
/// |      4 |     1 | 0xFE                   |
/// |      5 |     2 | warnings               |
/// |      7 |     2 | status flags           |
///
/// Source: MariaDB manual, "EOF_Packet".
fn with_status(answer: &[u8], status: u16) -> Vec<u8> {
    let mut answer = answer.to_vec();
    let mut rest = answer.as_mut_slice();
    while let Some(header) = Header::parse(rest) {
        let Some((packet, after)) =
            std::mem::take(&mut rest).split_at_mut_checked(Header::LEN + header.len as usize)
        else {
            break;
        };
        if let [5, 0, 0, _, EOF, _, _, low, high] = packet {
            [*low, *high] = status.to_le_bytes();
        }
        rest = after;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_definitions_tell_the_present_status() {
        let prepared = [12, 0, 0, 1, 0, 9, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        let definition = [3, 0, 0, 2, 3, b'd', b'e'];
        let end = [5, 0, 0, 3, 0xFE, 0, 0, 2, 0];
        let answer = [prepared.as_slice(), &definition, &end].concat();
        let now = with_status(&answer, 0x0103);
        let (before, status) = now.split_at(answer.len() - 2);
        assert_eq!(before, &answer[..answer.len() - 2]);
        assert_eq!(status, [3, 1]);
        assert_eq!(with_status(&answer[..11], 1), &answer[..11]);
    }

    #[test]
    fn what_may_give_a_text_another_meaning() {
        let variables = |names: &[&str]| {
            Key::Variables(names.iter().map(|name| name.as_bytes().into()).collect())
        };
        assert!(!may_be_decisive(&variables(&["@a", "autocommit"])));
        assert!(may_be_decisive(&variables(&["@a", "sql_mode"])));
        assert!(may_be_decisive(&variables(&["names"])));
        assert!(may_be_decisive(&Key::Text { again: true }));
        assert!(!may_be_decisive(&Key::Schema));
    }
}
