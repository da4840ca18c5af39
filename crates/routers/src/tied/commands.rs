//! Which commands set a session's state: what every connection of the session has to know.

use tidegate_session::request::Request;
use tidegate_sql::{SessionEffect, Statement, TempTables, TypeMask};
use tidegate_wire::Command;

use super::Tied;

/// Statements that set the session's state, unless they write.
const SESSION_COMMAND: TypeMask = TypeMask::SESSION_WRITE
    .union(TypeMask::GSYSVAR_WRITE)
    .union(TypeMask::PREPARE_STMT)
    .union(TypeMask::PREPARE_NAMED_STMT)
    .union(TypeMask::DEALLOC_PREPARE)
    .union(TypeMask::ENABLE_AUTOCOMMIT)
    .union(TypeMask::DISABLE_AUTOCOMMIT);

/// What one server alone may run, which is the primary where there are several.
pub(crate) const ON_ONE: TypeMask = TypeMask::WRITE
    .union(TypeMask::MASTER_READ)
    .union(TypeMask::CREATE_TMP_TABLE)
    .union(TypeMask::READ_TMP_TABLE)
    .union(TypeMask::COMMIT)
    .union(TypeMask::ROLLBACK)
    .union(TypeMask::UNKNOWN);

/// Is it a statement whose effect is the session's state and nothing else?
pub(crate) fn sets_state(mask: TypeMask) -> bool {
    mask.intersects(SESSION_COMMAND) && !mask.contains(TypeMask::WRITE)
}

/// Is it a command, of those without a text, that sets the session's state?
pub(crate) fn is_for_all(command: Command) -> bool {
    matches!(
        command,
        Command::InitDb
            | Command::SetOption
            | Command::Refresh
            | Command::Debug
            | Command::StmtReset
            | Command::StmtClose
            | Command::ResetConnection
    )
}

/// In a session with one server: can the command's effect be repeated on another connection?
pub(crate) fn is_told_again(request: &Request<'_>, tied: &Tied, database: Option<&[u8]>) -> bool {
    let resolved = tied.named.resolve(request);
    let request = resolved.as_ref().unwrap_or(request);
    let Some(statement) = request.statement else {
        return is_for_all(request.command) || request.command == Command::StmtPrepare;
    };
    let temporary = &tied.temporary;
    match request.command {
        Command::StmtPrepare => !needs_temporary(statement, temporary, database),
        Command::Query | Command::StmtExecute | Command::StmtBulkExecute => {
            let mask = statement.mask;
            let whole = request.complete && !statement.multi && !mask.contains(TypeMask::NEXT_TRX);
            let sets = sets_state(mask) && !prepares_temporary(statement, temporary, database);
            let assigns = mask.contains(TypeMask::USERVAR_WRITE)
                && !mask.intersects(ON_ONE | TypeMask::BEGIN_TRX)
                && !reads_temporary(statement, temporary, database)
                && !statement.previous
                && !request.trx.is_open();
            whole && (sets || assigns)
        }
        command => is_for_all(command),
    }
}

/// Does it read one of the session's temporary tables?
pub(crate) fn reads_temporary(
    statement: &Statement,
    temporary: &TempTables,
    database: Option<&[u8]>,
) -> bool {
    !temporary.is_empty()
        && temporary
            .mask_of(statement, database)
            .contains(TypeMask::READ_TMP_TABLE)
}

/// Is it a PREPARE of such a statement?
pub(crate) fn prepares_temporary(
    statement: &Statement,
    temporary: &TempTables,
    database: Option<&[u8]>,
) -> bool {
    match &statement.effect {
        Some(SessionEffect::Prepare {
            inner: Some(inner), ..
        }) => needs_temporary(inner, temporary, database),
        _ => false,
    }
}

/// Could it not be prepared where the session's temporary tables are not? Which table a statement
/// writes to is not looked at: it runs where the tables are anyway.
pub(crate) fn needs_temporary(
    statement: &Statement,
    temporary: &TempTables,
    database: Option<&[u8]>,
) -> bool {
    let writes = statement.mask.contains(TypeMask::WRITE);
    reads_temporary(statement, temporary, database) || writes && !temporary.is_empty()
}
