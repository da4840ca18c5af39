//! What clients are told: each command once and in order, the truth about its outcome, and errors of
//! the proxy only where something explains them.

use tidegate_session::Cause;

use super::{Cursor, Fate, Model, What, runs};
use crate::meaning::{Part, READ_ONLY as READ_ONLY_TRX, Trx};
use crate::sql::{Stmt, Text};

/// How a command was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A server's answer, as was foreseen; `failed`: it ended in an error.
    Server { failed: bool },
    /// A server's error that a fault of the simulator made.
    Fault,
    /// An error of the proxy.
    Proxy { code: u16, text: String },
    /// The proxy's own OK or value.
    Own,
    /// A cursor was opened.
    CursorOpen,
    /// So many rows of a cursor came.
    Fetched { rows: u32 },
    /// A statement was prepared: the id the client knows.
    Prepared { id: u32, params: u16 },
}

/// The error of a statement that needs a primary and finds none, where the session goes on.
const READ_ONLY: u16 = 1290;

/// The error of a statement that reads a user variable whose value is lost, or elsewhere.
const VARIABLE_LOST: u16 = 1105;

/// The error of an execution whose long data are lost.
const LONG_DATA_LOST: u16 = 1210;

impl Model {
    /// What a command is answered with, if nothing goes wrong; asked when all before it are answered.
    pub(crate) fn foreseen(&self, token: u32) -> Vec<Part> {
        let Some(issued) = self.get(token) else {
            return Vec::new();
        };
        let known = &self.sessions[issued.session];
        match &issued.what {
            What::Text(text) => text.parts(&known.state, known.trx),
            What::Execute { stmt, .. } | What::Bulk { stmt } => self
                .prepared(*stmt)
                .map(|text| text.parts(&known.state, known.trx))
                .unwrap_or_default(),
            What::InitDb(name) => Stmt::Use(name.clone()).parts(&known.state, known.trx),
            What::Refused(code) => vec![Part::Fail(*code)],
            What::Prepare(text) if text.stmts == [Stmt::Nonsense] => vec![Part::Fail(1064)],
            What::ChangeUser { .. } if known.failed_changes >= 3 => vec![Part::Fail(1047)],
            What::ChangeUser { good: false, .. } => vec![Part::Fail(1045)],
            What::Fetch { client_id, .. } if !known.cursors.contains_key(client_id) => {
                vec![Part::Fail(1421)]
            }
            What::Prepare(_)
            | What::Fetch { .. }
            | What::StmtReset { .. }
            | What::MultiStatements(_)
            | What::Plain
            | What::ResetConnection
            | What::FieldList
            | What::Statistics
            | What::ChangeUser { .. }
            | What::FilterAnswers
            | What::Silent => vec![Part::Ok],
        }
    }

    /// The core has written the whole answer to the oldest command of a session.
    pub(crate) fn answered(&mut self, session: usize, answer: &Answer, by: Option<u32>) {
        let Some(token) = self.sessions[session].queue.pop_front() else {
            self.breach(format!("session {session}: an answer where none was due"));
            return;
        };
        let Some(issued) = self.get_mut(token) else {
            return;
        };
        issued.answered = true;
        self.tell(|_| format!("session {session}: its client is told {answer:?} for {token}"));
        let Some(issued) = self.get(token) else {
            return;
        };
        if let Some((conn, text)) = &issued.suspect
            && by == Some(*conn)
        {
            let text = format!(
                "session {session}, command {token}, answered by connection {conn}: {text}"
            );
            self.breach(text);
            return;
        }
        let Some(issued) = self.get(token) else {
            return;
        };
        let what = issued.what.clone();
        match answer {
            Answer::Server { failed } => self.take_effect(session, token, &what, *failed),
            Answer::Prepared { .. } => self.take_effect(session, token, &what, false),
            Answer::Fetched { rows } => self.fetched(session, &what, *rows),
            Answer::CursorOpen => self.open_cursor(session, token, &what),
            Answer::Fault => {}
            Answer::Own => self.told_by_proxy(session, token, &what),
            Answer::Proxy { code, text } => self.refused(session, token, &what, *code, text),
        }
    }

