//! What a server does with each command.

use super::prepared::{Execution, Open, Prepared, read_value};
use super::run::Running;
use super::{Conn, Lent, Reply, STOPPING, UNPREPARED, reply};
use tidegate_session::Cause;

use crate::bytes::{Cursor, Packet, put_int};
use crate::caps;
use crate::coverage::Rare;
use crate::model::Fate;
use crate::replication::{NOT_REACHED, split_wait};
use crate::sql::{Stmt, Text, parse};
use crate::status;

impl Conn {
    pub(super) fn command(&mut self, packet: &Packet, lent: &mut Lent<'_>) -> Result<(), String> {
        if packet.first_seq != 0 {
            return Err(format!("a command is numbered {}", packet.first_seq));
        }
        let Some((&command, body)) = packet.payload.split_first() else {
            return Err("an empty command".to_owned());
        };
        let seq = packet.last_seq.wrapping_add(1);
        let mut reply = Reply::new(self.caps, seq);
        match command {
            0x01 => self.close(lent.model, Fate::RolledBack),
            0x02 => self.init_db(body, &mut reply),
            0x03 => self.query(body, &mut reply, lent)?,
            0x04 => self.field_list(&mut reply),
            0x09 => reply.packet(b"Uptime: 1  Threads: 1"),
            0x0D => reply.end(self.ok(0, command), &[]),
            0x0E => reply.ok(self.ok(0, command), "", &[]),
            0x11 => return self.change_user(packet, lent),
            0x16 => self.prepare(body, &mut reply, lent),
            0x17 => self.execute(body, &mut reply, lent)?,
            0x18 => self.long_data(body, lent)?,
            0x19 => self.close_stmt(body)?,
            0x1A => self.reset_stmt(body, &mut reply)?,
            0x1B => self.set_option(body, &mut reply),
            0x1C => self.fetch(body, &mut reply, lent)?,
            0x1F => self.reset(&mut reply, lent),
            0xFA => self.bulk(body, &mut reply, lent)?,
            _ => reply.err(1047, "#0 unknown command"),
        }
        self.to_proxy.push(&reply.bytes);
        Ok(())
    }

    fn init_db(&mut self, body: &[u8], reply: &mut Reply) {
        let name = String::from_utf8_lossy(body).into_owned();
        match self.state.use_database(&name) {
            Ok(()) => reply.ok(self.ok(0, 0x02), "", &[reply::Change::Schema(name)]),
            Err(code) => reply.err(code, "#0 unknown database"),
        }
    }

    fn field_list(&mut self, reply: &mut Reply) {
        for name in ["a", "b"] {
            reply.column(name);
        }
        reply.end(self.ok(0, 0x04), &[]);
    }

    fn set_option(&mut self, body: &[u8], reply: &mut Reply) {
        self.state.multi_statements = body == [0, 0];
        reply.end(self.ok(0, 0x1B), &[]);
    }

    fn reset(&mut self, reply: &mut Reply, lent: &mut Lent<'_>) {
        self.end_transaction(lent.model, Fate::RolledBack);
        self.state.reset();
        self.stmts.clear();
        self.tracks = false;
        reply.ok(self.ok(0, 0x1F), "", &[]);
    }

    fn query(&mut self, body: &[u8], reply: &mut Reply, lent: &mut Lent<'_>) -> Result<(), String> {
        let Some(body) = self.wait_first(body, reply, lent)? else {
            return Ok(());
        };
        if body == b"SELECT @@gtid_current_pos" {
            self.tell_position(reply, lent);
            return Ok(());
        }
        if body == b"SET ROLE NONE" {
            reply.ok(self.ok(0, 0x03), "", &[]);
            return Ok(());
        }
        if let Some(whom) = body.strip_prefix(b"SET SESSION AUTHORIZATION ") {
            self.turn(&String::from_utf8_lossy(whom), reply, lent);
            return Ok(());
        }
        let text = parse(body);
        if lent.rng.one_in(20) && self.caps & caps::PROGRESS != 0 {
            reply.progress();
            lent.coverage.count(Rare::ProgressReported);
        }
        if self.refuses(&text, reply, lent) {
            return Ok(());
        }
        let token = self.announce(&text, text.token, None, (0, 0), lent);
        let running = Running {
            token,
            tag: text.token.unwrap_or(0),
            command: 0x03,
            binary: false,
            definitions: true,
            form: None,
        };
        self.run_text(&text, running, reply, lent);
        Ok(())
    }

