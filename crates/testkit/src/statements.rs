//! The table of statements: what each is, in each state of a session, and where it goes.
//!
//! The rows are data in the room that classifies. A line is `row | state | flags | target | text`;
//! one that begins with `>` is said in the session before the next row; `#` begins a remark. In a
//! text, ⏎ ⇥ ␍ ␋ ␌ stand for control characters.

use std::fs;
use std::path::Path;

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Its number in the table.
    pub number: String,
    /// The states of the session, with commas between them.
    pub states: String,
    /// What the session has said before it.
    pub before: Vec<String>,
    /// What it is, with blanks between the words.
    pub flags: String,
    /// The kind of target, or a `server_id`.
    pub target: String,
    /// The statement.
    pub text: String,
}

impl Row {
    /// A row that stands in no file.
    #[must_use]
    pub fn new(states: &str, target: &str, text: &str) -> Self {
        Self {
            number: "of its own".to_owned(),
            states: states.to_owned(),
            target: target.to_owned(),
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// The states that something must be said for, each with the statement that leads there.
    pub fn states(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let states = self.states.split(',');
        states.filter_map(|state| Some((state, statement_of(state)?)))
    }
}

/// All rows, in the order of the files' names.
///
/// # Panics
/// The files cannot be read, or a line has too few columns.
#[must_use]
pub fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/cases");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the cases")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("a text"));
    texts.flat_map(|text| rows_of(&text)).collect()
}

fn rows_of(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut before = Vec::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(earlier) = line.strip_prefix('>') {
            before.push(control_characters(earlier.trim_start()));
            continue;
        }
        let columns: Vec<&str> = line.splitn(5, " | ").collect();
        let &[number, states, flags, target, text] = columns.as_slice() else {
            panic!("a row has five columns: {line}");
        };
        rows.push(Row {
            number: number.to_owned(),
            states: states.to_owned(),
            before: std::mem::take(&mut before),
            flags: flags.to_owned(),
            target: target.to_owned(),
            text: control_characters(text),
        });
    }
    assert!(before.is_empty(), "no row follows {before:?}");
    rows
}

/// What brings a session into a state of the table; `None`: it is in it from the start.
fn statement_of(state: &str) -> Option<&'static str> {
    Some(match state {
        "ac" => return None,
        "rw" => "START TRANSACTION",
        "ro" => "START TRANSACTION READ ONLY",
        "ac0" => "SET autocommit = 0",
        "dro" => "SET SESSION TRANSACTION READ ONLY",
        "next" => "SET TRANSACTION READ ONLY",
        "ser" => "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "tmp" => "CREATE TEMPORARY TABLE tt (id INT)",
        "lock" => "LOCK TABLES t1 READ",
        "nobs" => "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "ansi" => "SET sql_mode = 'ANSI_QUOTES'",
        "ora" => "SET sql_mode = ORACLE",
        other => panic!("no such state: {other}"),
    })
}

fn control_characters(text: &str) -> String {
    text.replace('⏎', "\n")
        .replace('⇥', "\t")
        .replace('␍', "\r")
        .replace('␋', "\u{b}")
        .replace('␌', "\u{c}")
}
