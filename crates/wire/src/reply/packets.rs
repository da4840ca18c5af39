//! OK, ERR and EOF packets.
//!
//! Invariant: what was parsed encodes to the same bytes, provided that the peer used the shortest
//! length encodings, as all servers do.

use super::{EOF, ERR, OK};
use crate::codec::{Reader, put_lenenc_bytes, put_lenenc_int, put_u16};
use crate::{Caps, Status, WireError};

/// An OK packet.
///
/// | bytes   | field          | note                                                       |
/// |--------:|----------------|------------------------------------------------------------|
/// |       1 | kind           | 0x00; 0xFE at the end of rows where EOF is deprecated      |
/// |  lenenc | affected rows  |                                                            |
/// |  lenenc | last insert id |                                                            |
/// |       2 | status         |                                                            |
/// |       2 | warnings       |                                                            |
/// |  lenenc | info           | left out at the end of the packet if empty                 |
/// |  lenenc | changes        | only with [`Status::SESSION_STATE_CHANGED`], see [`crate::track`] |
///
/// The manual gives the info to the end of the packet without [`Caps::SESSION_TRACK`]; MariaDB 10.11
/// length-encodes it there too. Both are read, the latter is written.
///
/// Source: MariaDB manual, "OK_Packet".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// 0x00, or 0xFE in the place of an EOF packet.
    pub header: u8,
    /// Rows that the statement changed.
    pub affected_rows: u64,
    /// The first generated value of an AUTO_INCREMENT column, or 0.
    pub last_insert_id: u64,
    /// The connection's state.
    pub status: Status,
    /// Warnings of the statement.
    pub warnings: u16,
    /// A text for people.
    pub info: &'a [u8],
    /// The raw block of session state changes.
    pub changes: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// An OK without news.
    pub fn new(status: Status) -> Self {
        Self {
            header: OK,
            affected_rows: 0,
            last_insert_id: 0,
            status,
            warnings: 0,
            info: &[],
            changes: &[],
        }
    }

    /// Reads a payload, `caps` being what the connection it came on negotiated.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] if it is neither 0x00 nor 0xFE, else what is wrong with the layout.
    pub fn parse(payload: &'a [u8], caps: Caps) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let mut packet = Self::read_head(&mut reader)?;
        if caps.contains(Caps::SESSION_TRACK) {
            packet.tail(&mut reader)?;
        } else {
            packet.info = plain_info(reader.rest());
        }
        Ok(packet)
    }

    /// Reads all before the info; what is left of the payload need not be there.
    #[inline]
    pub(super) fn head(payload: &[u8]) -> Result<Self, WireError> {
        if let &[
            header @ (OK | EOF),
            rows @ 0..=0xFA,
            id @ 0..=0xFA,
            s,
            t,
            v,
            w,
            ..,
        ] = payload
        {
            return Ok(Self {
                header,
                affected_rows: u64::from(rows),
                last_insert_id: u64::from(id),
                status: Status::from_bits(u16::from_le_bytes([s, t])),
                warnings: u16::from_le_bytes([v, w]),
                info: &[],
                changes: &[],
            });
        }
        Self::read_head(&mut Reader::new(payload))
    }

    fn read_head(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let header = reader.u8()?;
        if header != OK && header != EOF {
            return Err(WireError::WrongKind {
                expected: OK,
                got: header,
            });
        }
        Ok(Self {
            header,
            affected_rows: reader.lenenc_int()?,
            last_insert_id: reader.lenenc_int()?,
            status: Status::from_bits(reader.u16()?),
            warnings: reader.u16()?,
            info: &[],
            changes: &[],
        })
    }

    fn tail(&mut self, reader: &mut Reader<'a>) -> Result<(), WireError> {
        if reader.is_empty() {
            return Ok(());
        }
        self.info = reader.lenenc_bytes()?;
        if self.status.contains(Status::SESSION_STATE_CHANGED) {
            self.changes = reader.lenenc_bytes()?;
        }
        Ok(())
    }

    /// Appends the payload as a peer with `caps` reads it. Changes are written only for a peer with
    /// [`Caps::SESSION_TRACK`], and the status flag that announces them follows from whether there are any.
    pub fn encode(&self, caps: Caps, out: &mut Vec<u8>) {
        let tracked = caps.contains(Caps::SESSION_TRACK) && !self.changes.is_empty();
        let plain = self.status.difference(Status::SESSION_STATE_CHANGED);
        let status = if tracked {
            plain.union(Status::SESSION_STATE_CHANGED)
        } else {
            plain
        };
        out.push(self.header);
        put_lenenc_int(out, self.affected_rows);
        put_lenenc_int(out, self.last_insert_id);
        put_u16(out, status.bits());
        put_u16(out, self.warnings);
        if tracked || !self.info.is_empty() {
            put_lenenc_bytes(out, self.info);
        }
        if tracked {
            put_lenenc_bytes(out, self.changes);
        }
    }
}

