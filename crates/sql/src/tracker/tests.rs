use super::*;
use crate::{Modes, classify};

/// Runs statements separated by `|`. Behind each stands what is believed afterwards: `o` open,
/// `r` read-only, `s` it started, `e` it ended, `a` autocommit is off, `n` a SET TRANSACTION waits,
/// `x` in an XA transaction, `d` read-only by default, `z` SERIALIZABLE; `-` for none.
#[track_caller]
fn check(script: &str) {
    let mut tracker = TrxTracker::new();
    for step in script.split('|') {
        let (text, expect) = step
            .trim()
            .rsplit_once(' ')
            .expect("a statement and its state");
        tracker.predict(&classify(text.as_bytes(), Modes::default()));
        assert_eq!(shown(&tracker), expect, "after {text} in {script}");
    }
}

fn shown(tracker: &TrxTracker) -> String {
    let flags = [
        ('o', tracker.is_open()),
        ('r', tracker.is_read_only()),
        ('s', tracker.trx_starting()),
        ('e', tracker.trx_ending()),
        ('a', !tracker.autocommit()),
        ('n', tracker.is_next_pending()),
        ('x', tracker.in_xa()),
        ('d', tracker.is_default_read_only()),
        ('z', tracker.is_serializable()),
    ];
    let set: String = flags
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| name)
        .collect();
    if set.is_empty() { "-".into() } else { set }
}

#[test]
fn explicit_transactions() {
    check("SELECT 1 - | BEGIN os | SELECT 1 o | COMMIT e | SELECT 1 -");
    check("START TRANSACTION READ ONLY ors | SELECT 1 or | ROLLBACK e");
    check("BEGIN os | BEGIN os | ROLLBACK TO sp o | COMMIT AND CHAIN ose | ROLLBACK e");
    check("START TRANSACTION READ ONLY ors | COMMIT AND CHAIN orse");
    check("COMMIT - | ROLLBACK -");
}

#[test]
fn autocommit_off() {
    check("SET autocommit=0 osa | SELECT 1 oa | COMMIT oea | SELECT 1 oa | SET autocommit=1 e");
    check("SET autocommit=0 osa | BEGIN osa | CREATE TABLE t (a INT) oea | SET autocommit=1 e");
}

#[test]
fn implicit_commits() {
    check("BEGIN os | CREATE TABLE t (a INT) e | CREATE TABLE u (a INT) -");
    check("BEGIN os | CREATE TEMPORARY TABLE t (a INT) o | LOCK TABLES t READ e");
}

#[test]
fn access_modes() {
    check("SET TRANSACTION READ ONLY n | START TRANSACTION orsn | COMMIT e | BEGIN os");
    check(
        "SET SESSION TRANSACTION READ ONLY d | BEGIN orsd | COMMIT ed | START TRANSACTION READ WRITE osd | COMMIT ed",
    );
    check(
        "SET SESSION TRANSACTION READ ONLY d | SET TRANSACTION READ WRITE nd | BEGIN osnd | COMMIT ed | BEGIN orsd",
    );
    check(
        "SET tx_read_only = 1 d | SET @@session.transaction_read_only = OFF - | SET GLOBAL tx_read_only = 1 -",
    );
}

#[test]
fn isolation() {
    check(
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE z | SET tx_isolation = 'READ-COMMITTED' -",
    );
    check("SET transaction_isolation = 'serializable' z | SET @x = 1 z");
    let mut tracker = TrxTracker::new();
    tracker.set_serializable(true);
    tracker.failed();
    assert!(tracker.is_serializable());
}

#[test]
fn xa() {
    check("XA START 'a' osx | SELECT 1 ox | XA END 'a' ox | XA PREPARE 'a' e | XA COMMIT 'a' -");
    check("XA START 'a' osx | XA END 'a' ox | XA ROLLBACK 'a' e");
}

#[test]
fn several_statements() {
    check("BEGIN; SELECT 1 os | COMMIT; SELECT 1 e");
    check("BEGIN; COMMIT se");
    check("SET autocommit=0; SELECT 1 osa");
}

fn after(texts: &[&str]) -> TrxTracker {
    let mut tracker = TrxTracker::new();
    for text in texts {
        tracker.predict(&classify(text.as_bytes(), Modes::default()));
    }
    tracker
}

