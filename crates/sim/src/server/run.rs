//! A server runs statements.

use tidegate_session::Cause;

use super::reply::{self, Change, marker};
use super::{Conn, DIVERGENT, Lent, Phase, Reply};
use crate::coverage::Rare;
use crate::meaning::{FAILED_READ, Part, Trx};
use crate::model::{Fate, Run, is_repeatable};
use crate::sql::{Stmt, Table, Text};
use crate::status;

/// How results are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    /// The command, if the model knows it.
    pub(super) token: Option<u32>,
    /// What is written into rows, errors and OK packets.
    pub(super) tag: u32,
    pub(super) command: u8,
    pub(super) binary: bool,
    pub(super) definitions: bool,
    /// The form of its rows, where they say it.
    pub(super) form: Option<u32>,
}

impl Conn {
    /// Tells the model what is about to run. Returns the command's token.
    pub(super) fn announce(
        &mut self,
        text: &Text,
        token: Option<u32>,
        prepared: Option<(u32, &Option<String>)>,
        long: (usize, u64),
        lent: &mut Lent<'_>,
    ) -> Option<u32> {
        let inner = text.named_in(&self.state);
        let text = inner.as_ref().unwrap_or(text);
        let run = Run {
            session: self.session,
            server: self.server,
            conn: self.id,
            token,
            prepared,
            text,
            state: &self.state,
            trx: self.trx,
            parted: self.parted,
            waited: std::mem::take(&mut self.waited),
            long,
            applied: lent.replication.applied(self.server),
        };
        self.has_served |= !(text.everywhere || is_repeatable(text));
        lent.model.runs(&run)
    }

    /// Runs the statements of a text and writes what they return.
    pub(super) fn run_text(
        &mut self,
        text: &Text,
        running: Running,
        reply: &mut Reply,
        lent: &mut Lent<'_>,
    ) {
        let last = text.stmts.len().saturating_sub(1);
        for (ix, stmt) in text.stmts.iter().enumerate() {
            let parts = stmt.parts(&self.state, self.trx);
            if self.quirks.divergent && matches!(stmt, Stmt::Set(_)) && parts == [Part::Ok] {
                self.quirks.divergent = false;
                lent.coverage.count(Rare::DivergentAnswer);
                lent.model.sessions[self.session].diverged = true;
                reply.err(DIVERGENT, &format!("#{} divergent", running.tag));
                return;
            }
            let failed = parts.last().is_some_and(|part| part.is_failure());
            let changes = self.carry_out(stmt, running.token, failed, lent);
            for (part_ix, part) in parts.iter().enumerate() {
                let more = ix < last || part_ix + 1 < parts.len();
                self.write_part(*part, running, more, &changes, reply, lent);
            }
            if failed {
                return;
            }
        }
    }

    /// Does what the statement does. Returns what is reported of it.
    fn carry_out(
        &mut self,
        stmt: &Stmt,
        token: Option<u32>,
        failed: bool,
        lent: &mut Lent<'_>,
    ) -> Vec<Change> {
        let was = self.state.clone();
        if !failed && stmt.commits(&self.state) {
            self.commit(lent);
        }
        stmt.affect(&mut self.state);
        match stmt {
            Stmt::Begin { read_only: true } => self.trx = Trx::ReadOnly,
            Stmt::Begin { read_only: false } => self.trx = Trx::ReadWrite,
            Stmt::Rollback => self.end_transaction(lent.model, Fate::RolledBack),
            Stmt::ProxySetup => self.tracks = true,
            Stmt::Ddl if !failed => {
                if let Some(token) = token {
                    self.durable(&[token], lent);
                }
            }
            Stmt::Write { .. } | Stmt::Call(_) if !failed => {
                if let Some(token) = token {
                    self.wrote(token, lent);
                }
            }
            Stmt::Execute(name) if !failed => self.carry_out_named(&name.clone(), token, lent),
            Stmt::Read(_) | Stmt::LockingRead(_)
                if !self.state.autocommit() && self.trx == Trx::None =>
            {
                self.trx = Trx::ReadWrite;
            }
            _ => {}
        }
        let begins = matches!(stmt, Stmt::Begin { .. });
        if !failed && stmt.commits(&was) && !begins {
            lent.model.left_transaction(self.id);
        }
        self.changes(&was)
    }

