//! The table of statements, row by row against the rules that route: the same cases that the
//! classification is tested with.

use tidegate_session::TargetId;
use tidegate_session::request::Request;
use tidegate_session::router::{Course, TargetSet};
use tidegate_sql::hints::{Hint, Route};
use tidegate_sql::{Modes, TrxTracker, classify};
use tidegate_testkit::statements::{Row, rows};

use super::params::ReadWriteSplitParams;
use super::route::{Class, Pin, State, class};
use super::settings::Settings;
use crate::tied::Tied;

/// The autocommit flag of a status word.
const AUTOCOMMIT: u16 = 2;

/// A session as far as the rules know one.
struct Session {
    settings: Settings,
    modes: Modes,
    trx: TrxTracker,
    tied: Tied,
}

impl Session {
    fn new(params: &ReadWriteSplitParams) -> Session {
        Session {
            settings: Settings::new(params),
            modes: Modes::default(),
            trx: TrxTracker::default(),
            tied: Tied::default(),
        }
    }

    /// In the state of a row, after what is said before it.
    fn before(row: &Row) -> Session {
        let mut session = Session::new(&ReadWriteSplitParams::default());
        for (state, text) in row.states() {
            session.run(text);
            if state == "ora" {
                session.trx.correct(AUTOCOMMIT);
            }
        }
        for text in &row.before {
            session.run(text);
        }
        session
    }

    fn class(&self, text: &str, hints: &[Hint]) -> Class {
        let statement = classify(text.as_bytes(), self.modes);
        let request = Request {
            hints,
            ..Request::of_text(text.as_bytes(), &statement, &self.trx)
        };
        let pin = self.trx.is_serializable().then_some(Pin::Isolation);
        let pending = self.trx.is_next_pending().then_some(Pin::NextTransaction);
        let state = State {
            temporary: &self.tied.temporary,
            database: Some(b"test"),
            pinned: self.tied.held.keeps().map(Pin::from).or(pin).or(pending),
            variables: &self.tied.variables,
            variables_on_primary: self.settings.variables_on_primary,
        };
        let resolved = self.tied.named.resolve(&request);
        class(resolved.as_ref().unwrap_or(&request), state)
    }

    /// Runs a statement that succeeds.
    fn run(&mut self, text: &str) {
        let statement = classify(text.as_bytes(), self.modes);
        let primary = TargetId(0);
        let course = match self.class(text, &[]) {
            Class::All => Course::All {
                to: TargetSet::one(primary),
                answer: primary,
            },
            _ => Course::One(primary),
        };
        let request = Request::of_text(text.as_bytes(), &statement, &self.trx);
        self.tied
            .follow(&request, course, Some(b"test"), self.settings.strict);
        self.tied.settle(false);
        self.trx.predict(&statement);
        self.modes = self.modes.after(&statement);
    }
}

/// The sheet's word for a class.
fn word(class: Class) -> &'static str {
    match class {
        Class::Primary => "PRIMARY",
        Class::Replica => "REPLICA",
        Class::All => "ALL",
        Class::Last => "LAST",
        Class::Transaction => "TRX",
        Class::Hinted => "HINTED",
        Class::Owner(TargetId(0)) => "OWNER",
        Class::Owner(_) => "ANOTHER OWNER",
        Class::Lost => "LOST",
    }
}

