//! The packets of one answer: every result in its turn, every row with its owner's mark, every end with
//! the right flags.

use super::{Notice, Reader};
use crate::bytes::{Cursor, Packet};
use crate::caps;
use crate::coverage::{Coverage, Rare};
use crate::meaning::{FAILED_READ, Part};
use crate::model::{Answer, Model, What};
use crate::server::{DIVERGENT, STOPPING, UNPREPARED, read_form, read_marker};
use crate::sql::Table;
use crate::status;

/// What the next packet can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    #[default]
    Result,
    Columns(u64),
    ColumnsEnd,
    Rows,
    /// Definitions of parameters, then columns, of a prepared statement.
    Params(u64, u64),
    ParamsEnd(u64),
    PreparedColumns(u64),
    PreparedEnd,
    /// Definitions of a field list.
    Fields,
    /// After a file.
    FileEnd,
}

/// An answer that has begun.
#[derive(Debug, Clone, Default)]
pub(super) struct InReply {
    pub(super) begun: bool,
    /// What the server writes into it.
    tag: u32,
    command: u8,
    foreseen: Vec<Part>,
    /// Results that have ended.
    ended: usize,
    at: At,
    /// Rows of this result.
    rows: u32,
    /// Whose rows they are: server and connection.
    source: Option<(usize, u32)>,
    prepared: Option<(u32, u16)>,
    /// An OK packet ended it, and did not say that replicas were waited for in vain.
    in_time: bool,
    /// What `CONNECTION_ID()` returned.
    connection: Option<u64>,
}

/// An OK or EOF packet.
#[derive(Debug, Clone, Copy)]
struct End {
    status: u16,
    command: u16,
    token: u64,
}

impl InReply {
    pub(super) fn start(tag: u32, command: u8, foreseen: Vec<Part>) -> InReply {
        InReply {
            begun: true,
            tag,
            command,
            foreseen,
            ..InReply::default()
        }
    }

    /// The server's connection whose rows came.
    pub(super) fn by(&self) -> Option<u32> {
        self.source.map(|(_, conn)| conn).filter(|conn| *conn > 0)
    }

    /// Was it told in time, as far as can be seen?
    pub(super) fn in_time(&self) -> bool {
        self.in_time
    }

    pub(super) fn awaits_file(&self) -> bool {
        self.at == At::FileEnd
    }

    fn due(&self) -> Option<Part> {
        self.foreseen.get(self.ended).copied()
    }
}

impl Reader {
    /// One packet of the answer to the oldest command. `Some`: the answer is whole.
    pub(super) fn reply_packet(
        &mut self,
        token: u32,
        packet: &Packet,
        model: &mut Model,
        coverage: &mut Coverage,
        heard: &mut Vec<Notice>,
    ) -> Result<Option<Answer>, String> {
        let payload = packet.payload.as_slice();
        let Some(first) = payload.first().copied() else {
            return Err("an empty packet".to_owned());
        };
        if first == 0xFF {
            return self.error(payload, coverage);
        }
        let what = model
            .get(token)
            .map(|issued| issued.what.clone())
            .ok_or("no command")?;
        match self.reply.at {
            At::Result => self.result(&what, packet, model, heard),
            At::Columns(left) => {
                check_column(payload)?;
                if let What::Execute { client_id, .. } = what {
                    self.defined(client_id, payload);
                }
                self.reply.at = match left {
                    1 if self.has(caps::DEPRECATE_EOF) => At::Rows,
                    1 => At::ColumnsEnd,
                    _ => At::Columns(left - 1),
                };
                Ok(None)
            }
            At::ColumnsEnd => self.columns_end(payload),
            At::Rows => self.row(&what, payload, model),
            At::Params(..) | At::ParamsEnd(_) | At::PreparedColumns(_) | At::PreparedEnd => {
                self.prepared_part(token, payload)
            }
            At::Fields if first == 0xFE => self
                .read_end(payload)
                .map(|_| Some(Answer::Server { failed: false })),
            At::Fields => check_column(payload).map(|()| None),
            At::FileEnd => self.ok_result(payload),
        }
    }

