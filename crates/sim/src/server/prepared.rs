//! A server's prepared statements: parameters, types, long data, cursors.

use std::collections::BTreeMap;

use crate::bytes::Cursor;
use crate::sql::{Table, Text};

/// A statement that a connection has prepared.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) text: Text,
    pub(super) database: Option<String>,
    /// The parameter types that were sent last.
    pub(super) types: Option<Vec<u8>>,
    /// Long data by parameter.
    pub(super) long: BTreeMap<u16, Vec<u8>>,
    pub(super) cursor: Option<Open>,
    /// In which form its rows are: tables are altered.
    pub(super) form: u32,
    /// The form of the definitions that were sent last.
    pub(super) told: u32,
}

/// An open cursor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) token: u32,
    pub(super) next_row: u32,
    pub(super) table: Table,
}

/// A parameter type: a number of four bytes.
pub(crate) const LONG: u8 = 3;
/// A parameter type: a number of eight bytes.
pub(crate) const LONGLONG: u8 = 8;
/// A parameter type: text.
pub(crate) const VAR_STRING: u8 = 253;

/// An execution as a server reads it.
#[derive(Debug)]
pub(super) struct Execution {
    /// The command's token, from the first parameter.
    pub(super) token: Option<u32>,
    pub(super) cursor: bool,
    pub(super) long: (usize, u64),
    /// Types came with it.
    pub(super) typed: bool,
}

/// Length and sum of long data.
pub(crate) fn measure(data: &[u8]) -> (usize, u64) {
    let sum = data.iter().fold(0xCBF2_9CE4_8422_2325u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    });
    (data.len(), sum)
}

impl Prepared {
    pub(super) fn new(text: Text, database: Option<String>) -> Prepared {
        Prepared {
            text,
            database,
            types: None,
            long: BTreeMap::new(),
            cursor: None,
            form: 0,
            told: 0,
        }
    }

    /// Reads COM_STMT_EXECUTE behind its statement id, and takes the long data that belongs to it.
    pub(super) fn execution(&mut self, payload: &[u8]) -> Result<Execution, String> {
        let cut = || "a COM_STMT_EXECUTE that ends too early".to_owned();
        let mut cursor = Cursor(payload);
        let flags = cursor.byte().ok_or_else(cut)?;
        cursor.int(4).ok_or_else(cut)?;
        let params = usize::from(self.text.params);
        let mut execution = Execution {
            token: None,
            cursor: flags & 1 != 0,
            long: (0, 0),
            typed: false,
        };
        if params == 0 {
            return if cursor.is_empty() {
                Ok(execution)
            } else {
                Err("parameters where there are none".to_owned())
            };
        }
        let nulls = cursor.take(params.div_ceil(8)).ok_or_else(cut)?.to_vec();
        if cursor.byte().ok_or_else(cut)? == 1 {
            self.types = Some(cursor.take(2 * params).ok_or_else(cut)?.to_vec());
            execution.typed = true;
        }
        let types = self
            .types
            .clone()
            .ok_or("an execution without parameter types on a connection that has none")?;
        let long = std::mem::take(&mut self.long);
        for param in 0..params {
            if nulls[param / 8] >> (param % 8) & 1 == 1 {
                continue;
            }
            if let Some(data) = long.get(&(param as u16)) {
                execution.long = measure(data);
                continue;
            }
            let value = read_value(&mut cursor, types[2 * param]).ok_or_else(|| {
                format!(
                    "parameter {param} cannot be read as type {}",
                    types[2 * param]
                )
            })?;
            if param == 0 {
                execution.token = Some(value);
            }
        }
        if !cursor.is_empty() {
            return Err(format!(
                "{} bytes are left over behind the parameters",
                cursor.0.len()
            ));
        }
        Ok(execution)
    }
}

/// A number, whatever its type.
pub(super) fn read_value(cursor: &mut Cursor<'_>, kind: u8) -> Option<u32> {
    match kind {
        LONG => cursor.int(4).and_then(|value| u32::try_from(value).ok()),
        LONGLONG => cursor.int(8).and_then(|value| u32::try_from(value).ok()),
        VAR_STRING => std::str::from_utf8(cursor.text()?).ok()?.parse().ok(),
        _ => None,
    }
}
