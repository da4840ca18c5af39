//! What a session has made of its connections that no other could be given: locks, temporary
//! tables, user variables that one server alone knows, and what ran without anybody here having
//! read it.
//!
//! Every router that has sessions reconnected, moved or shared follows this. What an `EXECUTE`
//! executes counts as if it had been said itself.

mod commands;
mod held;
mod named;
#[cfg(test)]
mod tests;
mod variables;

use tidegate_session::TargetId;
use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::request::Request;
use tidegate_session::router::{Course, Tie};
use tidegate_sql::{Operation, SessionEffect, Statement, TableName, TempTables};

pub(crate) use commands::{
    ON_ONE, is_for_all, is_told_again, needs_temporary, prepares_temporary, reads_temporary,
    sets_state,
};
pub(crate) use held::{Held, Kept, Strict};
pub(crate) use named::Named;
pub(crate) use variables::{Place, Variables};

/// What is tied to a session's connections.
#[derive(Debug, Default)]
pub(crate) struct Tied {
    /// What the connection that runs writes holds, and the pins of strict modes.
    pub(crate) held: Held,
    pub(crate) variables: Variables,
    pub(crate) named: Named,
    pub(crate) temporary: TempTables,
    /// What creating or dropping temporary tables will have changed once it has succeeded.
    temporary_after: Option<TempTables>,
    /// A block of statements ran, or an `EXECUTE` of a text that is not known here or of a procedure.
    unread: bool,
}

impl Tied {
    /// The command is on its way.
    pub(crate) fn follow(
        &mut self,
        request: &Request<'_>,
        course: Course,
        database: Option<&[u8]>,
        strict: Strict,
    ) {
        let Some(statement) = request.statement else {
            return;
        };
        // Neither preparing a statement nor fetching from it, resetting or closing it runs it.
        if !request.executes() || statement.inert {
            return;
        }
        self.run(statement, course, database, strict);
        self.named.follow(statement);
    }

    fn run(
        &mut self,
        statement: &Statement,
        course: Course,
        database: Option<&[u8]>,
        strict: Strict,
    ) {
        let alone = matches!(course, Course::One(_));
        let Tied {
            held,
            variables,
            named,
            temporary,
            temporary_after,
            unread,
        } = self;
        let mut each = |one: &Statement| {
            held.follow(one, alone, strict);
            variables.follow(one, course);
            if changes_temporary(one) {
                // Another may be on its way whose outcome is not known yet.
                temporary_after
                    .get_or_insert_with(|| temporary.clone())
                    .follow(one, database);
            }
        };
        each(statement);
        *unread |= parts(statement).any(is_block);
        for executing in executes(statement) {
            match named.executed(executing) {
                Some(inner) => {
                    each(inner);
                    *unread |= inner.operation == Operation::Call;
                }
                None => *unread = true,
            }
        }
    }

    /// A command has been answered.
    pub(crate) fn settle(&mut self, failed: bool) {
        if let Some(after) = self.temporary_after.take()
            && !failed
        {
            self.temporary = after;
        }
    }

    /// A connection is gone whose place another may take.
    pub(crate) fn lose(&mut self, target: TargetId) {
        self.temporary = TempTables::default();
        self.temporary_after = None;
        self.unread = false;
        self.variables.lose(target);
    }

    /// The open transaction is gone with its connection and will be repeated: it began without any
    /// of this, and makes it again.
    pub(crate) fn forget(&mut self) {
        self.held.lose();
        self.variables = Variables::default();
        self.temporary = TempTables::default();
        self.temporary_after = None;
        self.unread = false;
    }

    /// Is nothing tied that another connection could not be given?
    pub(crate) fn is_bare(&self) -> bool {
        !self.held.is_irreplaceable() && !self.variables.are_tied() && self.temporary.is_empty()
    }

    /// May a temporary table be on its way?
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        self.temporary_after.is_none()
    }

    /// What keeps the session on its connections, the transaction aside.
    pub(crate) fn tie(&self) -> Option<Tie> {
        let state = if self.held.is_irreplaceable() {
            "it holds a lock, or other state that only its connection to the primary has"
        } else if !self.temporary.is_empty() || self.temporary_after.is_some() {
            "it has temporary tables"
        } else if self.variables.are_tied() {
            "it has user variables that only one server knows"
        } else if self.held.is_strict() {
            "strict_multi_stmt or strict_sp_calls keeps it on its connection to the primary"
        } else if self.unread {
            "it executed a text that nobody here has read, which may have changed its state"
        } else {
            return None;
        };
        Some(Tie::State(state))
    }

    /// Writes all but the statements by name: what they execute is not known after a thaw.
    pub(crate) fn freeze(&self, into: &mut Encoder) {
        self.held.freeze(into);
        self.variables.freeze(into);
        into.list(self.temporary.tables().iter(), |into, table| {
            into.option(table.schema.as_deref(), Encoder::bytes);
            into.bytes(&table.name);
        });
        into.flag(self.temporary.overflowed());
        into.flag(self.unread);
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<Tied, FreezeError> {
        let held = Held::thaw(from)?;
        let variables = Variables::thaw(from)?;
        let tables = from.list(|from| {
            let schema = from.option(Decoder::bytes)?.map(Into::into);
            Ok(TableName {
                schema,
                name: from.bytes()?.into(),
            })
        })?;
        Ok(Tied {
            held,
            variables,
            temporary: TempTables::restore(tables, from.flag()?),
            unread: from.flag()?,
            ..Tied::default()
        })
    }
}

/// The statements of a text.
fn parts(statement: &Statement) -> impl Iterator<Item = &Statement> {
    match &*statement.parts {
        [] => std::slice::from_ref(statement).iter(),
        parts => parts.iter(),
    }
}

/// Those that execute a statement that was prepared by text.
fn executes(statement: &Statement) -> impl Iterator<Item = &Statement> {
    parts(statement).filter(|one| one.operation == Operation::Execute)
}

/// Is it a block of statements, which are not looked into?
fn is_block(statement: &Statement) -> bool {
    statement.trx.is_opaque() && statement.operation == Operation::Undefined
}

/// Does it create, drop or rename a table that may be temporary?
fn changes_temporary(statement: &Statement) -> bool {
    let own = matches!(
        statement.effect,
        Some(
            SessionEffect::CreateTemporary(_)
                | SessionEffect::DropTables(_)
                | SessionEffect::RenameTables(_)
        )
    );
    own || statement.parts.iter().any(changes_temporary)
}
