//! The reply tracker: which bytes of a server belong to which command's reply, and where each ends.
//!
//! It is a queue of expected replies for one server connection. Rows and definitions are hopped over
//! by their frame headers; only packets that end or steer a reply are read. Runs may be cut anywhere.
//! How a packet moves the front reply stands in `take`, packets that are not whole in one run in
//! `piece`; LIFECYCLE.md beside them shows the states.
//!
//! Left out: what rows say, what definitions say, and who the reply is for.
//!
//! Invariants: consumed bytes always end inside the front reply; a reply is popped exactly when its
//! last byte was consumed; no byte is kept, and nothing is allocated while at most one reply is due.

mod hop;
mod piece;
mod take;

use super::event::{Event, Kind, Progress, ReplyError, Step, Summary};
use super::packets::EofPacket;
use super::{ERR, ErrPacket};
use crate::frame::{Header, MAX_FRAME};
use crate::{Caps, Shape};
use piece::{Flow, Piece};
use std::collections::VecDeque;

/// Packets of interest up to this length are reported whole unless the caller chose another limit:
/// a worker's read buffer holds that much.
const WHOLE_LIMIT: u32 = 64 * 1024;

/// In the place of a frame's number where any will do: an answer starts after the number of the last
/// frame that was sent.
const ANY: u16 = 0x100;

/// The number that the answer to a command of one frame starts with.
const FIRST: u16 = 1;

/// What the front reply's next packet can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No reply is due.
    Idle,
    /// The first packet of the reply or of its next result.
    First,
    /// Column definitions of a result set, as many as `left` says.
    Columns,
    /// The same, each of which is reported.
    ToldColumns,
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

/// What a packet does to the front reply.
enum Turn {
    /// It goes on; nobody needs to know.
    Quiet,
    /// It goes on.
    Report(Event),
    /// It ends.
    Done(Event),
}

/// One packet: never empty, perhaps not whole.
#[derive(Clone, Copy)]
struct Packet<'a> {
    /// Its first frame's length.
    len: u32,
    first: u8,
    /// What is there of its first frame.
    payload: &'a [u8],
}

/// The queue of replies that one server connection owes.
#[derive(Debug, Clone)]
pub struct ReplyTracker {
    caps: Caps,
    /// A packet of kind 0xFE ends rows only if it is shorter.
    end_limit: u32,
    whole_limit: u32,
    /// Definitions of prepared statements are reported.
    tells_definitions: bool,
    state: State,
    shape: Shape,
    /// Bytes of the front reply were consumed.
    begun: bool,
    /// The number of the next frame, or [`ANY`].
    due: u16,
    /// Definitions of the result set that are still to come.
    left: u32,
    /// The packet that was consumed in part.
    piece: Option<Piece>,
    summary: Summary,
    /// The shapes behind the front one, and the number each starts with.
    queue: VecDeque<(Shape, u16)>,
}

impl ReplyTracker {
    /// For a connection that negotiated `caps`.
    pub fn new(caps: Caps) -> Self {
        let caps = caps.valid();
        let end_limit = if caps.contains(Caps::DEPRECATE_EOF) {
            MAX_FRAME
        } else {
            EofPacket::MAX_LEN
        };
        Self {
            caps,
            end_limit: end_limit as u32,
            whole_limit: WHOLE_LIMIT,
            tells_definitions: false,
            state: State::Idle,
            shape: Shape::Nothing,
            begun: false,
            due: ANY,
            left: 0,
            piece: None,
            summary: Summary::default(),
            queue: VecDeque::new(),
        }
    }

    /// Longer packets than this are not waited for: their event has an empty packet range and
    /// comes when their last byte was consumed. The default is 64 KiB; one frame is the most.
    #[must_use]
    pub fn with_whole_limit(mut self, bytes: u32) -> Self {
        self.whole_limit = bytes.clamp(piece::HEAD_LEN as u32, MAX_FRAME as u32 - 1);
        self
    }

