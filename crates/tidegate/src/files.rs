//! The real files and environment behind the configuration.

use std::io;
use std::path::{Path, PathBuf};

use tidegate_config::{EntryKind, FileSource};

/// Files of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk;

impl FileSource for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(PathBuf, EntryKind)>> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        entries
            .map(|entry| entry.and_then(|entry| Ok((entry.path(), kind(&entry)?))))
            .collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

fn kind(entry: &std::fs::DirEntry) -> io::Result<EntryKind> {
    let own = entry.file_type()?;
    if own.is_dir() {
        return Ok(EntryKind::Directory);
    }
    let is_file =
        own.is_file() || std::fs::metadata(entry.path()).is_ok_and(|target| target.is_file());
    Ok(if is_file {
        EntryKind::File
    } else {
        EntryKind::Other
    })
}
