//! What a statement is predicted to change: the transaction, the state of the connection.
//!
//! These are predictions from text. The truth is what the server's status word and its session
//! tracking say afterwards; whoever holds a session corrects by them.

use crate::statement::{Statement, TableName};

/// An access mode, as far as a statement names one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Access {
    /// Neither READ ONLY nor READ WRITE was written.
    #[default]
    Unspecified,
    /// READ ONLY.
    ReadOnly,
    /// READ WRITE.
    ReadWrite,
}

/// A transaction isolation level, as far as routing cares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Isolation {
    /// SERIALIZABLE: plain reads lock.
    Serializable,
    /// Any other level.
    Other,
}

/// What a statement is predicted to do to the session's transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum TrxEffect {
    /// Nothing.
    #[default]
    None,
    /// BEGIN, START TRANSACTION: commits what is open and opens a new one.
    Begin {
        /// The access mode, when one was written.
        access: Access,
    },
    /// COMMIT.
    Commit {
        /// AND CHAIN: the next transaction begins at once, with the same modes.
        chain: bool,
        /// RELEASE: the server closes the connection afterwards.
        release: bool,
    },
    /// ROLLBACK, not to a savepoint.
    Rollback {
        /// AND CHAIN.
        chain: bool,
        /// RELEASE.
        release: bool,
    },
    /// `SET autocommit = 1`: commits what is open.
    AutocommitOn,
    /// `SET autocommit = 0`: every statement from now on is in a transaction.
    AutocommitOff,
    /// DDL, account statements, LOCK TABLES and their like: end the open transaction.
    ImplicitCommit,
    /// SET TRANSACTION, or the variables that mean the same.
    SetTransaction {
        /// The next transaction alone, or all later ones of the session.
        next_only: bool,
        /// The access mode, when one was written.
        access: Access,
        /// The isolation level, when one was written.
        isolation: Option<Isolation>,
    },
    /// XA START or XA BEGIN: like a read-write transaction.
    XaStart,
    /// XA END: the branch is idle, and undecided.
    XaEnd,
    /// XA PREPARE, XA COMMIT, XA ROLLBACK: the branch is out of this connection's hands.
    XaFinish,
    /// The text hides what happens: CALL, EXECUTE, a compound statement, several statements. Only
    /// the status word tells.
    Opaque,
}

impl TrxEffect {
    /// Whether only the server's status word can tell what the statement did.
    #[must_use]
    pub fn is_opaque(self) -> bool {
        matches!(self, TrxEffect::Opaque)
    }
}

/// What a statement is predicted to change in the state of its connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEffect {
    /// `USE database`.
    Use(Box<[u8]>),
    /// SET: every assignment in order.
    Set(Box<[Setting]>),
    /// `PREPARE name FROM ...`.
    Prepare {
        /// The statement's name, as written.
        name: Box<[u8]>,
        /// The prepared text, classified, when it is a literal.
        inner: Option<Box<Statement>>,
    },
    /// `EXECUTE name`.
    Execute {
        /// The statement's name, as written.
        name: Box<[u8]>,
        /// Whether arguments follow (`USING`).
        using: bool,
    },
    /// `EXECUTE IMMEDIATE`.
    ExecuteImmediate {
        /// The executed text, classified, when it is a literal.
        inner: Option<Box<Statement>>,
    },
    /// `DEALLOCATE PREPARE name` or `DROP PREPARE name`.
    Deallocate(Box<[u8]>),
    /// `CREATE TEMPORARY TABLE`.
    CreateTemporary(TableName),
    /// `DROP [TEMPORARY] TABLE`.
    DropTables(Box<[TableName]>),
    /// `RENAME TABLE`, `ALTER TABLE ... RENAME`: old and new names in order.
    RenameTables(Box<[(TableName, TableName)]>),
    /// `KILL`.
    Kill(Kill),
    /// The connection now holds something that cannot be rebuilt elsewhere.
    Hold(Hold),
    /// What was held is given back.
    Release(Hold),
    /// CREATE USER, GRANT, SET PASSWORD and their like: accounts, roles or privileges.
    Accounts,
}

/// State of a connection that dies with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hold {
    /// LOCK TABLES, FLUSH TABLES WITH READ LOCK; given back by UNLOCK TABLES.
    Tables,
    /// BACKUP STAGE, BACKUP LOCK, LOCK INSTANCE FOR BACKUP.
    Backup,
    /// `HANDLER name OPEN`, and `CLOSE`. The name is the one the handler goes by.
    Handler(Box<[u8]>),
}

