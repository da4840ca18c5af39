//! Where statements go by their text and the session's state, row by row.

use tidegate_session::request::Request;
use tidegate_session::router::Course;
use tidegate_session::{Link, TargetId};
use tidegate_sql::hints::{Hint, Route};
use tidegate_sql::{Modes, TempTables, TrxTracker, classify};
use tidegate_wire::Command;

use super::params::ReadWriteSplitParams;
use super::route::{Class, Pin, State, class};
use super::session::Split;
use super::settings::Settings;
use super::targets::first_of;
use crate::tied::Variables;

/// A session as far as the rules look at it.
#[derive(Default)]
struct Bench {
    trx: TrxTracker,
    temporary: TempTables,
    pinned: Option<Pin>,
    variables: Variables,
    hints: Vec<Hint>,
}

impl Bench {
    fn after(statements: &[&str]) -> Bench {
        let mut bench = Bench::default();
        for text in statements {
            let statement = classify(text.as_bytes(), Modes::default());
            bench.trx.predict(&statement);
            bench.temporary.follow(&statement, Some(b"test"));
        }
        bench
    }

    fn class(&self, command: Command, text: &str) -> Class {
        let statement = classify(text.as_bytes(), Modes::default());
        let request = Request {
            command,
            statement: (!text.is_empty()).then_some(&statement),
            hints: &self.hints,
            ..Request::of_text(text.as_bytes(), &statement, &self.trx)
        };
        let state = State {
            temporary: &self.temporary,
            database: Some(b"test"),
            pinned: self.pinned,
            variables: &self.variables,
            variables_on_primary: false,
        };
        class(&request, state)
    }

    #[track_caller]
    fn check(&self, rows: &[(&str, Class)]) {
        for (text, expected) in rows {
            assert_eq!(self.class(Command::Query, text), *expected, "{text}");
        }
    }
}

#[test]
fn with_nothing_open() {
    Bench::default().check(&[
        ("SELECT a FROM t", Class::Replica),
        ("SHOW TABLES", Class::Replica),
        ("SELECT a FROM t FOR UPDATE", Class::Primary),
        ("INSERT INTO t VALUES (1)", Class::Primary),
        ("CREATE TABLE t (a INT)", Class::Primary),
        ("CALL p()", Class::Primary),
        ("SELECT LAST_INSERT_ID()", Class::Primary),
        ("SET autocommit=0", Class::All),
        ("SET NAMES utf8mb4", Class::All),
        ("USE test", Class::All),
        ("PREPARE s FROM 'SELECT 1'", Class::All),
        ("BEGIN", Class::Primary),
        ("START TRANSACTION READ ONLY", Class::Replica),
        ("COMMIT", Class::Primary),
        ("SELECT 1; SELECT 2", Class::Primary),
        ("SHOW WARNINGS", Class::Last),
        ("SELECT FOUND_ROWS()", Class::Last),
        ("INSERT INTO t SELECT FOUND_ROWS()", Class::Primary),
        ("FROBNICATE THE TABLES", Class::Primary),
    ]);
}

#[test]
fn in_a_transaction_everything_but_session_state_stays() {
    for begin in ["BEGIN", "START TRANSACTION READ ONLY", "SET autocommit=0"] {
        Bench::after(&[begin]).check(&[
            ("SELECT a FROM t", Class::Transaction),
            ("INSERT INTO t VALUES (1)", Class::Transaction),
            ("COMMIT", Class::Transaction),
            ("SHOW WARNINGS", Class::Transaction),
            ("SET @a=1", Class::All),
        ]);
    }
}

#[test]
fn temporary_tables_are_where_they_were_made() {
    let bench = Bench::after(&["CREATE TEMPORARY TABLE tt (a INT)"]);
    bench.check(&[
        ("SELECT a FROM tt", Class::Primary),
        ("SELECT a FROM other", Class::Replica),
        ("PREPARE s FROM 'SELECT a FROM tt'", Class::Primary),
        ("PREPARE s FROM 'INSERT INTO tt VALUES (1)'", Class::Primary),
        ("PREPARE s FROM 'SELECT a FROM other'", Class::All),
    ]);
    for (text, expected) in [
        ("SELECT a FROM tt", Class::Primary),
        ("INSERT INTO tt VALUES (1)", Class::Primary),
        ("SELECT a FROM other", Class::All),
    ] {
        assert_eq!(bench.class(Command::StmtPrepare, text), expected, "{text}");
    }
    assert_eq!(bench.class(Command::FieldList, ""), Class::Primary);
}

