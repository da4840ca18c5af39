//! The bytes of KMIP: items of tag, type, length and value.
//!
//! | offset | bytes | field  | note                                             |
//! |-------:|------:|--------|--------------------------------------------------|
//! |      0 |     3 | tag    | big endian, as all numbers                       |
//! |      3 |     1 | type   | 1 to 10                                          |
//! |      4 |     4 | length | of the value, without its padding                |
//! |      8 |     n | value  | filled up with zeros to a multiple of eight bytes |
//!
//! Source: OASIS, "Key Management Interoperability Protocol Specification Version 1.2", section 9.1.
//!
//! Left out: what tags and enumerations mean, and the types that KMIP 2.0 added.
//!
//! The invariant: bytes that can be read are written again as they were, and reading takes no more
//! memory than a small multiple of what it reads.

use std::fmt;

use zeroize::Zeroizing;

/// Structures within structures; requests and answers of KMIP have less than ten.
const MAX_DEPTH: usize = 32;

/// What a value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag(u32);

impl Tag {
    /// The tag of this number, of which the last 24 bits count.
    #[must_use]
    pub const fn new(number: u32) -> Tag {
        Tag(number & 0x00FF_FFFF)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:#08x})", self.0)
    }
}

/// Bytes that may be a key: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Octets(Zeroizing<Vec<u8>>);

impl Octets {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Octets {
        Octets(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Octets({} bytes)", self.0.len())
    }
}

/// A value of one of KMIP's types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Items, in order.
    Structure(Vec<Item>),
    /// A number of 32 bits.
    Integer(i32),
    /// A number of 64 bits.
    LongInteger(i64),
    /// A number of any length, in two's complement; a multiple of eight bytes.
    BigInteger(Octets),
    /// A word of a list.
    Enumeration(u32),
    /// Yes or no.
    Boolean(bool),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Octets),
    /// Seconds since 1970.
    DateTime(i64),
    /// Seconds.
    Interval(u32),
}

impl Value {
    fn type_number(&self) -> u8 {
        match self {
            Self::Structure(_) => 1,
            Self::Integer(_) => 2,
            Self::LongInteger(_) => 3,
            Self::BigInteger(_) => 4,
            Self::Enumeration(_) => 5,
            Self::Boolean(_) => 6,
            Self::Text(_) => 7,
            Self::Bytes(_) => 8,
            Self::DateTime(_) => 9,
            Self::Interval(_) => 10,
        }
    }
}

/// A value with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is for.
    pub tag: Tag,
    /// What it is.
    pub value: Value,
}

impl Item {
    /// A value with its tag.
    #[must_use]
    pub fn new(tag: Tag, value: Value) -> Item {
        Item { tag, value }
    }

    /// The first item with this tag, in a structure.
    #[must_use]
    pub fn member(&self, tag: Tag) -> Option<&Item> {
        match &self.value {
            Value::Structure(items) => items.iter().find(|item| item.tag == tag),
            _ => None,
        }
    }
}

/// Why bytes are no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TtlvError {
    /// They end too early.
    #[error("it ends after {have} bytes, where {need} are needed")]
    Short {
        /// How many are needed.
        need: usize,
        /// How many there are.
        have: usize,
    },
    /// There is no such type.
    #[error("it has a value of type {0}, which KMIP 1 does not know")]
    Type(u8),
    /// A value of this type cannot have that length.
    #[error("a value of type {kind} has {len} bytes")]
    Length {
        /// The type.
        kind: u8,
        /// The length.
        len: usize,
    },
    /// A boolean is neither.
    #[error("a boolean is neither true nor false")]
    Boolean,
    /// A text is none.
    #[error("a text is not UTF-8")]
    Text,
    /// What fills up is not zero.
    #[error("the padding of a value is not zero")]
    Padding,
    /// Too many structures within structures.
    #[error("it has more than {MAX_DEPTH} structures within each other")]
    Depth,
    /// Bytes follow the item.
    #[error("{0} bytes follow it")]
    Trailing(usize),
}

/// The bytes of an item. A text or structure of more than 2^32 - 1 bytes is not for KMIP; what is
/// made here has a few hundred.
#[must_use]
pub fn encode(item: &Item) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
    write(item, &mut out);
    out
}

fn write(item: &Item, out: &mut Vec<u8>) {
    let value = content(&item.value);
    let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend(item.tag.0.to_be_bytes().iter().skip(1));
    out.push(item.value.type_number());
    out.extend(len.to_be_bytes());
    out.extend_from_slice(&value);
    out.resize(out.len().next_multiple_of(8), 0);
}

fn content(value: &Value) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(match value {
        Value::Structure(items) => {
            let mut out = Vec::new();
            items.iter().for_each(|item| write(item, &mut out));
            out
        }
        Value::Integer(number) => number.to_be_bytes().to_vec(),
        Value::LongInteger(number) | Value::DateTime(number) => number.to_be_bytes().to_vec(),
        Value::Enumeration(number) | Value::Interval(number) => number.to_be_bytes().to_vec(),
        Value::Boolean(on) => u64::from(*on).to_be_bytes().to_vec(),
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::BigInteger(bytes) | Value::Bytes(bytes) => bytes.reveal().to_vec(),
    })
}