/// Status words seen on MariaDB 10.11.
#[test]
fn the_status_word_is_right() {
    for (texts, status, expect) in [
        (&["CALL p1()"][..], 0x0003, "os"),
        (&["BEGIN", "CALL p1()"], 0x0002, "e"),
        (&["START TRANSACTION"], 0x0003, "os"),
        (&["START TRANSACTION READ ONLY"], 0x2003, "ors"),
        (&["COMMIT"], 0x0002, "-"),
        (&["BEGIN", "COMMIT"], 0x0002, "e"),
        (&["BEGIN", "COMMIT AND CHAIN"], 0x0003, "ose"),
        (&["SET sql_mode = ORACLE"], 0x0002, "-"),
        (&["SET autocommit = -0"], 0x0000, "osa"),
        (&["SET autocommit = 0", "SELECT 1"], 0x0000, "oa"),
        (&["XA START 'a'", "XA END 'a'"], 0x0003, "ox"),
        (
            &["XA START 'a'", "XA END 'a'", "XA ROLLBACK 'a'"],
            0x0002,
            "e",
        ),
        (&["BEGIN NOT ATOMIC START TRANSACTION; END"], 0x0003, "os"),
        (&["BEGIN", "SELECT 1"], 0x0003, "o"),
        (
            &["SET TRANSACTION READ ONLY", "BEGIN", "CALL p1()"],
            0x0002,
            "e",
        ),
    ] {
        let mut tracker = after(texts);
        tracker.correct(status);
        assert_eq!(shown(&tracker), expect, "{texts:?}");
    }
}

#[test]
fn a_failure_takes_the_prediction_back() {
    let mut tracker = after(&["START TRANSACTION READ WRITE"]);
    tracker.failed();
    assert_eq!(shown(&tracker), "-");
    let mut tracker = after(&["BEGIN", "SET autocommit = 0"]);
    tracker.failed();
    assert_eq!(shown(&tracker), "o");
    assert!(tracker.was_open());
}

#[test]
fn of_several_statements_those_before_the_failed_one_have_happened() {
    for (texts, status, expect) in [
        (
            &["BEGIN; INSERT INTO t VALUES (1); SELECT nothing"][..],
            0x000b,
            "os",
        ),
        (&["BEGIN", "COMMIT; SELECT nothing; BEGIN"], 0x000a, "e"),
        (&["SET autocommit = 0; SELECT nothing"], 0x0008, "osa"),
        (&["SELECT 1; SELECT nothing; BEGIN"], 0x000a, "-"),
    ] {
        let mut tracker = after(texts);
        tracker.failed_behind(status);
        assert_eq!(shown(&tracker), expect, "{texts:?}");
    }
}

#[test]
fn bits_go_there_and_back() {
    for texts in [
        &["SELECT 1"][..],
        &["SET autocommit = 0", "SELECT 1"],
        &["SET TRANSACTION READ WRITE", "SELECT 1"],
        &[
            "SET SESSION TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
            "BEGIN",
            "SELECT 1",
        ],
        &["XA START 'a'", "SELECT 1"],
    ] {
        let tracker = after(texts);
        let thawed = TrxTracker::from_bits(tracker.to_bits());
        assert_eq!(shown(&thawed), shown(&tracker), "{texts:?}");
    }
}

/// All states that have these flags.
fn trackers() -> impl Iterator<Item = TrxTracker> {
    let state = |bits: u16| State {
        autocommit_off: bits & 1 != 0,
        open: bits & 2 != 0,
        read_only: bits & 4 != 0,
        xa: bits & 8 != 0,
        next: (bits & 16 != 0).then_some(Access::ReadOnly),
        default_read_only: false,
        serializable: false,
        starting: bits & 32 != 0,
        ending: bits & 64 != 0,
    };
    (0..128u16).flat_map(move |now| {
        (0..4).map(move |before| TrxTracker {
            now: state(now),
            before: state(before),
        })
    })
}

#[test]
fn the_quick_way_of_a_status_word_leads_where_the_long_one_does() {
    for status in [0, 1, 2, 3, IN_TRANS_READONLY, 2 | IN_TRANS_READONLY, 0xFFFF] {
        for tracker in trackers() {
            let (mut quick, mut long) = (tracker, tracker);
            quick.correct(status);
            long.take_over(status);
            assert_eq!(quick, long, "{tracker:?}, {status:#x}");
        }
    }
}