    /// The first packet of a result.
    fn result(
        &mut self,
        what: &What,
        packet: &Packet,
        model: &Model,
        heard: &mut Vec<Notice>,
    ) -> Result<Option<Answer>, String> {
        let payload = packet.payload.as_slice();
        match what {
            What::Text(_)
            | What::Execute { .. }
            | What::Bulk { .. }
            | What::Refused(_)
            | What::FilterAnswers => self.query_result(packet, heard),
            What::Fetch { .. } => {
                self.reply.at = At::Rows;
                self.row(what, payload, model)
            }
            What::Prepare(_) => self.prepare_ok(payload),
            What::ChangeUser { .. } if payload[0] == 0xFE => {
                let notice = self.switch(packet)?;
                heard.push(notice);
                Ok(None)
            }
            What::Statistics => Ok(Some(Answer::Server { failed: false })),
            What::FieldList => {
                self.reply.at = At::Fields;
                check_column(payload).map(|()| None)
            }
            What::ChangeUser { .. } => self
                .read_end(payload)
                .map(|_| Some(Answer::Server { failed: false })),
            What::StmtReset { .. }
            | What::InitDb(_)
            | What::MultiStatements(_)
            | What::Plain
            | What::ResetConnection => self.plain_ok(payload),
            What::Silent => Err("an answer to a command that has none".to_owned()),
        }
    }

    /// The whole answer to a command without a text.
    fn plain_ok(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        let end = self.read_end(payload)?;
        if self.reply.foreseen != [Part::Ok] {
            return Err(format!("success where {:?} was due", self.reply.foreseen));
        }
        match (end.command, u16::from(self.reply.command)) {
            (found, due) if found == due => Ok(Some(Answer::Server { failed: false })),
            (0, _) => Ok(Some(Answer::Own)),
            (found, due) => Err(format!("the answer to a command {found:#x}, not {due:#x}")),
        }
    }

    fn query_result(
        &mut self,
        packet: &Packet,
        heard: &mut Vec<Notice>,
    ) -> Result<Option<Answer>, String> {
        let payload = packet.payload.as_slice();
        match payload[0] {
            0x00 => self.ok_result(payload),
            0xFB => {
                if self.reply.due() != Some(Part::File) {
                    return Err("a file is wanted where none was due".to_owned());
                }
                let seq = packet.last_seq.wrapping_add(1);
                heard.push(Notice::File { seq });
                self.due = None;
                self.reply.at = At::FileEnd;
                Ok(None)
            }
            _ => self.column_count(payload),
        }
    }

    /// An OK that is a result of its own.
    fn ok_result(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        let end = self.read_end(payload)?;
        let proxied = end.command == 0 && end.token == 0;
        if proxied {
            return Ok(Some(Answer::Own));
        }
        if !matches!(self.reply.due(), Some(Part::Ok | Part::File)) {
            return Err(format!("OK where {:?} was due", self.reply.due()));
        }
        self.check_owner(end)?;
        self.reply.in_time = end.command == u16::from(self.reply.command);
        Ok(self.result_ended(end))
    }

    fn check_owner(&self, end: End) -> Result<(), String> {
        // A warning more: the command stands where warnings are counted.
        let late = self.synced && end.command == u16::from(self.reply.command) + 1;
        if end.command != u16::from(self.reply.command) && !late
            || end.token != u64::from(self.reply.tag)
        {
            return Err(format!(
                "an OK of command {:#x} and token {}",
                end.command, end.token
            ));
        }
        Ok(())
    }

    /// A result has ended: is it the last?
    fn result_ended(&mut self, end: End) -> Option<Answer> {
        self.reply.ended += 1;
        self.reply.at = At::Result;
        self.reply.rows = 0;
        (end.status & status::MORE_RESULTS == 0).then_some(Answer::Server { failed: false })
    }

    fn column_count(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        if !matches!(self.reply.due(), Some(Part::Rows(_) | Part::ConnectionId)) {
            return Err(format!("a result set where {:?} was due", self.reply.due()));
        }
        let mut cursor = Cursor(payload);
        let count = cursor
            .lenenc()
            .filter(|count| *count > 0)
            .ok_or("a column count that cannot be read")?;
        let follow = !self.has(caps::CACHE_METADATA)
            || cursor.byte().ok_or("no word about definitions")? == 1;
        if !cursor.is_empty() {
            return Err("a column count with more behind it".to_owned());
        }
        self.reply.at = match (follow, self.has(caps::DEPRECATE_EOF)) {
            (true, _) => At::Columns(count),
            (false, true) => At::Rows,
            (false, false) => At::ColumnsEnd,
        };
        Ok(None)
    }

