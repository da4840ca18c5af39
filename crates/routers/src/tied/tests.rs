//! Statements that tie a session to its connection, and those that do not.

use tidegate_session::TargetId;
use tidegate_session::freeze::{Decoder, Encoder};
use tidegate_session::request::Request;
use tidegate_session::router::Course;
use tidegate_sql::{Modes, TrxTracker, classify};

use super::{Strict, Tied};

fn after(texts: &[&str]) -> Tied {
    let mut tied = Tied::default();
    let trx = TrxTracker::default();
    for text in texts {
        let statement = classify(text.as_bytes(), Modes::default());
        let request = Request::of_text(text.as_bytes(), &statement, &trx);
        let course = Course::One(TargetId(0));
        tied.follow(&request, course, Some(b"test"), Strict::default());
        tied.settle(false);
    }
    tied
}

#[test]
fn what_only_one_connection_has_ties_the_session_to_it() {
    for texts in [
        &["LOCK TABLES t WRITE"][..],
        &["SELECT 1; LOCK TABLES t WRITE"],
        &["HANDLER t OPEN"],
        &["SELECT 1; HANDLER t OPEN"],
        &["FLUSH TABLES WITH READ LOCK; SELECT 1"],
        &["BACKUP STAGE START"],
        &["SELECT GET_LOCK('a', 1)"],
        &["SELECT 1; SELECT GET_LOCK('a', 1)"],
        &["DO GET_LOCK('a', 1)"],
        &["EXECUTE IMMEDIATE 'SELECT GET_LOCK(\"a\", 1)'"],
        &["PREPARE s FROM 'SELECT GET_LOCK(\"a\", 1)'", "EXECUTE s"],
        &["PREPARE s FROM 'LOCK TABLES t WRITE'", "execute S"],
        &[
            "PREPARE s FROM 'SELECT GET_LOCK(\"a\", 1)'",
            "SELECT 1; EXECUTE s",
        ],
        &["CREATE TEMPORARY TABLE tt (a INT)"],
        &["SELECT 1; CREATE TEMPORARY TABLE tt (a INT)"],
        &["EXECUTE IMMEDIATE 'CREATE TEMPORARY TABLE tt (a INT)'"],
        &[
            "PREPARE s FROM 'CREATE TEMPORARY TABLE tt (a INT)'",
            "EXECUTE s",
        ],
        &["INSERT INTO t VALUES (@i := 7)"],
        &["SELECT 1; SELECT @i := a FROM t"],
        &["PREPARE s FROM 'SELECT a INTO @i FROM t'", "EXECUTE s"],
        &["EXECUTE IMMEDIATE 'SELECT a INTO @i FROM t'"],
        &["SELECT 1; SET SESSION sql_mode = ''"],
        // What they run is not known.
        &["BEGIN NOT ATOMIC SELECT GET_LOCK('a', 1); END"],
        &["EXECUTE s"],
        &["EXECUTE IMMEDIATE @text"],
        &["PREPARE s FROM @text", "EXECUTE s"],
        &["PREPARE s FROM 'CALL p()'", "EXECUTE s"],
        &["PREPARE s FROM 'SELECT 1'", "CALL p()", "EXECUTE s"],
    ] {
        assert!(after(texts).tie().is_some(), "{texts:?} ties nothing");
    }
}

#[test]
fn what_every_connection_can_be_given_ties_nothing() {
    for texts in [
        &["SELECT a FROM t"][..],
        &["SELECT 1; SELECT 2"],
        &["LOCK TABLES t WRITE", "UNLOCK TABLES"],
        &["HANDLER t OPEN", "HANDLER t CLOSE"],
        &["SELECT GET_LOCK('a', 1)", "SELECT RELEASE_ALL_LOCKS()"],
        &[
            "CREATE TEMPORARY TABLE tt (a INT)",
            "DROP TEMPORARY TABLE tt",
        ],
        &["PREPARE s FROM 'SELECT GET_LOCK(\"a\", 1)'"],
        &[
            "PREPARE s FROM 'SELECT a FROM t WHERE id = ?'",
            "EXECUTE s USING @a",
        ],
        &["EXECUTE IMMEDIATE 'SELECT a FROM t'"],
        &["INSERT INTO t VALUES (1)"],
    ] {
        assert_eq!(after(texts).tie(), None, "{texts:?}");
    }
}

#[test]
fn a_failed_statement_makes_no_temporary_table() {
    let text = "CREATE TEMPORARY TABLE tt (a INT)";
    let statement = classify(text.as_bytes(), Modes::default());
    let trx = TrxTracker::default();
    let mut tied = Tied::default();
    let request = Request::of_text(text.as_bytes(), &statement, &trx);
    tied.follow(&request, Course::One(TargetId(0)), None, Strict::default());
    assert!(tied.tie().is_some(), "its answer is not known yet");
    tied.settle(true);
    assert_eq!(tied.tie(), None);
}

#[test]
fn frozen_and_thawed_it_ties_the_same() {
    for texts in [
        &["SELECT a FROM t"][..],
        &["HANDLER t OPEN"],
        &["CREATE TEMPORARY TABLE tt (a INT)"],
        &["SELECT a INTO @i FROM t"],
        &["EXECUTE s"],
    ] {
        let tied = after(texts);
        let mut encoder = Encoder::default();
        tied.freeze(&mut encoder);
        let bytes = encoder.into_bytes();
        let thawed = Tied::thaw(&mut Decoder::new(&bytes)).expect("our own encoding");
        assert_eq!(thawed.tie(), tied.tie(), "{texts:?}");
    }
}
