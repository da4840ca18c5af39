//! The stops of the tour: what is shown, and what has to be true there.

mod clients;
mod rest;
mod servers;
mod sessions;
mod statements;
mod workload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::{PATIENCE, Tidegate, wait_for};

use super::backends::Backends;
use super::say;

pub(super) use clients::Visitors;

/// The service that sends each statement where it belongs.
const RW: &str = "RW-Split-Router";

/// The service that gives each session one replica.
const READ: &str = "Read-Connection-Router";

/// Counts the stops and shows their headings.
pub(super) struct Tour {
    passed: u64,
    interrupted: Arc<AtomicBool>,
}

impl Tour {
    pub(super) fn new(interrupted: Arc<AtomicBool>) -> Self {
        Self {
            passed: 0,
            interrupted,
        }
    }

    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether somebody pressed Ctrl-C.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// One stop; its number is one more than those that went well.
    pub(super) fn stop<T>(&mut self, title: &str, show: impl FnOnce() -> Result<T>) -> Result<T> {
        let number = self.passed + 1;
        say::heading(number, title);
        let shown = show().with_context(|| format!("stop {number}, {title}"))?;
        self.passed = number;
        Ok(shown)
    }

    /// All stops between the proxy's start and its end.
    pub(super) fn walk(&mut self, backends: &Backends, tidegate: &Tidegate) -> Result<Visitors> {
        let interrupted = Arc::clone(&self.interrupted);
        let rest = tidegate.rest();
        self.stop("The monitor knows the servers: GET /v1/servers", || {
            servers::show(&rest, backends, &interrupted)
        })?;
        let mut visitors = self.stop("Clients connect, to two services", || {
            Visitors::connect(backends, tidegate)
        })?;
        self.stop("Which statement goes where", || {
            statements::show(backends, &mut visitors)
        })?;
        self.stop("A small workload: who took how much of it", || {
            workload::show(&rest, backends, &mut visitors)
        })?;
        self.stop("The sessions: GET /v1/sessions", || {
            sessions::show_all(&rest, backends, &visitors)
        })?;
        let path = sessions::path_of_first(&visitors)?;
        self.stop(&format!("One of them in full: GET {path}"), || {
            sessions::show_one(&rest, &path)
        })?;
        paste(backends, tidegate);
        Ok(visitors)
    }
}

/// Waits as long as tests do, and until Ctrl-C.
fn wait<T>(
    what: &str,
    interrupted: &AtomicBool,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    wait_for(what, PATIENCE, || {
        ensure!(!interrupted.load(Ordering::SeqCst), "interrupted");
        look()
    })
}

/// What to try oneself.
fn paste(backends: &Backends, tidegate: &Tidegate) {
    let app = &backends.accounts.app;
    let rest = tidegate.address("admin");
    let folder = tidegate.folder().display();
    say::text("\nTry it yourself:\n");
    // The demo's own passwords are random; the caller's is nobody's business.
    let (password, database) = match backends.database() {
        Some(database) => (format!("--password={}", app.password), database),
        None => ("--password".to_owned(), ""),
    };
    for (what, port) in [("reads and writes", "rw"), ("reads only", "read")] {
        let port = tidegate.address(port).port();
        say::text(&format!(
            "  # {what}\n  mariadb --host=127.0.0.1 --port={port} --user={} {password} {database}",
            app.user,
        ));
    }
    say::text(&format!(
        "  # the sessions, live\n  curl -s -u admin:mariadb 'http://{rest}/v1/sessions?pretty=true'
  # close one of them\n  curl -s -u admin:mariadb -X DELETE http://{rest}/v1/sessions/1
  # the configuration file, and the log\n  less {folder}/tidegate.cnf\n  tail -f {folder}/output.log",
    ));
}
