//! What a statement does to the transaction that is open when it is sent.

use tidegate_sql::{Parsed, SessionEffect, Statement, TrxEffect, TrxTracker};

/// What a statement does to the transaction it is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearing {
    /// It belongs to it.
    Inside,
    /// It opens it.
    Begins,
    /// It commits it. `begins`: and opens another.
    Commits {
        /// Not by COMMIT, which the rules may allow to be repeated.
        implicitly: bool,
        begins: bool,
    },
    /// It undoes it, or ends one that only reads.
    RollsBack,
    /// Nobody can tell, or it cannot be done twice.
    Opaque,
}

/// What a statement does to the transaction that is open before it.
pub(super) fn bearing(statement: Option<&Statement>, before: &TrxTracker) -> Bearing {
    let Some(statement) = statement else {
        return Bearing::Inside;
    };
    if before.in_xa() || statement.parsed == Parsed::Invalid {
        return Bearing::Opaque;
    }
    match statement.trx {
        TrxEffect::Begin { .. } if before.is_open() => Bearing::Commits {
            implicitly: true,
            begins: true,
        },
        TrxEffect::Begin { .. } => Bearing::Begins,
        // Where it is on already nothing happens.
        TrxEffect::AutocommitOn if before.autocommit() => Bearing::Inside,
        // What only reads leaves nothing behind that could be there twice.
        TrxEffect::Commit { chain: false, .. } if before.is_read_only() => Bearing::RollsBack,
        TrxEffect::Commit { chain: false, .. } | TrxEffect::AutocommitOn => Bearing::Commits {
            implicitly: false,
            begins: false,
        },
        TrxEffect::Rollback { chain: false, .. } => Bearing::RollsBack,
        TrxEffect::ImplicitCommit => Bearing::Commits {
            implicitly: true,
            begins: false,
        },
        TrxEffect::None | TrxEffect::AutocommitOff | TrxEffect::SetTransaction { .. } => {
            of_effect(statement)
        }
        TrxEffect::Opaque if !statement.parts.is_empty() => {
            let harmless = |part: &Statement| bearing(Some(part), before) == Bearing::Inside;
            if statement.parts.iter().all(harmless) {
                Bearing::Inside
            } else {
                Bearing::Opaque
            }
        }
        TrxEffect::Commit { chain: true, .. }
        | TrxEffect::Rollback { chain: true, .. }
        | TrxEffect::XaStart
        | TrxEffect::XaEnd
        | TrxEffect::XaFinish
        | TrxEffect::Opaque => Bearing::Opaque,
    }
}

/// What a text-protocol statement executes is not known here.
fn of_effect(statement: &Statement) -> Bearing {
    match &statement.effect {
        Some(SessionEffect::Execute { .. } | SessionEffect::ExecuteImmediate { .. }) => {
            Bearing::Opaque
        }
        _ => Bearing::Inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_sql::{Modes, classify};

    fn of(before: &[&str], text: &str) -> Bearing {
        let mut trx = TrxTracker::new();
        for text in before {
            trx.predict(&classify(text.as_bytes(), Modes::default()));
        }
        bearing(Some(&classify(text.as_bytes(), Modes::default())), &trx)
    }

    #[test]
    fn what_statements_do_to_an_open_transaction() {
        let open: &[&str] = &["BEGIN"];
        let commits = |implicitly, begins| Bearing::Commits { implicitly, begins };
        for (text, expected) in [
            ("INSERT INTO t VALUES (1)", Bearing::Inside),
            ("SELECT 1", Bearing::Inside),
            ("SET @a = 1", Bearing::Inside),
            ("SAVEPOINT s", Bearing::Inside),
            ("ROLLBACK TO SAVEPOINT s", Bearing::Inside),
            ("COMMIT", commits(false, false)),
            ("SET autocommit = 1", Bearing::Inside),
            ("ROLLBACK", Bearing::RollsBack),
            ("COMMIT AND CHAIN", Bearing::Opaque),
            ("BEGIN", commits(true, true)),
            ("START TRANSACTION READ ONLY", commits(true, true)),
            ("CREATE TABLE t (a INT)", commits(true, false)),
            ("LOCK TABLES t WRITE", commits(true, false)),
            ("CALL p()", Bearing::Opaque),
            ("EXECUTE s", Bearing::Opaque),
            ("XA START 'x'", Bearing::Opaque),
            ("SELECT 1; SELECT 2", Bearing::Inside),
            ("SELECT 1; COMMIT; BEGIN", Bearing::Opaque),
            ("FROBNICATE", Bearing::Opaque),
        ] {
            assert_eq!(of(open, text), expected, "{text}");
        }
        assert_eq!(
            of(&["SET autocommit = 0"], "SET autocommit = 1"),
            commits(false, false)
        );
        let read_only: &[&str] = &["START TRANSACTION READ ONLY"];
        assert_eq!(of(read_only, "COMMIT"), Bearing::RollsBack);
        assert_eq!(of(&[], "BEGIN"), Bearing::Begins);
        assert_eq!(of(&["XA START 'x'"], "SELECT 1"), Bearing::Opaque);
    }
}