    fn carry_out_named(&mut self, name: &str, token: Option<u32>, lent: &mut Lent<'_>) {
        let Some(named) = self.state.named.get(name) else {
            return;
        };
        let writes = crate::sql::parse(named.text.as_bytes()).writes();
        match token {
            Some(token) if writes => self.wrote(token, lent),
            _ if !self.state.autocommit() && self.trx == Trx::None => self.trx = Trx::ReadWrite,
            _ => {}
        }
    }

    /// What session tracking says of the difference.
    pub(super) fn changes(&mut self, was: &crate::state::SessionState) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(gtid) = self.committed.take().filter(|_| self.tracks) {
            let text = format!("{}-1-{}", gtid.domain, gtid.sequence);
            changes.push(Change::Variable("last_gtid", text));
        }
        if was.database != self.state.database {
            changes.push(Change::Schema(
                self.state.database.clone().unwrap_or_default(),
            ));
        }
        let always = ["autocommit"];
        let on_request = ["sql_mode"];
        for name in always
            .into_iter()
            .chain(on_request.into_iter().filter(|_| self.tracks))
        {
            if let Some(value) = self.state.vars.get(name)
                && was.vars.get(name) != Some(value)
            {
                let shown = match (name, value.as_str()) {
                    ("autocommit", "0") => "OFF".to_owned(),
                    ("autocommit", _) => "ON".to_owned(),
                    _ => value.clone(),
                };
                changes.push(Change::Variable(name, shown));
            }
        }
        if self.tracks && self.trx == Trx::ReadOnly {
            changes.push(Change::Characteristics("START TRANSACTION READ ONLY;"));
        }
        if was.vars != self.state.vars && self.state.vars.len().is_multiple_of(3) {
            changes.push(Change::State);
        }
        changes
    }

    fn write_part(
        &mut self,
        part: Part,
        running: Running,
        more: bool,
        changes: &[Change],
        reply: &mut Reply,
        lent: &mut Lent<'_>,
    ) {
        let mut ok = self.ok(running.tag, running.command);
        ok.status |= if more { status::MORE_RESULTS } else { 0 };
        match part {
            Part::Ok => reply.ok(ok, if running.tag % 5 == 1 { "info" } else { "" }, changes),
            Part::Fail(code) => reply.err(code, &format!("#{} failed", running.tag)),
            Part::File => {
                reply.packet(b"\xFBf");
                let token = running.token.unwrap_or(running.tag);
                self.phase = Phase::File {
                    token,
                    bytes: 0,
                    seq: reply.seq,
                };
            }
            Part::ConnectionId => self.write_connection_id(ok, reply),
            Part::Rows(table) => self.write_rows(table, running, ok, changes, reply, lent),
        }
    }

    fn write_connection_id(&self, ok: reply::Ok, reply: &mut Reply) {
        reply.column_count(1, true);
        reply.column("CONNECTION_ID()");
        reply.end_of_definitions(ok);
        reply.row(&self.id.to_string(), 0, false);
        reply.end(ok, &[]);
    }

    fn write_rows(
        &mut self,
        table: Table,
        running: Running,
        ok: reply::Ok,
        changes: &[Change],
        reply: &mut Reply,
        lent: &mut Lent<'_>,
    ) {
        let columns = if table.row_bytes > 0 { 2 } else { 1 };
        reply.column_count(columns, running.definitions);
        if running.definitions || !reply.caches_definitions() {
            let name = running.form.map_or("a".to_owned(), reply::form_name);
            for _ in 0..columns {
                reply.column(&name);
            }
        }
        reply.end_of_definitions(reply::Ok {
            status: ok.status & !status::MORE_RESULTS,
            ..ok
        });
        let (server, conn) = self.origin(lent.model);
        let told = running
            .token
            .and_then(|token| lent.model.get(token))
            .is_some_and(|issued| issued.answered);
        let shift = u32::from(told && table.rows > 0 && std::mem::take(&mut self.quirks.altered));
        if shift > 0 {
            lent.model.sessions[self.session].diverged = true;
            lent.model.trouble(self.session, &[Cause::ServerLost]);
        }
        for row in 0..table.rows {
            let mut mark = marker(server, conn, running.tag, row + shift);
            if let Some(form) = running.form {
                mark.push_str(&reply::form_name(form));
            }
            reply.row(&mark, table.row_bytes, running.binary);
        }
        if table.fails {
            lent.coverage.count(Rare::ErrorAmidRows);
            reply.err(FAILED_READ, &format!("#{} failed amid rows", running.tag));
        } else {
            reply.end(ok, changes);
        }
    }
}
