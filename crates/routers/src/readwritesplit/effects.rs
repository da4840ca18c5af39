//! What becomes of a statement beyond where it goes, for people who ask over REST: whether its answer
//! waits for replicas, and what happens if its server is lost meanwhile.
//!
//! Nothing is decided here: the core does what is said (`sync`, `replay`).

use tidegate_session::request::Request;
use tidegate_session::router::Effect;
use tidegate_sql::{Operation, Statement, TrxEffect, TrxTracker, TypeMask};

use super::session::Split;

impl Split {
    /// Everything that is to be said of it.
    pub(super) fn effects(&self, request: &Request<'_>) -> Vec<Effect> {
        let Some(statement) = request.statement else {
            return Vec::new();
        };
        let effects = [
            self.waits_for_replicas(statement, request.trx),
            self.is_repeated(statement, request.trx),
        ];
        effects.into_iter().flatten().collect()
    }

    /// A server reports what was written when it is committed.
    fn waits_for_replicas(&self, statement: &Statement, before: &TrxTracker) -> Option<Effect> {
        let rules = self.settings.sync?;
        let open = before.is_open();
        let commits = if open {
            !before.is_read_only() && may_commit(statement)
        } else {
            statement.mask.contains(TypeMask::WRITE)
        };
        commits.then(|| {
            let replicas = match rules.replicas {
                1 => "a replica has it".to_owned(),
                several => format!("{several} replicas have it"),
            };
            let seconds = rules.timeout.as_secs();
            Effect {
                name: "sync_transaction",
                text: format!(
                    "What it commits is told to the client when {replicas}, or after {seconds} s with a warning."
                ),
            }
        })
    }

    /// In a transaction, and of the statement that begins one.
    fn is_repeated(&self, statement: &Statement, before: &TrxTracker) -> Option<Effect> {
        let rules = self.settings.replay?;
        let open = before.is_open();
        if !open && !statement.mask.contains(TypeMask::BEGIN_TRX) {
            return None;
        }
        let commits = open && !before.is_read_only() && may_commit(statement);
        let explicitly = matches!(
            statement.trx,
            TrxEffect::Commit { .. } | TrxEffect::AutocommitOn
        );
        let text = if open && hides(statement) {
            "From here on the transaction cannot be repeated: nobody sees whether the statement commits."
        } else if open && statement.operation == Operation::LoadLocal {
            "From here on the transaction cannot be repeated: the client's file is not kept."
        } else if commits && explicitly && !rules.safe_commit {
            "If its server is lost before it has answered, the transaction is repeated, and may be written twice (transaction_replay_safe_commit=false)."
        } else if commits {
            "If its server is lost before it has answered, the session ends with an error: nobody can tell whether the transaction is committed."
        } else {
            "If its server is lost, the transaction is repeated on another, and the client notices nothing as long as all answers are the same."
        };
        Some(Effect {
            name: "transaction_replay",
            text: text.to_owned(),
        })
    }
}

/// Does it commit the open transaction, as far as its text tells?
fn may_commit(statement: &Statement) -> bool {
    match statement.trx {
        TrxEffect::Commit { .. }
        | TrxEffect::AutocommitOn
        | TrxEffect::ImplicitCommit
        | TrxEffect::Begin { .. } => true,
        TrxEffect::Opaque => hides(statement),
        TrxEffect::None
        | TrxEffect::Rollback { .. }
        | TrxEffect::AutocommitOff
        | TrxEffect::SetTransaction { .. }
        | TrxEffect::XaStart
        | TrxEffect::XaEnd
        | TrxEffect::XaFinish => false,
    }
}

/// Can only the server tell what it does to the transaction?
fn hides(statement: &Statement) -> bool {
    let plain = |part: &Statement| part.trx == TrxEffect::None;
    statement.trx.is_opaque() && (statement.parts.is_empty() || !statement.parts.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_sql::{Modes, classify};

    use super::super::params::ReadWriteSplitParams;
    use super::super::settings::Settings;
    use super::*;

    /// What is said of a statement after others, in words that the texts hold; empty: nothing.
    #[track_caller]
    fn check(params: &ReadWriteSplitParams, before: &[&str], text: &str, expect: &[&str]) {
        let mut trx = TrxTracker::new();
        for text in before {
            trx.predict(&classify(text.as_bytes(), Modes::default()));
        }
        let statement = classify(text.as_bytes(), Modes::default());
        let request = Request::of_text(text.as_bytes(), &statement, &trx);
        let effects = Split::new(Settings::new(params), None).effects(&request);
        let said: Vec<_> = effects.iter().map(|effect| &effect.text).collect();
        assert_eq!(said.len(), expect.len(), "{text}: {said:?}");
        for (said, expect) in said.iter().zip(expect) {
            assert!(said.contains(expect), "{text}: {said}");
        }
    }

    #[test]
    fn a_write_waits_for_replicas_when_it_is_committed() {
        let params = ReadWriteSplitParams {
            sync_transaction: true,
            sync_transaction_count: 2,
            sync_transaction_timeout: Duration::from_secs(7),
            ..ReadWriteSplitParams::default()
        };
        let waits: &[&str] = &["2 replicas have it, or after 7 s"];
        let insert = "INSERT INTO t VALUES (1)";
        check(&params, &[], insert, waits);
        check(&params, &[], "SELECT 1", &[]);
        check(&params, &[], "BEGIN", &[]);
        check(&params, &["BEGIN"], insert, &[]);
        check(&params, &["BEGIN"], "COMMIT", waits);
        check(&params, &["BEGIN"], "CREATE TABLE t (a INT)", waits);
        check(&params, &["BEGIN"], "ROLLBACK", &[]);
        check(&params, &["START TRANSACTION READ ONLY"], "COMMIT", &[]);
        check(&ReadWriteSplitParams::default(), &[], insert, &[]);
    }

    #[test]
    fn what_becomes_of_a_transaction_whose_server_is_lost() {
        let safe = ReadWriteSplitParams {
            transaction_replay: true,
            ..ReadWriteSplitParams::default()
        };
        check(&safe, &[], "INSERT INTO t VALUES (1)", &[]);
        check(&safe, &[], "BEGIN", &["repeated on another"]);
        check(&safe, &["BEGIN"], "SELECT 1", &["repeated on another"]);
        check(
            &safe,
            &["BEGIN"],
            "SELECT 1; SELECT 2",
            &["repeated on another"],
        );
        check(&safe, &["BEGIN"], "COMMIT", &["the session ends"]);
        check(&safe, &["BEGIN"], "CALL p()", &["cannot be repeated"]);
        check(
            &safe,
            &["START TRANSACTION READ ONLY"],
            "COMMIT",
            &["repeated on another"],
        );
        let unsafe_commit = ReadWriteSplitParams {
            transaction_replay_safe_commit: false,
            ..safe
        };
        check(&unsafe_commit, &["BEGIN"], "COMMIT", &["written twice"]);
        check(
            &unsafe_commit,
            &["BEGIN"],
            "CREATE TABLE t (a INT)",
            &["the session ends"],
        );
    }
}
