//! Whole text results, and the values of a text row.

use super::ColumnDef;
use crate::codec::{Reader, put_lenenc_int, put_lenenc_nullable};
use crate::frame::frame_with;
use crate::reply::EOF;
use crate::{Caps, EofPacket, OkPacket, Status, WireError};

/// Appends a whole text result: count, definitions, rows and end, in the forms that `caps` asks for.
/// `seq` is the number of its first frame, 1 for an answer to a command of one frame, and becomes the
/// number after its last one's. Each row must have as many values as there are columns.
pub fn text_result<'r, Row>(
    columns: &[ColumnDef<'_>],
    rows: impl IntoIterator<Item = Row>,
    caps: Caps,
    status: Status,
    seq: &mut u8,
    out: &mut Vec<u8>,
) where
    Row: IntoIterator<Item = Option<&'r [u8]>>,
{
    frame_with(out, seq, |out| {
        put_lenenc_int(out, columns.len() as u64);
        if caps.contains(Caps::CACHE_METADATA) {
            out.push(1);
        }
    });
    for definition in columns {
        frame_with(out, seq, |out| definition.encode(caps, out));
    }
    let eof = EofPacket {
        warnings: 0,
        status,
    };
    if !caps.contains(Caps::DEPRECATE_EOF) {
        frame_with(out, seq, |out| eof.encode(out));
    }
    for row in rows {
        frame_with(out, seq, |out| {
            for value in row {
                put_lenenc_nullable(out, value);
            }
        });
    }
    frame_with(out, seq, |out| {
        if caps.contains(Caps::DEPRECATE_EOF) {
            let end = OkPacket {
                header: EOF,
                ..OkPacket::new(status)
            };
            end.encode(caps, out);
        } else {
            eof.encode(out);
        }
    });
}

/// The values of a text row; `None` is NULL.
pub fn text_row(payload: &[u8]) -> TextRow<'_> {
    TextRow {
        reader: Reader::new(payload),
    }
}

/// Iterator of [`text_row`]; ends after the first error.
#[derive(Debug, Clone)]
pub struct TextRow<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for TextRow<'a> {
    type Item = Result<Option<&'a [u8]>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let value = self.reader.lenenc_nullable();
        if value.is_err() {
            self.reader.rest();
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ColumnType;
    use super::*;
    use crate::frame::split_packet;
    use crate::{ReplyTracker, Shape, Step};

    fn columns() -> [ColumnDef<'static>; 2] {
        [
            ColumnDef::computed(b"name", ColumnType::VAR_STRING),
            ColumnDef::computed(b"count", ColumnType::LONGLONG),
        ]
    }

    type Row = Vec<Option<Vec<u8>>>;

    /// What a client with `caps` reads.
    fn read_back(caps: Caps, result: &[u8]) -> (Vec<String>, Vec<Row>) {
        let mut tracker = ReplyTracker::new(caps).with_whole_limit(1 << 20);
        tracker.expect(Shape::Query);
        let (mut names, mut rows, mut rest) = (Vec::new(), Vec::new(), result);
        while !tracker.is_idle() {
            let progress = tracker.advance(rest, Step::PerPacket).unwrap();
            let packet = split_packet(&rest[progress.packet], usize::MAX)
                .unwrap()
                .unwrap();
            match progress.event {
                crate::Event::Column => {
                    let column = ColumnDef::parse(&packet.payload, caps).unwrap();
                    names.push(String::from_utf8(column.name.to_vec()).unwrap());
                }
                crate::Event::Row => rows.push(
                    text_row(&packet.payload)
                        .map(|value| value.unwrap().map(<[u8]>::to_vec))
                        .collect(),
                ),
                _ => {}
            }
            rest = &rest[progress.consumed..];
        }
        assert_eq!(rest, b"");
        (names, rows)
    }

    #[test]
    fn results_in_every_form_read_the_same() {
        let long = vec![b'x'; 70_000];
        let rows = [[Some(&long[..]), Some(b"1")], [None, Some(b"")]];
        for caps in [
            Caps::empty(),
            Caps::DEPRECATE_EOF,
            Caps::CACHE_METADATA | Caps::EXTENDED_METADATA,
            Caps::DEPRECATE_EOF | Caps::SESSION_TRACK | Caps::CACHE_METADATA,
        ] {
            let (mut out, mut seq) = (Vec::new(), 1);
            text_result(
                &columns(),
                rows,
                caps,
                Status::AUTOCOMMIT,
                &mut seq,
                &mut out,
            );
            let (names, read) = read_back(caps, &out);
            assert_eq!(names, ["name", "count"]);
            let expect = rows.map(|row| row.map(|value| value.map(<[u8]>::to_vec)).to_vec());
            assert_eq!(read, expect);
            let eofs = if caps.contains(Caps::DEPRECATE_EOF) {
                1
            } else {
                2
            };
            assert_eq!(seq, 1 + 1 + 2 + 2 + eofs);
        }
    }

    #[test]
    fn a_broken_row_ends_with_an_error() {
        let mut row = text_row(b"\x01a\xfb\x05b");
        assert_eq!(row.next(), Some(Ok(Some(&b"a"[..]))));
        assert_eq!(row.next(), Some(Ok(None)));
        assert!(row.next().unwrap().is_err());
        assert_eq!(row.next(), None);
    }
}
