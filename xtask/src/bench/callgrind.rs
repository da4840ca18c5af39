//! Instructions of single operations, counted by callgrind: exact where times are noisy.
//!
//! The programs are examples of the rooms they measure. Each is called with its case and a number
//! of repetitions; two runs of different length are compared, so that start and preparation fall
//! out. What the program itself does in a repetition is counted in a run without the operation, where
//! it is more than a few instructions, and taken off.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Settings;
use super::report::{Bar, Row};
use crate::shell;

/// The profile they are built in: the release with names.
const PROFILE: &str = "profiling";

/// Repetitions of the shorter run; the longer one has twice as many.
const REPETITIONS: u64 = 2000;

/// One operation: an example of a package, and what it is called with before the repetitions.
struct Case {
    package: &'static str,
    example: &'static str,
    arguments: &'static [&'static str],
    /// What is put behind them for a run that does all but the operation: that much is taken off.
    empty: Option<&'static str>,
    what: &'static str,
    bar: Option<Bar>,
    /// What it took when it was measured last, and a little: counts are the same on every run, but
    /// not with every compiler.
    budget: Option<f64>,
}

const CASES: &[Case] = &[
    Case {
        package: "tidegate-sim",
        example: "session_cost",
        arguments: &["text"],
        empty: Some("empty"),
        what: "session core: a routed text point select, request and reply, seen before",
        bar: Some(Bar::AtMost(5000.0)),
        budget: Some(3480.0),
    },
    Case {
        package: "tidegate-sim",
        example: "session_cost",
        arguments: &["execute"],
        empty: Some("empty"),
        what: "session core: a routed EXECUTE of a point select, request and reply",
        bar: Some(Bar::AtMost(3000.0)),
        budget: Some(3070.0),
    },
    Case {
        package: "tidegate-sim",
        example: "session_cost",
        arguments: &["connection"],
        empty: Some("empty"),
        what: "session core: a text point select through readconnroute, request and reply",
        bar: None,
        budget: Some(2250.0),
    },
    Case {
        package: "tidegate-sql",
        example: "classify_cost",
        arguments: &["same"],
        empty: None,
        what: "classification of 100 bytes: the same bytes again",
        bar: None,
        budget: None,
    },
    Case {
        package: "tidegate-sql",
        example: "classify_cost",
        arguments: &["literals"],
        empty: None,
        what: "classification of 100 bytes: the same canonical form, other literals",
        bar: None,
        budget: None,
    },
    Case {
        package: "tidegate-sql",
        example: "classify_cost",
        arguments: &["new"],
        empty: None,
        what: "classification of 100 bytes: new",
        bar: None,
        budget: None,
    },
    Case {
        package: "tidegate-sql",
        example: "classify_cost",
        arguments: &["bare"],
        empty: None,
        what: "classification of 100 bytes: without the cache",
        bar: None,
        budget: None,
    },
    Case {
        package: "tidegate-wire",
        example: "reply_cost",
        arguments: &[],
        empty: None,
        what: "following the reply of a point select",
        bar: None,
        budget: None,
    },
];

pub(super) fn run(_: &Settings) -> Result<Vec<Row>> {
    // One that is missing does not hide the others.
    let rows = CASES.iter().map(|case| {
        case.measure().unwrap_or_else(|error| {
            println!("  not measured: {error:#}");
            Row::missing(case.what, &error)
        })
    });
    Ok(rows.collect())
}

impl Case {
    fn measure(&self) -> Result<Row> {
        let program = self.build()?;
        let whole = self.each(&program, self.arguments)?;
        let own = match self.empty {
            Some(word) => self.each(&program, &[self.arguments, &[word]].concat())?,
            None => 0.0,
        };
        let each = whole - own;
        println!(
            "  {}: {each:.0} instructions; {own:.0} of the measuring program are taken off",
            self.what
        );
        Ok(Row::once(self.what, "instructions", each, self.bar).within(self.budget))
    }

    /// Instructions of one repetition.
    fn each(&self, program: &Path, arguments: &[&str]) -> Result<f64> {
        let short = count(program, arguments, REPETITIONS)?;
        let long = count(program, arguments, REPETITIONS * 2)?;
        Ok(long.saturating_sub(short) as f64 / REPETITIONS as f64)
    }

    fn build(&self) -> Result<PathBuf> {
        let target = shell::target_folder()?;
        let mut cargo = shell::cargo();
        cargo
            .args(["build", "--quiet", "--locked", "--profile", PROFILE])
            .args(["-p", self.package, "--example", self.example])
            .env("CARGO_TARGET_DIR", &target);
        shell::run(&mut cargo)?;
        Ok(target.join(PROFILE).join("examples").join(self.example))
    }
}

/// Instructions of one run.
fn count(program: &Path, arguments: &[&str], repetitions: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments)
        .arg(repetitions.to_string());
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
