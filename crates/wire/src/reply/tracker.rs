//! The reply tracker: which bytes of a server belong to which command's reply, and where each ends.
//!
//! It is a queue of expected replies for one server connection. Rows and definitions are hopped over
//! by their frame headers; only packets that end or steer a reply are read. Runs may be cut anywhere.
//!
//! Left out: what rows say, what definitions say, and who the reply is for.
//!
//! Invariants: consumed bytes always end inside the front reply; a reply is popped exactly when its
//! last byte was consumed; no byte is kept and nothing is allocated while at most one reply is due.

use super::event::{Event, Kind, Progress, ReplyError, Step, Summary};
use super::packets::{EofPacket, ErrPacket, OkPacket};
use super::{EOF, ERR, LOCAL_INFILE, OK, PROGRESS_CODE};
use crate::codec::Reader;
use crate::frame::{Header, MAX_FRAME};
use crate::{Caps, Shape, Status, WireError};
use std::collections::VecDeque;

/// Packets of interest up to this length are reported whole unless the caller chose another limit:
/// a worker's read buffer holds that much.
const WHOLE_LIMIT: u32 = 64 * 1024;

/// Bytes of a long packet's payload that hold every field read here: an OK has at most 23.
const HEAD_LEN: usize = 32;

/// What the front reply's next packet can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No reply is due.
    Idle,
    /// The first packet of the reply or of its next result.
    First,
    /// That many column definitions of a result set.
    Columns(u32),
    /// The EOF after them.
    ColumnsEof,
    /// Rows of a result set, or its end.
    Rows,
    /// Definitions of a field list, or its end.
    Fields,
    /// The client is sending the file of a LOAD DATA LOCAL.
    Infile,
    /// The OK or ERR after it.
    InfileEnd,
    /// That many parameter definitions of a prepare reply, then that many column definitions.
    Params(u16, u16),
    /// The EOF after parameters, then that many column definitions.
    ParamsEof(u16),
    /// That many column definitions of a prepare reply.
    PreparedColumns(u16),
    /// The EOF after them.
    PreparedColumnsEof,
}

impl State {
    fn due(self) -> &'static str {
        match self {
            Self::Idle => "nothing",
            Self::First => "the start of a reply",
            Self::Columns(_) | Self::Fields | Self::PreparedColumns(_) => "a column definition",
            Self::Params(..) => "a parameter definition",
            Self::ColumnsEof | Self::ParamsEof(_) | Self::PreparedColumnsEof => "an EOF",
            Self::Rows => "a row",
            Self::Infile | Self::InfileEnd => "the end of LOAD DATA LOCAL",
        }
    }
}

/// What a packet does to the front reply.
enum Turn {
    /// It goes on; nobody needs to know.
    Quiet,
    /// It goes on.
    Report(Event),
    /// It ends.
    Done(Event),
}

/// One packet at the start of what is left of the run.
#[derive(Clone, Copy)]
struct Packet<'a> {
    header: Header,
    first: u8,
    /// The payload, or of a packet too long to be whole as much as is there.
    payload: &'a [u8],
}

/// The queue of replies that one server connection owes.
#[derive(Debug, Clone)]
pub struct ReplyTracker {
    caps: Caps,
    shape: Shape,
    state: State,
    /// Bytes of the front reply were consumed.
    begun: bool,
    /// The number of the next frame, if the frame before it said it.
    seq: Option<u8>,
    /// Bytes of the current frame that are still to come.
    skip: u32,
    /// The current packet goes on in another frame.
    continues: bool,
    /// What to report, and whether the reply is over, when the packet being skipped ends.
    held: Option<(Event, bool)>,
    whole_limit: u32,
    summary: Summary,
    queue: VecDeque<Shape>,
}

impl ReplyTracker {
    /// For a connection that negotiated `caps`.
    pub fn new(caps: Caps) -> Self {
        Self {
            caps: caps.valid(),
            shape: Shape::Nothing,
            state: State::Idle,
            begun: false,
            seq: None,
            skip: 0,
            continues: false,
            held: None,
            whole_limit: WHOLE_LIMIT,
            summary: Summary::default(),
            queue: VecDeque::new(),
        }
    }

