//! How one packet moves the front reply. Of a packet too long to be whole at least the head is there.

use super::{ANY, Packet, ReplyTracker, State, Turn};
use crate::codec::Reader;
use crate::reply::event::{Event, Kind, ReplyError, Step};
use crate::reply::packets::{EofPacket, ErrPacket, OkPacket};
use crate::reply::{AUTH_MORE, EOF, ERR, LOCAL_INFILE, OK, PROGRESS_CODE};
use crate::stmt::PrepareOk;
use crate::{Caps, Shape, Status, WireError};

/// An OK packet has at least this length, in the place of an EOF packet too.
const OK_MIN_LEN: u32 = 7;

/// A column count has at most this length, with the byte of cached metadata.
const COUNT_MAX_LEN: u32 = 10;

/// What an EOF packet, or an OK in its place, says.
pub(super) struct End {
    pub(super) status: Status,
    pub(super) warnings: u16,
    pub(super) has_changes: bool,
}

impl End {
    fn eof(&self) -> Event {
        Event::Eof {
            status: self.status,
            warnings: self.warnings,
            has_changes: self.has_changes,
        }
    }
}

#[inline]
fn quiet_unless(step: Step, event: Event) -> Turn {
    match step {
        Step::Fast => Turn::Quiet,
        Step::PerPacket => Turn::Report(event),
    }
}

impl ReplyTracker {
    /// Moves the front reply by one packet.
    #[inline]
    pub(super) fn take(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        if packet.first == ERR {
            return self.take_err(packet);
        }
        match self.state {
            State::First => self.take_first(packet, step),
            State::ColumnsEof => self.take_columns_eof(packet, step),
            State::Rows => self.take_row(packet, step),
            State::Columns => {
                self.refuse_eof(packet)?;
                self.enter_columns(self.left.saturating_sub(1));
                Ok(quiet_unless(step, Event::Column))
            }
            State::ToldColumns => {
                self.refuse_eof(packet)?;
                self.enter_columns(self.left.saturating_sub(1));
                self.tell_columns();
                Ok(Turn::Report(Event::Column))
            }
            State::Fields => self.take_field(packet, step),
            State::InfileEnd => self.take_ok(packet),
            State::Params(..) | State::PreparedColumns(_) => {
                self.refuse_eof(packet)?;
                let step = if self.tells_definitions {
                    Step::PerPacket
                } else {
                    step
                };
                Ok(self.step_prepared(step, Event::Column))
            }
            State::ParamsEof(_) | State::PreparedColumnsEof => {
                self.demand_eof(packet)?;
                let event = self.read_end(packet)?.eof();
                Ok(self.step_prepared(step, event))
            }
            State::Idle | State::Infile => Err(self.unexpected(packet)),
        }
    }

