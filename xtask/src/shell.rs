//! Running programs: cargo, this program again, and the system's.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Cargo, at the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Cargo's target folder, where logs and caches of tasks lie too.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    Ok(target.map_or_else(|| root().join("target"), Path::to_owned))
}

/// Runs a command to its end with our own standard output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    ensure!(status.success(), "{} failed, {status}", line(command));
    Ok(())
}

/// Runs a command to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", name(command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} failed, {}: {said}",
        line(command),
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// Ends a process and what it started, deepest first. Children with a process group of their own
/// are left to whoever gave them one: those of the tests end, in order, when their owner is gone.
pub(crate) fn kill_tree(pid: u32) {
    let processes = processes();
    let mut family = vec![pid];
    let mut index = 0;
    while let Some(&parent) = family.get(index) {
        let children = processes
            .iter()
            .filter(|process| process.parent == parent && process.group != process.pid);
        family.extend(children.map(|child| child.pid));
        index += 1;
    }
    for pid in family.into_iter().rev() {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // One that ended in the meantime is what we want.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A running process and where it belongs.
struct Process {
    pid: u32,
    parent: u32,
    group: u32,
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may hold anything: state, parent, group.
            let (_, fields) = stat.rsplit_once(')')?;
            let mut fields = fields.split_whitespace().skip(1);
            let parent = fields.next()?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            Some(Process { pid, parent, group })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_process_ends_with_its_children() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat; true"]).stdin(Stdio::piped());
        let mut shell = shell.spawn().expect("a shell");
        let children = || {
            processes()
                .iter()
                .filter(|p| p.parent == shell.id())
                .count()
        };
        while children() == 0 {
            std::thread::yield_now();
        }
        let cat = processes()
            .into_iter()
            .find(|p| p.parent == shell.id())
            .expect("its child")
            .pid;
        kill_tree(shell.id());
        shell.wait().expect("it ended");
        assert!(
            !processes()
                .iter()
                .any(|p| p.pid == cat && p.parent == shell.id())
        );
    }
}