#[test]
fn every_row_of_the_sheet_has_its_target() {
    let rows = rows();
    let mut wrong = Vec::new();
    for row in &rows {
        // What is about sessions no router is asked.
        if row.target == "PROXY" {
            continue;
        }
        let found = word(Session::before(row).class(&row.text, &[]));
        if found != row.target {
            wrong.push(format!(
                "row {} ({}): {found}, not {}: {}",
                row.number, row.states, row.target, row.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 400, "{} rows", rows.len());
}

/// A script of one session: statements, each with its target.
#[track_caller]
fn script(params: &ReadWriteSplitParams, lines: &[(&str, &str)]) {
    let mut session = Session::new(params);
    for (text, target) in lines {
        assert_eq!(word(session.class(text, &[])), *target, "{text}");
        session.run(text);
    }
}

#[test]
fn scripts_that_carry_state() {
    let defaults = ReadWriteSplitParams::default();
    let begin = ("BEGIN", "PRIMARY");
    let read = ("SELECT 1", "REPLICA");
    let read_there = ("SELECT 1", "TRX");
    let commit = ("COMMIT", "TRX");
    script(&defaults, &[begin, read_there, commit, read]);
    script(
        &defaults,
        &[
            ("SET autocommit=0", "ALL"),
            read_there,
            commit,
            read_there,
            ("SET autocommit=1", "ALL"),
            read,
        ],
    );
    script(
        &defaults,
        &[
            ("START TRANSACTION READ ONLY", "REPLICA"),
            read_there,
            commit,
            read,
        ],
    );
    script(
        &defaults,
        &[
            ("SET TRANSACTION READ ONLY", "PRIMARY"),
            ("START TRANSACTION", "PRIMARY"),
            ("INSERT INTO t1 VALUES (1)", "TRX"),
            commit,
            ("START TRANSACTION", "PRIMARY"),
        ],
    );
    script(
        &defaults,
        &[
            ("SET SESSION TRANSACTION READ ONLY", "ALL"),
            ("START TRANSACTION", "REPLICA"),
            commit,
            ("START TRANSACTION READ WRITE", "PRIMARY"),
            commit,
            ("SET TRANSACTION READ WRITE", "PRIMARY"),
            ("START TRANSACTION", "PRIMARY"),
            commit,
            ("START TRANSACTION", "REPLICA"),
        ],
    );
    script(
        &defaults,
        &[
            ("CREATE TEMPORARY TABLE tt(id INT)", "PRIMARY"),
            ("SELECT * FROM tt", "PRIMARY"),
            ("DROP TABLE tt", "PRIMARY"),
            read,
        ],
    );
    script(
        &defaults,
        &[
            ("INSERT INTO t1(v) VALUES (@i := 7)", "PRIMARY"),
            ("SELECT @i", "OWNER"),
            ("SET @i = 1", "ALL"),
            ("SELECT @i", "REPLICA"),
        ],
    );
    script(
        &defaults,
        &[
            ("PREPARE s FROM 'SELECT 1'", "ALL"),
            ("EXECUTE s", "REPLICA"),
            ("PREPARE s FROM 'DELETE FROM t2'", "ALL"),
            ("EXECUTE S", "PRIMARY"),
            ("DEALLOCATE PREPARE s", "ALL"),
            ("EXECUTE s", "PRIMARY"),
        ],
    );
    // What the name stands for is known to the primary alone.
    for hidden in ["CALL p()", "PREPARE s FROM 'SELECT 2'; SELECT 1"] {
        script(
            &defaults,
            &[
                ("PREPARE s FROM 'SELECT 1'", "ALL"),
                (hidden, "PRIMARY"),
                ("EXECUTE s", "PRIMARY"),
            ],
        );
    }
    script(
        &defaults,
        &[
            ("LOCK TABLES t1 READ", "PRIMARY"),
            ("SELECT * FROM t1", "PRIMARY"),
            ("UNLOCK TABLES", "PRIMARY"),
            read,
        ],
    );
    script(
        &defaults,
        &[
            ("XA START 'x'", "PRIMARY"),
            ("INSERT INTO t1 VALUES (1)", "TRX"),
            ("XA END 'x'", "TRX"),
            ("XA PREPARE 'x'", "TRX"),
            ("XA COMMIT 'x'", "PRIMARY"),
            read,
        ],
    );
    script(
        &defaults,
        &[
            ("START TRANSACTION", "PRIMARY"),
            ("COMMIT AND CHAIN", "TRX"),
            read_there,
            ("ROLLBACK", "TRX"),
            read,
        ],
    );
}

#[test]
fn rows_that_depend_on_a_setting() {
    let defaults = ReadWriteSplitParams::default();
    let narrow = ReadWriteSplitParams {
        use_sql_variables_in: super::params::SqlVariablesIn::Master,
        ..ReadWriteSplitParams::default()
    };
    script(
        &narrow,
        &[
            ("SELECT @a", "PRIMARY"),
            ("SELECT @a := 1", "PRIMARY"),
            ("SET @a = 1", "ALL"),
            ("SELECT id INTO @x FROM t1 LIMIT 1", "PRIMARY"),
        ],
    );
    let several = ("SELECT 1; SELECT 2", "PRIMARY");
    let call = ("CALL p1()", "PRIMARY");
    let strict = ReadWriteSplitParams {
        strict_multi_stmt: true,
        strict_sp_calls: true,
        ..ReadWriteSplitParams::default()
    };
    for before in [several, call] {
        script(&defaults, &[before, ("SELECT 1", "REPLICA")]);
        let bound = [before, ("SELECT 1", "PRIMARY"), ("SET @a = 1", "ALL")];
        script(&strict, &bound);
    }
}

#[test]
fn a_hint_counts_unless_a_transaction_is_open() {
    let hints = [Hint::Route(Route::Slave)];
    for (states, target) in [
        ("ac", "HINTED"),
        ("rw", "TRX"),
        ("ro", "TRX"),
        ("ac0", "TRX"),
    ] {
        let session = Session::before(&Row::new(states, "", ""));
        assert_eq!(word(session.class("SELECT 1", &hints)), target, "{states}");
    }
}