    /// Longer packets than this are not waited for: their event has an empty packet range and
    /// comes when their last byte was consumed. The default is 64 KiB; one frame is the most.
    #[must_use]
    pub fn with_whole_limit(mut self, bytes: u32) -> Self {
        self.whole_limit = bytes.clamp(HEAD_LEN as u32, MAX_FRAME as u32 - 1);
        self
    }

    /// A command was sent whose reply has this shape. [`Shape::Nothing`] changes nothing.
    #[inline]
    pub fn expect(&mut self, shape: Shape) {
        if shape == Shape::Nothing {
            return;
        }
        if self.state == State::Idle {
            self.start(shape);
        } else {
            self.queue.push_back(shape);
        }
    }

    /// Replies that are due, the one in progress included.
    pub fn pending(&self) -> usize {
        usize::from(self.state != State::Idle) + self.queue.len()
    }

    /// Whether no reply is due.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether the front reply began and did not end.
    #[inline]
    pub fn mid_reply(&self) -> bool {
        self.begun
    }

    /// Whether the next byte starts a packet: an ERR may be put in its place.
    pub fn at_packet_boundary(&self) -> bool {
        self.skip == 0 && !self.continues
    }

    /// Whether the client is sending the file of a LOAD DATA LOCAL.
    pub fn awaits_infile(&self) -> bool {
        self.state == State::Infile
    }

    /// The client sent the empty packet that ends its file.
    pub fn expect_infile_end(&mut self) {
        if self.state == State::Infile {
            self.state = State::InfileEnd;
        }
    }

    /// The shape of the reply that is due first.
    pub fn front(&self) -> Option<Shape> {
        (self.state != State::Idle).then_some(self.shape)
    }

    /// What is known of the reply in progress; between replies, of the one that ended last.
    #[inline]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Rows consumed of the reply in progress, or of the last one.
    pub fn rows(&self) -> u64 {
        self.summary.rows
    }

    /// Bytes consumed of the reply in progress, or of the last one.
    pub fn bytes(&self) -> u64 {
        self.summary.bytes
    }

    /// Reads on at the start of `run`, the bytes that were not consumed yet. See [`Progress`].
    ///
    /// # Errors
    /// If the bytes cannot be the reply that is due; the connection must be closed then, nothing can
    /// be said about what follows.
    pub fn advance(&mut self, run: &[u8], step: Step) -> Result<Progress, ReplyError> {
        let mut rest = run;
        loop {
            if self.skip != 0 {
                rest = self.skip_body(rest);
                if self.skip != 0 {
                    break;
                }
            }
            if self.continues {
                if !self.next_frame(&mut rest)? {
                    break;
                }
                continue;
            }
            if let Some((event, done)) = self.held.take() {
                return Ok(self.report(run.len() - rest.len(), 0, event, done));
            }
            if step == Step::Fast {
                rest = self.hop(rest);
            }
            let Some(packet) = self.peek(rest)? else {
                break;
            };
            let opaque = self.is_opaque(packet, step);
            let total = packet.header.total();
            if !opaque && rest.len() < total {
                break;
            }
            if opaque && packet.payload.len() < HEAD_LEN.min(packet.header.len as usize) {
                break;
            }
            self.begin(packet.header.seq)?;
            let (event, done) = match self.take(packet, step)? {
                Turn::Quiet => (Event::More, false),
                Turn::Report(event) => (event, false),
                Turn::Done(event) => (event, true),
            };
            if opaque {
                self.skip = packet.header.len;
                self.continues = packet.header.continues();
                self.held = (event != Event::More).then_some((event, done));
                rest = rest.get(Header::LEN..).unwrap_or_default();
                continue;
            }
            rest = rest.get(total..).unwrap_or_default();
            if event != Event::More {
                return Ok(self.report(run.len() - rest.len(), total, event, done));
            }
        }
        let consumed = run.len() - rest.len();
        self.summary.bytes += consumed as u64;
        Ok(Progress {
            consumed,
            event: Event::More,
            packet: consumed..consumed,
            done: false,
        })
    }

