//! Packets that are consumed piece by piece: rows and definitions that a run cuts, and packets too
//! long to wait for.

use super::{ANY, Packet, ReplyTracker, State, Turn};
use crate::Shape;
use crate::frame::Header;
use crate::reply::event::{Event, ReplyError, Step};
use crate::reply::{EOF, ERR, OK};

/// Bytes of a long packet's payload that hold every field read here: an OK has at most 23.
pub(super) const HEAD_LEN: usize = 32;

/// A packet of which the head was read and bytes are still to come.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Bytes of the current frame that are still to come.
    skip: u32,
    /// The packet goes on in another frame.
    continues: bool,
    /// What to report when it ends, and whether the reply ends with it.
    held: Option<(Event, bool)>,
}

/// How the caller's loop goes on.
pub(super) enum Flow {
    /// More bytes are needed.
    Stop,
    /// The packet ended; nobody needs to know.
    Go,
    /// The packet ended with this event; true: the reply too.
    End(Event, bool),
}

impl ReplyTracker {
    /// Consumes what the run has of the packet at its start, entering it if it was not yet.
    #[cold]
    pub(super) fn advance_piece(
        &mut self,
        rest: &mut &[u8],
        step: Step,
    ) -> Result<Flow, ReplyError> {
        let mut piece = match self.piece.take() {
            Some(piece) => piece,
            None => match self.enter_piece(rest, step)? {
                Some(piece) => piece,
                None => return Ok(Flow::Stop),
            },
        };
        if !self.skip_frames(&mut piece, rest)? {
            self.piece = Some(piece);
            return Ok(Flow::Stop);
        }
        Ok(match piece.held {
            Some((event, done)) => Flow::End(event, done),
            None => Flow::Go,
        })
    }

    /// Reads the head of the packet at the start of `rest` and consumes its header. `None` if the
    /// packet must be waited for, as a whole or up to its head.
    fn enter_piece(&mut self, rest: &mut &[u8], step: Step) -> Result<Option<Piece>, ReplyError> {
        let Some(header) = Header::parse(rest) else {
            return Ok(None);
        };
        if header.len == 0 {
            return Err(ReplyError::Empty { due: self.due() });
        }
        let body = rest.get(Header::LEN..).unwrap_or_default();
        let payload = body.get(..header.len as usize).unwrap_or(body);
        let Some(&first) = payload.first() else {
            return Ok(None);
        };
        let packet = Packet {
            len: header.len,
            first,
            payload,
        };
        if !self.goes_in_pieces(packet, step) || payload.len() < HEAD_LEN.min(header.len as usize) {
            return Ok(None);
        }
        self.begin(first, header.seq)?;
        let held = match self.take(packet, step)? {
            Turn::Quiet => None,
            Turn::Report(event) => Some((event, false)),
            Turn::Done(event) => Some((event, true)),
        };
        *rest = body;
        Ok(Some(Piece {
            skip: header.len,
            continues: header.continues(),
            held,
        }))
    }

    /// Consumes the packet's bytes; true if the last of them was there.
    fn skip_frames(&mut self, piece: &mut Piece, rest: &mut &[u8]) -> Result<bool, ReplyError> {
        loop {
            let here = rest.len().min(piece.skip as usize);
            piece.skip -= here as u32;
            *rest = rest.get(here..).unwrap_or_default();
            if piece.skip != 0 {
                return Ok(false);
            }
            if !piece.continues {
                return Ok(true);
            }
            let Some(header) = Header::parse(rest) else {
                return Ok(false);
            };
            if self.due != u16::from(header.seq) && self.due != ANY {
                return Err(self.out_of_order(header.seq));
            }
            self.due = u16::from(header.seq.wrapping_add(1));
            piece.skip = header.len;
            piece.continues = header.continues();
            *rest = rest.get(Header::LEN..).unwrap_or_default();
        }
    }

    /// Whether the packet is consumed as its bytes come instead of being waited for.
    fn goes_in_pieces(&self, packet: Packet<'_>, step: Step) -> bool {
        packet.len > self.whole_limit || (step == Step::Fast && self.is_plain(packet))
    }

    /// Whether the packet is a row or definition, of which only the header matters.
    fn is_plain(&self, packet: Packet<'_>) -> bool {
        match self.state {
            State::Rows => packet.first != ERR && !self.ends_rows(packet),
            State::Columns | State::Fields => packet.first < EOF,
            State::Params(..) | State::PreparedColumns(_) => {
                packet.first < EOF && !self.tells_definitions
            }
            State::First => self.shape == Shape::Stream && packet.first == OK,
            State::Idle
            | State::ToldColumns
            | State::ColumnsEof
            | State::Infile
            | State::InfileEnd
            | State::ParamsEof(_)
            | State::PreparedColumnsEof => false,
        }
    }
}
