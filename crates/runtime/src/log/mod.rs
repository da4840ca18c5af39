//! The log: one thread that writes, a bounded queue that never makes anybody wait.
//!
//! Workers and the control plane hand over finished texts; the thread adds time and level,
//! silences sources that repeat themselves, and writes to the file, to standard output and to the
//! system journal. Filters that keep files of their own ([`Log::append`]) use the same thread, so nobody else ever waits
//! for a disk.
//!
//! What it leaves out: deciding what is worth logging.
//!
//! The invariant: a full queue or a full disk loses lines, counts them and says so later; it never
//! blocks, grows or stops anything.

mod event;
mod files;
mod journal;
mod json;
mod line;
mod outage;
mod severity;
mod throttle;
mod traces;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_session::{Event, Level, LogSwitches, SessionId, WallTime};

pub use event::Events;
pub use files::FileOptions;
pub use line::{Line, Value};
pub use severity::{EventLabels, Label, Severity};
pub use throttle::Throttling;
pub use traces::TraceConfig;

/// How many lines may wait to be written.
const QUEUE_LINES: usize = 8 * 1024;

/// Where the log goes and what it holds.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The log file; `None`: there is none, whatever [`LogSettings::file`] says.
    pub path: Option<PathBuf>,
    /// Also write to standard output.
    pub stdout: bool,
    /// Where trace files lie; there are some while [`LogSettings::trace_bytes`] is not 0.
    pub traces: Option<TraceConfig>,
    /// The journal's socket.
    pub journal: PathBuf,
    /// How a line of the file and on standard output looks.
    pub format: Format,
    /// Program name and version, for the banner at the start of a file.
    pub banner: String,
    /// What can be changed while it runs.
    pub settings: LogSettings,
}

impl LogConfig {
    /// Where the journal listens on most systems.
    pub const JOURNAL: &str = "/run/systemd/journal/socket";
}

/// How a line looks (`log_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Time, level and message in columns.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// What can be changed while the log is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Write to the file (`maxlog`).
    pub file: bool,
    /// Write to the system journal (`syslog`).
    pub journal: bool,
    /// Which levels are written. Errors are, whatever this says.
    pub levels: LogSwitches,
    /// Milliseconds in the time stamps (`ms_timestamp`).
    pub milliseconds: bool,
    /// Say which part of the program a line comes from (`log_augmentation`).
    pub augmentation: bool,
    /// When to silence a source that repeats itself; `None`: never.
    pub throttling: Option<Throttling>,
    /// What events are filed under.
    pub events: EventLabels,
    /// The size of all trace files together (`trace_file_size`); 0: there are none.
    pub trace_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings {
            file: true,
            journal: false,
            levels: LogSwitches {
                error: true,
                warning: true,
                notice: true,
                info: false,
                debug: false,
            },
            milliseconds: false,
            augmentation: false,
            throttling: Some(Throttling::default()),
            events: EventLabels::default(),
            trace_bytes: 0,
        }
    }
}

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened for appending.
    #[error("cannot open the log file '{}' for appending: {error}; check that the folder exists and may be written to (logdir)", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// There can be no trace files.
    #[error("cannot write trace files into '{}': {error}; check that the folder exists and may be written to (trace_file_dir)", path.display())]
    Trace {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No thread.
    #[error("cannot start the log thread: {0}")]
    Thread(std::io::Error),
}

/// What the log thread is asked to do besides writing lines. Never lost.
pub(crate) enum Command {
    Reopen,
    Settings(LogSettings),
    Flush(SyncSender<()>),
    Stop,
}

/// What goes through the queue. Lost, and counted, when it is full.
pub(crate) enum Entry {
    Line(Line),
    Append {
        path: Arc<Path>,
        text: Vec<u8>,
        options: Arc<FileOptions>,
    },
    Close(Arc<Path>),
    Print(Vec<u8>),
    /// Look at the commands.
    Poke,
}

struct Shared {
    queue: SyncSender<Entry>,
    commands: Mutex<Vec<Command>>,
    levels: AtomicU8,
    dropped: AtomicU64,
}

