//! Where the system keeps MariaDB's programs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};

/// Folders that hold servers but are often missing from an ordinary user's `PATH`.
const SERVER_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"];

/// The first of `names` that is a program in `PATH` or among the servers' folders.
///
/// # Errors
/// None of them is installed; the text says what to do.
pub fn find_program(names: &[&str]) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path)
        .chain(SERVER_FOLDERS.iter().map(PathBuf::from))
        .collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!(
                "{} is not installed: `cargo xtask setup` installs what the tests need",
                names.join(" or ")
            )
        })
}

/// The server program.
pub(super) fn server() -> Result<PathBuf> {
    find_program(&["mariadbd", "mysqld"])
}

/// Runs `command` to its end.
///
/// # Errors
/// It could not be started, or failed; the text carries what it said.
pub(super) fn run(command: &mut Command) -> Result<Output> {
    let program = Path::new(command.get_program()).to_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "{} failed, {}: {}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&said)
        );
    }
    Ok(output)
}
