//! Column definitions.

use crate::codec::{Reader, put_lenenc_bytes, put_u16, put_u32};
use crate::{Caps, WireError};

/// The type of a column or parameter.
///
/// Source: MariaDB manual, "Result set packets", field types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnType(pub u8);

impl ColumnType {
    /// DECIMAL before 5.0.
    pub const DECIMAL: Self = Self(0);
    /// TINYINT.
    pub const TINY: Self = Self(1);
    /// SMALLINT.
    pub const SHORT: Self = Self(2);
    /// INT.
    pub const LONG: Self = Self(3);
    /// FLOAT.
    pub const FLOAT: Self = Self(4);
    /// DOUBLE.
    pub const DOUBLE: Self = Self(5);
    /// Only NULL.
    pub const NULL: Self = Self(6);
    /// TIMESTAMP.
    pub const TIMESTAMP: Self = Self(7);
    /// BIGINT.
    pub const LONGLONG: Self = Self(8);
    /// MEDIUMINT.
    pub const INT24: Self = Self(9);
    /// DATE.
    pub const DATE: Self = Self(10);
    /// TIME.
    pub const TIME: Self = Self(11);
    /// DATETIME.
    pub const DATETIME: Self = Self(12);
    /// YEAR.
    pub const YEAR: Self = Self(13);
    /// VARCHAR of old servers.
    pub const VARCHAR: Self = Self(15);
    /// BIT.
    pub const BIT: Self = Self(16);
    /// JSON (MySQL).
    pub const JSON: Self = Self(245);
    /// DECIMAL.
    pub const NEWDECIMAL: Self = Self(246);
    /// ENUM.
    pub const ENUM: Self = Self(247);
    /// SET.
    pub const SET: Self = Self(248);
    /// TINYBLOB, TINYTEXT.
    pub const TINY_BLOB: Self = Self(249);
    /// MEDIUMBLOB, MEDIUMTEXT.
    pub const MEDIUM_BLOB: Self = Self(250);
    /// LONGBLOB, LONGTEXT.
    pub const LONG_BLOB: Self = Self(251);
    /// BLOB, TEXT.
    pub const BLOB: Self = Self(252);
    /// VARCHAR, VARBINARY.
    pub const VAR_STRING: Self = Self(253);
    /// CHAR, BINARY.
    pub const STRING: Self = Self(254);
    /// Spatial types.
    pub const GEOMETRY: Self = Self(255);

    /// Whether values are numbers, whose text has no character set.
    pub const fn is_numeric(self) -> bool {
        matches!(self.0, 0..=5 | 8 | 9 | 13 | 246)
    }
}

/// A column definition.
///
/// | bytes  | field         | note                                                            |
/// |-------:|---------------|-----------------------------------------------------------------|
/// | lenenc | catalog       | `def`                                                           |
/// | lenenc | schema        |                                                                 |
/// | lenenc | table         | its alias                                                       |
/// | lenenc | table         | its own name                                                    |
/// | lenenc | name          | its alias                                                       |
/// | lenenc | name          | its own name                                                    |
/// | lenenc | extended      | with [`Caps::EXTENDED_METADATA`]: type name and format name     |
/// | lenenc | length        | of what follows: 12                                             |
/// |      2 | character set | 63: binary                                                      |
/// |      4 | length        | of the widest value                                             |
/// |      1 | type          |                                                                 |
/// |      2 | flags         |                                                                 |
/// |      1 | decimals      |                                                                 |
/// |      2 | filler        | 0x00                                                            |
/// | lenenc | default       | only in replies to COM_FIELD_LIST; left out here                |
///
/// Source: MariaDB manual, "Result set packets", column definition packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDef<'a> {
    /// The database of the table.
    pub schema: &'a [u8],
    /// The table's alias.
    pub table: &'a [u8],
    /// The table's own name.
    pub org_table: &'a [u8],
    /// The column's alias.
    pub name: &'a [u8],
    /// The column's own name.
    pub org_name: &'a [u8],
    /// Type and format names: their kind (1) and text (lenenc) each.
    pub extended: &'a [u8],
    /// The id of the collation of its text.
    pub charset: u16,
    /// The widest value's bytes.
    pub length: u32,
    /// The type.
    pub kind: ColumnType,
    /// NOT NULL, keys and so on.
    pub flags: u16,
    /// Digits after the point.
    pub decimals: u8,
}