/// The info of a connection without session tracking: with its length before it, or bare.
fn plain_info(rest: &[u8]) -> &[u8] {
    let mut reader = Reader::new(rest);
    match reader.lenenc_bytes() {
        Ok(info) if reader.is_empty() => info,
        _ => rest,
    }
}

/// An ERR packet.
///
/// | bytes | field    | note                                                                 |
/// |------:|----------|----------------------------------------------------------------------|
/// |     1 | kind     | 0xFF                                                                 |
/// |     2 | code     | 0xFFFF: a progress report with another layout, no ERR                |
/// |     1 | marker   | `#`; with the SQLSTATE left out of some errors before the handshake  |
/// |     5 | SQLSTATE |                                                                      |
/// |  rest | message  |                                                                      |
///
/// Source: MariaDB manual, "ERR_Packet".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// The error number.
    pub code: u16,
    /// The SQLSTATE; `HY000` if the packet has none.
    pub sqlstate: [u8; 5],
    /// The text.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// The SQLSTATE of errors that have no other.
    pub const GENERAL_STATE: [u8; 5] = *b"HY000";

    /// Reads a payload.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] if it is no ERR packet, [`WireError::Truncated`] if it is cut.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let code = Self::head(&mut reader)?;
        let (sqlstate, message) = split_state(reader.rest());
        Ok(Self {
            code,
            sqlstate,
            message,
        })
    }

    #[inline]
    pub(super) fn head(reader: &mut Reader<'_>) -> Result<u16, WireError> {
        let got = reader.u8()?;
        if got != ERR {
            return Err(WireError::WrongKind { expected: ERR, got });
        }
        reader.u16()
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(ERR);
        put_u16(out, self.code);
        out.push(b'#');
        out.extend_from_slice(&self.sqlstate);
        out.extend_from_slice(self.message);
    }
}

fn split_state(rest: &[u8]) -> ([u8; 5], &[u8]) {
    if let Some((b'#', after)) = rest.split_first()
        && let Some((state, message)) = after.split_first_chunk::<5>()
    {
        return (*state, message);
    }
    (ErrPacket::GENERAL_STATE, rest)
}

/// An EOF packet: kind 0xFE, warnings (2), status (2).
///
/// Source: MariaDB manual, "EOF_Packet".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EofPacket {
    /// Warnings of the statement.
    pub warnings: u16,
    /// The connection's state.
    pub status: Status,
}

impl EofPacket {
    /// A packet that starts with 0xFE is an EOF only if its payload is shorter than this.
    pub const MAX_LEN: usize = 9;

