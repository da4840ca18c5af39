//! Executions of binary prepared statements as SQL: the values put in the place of the `?`.
//!
//! | type                         | value in the packet                                        |
//! |------------------------------|------------------------------------------------------------|
//! | TINY 1, SHORT 2, LONG 3, LONGLONG 8, INT24 9, YEAR 13 | 1, 2, 4, 8, 4, 2 bytes, little endian |
//! | FLOAT 4, DOUBLE 5            | 4, 8 bytes                                                 |
//! | DATE 10, DATETIME 12, TIMESTAMP 7 | length (0, 4, 7, 11), then year (2), month, day, hour, minute, second, microseconds (4) |
//! | TIME 11                      | length (0, 8, 12), then sign, days (4), hour, minute, second, microseconds (4) |
//! | the others                   | length-encoded bytes                                       |
//!
//! Source: MariaDB manual, "COM_STMT_EXECUTE", "Result Set Packets, binary row".

use std::collections::BTreeMap;

use tidegate_session::ClientStmtId;
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::Request;
use tidegate_wire::Reader;

/// The parameter types that clients sent last; later executions may leave them out.
#[derive(Debug, Default)]
pub(crate) struct ParamTypes(BTreeMap<ClientStmtId, Vec<u8>>);

impl ParamTypes {
    pub(crate) fn forget(&mut self, id: ClientStmtId) {
        self.0.remove(&id);
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.list(self.0.iter(), |into, (id, types)| {
            into.u32(id.0);
            into.bytes(types);
        });
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<ParamTypes, FreezeError> {
        let list = from.list(|from| Ok((ClientStmtId(from.u32()?), from.bytes()?.to_vec())))?;
        Ok(ParamTypes(list.into_iter().collect()))
    }
}

/// The prepared text with the execution's values in it; as it is, if they cannot be read.
pub(crate) fn fill_in(request: &Request<'_>, types: &mut ParamTypes) -> Vec<u8> {
    let places = placeholders(request.text);
    let Some(id) = request.prepared else {
        return request.text.to_vec();
    };
    let Ok(count) = u16::try_from(places.len()) else {
        return request.text.to_vec();
    };
    if let Some(sent) = tidegate_wire::stmt::types_of(request.payload, count) {
        types.0.insert(id, sent.to_vec());
    }
    let known = types.0.get(&id).map_or(&[][..], Vec::as_slice);
    match read_values(request.payload, count, known) {
        Some(values) => substitute(request.text, &places, &values),
        None => request.text.to_vec(),
    }
}

/// Where the text has a `?` that stands for a value.
fn placeholders(text: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut quote = None;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (quote, byte) {
            (None, b'\'' | b'"' | b'`') => quote = Some(*byte),
            (None, b'?') => places.push(at),
            (Some(b'\'' | b'"'), b'\\') => at += 1,
            (Some(open), close) if open == *close => quote = None,
            _ => {}
        }
        at += 1;
    }
    places
}

fn substitute(text: &[u8], places: &[usize], values: &[Vec<u8>]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len() + values.iter().map(Vec::len).sum::<usize>());
    let mut from = 0;
    for (place, value) in places.iter().zip(values) {
        filled.extend_from_slice(text.get(from..*place).unwrap_or_default());
        filled.extend_from_slice(value);
        from = place + 1;
    }
    filled.extend_from_slice(text.get(from..).unwrap_or_default());
    filled
}

/// The values as SQL literals, in order.
fn read_values(payload: &[u8], count: u16, types: &[u8]) -> Option<Vec<Vec<u8>>> {
    let count = usize::from(count);
    let mut reader = Reader::new(payload);
    reader.take(10).ok()?;
    if count == 0 {
        return Some(Vec::new());
    }
    let nulls = reader.take(count.div_ceil(8)).ok()?;
    if reader.u8().ok()? != 0 {
        reader.take(count * 2).ok()?;
    }
    let mut values = Vec::with_capacity(count);
    for ix in 0..count {
        let is_null = nulls.get(ix / 8)? >> (ix % 8) & 1 == 1;
        let kind = *types.get(ix * 2)?;
        let unsigned = types.get(ix * 2 + 1)? & 0x80 != 0;
        values.push(if is_null {
            b"NULL".to_vec()
        } else {
            literal(&mut reader, kind, unsigned)?
        });
    }
    Some(values)
}

