//! `cargo xtask demo`: servers, a proxy in front of them, and a guided tour.
//!
//! Everything it shows is asserted, watched or not: a tour that cannot show what it says ends
//! with an error. It leaves nothing behind, whichever way it ends.

mod accounts;
mod backends;
mod config;
mod say;
#[cfg(test)]
mod tests;
mod tour;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tidegate_testkit::Tidegate;

use crate::args::Args;
use crate::{release, signals, verdict};
use backends::Backends;
use tour::{Tour, Visitors};

/// The task's help.
pub(crate) const HELP: &str = "\
three MariaDB servers, a proxy in front of them, and a guided tour
  --check                       unattended: take the tour, then end
  --binary PATH                 this proxy, instead of building one
  --servers HOST:PORT,...       your own servers; nothing is created on them
  --admin USER:PASSWORD         an account on them that may read their state
  --create-accounts             with --servers: make (and afterwards remove) accounts and a
                                database `tidegate_demo` there, so that the tour can write";

/// What the command line asks for.
struct Wishes {
    check: bool,
    binary: Option<PathBuf>,
    servers: Vec<String>,
    admin: Option<String>,
    create_accounts: bool,
}

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let wishes = Wishes {
        check: args.flag("--check"),
        binary: args.value("--binary")?.map(PathBuf::from),
        servers: args.list("--servers")?,
        admin: args.value("--admin")?,
        create_accounts: args.flag("--create-accounts"),
    };
    args.finish()?;
    ensure!(
        wishes.servers.is_empty() == wishes.admin.is_none(),
        "--servers and --admin go together"
    );
    let mut tour = Tour::new(signals::watch()?);
    let outcome = show(&wishes, &mut tour);
    // Whoever pressed Ctrl-C knows why it ended; an unattended run has to reach its end.
    let stopped = tour.interrupted() && !wishes.check;
    let failed = match &outcome {
        Ok(()) => 0,
        Err(_) if stopped => 0,
        Err(error) => {
            say::error(error);
            1
        }
    };
    if wishes.check {
        println!("{} passed, {failed} failed", tour.passed());
    }
    Ok(verdict(failed))
}

/// From the build to the last file's removal.
fn show(wishes: &Wishes, tour: &mut Tour) -> Result<()> {
    let binary = match &wishes.binary {
        Some(path) => path.clone(),
        None => release::build()?,
    };
    let backends = match &wishes.admin {
        Some(admin) => Backends::foreign(&wishes.servers, admin, wishes.create_accounts)?,
        None => Backends::start()?,
    };
    let shown = around_proxy(wishes, tour, &binary, &backends);
    let left = backends.end();
    shown?;
    tour.stop("Nothing is left: no process, no port, no file", || left)
}

/// From the proxy's start to its end.
fn around_proxy(
    wishes: &Wishes,
    tour: &mut Tour,
    binary: &Path,
    backends: &Backends,
) -> Result<()> {
    let mut tidegate = say::step("starting tidegate", || {
        Tidegate::builder(&config::text(backends))
            .binary(binary)
            .scratch(backends.scratch())
            .start()
    })?;
    let shown = tour
        .walk(backends, &tidegate)
        .and_then(|visitors| stay(wishes, tour, visitors, &mut tidegate));
    if shown.is_err() && !tour.interrupted() {
        say::log_tail(&tidegate.log());
    }
    shown?;
    tour.stop("tidegate ends in order when asked to", || {
        let status = tidegate.terminate()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    })
}

/// Stays up until Ctrl-C, unless nobody watches.
fn stay(
    wishes: &Wishes,
    tour: &Tour,
    mut visitors: Visitors,
    tidegate: &mut Tidegate,
) -> Result<()> {
    if wishes.check {
        return Ok(());
    }
    say::text("\nIt stays up, with a statement a second, until you press Ctrl-C.");
    while !tour.interrupted() {
        if let Some(status) = tidegate.exited()? {
            bail!("tidegate ended by itself, {status}");
        }
        visitors.tick()?;
        thread::sleep(Duration::from_secs(1));
    }
    println!();
    Ok(())
}
