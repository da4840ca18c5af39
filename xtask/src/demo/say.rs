//! What the demo says, and how.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};

/// How much of a log an error shows.
const LOG_LINES: usize = 25;

/// A line of plain text.
pub(super) fn text(line: &str) {
    println!("{line}");
}

/// A stop's heading.
pub(super) fn heading(number: u64, title: &str) {
    let (bold, plain) = if std::io::stdout().is_terminal() {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    println!("\n{bold}{number}. {title}{plain}");
}

/// Does something that takes a while, and says so before and after.
pub(super) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    print!("{what} ... ");
    // A terminal that cannot be written to is no reason to stop.
    let _ = std::io::stdout().flush();
    let start = Instant::now();
    let outcome = work();
    let word = if outcome.is_ok() { "done" } else { "failed" };
    println!("{word}, {:.1} s", start.elapsed().as_secs_f64());
    outcome
}

/// A table.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    println!("{table}");
}

/// The end of the proxy's log.
pub(super) fn log_tail(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("\nThe end of tidegate's log:");
    for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
        eprintln!("  {line}");
    }
}

/// Why the demo could not go on.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("\nThe demo failed: {error:#}");
}
