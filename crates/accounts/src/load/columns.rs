//! Which columns of the account tables exist and may be seen.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_sqlclient::ResultSet;

/// `information_schema` shows a column only to those with a privilege on it. The names are
/// compared in their own collation, which the literals take on.
pub(super) const QUERY: &str = "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME IN ('global_priv', 'user', 'db', 'tables_priv', \
     'columns_priv', 'procs_priv', 'proxies_priv', 'roles_mapping', 'role_edges', 'default_roles')";

/// The columns of each table, in lower case.
#[derive(Debug, Default)]
pub(super) struct Columns(BTreeMap<String, Table>);

/// The columns of one table, in lower case.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeSet<String>);

static NONE: Table = Table(BTreeSet::new());

impl Columns {
    pub(super) fn read(result: &ResultSet) -> Self {
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for row in result.rows() {
            if let (Some(table), Some(column)) = (row.text(0), row.text(1)) {
                let table = tables.entry(table.to_ascii_lowercase()).or_default();
                table.0.insert(column.to_ascii_lowercase());
            }
        }
        Self(tables)
    }

    pub(super) fn of(&self, table: &str) -> &Table {
        self.0.get(table).unwrap_or(&NONE)
    }
}

impl Table {
    pub(super) fn has(&self, column: &str) -> bool {
        self.0.contains(&column.to_ascii_lowercase())
    }

    /// Those of `wanted` that exist, for a list of columns.
    pub(super) fn those_of<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        wanted
            .into_iter()
            .filter(|column| self.has(column))
            .collect()
    }
}
