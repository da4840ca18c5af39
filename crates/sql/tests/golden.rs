//! The table of statements: what each text is classified as in each state of a session, and where
//! that sends it. The cases are data in `cases/`; only `check` knows the interface.
//!
//! A line is `row | state | flags | target | text`. Flags with a plus are the properties beside the
//! mask. A line that begins with `>` is run in the session before the next row. In a text, ⏎ ⇥ ␍ ␋ ␌
//! stand for the control characters.

use std::collections::BTreeMap;
use tidegate_sql::{
    Cache, Hold, Modes, SessionEffect, Statement, TempTables, TrxTracker, TypeMask, classify,
};

const CASES: &[(&str, &str)] = &[
    ("a", include_str!("../cases/a-plain-reads.txt")),
    (
        "b",
        include_str!("../cases/b-changes-and-locking-reads.txt"),
    ),
    ("c", include_str!("../cases/c-definitions-and-accounts.txt")),
    ("d", include_str!("../cases/d-session-state.txt")),
    ("e", include_str!("../cases/e-transactions.txt")),
    ("f", include_str!("../cases/f-xa.txt")),
    ("g", include_str!("../cases/g-temporary-tables.txt")),
    ("h", include_str!("../cases/h-text-prepared-statements.txt")),
    ("i", include_str!("../cases/i-functions.txt")),
    ("j", include_str!("../cases/j-sequences.txt")),
    ("k", include_str!("../cases/k-locks-and-administration.txt")),
    ("l", include_str!("../cases/l-show-and-explain.txt")),
    ("m", include_str!("../cases/m-several-statements.txt")),
    ("n", include_str!("../cases/n-comments.txt")),
    ("o", include_str!("../cases/o-quoting-and-names.txt")),
    ("p", include_str!("../cases/p-hints.txt")),
    ("q", include_str!("../cases/q-sql-mode-oracle.txt")),
];

/// A session as far as classification knows one.
#[derive(Default)]
struct Session {
    modes: Modes,
    trx: TrxTracker,
    temporary: TempTables,
    prepared: BTreeMap<Box<[u8]>, Option<Box<Statement>>>,
    tables_locked: bool,
}

impl Session {
    fn in_state(states: &str) -> Session {
        let mut session = Session::default();
        for state in states.split(',') {
            match state {
                "ac" => {}
                "rw" => session.run("START TRANSACTION"),
                "ro" => session.run("START TRANSACTION READ ONLY"),
                "ac0" => session.run("SET autocommit = 0"),
                "dro" => session.run("SET SESSION TRANSACTION READ ONLY"),
                "next" => session.run("SET TRANSACTION READ ONLY"),
                "ser" => session.run("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
                "tmp" => session.run("CREATE TEMPORARY TABLE tt (id INT)"),
                "lock" => session.run("LOCK TABLES t1 READ"),
                "nobs" => session.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'"),
                "ansi" => session.run("SET sql_mode = 'ANSI_QUOTES'"),
                "ora" => {
                    session.run("SET sql_mode = ORACLE");
                    // What a server answers: autocommit is still on.
                    session.trx.correct(0x0002);
                }
                other => panic!("no such state: {other}"),
            }
        }
        session
    }

    /// Runs a statement that succeeds.
    fn run(&mut self, text: &str) {
        let statement = classify(text.as_bytes(), self.modes);
        self.trx.predict(&statement);
        self.modes = self.modes.after(&statement);
        self.temporary.follow(&statement, Some(b"test"));
        match statement.effect {
            Some(SessionEffect::Prepare { name, inner }) => {
                self.prepared.insert(name, inner);
            }
            Some(SessionEffect::Hold(Hold::Tables)) => self.tables_locked = true,
            _ => {}
        }
    }

    fn mask(&self, statement: &Statement) -> TypeMask {
        let mask = self.temporary.mask_of(statement, Some(b"test"));
        match &statement.effect {
            Some(SessionEffect::Execute { name, .. }) => {
                let inner = self.prepared.get(name).and_then(Option::as_deref);
                mask | statement.executed_mask(inner)
            }
            _ => mask,
        }
    }

    /// The target, by the order of rules that readwritesplit follows.
    fn target(&self, statement: &Statement, mask: TypeMask) -> &'static str {
        let session_command = TypeMask::SESSION_WRITE
            | TypeMask::GSYSVAR_WRITE
            | TypeMask::PREPARE_NAMED_STMT
            | TypeMask::DEALLOC_PREPARE
            | TypeMask::ENABLE_AUTOCOMMIT
            | TypeMask::DISABLE_AUTOCOMMIT;
        let primary = TypeMask::WRITE
            | TypeMask::MASTER_READ
            | TypeMask::CREATE_TMP_TABLE
            | TypeMask::READ_TMP_TABLE
            | TypeMask::COMMIT
            | TypeMask::ROLLBACK
            | TypeMask::UNKNOWN;
        let replica = TypeMask::USERVAR_READ
            | TypeMask::READ
            | TypeMask::SYSVAR_READ
            | TypeMask::GSYSVAR_READ
            | TypeMask::SHOW_DATABASES
            | TypeMask::SHOW_TABLES;
        let prepares_temporary =
            mask.contains(TypeMask::PREPARE_NAMED_STMT | TypeMask::READ_TMP_TABLE);
        let trx = &self.trx;
        let read_only = mask.contains(TypeMask::READONLY)
            || trx.is_default_read_only() && !mask.contains(TypeMask::READWRITE);
        match () {
            () if matches!(statement.effect, Some(SessionEffect::Kill(_))) => "PROXY",
            () if statement.session_id_column.is_some() => "PROXY",
            () if statement.multi && trx.is_open() => "TRX",
            () if statement.multi => "PRIMARY",
            () if mask.contains(TypeMask::NEXT_TRX) || prepares_temporary => "PRIMARY",
            () if mask.intersects(session_command) && !mask.contains(TypeMask::WRITE) => "ALL",
            () if trx.is_open() => "TRX",
            () if statement.previous => "LAST",
            () if self.tables_locked || trx.is_serializable() || trx.is_next_pending() => "PRIMARY",
            () if mask.contains(TypeMask::BEGIN_TRX) && read_only => "REPLICA",
            () if mask.intersects(primary | TypeMask::BEGIN_TRX) => "PRIMARY",
            () if mask.contains(TypeMask::USERVAR_WRITE) => "ALL",
            () if mask.intersects(replica) => "REPLICA",
            () => "PRIMARY",
        }
    }
}

