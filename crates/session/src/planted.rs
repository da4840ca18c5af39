//! Defects on purpose: each is one that a proxy is known to have had, and the simulator must find it.
//!
//! Compiled for the simulator alone (feature `planted-bugs`).

use std::cell::Cell;

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A command does not wait for its predecessors on other connections: answers change their order.
    AnswersOutOfOrder,
    /// The answer of a server that was not the one to answer goes to the client too.
    DiscardedReplyForwarded,
    /// A server is given the client's statement id.
    StatementIdNotMapped,
    /// A server that has not seen the parameter types is not sent them.
    TypesNotInserted,
    /// Definitions that a server leaves out and the client does not hold are not put in.
    DefinitionsNotInserted,
    /// The oldest session command is not repeated on a new connection.
    HistoryEntrySkipped,
    /// COM_RESET_CONNECTION leaves the history as it is.
    ResetKeepsHistory,
    /// A write goes to any open connection.
    WriteToReplica,
    /// A read is sent again although a part of its answer was passed on.
    StartedAnswerRetried,
    /// The end of a connection is not noticed while it owes an answer.
    LossNotNoticed,
    /// A server that answers a session command differently stays in use.
    VerdictIgnored,
    /// Bytes that waited are not asked for again.
    AgainForgotten,
    /// A lost connection keeps its statements in the gauge of operations.
    OperationsLeak,
    /// An error behind a part of an answer begins to count anew.
    SequenceRestarted,
    /// The failure of any command undoes the last prediction for the transaction.
    FailureUndoesBegin,
    /// A connection that another session left behind is used as it is.
    ReusedUnchanged,
    /// A connection is given to another session before its reset is confirmed.
    ResetNotAwaited,
    /// A session lends its connections whatever it has on them.
    LentWithoutLook,
    /// A lent connection is taken back although the session's state has changed since.
    LentStaysFresh,
    /// A connection is used before the statement that turns it into the client's has succeeded.
    TurnNotAwaited,
}

impl Bug {
    /// Every defect.
    pub const ALL: [Bug; 20] = [
        Bug::AnswersOutOfOrder,
        Bug::DiscardedReplyForwarded,
        Bug::StatementIdNotMapped,
        Bug::TypesNotInserted,
        Bug::DefinitionsNotInserted,
        Bug::HistoryEntrySkipped,
        Bug::ResetKeepsHistory,
        Bug::WriteToReplica,
        Bug::StartedAnswerRetried,
        Bug::LossNotNoticed,
        Bug::VerdictIgnored,
        Bug::AgainForgotten,
        Bug::OperationsLeak,
        Bug::SequenceRestarted,
        Bug::FailureUndoesBegin,
        Bug::ReusedUnchanged,
        Bug::ResetNotAwaited,
        Bug::LentWithoutLook,
        Bug::LentStaysFresh,
        Bug::TurnNotAwaited,
    ];
}

// tidy: allow(pure): a switch of the simulator's, which no other build has.
thread_local! {
    static ON: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Switches one defect on for this thread, or all off.
pub fn plant(bug: Option<Bug>) {
    ON.set(bug);
}

/// Is it switched on?
pub(crate) fn is_on(bug: Bug) -> bool {
    ON.get() == Some(bug)
}
