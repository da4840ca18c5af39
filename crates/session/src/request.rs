//! A client command as filters and routers see it.

use tidegate_sql::Statement;
use tidegate_sql::TrxTracker;
use tidegate_sql::hints::Hint;
use tidegate_wire::command::Command;

use crate::ids::ClientStmtId;

/// One command on its way from the client to a server.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which command.
    pub command: Command,
    /// The payload from the command byte on: all of it, or its first part if not `complete`.
    pub payload: &'a [u8],
    /// Is this the whole payload? A longer one than the core collects streams to the target that
    /// was chosen from its first part.
    pub complete: bool,
    /// The statement text: of COM_QUERY and COM_STMT_PREPARE, or the text that was prepared for
    /// the statement that is executed. Empty for other commands.
    pub text: &'a [u8],
    /// The class of that text. `None` where the command has no text, or nobody in the session
    /// looks at statements.
    pub statement: Option<&'a Statement>,
    /// The prepared statement that a COM_STMT command is about.
    pub prepared: Option<ClientStmtId>,
    /// What the filters said where it should go, the most recent last.
    pub hints: &'a [Hint],
    /// The session's transaction before this command.
    pub trx: &'a TrxTracker,
}

impl<'a> Request<'a> {
    /// A statement as text of which nothing else is known.
    #[must_use]
    pub fn of_text(text: &'a [u8], statement: &'a Statement, trx: &'a TrxTracker) -> Request<'a> {
        Request {
            command: Command::Query,
            payload: &[],
            complete: true,
            text,
            statement: Some(statement),
            prepared: None,
            hints: &[],
            trx,
        }
    }

    /// The same with what filters said; `None` if they said nothing.
    #[inline]
    pub(crate) fn hinted(&self, hints: &'a [Hint]) -> Option<Request<'a>> {
        (!hints.is_empty()).then_some(Request { hints, ..*self })
    }

    /// Does it run its statement? Preparing one, sending data for it, fetching its rows, resetting
    /// and closing it do not.
    #[inline]
    #[must_use]
    pub fn executes(&self) -> bool {
        runs_statement(self.command)
    }
}

#[inline]
pub(crate) fn runs_statement(command: Command) -> bool {
    matches!(
        command,
        Command::Query | Command::StmtExecute | Command::StmtBulkExecute
    )
}

/// The outcome of a command as filters see it, once its reply is complete.
#[derive(Debug, Clone, Copy)]
pub struct ReplySummary<'a> {
    /// Which command it answers.
    pub command: Command,
    /// The error number, if it ended in an error.
    pub error: Option<u16>,
    /// The error's text, bytewise; empty without an error.
    pub error_text: &'a [u8],
    /// Rows that were sent.
    pub rows: u64,
    /// Bytes that came from the server.
    pub bytes: u64,
    /// Warnings it reported.
    pub warnings: u16,
    /// The server's status flags at its end (MariaDB manual, "OK_Packet", status flags).
    pub status: u16,
    /// Did anything but an error come before an error?
    pub has_rows: bool,
    /// When the command was sent on.
    pub sent: crate::time::Instant,
    /// When its first byte came back.
    pub first_byte: crate::time::Instant,
    /// The name of the server that answered; `None`: the proxy or a filter did.
    pub server: Option<&'a str>,
    /// The transaction after this command.
    pub trx: &'a TrxTracker,
}

/// An answer that the proxy itself gives to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnAnswer {
    /// OK, nothing affected.
    Ok,
    /// OK, with this number of affected rows.
    Affected(u64),
    /// One row of one column; the session makes the packets in the client's dialect.
    Value {
        /// The column's name.
        column: String,
        /// The value.
        value: String,
        /// A connection's number? Else a string.
        number: bool,
    },
}
