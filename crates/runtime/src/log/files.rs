//! Files that lines are appended to: opened when needed, opened again after a rotation, and never
//! in anybody's way when the disk is full.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::outage::Outage;

/// Bytes that are gathered before they are written, while the queue is not empty.
const GATHER_BYTES: usize = 64 * 1024;

/// Files besides the log that are kept open; the longest unused is closed for another.
const MAX_OPEN: usize = 128;

/// How a file that is not the log is kept; see [`Log::append`](super::Log::append).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// What a new or empty file begins with.
    pub header: Option<Vec<u8>>,
    /// Overwrite what an earlier process left there, instead of appending to it.
    pub truncate: bool,
    /// Write each text at once, instead of gathering what comes together.
    pub flush: bool,
}

/// Something happened to a file that an operator should read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Lines are being lost from now on.
    Failing { path: Arc<Path>, error: String },
    /// It works again.
    Recovered { path: Arc<Path>, lost: u64 },
}

/// One file, open or not.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: Arc<Path>,
    file: Option<File>,
    opened_before: bool,
    pending: Vec<u8>,
    pending_lines: u64,
    outage: Outage,
    /// The last thing that was written is the first part of a line.
    torn: bool,
    last_used: u64,
}

impl LogFile {
    pub(crate) fn new(path: Arc<Path>) -> LogFile {
        LogFile {
            path,
            file: None,
            opened_before: false,
            pending: Vec::new(),
            pending_lines: 0,
            outage: Outage::default(),
            torn: false,
            last_used: 0,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file if it is not. Says whether it was opened by this call and is empty.
    pub(crate) fn open(&mut self, truncate: bool) -> io::Result<bool> {
        if self.file.is_some() {
            return Ok(false);
        }
        let truncate = truncate && !self.opened_before;
        let mut options = OpenOptions::new();
        options.create(true).mode(0o640);
        // A file opened for appending cannot be truncated in the same call.
        let file = if truncate {
            drop(
                options
                    .clone()
                    .write(true)
                    .truncate(true)
                    .open(&self.path)?,
            );
            options.append(true).open(&self.path)?
        } else {
            options.append(true).open(&self.path)?
        };
        let empty = file.metadata()?.len() == 0;
        self.file = Some(file);
        self.opened_before = true;
        Ok(empty)
    }

    /// The memory to put lines into; [`LogFile::added`] must follow.
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// A line was put into [`LogFile::pending`]. Is it time to write?
    pub(crate) fn added(&mut self) -> bool {
        self.pending_lines += 1;
        self.pending.len() >= GATHER_BYTES
    }

    /// Writes what is pending, or loses it.
    pub(crate) fn flush(&mut self, options: &FileOptions, now: Duration) -> Option<Trouble> {
        if self.pending.is_empty() {
            return None;
        }
        let lines = std::mem::take(&mut self.pending_lines);
        let trouble = if self.outage.rests(now) {
            self.outage.lose(lines);
            None
        } else {
            match self.write_pending(options) {
                Ok(()) => self.outage.over(&self.path),
                Err(error) => self.outage.failed(lines, now, &self.path, &error),
            }
        };
        self.pending.clear();
        trouble
    }

    /// Closes it; the next line opens it again under its name.
    pub(crate) fn close(&mut self) {
        self.file = None;
        self.torn = false;
        self.outage.try_soon();
    }

    fn write_pending(&mut self, options: &FileOptions) -> io::Result<()> {
        if self.open(options.truncate)?
            && let Some(header) = &options.header
        {
            self.pending.splice(0..0, header.iter().copied());
        }
        if self.torn {
            self.pending.insert(0, b'\n');
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut rest = self.pending.as_slice();
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.torn = rest.get(written - 1) != Some(&b'\n');
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The files besides the log.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: BTreeMap<Arc<Path>, (LogFile, Arc<FileOptions>)>,
    uses: u64,
}

impl Files {
    pub(crate) fn append(
        &mut self,
        path: Arc<Path>,
        text: &[u8],
        options: Arc<FileOptions>,
        now: Duration,
    ) -> Option<Trouble> {
        self.uses += 1;
        let (file, kept) = self
            .files
            .entry(path)
            .or_insert_with_key(|path| (LogFile::new(Arc::clone(path)), Arc::clone(&options)));
        *kept = options;
        file.last_used = self.uses;
        file.pending().extend_from_slice(text);
        let full = file.added();
        let trouble = if full || kept.flush {
            file.flush(kept, now)
        } else {
            None
        };
        self.close_the_longest_unused(now);
        trouble
    }

    pub(crate) fn forget(&mut self, path: &Arc<Path>, now: Duration) -> Option<Trouble> {
        let (mut file, options) = self.files.remove(path)?;
        file.flush(&options, now)
    }

    pub(crate) fn flush(&mut self, now: Duration, trouble: &mut Vec<Trouble>) {
        trouble.extend(
            self.files
                .values_mut()
                .filter_map(|(file, options)| file.flush(options, now)),
        );
    }

    pub(crate) fn close_all(&mut self) {
        for (file, _) in self.files.values_mut() {
            file.close();
        }
    }

    fn close_the_longest_unused(&mut self, now: Duration) {
        if self.files.len() <= MAX_OPEN
            || self
                .files
                .values()
                .filter(|(file, _)| file.file.is_some())
                .count()
                <= MAX_OPEN
        {
            return;
        }
        let open = self
            .files
            .values_mut()
            .filter(|(file, _)| file.file.is_some());
        if let Some((file, options)) = open.min_by_key(|(file, _)| file.last_used) {
            // Whatever it says now, it says again when the file is used next.
            let _ = file.flush(options, now);
            file.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::outage::RETRY;

    const NOW: Duration = Duration::from_secs(100);

    fn path(dir: &tempfile::TempDir, name: &str) -> Arc<Path> {
        Arc::from(dir.path().join(name))
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn header_only_where_the_file_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(&dir, "a.csv");
        let options = Arc::new(FileOptions {
            header: Some(b"id\n".to_vec()),
            ..FileOptions::default()
        });
        for _ in 0..2 {
            let mut files = Files::default();
            assert_eq!(
                files.append(Arc::clone(&path), b"1\n", Arc::clone(&options), NOW),
                None
            );
            files.flush(NOW, &mut Vec::new());
        }
        assert_eq!(read(&path), "id\n1\n1\n");
    }

    #[test]
    fn truncated_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(&dir, "a.csv");
        std::fs::write(&path, "of an earlier process\n").unwrap();
        let options = Arc::new(FileOptions {
            truncate: true,
            flush: true,
            header: None,
        });
        let mut files = Files::default();
        files.append(Arc::clone(&path), b"1\n", Arc::clone(&options), NOW);
        assert_eq!(read(&path), "1\n", "written at once");
        files.close_all();
        files.append(Arc::clone(&path), b"2\n", options, NOW);
        assert_eq!(read(&path), "1\n2\n");
    }

    #[test]
    fn rotation_by_rename() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (path(&dir, "a.log"), path(&dir, "a.log.1"));
        let options = Arc::new(FileOptions {
            flush: true,
            ..FileOptions::default()
        });
        let mut files = Files::default();
        files.append(Arc::clone(&path), b"1\n", Arc::clone(&options), NOW);
        std::fs::rename(&path, &moved).unwrap();
        files.append(Arc::clone(&path), b"2\n", Arc::clone(&options), NOW);
        files.close_all();
        files.append(Arc::clone(&path), b"3\n", options, NOW);
        assert_eq!((read(&moved), read(&path)), ("1\n2\n".into(), "3\n".into()));
    }

    #[test]
    fn a_full_disk_is_reported_once_and_counted() {
        let full: Arc<Path> = Arc::from(Path::new("/dev/full"));
        let options = Arc::new(FileOptions {
            flush: true,
            ..FileOptions::default()
        });
        let mut files = Files::default();
        let mut append = |now| files.append(Arc::clone(&full), b"1\n", Arc::clone(&options), now);
        let Some(Trouble::Failing { error, .. }) = append(NOW) else {
            panic!("a full disk went unnoticed")
        };
        assert!(error.contains("No space left"), "{error}");
        assert_eq!(append(NOW), None);
        assert_eq!(append(NOW + RETRY), None);
        assert_eq!(files.files[&full].0.outage.lost(), 3);
    }

    #[test]
    fn recovery_tells_how_much_was_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path: Arc<Path> = Arc::from(dir.path().join("later/a.log"));
        let options = Arc::new(FileOptions {
            flush: true,
            ..FileOptions::default()
        });
        let mut files = Files::default();
        let mut append =
            |text: &[u8], now| files.append(Arc::clone(&path), text, Arc::clone(&options), now);
        assert!(matches!(append(b"1\n", NOW), Some(Trouble::Failing { .. })));
        std::fs::create_dir(dir.path().join("later")).unwrap();
        assert_eq!(append(b"2\n", NOW), None, "not tried again so soon");
        let recovered = append(b"3\n", NOW + RETRY);
        assert_eq!(
            recovered,
            Some(Trouble::Recovered {
                path: Arc::clone(&path),
                lost: 2
            })
        );
        assert_eq!(read(&path), "3\n");
    }

    #[test]
    fn many_files_do_not_keep_many_descriptors() {
        let dir = tempfile::tempdir().unwrap();
        let options = Arc::new(FileOptions {
            truncate: true,
            flush: true,
            header: None,
        });
        let mut files = Files::default();
        for round in 0..2 {
            for ix in 0..MAX_OPEN + 20 {
                let text = format!("{round}\n");
                files.append(
                    path(&dir, &format!("{ix}")),
                    text.as_bytes(),
                    Arc::clone(&options),
                    NOW,
                );
            }
        }
        assert!(
            files
                .files
                .values()
                .filter(|(file, _)| file.file.is_some())
                .count()
                <= MAX_OPEN
        );
        assert_eq!(
            read(&path(&dir, "0")),
            "0\n1\n",
            "closing must not make it be overwritten"
        );
    }
}