    /// The proxy has answered with an error.
    fn refused(&mut self, session: usize, token: u32, what: &What, code: u16, text: &str) {
        if let What::Fetch { client_id, .. } = what {
            self.sessions[session].cursors.remove(client_id);
        }
        if self.sessions[session].optimistic && text.contains("an optimistic transaction writes") {
            self.trouble(session, &[Cause::NoServer]);
        }
        let foreseen = self.foreseen(token) == [Part::Fail(code)];
        if let What::ChangeUser { .. } = what {
            self.sessions[session].failed_changes += 1;
        }
        if foreseen {
            return;
        }
        if let What::Execute { client_id, .. } = what {
            self.sessions[session].cursors.remove(client_id);
        }
        if code == LONG_DATA_LOST && self.loses_long_data(session, token) {
            return;
        }
        let issued_at = self.get(token).map_or(0, |issued| issued.step);
        // The server of a read-only transaction has not what the read must see.
        let known = &self.sessions[session];
        let no_primary = self.ailing || known.trouble > 0;
        let explained = known.timed_out >= issued_at || no_primary;
        if code == READ_ONLY_TRX && known.trx == Trx::ReadOnly && explained {
            return;
        }
        let changes = self.has_effect(token);
        let lacks_primary = code == READ_ONLY
            && if text.contains("primaries that cannot be connected") {
                self.cannot_connect(session, issued_at)
            } else {
                self.lacks_primary(session, issued_at)
            };
        let known = &mut self.sessions[session];
        known.uncertain |= changes;
        // A user variable's value stays lost until it is assigned again.
        if code == VARIABLE_LOST && known.trouble > 0 {
            return;
        }
        if code == READ_ONLY && known.trx == Trx::ReadWrite {
            self.breach(format!(
                "session {session}: command {token} got {text:?} in a transaction, which is lost, and the session goes on"
            ));
            return;
        }
        if lacks_primary {
            if let Some(issued) = self.get_mut(token) {
                issued.refused = true;
            }
            return;
        }
        if known.trouble < issued_at || code == READ_ONLY && !lacks_primary {
            known.unexplained = Some(format!(
                "command {token} of session {session} got {code} {text:?}"
            ));
        }
    }

    /// Can the long data that were sent for an execution be where it cannot run? They are lost with
    /// their connection, or find no server, of which they cannot tell; or they are left behind by a
    /// transaction that began or ended since.
    fn loses_long_data(&self, session: usize, token: u32) -> bool {
        self.get(token).is_some_and(|issued| {
            let since = issued.bound_since;
            let known = &self.sessions[session];
            let moved = known.turned.max(known.gave_up) >= since;
            issued.long.0 > 0 && (moved || self.lacks_primary(session, since))
        })
    }

    /// Which answers the proxy may give by itself.
    fn told_by_proxy(&mut self, session: usize, token: u32, what: &What) {
        if !matches!(what, What::Plain | What::FilterAnswers | What::Text(_)) {
            self.breach(format!(
                "session {session}: the proxy itself answered command {token}, {what:?}"
            ));
        }
    }

    fn open_cursor(&mut self, session: usize, token: u32, what: &What) {
        let What::Execute {
            stmt,
            client_id,
            carries_token,
            ..
        } = what
        else {
            return;
        };
        if self.sessions[session].in_transaction() {
            self.sessions[session].log.push(token);
        }
        let token = if *carries_token { token } else { *stmt };
        let Some(table) = self.prepared(*stmt).and_then(Text::table) else {
            return;
        };
        self.sessions[session].cursors.insert(
            *client_id,
            Cursor {
                token,
                next_row: 0,
                table,
            },
        );
    }

    fn fetched(&mut self, session: usize, what: &What, rows: u32) {
        if let What::Fetch { client_id, .. } = what
            && let Some(cursor) = self.sessions[session].cursors.get_mut(client_id)
        {
            cursor.next_row += rows;
            // With its last row a server closes it.
            if cursor.next_row >= cursor.table.rows {
                self.sessions[session].cursors.remove(client_id);
            }
        }
    }