    /// A definition of a statement's column came.
    fn defined(&mut self, id: u32, payload: &[u8]) {
        let mut cursor = Cursor(payload);
        let name = (0..5).filter_map(|_| cursor.text()).last();
        match name.and_then(read_form) {
            Some(form) => self.forms.insert(id, form),
            None => self.forms.remove(&id),
        };
    }

    /// A row is in the form that the client was told of last.
    fn check_form(&self, id: u32, payload: &[u8]) -> Result<(), String> {
        let form = Cursor(payload.get(2..).unwrap_or_default())
            .text()
            .and_then(read_form);
        let held = self.forms.get(&id).copied();
        if form.is_some() && form != held {
            return Err(format!(
                "a row of form {form:?} where the client holds definitions of form {held:?}"
            ));
        }
        Ok(())
    }

    fn columns_end(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        let end = self.read_end(payload)?;
        self.reply.at = At::Rows;
        Ok((end.status & status::CURSOR_EXISTS != 0).then_some(Answer::CursorOpen))
    }

    /// A row, or the end of rows.
    fn row(
        &mut self,
        what: &What,
        payload: &[u8],
        model: &Model,
    ) -> Result<Option<Answer>, String> {
        let limit = if self.has(caps::DEPRECATE_EOF) {
            crate::bytes::MAX_FRAME
        } else {
            9
        };
        let ends = payload[0] == 0xFE && payload.len() < limit;
        if let What::Fetch { client_id, rows } = what {
            return self.fetched(*client_id, *rows, ends, payload, model);
        }
        if ends {
            return self.rows_end(payload);
        }
        match self.reply.due() {
            Some(Part::ConnectionId) => self.connection_id(payload),
            Some(Part::Rows(table)) => {
                let binary = !matches!(what, What::Text(_));
                self.check_row(table, self.reply.rows, self.reply.tag, payload, binary)?;
                if let What::Execute { client_id, .. } = what {
                    self.check_form(*client_id, payload)?;
                }
                self.reply.rows += 1;
                Ok(None)
            }
            other => Err(format!("a row where {other:?} was due")),
        }
    }

    fn rows_end(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        self.reply.in_time = false;
        let end = self.read_end(payload)?;
        let due = match self.reply.due() {
            Some(Part::Rows(table)) => table,
            _ => Table::small(1),
        };
        if end.status & status::CURSOR_EXISTS != 0 && self.reply.rows == 0 {
            return Ok(Some(Answer::CursorOpen));
        }
        if self.reply.rows != due.rows || due.fails {
            return Err(format!("the end after {} rows of {due:?}", self.reply.rows));
        }
        if self.reply.due() != Some(Part::ConnectionId) {
            return Ok(self.result_ended(end));
        }
        let own = self.reply.connection == Some(self.session as u64 + 1);
        if !own {
            return Err(format!(
                "CONNECTION_ID() is {:?}, not the session's number",
                self.reply.connection
            ));
        }
        Ok(Some(Answer::Own))
    }

    /// `CONNECTION_ID()`: the number of the session.
    fn connection_id(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        let value = Cursor(payload)
            .text()
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        self.reply.rows += 1;
        self.reply.connection = Some(value.ok_or("a connection id that is no number")?);
        Ok(None)
    }

    fn fetched(
        &mut self,
        client_id: u32,
        wanted: u32,
        ends: bool,
        payload: &[u8],
        model: &Model,
    ) -> Result<Option<Answer>, String> {
        let cursor = *model.sessions[self.session]
            .cursors
            .get(&client_id)
            .ok_or("rows without a cursor")?;
        let left = cursor.table.rows - cursor.next_row;
        if !ends {
            self.check_row(
                cursor.table,
                cursor.next_row + self.reply.rows,
                cursor.token,
                payload,
                true,
            )?;
            self.reply.rows += 1;
            return Ok(None);
        }
        let end = self.read_end(payload)?;
        if self.reply.rows != left.min(wanted) {
            return Err(format!(
                "{} rows fetched, {wanted} wanted, {left} left",
                self.reply.rows
            ));
        }
        let last = end.status & status::LAST_ROW_SENT != 0;
        if last != (self.reply.rows == left) {
            return Err("a wrong word about the last row".to_owned());
        }
        Ok(Some(Answer::Fetched {
            rows: self.reply.rows,
        }))
    }