/// One assignment of a SET statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Where the variable lives.
    pub scope: Scope,
    /// The variable's name: a system variable in lower case; a user variable as written, without
    /// quotes. `names`, `character set`, `role` and `session authorization` stand for the
    /// statements of these names.
    pub name: Box<[u8]>,
    /// What it is set to.
    pub value: Value,
}

/// Where a variable lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// A user variable: `@x`.
    User,
    /// A system variable with SESSION or LOCAL.
    Session,
    /// A system variable without a scope word: the session's, with exceptions for transactions.
    Unscoped,
    /// A system variable with GLOBAL, PERSIST or PERSIST_ONLY.
    Global,
}

impl Scope {
    /// Whether it is a system variable of this session.
    #[must_use]
    pub fn is_session(self) -> bool {
        matches!(self, Scope::Session | Scope::Unscoped)
    }
}

/// The right-hand side of an assignment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A single literal or word, unquoted and unescaped.
    Literal(Box<[u8]>),
    /// The keyword DEFAULT.
    Default,
    /// An expression: its value is the server's affair.
    Computed,
}

impl Value {
    /// The literal as a switch: 0, 1, ON, OFF, TRUE, FALSE.
    #[must_use]
    pub fn as_switch(&self) -> Option<bool> {
        let Value::Literal(text) = self else {
            return None;
        };
        let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
        if is("1") || is("ON") || is("TRUE") {
            Some(true)
        } else if is("0") || is("OFF") || is("FALSE") {
            Some(false)
        } else {
            None
        }
    }
}

/// What a new value of `sql_mode` means for reading later texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SqlMode {
    /// The value is spelled out.
    Known {
        /// ANSI_QUOTES, or a mode that includes it.
        ansi_quotes: bool,
        /// NO_BACKSLASH_ESCAPES.
        no_backslash_escapes: bool,
        /// ORACLE.
        oracle: bool,
    },
    /// The server's own default.
    Default,
    /// An expression or a number.
    Unknown,
}

impl SqlMode {
    /// Reads the value of an assignment to `sql_mode`.
    #[must_use]
    pub fn of(value: &Value) -> SqlMode {
        let text = match value {
            Value::Default => return SqlMode::Default,
            Value::Computed => return SqlMode::Unknown,
            Value::Literal(text) => text,
        };
        let (mut ansi, mut plain, mut oracle) = (false, false, false);
        for word in text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if word.first().is_some_and(u8::is_ascii_digit) {
                return SqlMode::Unknown;
            }
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            oracle |= is("ORACLE");
            plain |= is("NO_BACKSLASH_ESCAPES");
            // The composite modes include ANSI_QUOTES.
            ansi |= [
                "ANSI_QUOTES",
                "ANSI",
                "ORACLE",
                "DB2",
                "MAXDB",
                "MSSQL",
                "POSTGRESQL",
            ]
            .into_iter()
            .any(is);
        }
        SqlMode::Known {
            ansi_quotes: ansi,
            no_backslash_escapes: plain,
            oracle,
        }
    }
}

/// A KILL statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kill {
    /// HARD or SOFT, when written.
    pub force: Option<KillForce>,
    /// QUERY: the connection stays.
    pub query_only: bool,
    /// Who is meant.
    pub victim: Victim,
}

/// How hard to kill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KillForce {
    /// HARD: whatever the risk for tables without transactions.
    Hard,
    /// SOFT: what cannot be interrupted safely runs on.
    Soft,
}

/// Whom a KILL means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Victim {
    /// A session by its id.
    Id(u64),
    /// `CONNECTION_ID()`: the session itself.
    Own,
    /// USER: all sessions of a user, with the host when one was written.
    User {
        /// User name, unquoted.
        name: Box<[u8]>,
        /// Host, unquoted.
        host: Option<Box<[u8]>>,
    },
    /// USER CURRENT_USER: all sessions of the one who asks.
    CurrentUser,
    /// ID: a query id, which a proxy cannot translate.
    QueryId,
    /// A number amid a compound statement, which a server would take for one of its own.
    Amid,
    /// An expression that is no literal.
    Computed,
}