/// The bytes that a head says will follow it, padding included: what has to be read before
/// [`decode`] can be called.
///
/// # Errors
/// There are less than eight bytes.
pub fn following(head: &[u8]) -> Result<usize, TtlvError> {
    let (_, _, len) = split_head(head)?.0;
    Ok(len.next_multiple_of(8))
}

/// The item that these bytes are, all of them.
///
/// # Errors
/// They are none.
pub fn decode(bytes: &[u8]) -> Result<Item, TtlvError> {
    let (item, rest) = read(bytes, 0)?;
    if rest.is_empty() {
        Ok(item)
    } else {
        Err(TtlvError::Trailing(rest.len()))
    }
}

type Head = (Tag, u8, usize);

fn split_head(bytes: &[u8]) -> Result<(Head, &[u8]), TtlvError> {
    let short = TtlvError::Short {
        need: 8,
        have: bytes.len(),
    };
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(short)?;
    let [a, b, c, kind, length @ ..] = *head;
    let len = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    Ok(((Tag(u32::from_be_bytes([0, a, b, c])), kind, len), rest))
}

fn read(bytes: &[u8], depth: usize) -> Result<(Item, &[u8]), TtlvError> {
    if depth >= MAX_DEPTH {
        return Err(TtlvError::Depth);
    }
    let ((tag, kind, len), rest) = split_head(bytes)?;
    let padded = len.next_multiple_of(8);
    let (value, rest) = rest.split_at_checked(padded).ok_or(TtlvError::Short {
        need: padded,
        have: rest.len(),
    })?;
    let (value, padding) = value.split_at_checked(len).unwrap_or((value, &[]));
    if padding.iter().any(|byte| *byte != 0) {
        return Err(TtlvError::Padding);
    }
    let value = understand(kind, value, depth)?;
    Ok((Item { tag, value }, rest))
}

fn understand(kind: u8, bytes: &[u8], depth: usize) -> Result<Value, TtlvError> {
    let wrong = TtlvError::Length {
        kind,
        len: bytes.len(),
    };
    let four = || <[u8; 4]>::try_from(bytes).map_err(|_| wrong);
    let eight = || <[u8; 8]>::try_from(bytes).map_err(|_| wrong);
    Ok(match kind {
        1 => Value::Structure(members(bytes, depth)?),
        2 => Value::Integer(i32::from_be_bytes(four()?)),
        3 => Value::LongInteger(i64::from_be_bytes(eight()?)),
        4 if bytes.is_empty() || !bytes.len().is_multiple_of(8) => return Err(wrong),
        4 => Value::BigInteger(Octets::new(bytes.to_vec())),
        5 => Value::Enumeration(u32::from_be_bytes(four()?)),
        6 => match u64::from_be_bytes(eight()?) {
            0 => Value::Boolean(false),
            1 => Value::Boolean(true),
            _ => return Err(TtlvError::Boolean),
        },
        7 => {
            let text = std::str::from_utf8(bytes).map_err(|_| TtlvError::Text)?;
            Value::Text(text.to_owned())
        }
        8 => Value::Bytes(Octets::new(bytes.to_vec())),
        9 => Value::DateTime(i64::from_be_bytes(eight()?)),
        10 => Value::Interval(u32::from_be_bytes(four()?)),
        kind => return Err(TtlvError::Type(kind)),
    })
}

