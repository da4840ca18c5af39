//! Whole text results, and the values of a text row.

use super::{ColumnDef, ColumnType};
use crate::codec::{Reader, put_lenenc_int, put_lenenc_nullable};
use crate::frame::frame_with;
use crate::reply::EOF;
use crate::{Caps, EofPacket, OkPacket, Status, WireError};

/// Appends a whole text result: count, definitions, rows and end, in the forms that `caps` asks for.
/// `seq` is the number of its first frame, 1 for an answer to a command of one frame, and becomes the
/// number after its last one's. Each row must have as many values as there are columns.
pub fn text_result<'r, Row>(
    columns: &[(&str, ColumnType)],
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
    for (name, kind) in columns {
        let definition = ColumnDef::computed(name.as_bytes(), *kind);
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
