//! The table of statements: what each text is classified as in each state of a session, and where
//! that sends it. The cases are data in `cases/`; only `check` knows the interface.
//!
//! Flags with a plus are the properties beside the mask.

use std::collections::BTreeMap;
use tidegate_sql::{
    Cache, Hold, Modes, SessionEffect, Statement, TempTables, TrxTracker, TypeMask, classify,
};
use tidegate_testkit::statements::{Row, rows};

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
    /// In the state of a row, after what is said before it.
    fn before(row: &Row) -> Session {
        let mut session = Session::default();
        for (state, text) in row.states() {
            session.run(text);
            if state == "ora" {
                // What a server answers: autocommit is still on.
                session.trx.correct(0x0002);
            }
        }
        for text in &row.before {
            session.run(text);
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

/// One row: what differs, if anything.
fn check(row: &Row) -> Result<(), String> {
    let text = &row.text;
    let session = Session::before(row);
    let statement = classify(text.as_bytes(), session.modes);
    let mask = session.mask(&statement);
    let mut got: Vec<&str> = mask.names().collect();
    got.extend(statement.previous.then_some("+previous"));
    got.extend(statement.multi.then_some("+multi"));
    let mut expected: Vec<&str> = row.flags.split_whitespace().collect();
    got.sort_unstable();
    expected.sort_unstable();
    let got_target = session.target(&statement, mask);
    if got != expected || got_target != row.target {
        return Err(format!(
            "row {}: {text}\n  expected {expected:?} {}\n  got      {got:?} {got_target}",
            row.number, row.target
        ));
    }
    check_cached(text, &session, &statement, &row.number)
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
    let rows = rows();
    let failures: Vec<_> = rows.iter().filter_map(|row| check(row).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(rows.len(), 404, "rows of the table");
}