    /// A server has answered as was foreseen: the session is what the command has made of it.
    fn take_effect(&mut self, session: usize, token: u32, what: &What, failed: bool) {
        match what {
            What::Text(text) => self.text_effect(session, token, &text.clone(), failed),
            What::Execute {
                stmt, client_id, ..
            } => {
                self.sessions[session].cursors.remove(client_id);
                if let Some(text) = self.prepared(*stmt).cloned() {
                    self.text_effect(session, token, &text, failed);
                }
            }
            What::Bulk { stmt } => {
                if let Some(text) = self.prepared(*stmt).cloned() {
                    self.text_effect(session, token, &text, failed);
                }
            }
            What::Prepare(text) => {
                let database = self.sessions[session].state.database.clone();
                let stmt = text.token.unwrap_or(token);
                if let Some(issued) = self.get_mut(stmt) {
                    issued.database = database;
                }
            }
            What::InitDb(name) => Stmt::Use(name.clone()).affect(&mut self.sessions[session].state),
            What::MultiStatements(on) => self.sessions[session].state.multi_statements = *on,
            What::StmtReset { client_id } => drop(self.sessions[session].cursors.remove(client_id)),
            What::ResetConnection => {
                self.rolled_back(session);
                let known = &mut self.sessions[session];
                known.state.reset();
                known.uncertain = false;
                known.cursors.clear();
            }
            What::ChangeUser {
                user,
                database,
                good: true,
            } => {
                self.rolled_back(session);
                let known = &mut self.sessions[session];
                let multi = known.state.multi_statements;
                known.state = crate::state::SessionState::new(user, database.clone(), multi);
                known.uncertain = false;
                known.cursors.clear();
            }
            What::Fetch { .. }
            | What::Plain
            | What::FieldList
            | What::Statistics
            | What::ChangeUser { .. }
            | What::Refused(_)
            | What::FilterAnswers
            | What::Silent => {}
        }
    }

    fn text_effect(&mut self, session: usize, token: u32, text: &Text, failed: bool) {
        let inner = text.named_in(&self.sessions[session].state);
        let text = inner.as_ref().unwrap_or(text);
        if text.writes() && !failed {
            self.acknowledged(session, token);
        }
        if self.sessions[session].in_transaction() && !runs::is_repeatable(text) && !text.everywhere
        {
            self.sessions[session].log.push(token);
        }
        for stmt in &text.stmts {
            let known = &mut self.sessions[session];
            if !failed
                && stmt.commits(&known.state)
                && !(known.trx == Trx::ReadOnly && stmt.writes())
            {
                self.committed(session, token);
            }
            let known = &mut self.sessions[session];
            stmt.affect(&mut known.state);
            match stmt {
                Stmt::Begin { read_only } => {
                    known.trx = if *read_only {
                        Trx::ReadOnly
                    } else {
                        Trx::ReadWrite
                    };
                    known.log = vec![token];
                }
                Stmt::Rollback => self.rolled_back(session),
                _ => {}
            }
        }
    }

    /// A client was told that a write succeeded.
    fn acknowledged(&mut self, session: usize, token: u32) {
        let Some(issued) = self.get(token) else {
            return;
        };
        let known = &self.sessions[session];
        let in_transaction = known.in_transaction();
        match (issued.fate(), issued.executions) {
            (_, 0) => self.breach(format!(
                "session {session}: write {token} was acknowledged and never ran"
            )),
            // Its COMMIT may have run already, but the client does not know.
            (Fate::Durable, _) if in_transaction => {
                self.sessions[session].durable_unawares.push(token)
            }
            (Fate::Durable, _) => self.told_of(session, token),
            (Fate::None, _) => {
                self.breach(format!(
                    "session {session}: write {token} was acknowledged and has no effect"
                ));
            }
            // What follows it may have run already.
            (Fate::Pending | Fate::Vanished | Fate::RolledBack, _) => {
                self.sessions[session].acknowledged.push(token)
            }
        }
    }

    /// A client was told that its transaction is committed.
    fn committed(&mut self, session: usize, by: u32) {
        let known = &mut self.sessions[session];
        known.trx = Trx::None;
        known.log.clear();
        for token in std::mem::take(&mut known.durable_unawares) {
            self.told_of(session, token);
        }
        let known = &mut self.sessions[session];
        for token in std::mem::take(&mut known.acknowledged) {
            let fate = self.get(token).map(super::Issued::fate);
            if fate == Some(Fate::Durable) {
                self.told_of(session, token);
            } else {
                self.breach(format!(
                    "session {session}: write {token} was acknowledged, its transaction was committed by {by}, and it is {fate:?}"
                ));
            }
        }
    }

    /// A client was told that its transaction is undone.
    fn rolled_back(&mut self, session: usize) {
        let known = &mut self.sessions[session];
        known.trx = Trx::None;
        known.log.clear();
        known.durable_unawares.clear();
        for token in std::mem::take(&mut known.acknowledged) {
            if self
                .get(token)
                .is_some_and(|issued| issued.fate() == Fate::Durable)
            {
                self.breach(format!(
                    "session {session}: write {token} was rolled back and is durable"
                ));
            }
        }
    }
}