fn control_characters(text: &str) -> String {
    text.replace('⏎', "\n")
        .replace('⇥', "\t")
        .replace('␍', "\r")
        .replace('␋', "\u{b}")
        .replace('␌', "\u{c}")
}

/// One row: what differs, if anything.
fn check(line: &str, before: &[&str]) -> Result<(), String> {
    let mut columns = line.splitn(5, " | ");
    let mut column = || columns.next().unwrap_or_default();
    let (row, state, flags, target, text) = (column(), column(), column(), column(), column());
    let text = control_characters(text);
    let mut session = Session::in_state(state);
    for earlier in before {
        session.run(earlier);
    }
    let statement = classify(text.as_bytes(), session.modes);
    let mask = session.mask(&statement);
    let mut got: Vec<&str> = mask.names().collect();
    got.extend(statement.previous.then_some("+previous"));
    got.extend(statement.multi.then_some("+multi"));
    let mut expected: Vec<&str> = flags.split_whitespace().collect();
    got.sort_unstable();
    expected.sort_unstable();
    let got_target = session.target(&statement, mask);
    if got != expected || got_target != target {
        return Err(format!(
            "row {row}: {text}\n  expected {expected:?} {target}\n  got      {got:?} {got_target}"
        ));
    }
    check_cached(&text, &session, &statement, row)
}

/// A cache answers with the same, the first time and the second.
fn check_cached(
    text: &str,
    session: &Session,
    statement: &Statement,
    row: &str,
) -> Result<(), String> {
    let mut cache = Cache::new(1 << 20);
    for _ in 0..2 {
        if cache.classify(text.as_bytes(), session.modes) != statement {
            return Err(format!("row {row}: the cache differs for {text}"));
        }
    }
    Ok(())
}

#[test]
fn every_row_of_the_table() {
    let mut failures = Vec::new();
    let mut count = 0;
    for (section, cases) in CASES {
        let mut before = Vec::new();
        for line in cases.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(earlier) = line.strip_prefix("> ") {
                before.push(earlier);
                continue;
            }
            count += 1;
            if let Err(failure) = check(line, &before) {
                failures.push(format!("{section}: {failure}"));
            }
            before.clear();
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(count, 404, "rows of the table");
}
