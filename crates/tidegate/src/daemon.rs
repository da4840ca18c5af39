//! Running in the background: the process starts itself once more, detached, and ends when that
//! one has started completely, with its status if it has not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::exit::Failure;

/// Set in the detached process.
const MARK: &str = "TIDEGATE_DETACHED";

/// What the detached process says when it has started.
const READY: &str = "ready";

/// Is this the detached process?
pub(crate) fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Starts the detached process and waits until it has started.
pub(crate) fn detach() -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(Failure::Internal)?;
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::Internal)?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line == READY {
                return Ok(());
            }
            println!("{line}");
        }
    }
    let status = child.wait().map_err(Failure::Internal)?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(4);
    Err(Failure::Child(status.to_string(), code))
}

/// In the detached process: leaves the terminal's session.
pub(crate) fn leave_terminal() {
    if is_child() {
        // It leads no process group, so this cannot fail.
        let _ = rustix::process::setsid();
    }
}

/// In the detached process: says that it has started, and lets go of the terminal's outputs.
pub(crate) fn started() {
    if !is_child() {
        return;
    }
    // A parent that does not listen any more is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{READY}");
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
