//! The fast lane: quiet packets that are whole are passed by their headers.
//!
//! What is passed here is what [`ReplyTracker::take`] would be quiet about; whatever looks unusual (cut,
//! long, out of order, an error, a cursor) stays where it is for the careful path. That both see the
//! same reply is a property test.

use super::take::End;
use super::{ANY, ReplyTracker, State, Turn};
use crate::frame::{Header, MAX_FRAME};
use crate::reply::EOF;
use crate::{Caps, Shape, Status};

impl ReplyTracker {
    /// Passes column count, definitions, their EOF and rows, from wherever the front reply is.
    #[inline]
    pub(super) fn hop<'a>(&mut self, run: &'a [u8]) -> &'a [u8] {
        let mut rest = run;
        if self.state == State::First {
            rest = self.hop_count(rest);
        }
        if self.state == State::Columns {
            let (after, hopped) = self.hop_packets(rest, self.left);
            rest = after;
            self.enter_columns(self.left - hopped);
        }
        if self.state == State::ColumnsEof {
            rest = self.hop_columns_eof(rest);
        }
        if self.state == State::Rows {
            let (after, hopped) = self.hop_packets(rest, u32::MAX);
            rest = after;
            self.summary.rows += u64::from(hopped);
        }
        rest
    }

    /// Passes the EOF packet that ends rows, where that is all it can be.
    #[inline]
    pub(super) fn hop_rows_eof<'a>(&mut self, rest: &'a [u8]) -> Option<(Turn, &'a [u8])> {
        let Some((&[5, 0, 0, seq, EOF, v, w, s, t], after)) = rest.split_first_chunk::<9>() else {
            return None;
        };
        let classic = !self.caps.contains(Caps::DEPRECATE_EOF);
        if self.state != State::Rows || !classic || !self.begun || !self.is_due(seq) {
            return None;
        }
        self.due = u16::from(seq.wrapping_add(1));
        let end = End {
            status: Status::from_bits(u16::from_le_bytes([s, t])),
            warnings: u16::from_le_bytes([v, w]),
            has_changes: false,
        };
        self.note(end.status, end.warnings);
        Some((self.end_rows(&end), after))
    }

    #[inline]
    fn is_due(&self, seq: u8) -> bool {
        self.due == u16::from(seq) || self.due == ANY
    }

    #[inline]
    fn hop_count<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let cached = self.caps.contains(Caps::CACHE_METADATA);
        let Some((&[len, 0, 0, seq, count @ 1..=0xFA], after)) = rest.split_first_chunk::<5>()
        else {
            return rest;
        };
        let (follow, after) = match after.split_first() {
            Some((&flag, after)) if cached && len == 2 && !self.is_told() => (flag != 0, after),
            _ if !cached && len == 1 => (true, after),
            _ => return rest,
        };
        if !self.is_due(seq) || !matches!(self.shape, Shape::Query | Shape::Execute | Shape::Bulk) {
            return rest;
        }
        self.begin_summary();
        self.due = u16::from(seq.wrapping_add(1));
        self.enter_result(u32::from(count), follow);
        after
    }

    #[inline]
    fn hop_columns_eof<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some((&[5, 0, 0, seq, EOF, v, w, s, t], after)) = rest.split_first_chunk::<9>() else {
            return rest;
        };
        let status = Status::from_bits(u16::from_le_bytes([s, t]));
        let cursor = self.shape == Shape::Execute && status.contains(Status::CURSOR_EXISTS);
        if cursor || !self.is_due(seq) {
            return rest;
        }
        self.due = u16::from(seq.wrapping_add(1));
        self.note(status, u16::from_le_bytes([v, w]));
        self.enter_rows();
        after
    }

    /// Passes up to `limit` packets of one frame each; not a reply's very first.
    #[inline]
    fn hop_packets<'a>(&mut self, run: &'a [u8], limit: u32) -> (&'a [u8], u32) {
        let mut due = match u8::try_from(self.due) {
            Ok(due) if self.begun => due,
            _ => return (run, 0),
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
        self.due = u16::from(due);
        (rest, hopped)
    }
}