#[test]
fn a_pinned_session_reads_from_the_primary_and_still_sets_state_everywhere() {
    let bench = Bench {
        pinned: Some(Pin::Lock),
        ..Bench::default()
    };
    bench.check(&[
        ("SELECT a FROM t", Class::Primary),
        ("SET @a=1", Class::All),
    ]);
}

#[test]
fn a_variable_that_only_one_server_has_is_read_there() {
    let mut variables = Variables::default();
    let assigned = classify(b"SELECT MAX(id) INTO @a FROM t", Modes::default());
    variables.follow(&assigned, Course::One(TargetId(2)));
    let bench = Bench {
        variables,
        ..Bench::default()
    };
    bench.check(&[
        ("SELECT @a", Class::Owner(TargetId(2))),
        ("SELECT a FROM t", Class::Replica),
    ]);
    Bench::default().check(&[("SELECT @a", Class::Replica)]);
}

#[test]
fn a_hint_counts_outside_of_transactions() {
    let hints = vec![Hint::Route(Route::Master)];
    let bench = Bench {
        hints: hints.clone(),
        ..Bench::default()
    };
    bench.check(&[("SELECT a FROM t", Class::Hinted)]);
    let bench = Bench {
        hints,
        ..Bench::after(&["BEGIN"])
    };
    bench.check(&[("SELECT a FROM t", Class::Transaction)]);
}

#[test]
fn commands_without_text() {
    let bench = Bench::default();
    for (command, expected) in [
        (Command::InitDb, Class::All),
        (Command::ResetConnection, Class::All),
        (Command::SetOption, Class::All),
        (Command::Ping, Class::Replica),
        (Command::Statistics, Class::Replica),
        (Command::FieldList, Class::Replica),
        (Command::StmtFetch, Class::Last),
        (Command::Shutdown, Class::Primary),
    ] {
        assert_eq!(bench.class(command, ""), expected, "{}", command.name());
    }
}

#[test]
fn only_what_is_executed_ties_a_session_to_a_server() {
    let trx = TrxTracker::default();
    for text in [
        "SET @a = @a + 1",
        "CREATE TEMPORARY TABLE t (a INT)",
        "SELECT GET_LOCK('x', 1)",
        "LOCK TABLES t READ",
    ] {
        let statement = classify(text.as_bytes(), Modes::default());
        for (command, bare) in [
            (Command::StmtPrepare, true),
            (Command::StmtSendLongData, true),
            (Command::StmtFetch, true),
            (Command::StmtReset, true),
            (Command::StmtClose, true),
            (Command::StmtExecute, false),
        ] {
            let mut split = Split::new(Settings::new(&ReadWriteSplitParams::default()), None);
            let request = Request {
                command,
                ..Request::of_text(text.as_bytes(), &statement, &trx)
            };
            let course = Course::One(TargetId(0));
            split
                .tied
                .follow(&request, course, Some(b"test"), split.settings.strict);
            let is_bare = split.tied.is_bare() && split.tied.is_settled();
            assert_eq!(is_bare, bare, "{} of {text}", command.name());
        }
    }
}

#[test]
fn a_session_command_is_kept_from_no_connection_that_is_being_opened() {
    let answers = |links: &[Link], new| {
        let ids = || (0..).map(TargetId).zip(links.iter().copied());
        first_of(ids, || new)
    };
    let new = Some(TargetId(7));
    let (open, opening, closed) = (Link::Open, Link::Opening, Link::Closed);
    assert_eq!(answers(&[opening, open], new), Some(TargetId(1)));
    assert_eq!(answers(&[opening, closed], new), new);
    assert_eq!(answers(&[closed, opening], None), Some(TargetId(1)));
    assert_eq!(answers(&[closed, Link::Failed], None), None);
}
