//! One run of sysbench, and what it reports.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::Account;

use crate::shell;

/// The table's rows: all of it is in memory, so that the servers are as fast as they can be.
const TABLE_SIZE: &str = "--table-size=10000";

/// The database of the tests' accounts.
const DATABASE: &str = "--mysql-db=test";

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As text.
    Text,
    /// Prepared once, then executed.
    Binary,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Text => "--db-ps-mode=disable",
            Self::Binary => "--db-ps-mode=auto",
        }
    }
}

/// What to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) script: &'a str,
    pub(super) mode: Mode,
    pub(super) threads: usize,
    pub(super) seconds: u64,
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub(super) queries: f64,
    pub(super) per_second: f64,
    pub(super) average_ms: f64,
    pub(super) p99_ms: f64,
}

/// Makes and fills the table on a server.
pub(super) fn prepare(server: SocketAddr, account: &Account) -> Result<()> {
    let mut command = base("oltp_read_write", &[server], account);
    shell::output(command.arg("prepare")).map(drop)
}

impl Run<'_> {
    /// Runs against one address or, thread by thread in turn, several.
    pub(super) fn against(&self, servers: &[SocketAddr], account: &Account) -> Result<Outcome> {
        let mut command = base(self.script, servers, account);
        command
            .arg(self.mode.option())
            .arg(format!("--threads={}", self.threads))
            .arg(format!("--time={}", self.seconds))
            .args([
                "--events=0",
                "--percentile=99",
                "--rand-type=uniform",
                "run",
            ]);
        parse(&shell::output(&mut command)?, self.threads)
    }
}

fn base(script: &str, servers: &[SocketAddr], account: &Account) -> Command {
    let join = |text: fn(&SocketAddr) -> String| -> String {
        servers.iter().map(text).collect::<Vec<_>>().join(",")
    };
    let mut command = Command::new("sysbench");
    command
        .arg(script)
        .args(["--db-driver=mysql", DATABASE, TABLE_SIZE])
        .arg(format!(
            "--mysql-host={}",
            join(|server| server.ip().to_string())
        ))
        .arg(format!(
            "--mysql-port={}",
            join(|server| server.port().to_string())
        ))
        .arg(format!("--mysql-user={}", account.user))
        .arg(format!("--mysql-password={}", account.password));
    command
}

/// sysbench rounds its average to hundredths of a millisecond, which is too coarse for a point
/// select; each of its threads has exactly one transaction under way at any time, so the average
/// follows from how many a second there were.
fn parse(text: &str, threads: usize) -> Result<Outcome> {
    let field = |name: &str, index: usize| -> Result<f64> {
        let line = text
            .lines()
            .map(str::trim)
            .find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|rest| rest.split_whitespace().nth(index));
        let number = word.and_then(|word| word.trim_start_matches('(').parse().ok());
        number.with_context(|| format!("no {name:?} in what sysbench said: {text}"))
    };
    let outcome = Outcome {
        queries: field("queries:", 0)?,
        per_second: field("queries:", 1)?,
        average_ms: 1000.0 * threads as f64 / field("transactions:", 1)?,
        p99_ms: field("99th percentile:", 0)?,
    };
    ensure!(outcome.queries > 0.0, "sysbench ran no query: {text}");
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by sysbench 1.0.20.
    const SAID: &str = "
SQL statistics:
    queries performed:
        read:                            76338
        total:                           76338
    transactions:                        76338  (25439.67 per sec.)
    queries:                             76338  (25439.67 per sec.)
    ignored errors:                      0      (0.00 per sec.)

Latency (ms):
         min:                                    0.03
         avg:                                    0.04
         max:                                    2.52
         99th percentile:                        0.06
";

    #[test]
    fn the_report_is_read() {
        let expect = Outcome {
            queries: 76338.0,
            per_second: 25439.67,
            average_ms: 1000.0 / 25439.67,
            p99_ms: 0.06,
        };
        assert_eq!(parse(SAID, 1).expect("an outcome"), expect);
        assert!(parse("FATAL: error", 1).is_err());
    }
}
