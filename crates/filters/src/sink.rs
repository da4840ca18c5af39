//! Where filters have lines written: somebody else's thread.

use std::path::Path;
use std::sync::Arc;

/// How a file is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkOptions {
    /// What a new or empty file begins with.
    pub header: Vec<u8>,
    /// Overwrite what an earlier process left there, instead of appending to it.
    pub truncate: bool,
    /// Write each text at once, instead of gathering what comes together.
    pub flush: bool,
}

/// Takes lines and writes them when there is time. Never blocks; what cannot be kept is dropped
/// and counted.
pub trait LineSink: std::fmt::Debug + Send + Sync {
    /// Appends whole lines to a file.
    fn append(&self, path: &Arc<Path>, lines: Vec<u8>, options: &Arc<SinkOptions>);
    /// Nothing more will be appended to this file for now.
    fn close(&self, path: &Arc<Path>);
    /// Writes whole lines to the standard output.
    fn print(&self, lines: Vec<u8>);
    /// Can the file be opened for appending?
    ///
    /// # Errors
    /// Why not.
    fn probe(&self, path: &Path) -> std::io::Result<()>;
}
