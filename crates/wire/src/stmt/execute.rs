//! Executions: where their parameter types stand, and how to put them in.

use super::expect_command;
use crate::{Command, Rewrite, WireError};
use std::ops::Range;

/// Bytes of one parameter's type: type and flags.
const TYPE_LEN: usize = 2;

/// `COM_STMT_EXECUTE`.
///
/// | bytes     | field        | note                                          |
/// |----------:|--------------|-----------------------------------------------|
/// |         1 | command      | 0x17                                          |
/// |         4 | statement id |                                               |
/// |         1 | flags        | 1: open a read-only cursor                    |
/// |         4 | iterations   | always 1                                      |
/// | (n + 7)/8 | NULL bits    | from here on only with n > 0 parameters       |
/// |         1 | types follow | 1, at least the first time; else 0            |
/// |     2 × n | types        | if they follow                                |
/// |      rest | values       | of parameters neither NULL nor sent as long data |
///
/// Source: MariaDB manual, "COM_STMT_EXECUTE".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute {
    /// The statement.
    pub id: u32,
    /// A cursor is asked for.
    pub opens_cursor: bool,
    /// Where the types stand; where they would stand if the range is empty.
    pub types: Range<usize>,
}

impl Execute {
    /// Where the NULL bits begin.
    const NULLS_AT: usize = 10;

    /// The flags that ask for a cursor.
    const CURSORS: u8 = 0x07;

    /// Does the payload of an execution with `params` parameters say that their types follow?
    #[inline]
    pub fn announces_types(payload: &[u8], params: u16) -> bool {
        let flag_at = Self::NULLS_AT + usize::from(params).div_ceil(8);
        params != 0 && payload.get(flag_at).is_some_and(|flag| *flag != 0)
    }

    /// Reads the head of a payload whose statement has `params` parameters.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] for another command, [`WireError::Truncated`] if it is cut before the
    /// values.
    pub fn parse(payload: &[u8], params: u16) -> Result<Self, WireError> {
        let mut reader = expect_command(payload, Command::StmtExecute)?;
        let id = reader.u32()?;
        let opens_cursor = reader.u8()? & Self::CURSORS != 0;
        reader.u32()?;
        let mut types_len = 0;
        if params != 0 {
            reader.take(usize::from(params).div_ceil(8))?;
            if reader.u8()? != 0 {
                types_len = usize::from(params) * TYPE_LEN;
            }
        }
        let start = reader.offset();
        reader.take(types_len)?;
        Ok(Self {
            id,
            opens_cursor,
            types: start..reader.offset(),
        })
    }
}

/// `COM_STMT_BULK_EXECUTE` (MariaDB, with [`crate::Caps::STMT_BULK_OPERATIONS`]).
///
/// | bytes | field        | note                                                            |
/// |------:|--------------|-----------------------------------------------------------------|
/// |     1 | command      | 0xfa                                                            |
/// |     4 | statement id |                                                                 |
/// |     2 | flags        | 64: a result for each row; 128: types follow                    |
/// | 2 × n | types        | if they follow                                                  |
/// |  rest | rows         | each value after an indicator: 0 value, 1 NULL, 2 default, 3 ignore |
///
/// Source: MariaDB manual, "COM_STMT_BULK_EXECUTE".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// The statement.
    pub id: u32,
    /// Each row's result is asked for.
    pub unit_results: bool,
    /// Where the types stand; where they would stand if the range is empty.
    pub types: Range<usize>,
}

impl Bulk {
    const UNIT_RESULTS: u16 = 64;
    const TYPES: u16 = 128;
    /// Where the low byte of the flags stands.
    const FLAGS_AT: usize = 5;

    /// Reads the head of a payload whose statement has `params` parameters.
    ///
    /// # Errors
    /// [`WireError::WrongKind`] for another command, [`WireError::Truncated`] if it is cut before the
    /// rows.
    pub fn parse(payload: &[u8], params: u16) -> Result<Self, WireError> {
        let mut reader = expect_command(payload, Command::StmtBulkExecute)?;
        let id = reader.u32()?;
        let flags = reader.u16()?;
        let start = reader.offset();
        if flags & Self::TYPES != 0 {
            reader.take(usize::from(params) * TYPE_LEN)?;
        }
        Ok(Self {
            id,
            unit_results: flags & Self::UNIT_RESULTS != 0,
            types: start..reader.offset(),
        })
    }
}

/// Where an execution's types stand, or would stand.
fn types_at(payload: &[u8], params: u16) -> Result<Range<usize>, WireError> {
    if payload.first() == Some(&Command::StmtBulkExecute.byte()) {
        return Bulk::parse(payload, params).map(|bulk| bulk.types);
    }
    Execute::parse(payload, params).map(|execute| execute.types)
}

/// The types that a `COM_STMT_EXECUTE` or `COM_STMT_BULK_EXECUTE` carries; `None` if it carries none
/// or is malformed. The start of a long payload is enough.
pub fn types_of(payload: &[u8], params: u16) -> Option<&[u8]> {
    let range = types_at(payload, params).ok()?;
    payload.get(range).filter(|types| !types.is_empty())
}

/// Puts `types` into an execution that carries none, for a server connection that has not seen them.
/// An execution with types, or of a statement without parameters, stays as it is.
///
/// # Errors
/// [`WireError`] if the payload is malformed; [`WireError::OverLimit`] or [`WireError::Truncated`] if
/// `types` are not those of `params` parameters.
pub fn insert_types(
    payload: &[u8],
    params: u16,
    types: &[u8],
    out: &mut Vec<u8>,
) -> Result<Rewrite, WireError> {
    let range = types_at(payload, params)?;
    if params == 0 || !range.is_empty() {
        return Ok(Rewrite::Unchanged);
    }
    check_types(types, params)?;
    let (head, values) = payload
        .split_at_checked(range.start)
        .unwrap_or((payload, &[]));
    let start = out.len();
    out.reserve(payload.len() + types.len());
    out.extend_from_slice(head);
    let (flag_at, flag) = if head.first() == Some(&Command::StmtBulkExecute.byte()) {
        (Bulk::FLAGS_AT, Bulk::TYPES as u8)
    } else {
        (head.len() - 1, 1)
    };
    if let Some(byte) = out.get_mut(start + flag_at) {
        *byte |= flag;
    }
    out.extend_from_slice(types);
    out.extend_from_slice(values);
    Ok(Rewrite::Written)
}

fn check_types(types: &[u8], params: u16) -> Result<(), WireError> {
    let needed = usize::from(params) * TYPE_LEN;
    if types.len() < needed {
        return Err(WireError::Truncated {
            at: 0,
            needed: needed as u64,
            left: types.len(),
        });
    }
    if types.len() > needed {
        return Err(WireError::OverLimit {
            got: types.len() as u64,
            limit: needed as u64,
        });
    }
    Ok(())
}