    /// Reads a payload.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] if it is no EOF packet, [`WireError::Truncated`] if it is cut.
    #[inline]
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        let got = reader.u8()?;
        if got != EOF {
            return Err(WireError::WrongKind { expected: EOF, got });
        }
        Ok(Self {
            warnings: reader.u16()?,
            status: Status::from_bits(reader.u16()?),
        })
    }

    /// Appends the payload.
    pub fn encode(self, out: &mut Vec<u8>) {
        out.push(EOF);
        put_u16(out, self.warnings);
        put_u16(out, self.status.bits());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACKED: Caps = Caps::SESSION_TRACK;

    #[track_caller]
    fn check_ok(payload: &[u8], caps: Caps, expect: OkPacket<'_>) {
        assert_eq!(OkPacket::parse(payload, caps), Ok(expect));
        assert_eq!(OkPacket::head(payload).unwrap().status, expect.status);
        let mut out = Vec::new();
        expect.encode(caps, &mut out);
        assert_eq!(out, payload);
    }

    /// MariaDB 10.11.19.
    #[test]
    fn recorded_ok_packets() {
        let plain = OkPacket::new(Status::AUTOCOMMIT);
        check_ok(b"\0\0\0\x02\0\0\0", Caps::empty(), plain);
        check_ok(b"\0\0\0\x02\0\0\0", TRACKED, plain);
        let end = OkPacket {
            header: EOF,
            ..plain
        };
        check_ok(b"\xfe\0\0\x02\0\0\0", TRACKED, end);
        let inserted = OkPacket {
            affected_rows: 1,
            last_insert_id: 4,
            ..plain
        };
        check_ok(b"\0\x01\x04\x02\0\0\0", Caps::empty(), inserted);
        let altered = OkPacket {
            affected_rows: 400_000,
            info: b"Records: 400000  Duplicates: 0  Warnings: 0",
            ..plain
        };
        let bytes = b"\0\xfd\x80\x1a\x06\0\x02\0\0\0+Records: 400000  Duplicates: 0  Warnings: 0";
        check_ok(bytes, TRACKED, altered);
        check_ok(bytes, Caps::empty(), altered);
        let used = OkPacket {
            status: Status::from_bits(0x4002),
            changes: b"\x01\x06\x05other",
            ..plain
        };
        check_ok(b"\0\0\0\x02@\0\0\0\x08\x01\x06\x05other", TRACKED, used);
    }

    #[test]
    fn info_to_the_end_of_the_packet_is_read_too() {
        let packet = OkPacket::parse(b"\0\0\0\x02\0\0\0bare", Caps::empty()).unwrap();
        assert_eq!(packet.info, b"bare");
    }

    #[test]
    fn the_flag_of_changes_follows_from_them() {
        let flagged = OkPacket::new(Status::from_bits(0x4002));
        let mut out = Vec::new();
        flagged.encode(TRACKED, &mut out);
        assert_eq!(out, b"\0\0\0\x02\0\0\0");
    }

    #[test]
    fn errors_with_and_without_state() {
        let payload = b"\xff\x19\x04#42000Unknown database 'nope'";
        let packet = ErrPacket::parse(payload).unwrap();
        assert_eq!((packet.code, &packet.sqlstate), (1049, b"42000"));
        assert_eq!(packet.message, b"Unknown database 'nope'");
        let mut out = Vec::new();
        packet.encode(&mut out);
        assert_eq!(out, payload);
        let early = ErrPacket::parse(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!((early.code, &early.sqlstate), (1040, b"HY000"));
        assert_eq!(early.message, b"Too many connections");
        assert_eq!(
            ErrPacket::parse(b"\xff\x10\x04#08").unwrap().message,
            b"#08"
        );
    }

    #[test]
    fn other_kinds_are_refused() {
        let wrong = |expected, got| Err(WireError::WrongKind { expected, got });
        let ok = OkPacket::parse(b"\xff\0\0\0\0\0\0", Caps::empty());
        assert_eq!(ok.map(|_| ()), wrong(OK, ERR));
        assert_eq!(ErrPacket::parse(b"\0\0\0").map(|_| ()), wrong(ERR, OK));
        assert_eq!(EofPacket::parse(b"\0\0\0").map(|_| ()), wrong(EOF, OK));
        assert!(EofPacket::parse(b"\xfe\0\0\x02").is_err());
    }
}
