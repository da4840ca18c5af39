//! The temporary tables of a session.
//!
//! They live on the connection that made them, so whatever reads one has to go there. The list is
//! as good as what the texts show: a table made inside a procedure is not in it.

use crate::effect::SessionEffect;
use crate::mask::TypeMask;
use crate::statement::{Statement, TableName, TableUse};

/// More tables than this are not kept by name: every table then counts as temporary.
const MAX_TABLES: usize = 1000;

/// The temporary tables that a session is known to have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TempTables {
    tables: Vec<TableName>,
    overflow: bool,
}

impl TempTables {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && !self.overflow
    }

    /// The tables that are known by name.
    #[must_use]
    pub fn tables(&self) -> &[TableName] {
        &self.tables
    }

    /// Whether there were more than are kept by name.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflow
    }

    /// What [`TempTables::tables`] and [`TempTables::overflowed`] gave.
    #[must_use]
    pub fn restore(tables: Vec<TableName>, overflow: bool) -> TempTables {
        TempTables { tables, overflow }
    }

    /// Follows a statement that has succeeded, in a session whose default is `database`.
    pub fn follow(&mut self, statement: &Statement, database: Option<&[u8]>) {
        match &statement.effect {
            Some(SessionEffect::CreateTemporary(table)) => self.add(qualified(table, database)),
            Some(SessionEffect::DropTables(tables)) => {
                for table in tables {
                    self.tables.retain(|known| !known.same(table, database));
                }
            }
            Some(SessionEffect::RenameTables(pairs)) => {
                for (old, new) in pairs {
                    self.rename(old, new, database);
                }
            }
            _ => {}
        }
        for part in &statement.parts {
            self.follow(part, database);
        }
    }

    /// The statement's mask, with [`TypeMask::READ_TMP_TABLE`] if it reads one of the tables.
    #[must_use]
    pub fn mask_of(&self, statement: &Statement, database: Option<&[u8]>) -> TypeMask {
        if self.is_empty() || !self.are_read_by(statement, database) {
            return statement.mask;
        }
        statement.mask | TypeMask::READ_TMP_TABLE
    }

    fn are_read_by(&self, statement: &Statement, database: Option<&[u8]>) -> bool {
        let own = match &statement.tables {
            TableUse::Many => true,
            TableUse::Named(tables) if self.overflow => !tables.is_empty(),
            TableUse::Named(tables) => tables
                .iter()
                .any(|table| self.tables.iter().any(|known| known.same(table, database))),
        };
        let inner = match &statement.effect {
            Some(
                SessionEffect::Prepare {
                    inner: Some(inner), ..
                }
                | SessionEffect::ExecuteImmediate { inner: Some(inner) },
            ) => self.are_read_by(inner, database),
            _ => false,
        };
        own || inner
    }

    fn add(&mut self, table: TableName) {
        if self.tables.iter().any(|known| known.same(&table, None)) {
            return;
        }
        if self.tables.len() < MAX_TABLES {
            self.tables.push(table);
        } else {
            self.overflow = true;
        }
    }

    fn rename(&mut self, old: &TableName, new: &TableName, database: Option<&[u8]>) {
        let before = self.tables.len();
        self.tables.retain(|known| !known.same(old, database));
        if self.tables.len() < before {
            self.add(qualified(new, database));
        }
    }
}

/// The name with the schema it is looked up in.
fn qualified(table: &TableName, database: Option<&[u8]>) -> TableName {
    TableName {
        schema: table.schema.clone().or_else(|| database.map(Into::into)),
        name: table.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Modes, classify};

    fn tables(texts: &[&str]) -> TempTables {
        let mut tables = TempTables::default();
        for text in texts {
            tables.follow(&classify(text.as_bytes(), Modes::default()), Some(b"test"));
        }
        tables
    }

    #[track_caller]
    fn check(tables: &TempTables, text: &str, database: &str, reads: bool) {
        let statement = classify(text.as_bytes(), Modes::default());
        let mask = tables.mask_of(&statement, Some(database.as_bytes()));
        assert_eq!(mask.contains(TypeMask::READ_TMP_TABLE), reads, "{text}");
    }

    #[test]
    fn a_table_is_known_from_its_making_to_its_end() {
        let made = "CREATE TEMPORARY TABLE tt (a INT)";
        check(&tables(&[made]), "SELECT * FROM TT", "test", true);
        check(&tables(&[made]), "SELECT * FROM tt", "other", false);
        check(&tables(&[made]), "SELECT * FROM test.tt", "other", true);
        check(
            &tables(&[made]),
            "PREPARE s FROM 'SELECT * FROM tt'",
            "test",
            true,
        );
        check(
            &tables(&[made, "DROP TABLE x, tt"]),
            "SELECT * FROM tt",
            "test",
            false,
        );
        let renamed = tables(&[made, "ALTER TABLE tt RENAME u", "RENAME TABLE u TO v"]);
        check(&renamed, "SELECT * FROM tt, u", "test", false);
        check(&renamed, "SELECT * FROM v", "test", true);
        let hidden = tables(&["SELECT 1; CREATE TEMPORARY TABLE tt (a INT)"]);
        check(&hidden, "SELECT * FROM tt", "test", true);
        assert!(tables(&["RENAME TABLE a TO b"]).is_empty());
    }

    #[test]
    fn beyond_the_limit_every_table_counts() {
        let mut many = TempTables::default();
        for index in 0..=MAX_TABLES {
            let text = format!("CREATE TEMPORARY TABLE t{index} (a INT)");
            many.follow(&classify(text.as_bytes(), Modes::default()), None);
        }
        assert!(many.overflowed() && many.tables().len() == MAX_TABLES);
        check(&many, "SELECT * FROM other", "test", true);
        check(&many, "SELECT 1", "test", false);
        let restored = TempTables::restore(many.tables().to_vec(), many.overflowed());
        assert_eq!(restored, many);
    }
}
