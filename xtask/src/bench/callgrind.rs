//! Instructions of single operations, counted by callgrind: exact where times are noisy.
//!
//! The programs are in the `bench` package: each is called with a case and a number of
//! repetitions. Two runs of different length are compared, so that start and preparation fall
//! out.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Settings;
use super::report::{Bar, Row};
use crate::shell;

/// The program's name and the profile it is built in: the release with names.
const PROGRAM: &str = "instructions";
const PROFILE: &str = "profiling";

/// Repetitions of the shorter run; the longer one has twice as many.
const REPETITIONS: u64 = 2000;

/// One operation.
struct Case {
    name: &'static str,
    what: &'static str,
    bar: Option<Bar>,
}

const CASES: &[Case] = &[
    Case {
        name: "session-point-select",
        what: "session core: a routed text point select, request and reply, seen before",
        bar: Some(Bar::AtMost(5000.0)),
    },
    Case {
        name: "classify-same-bytes",
        what: "classification of 100 bytes: the same bytes again",
        bar: None,
    },
    Case {
        name: "classify-same-canonical",
        what: "classification of 100 bytes: the same canonical form, other literals",
        bar: None,
    },
    Case {
        name: "classify-new",
        what: "classification of 100 bytes: new",
        bar: None,
    },
];

pub(super) fn run(_: &Settings) -> Result<Vec<Row>> {
    let program = build()?;
    CASES
        .iter()
        .map(|case| {
            let short = count(&program, case.name, REPETITIONS)?;
            let long = count(&program, case.name, REPETITIONS * 2)?;
            let each = long.saturating_sub(short) as f64 / REPETITIONS as f64;
            println!("  {}: {each:.0} instructions", case.name);
            Ok(Row::once(case.what, "instructions", each, case.bar))
        })
        .collect()
}

fn build() -> Result<PathBuf> {
    let target = shell::target_folder()?;
    let mut cargo = shell::cargo();
    cargo
        .args([
            "build",
            "--locked",
            "--profile",
            PROFILE,
            "-p",
            "tidegate-bench",
        ])
        .args(["--bin", PROGRAM])
        .env("CARGO_TARGET_DIR", &target);
    shell::run(&mut cargo)?;
    Ok(target.join(PROFILE).join(PROGRAM))
}

/// Instructions of one run.
fn count(program: &Path, case: &str, repetitions: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([case, &repetitions.to_string()]);
    let output = valgrind.output().context("cannot start valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} failed: {said}",
        shell::line(&valgrind)
    );
    collected(&said).with_context(|| format!("no count in what callgrind said: {said}"))
}

/// The number callgrind reports.
fn collected(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("Collected :")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read() {
        let said = "==7== Events    : Ir\n==7== Collected : 223456\n==7== \n";
        assert_eq!(collected(said), Some(223_456));
        assert_eq!(collected("==7== error"), None);
    }
}
