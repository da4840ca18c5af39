//! The lines that filters have written go to the log's thread.

use std::path::Path;
use std::sync::Arc;

use tidegate_filters::{LineSink, SinkOptions};
use tidegate_runtime::log::{FileOptions, Log};

/// Hands lines to the log's thread.
#[derive(Debug)]
pub(crate) struct ThreadSink(pub(crate) Log);

impl LineSink for ThreadSink {
    fn append(&self, path: &Arc<Path>, lines: Vec<u8>, options: &Arc<SinkOptions>) {
        let options = FileOptions {
            header: (!options.header.is_empty()).then(|| options.header.clone()),
            truncate: options.truncate,
            flush: options.flush,
        };
        self.0.append(path, lines, &Arc::new(options));
    }

    fn close(&self, path: &Arc<Path>) {
        self.0.close(path);
    }

    fn print(&self, lines: Vec<u8>) {
        self.0.print(lines);
    }

    fn probe(&self, path: &Path) -> std::io::Result<()> {
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map(drop)
    }
}
