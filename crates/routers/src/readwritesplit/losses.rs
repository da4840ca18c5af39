//! What a lost connection means for the session: two tables, of which the first row that matches
//! decides.

use super::params::MasterFailureMode;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing: another server is chosen when one is needed.
    Continue,
    /// The statement is sent to another server.
    Retry,
    /// The client gets an error, the session goes on.
    Refuse,
    /// The session ends.
    End,
}

/// A loss as the tables look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// Answers that the client was waiting for from it.
    pub(crate) owed: usize,
    /// A part of the first of them had reached the client.
    pub(crate) started: bool,
    /// The statement in flight reads and nothing else, and `retry_failed_reads` is on; or it is a session
    /// command, and `delayed_retry` is.
    pub(crate) can_retry: bool,
    /// It is a session command: other connections may have executed it already.
    pub(crate) is_session_command: bool,
    /// A transaction was open there.
    pub(crate) in_transaction: bool,
    /// The connection held something that no other has: temporary tables, locks.
    pub(crate) irreplaceable: bool,
    /// The session has, or may open, another connection.
    pub(crate) others: bool,
    /// No connection may be used again in this session.
    pub(crate) all_failed: bool,
}

/// The primary's connection is lost.
pub(crate) fn of_primary(loss: &Situation, mode: MasterFailureMode, reconnects: bool) -> Outcome {
    let waiting = loss.owed > 0;
    if is_hopeless(loss) || mode == MasterFailureMode::FailInstantly || loss.irreplaceable {
        Outcome::End
    } else if waiting && loss.can_retry && reconnects {
        Outcome::Retry
    } else if waiting && mode == MasterFailureMode::ErrorOnWrite && !loss.is_session_command {
        Outcome::Refuse
    } else if waiting {
        Outcome::End
    } else {
        Outcome::Continue
    }
}

/// A replica's connection is lost.
pub(crate) fn of_replica(loss: &Situation) -> Outcome {
    let waiting = loss.owed > 0;
    if is_hopeless(loss) {
        Outcome::End
    } else if waiting && loss.can_retry {
        Outcome::Retry
    } else if waiting || !loss.others {
        Outcome::End
    } else {
        Outcome::Continue
    }
}

/// The rows that both tables begin with: what was told cannot be taken back, and what was done in a
/// transaction, or in several statements, cannot be done again.
fn is_hopeless(loss: &Situation) -> bool {
    loss.all_failed || loss.started || loss.owed > 1 || loss.in_transaction
}

#[cfg(test)]
mod tests {
    use super::*;
    use MasterFailureMode::{ErrorOnWrite, FailInstantly, FailOnWrite};

    const MODES: [MasterFailureMode; 3] = [FailInstantly, FailOnWrite, ErrorOnWrite];

    const IDLE: Situation = Situation {
        owed: 0,
        started: false,
        can_retry: false,
        is_session_command: false,
        in_transaction: false,
        irreplaceable: false,
        others: true,
        all_failed: false,
    };
    const WRITE: Situation = Situation { owed: 1, ..IDLE };
    const READ: Situation = Situation {
        can_retry: true,
        ..WRITE
    };

    /// One row: what is lost, and the outcome in each failure mode.
    #[track_caller]
    fn primary(row: &str, loss: Situation, expect: [Outcome; 3]) {
        for (mode, expect) in MODES.into_iter().zip(expect) {
            assert_eq!(of_primary(&loss, mode, true), expect, "{row}: {mode:?}");
        }
    }

    #[test]
    fn the_primary_is_lost() {
        use Outcome::{Continue, End, Refuse, Retry};
        primary("idle", IDLE, [End, Continue, Continue]);
        primary("during a write", WRITE, [End, End, Refuse]);
        primary("during a read", READ, [End, Retry, Retry]);
        let begun = Situation {
            started: true,
            ..READ
        };
        primary("a part of the answer is told", begun, [End, End, End]);
        let several = Situation { owed: 2, ..WRITE };
        primary("several answers are owed", several, [End, End, End]);
        for loss in [IDLE, WRITE, READ] {
            let in_transaction = Situation {
                in_transaction: true,
                ..loss
            };
            primary("in a transaction", in_transaction, [End, End, End]);
            let irreplaceable = Situation {
                irreplaceable: true,
                ..loss
            };
            primary("with locks", irreplaceable, [End, End, End]);
            let all_failed = Situation {
                all_failed: true,
                ..loss
            };
            primary("nothing is left", all_failed, [End, End, End]);
        }
        let command = Situation {
            is_session_command: true,
            ..WRITE
        };
        primary("during a session command", command, [End, End, End]);
    }

    #[test]
    fn a_primary_that_may_not_be_replaced() {
        assert_eq!(of_primary(&IDLE, FailOnWrite, false), Outcome::Continue);
        assert_eq!(of_primary(&READ, FailOnWrite, false), Outcome::End);
        assert_eq!(of_primary(&READ, ErrorOnWrite, false), Outcome::Refuse);
        assert_eq!(of_primary(&WRITE, ErrorOnWrite, false), Outcome::Refuse);
    }

    #[test]
    fn a_replica_is_lost() {
        use Outcome::{Continue, End, Retry};
        let alone = Situation {
            others: false,
            ..IDLE
        };
        let begun = Situation {
            started: true,
            ..READ
        };
        let several = Situation { owed: 2, ..READ };
        let in_transaction = Situation {
            in_transaction: true,
            ..IDLE
        };
        for (row, loss, expect) in [
            ("idle", IDLE, Continue),
            ("idle, and no other can be had", alone, End),
            ("during a read", READ, Retry),
            ("during what cannot be repeated", WRITE, End),
            ("a part of the answer is told", begun, End),
            ("several answers are owed", several, End),
            ("in a transaction", in_transaction, End),
        ] {
            assert_eq!(of_replica(&loss), expect, "{row}");
        }
    }
}