/// The way into the log; cheap to clone, never blocks except in [`Log::flush`].
#[derive(Clone)]
pub struct Log(Arc<Shared>);

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A log that reaches nobody, and the queue it would reach.
    fn new(settings: &LogSettings) -> (Log, Receiver<Entry>) {
        let (queue, entries) = sync_channel(QUEUE_LINES);
        let levels = AtomicU8::new(level_bits(settings));
        let shared = Shared {
            queue,
            commands: Mutex::default(),
            levels,
            dropped: AtomicU64::new(0),
        };
        (Log(Arc::new(shared)), entries)
    }

    /// Would a line of this level be written anywhere? A cheap question, to be asked before text is made.
    #[inline]
    #[must_use]
    pub fn enabled(&self, level: Level) -> bool {
        self.0.levels.load(Ordering::Relaxed) & level_bit(level) != 0
    }

    /// Logs `text`, if its level is on.
    #[track_caller]
    pub fn say(&self, level: Level, text: impl Into<String>) {
        if self.enabled(level) {
            self.write(Line::new(level, text.into()));
        }
    }

    /// Logs a line if its level is on, or if it was asked for by somebody's own switches.
    pub fn write(&self, line: Line) {
        self.enqueue(Entry::Line(line));
    }

    /// Logs a session's line.
    pub fn session(
        &self,
        session: SessionId,
        service: &Arc<str>,
        wall: WallTime,
        line: tidegate_session::LogLine,
    ) {
        self.write(Line {
            level: line.level,
            wall,
            session: Some(session),
            service: Some(Arc::clone(service)),
            module: None,
            object: None,
            source: throttle::source(&(throttle::shape(&line.text), service)),
            text: line.text,
            fields: Vec::new(),
            event: line.event,
            asked: line.asked,
            place: None,
        });
    }

    /// Appends `text` (whole lines) to a file that is not the log, such as a statement log.
    /// The file is opened at the first call.
    pub fn append(&self, path: &Arc<Path>, text: Vec<u8>, options: &Arc<FileOptions>) {
        self.enqueue(Entry::Append {
            path: Arc::clone(path),
            text,
            options: Arc::clone(options),
        });
    }

    /// Nothing more will be appended to this file for now.
    pub fn close(&self, path: &Arc<Path>) {
        self.enqueue(Entry::Close(Arc::clone(path)));
    }

    /// Writes whole lines to standard output.
    pub fn print(&self, lines: Vec<u8>) {
        self.enqueue(Entry::Print(lines));
    }

    /// Closes and opens all files again, for log rotation.
    pub fn reopen(&self) {
        self.command(Command::Reopen);
    }

    /// Changes the settings.
    pub fn set(&self, settings: LogSettings) {
        self.0
            .levels
            .store(level_bits(&settings), Ordering::Relaxed);
        self.command(Command::Settings(settings));
    }

    /// How many lines were dropped because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything that was said before is written, at most for `limit`.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        self.command(Command::Flush(done));
        // Either it was written or it takes too long; there is nothing to do about the latter.
        let _ = wait.recv_timeout(limit);
    }

    fn command(&self, command: Command) {
        self.0
            .commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command);
        // A full queue needs no poke: the thread is awake.
        let _ = self.0.queue.try_send(Entry::Poke);
    }

    fn take_commands(&self) -> Vec<Command> {
        std::mem::take(
            &mut *self
                .0
                .commands
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn enqueue(&self, entry: Entry) {
        match self.0.queue.try_send(entry) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The log thread. Dropping it ends the thread after all that was said is written.
#[derive(Debug)]
pub struct LogThread {
    log: Log,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Opens the log file and starts the thread.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread could be started.
    pub fn start(config: LogConfig) -> Result<LogThread, LogError> {
        let (log, entries) = Log::new(&config.settings);
        let writer = writer::Writer::open(config, log.clone())?;
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.run(&entries))
            .map_err(LogError::Thread)?;
        Ok(LogThread {
            log,
            thread: Some(thread),
        })
    }

    /// The way into the log.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.clone()
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.log.command(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // A log thread that panicked has nothing more to write.
            let _ = thread.join();
        }
    }
}

fn event_word(event: Event) -> &'static str {
    match event {
        Event::AuthenticationFailure => "authentication_failure",
    }
}

/// The time of day, for a line of the control plane; workers lend theirs.
fn wall_now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn level_bit(level: Level) -> u8 {
    match level {
        Level::Error => 1,
        Level::Warning => 2,
        Level::Notice => 4,
        Level::Info => 8,
        Level::Debug => 16,
    }
}

/// The levels that are written anywhere; trace files hold all.
fn level_bits(settings: &LogSettings) -> u8 {
    let levels = [Level::Warning, Level::Notice, Level::Info, Level::Debug];
    let on = levels
        .into_iter()
        .filter(|level| settings.trace_bytes > 0 || settings.levels.allows(*level))
        .map(level_bit)
        .sum::<u8>();
    on | level_bit(Level::Error)
}

#[cfg(test)]
mod tests;