    /// A server that shuts down, or takes no part in its cluster, runs no statement.
    fn refuses(&mut self, text: &Text, reply: &mut Reply, lent: &mut Lent<'_>) -> bool {
        let tag = text.token.unwrap_or(0);
        let plain = matches!(text.stmts.as_slice(), [Stmt::Read(_) | Stmt::Write { .. }]);
        if !plain {
            return false;
        }
        if self.quirks.stops {
            lent.coverage.count(Rare::ServerStopped);
            let causes = [Cause::ServerLost, Cause::NoServer];
            lent.model.trouble(self.session, &causes);
            reply.err(STOPPING, &format!("#{tag} Server shutdown in progress"));
            self.close(lent.model, Fate::Vanished);
            return true;
        }
        if self.quirks.unprepared == 0 {
            return false;
        }
        lent.coverage.count(Rare::NodeUnprepared);
        self.quirks.unprepared -= 1;
        reply.err(
            UNPREPARED,
            &format!("#{tag} WSREP has not yet prepared node"),
        );
        true
    }

    /// Runs the waiting statement in front of a text. Returns what follows it, if that shall run.
    fn wait_first<'b>(
        &mut self,
        body: &'b [u8],
        reply: &mut Reply,
        lent: &mut Lent<'_>,
    ) -> Result<Option<&'b [u8]>, String> {
        self.waited = false;
        let Some((position, rest)) = split_wait(body) else {
            return Ok(Some(body));
        };
        self.waited = !rest.is_empty();
        if !rest.is_empty() && !self.state.multi_statements {
            return Err("several statements where they are not allowed".to_owned());
        }
        lent.coverage.count(if rest.is_empty() {
            Rare::WaitedAside
        } else {
            Rare::WaitedInFront
        });
        if !lent.replication.wait(self.server, position, lent.rng) {
            lent.coverage.count(Rare::WaitTimedOut);
            if self.trx == crate::meaning::Trx::ReadOnly {
                lent.coverage.count(Rare::WaitTimedOutInTransaction);
            }
            lent.model.sessions[self.session].timed_out = lent.model.step;
            reply.err(NOT_REACHED, "#0 not reached");
            return Ok(None);
        }
        let mut ok = self.ok(0, 0x03);
        if !rest.is_empty() {
            ok.status |= status::MORE_RESULTS;
        }
        reply.ok(ok, "", &[]);
        Ok(Some(rest).filter(|rest| !rest.is_empty()))
    }

    /// Answers the question of the proxy how far this server is.
    fn tell_position(&mut self, reply: &mut Reply, lent: &mut Lent<'_>) {
        lent.coverage.count(Rare::PositionAsked);
        let ok = self.ok(0, 0x03);
        reply.column_count(1, true);
        reply.column("@@gtid_current_pos");
        reply.end_of_definitions(ok);
        reply.row(&lent.replication.applied(self.server).text(), 0, false);
        reply.end(ok, &[]);
    }

    fn prepare(&mut self, body: &[u8], reply: &mut Reply, lent: &mut Lent<'_>) {
        let text = parse(body);
        if text.stmts == [Stmt::Nonsense] {
            reply.err(1064, &format!("#{} syntax", text.token.unwrap_or(0)));
            return;
        }
        self.last_stmt += 1;
        let columns = text
            .table()
            .map_or(0, |table| if table.row_bytes > 0 { 2 } else { 1 });
        let mut payload = vec![0];
        put_int(&mut payload, u64::from(self.last_stmt), 4);
        put_int(&mut payload, columns, 2);
        put_int(&mut payload, u64::from(text.params), 2);
        // The warnings say which statement it is, so that the client can tell.
        payload.push(0);
        put_int(&mut payload, u64::from(text.token.unwrap_or(0) & 0x7FFF), 2);
        reply.packet(&payload);
        let ok = self.ok(0, 0x16);
        let mut prepared = Prepared::new(text, self.state.database.clone());
        prepared.form = if reply.caches_definitions() {
            lent.rng.below(3) as u32
        } else {
            0
        };
        prepared.told = prepared.form;
        let name = reply::form_name(prepared.form);
        for (count, name) in [
            (u64::from(prepared.text.params), "?"),
            (columns, name.as_str()),
        ] {
            for _ in 0..count {
                reply.column(name);
            }
            if count > 0 {
                reply.end_of_definitions(ok);
            }
        }
        self.stmts.insert(self.last_stmt, prepared);
        lent.coverage.count(Rare::Prepared);
    }

    /// The statement a command names, and what follows its id.
    fn named<'b>(
        &mut self,
        body: &'b [u8],
    ) -> Result<(u32, Option<&mut Prepared>, &'b [u8]), String> {
        let mut cursor = Cursor(body);
        let id = cursor
            .int(4)
            .ok_or("a statement command without a statement")? as u32;
        let id = if id == u32::MAX { self.last_stmt } else { id };
        Ok((id, self.stmts.get_mut(&id), cursor.rest()))
    }

    fn execute(
        &mut self,
        body: &[u8],
        reply: &mut Reply,
        lent: &mut Lent<'_>,
    ) -> Result<(), String> {
        let caches = reply.caches_definitions();
        let (_, Some(prepared), rest) = self.named(body)? else {
            reply.err(1243, "#0 unknown statement");
            return Ok(());
        };
        if caches && lent.rng.one_in(6) {
            prepared.form = lent.rng.below(3) as u32;
        }
        let execution = prepared.execution(rest)?;
        let prepared_in = prepared.database.clone();
        let text = prepared.text.clone();
        let form = prepared.form;
        let definitions = prepared.told != form || lent.rng.one_in(4);
        if definitions {
            prepared.told = form;
        }
        prepared.cursor = None;
        if !execution.typed && text.params > 0 {
            lent.coverage.count(Rare::ExecutedWithoutTypes);
        }
        let stmt = text.token.unwrap_or(0);
        let token = self.announce(
            &text,
            execution.token,
            Some((stmt, &prepared_in)),
            execution.long,
            lent,
        );
        let tag = execution.token.unwrap_or(stmt);
        if execution.cursor && self.open_cursor(body, &text, &execution, tag, reply)? {
            lent.coverage.count(Rare::CursorOpened);
            return Ok(());
        }
        if !definitions {
            lent.coverage.count(Rare::DefinitionsLeftOut);
        }
        let running = Running {
            token,
            tag,
            command: 0x17,
            binary: true,
            definitions,
            form: caches.then_some(form),
        };
        self.run_text(&text, running, reply, lent);
        Ok(())
    }

    /// Opens a cursor, if the statement has rows for one.
    fn open_cursor(
        &mut self,
        body: &[u8],
        text: &crate::sql::Text,
        _execution: &Execution,
        tag: u32,
        reply: &mut Reply,
    ) -> Result<bool, String> {
        let Some(table) = text.table().filter(|table| !table.fails && table.rows != 1) else {
            return Ok(false);
        };
        let mut ok = self.ok(0, 0x17);
        let (_, Some(prepared), _) = self.named(body)? else {
            return Ok(false);
        };
        prepared.cursor = Some(Open {
            token: tag,
            next_row: 0,
            table,
        });
        ok.status |= status::CURSOR_EXISTS;
        prepared.told = prepared.form;
        let name = reply::form_name(prepared.form);
        let columns = if table.row_bytes > 0 { 2 } else { 1 };
        reply.column_count(columns, true);
        for _ in 0..columns {
            reply.column(&name);
        }
        reply.end(ok, &[]);
        Ok(true)
    }

    fn fetch(&mut self, body: &[u8], reply: &mut Reply, lent: &mut Lent<'_>) -> Result<(), String> {
        let (server, conn) = self.origin(lent.model);
        let mut ok = self.ok(0, 0x1C);
        let (_, found, rest) = self.named(body)?;
        let count = Cursor(rest)
            .int(4)
            .ok_or("a COM_STMT_FETCH without a count")? as u32;
        let Some(prepared) = found else {
            reply.err(1421, "#0 no open cursor");
            return Ok(());
        };
        let Some(open) = prepared.cursor.as_mut() else {
            reply.err(1421, "#0 no open cursor");
            return Ok(());
        };
        let end = open.table.rows.min(open.next_row.saturating_add(count));
        for row in open.next_row..end {
            reply.row(
                &reply::marker(server, conn, open.token, row),
                open.table.row_bytes,
                true,
            );
        }
        open.next_row = end;
        ok.status |= if end == open.table.rows {
            prepared.cursor = None;
            status::LAST_ROW_SENT
        } else {
            status::CURSOR_EXISTS
        };
        reply.end(ok, &[]);
        lent.coverage.count(Rare::Fetched);
        Ok(())
    }

    fn long_data(&mut self, body: &[u8], lent: &mut Lent<'_>) -> Result<(), String> {
        // Nothing is answered to long data; the execution will say that there is no such statement.
        let (_, Some(prepared), rest) = self.named(body)? else {
            return Ok(());
        };
        let mut cursor = Cursor(rest);
        let param = cursor.int(2).ok_or("long data without a parameter")? as u16;
        prepared
            .long
            .entry(param)
            .or_default()
            .extend_from_slice(cursor.rest());
        lent.coverage.count(Rare::LongDataSent);
        Ok(())
    }

    fn close_stmt(&mut self, body: &[u8]) -> Result<(), String> {
        let (id, _, _) = self.named(body)?;
        self.stmts.remove(&id);
        Ok(())
    }

    fn reset_stmt(&mut self, body: &[u8], reply: &mut Reply) -> Result<(), String> {
        let ok = self.ok(0, 0x1A);
        match self.named(body)? {
            (_, Some(prepared), _) => {
                prepared.long.clear();
                prepared.cursor = None;
                reply.ok(ok, "", &[]);
            }
            (..) => reply.err(1243, "#0 unknown statement"),
        }
        Ok(())
    }

    fn bulk(&mut self, body: &[u8], reply: &mut Reply, lent: &mut Lent<'_>) -> Result<(), String> {
        let (_, Some(prepared), rest) = self.named(body)? else {
            reply.err(1243, "#0 unknown statement");
            return Ok(());
        };
        let mut cursor = Cursor(rest);
        let params = usize::from(prepared.text.params);
        if cursor.int(2).ok_or("a bulk execution without flags")? & 128 != 0 {
            prepared.types = cursor.take(2 * params).map(<[u8]>::to_vec);
        }
        let types = prepared
            .types
            .clone()
            .ok_or("a bulk execution without parameter types")?;
        let mut token = None;
        while !cursor.is_empty() {
            for param in 0..params {
                if cursor.byte() == Some(0) {
                    let value = read_value(&mut cursor, types[2 * param])
                        .ok_or("a bulk value of another type")?;
                    token = token.or(Some(value));
                }
            }
        }
        let (text, database) = (prepared.text.clone(), prepared.database.clone());
        let stmt = text.token.unwrap_or(0);
        let token = self.announce(&text, token, Some((stmt, &database)), (0, 0), lent);
        let running = Running {
            token,
            tag: token.unwrap_or(0),
            command: 0xFA,
            binary: true,
            definitions: true,
            form: None,
        };
        self.run_text(&text, running, reply, lent);
        lent.coverage.count(Rare::BulkExecuted);
        Ok(())
    }
}