    /// Where definitions may be left out ([`Caps::CACHE_METADATA`]) what prepared statements say of
    /// them is reported packet by packet, each whole, with [`Step::Fast`] too: what a prepare reply
    /// consists of, and column counts and definitions of executions.
    #[must_use]
    pub fn telling_definitions(mut self) -> Self {
        self.tells_definitions = self.caps.contains(Caps::CACHE_METADATA);
        self
    }

    /// A command of one frame was sent whose reply has this shape. [`Shape::Nothing`] changes
    /// nothing.
    #[inline]
    pub fn expect(&mut self, shape: Shape) {
        self.queue_up(shape, FIRST);
    }

    /// [`expect`](Self::expect) for a command of several frames: the reply's first number depends
    /// on how many of them the server had read.
    pub fn expect_after_frames(&mut self, shape: Shape) {
        self.queue_up(shape, ANY);
    }

    #[inline]
    fn queue_up(&mut self, shape: Shape, due: u16) {
        if shape == Shape::Nothing {
            return;
        }
        if self.state == State::Idle {
            self.start(shape, due);
        } else {
            self.queue.push_back((shape, due));
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

    /// The number of the next frame of the reply in progress: what an ERR put in its place must have.
    /// 1 where none was seen yet.
    pub fn next_seq(&self) -> u8 {
        u8::try_from(self.due).unwrap_or(1)
    }

    /// Whether the next byte starts a packet: an ERR may be put in its place.
    pub fn at_packet_boundary(&self) -> bool {
        self.piece.is_none()
    }

    /// Whether definitions are due that will be told.
    pub fn awaits_definitions(&self) -> bool {
        self.state == State::ToldColumns
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

    /// What came of the reply so far is no part of it after all: it answered a statement that stood in
    /// front of the client's in the same packet.
    pub fn forget_results(&mut self) {
        self.summary = Summary::default();
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
        if self.state == State::Idle {
            return idle(run);
        }
        let mut rest = run;
        let mut piecewise = self.piece.is_some();
        loop {
            if piecewise {
                match self.advance_piece(&mut rest, step)? {
                    Flow::Stop => return Ok(self.progress(run.len() - rest.len(), 0, Event::More)),
                    Flow::Go => piecewise = false,
                    Flow::End(event, done) => {
                        let progress = self.progress(run.len() - rest.len(), 0, event);
                        return Ok(self.closing(progress, done));
                    }
                }
            }
            if step == Step::Fast {
                rest = self.hop(rest);
            }
            let hopped = match step {
                Step::Fast => self.hop_rows_eof(rest),
                Step::PerPacket => None,
            };
            let (turn, after) = match hopped {
                Some(hopped) => hopped,
                None => {
                    let Some((packet, seq, after)) = self.split_whole(rest) else {
                        piecewise = true;
                        continue;
                    };
                    self.begin(packet.first, seq)?;
                    (self.take(packet, step)?, after)
                }
            };
            let (event, done) = match turn {
                Turn::Quiet => {
                    rest = after;
                    continue;
                }
                Turn::Report(event) => (event, false),
                Turn::Done(event) => (event, true),
            };
            let progress = self.progress(run.len() - after.len(), rest.len() - after.len(), event);
            return Ok(self.closing(progress, done));
        }
    }

    /// The report of a call that consumed so much, the last `len` bytes being the event's packet.
    #[inline]
    fn progress(&mut self, consumed: usize, len: usize, event: Event) -> Progress {
        self.summary.bytes += consumed as u64;
        Progress {
            consumed,
            event,
            packet: consumed - len..consumed,
            done: false,
        }
    }

    /// Pops the front reply if it is over.
    #[inline]
    fn closing(&mut self, mut progress: Progress, done: bool) -> Progress {
        progress.done = done;
        if done {
            self.state = State::Idle;
            self.begun = false;
            self.due = ANY;
            if let Some((shape, due)) = self.queue.pop_front() {
                self.start(shape, due);
            }
        }
        progress
    }

    #[inline]
    fn start(&mut self, shape: Shape, due: u16) {
        self.shape = shape;
        self.due = due;
        self.state = State::First;
        if shape == Shape::Fetch {
            self.enter_rows();
        } else if shape == Shape::FieldList {
            self.state = State::Fields;
        }
    }

    #[inline]
    fn enter_rows(&mut self) {
        self.state = State::Rows;
    }

    /// A result set of so many columns begins.
    #[inline]
    fn enter_result(&mut self, columns: u32, follow: bool) {
        self.summary.kind = Kind::ResultSet;
        self.summary.columns = columns;
        self.summary.result_sets += 1;
        self.enter_columns(if follow { columns } else { 0 });
    }

    /// Definitions follow, or what follows them.
    #[inline]
    fn enter_columns(&mut self, left: u32) {
        self.left = left;
        if left != 0 {
            self.state = State::Columns;
        } else if self.caps.contains(Caps::DEPRECATE_EOF) {
            self.enter_rows();
        } else {
            self.state = State::ColumnsEof;
        }
    }

    /// Accounts for a packet's first frame.
    #[inline]
    fn begin(&mut self, first: u8, seq: u8) -> Result<(), ReplyError> {
        if self.due != u16::from(seq) {
            self.allow_other(first, seq)?;
        }
        self.due = u16::from(seq.wrapping_add(1));
        self.begin_summary();
        Ok(())
    }

    #[inline]
    fn begin_summary(&mut self) {
        if !self.begun {
            self.begun = true;
            self.summary = Summary::default();
        }
    }

    /// May a packet that starts with `first` have this number, which is not the one that is due?
    /// An error may have number 0 in a reply's place: a server that is about to close writes it
    /// without having read the command.
    #[cold]
    fn allow_other(&self, first: u8, got: u8) -> Result<(), ReplyError> {
        let goodbye = !self.begun && got == 0 && first == ERR;
        if self.due == ANY || goodbye {
            return Ok(());
        }
        Err(self.out_of_order(got))
    }

    fn out_of_order(&self, got: u8) -> ReplyError {
        let expected = self.due as u8;
        ReplyError::OutOfOrder { expected, got }
    }

    /// The packet at the start of `rest` with its number and what follows it, if it is whole, not
    /// empty and not too long.
    #[inline]
    fn split_whole<'a>(&self, rest: &'a [u8]) -> Option<(Packet<'a>, u8, &'a [u8])> {
        let (&[a, b, c, seq], rest) = rest.split_first_chunk::<{ Header::LEN }>()?;
        let len = u32::from_le_bytes([a, b, c, 0]);
        if len > self.whole_limit {
            return None;
        }
        let (payload, after) = rest.split_at_checked(len as usize)?;
        let first = *payload.first()?;
        let packet = Packet {
            len,
            first,
            payload,
        };
        Some((packet, seq, after))
    }
}

/// Bytes that come while no reply is due are an error as soon as it can be said which.
#[cold]
fn idle(run: &[u8]) -> Result<Progress, ReplyError> {
    /// Servers send an ERR packet so before they close; none of theirs is longer.
    const ERR_LEN: usize = 1024;
    let nothing = Progress {
        consumed: 0,
        event: Event::More,
        packet: 0..0,
        done: false,
    };
    let Some(header) = Header::parse(run) else {
        return Ok(nothing);
    };
    let body = run.get(Header::LEN..).unwrap_or_default();
    let first = match body.first() {
        _ if header.len == 0 => 0,
        Some(&first) => first,
        None => return Ok(nothing),
    };
    if first != ERR || header.total() > ERR_LEN {
        return Err(ReplyError::Unsolicited { first, code: None });
    }
    let Some(payload) = body.get(..header.len as usize) else {
        return Ok(nothing);
    };
    let code = ErrPacket::parse(payload).ok().map(|err| err.code);
    Err(ReplyError::Unsolicited { first, code })
}

#[cfg(test)]
mod tests;
