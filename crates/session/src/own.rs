//! Statements that are about sessions: no server knows them by the numbers that clients see, so the
//! proxy sees to them itself, whatever the router.

use tidegate_sql::{Kill, SessionEffect, Statement, Victim};
use tidegate_wire::Command;

use crate::fault::ErrReply;
use crate::request::{OwnAnswer, Request};
use crate::route::Stop;
use crate::session::Session;

/// What the proxy does with such a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Business<'a> {
    /// The column of the answer: it asks for the session's number.
    SessionId(&'a [u8]),
    /// It prepares that question: the number is put into its text.
    PreparedSessionId(&'a [u8]),
    /// It kills.
    Kill(&'a Kill),
    /// It would kill somebody else than it says.
    Refused(Refused),
}

/// Why a KILL is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Prepared,
    AmongOthers,
    QueryId,
    Computed,
}

/// What the proxy itself does with the statement of a request; `None`: it is the routers' business.
pub(crate) fn business<'a>(request: &Request<'a>) -> Option<Business<'a>> {
    let statement = request.statement.filter(|it| concerns_sessions(it))?;
    let prepares = request.command == Command::StmtPrepare;
    if !prepares && request.command != Command::Query {
        return None;
    }
    if let Some(column) = statement.session_id_column.as_deref() {
        return Some(if prepares {
            Business::PreparedSessionId(column)
        } else {
            Business::SessionId(column)
        });
    }
    if statement.parts.iter().any(kills) {
        return Some(Business::Refused(Refused::AmongOthers));
    }
    match statement.effect.as_ref()? {
        SessionEffect::Kill(_) if prepares => Some(Business::Refused(Refused::Prepared)),
        SessionEffect::Kill(kill) => Some(match kill.victim {
            Victim::QueryId => Business::Refused(Refused::QueryId),
            Victim::Computed => Business::Refused(Refused::Computed),
            Victim::Amid => Business::Refused(Refused::AmongOthers),
            _ if !request.complete => Business::Refused(Refused::Computed),
            _ => Business::Kill(kill),
        }),
        SessionEffect::Prepare { .. } | SessionEffect::ExecuteImmediate { .. }
            if kills(statement) =>
        {
            Some(Business::Refused(Refused::Prepared))
        }
        _ => None,
    }
}

/// Is the statement about sessions?
#[inline]
pub(crate) fn concerns_sessions(statement: &Statement) -> bool {
    !statement.inert
        && (statement.session_id_column.is_some()
            || kills(statement)
            || statement.parts.iter().any(kills))
}

/// Does the statement kill, or hold the text of one that does?
fn kills(statement: &Statement) -> bool {
    match &statement.effect {
        Some(SessionEffect::Kill(_)) => true,
        Some(SessionEffect::Prepare { inner, .. } | SessionEffect::ExecuteImmediate { inner }) => {
            inner
                .as_deref()
                .is_some_and(|inner| kills(inner) || inner.parts.iter().any(kills))
        }
        _ => false,
    }
}

impl Refused {
    /// Server error numbers: MariaDB manual, "MariaDB Error Codes".
    pub(crate) fn reply(self) -> ErrReply {
        let not_supported = |what: &str| {
            ErrReply::new(
                1235,
                b"42000",
                format!("This version of Tidegate doesn't yet support '{what}'"),
            )
        };
        match self {
            Refused::Prepared => ErrReply::new(
                1295,
                b"HY000",
                "This command is not supported in the prepared statement protocol yet",
            ),
            Refused::AmongOthers => {
                not_supported("KILL of a number in a text of several statements")
            }
            Refused::QueryId => {
                not_supported("KILL QUERY ID: a query's id is the server's, kill it there")
            }
            Refused::Computed => not_supported(
                "KILL of anything but a number, CONNECTION_ID() or a user: use a literal",
            ),
        }
    }
}

impl Session {
    /// Keeps from the routers what is the proxy's own business.
    pub(crate) fn keep_own_business(&self, request: &Request<'_>) -> Result<(), Stop> {
        match business(request) {
            None => Ok(()),
            Some(Business::SessionId(column)) => Err(Stop::Own(OwnAnswer::Value {
                column: String::from_utf8_lossy(column).into_owned(),
                value: self.id.to_string(),
                number: true,
            })),
            Some(Business::PreparedSessionId(column)) => {
                let quoted = String::from_utf8_lossy(column).replace('`', "``");
                let text = format!("SELECT CAST({} AS UNSIGNED) AS `{quoted}`", self.id);
                let payload = [&[Command::StmtPrepare.byte()], text.as_bytes()].concat();
                Err(Stop::Replaced(payload))
            }
            Some(Business::Kill(kill)) => Err(Stop::Kill(kill.clone())),
            Some(Business::Refused(refused)) => Err(Stop::Reject(refused.reply())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_sql::{Modes, TrxTracker, classify};

    use super::*;

    fn check(command: Command, text: &str, look: impl Fn(Option<Business<'_>>) -> bool) {
        let statement = classify(text.as_bytes(), Modes::default());
        let trx = TrxTracker::default();
        let request = Request {
            command,
            ..Request::of_text(text.as_bytes(), &statement, &trx)
        };
        let found = business(&request);
        assert!(look(found), "{command:?} {text}: {found:?}");
    }

    #[test]
    fn what_the_proxy_sees_to_itself() {
        let kill = |found: Option<Business<'_>>| matches!(found, Some(Business::Kill(_)));
        let refused =
            |why: Refused| move |found: Option<Business<'_>>| found == Some(Business::Refused(why));
        for text in ["KILL 5", "kill soft query user bob", "KILL CONNECTION_ID()"] {
            check(Command::Query, text, kill);
            check(Command::StmtPrepare, text, refused(Refused::Prepared));
        }
        for text in ["PREPARE s FROM 'KILL 5'", "EXECUTE IMMEDIATE 'KILL 5'"] {
            check(Command::Query, text, refused(Refused::Prepared));
        }
        for text in [
            "SELECT 1; KILL 5",
            "KILL 5; SELECT 1",
            "BEGIN NOT ATOMIC KILL 5; END",
        ] {
            check(Command::Query, text, refused(Refused::AmongOthers));
        }
        check(Command::Query, "KILL QUERY ID 5", refused(Refused::QueryId));
        check(Command::Query, "KILL 2 + 3", refused(Refused::Computed));
        for text in [
            "SELECT 1",
            "SELECT CONNECTION_ID() + 1",
            "PREPARE s FROM 'DO 1'",
        ] {
            check(Command::Query, text, |found| found.is_none());
        }
        check(Command::Query, "SELECT CONNECTION_ID()", |found| {
            found == Some(Business::SessionId(b"CONNECTION_ID()"))
        });
        check(Command::StmtPrepare, "SELECT CONNECTION_ID() x", |found| {
            found == Some(Business::PreparedSessionId(b"x"))
        });
    }
}
