//! From a statement's class to the kind of target it needs: the first rule that matches wins.

use tidegate_session::TargetId;
use tidegate_session::request::Request;
use tidegate_sql::hints::Hint;
use tidegate_sql::{Operation, Parsed, Statement, TempTables, TrxTracker, TypeMask};
use tidegate_wire::Command;

use super::rule::Rule;
use crate::tied::{
    Kept, ON_ONE, Place, Variables, is_for_all, needs_temporary, prepares_temporary,
    reads_temporary, sets_state,
};

/// The kind of target a statement needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
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
    /// The server that alone has the user variables it reads.
    Owner(TargetId),
    /// The value of a user variable that it reads is lost.
    Lost,
}

/// What of the session's state the rules look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) temporary: &'a TempTables,
    pub(crate) database: Option<&'a [u8]>,
    /// Something keeps the session on the primary.
    pub(crate) pinned: Option<Pin>,
    /// User variables that not every server has alike.
    pub(crate) variables: &'a Variables,
    /// What reads or assigns user variables goes to the primary.
    pub(crate) variables_on_primary: bool,
}

const PLAIN_READ: TypeMask = TypeMask::READ
    .union(TypeMask::SYSVAR_READ)
    .union(TypeMask::GSYSVAR_READ)
    .union(TypeMask::SHOW_DATABASES)
    .union(TypeMask::SHOW_TABLES);

const USER_VARIABLES: TypeMask = TypeMask::USERVAR_READ.union(TypeMask::USERVAR_WRITE);

/// What keeps a session on the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    /// A lock that its connection holds.
    Lock,
    /// Session state that only the primary has.
    State,
    /// SERIALIZABLE.
    Isolation,
    /// SET TRANSACTION, until the next transaction.
    NextTransaction,
    /// A strict mode has fired.
    StrictMode,
}

impl From<Kept> for Pin {
    fn from(kept: Kept) -> Pin {
        match kept {
            Kept::Lock => Pin::Lock,
            Kept::State => Pin::State,
            Kept::StrictMode => Pin::StrictMode,
        }
    }
}

impl Pin {
    fn rule(self) -> Rule {
        match self {
            Pin::Lock => Rule::PinnedByLock,
            Pin::State => Rule::PinnedByState,
            Pin::Isolation => Rule::PinnedByIsolation,
            Pin::NextTransaction => Rule::PinnedByNextTransaction,
            Pin::StrictMode => Rule::PinnedByStrictMode,
        }
    }
}

/// The class of a command.
pub(crate) fn class(request: &Request<'_>, state: State<'_>) -> Class {
    decide(request, state).0
}

/// The class of a command, and the rule that decided it.
#[inline]
pub(crate) fn decide(request: &Request<'_>, state: State<'_>) -> (Class, Rule) {
    if is_plain_read(request, state) {
        let plain = (Class::Replica, Rule::Read);
        debug_assert_eq!(rule_by_rule(request, state), plain);
        return plain;
    }
    rule_by_rule(request, state)
}

/// Is it a read in a session of which no rule but the last says anything? Most statements are, and
/// come by all the others.
#[inline]
pub(crate) fn is_plain_read(request: &Request<'_>, state: State<'_>) -> bool {
    let Some(statement) = request.statement else {
        return false;
    };
    statement.inert
        && statement.mask.intersects(PLAIN_READ)
        && (statement.mask - PLAIN_READ).is_empty()
        && matches!(request.command, Command::Query | Command::StmtExecute)
        && request.complete
        && request.hints.is_empty()
        && state.pinned.is_none()
        && state.temporary.is_empty()
        && !request.trx.is_open()
}

/// The first rule that matches.
fn rule_by_rule(request: &Request<'_>, state: State<'_>) -> (Class, Rule) {
    let in_transaction = request.trx.is_open();
    match request.command {
        Command::Query
        | Command::StmtExecute
        | Command::StmtBulkExecute
        | Command::StmtSendLongData => match request.statement {
            Some(statement) => of_statement(statement, request, state),
            None => (Class::Primary, Rule::Command),
        },
        Command::StmtPrepare => of_prepare(request, state),
        command if is_for_all(command) => (Class::All, Rule::SessionCommand),
        Command::StmtFetch => (Class::Last, Rule::AsksAboutPrevious),
        Command::Ping | Command::Statistics | Command::FieldList if in_transaction => {
            (Class::Transaction, Rule::InTransaction)
        }
        Command::Ping | Command::Statistics | Command::FieldList => match state.pinned {
            Some(pin) => (Class::Primary, pin.rule()),
            // It may name one of them.
            None if request.command == Command::FieldList && !state.temporary.is_empty() => {
                (Class::Primary, Rule::TemporaryTable)
            }
            None => (Class::Replica, Rule::Harmless),
        },
        _ => (Class::Primary, Rule::Command),
    }
}

