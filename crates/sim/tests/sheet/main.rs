//! readwritesplit's worked sequences and its outcomes by failure mode, as scripts that are played
//! to a session: the client says, a server answers, a server dies.
//!
//! The scripts lie in `cases/`; [`script`] says how they are written. Nothing goes unseen in one:
//! before anything else happens, everything that a server or the client was told must have been
//! expected, word by word and in order. Logins and what the proxy sets on a new connection are
//! answered by themselves.

mod client;
mod packets;
mod play;
mod script;
mod server;
mod service;
mod shares;
mod stage;

use std::path::Path;

use play::Play;
use script::Script;

/// The three ways to take the loss of the primary.
const MODES: [&str; 3] = ["fail_instantly", "fail_on_write", "error_on_write"];

/// Plays every script of a folder in every mode.
fn play_all(folder: &str, at_least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cases")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= at_least, "{} scripts", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("a script");
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for mode in MODES {
            if let Err(error) = Play::new(mode, &script).run() {
                wrong.push(format!("{name}, {mode}: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_worked_sequences() {
    play_all("sequences", 18);
}

#[test]
fn scripts_that_carry_state_and_rows_that_depend_on_a_setting() {
    play_all("classes", 35);
}

#[test]
fn behaviours_of_sessions_whose_servers_fail_and_change() {
    play_all("behaviours", 57);
}

#[test]
fn what_becomes_of_sessions_in_each_failure_mode() {
    play_all("matrix", 15);
}
