//! The files a configuration is read from, behind a trait.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file, or a symbolic link to one.
    File,
    /// A directory; a symbolic link to one is [`EntryKind::Other`].
    Directory,
    /// Anything else.
    Other,
}

/// The outside world as far as configuration needs it.
pub trait FileSource {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Names in a directory, in any order.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::NotFound`] stands for an empty directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<(PathBuf, EntryKind)>>;

    /// An environment variable, if it is set and valid UTF-8.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Files held in memory, for tests and for configurations that come from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
    variables: BTreeMap<String, String>,
}

impl MemoryFiles {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

impl FileSource for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(PathBuf, EntryKind)>> {
        let mut names = BTreeMap::new();
        for path in self.files.keys() {
            let Ok(below) = path.strip_prefix(directory) else {
                continue;
            };
            let mut parts = below.components();
            if let Some(name) = parts.next() {
                let kind = match parts.next() {
                    Some(_) => EntryKind::Directory,
                    None => EntryKind::File,
                };
                names.insert(PathBuf::from(name.as_os_str()), kind);
            }
        }
        Ok(names.into_iter().collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// Deepest nesting of directories below a drop-in directory.
const DEPTH_LIMIT: usize = 16;

/// All files ending in `.cnf` below a directory, in byte order of their paths. Names that
/// begin with a dot are skipped; a directory that is not there is empty.
///
/// # Errors
///
/// The directory that cannot be listed, and why.
pub(crate) fn cnf_files(
    files: &dyn FileSource,
    directory: &Path,
) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    collect(files, directory, DEPTH_LIMIT, &mut found)?;
    found.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    Ok(found)
}

fn collect(
    files: &dyn FileSource,
    directory: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, io::Error)> {
    let entries = match files.list(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err((directory.to_owned(), error)),
    };
    for (name, kind) in entries {
        let name_bytes = name.as_os_str().as_encoded_bytes();
        let path = directory.join(&name);
        match kind {
            _ if name_bytes.starts_with(b".") => {}
            EntryKind::Directory if depth > 0 => collect(files, &path, depth - 1, found)?,
            EntryKind::File if name_bytes.ends_with(b".cnf") => found.push(path),
            EntryKind::File | EntryKind::Directory | EntryKind::Other => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{MemoryFiles, cnf_files};

    #[test]
    fn drop_in_files_in_order_of_their_paths() {
        let files = MemoryFiles::new()
            .file("/etc/x.cnf.d/b.cnf", "")
            .file("/etc/x.cnf.d/a/z.cnf", "")
            .file("/etc/x.cnf.d/a/readme.txt", "")
            .file("/etc/x.cnf.d/..data/b.cnf", "")
            .file("/etc/x.cnf.d/.hidden.cnf", "")
            .file("/etc/x.cnf", "");
        let found = cnf_files(&files, Path::new("/etc/x.cnf.d")).unwrap();
        let expected: Vec<PathBuf> = ["/etc/x.cnf.d/a/z.cnf", "/etc/x.cnf.d/b.cnf"]
            .map(PathBuf::from)
            .into();
        assert_eq!(found, expected);
        assert_eq!(
            cnf_files(&files, Path::new("/none")).unwrap(),
            Vec::<PathBuf>::new()
        );
    }
}
