//! What the expressions of a statement say about it.

use crate::mask::TypeMask;
use crate::statement::{Statement, TableName, TableUse, VariableUse};

/// More tables than this are not told apart: the statement counts as using any.
const MAX_TABLES: usize = 64;

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) mask: TypeMask,
    pub(super) previous: bool,
    pub(super) insert_id: bool,
    pub(super) takes_user_lock: bool,
    pub(super) releases_user_locks: bool,
    /// Something that need not be the same on every server.
    pub(super) varies: bool,
    tables: Vec<TableName>,
    many_tables: bool,
    /// Names of common table expressions: no tables, from now on.
    defined: Vec<Box<[u8]>>,
    variables: Vec<VariableUse>,
}

impl Facts {
    pub(super) fn table(&mut self, table: TableName) {
        self.varies = true;
        crate::steps::tick((self.tables.len() + self.defined.len()) as u64);
        let defined = table.schema.is_none()
            && self
                .defined
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&table.name));
        if defined || self.tables.contains(&table) {
            return;
        }
        if self.tables.len() < MAX_TABLES {
            self.tables.push(table);
        } else {
            self.many_tables = true;
        }
    }

    /// From now on these names stand for common table expressions. Names beyond the limit go on
    /// counting as tables, which is the safe mistake.
    pub(super) fn define(&mut self, mut names: Vec<Box<[u8]>>) {
        names.truncate(MAX_TABLES);
        self.defined = names;
    }

    pub(super) fn variable(&mut self, name: &[u8], written: bool) {
        self.mask |= if written {
            TypeMask::USERVAR_WRITE
        } else {
            TypeMask::USERVAR_READ
        };
        self.variables.push(VariableUse {
            name: name.to_ascii_lowercase().into(),
            read: !written,
            written,
        });
    }

    /// Whatever is read may be written as well.
    pub(super) fn all_variables_written(&mut self) {
        if !self.variables.is_empty() {
            self.mask |= TypeMask::USERVAR_WRITE;
        }
        for variable in &mut self.variables {
            variable.written = true;
        }
    }

    /// Adds what is known about a statement.
    pub(super) fn add(&mut self, statement: &Statement) {
        self.mask |= statement.mask;
        self.varies |= !statement.repeatable;
        match &statement.tables {
            TableUse::Many => self.many_tables = true,
            TableUse::Named(tables) => {
                for table in tables {
                    self.table(table.clone());
                }
            }
        }
        self.variables.extend_from_slice(&statement.variables);
    }

    /// Hands everything over to the statement.
    pub(super) fn finish(mut self, statement: &mut Statement) {
        statement.mask |= self.mask;
        statement.previous |= self.previous;
        statement.insert_id |= self.insert_id;
        statement.takes_user_lock |= self.takes_user_lock;
        statement.releases_user_locks |= self.releases_user_locks;
        statement.repeatable = !self.varies;
        statement.tables = if self.many_tables {
            TableUse::Many
        } else {
            TableUse::Named(self.tables.into())
        };
        self.variables.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.variables.dedup_by(|later, first| {
            let same = later.name == first.name;
            if same {
                first.read |= later.read;
                first.written |= later.written;
            }
            same
        });
        statement.variables = self.variables.into();
    }
}
