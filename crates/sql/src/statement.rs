//! The outcome of classifying one text.

use crate::effect::{SessionEffect, TrxEffect};
use crate::mask::TypeMask;

/// A classified text: everything that routing, tracking and the REST interface want to know of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statement {
    /// The type flags; the union over all parts of a multi-statement text.
    pub mask: TypeMask,
    /// The operation; of the first part when there are several.
    pub operation: Operation,
    /// How far the text was understood.
    pub parsed: Parsed,
    /// The text holds two or more statements.
    pub multi: bool,
    /// It asks about the statement before it: FOUND_ROWS(), SHOW WARNINGS and their like.
    pub previous: bool,
    /// It asks for LAST_INSERT_ID(), which only the connection knows that generated it.
    pub insert_id: bool,
    /// It takes a user-level lock (GET_LOCK): the connection cannot be rebuilt elsewhere.
    pub takes_user_lock: bool,
    /// It gives all user-level locks back (RELEASE_ALL_LOCKS).
    pub releases_user_locks: bool,
    /// The values it assigns to user variables are the same on every server: no table, no system
    /// variable, no function that depends on server, time or chance.
    pub repeatable: bool,
    /// The outcome depends on the canonical text and the modes alone.
    pub cacheable: bool,
    /// It leaves nothing behind in its session and asks for nothing there: no effect, no transaction,
    /// no lock, no user variable, no question about the statement before. `false`: it may.
    pub inert: bool,
    /// What it is predicted to do to the transaction; [`TrxEffect::Opaque`] for several parts.
    pub trx: TrxEffect,
    /// What it is predicted to change in the connection; of several parts see `parts`.
    pub effect: Option<SessionEffect>,
    /// The text is exactly `SELECT CONNECTION_ID()` or `SELECT @@pseudo_thread_id`: the name of
    /// the column that the answer has.
    pub session_id_column: Option<Box<[u8]>>,
    /// The tables it reads.
    pub tables: TableUse,
    /// The user variables it names.
    pub variables: Box<[VariableUse]>,
    /// The parts of a multi-statement text, in order; empty for a single statement.
    pub parts: Box<[Statement]>,
}

impl Statement {
    /// Does it, or a part of it, change accounts, roles or privileges?
    #[must_use]
    pub fn changes_accounts(&self) -> bool {
        matches!(self.effect, Some(crate::effect::SessionEffect::Accounts))
            || self.parts.iter().any(Statement::changes_accounts)
    }

    /// What [`Statement::inert`] says, told from the rest.
    #[must_use]
    pub(crate) fn is_inert(&self) -> bool {
        let asks = self.previous || self.session_id_column.is_some() || !self.variables.is_empty();
        let locks = self.takes_user_lock || self.releases_user_locks;
        let acts = self.effect.is_some() || self.trx != TrxEffect::None;
        // What a procedure does is not known.
        let hides = self.operation == Operation::Call || self.multi || !self.parts.is_empty();
        !(asks || locks || acts || hides)
    }

    /// The mask of an EXECUTE, given what its name was prepared as; unknown text is a write.
    #[must_use]
    pub fn executed_mask(&self, inner: Option<&Statement>) -> TypeMask {
        self.mask | inner.map_or(TypeMask::WRITE, |inner| inner.mask)
    }
}

/// How far a text was understood.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Parsed {
    /// The statement and everything that matters in it is known.
    #[default]
    Full,
    /// The statement is known, a part of it is not; the mask errs on the side of the primary.
    Partial,
    /// No known statement.
    Invalid,
}

impl Parsed {
    /// The REST name, without the prefix `Parser::Result::`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Parsed::Full => "PARSED",
            Parsed::Partial => "PARTIALLY_PARSED",
            Parsed::Invalid => "INVALID",
        }
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What a statement does, coarsely.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            /// The REST name, without the prefix `sql::`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Operation::$name => $text,)* }
            }
        }
    };
}

operations! {
    /// None of the others.
    #[default]
    Undefined = "OP_UNDEFINED";
    /// ALTER of anything but a table.
    Alter = "OP_ALTER";
    /// ALTER TABLE.
    AlterTable = "OP_ALTER_TABLE";
    /// CALL.
    Call = "OP_CALL";
    /// USE.
    ChangeDb = "OP_CHANGE_DB";
    /// CREATE of anything not named below.
    Create = "OP_CREATE";
    /// CREATE TABLE.
    CreateTable = "OP_CREATE_TABLE";
    /// CREATE ROLE.
    CreateRole = "OP_CREATE_ROLE";
    /// CREATE USER.
    CreateUser = "OP_CREATE_USER";
    /// DELETE.
    Delete = "OP_DELETE";
    /// DROP of anything but a table.
    Drop = "OP_DROP";
    /// DROP TABLE.
    DropTable = "OP_DROP_TABLE";
    /// EXECUTE, EXECUTE IMMEDIATE.
    Execute = "OP_EXECUTE";
    /// EXPLAIN, DESCRIBE.
    Explain = "OP_EXPLAIN";
    /// GRANT.
    Grant = "OP_GRANT";
    /// INSERT, REPLACE.
    Insert = "OP_INSERT";
    /// KILL.
    Kill = "OP_KILL";
    /// LOAD DATA, LOAD XML from a file of the server.
    Load = "OP_LOAD";
    /// LOAD DATA LOCAL: the server will ask the client for the file.
    LoadLocal = "OP_LOAD_LOCAL";
    /// REVOKE.
    Revoke = "OP_REVOKE";
    /// SELECT, VALUES, TABLE.
    Select = "OP_SELECT";
    /// SET.
    Set = "OP_SET";
    /// SET TRANSACTION.
    SetTransaction = "OP_SET_TRANSACTION";
    /// SHOW of anything but databases.
    Show = "OP_SHOW";
    /// SHOW DATABASES.
    ShowDatabases = "OP_SHOW_DATABASES";
    /// TRUNCATE.
    Truncate = "OP_TRUNCATE";
    /// UPDATE.
    Update = "OP_UPDATE";
}

/// A table's name as written, without quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableName {
    /// The schema, when the name is qualified.
    pub schema: Option<Box<[u8]>>,
    /// The table.
    pub name: Box<[u8]>,
}

impl TableName {
    /// Whether both names mean one table for a session in `database`. Letter case is ignored, as
    /// for temporary tables.
    #[must_use]
    pub fn same(&self, other: &TableName, database: Option<&[u8]>) -> bool {
        let schema = |table: &TableName| {
            let own = table.schema.as_deref().or(database).unwrap_or_default();
            own.to_ascii_lowercase()
        };
        self.name.eq_ignore_ascii_case(&other.name) && schema(self) == schema(other)
    }
}

/// The tables a statement reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TableUse {
    /// All of them.
    Named(Box<[TableName]>),
    /// Too many to remember: assume any.
    Many,
}

impl Default for TableUse {
    fn default() -> Self {
        TableUse::Named(Box::default())
    }
}

/// A user variable that a statement names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VariableUse {
    /// The name without `@` and quotes, in lower case.
    pub name: Box<[u8]>,
    /// Its value is read.
    pub read: bool,
    /// It is assigned.
    pub written: bool,
}
