//! From a statement's class to the kind of target it needs: the first rule that matches wins.

use tidegate_session::request::Request;
use tidegate_sql::hints::Hint;
use tidegate_sql::{Statement, TempTables, TrxTracker, TypeMask};
use tidegate_wire::Command;

/// The kind of target a statement needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Executed by the proxy: KILL.
    Kill,
    /// Answered by the proxy: the session's number.
    SessionId,
    /// Where the hint says, if that is possible.
    Hinted,
    /// The primary.
    Primary,
    /// A read.
    Replica,
    /// Every connection.
    All,
    /// The server of the statement before.
    Last,
    /// The server of the open transaction.
    Transaction,
}

/// What of the session's state the rules look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) temporary: &'a TempTables,
    pub(crate) database: Option<&'a [u8]>,
    /// Something keeps the session on the primary.
    pub(crate) pinned: bool,
    /// User variables that not every server has alike were assigned.
    pub(crate) own_variables: bool,
}

const SESSION_COMMAND: TypeMask = TypeMask::SESSION_WRITE
    .union(TypeMask::GSYSVAR_WRITE)
    .union(TypeMask::PREPARE_STMT)
    .union(TypeMask::PREPARE_NAMED_STMT)
    .union(TypeMask::DEALLOC_PREPARE)
    .union(TypeMask::ENABLE_AUTOCOMMIT)
    .union(TypeMask::DISABLE_AUTOCOMMIT);

const ON_PRIMARY: TypeMask = TypeMask::WRITE
    .union(TypeMask::MASTER_READ)
    .union(TypeMask::CREATE_TMP_TABLE)
    .union(TypeMask::READ_TMP_TABLE)
    .union(TypeMask::COMMIT)
    .union(TypeMask::ROLLBACK)
    .union(TypeMask::UNKNOWN);

const PLAIN_READ: TypeMask = TypeMask::READ
    .union(TypeMask::SYSVAR_READ)
    .union(TypeMask::GSYSVAR_READ)
    .union(TypeMask::SHOW_DATABASES)
    .union(TypeMask::SHOW_TABLES);

/// The class of a command.
pub(crate) fn class(request: &Request<'_>, state: State<'_>) -> Class {
    let in_transaction = request.trx.is_open();
    match request.command {
        Command::Query
        | Command::StmtExecute
        | Command::StmtBulkExecute
        | Command::StmtSendLongData => match request.statement {
            Some(statement) => of_statement(statement, request, state),
            None => Class::Primary,
        },
        Command::StmtPrepare => of_prepare(request, state),
        Command::InitDb
        | Command::SetOption
        | Command::Refresh
        | Command::Debug
        | Command::StmtReset
        | Command::StmtClose
        | Command::ResetConnection => Class::All,
        Command::StmtFetch => Class::Last,
        Command::Ping | Command::Statistics | Command::FieldList if in_transaction => {
            Class::Transaction
        }
        Command::Ping | Command::Statistics | Command::FieldList if state.pinned => Class::Primary,
        Command::Ping | Command::Statistics | Command::FieldList => Class::Replica,
        _ => Class::Primary,
    }
}

/// A binary prepare goes everywhere, but one that needs a temporary table only to the server that
/// has the table.
fn of_prepare(request: &Request<'_>, state: State<'_>) -> Class {
    match request.statement {
        Some(statement) if reads_temporary(statement, state) => Class::Primary,
        _ => Class::All,
    }
}

fn of_statement(statement: &Statement, request: &Request<'_>, state: State<'_>) -> Class {
    let trx = request.trx;
    let mut mask = statement.mask;
    if reads_temporary(statement, state) {
        mask |= TypeMask::READ_TMP_TABLE;
    }
    let is_session_command = mask.intersects(SESSION_COMMAND) && !mask.contains(TypeMask::WRITE);
    if matches!(statement.effect, Some(tidegate_sql::SessionEffect::Kill(_))) {
        Class::Kill
    } else if statement.session_id_column.is_some() && request.command == Command::Query {
        Class::SessionId
    } else if !trx.is_open() && request.hints.iter().any(is_target) {
        Class::Hinted
    } else if !request.complete || statement.multi || mask.contains(TypeMask::NEXT_TRX) {
        if trx.is_open() {
            Class::Transaction
        } else {
            Class::Primary
        }
    } else if is_session_command {
        if prepares_temporary(statement, state) {
            Class::Primary
        } else {
            Class::All
        }
    } else if trx.is_open() && trx.is_read_only() && begins_writing(statement, trx) {
        Class::Primary
    } else if trx.is_open() {
        Class::Transaction
    } else if statement.previous {
        Class::Last
    } else if state.pinned {
        Class::Primary
    } else if mask.contains(TypeMask::BEGIN_TRX) {
        if begins_writing(statement, trx) {
            Class::Primary
        } else {
            Class::Replica
        }
    } else if mask.intersects(ON_PRIMARY) {
        Class::Primary
    } else if mask.contains(TypeMask::USERVAR_WRITE) {
        if statement.repeatable {
            Class::All
        } else {
            Class::Primary
        }
    } else if mask.contains(TypeMask::USERVAR_READ) && state.own_variables {
        Class::Primary
    } else if mask.intersects(PLAIN_READ) || mask.contains(TypeMask::USERVAR_READ) {
        Class::Replica
    } else {
        Class::Primary
    }
}

/// Does it begin a transaction that may write? One that is open is committed by it.
fn begins_writing(statement: &Statement, trx: &TrxTracker) -> bool {
    let mut after = *trx;
    after.predict(statement);
    statement.mask.contains(TypeMask::BEGIN_TRX) && !after.is_read_only()
}

/// Is it nothing but a read, so that another server may run it again?
pub(crate) fn is_repeatable_read(request: &Request<'_>) -> bool {
    let bare = matches!(
        request.command,
        Command::Ping | Command::Statistics | Command::FieldList
    );
    bare || request.statement.is_some_and(|statement| {
        !statement.multi
            && statement.mask.intersects(PLAIN_READ)
            && !statement.mask.intersects(ON_PRIMARY)
    }) && matches!(request.command, Command::Query | Command::StmtExecute)
}

fn reads_temporary(statement: &Statement, state: State<'_>) -> bool {
    !state.temporary.is_empty()
        && state
            .temporary
            .mask_of(statement, state.database)
            .contains(TypeMask::READ_TMP_TABLE)
}

fn prepares_temporary(statement: &Statement, state: State<'_>) -> bool {
    match &statement.effect {
        Some(tidegate_sql::SessionEffect::Prepare {
            inner: Some(inner), ..
        }) => reads_temporary(inner, state),
        _ => false,
    }
}

/// Does the hint name a target?
pub(crate) fn is_target(hint: &Hint) -> bool {
    matches!(hint, Hint::Route(_))
}