    fn report(&mut self, consumed: usize, len: usize, event: Event, done: bool) -> Progress {
        self.summary.bytes += consumed as u64;
        if done {
            self.finish();
        }
        Progress {
            consumed,
            event,
            packet: consumed - len..consumed,
            done,
        }
    }

    fn start(&mut self, shape: Shape) {
        self.shape = shape;
        self.state = if shape == Shape::Fetch {
            State::Rows
        } else if shape == Shape::FieldList {
            State::Fields
        } else {
            State::First
        };
    }

    /// Pops the front reply.
    fn finish(&mut self) {
        self.begun = false;
        self.state = State::Idle;
        if let Some(shape) = self.queue.pop_front() {
            self.start(shape);
        }
    }

    /// Accounts for a packet's first frame.
    #[inline]
    fn begin(&mut self, seq: u8) -> Result<(), ReplyError> {
        if !self.begun {
            self.begun = true;
            self.summary = Summary::default();
            self.seq = None;
        }
        self.count_frame(seq)
    }

    #[inline]
    fn count_frame(&mut self, got: u8) -> Result<(), ReplyError> {
        if let Some(expected) = self.seq
            && expected != got
        {
            return Err(ReplyError::OutOfOrder { expected, got });
        }
        self.seq = Some(got.wrapping_add(1));
        Ok(())
    }