fn literal(reader: &mut Reader<'_>, kind: u8, unsigned: bool) -> Option<Vec<u8>> {
    let text = match kind {
        1 => whole(u64::from(reader.u8().ok()?), 8, unsigned),
        2 | 13 => whole(u64::from(reader.u16().ok()?), 16, unsigned),
        3 | 9 => whole(u64::from(reader.u32().ok()?), 32, unsigned),
        8 => whole(reader.u64().ok()?, 64, unsigned),
        4 => f32::from_bits(reader.u32().ok()?).to_string(),
        5 => f64::from_bits(reader.u64().ok()?).to_string(),
        6 => "NULL".to_owned(),
        7 | 10 | 12 => date(reader)?,
        11 => time(reader)?,
        _ => return Some(quoted(reader.lenenc_bytes().ok()?)),
    };
    Some(text.into_bytes())
}

fn whole(value: u64, bits: u32, unsigned: bool) -> String {
    if unsigned {
        value.to_string()
    } else {
        ((value << (64 - bits)) as i64 >> (64 - bits)).to_string()
    }
}

fn date(reader: &mut Reader<'_>) -> Option<String> {
    let len = reader.u8().ok()?;
    if len < 4 {
        return Some("'0000-00-00'".to_owned());
    }
    let (year, month, day) = (reader.u16().ok()?, reader.u8().ok()?, reader.u8().ok()?);
    let mut text = format!("'{year:04}-{month:02}-{day:02}");
    if len >= 7 {
        let (hour, minute, second) = (reader.u8().ok()?, reader.u8().ok()?, reader.u8().ok()?);
        text += &format!(" {hour:02}:{minute:02}:{second:02}");
    }
    if len >= 11 {
        text += &format!(".{:06}", reader.u32().ok()?);
    }
    Some(text + "'")
}

fn time(reader: &mut Reader<'_>) -> Option<String> {
    let len = reader.u8().ok()?;
    if len < 8 {
        return Some("'00:00:00'".to_owned());
    }
    let sign = if reader.u8().ok()? == 0 { "" } else { "-" };
    let days = reader.u32().ok()?;
    let hours = u64::from(days) * 24 + u64::from(reader.u8().ok()?);
    let mut text = format!(
        "'{sign}{hours:02}:{:02}:{:02}",
        reader.u8().ok()?,
        reader.u8().ok()?
    );
    if len >= 12 {
        text += &format!(".{:06}", reader.u32().ok()?);
    }
    Some(text + "'")
}

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + 2);
    text.push(b'\'');
    for byte in bytes {
        if matches!(byte, b'\'' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text.push(b'\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_outside_of_quotes() {
        assert_eq!(placeholders(b"a=? and b='?\\'?' and `?`=?"), [2, 25]);
    }

    #[test]
    fn values_become_literals() {
        let mut payload = vec![0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0];
        // Two values are there, the third is NULL; types: LONG, VAR_STRING, LONG.
        payload.extend([0b100, 1, 3, 0, 253, 0, 3, 0]);
        payload.extend((-5i32).to_le_bytes());
        payload.extend([3, b'a', b'\'', b'b']);
        let types = [3, 0, 253, 0, 3, 0];
        let values = read_values(&payload, 3, &types).unwrap();
        assert_eq!(
            values,
            [b"-5".to_vec(), b"'a\\'b'".to_vec(), b"NULL".to_vec()]
        );
        let text = b"f(?, ?, ?)";
        assert_eq!(
            substitute(text, &placeholders(text), &values),
            b"f(-5, 'a\\'b', NULL)"
        );
    }

    #[test]
    fn a_cut_packet_has_no_values() {
        assert_eq!(
            read_values(
                &[0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 0, 1],
                1,
                &[3, 0]
            ),
            None
        );
    }

    #[test]
    fn dates_and_times() {
        let check = |bytes: &[u8], kind, text: &str| {
            assert_eq!(
                literal(&mut Reader::new(bytes), kind, false).unwrap(),
                text.as_bytes()
            );
        };
        check(&[4, 0xE8, 7, 2, 29], 10, "'2024-02-29'");
        check(&[7, 0xE8, 7, 2, 29, 1, 2, 3], 12, "'2024-02-29 01:02:03'");
        check(&[8, 1, 1, 0, 0, 0, 2, 3, 4], 11, "'-26:03:04'");
        check(&[0xFF], 1, "-1");
    }
}