impl<'a> ColumnDef<'a> {
    const CATALOG: &'static [u8] = b"def";
    /// Bytes of the fixed part.
    const FIXED_LEN: u8 = 12;
    /// utf8mb4_general_ci.
    const UTF8MB4: u16 = 45;
    /// Not text.
    const BINARY: u16 = 63;
    /// The flag of columns without NULL.
    const NOT_NULL_FLAG: u16 = 1;
    /// The flag of numbers without a sign.
    const UNSIGNED_FLAG: u16 = 32;
    /// The flag of columns whose values compare bytewise.
    const BINARY_FLAG: u16 = 128;

    /// A column of a computed result, its text in utf8mb4.
    pub fn computed(name: &'a [u8], kind: ColumnType) -> Self {
        let (charset, length, flags) = if kind.is_numeric() {
            (Self::BINARY, 21, Self::BINARY_FLAG)
        } else {
            (Self::UTF8MB4, 4 * 1024, 0)
        };
        Self {
            schema: &[],
            table: &[],
            org_table: &[],
            name,
            org_name: &[],
            extended: &[],
            charset,
            length,
            kind,
            flags,
            decimals: 0,
        }
    }

    /// The column of `SELECT CONNECTION_ID()`, as servers define it: clients that convert by type
    /// would give their users another one.
    pub fn connection_id(name: &'a [u8]) -> Self {
        Self {
            length: 10,
            flags: Self::NOT_NULL_FLAG | Self::UNSIGNED_FLAG | Self::BINARY_FLAG,
            ..Self::computed(name, ColumnType::LONG)
        }
    }

    /// Reads a payload of a connection that negotiated `caps`.
    ///
    /// # Errors
    /// What is wrong with the layout.
    pub fn parse(payload: &'a [u8], caps: Caps) -> Result<Self, WireError> {
        let mut reader = Reader::new(payload);
        reader.lenenc_bytes()?;
        let schema = reader.lenenc_bytes()?;
        let table = reader.lenenc_bytes()?;
        let org_table = reader.lenenc_bytes()?;
        let name = reader.lenenc_bytes()?;
        let org_name = reader.lenenc_bytes()?;
        let extended = if caps.contains(Caps::EXTENDED_METADATA) {
            reader.lenenc_bytes()?
        } else {
            &[]
        };
        let mut fixed = Reader::new(reader.lenenc_bytes()?);
        Ok(Self {
            schema,
            table,
            org_table,
            name,
            org_name,
            extended,
            charset: fixed.u16()?,
            length: fixed.u32()?,
            kind: ColumnType(fixed.u8()?),
            flags: fixed.u16()?,
            decimals: fixed.u8()?,
        })
    }

    /// Appends the payload for a peer with `caps`.
    pub fn encode(&self, caps: Caps, out: &mut Vec<u8>) {
        for text in [
            Self::CATALOG,
            self.schema,
            self.table,
            self.org_table,
            self.name,
            self.org_name,
        ] {
            put_lenenc_bytes(out, text);
        }
        if caps.contains(Caps::EXTENDED_METADATA) {
            put_lenenc_bytes(out, self.extended);
        }
        out.push(Self::FIXED_LEN);
        put_u16(out, self.charset);
        put_u32(out, self.length);
        out.push(self.kind.0);
        put_u16(out, self.flags);
        out.push(self.decimals);
        put_u16(out, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MariaDB 10.11.19, with and without extended metadata.
    #[test]
    fn recorded_definitions() {
        let plain = b"\x03def\x01t\x01a\x01a\x02id\x02id\x0c?\0\x0b\0\0\0\x03\x03B\0\0\0";
        let typed = b"\x03def\x01t\x01j\x01j\x01v\x01v\x06\x01\x04json\x0c-\0\xff\xff\xff\xff\xfc\x90\0\0\0\0";
        for (payload, caps) in [
            (&plain[..], Caps::empty()),
            (typed, Caps::EXTENDED_METADATA),
        ] {
            let column = ColumnDef::parse(payload, caps).unwrap();
            let mut out = Vec::new();
            column.encode(caps, &mut out);
            assert_eq!(out, payload);
        }
        let column = ColumnDef::parse(typed, Caps::EXTENDED_METADATA).unwrap();
        assert_eq!(column.extended, b"\x01\x04json");
        assert_eq!(column.kind, ColumnType::BLOB);
    }

    #[test]
    fn cut_definitions_are_errors() {
        let mut out = Vec::new();
        ColumnDef::computed(b"a", ColumnType::LONG).encode(Caps::empty(), &mut out);
        for len in 0..out.len() {
            assert!(ColumnDef::parse(&out[..len], Caps::empty()).is_err());
        }
    }
}