    /// Consumes what the run has of the current frame.
    #[inline]
    fn skip_body<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let here = rest.len().min(self.skip as usize);
        self.skip -= here as u32;
        rest.get(here..).unwrap_or_default()
    }

    /// Enters the next frame of a packet that goes on; false if its header is cut.
    fn next_frame(&mut self, rest: &mut &[u8]) -> Result<bool, ReplyError> {
        let Some(header) = Header::parse(rest) else {
            return Ok(false);
        };
        self.count_frame(header.seq)?;
        self.skip = header.len;
        self.continues = header.continues();
        *rest = rest.get(Header::LEN..).unwrap_or_default();
        Ok(true)
    }

    /// Hops over rows or definitions as long as they are whole, short and in order. Whatever is not
    /// stays for the careful path.
    #[inline]
    fn hop<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        match self.state {
            State::Rows => {
                let (rest, hopped) = self.hop_packets(rest, u32::MAX);
                self.summary.rows += u64::from(hopped);
                rest
            }
            State::Columns(left) => {
                let (rest, hopped) = self.hop_packets(rest, left);
                self.state = self.columns_left(left - hopped);
                rest
            }
            State::Idle
            | State::First
            | State::ColumnsEof
            | State::Fields
            | State::Infile
            | State::InfileEnd
            | State::Params(..)
            | State::ParamsEof(_)
            | State::PreparedColumns(_)
            | State::PreparedColumnsEof => rest,
        }
    }

    #[inline]
    fn hop_packets<'a>(&mut self, run: &'a [u8], limit: u32) -> (&'a [u8], u32) {
        let Some(mut due) = self.seq else {
            return (run, 0);
        };
        let (mut rest, mut hopped) = (run, 0);
        while hopped < limit
            && let Some(&[a, b, c, seq, first]) = rest.first_chunk::<5>()
        {
            let len = u32::from_le_bytes([a, b, c, 0]) as usize;
            if first >= EOF || seq != due || len.wrapping_sub(1) >= MAX_FRAME - 1 {
                break;
            }
            let Some(after) = rest.get(Header::LEN + len..) else {
                break;
            };
            rest = after;
            due = due.wrapping_add(1);
            hopped += 1;
        }
        self.seq = Some(due);
        (rest, hopped)
    }

    /// The packet at the start of `rest`, if its header and first byte are there.
    #[inline]
    fn peek<'a>(&self, rest: &'a [u8]) -> Result<Option<Packet<'a>>, ReplyError> {
        let Some(header) = Header::parse(rest) else {
            return Ok(None);
        };
        if self.state == State::Idle {
            return unsolicited(rest, header);
        }
        if header.len == 0 {
            return Err(ReplyError::Empty {
                due: self.state.due(),
            });
        }
        let end = header.total().min(rest.len());
        let payload = rest.get(Header::LEN..end).unwrap_or_default();
        Ok(payload.first().map(|&first| Packet {
            header,
            first,
            payload,
        }))
    }

    /// Whether the packet is consumed as its bytes come instead of being waited for.
    #[inline]
    fn is_opaque(&self, packet: Packet<'_>, step: Step) -> bool {
        packet.header.len > self.whole_limit || (step == Step::Fast && self.is_plain(packet))
    }

    /// Whether the packet is a row or definition, of which only the header matters.
    #[inline]
    fn is_plain(&self, packet: Packet<'_>) -> bool {
        match self.state {
            State::Rows => !self.ends_rows(packet) && packet.first != ERR,
            State::Columns(_) | State::Fields | State::Params(..) | State::PreparedColumns(_) => {
                packet.first < EOF
            }
            State::First => self.shape == Shape::Stream && packet.first == OK,
            State::Idle
            | State::ColumnsEof
            | State::Infile
            | State::InfileEnd
            | State::ParamsEof(_)
            | State::PreparedColumnsEof => false,
        }
    }

    /// Whether the packet is the EOF, or the OK in its place, that may follow rows.
    #[inline]
    fn ends_rows(&self, packet: Packet<'_>) -> bool {
        let limit = if self.caps.contains(Caps::DEPRECATE_EOF) {
            MAX_FRAME
        } else {
            EofPacket::MAX_LEN
        };
        packet.first == EOF && (packet.header.len as usize) < limit
    }

    /// Moves the front reply by one packet.
    fn take(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        if packet.first == ERR {
            return self.take_err(packet);
        }
        match self.state {
            State::First => self.take_first(packet, step),
            State::Columns(left) => {
                self.refuse_eof(packet)?;
                self.state = self.columns_left(left.saturating_sub(1));
                Ok(quiet_unless(step, Event::Column))
            }
            State::ColumnsEof => self.take_columns_eof(packet, step),
            State::Rows if self.ends_rows(packet) => self.take_end(packet),
            State::Rows => {
                self.summary.rows += 1;
                Ok(quiet_unless(step, Event::Row))
            }
            State::Fields if self.ends_rows(packet) => self.take_eof(packet).map(Turn::Done),
            State::Fields => {
                self.summary.columns = self.summary.columns.saturating_add(1);
                Ok(quiet_unless(step, Event::Column))
            }
            State::InfileEnd => self.take_ok(packet),
            State::Params(..)
            | State::ParamsEof(_)
            | State::PreparedColumns(_)
            | State::PreparedColumnsEof => self.take_prepared(packet, step),
            State::Idle | State::Infile => Err(self.unexpected(packet)),
        }
    }

    fn unexpected(&self, packet: Packet<'_>) -> ReplyError {
        ReplyError::Unexpected {
            due: self.state.due(),
            first: packet.first,
            len: packet.header.len,
        }
    }

    fn refuse_eof(&self, packet: Packet<'_>) -> Result<(), ReplyError> {
        if packet.first == EOF {
            return Err(self.unexpected(packet));
        }
        Ok(())
    }

    fn take_err(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        let code = ErrPacket::head(&mut Reader::new(packet.payload))?;
        if code == PROGRESS_CODE && self.caps.contains(Caps::PROGRESS) {
            return Ok(Turn::Report(Event::ProgressReport));
        }
        self.summary.kind = Kind::Err;
        self.summary.error_code = code;
        Ok(Turn::Done(Event::Err { code }))
    }

    fn take_first(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        match self.shape {
            Shape::Query | Shape::Execute | Shape::Bulk => self.take_result(packet, step),
            Shape::Ok | Shape::Eof => match packet.first {
                OK => self.take_ok(packet),
                EOF => self.take_eof(packet).map(Turn::Done),
                _ => Err(self.unexpected(packet)),
            },
            Shape::Prepare => self.take_prepare_ok(packet),
            Shape::Statistics => {
                self.summary.kind = Kind::Ok;
                Ok(Turn::Done(Event::Statistics))
            }
            Shape::Auth => match packet.first {
                OK => self.take_ok(packet),
                0x01 | EOF => {
                    self.seq = None;
                    Ok(Turn::Report(Event::AuthMore))
                }
                _ => Err(self.unexpected(packet)),
            },
            Shape::Stream if packet.first == OK => Ok(quiet_unless(step, Event::StreamPacket)),
            Shape::Stream if self.ends_rows(packet) => self.take_eof(packet).map(Turn::Done),
            Shape::Stream | Shape::Nothing | Shape::FieldList | Shape::Fetch => {
                Err(self.unexpected(packet))
            }
        }
    }

    fn take_result(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        match packet.first {
            OK => self.take_ok(packet),
            EOF => Err(self.unexpected(packet)),
            LOCAL_INFILE if self.shape == Shape::Query => {
                self.state = State::Infile;
                self.seq = None;
                Ok(Turn::Report(Event::LocalInfile))
            }
            _ => self.take_column_count(packet, step),
        }
    }

    /// Column count (lenenc); with [`Caps::CACHE_METADATA`] one more byte, 0: no definitions follow.
    fn take_column_count(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        let mut reader = Reader::new(packet.payload);
        let count = reader.lenenc_int()?;
        let follow = !self.caps.contains(Caps::CACHE_METADATA) || reader.u8()? != 0;
        reader.finish()?;
        let columns = u32::from(u16::try_from(count).map_err(|_| WireError::OverLimit {
            got: count,
            limit: u64::from(u16::MAX),
        })?);
        self.summary.kind = Kind::ResultSet;
        self.summary.columns = columns;
        self.summary.result_sets += 1;
        self.state = self.columns_left(if follow { columns } else { 0 });
        Ok(quiet_unless(step, Event::ColumnCount(count)))
    }

    #[inline]
    fn columns_left(&self, left: u32) -> State {
        if left != 0 {
            State::Columns(left)
        } else if self.caps.contains(Caps::DEPRECATE_EOF) {
            State::Rows
        } else {
            State::ColumnsEof
        }
    }

    /// With a cursor the reply ends here, and rows come with `COM_STMT_FETCH`.
    fn take_columns_eof(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        let eof = self.read_eof(packet)?;
        self.note(eof.status, eof.warnings);
        let (status, warnings, has_changes) = (eof.status, eof.warnings, false);
        if self.shape == Shape::Execute && status.contains(Status::CURSOR_EXISTS) {
            let event = Event::End {
                status,
                warnings,
                has_changes,
            };
            return Ok(self.end_result(event, status));
        }
        self.state = State::Rows;
        let event = Event::Eof {
            status,
            warnings,
            has_changes,
        };
        Ok(quiet_unless(step, event))
    }

    fn read_eof(&self, packet: Packet<'_>) -> Result<EofPacket, ReplyError> {
        if packet.first != EOF || packet.header.len as usize >= EofPacket::MAX_LEN {
            return Err(self.unexpected(packet));
        }
        Ok(EofPacket::parse(packet.payload)?)
    }

    #[inline]
    fn note(&mut self, status: Status, warnings: u16) {
        self.summary.status = status;
        self.summary.warnings = warnings;
    }

    /// Status, warnings and "has changes" of an EOF, or of the OK in its place.
    #[inline]
    fn read_end(&mut self, packet: Packet<'_>) -> Result<(Status, u16, bool), ReplyError> {
        let (status, warnings, tracked) = if self.caps.contains(Caps::DEPRECATE_EOF) {
            let ok = OkPacket::head(&mut Reader::new(packet.payload))?;
            (ok.status, ok.warnings, true)
        } else {
            let eof = self.read_eof(packet)?;
            (eof.status, eof.warnings, false)
        };
        self.note(status, warnings);
        Ok((status, warnings, tracked && self.has_changes(status)))
    }

    #[inline]
    fn has_changes(&self, status: Status) -> bool {
        status.contains(Status::SESSION_STATE_CHANGED) && self.caps.contains(Caps::SESSION_TRACK)
    }

    fn take_end(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        let (status, warnings, has_changes) = self.read_end(packet)?;
        self.summary.kind = Kind::ResultSet;
        let event = Event::End {
            status,
            warnings,
            has_changes,
        };
        Ok(self.end_result(event, status))
    }

    fn take_eof(&mut self, packet: Packet<'_>) -> Result<Event, ReplyError> {
        let (status, warnings, has_changes) = self.read_end(packet)?;
        if self.summary.kind == Kind::Unknown {
            self.summary.kind = Kind::Ok;
        }
        Ok(Event::Eof {
            status,
            warnings,
            has_changes,
        })
    }

    fn take_ok(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        if packet.first != OK {
            return Err(self.unexpected(packet));
        }
        let ok = OkPacket::head(&mut Reader::new(packet.payload))?;
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

    /// Another result follows, or the reply is over.
    fn end_result(&mut self, event: Event, status: Status) -> Turn {
        if status.contains(Status::MORE_RESULTS) {
            self.state = State::First;
            return Turn::Report(event);
        }
        self.summary.cursor_open = match self.shape {
            Shape::Execute => status.contains(Status::CURSOR_EXISTS),
            Shape::Fetch => !status.contains(Status::LAST_ROW_SENT),
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
        Turn::Done(event)
    }

    /// See [`crate::stmt::PrepareOk`] for the layout.
    fn take_prepare_ok(&mut self, packet: Packet<'_>) -> Result<Turn, ReplyError> {
        if packet.first != OK {
            return Err(self.unexpected(packet));
        }
        let prepared = crate::stmt::PrepareOk::parse(packet.payload)?;
        let event = Event::PrepareOk {
            id: prepared.id,
            params: prepared.params,
            columns: prepared.columns,
        };
        self.summary.kind = Kind::Ok;
        self.summary.warnings = prepared.warnings;
        Ok(self.after_prepare_ok(event, prepared.params, prepared.columns))
    }

    fn after_prepare_ok(&mut self, event: Event, params: u16, columns: u16) -> Turn {
        if params != 0 {
            self.state = State::Params(params, columns);
        } else if columns != 0 {
            self.state = State::PreparedColumns(columns);
        } else {
            return Turn::Done(event);
        }
        Turn::Report(event)
    }

    fn take_prepared(&mut self, packet: Packet<'_>, step: Step) -> Result<Turn, ReplyError> {
        let eofs = !self.caps.contains(Caps::DEPRECATE_EOF);
        let after_params = |columns| match columns {
            0 => None,
            _ => Some(State::PreparedColumns(columns)),
        };
        let next = match self.state {
            State::Params(left @ 2.., columns) => Some(State::Params(left - 1, columns)),
            State::Params(_, columns) if eofs => Some(State::ParamsEof(columns)),
            State::Params(_, columns) | State::ParamsEof(columns) => after_params(columns),
            State::PreparedColumns(left @ 2..) => Some(State::PreparedColumns(left - 1)),
            State::PreparedColumns(_) if eofs => Some(State::PreparedColumnsEof),
            _ => None,
        };
        let event = if matches!(self.state, State::ParamsEof(_) | State::PreparedColumnsEof) {
            let eof = self.read_eof(packet)?;
            self.note(eof.status, eof.warnings);
            Event::Eof {
                status: eof.status,
                warnings: eof.warnings,
                has_changes: false,
            }
        } else {
            self.refuse_eof(packet)?;
            Event::Column
        };
        match next {
            None => Ok(Turn::Done(event)),
            Some(state) => {
                self.state = state;
                Ok(quiet_unless(step, event))
            }
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

/// Bytes that came while no reply was due: an error as soon as it can be said which.
fn unsolicited(rest: &[u8], header: Header) -> Result<Option<Packet<'_>>, ReplyError> {
    let whole = rest.get(Header::LEN..header.total());
    let payload = rest.get(Header::LEN..).unwrap_or_default();
    let first = match payload.first() {
        Some(&ERR) if whole.is_none() && header.len as usize <= HEAD_LEN * HEAD_LEN => {
            return Ok(None);
        }
        Some(&first) => first,
        None if header.len != 0 => return Ok(None),
        None => 0,
    };
    let code = whole
        .and_then(|payload| ErrPacket::parse(payload).ok())
        .map(|err| err.code);
    Err(ReplyError::Unsolicited { first, code })
}