/// A binary prepare goes everywhere, but one that needs a temporary table only to the server that
/// has the table.
fn of_prepare(request: &Request<'_>, state: State<'_>) -> (Class, Rule) {
    match request.statement {
        Some(statement) if needs_temporary(statement, state.temporary, state.database) => {
            (Class::Primary, Rule::PreparedOnPrimary)
        }
        _ => (Class::All, Rule::SessionCommand),
    }
}

fn of_statement(statement: &Statement, request: &Request<'_>, state: State<'_>) -> (Class, Rule) {
    let trx = request.trx;
    let mut mask = statement.mask;
    if reads_temporary(statement, state.temporary, state.database) {
        mask |= TypeMask::READ_TMP_TABLE;
    }
    let place = state.variables.place(statement);
    let is_session_command = sets_state(mask);
    if place == Place::Lost {
        (Class::Lost, Rule::OwnVariable)
    } else if !trx.is_open() && request.hints.iter().any(is_target) {
        (Class::Hinted, Rule::Hint)
    } else if !request.complete || statement.multi || mask.contains(TypeMask::NEXT_TRX) {
        if trx.is_open() {
            (Class::Transaction, Rule::InTransaction)
        } else if !request.complete {
            (Class::Primary, Rule::LongText)
        } else if statement.multi {
            (Class::Primary, Rule::MultiStatement)
        } else {
            (Class::Primary, Rule::NextTransaction)
        }
    } else if is_session_command {
        if prepares_temporary(statement, state.temporary, state.database) {
            (Class::Primary, Rule::PreparedOnPrimary)
        } else {
            (Class::All, Rule::SessionCommand)
        }
    } else if trx.is_open() && trx.is_read_only() && begins_writing(statement, trx) {
        (Class::Primary, Rule::BeginsTransaction)
    } else if trx.is_open() {
        (Class::Transaction, Rule::InTransaction)
    } else if statement.previous && !mask.contains(TypeMask::WRITE) {
        // One that writes as well goes where writes go: the server before may be a replica.
        (Class::Last, Rule::AsksAboutPrevious)
    } else if let Some(pin) = state.pinned {
        (Class::Primary, pin.rule())
    } else if mask.contains(TypeMask::BEGIN_TRX) {
        if begins_writing(statement, trx) {
            (Class::Primary, Rule::BeginsTransaction)
        } else {
            (Class::Replica, Rule::BeginsReadOnly)
        }
    } else if mask.intersects(ON_ONE) {
        (Class::Primary, on_primary(statement, mask))
    } else if mask.intersects(USER_VARIABLES) && state.variables_on_primary {
        (Class::Primary, Rule::VariablesOnPrimary)
    } else if mask.contains(TypeMask::USERVAR_WRITE) {
        (Class::All, Rule::VariableEverywhere)
    } else if let Place::On(owner) = place {
        (Class::Owner(owner), Rule::OwnVariable)
    } else if place == Place::Apart {
        (Class::Primary, Rule::OwnVariable)
    } else if mask.intersects(PLAIN_READ) || mask.contains(TypeMask::USERVAR_READ) {
        (Class::Replica, Rule::Read)
    } else {
        (Class::Primary, Rule::Unmatched)
    }
}

/// Which of the bits that lead to the primary it was.
fn on_primary(statement: &Statement, mask: TypeMask) -> Rule {
    if mask.contains(TypeMask::UNKNOWN) || statement.parsed == Parsed::Invalid {
        Rule::UnknownText
    } else if mask.intersects(TypeMask::CREATE_TMP_TABLE | TypeMask::READ_TMP_TABLE) {
        Rule::TemporaryTable
    } else if mask.contains(TypeMask::WRITE | TypeMask::READ)
        && statement.operation == Operation::Select
    {
        Rule::LockingRead
    } else if mask.contains(TypeMask::WRITE) {
        Rule::Write
    } else if mask.intersects(TypeMask::COMMIT | TypeMask::ROLLBACK) {
        Rule::EndsTransaction
    } else {
        Rule::PrimaryRead
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
            && !statement.mask.intersects(ON_ONE)
    }) && matches!(request.command, Command::Query | Command::StmtExecute)
}

/// Does the hint name a target?
pub(crate) fn is_target(hint: &Hint) -> bool {
    matches!(hint, Hint::Route(_))
}
