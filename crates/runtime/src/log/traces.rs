//! Trace files: the messages of all levels, in a ring of files of bounded size.
//!
//! Left out: throttling and levels. Whoever reads these files wants to know what happened just
//! before, whatever the log was told to hold.
//!
//! The invariant: there are at most [`FILES`] of them, and the newest is the one being written.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{FileOptions, LogFile, Trouble};

/// How many files there are at most; each holds its part of the size.
const FILES: u64 = 10;

/// The files are named by this and a number that only grows.
const NAME: &str = "tidegate.trace";

/// Where trace files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceConfig {
    /// Their folder (`trace_file_dir`).
    pub folder: PathBuf,
    /// The folder of a link to the newest.
    pub link: PathBuf,
}

/// The ring of files.
#[derive(Debug)]
pub(crate) struct Traces {
    config: TraceConfig,
    /// The size of one file.
    limit_bytes: u64,
    number: u64,
    file: LogFile,
    written_bytes: u64,
}

impl Traces {
    /// Begins a new file after those that are there, all of them together of about this size.
    ///
    /// # Errors
    /// The folder cannot be read or the file not be made.
    pub(crate) fn open(config: TraceConfig, size_bytes: u64) -> io::Result<Traces> {
        let newest = numbers(&config.folder)?.into_iter().max();
        let number = newest.map_or(1, |number| number + 1);
        let mut traces = Traces {
            file: LogFile::new(path(&config.folder, number).into()),
            config,
            limit_bytes: size_bytes / FILES,
            number,
            written_bytes: 0,
        };
        traces.file.open(false)?;
        traces.settle();
        Ok(traces)
    }

    /// Another size for all of them together.
    pub(crate) fn resize(&mut self, size_bytes: u64) {
        self.limit_bytes = size_bytes / FILES;
    }

    /// Puts whole lines into the newest file, or into the next if that is full.
    pub(crate) fn write(&mut self, lines: &[u8], now: Duration) -> Option<Trouble> {
        let length = lines.len() as u64;
        let mut trouble = None;
        if self.written_bytes > 0 && self.written_bytes + length > self.limit_bytes {
            trouble = self.flush(now);
            self.number += 1;
            self.file = LogFile::new(path(&self.config.folder, self.number).into());
            self.written_bytes = 0;
            self.settle();
        }
        self.written_bytes += length;
        self.file.pending().extend_from_slice(lines);
        if self.file.added() {
            trouble = self.flush(now).or(trouble);
        }
        trouble
    }

    pub(crate) fn flush(&mut self, now: Duration) -> Option<Trouble> {
        self.file.flush(&FileOptions::default(), now)
    }

    /// The oldest go, and the link turns to the newest. What cannot be done is tried again with
    /// the next file; that lines are lost is told when they are.
    fn settle(&self) {
        let oldest = (self.number + 1).saturating_sub(FILES);
        for number in numbers(&self.config.folder).unwrap_or_default() {
            if number < oldest {
                let _ = fs::remove_file(path(&self.config.folder, number));
            }
        }
        let link = self.config.link.join(NAME);
        let new = self.config.link.join(format!("{NAME}.new"));
        let _ = fs::remove_file(&new);
        let _ = symlink(self.file.path(), &new).and_then(|()| fs::rename(&new, link));
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{NAME}.{number}"))
}

/// The numbers of the files that are there.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let number = |entry: io::Result<fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        let (name, number) = name.to_str()?.rsplit_once('.')?;
        number.parse().ok().filter(|_| name == NAME)
    };
    Ok(fs::read_dir(folder)?.filter_map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn the_oldest_go_and_the_link_shows_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let config = TraceConfig {
            folder: folder.path().join("traces"),
            link: folder.path().to_owned(),
        };
        fs::create_dir(&config.folder).unwrap();
        // Left by an earlier process, one of them by somebody else.
        fs::write(path(&config.folder, 41), "old").unwrap();
        fs::write(config.folder.join("tidegate.trace.txt"), "mine").unwrap();
        let mut traces = Traces::open(config.clone(), 1000).unwrap();
        for number in 0..30 {
            let line = format!("{number:03} {}\n", "x".repeat(45));
            assert_eq!(traces.write(line.as_bytes(), NOW), None);
        }
        assert_eq!(traces.flush(NOW), None);
        let mut kept = numbers(&config.folder).unwrap();
        kept.sort_unstable();
        assert_eq!(kept, (47..=56).collect::<Vec<u64>>());
        let newest = fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert!(
            newest.starts_with("028 ") && newest.contains("029 "),
            "{newest}"
        );
        assert!(config.folder.join("tidegate.trace.txt").exists());
        let total: usize = kept
            .iter()
            .map(|number| fs::read(path(&config.folder, *number)).unwrap().len())
            .sum();
        assert!(total <= 1000, "{total}");
    }

    #[test]
    fn a_folder_that_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let config = TraceConfig {
            folder: folder.path().join("missing"),
            link: folder.path().to_owned(),
        };
        assert!(Traces::open(config, 1000).is_err());
    }
}