fn members(mut bytes: &[u8], depth: usize) -> Result<Vec<Item>, TtlvError> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (item, rest) = read(bytes, depth + 1)?;
        items.push(item);
        bytes = rest;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    /// The examples of the specification, section 9.1.2.
    #[test]
    fn the_examples_of_the_specification() {
        const TAG: Tag = Tag::new(0x42_00_20);
        let octets = |bytes: &[u8]| Octets::new(bytes.to_vec());
        let cases = [
            (
                "42 00 20 02 00 00 00 04 00 00 00 08 00 00 00 00",
                Value::Integer(8),
            ),
            (
                "42 00 20 03 00 00 00 08 01 B6 9B 4B A5 74 92 00",
                Value::LongInteger(123_456_789_000_000_000),
            ),
            (
                "42 00 20 04 00 00 00 10 00 00 00 00 03 FD 35 EB 6B C2 DF 46 18 08 00 00",
                Value::BigInteger(octets(&hex(
                    "00 00 00 00 03 FD 35 EB 6B C2 DF 46 18 08 00 00",
                ))),
            ),
            (
                "42 00 20 05 00 00 00 04 00 00 00 FF 00 00 00 00",
                Value::Enumeration(255),
            ),
            (
                "42 00 20 06 00 00 00 08 00 00 00 00 00 00 00 01",
                Value::Boolean(true),
            ),
            (
                "42 00 20 07 00 00 00 0B 48 65 6C 6C 6F 20 57 6F 72 6C 64 00 00 00 00 00",
                Value::Text("Hello World".to_owned()),
            ),
            (
                "42 00 20 08 00 00 00 03 01 02 03 00 00 00 00 00",
                Value::Bytes(octets(&[1, 2, 3])),
            ),
            (
                "42 00 20 09 00 00 00 08 00 00 00 00 47 DA 67 F8",
                Value::DateTime(0x47DA_67F8),
            ),
            (
                "42 00 20 0A 00 00 00 04 00 0D 2F 00 00 00 00 00",
                Value::Interval(864_000),
            ),
        ];
        for (bytes, value) in cases {
            let item = Item::new(TAG, value);
            assert_eq!(decode(&hex(bytes)), Ok(item.clone()), "{bytes}");
            assert_eq!(*encode(&item), hex(bytes), "{bytes}");
        }
        let structure = "42 00 20 01 00 00 00 20 42 00 04 05 00 00 00 04 00 00 00 FE 00 00 00 00 \
                         42 00 05 02 00 00 00 04 00 00 00 FF 00 00 00 00";
        let read = decode(&hex(structure)).unwrap();
        let member = |tag| read.member(Tag::new(tag)).map(|item| item.value.clone());
        assert_eq!(member(0x42_00_04), Some(Value::Enumeration(254)));
        assert_eq!(member(0x42_00_05), Some(Value::Integer(255)));
        assert_eq!(member(0x42_00_06), None);
        assert_eq!(following(&hex(structure)), Ok(32));
    }

    #[test]
    fn what_is_no_item_is_refused() {
        let check = |bytes: &str, expect| assert_eq!(decode(&hex(bytes)), Err(expect), "{bytes}");
        check("42 00 20 02", TtlvError::Short { need: 8, have: 4 });
        check(
            "42 00 20 02 00 00 00 04 00 00 00 08",
            TtlvError::Short { need: 8, have: 4 },
        );
        check(
            "42 00 20 08 FF FF FF FF 00",
            TtlvError::Short {
                need: 0x1_0000_0000,
                have: 1,
            },
        );
        check("42 00 20 0B 00 00 00 00", TtlvError::Type(11));
        check(
            "42 00 20 02 00 00 00 03 00 00 08 00 00 00 00 00",
            TtlvError::Length { kind: 2, len: 3 },
        );
        check(
            "42 00 20 06 00 00 00 08 00 00 00 00 00 00 00 02",
            TtlvError::Boolean,
        );
        check(
            "42 00 20 07 00 00 00 01 FF 00 00 00 00 00 00 00",
            TtlvError::Text,
        );
        check(
            "42 00 20 02 00 00 00 04 00 00 00 08 00 00 00 01",
            TtlvError::Padding,
        );
        check("42 00 20 07 00 00 00 00 00", TtlvError::Trailing(1));
        let mut deep = Item::new(Tag::new(1), Value::Structure(Vec::new()));
        for _ in 0..MAX_DEPTH {
            deep = Item::new(Tag::new(1), Value::Structure(vec![deep]));
        }
        assert_eq!(decode(&encode(&deep)), Err(TtlvError::Depth));
    }

    #[test]
    fn bytes_are_not_printed() {
        let item = Item::new(Tag::new(1), Value::Bytes(Octets::new(vec![171; 3])));
        let shown = format!("{item:?}");
        assert!(
            !shown.contains("171") && shown.contains("3 bytes"),
            "{shown}"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let octets = prop::collection::vec(any::<u8>(), 0..20);
        let big = prop::collection::vec(any::<[u8; 8]>(), 1..4);
        let leaf = prop_oneof![
            any::<i32>().prop_map(Value::Integer),
            any::<i64>().prop_map(Value::LongInteger),
            big.prop_map(|words| Value::BigInteger(Octets::new(words.concat()))),
            any::<u32>().prop_map(Value::Enumeration),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,12}".prop_map(Value::Text),
            octets.prop_map(|bytes| Value::Bytes(Octets::new(bytes))),
            any::<i64>().prop_map(Value::DateTime),
            any::<u32>().prop_map(Value::Interval),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let item =
                (any::<u32>(), inner).prop_map(|(tag, value)| Item::new(Tag::new(tag), value));
            prop::collection::vec(item, 0..6).prop_map(Value::Structure)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in any::<u32>(), value in values()) {
            let item = Item::new(Tag::new(tag), value);
            let bytes = encode(&item);
            prop_assert_eq!(bytes.len() % 8, 0);
            prop_assert_eq!(following(&bytes), Ok(bytes.len() - 8));
            prop_assert_eq!(decode(&bytes), Ok(item));
        }

        #[test]
        fn nothing_less_is_an_item(value in values(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&Item::new(Tag::new(7), value));
            let cut = cut.index(bytes.len());
            prop_assert!(decode(&bytes[..cut]).is_err());
        }
    }
}