    /// What is due, in words.
    pub(super) fn due(&self) -> &'static str {
        match self.state {
            State::Idle => "nothing",
            State::First => "the start of a result",
            State::Columns | State::ToldColumns | State::Fields | State::PreparedColumns(_) => {
                "a column definition"
            }
            State::Params(..) => "a parameter definition",
            State::ColumnsEof | State::ParamsEof(_) | State::PreparedColumnsEof => "an EOF",
            State::Rows => "a row",
            State::Infile => "an error while the client sends its file",
            State::InfileEnd => "the end of LOAD DATA LOCAL",
        }
    }

    #[cold]
    fn unexpected(&self, packet: Packet<'_>) -> ReplyError {
        ReplyError::Unexpected {
            due: self.due(),
            first: packet.first,
            len: packet.len,
        }
    }

    fn refuse_eof(&self, packet: Packet<'_>) -> Result<(), ReplyError> {
        if packet.first == EOF {
            return Err(self.unexpected(packet));
        }
        Ok(())
    }

    #[inline]
    fn demand_eof(&self, packet: Packet<'_>) -> Result<(), ReplyError> {
        if packet.first != EOF {
            return Err(self.unexpected(packet));
        }
        Ok(())
    }

    #[cold]
    fn take_err(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        let code = ErrPacket::head(&mut Reader::new(packet.payload))?;
        if code == PROGRESS_CODE && self.caps.contains(Caps::PROGRESS) {
            return Ok(Turn::Report(Event::ProgressReport));
        }
        self.summary.kind = Kind::Err;
        self.summary.error_code = code;
        Ok(Turn::Done(Event::Err { code }))
    }

    #[inline]
    fn take_first(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        match self.shape {
            Shape::Query | Shape::Execute | Shape::Bulk => self.take_result(packet, step),
            Shape::Ok | Shape::Eof if packet.first == EOF => self.take_eof(packet),
            Shape::Ok | Shape::Eof => self.take_ok(packet),
            Shape::Prepare => self.take_prepare_ok(packet),
            Shape::Statistics => {
                self.summary.kind = Kind::Ok;
                Ok(Turn::Done(Event::Statistics))
            }
            Shape::Auth => self.take_auth(packet),
            Shape::Stream => self.take_stream(packet, step),
            Shape::Nothing | Shape::FieldList | Shape::Fetch => Err(self.unexpected(packet)),
        }
    }

    /// The first packet of a result of a statement.
    #[inline]
    fn take_result(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        match packet.first {
            OK => self.take_ok(packet),
            EOF => Err(self.unexpected(packet)),
            LOCAL_INFILE if self.shape == Shape::Query => {
                self.state = State::Infile;
                self.due = ANY;
                Ok(Turn::Report(Event::LocalInfile))
            }
            _ => self.take_column_count(packet, step),
        }
    }

    #[inline]
    fn take_column_count(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        let (columns, follow) = self.read_column_count(packet)?;
        self.enter_result(columns, follow);
        let event = Event::ColumnCount(u64::from(columns));
        if self.is_told() {
            self.tell_columns();
            return Ok(Turn::Report(event));
        }
        Ok(quiet_unless(step, event))
    }

    /// Is the reply in progress one of which definitions are reported?
    #[inline]
    pub(super) fn is_told(&self) -> bool {
        self.tells_definitions && matches!(self.shape, Shape::Execute | Shape::Bulk)
    }

    /// The definitions that are due are reported one by one.
    fn tell_columns(&mut self) {
        if self.state == State::Columns {
            self.state = State::ToldColumns;
        }
    }

    /// Column count (lenenc); with [`Caps::CACHE_METADATA`] one more byte, 0: no definitions follow.
    fn read_column_count(&self, packet: Packet<'_>) -> Result<(u32, bool), ReplyError> {
        if packet.len > COUNT_MAX_LEN {
            return Err(self.unexpected(packet));
        }
        let mut reader = Reader::new(packet.payload);
        let got = reader.lenenc_int()?;
        let follow = !self.caps.contains(Caps::CACHE_METADATA) || reader.u8()? != 0;
        reader.finish()?;
        let limit = u64::from(u32::MAX);
        let columns = u32::try_from(got).map_err(|_| WireError::OverLimit { got, limit })?;
        Ok((columns, follow))
    }

    /// With a cursor the reply ends here, and rows come with `COM_STMT_FETCH`.
    #[inline]
    fn take_columns_eof(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        self.demand_eof(packet)?;
        let end = self.read_end(packet)?;
        if self.shape == Shape::Execute && end.status.contains(Status::CURSOR_EXISTS) {
            return Ok(self.end_rows(&end));
        }
        self.enter_rows();
        Ok(quiet_unless(step, end.eof()))
    }

    /// Whether the packet is the EOF, or the OK in its place, that may follow rows.
    #[inline]
    pub(super) fn ends_rows(&self, packet: Packet<'_>) -> bool {
        packet.first == EOF && packet.len < self.end_limit
    }

    #[inline]
    fn take_row(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        if self.ends_rows(packet) {
            let end = self.read_end(packet)?;
            return Ok(self.end_rows(&end));
        }
        self.summary.kind = Kind::ResultSet;
        self.summary.rows += 1;
        Ok(quiet_unless(step, Event::Row))
    }

    #[inline]
    pub(super) fn end_rows(&mut self, end: &End) -> Turn {
        self.summary.kind = Kind::ResultSet;
        self.summary.cursor_open = match self.shape {
            Shape::Execute => end.status.contains(Status::CURSOR_EXISTS),
            Shape::Fetch => !end.status.contains(Status::LAST_ROW_SENT),
            Shape::Nothing
            | Shape::Ok
            | Shape::Eof
            | Shape::Query
            | Shape::FieldList
            | Shape::Statistics
            | Shape::Prepare
            | Shape::Bulk
            | Shape::Auth
            | Shape::Stream => false,
        };
        let event = Event::End {
            status: end.status,
            warnings: end.warnings,
            has_changes: end.has_changes,
        };
        self.end_result(event, end.status)
    }

    /// Another result follows, or the reply is over.
    #[inline]
    fn end_result(&mut self, event: Event, status: Status) -> Turn {
        if status.contains(Status::MORE_RESULTS) {
            self.state = State::First;
            return Turn::Report(event);
        }
        Turn::Done(event)
    }

    /// Reads a packet that starts with 0xFE. Binary log streams end with an EOF even where it is
    /// deprecated.
    #[inline]
    fn read_end(&mut self, packet: Packet<'_>) -> Result<End, ReplyError> {
        let deprecated = self.caps.contains(Caps::DEPRECATE_EOF) && packet.len >= OK_MIN_LEN;
        let end = if deprecated {
            let ok = OkPacket::head(packet.payload)?;
            End {
                status: ok.status,
                warnings: ok.warnings,
                has_changes: self.has_changes(ok.status),
            }
        } else {
            let eof = EofPacket::parse(packet.payload)?;
            End {
                status: eof.status,
                warnings: eof.warnings,
                has_changes: false,
            }
        };
        self.note(end.status, end.warnings);
        Ok(end)
    }

    #[inline]
    pub(super) fn note(&mut self, status: Status, warnings: u16) {
        self.summary.status = status;
        self.summary.warnings = warnings;
    }

    #[inline]
    fn has_changes(&self, status: Status) -> bool {
        status.contains(Status::SESSION_STATE_CHANGED) && self.caps.contains(Caps::SESSION_TRACK)
    }

    /// An EOF that ends the reply and no rows.
    fn take_eof(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        let end = self.read_end(packet)?;
        self.summary.kind = Kind::Ok;
        Ok(Turn::Done(end.eof()))
    }

    #[inline]
    fn take_ok(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        if packet.first != OK {
            return Err(self.unexpected(packet));
        }
        let ok = OkPacket::head(packet.payload)?;
        self.note(ok.status, ok.warnings);
        self.summary.kind = Kind::Ok;
        self.summary.affected_rows = self.summary.affected_rows.saturating_add(ok.affected_rows);
        let event = Event::Ok {
            status: ok.status,
            affected_rows: ok.affected_rows,
            last_insert_id: ok.last_insert_id,
            warnings: ok.warnings,
            has_changes: self.has_changes(ok.status),
        };
        Ok(self.end_result(event, ok.status))
    }

    fn take_field(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        if self.ends_rows(packet) {
            return self.take_eof(packet);
        }
        self.refuse_eof(packet)?;
        self.summary.columns = self.summary.columns.saturating_add(1);
        Ok(quiet_unless(step, Event::Column))
    }

    fn take_auth(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        match packet.first {
            AUTH_MORE | EOF => {
                self.due = ANY;
                Ok(Turn::Report(Event::AuthMore))
            }
            _ => self.take_ok(packet),
        }
    }

    /// A semi-synchronous replica answers amid the stream, so its numbers do not count.
    fn take_stream(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        self.due = ANY;
        if packet.first == OK {
            return Ok(quiet_unless(step, Event::StreamPacket));
        }
        if self.ends_rows(packet) {
            return self.take_eof(packet);
        }
        Err(self.unexpected(packet))
    }

    fn take_prepare_ok(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        if packet.first != OK {
            return Err(self.unexpected(packet));
        }
        let prepared = PrepareOk::parse(packet.payload)?;
        self.summary.kind = Kind::Ok;
        self.summary.warnings = prepared.warnings;
        self.summary.columns = u32::from(prepared.columns);
        let event = Event::PrepareOk {
            id: prepared.id,
            params: prepared.params,
            columns: prepared.columns,
        };
        self.state = match (prepared.params, prepared.columns) {
            (0, 0) => return Ok(Turn::Done(event)),
            (0, columns) => State::PreparedColumns(columns),
            (params, columns) => State::Params(params, columns),
        };
        Ok(Turn::Report(event))
    }

    /// A definition of a prepare reply, or an EOF after definitions, was read.
    fn step_prepared(&mut self, step: Step, event: Event) -> Turn {
        let Some(state) = self.after_prepared() else {
            return Turn::Done(event);
        };
        self.state = state;
        quiet_unless(step, event)
    }

    /// The state after the next packet of a prepare reply; `None`: the reply is over.
    fn after_prepared(&self) -> Option<State> {
        let eofs = !self.caps.contains(Caps::DEPRECATE_EOF);
        match self.state {
            State::Params(left @ 2.., columns) => Some(State::Params(left - 1, columns)),
            State::Params(_, columns) if eofs => Some(State::ParamsEof(columns)),
            State::Params(_, columns) | State::ParamsEof(columns) => {
                (columns != 0).then_some(State::PreparedColumns(columns))
            }
            State::PreparedColumns(left @ 2..) => Some(State::PreparedColumns(left - 1)),
            State::PreparedColumns(_) if eofs => Some(State::PreparedColumnsEof),
            State::PreparedColumns(_)
            | State::PreparedColumnsEof
            | State::Idle
            | State::First
            | State::Columns
            | State::ToldColumns
            | State::ColumnsEof
            | State::Rows
            | State::Fields
            | State::Infile
            | State::InfileEnd => None,
        }
    }
}