    fn check_row(
        &mut self,
        table: Table,
        row: u32,
        tag: u32,
        payload: &[u8],
        binary: bool,
    ) -> Result<(), String> {
        let mut cursor = Cursor(payload);
        if binary {
            cursor
                .take(2)
                .filter(|head| *head == [0, 0])
                .ok_or("a binary row with another head")?;
        }
        let mark = cursor
            .text()
            .and_then(read_marker)
            .ok_or("a row without a mark")?;
        let (server, conn, found, number) = mark;
        if found != tag {
            return Err(format!("a row of command {found}, not {tag}"));
        }
        if number != row {
            return Err(format!("row {number} in the place of row {row}"));
        }
        if *self.reply.source.get_or_insert((server, conn)) != (server, conn) {
            return Err("rows of two connections in one answer".to_owned());
        }
        let filling = if table.row_bytes > 0 {
            cursor.text().map(<[u8]>::len)
        } else {
            Some(0)
        };
        if filling != Some(table.row_bytes as usize) || !cursor.is_empty() {
            return Err("a row of another length".to_owned());
        }
        Ok(())
    }

    fn prepare_ok(&mut self, payload: &[u8]) -> Result<Option<Answer>, String> {
        let mut cursor = Cursor(payload);
        let read = |cursor: &mut Cursor<'_>| {
            cursor.byte().filter(|kind| *kind == 0)?;
            let (id, columns, params) = (cursor.int(4)?, cursor.int(2)?, cursor.int(2)?);
            cursor.byte()?;
            Some((id as u32, columns, params, cursor.int(2)?))
        };
        let (id, columns, params, mark) =
            read(&mut cursor).ok_or("a prepare reply that cannot be read")?;
        if mark != u64::from(self.reply.tag & 0x7FFF) {
            return Err(format!("the reply to another preparation: mark {mark}"));
        }
        self.reply.prepared = Some((id, params as u16));
        self.reply.at = match (params, columns) {
            (0, 0) => return Ok(Some(Answer::Prepared { id, params: 0 })),
            (0, columns) => At::PreparedColumns(columns),
            (params, columns) => At::Params(params, columns),
        };
        Ok(None)
    }

    /// The definitions behind a prepare reply.
    fn prepared_part(&mut self, token: u32, payload: &[u8]) -> Result<Option<Answer>, String> {
        let deprecated = self.has(caps::DEPRECATE_EOF);
        let after_params = |columns| {
            if columns == 0 {
                None
            } else {
                Some(At::PreparedColumns(columns))
            }
        };
        let next = match self.reply.at {
            At::Params(left, columns) => {
                check_column(payload)?;
                match (left, deprecated) {
                    (1, true) => after_params(columns),
                    (1, false) => Some(At::ParamsEnd(columns)),
                    _ => Some(At::Params(left - 1, columns)),
                }
            }
            At::ParamsEnd(columns) => self.read_end(payload).map(|_| after_params(columns))?,
            At::PreparedColumns(left) => {
                check_column(payload)?;
                if let Some((id, _)) = self.reply.prepared {
                    self.defined(id, payload);
                }
                match (left, deprecated) {
                    (1, true) => None,
                    (1, false) => Some(At::PreparedEnd),
                    _ => Some(At::PreparedColumns(left - 1)),
                }
            }
            _ => self.read_end(payload).map(|_| None)?,
        };
        match (next, self.reply.prepared) {
            (Some(at), _) => {
                self.reply.at = at;
                Ok(None)
            }
            (None, Some((id, params))) => Ok(Some(Answer::Prepared { id, params })),
            (None, None) => Err(format!("command {token} was not prepared")),
        }
    }

    /// An ERR packet, or a progress report.
    fn error(&mut self, payload: &[u8], coverage: &mut Coverage) -> Result<Option<Answer>, String> {
        let mut cursor = Cursor(&payload[1..]);
        let code = cursor.int(2).ok_or("an error without a number")? as u16;
        if code == 0xFFFF && self.has(caps::PROGRESS) {
            return Ok(None);
        }
        cursor
            .take(6)
            .filter(|state| state[0] == b'#')
            .ok_or("an error without a state")?;
        let text = String::from_utf8_lossy(cursor.rest()).into_owned();
        let Some(mark) = text.strip_prefix('#') else {
            if self.reply.rows > 0 || self.reply.ended > 0 {
                coverage.count(Rare::ProxyErrorAmidAnswer);
            }
            if code == 1290 {
                coverage.count(Rare::WriteRefused);
            }
            return Ok(Some(Answer::Proxy { code, text }));
        };
        let owner: u32 = mark
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(0);
        if owner != 0 && owner != self.reply.tag {
            return Err(format!("the error of command {owner}"));
        }
        if code == DIVERGENT || code == STOPPING || code == UNPREPARED && text.contains("WSREP") {
            return Ok(Some(Answer::Fault));
        }
        let due = match self.reply.due() {
            Some(Part::Fail(due)) => due,
            Some(Part::Rows(table)) if table.fails && table.rows == self.reply.rows => FAILED_READ,
            other => return Err(format!("error {code} {text:?} where {other:?} was due")),
        };
        if due != code {
            return Err(format!("error {code} {text:?} where error {due} was due"));
        }
        Ok(Some(Answer::Server { failed: true }))
    }

    /// An OK or EOF packet: the numbers in it, and what it may report to this client.
    fn read_end(&self, payload: &[u8]) -> Result<End, String> {
        let mut cursor = Cursor(payload);
        let kind = cursor.byte();
        if kind == Some(0xFE) && payload.len() == 5 {
            let command = cursor.int(2).unwrap_or_default() as u16;
            return Ok(End {
                status: cursor.int(2).unwrap_or_default() as u16,
                command,
                token: 0,
            });
        }
        let read = |cursor: &mut Cursor<'_>| {
            cursor.lenenc()?;
            let token = cursor.lenenc()?;
            let status = cursor.int(2)? as u16;
            Some(End {
                status,
                token,
                command: cursor.int(2)? as u16,
            })
        };
        if !matches!(kind, Some(0x00 | 0xFE)) {
            return Err(format!("a packet of kind {kind:?} where an OK was due"));
        }
        let end = read(&mut cursor).ok_or("an OK that cannot be read")?;
        self.check_tracking(end.status, &mut cursor)?;
        Ok(end)
    }

    /// A client that did not ask for session tracking gets none; one that did gets what it asked for.
    fn check_tracking(&self, flags: u16, cursor: &mut Cursor<'_>) -> Result<(), String> {
        let tracked = flags & status::SESSION_STATE_CHANGED != 0;
        if !self.has(caps::SESSION_TRACK) {
            return if tracked {
                Err("session tracking that was not asked for".to_owned())
            } else {
                Ok(())
            };
        }
        if cursor.is_empty() {
            return if tracked {
                Err("session tracking is announced and missing".to_owned())
            } else {
                Ok(())
            };
        }
        cursor.text().ok_or("an info that cannot be read")?;
        if !tracked {
            return if cursor.is_empty() {
                Ok(())
            } else {
                Err("bytes behind the info".to_owned())
            };
        }
        let mut block = Cursor(
            cursor
                .text()
                .ok_or("a tracking block that cannot be read")?,
        );
        while !block.is_empty() {
            let kind = block.byte().unwrap_or_default();
            let data = block.text().ok_or("a tracking entry that cannot be read")?;
            let ours = match kind {
                0 => matches!(Cursor(data).text(), Some(b"sql_mode")),
                4 | 5 => true,
                _ => false,
            };
            if ours {
                return Err(format!(
                    "tracking entry {kind} that only the proxy asked for"
                ));
            }
        }
        if cursor.is_empty() {
            Ok(())
        } else {
            Err("bytes behind the tracking block".to_owned())
        }
    }
}

fn check_column(payload: &[u8]) -> Result<(), String> {
    match Cursor(payload).text() {
        Some(b"def") => Ok(()),
        _ => Err("a column definition that cannot be read".to_owned()),
    }
}
