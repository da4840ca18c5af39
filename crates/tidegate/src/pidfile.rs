//! The process id file: one process for each directory, and none after the end.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use crate::exit::Failure;

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes our process id, unless a process of that id lives.
    pub(crate) fn take(directory: &Path) -> Result<PidFile, Failure> {
        let path = directory.join("tidegate.pid");
        if let Some(pid) = living(&path) {
            return Err(Failure::Running { pid, path });
        }
        let failed = |error| Failure::File {
            what: "write the process id to",
            path: path.clone(),
            error,
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        // Created anew, so that two that start at once cannot both have it.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(PidFile(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // What cannot be removed will be seen to be stale.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The process that a file names, if it lives and is not this one.
fn living(path: &Path) -> Option<i32> {
    let pid: i32 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let named = Pid::from_raw(pid)?;
    let alive = match test_kill_process(named) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    };
    (alive && pid != i32::try_from(std::process::id()).ok()?).then_some(pid)
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_replaced_and_ours_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tidegate.pid");
        std::fs::write(&path, "999999999\n").unwrap();
        let file = PidFile::take(folder.path()).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.trim(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_living_process_keeps_its_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidegate.pid"), "1\n").unwrap();
        assert!(matches!(
            PidFile::take(folder.path()),
            Err(Failure::Running { pid: 1, .. })
        ));
    }
}
