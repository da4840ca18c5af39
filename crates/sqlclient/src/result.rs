//! What a statement came to: owned values.

use std::ops::Range;

use tidegate_wire::WireError;
use tidegate_wire::resultset::text_row;

/// The outcome of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No rows.
    Done {
        /// Rows changed.
        affected_rows: u64,
        /// The last automatic id.
        last_insert_id: u64,
    },
    /// Rows, perhaps none.
    Rows(ResultSet),
}

/// The rows of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultSet {
    columns: Vec<String>,
    rows: Vec<Row>,
}

impl ResultSet {
    pub(crate) fn new(columns: Vec<String>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The columns' names, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The place of the column of this name, compared without regard to case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The text in the column of this name; `None` for NULL and where there is no such column.
    #[must_use]
    pub fn text<'a>(&self, row: &'a Row, name: &str) -> Option<&'a str> {
        row.text(self.column(name)?)
    }
}

/// One row. All values are text, as the protocol's text form has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    payload: Vec<u8>,
    cells: Vec<Option<Range<usize>>>,
}

impl Row {
    /// Takes a row's packet apart.
    pub(crate) fn parse(payload: Vec<u8>) -> Result<Self, WireError> {
        let mut cells = Vec::new();
        let mut at = 0;
        for cell in text_row(&payload) {
            let cell = cell?;
            cells.push(cell.map(|bytes| {
                let start = at + lenenc_prefix(payload.get(at).copied());
                start..start + bytes.len()
            }));
            at = match cells.last() {
                Some(Some(range)) => range.end,
                Some(None) | None => at + 1,
            };
        }
        Ok(Self { payload, cells })
    }

    /// How many values it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Has it no value?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The value in a column; `None` for NULL and beyond the last column.
    #[must_use]
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        let range = self.cells.get(column)?.clone()?;
        self.payload.get(range)
    }

    /// The value as text; also `None` if it is not UTF-8.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(column)?).ok()
    }
}

/// How many bytes the length before a value takes, by its first byte.
fn lenenc_prefix(first: Option<u8>) -> usize {
    match first {
        Some(0xFC) => 3,
        Some(0xFD) => 4,
        Some(0xFE) => 9,
        Some(_) | None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_wire::codec::put_lenenc_nullable;

    #[test]
    fn rows_keep_nulls_and_long_values() {
        let long = vec![b'x'; 70_000];
        let medium = vec![b'y'; 300];
        let values: [Option<&[u8]>; 5] = [Some(b"a"), None, Some(&medium), Some(&long), Some(b"")];
        let mut payload = Vec::new();
        for value in values {
            put_lenenc_nullable(&mut payload, value);
        }
        let row = Row::parse(payload).expect("a row");
        assert_eq!(row.len(), 5);
        for (column, value) in values.into_iter().enumerate() {
            assert_eq!(row.bytes(column), value, "column {column}");
        }
        assert_eq!(row.bytes(5), None);
        assert!(Row::parse(vec![5, b'a']).is_err());
    }

    #[test]
    fn columns_are_found_by_name_in_any_case() {
        let mut result = ResultSet::new(vec!["User".into(), "Host".into()]);
        result.push(Row::parse(vec![1, b'u', 0xFB]).expect("a row"));
        let row = &result.rows()[0];
        assert_eq!(result.text(row, "user"), Some("u"));
        assert_eq!(result.text(row, "Host"), None);
        assert_eq!(result.text(row, "Db"), None);
    }
}
