//! What statements return and change: one table, which servers follow with their state and the shadow
//! model with the state it expects.

use crate::sql::{Stmt, Table, Text};
use crate::state::{Named, SessionState};

/// One result of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Ok,
    Rows(Table),
    Fail(u16),
    /// A request for a file, then OK.
    File,
    ConnectionId,
}

impl Part {
    /// Does nothing come after it?
    pub(crate) fn is_failure(self) -> bool {
        match self {
            Part::Fail(_) => true,
            Part::Rows(table) => table.fails,
            Part::Ok | Part::File | Part::ConnectionId => false,
        }
    }
}

/// The error after the rows of a read that fails.
pub(crate) const FAILED_READ: u16 = 1105;
/// What a server says to a write in a read-only transaction.
pub(crate) const READ_ONLY: u16 = 1792;

/// The transaction a statement runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trx {
    None,
    ReadWrite,
    ReadOnly,
}

impl Stmt {
    /// What it returns to a session in that state.
    pub(crate) fn parts(&self, state: &SessionState, trx: Trx) -> Vec<Part> {
        if self.writes() && trx == Trx::ReadOnly {
            return vec![Part::Fail(READ_ONLY)];
        }
        let outcome = |result: Result<(), u16>| match result {
            Ok(()) => vec![Part::Ok],
            Err(code) => vec![Part::Fail(code)],
        };
        match self {
            Stmt::Read(table) | Stmt::LockingRead(table) => vec![Part::Rows(*table)],
            Stmt::ConnectionId => vec![Part::ConnectionId],
            Stmt::Write { fails: true, .. } => vec![Part::Fail(1062)],
            Stmt::Nonsense => vec![Part::Fail(1064)],
            Stmt::Call(results) => {
                let mut parts = vec![Part::Rows(Table::small(2)); *results as usize];
                parts.push(Part::Ok);
                parts
            }
            Stmt::Load => vec![Part::File],
            Stmt::Set(list) => outcome(state.clone().assign(list)),
            Stmt::Use(name) => outcome(state.clone().use_database(name)),
            Stmt::Prepare { text, .. }
                if crate::sql::parse(text.as_bytes()).stmts == [Stmt::Nonsense] =>
            {
                vec![Part::Fail(1064)]
            }
            Stmt::Execute(name) => match state.named.get(name) {
                Some(named) => crate::sql::parse(named.text.as_bytes()).parts(state, trx),
                None => vec![Part::Fail(1243)],
            },
            Stmt::Deallocate(name) if !state.named.contains_key(name) => vec![Part::Fail(1243)],
            Stmt::Write { .. }
            | Stmt::Ddl
            | Stmt::Begin { .. }
            | Stmt::Commit
            | Stmt::Rollback
            | Stmt::Prepare { .. }
            | Stmt::Deallocate(_)
            | Stmt::ProxySetup => vec![Part::Ok],
        }
    }

    /// Does it change rows or tables?
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            Stmt::Write { .. } | Stmt::Ddl | Stmt::Call(_) | Stmt::Load
        )
    }

    /// Must it run on the primary?
    pub(crate) fn needs_primary(&self) -> bool {
        self.writes()
            || matches!(
                self,
                Stmt::Nonsense | Stmt::LockingRead(_) | Stmt::Begin { read_only: false }
            )
    }

    /// Does it commit what is open?
    pub(crate) fn commits(&self, state: &SessionState) -> bool {
        match self {
            Stmt::Commit | Stmt::Begin { .. } | Stmt::Ddl => true,
            Stmt::Set(list) => {
                !state.autocommit()
                    && list.iter().any(|assign| {
                        assign.name == "autocommit"
                            && assign.value == crate::state::Value::Number(1)
                    })
            }
            _ => false,
        }
    }

    /// Can it begin or end a transaction, or call what does?
    pub(crate) fn turns(&self) -> bool {
        match self {
            Stmt::Begin { .. } | Stmt::Commit | Stmt::Rollback | Stmt::Ddl | Stmt::Call(_) => true,
            Stmt::Set(list) => list.iter().any(|assign| assign.name == "autocommit"),
            _ => false,
        }
    }

    /// Changes the session's state as far as it can.
    pub(crate) fn affect(&self, state: &mut SessionState) {
        match self {
            // A list that fails has taken effect up to the failure.
            Stmt::Set(list) => drop(state.assign(list)),
            Stmt::Use(name) => drop(state.use_database(name)),
            Stmt::Prepare { name, text } => {
                state.named.remove(name);
                if crate::sql::parse(text.as_bytes()).stmts != [Stmt::Nonsense] {
                    let named = Named {
                        text: text.clone(),
                        database: state.database.clone(),
                    };
                    state.named.insert(name.clone(), named);
                }
            }
            Stmt::Deallocate(name) => drop(state.named.remove(name)),
            _ => {}
        }
    }

    /// Does it change the session's state or its transaction?
    pub(crate) fn has_effect(&self) -> bool {
        matches!(
            self,
            Stmt::Set(_)
                | Stmt::Use(_)
                | Stmt::Prepare { .. }
                | Stmt::Deallocate(_)
                | Stmt::Begin { .. }
                | Stmt::Commit
                | Stmt::Rollback
                | Stmt::Ddl
                | Stmt::ProxySetup
        )
    }
}

impl Text {
    /// What the whole text returns, up to the first failure.
    pub(crate) fn parts(&self, state: &SessionState, trx: Trx) -> Vec<Part> {
        let mut all = Vec::new();
        for stmt in &self.stmts {
            all.extend(stmt.parts(state, trx));
            if all.last().is_some_and(|part| part.is_failure()) {
                break;
            }
        }
        all
    }

    /// The text that an EXECUTE of a text-protocol statement runs.
    pub(crate) fn named_in(&self, state: &SessionState) -> Option<Text> {
        let [Stmt::Execute(name)] = self.stmts.as_slice() else {
            return None;
        };
        state
            .named
            .get(name)
            .map(|named| crate::sql::parse(named.text.as_bytes()))
    }

    pub(crate) fn writes(&self) -> bool {
        self.stmts.iter().any(Stmt::writes)
    }

    /// Several statements in one text go to the primary, whatever they are.
    pub(crate) fn needs_primary(&self) -> bool {
        self.stmts.len() > 1 || self.stmts.iter().any(Stmt::needs_primary)
    }

    pub(crate) fn has_effect(&self) -> bool {
        self.stmts.iter().any(Stmt::has_effect)
    }

    /// What a read of one result returns.
    pub(crate) fn table(&self) -> Option<Table> {
        match self.stmts.as_slice() {
            [Stmt::Read(table) | Stmt::LockingRead(table)] => Some(*table),
            _ => None,
        }
    }
}
