//! The rows of the table.

use std::path::Path;

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: String,
    /// The states of the session, with commas between them.
    pub(super) states: String,
    /// What the session has said before it.
    pub(super) before: Vec<String>,
    /// The kind of target, or a `server_id`.
    pub(super) target: String,
    pub(super) text: String,
}

impl Row {
    /// A row that stands in no file.
    pub(super) fn new(states: &str, target: &str, text: &str) -> Row {
        Row {
            number: "of its own".to_owned(),
            states: states.to_owned(),
            before: Vec::new(),
            target: target.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Does the server close its connection behind it?
    pub(super) fn hangs_up(&self) -> bool {
        self.text.ends_with(" RELEASE") && !self.text.ends_with("NO RELEASE")
    }
}

/// All rows, as they stand beside the classification.
pub(super) fn rows() -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the cases")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let mut before = Vec::new();
        for line in std::fs::read_to_string(file).expect("a text").lines() {
            if let Some(text) = line.strip_prefix('>') {
                before.push(control_characters(text.trim_start()));
                continue;
            }
            let fields: Vec<&str> = line.splitn(5, " | ").collect();
            let &[number, states, _, target, text] = fields.as_slice() else {
                continue;
            };
            if !line.starts_with('#') {
                rows.push(Row {
                    number: number.to_owned(),
                    states: states.to_owned(),
                    before: std::mem::take(&mut before),
                    target: target.to_owned(),
                    text: control_characters(text),
                });
            }
        }
    }
    rows
}

fn control_characters(text: &str) -> String {
    text.replace('⏎', "\n")
        .replace('⇥', "\t")
        .replace('␍', "\r")
        .replace('␋', "\u{b}")
        .replace('␌', "\u{c}")
}
