//! The log thread's loop.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tidegate_session::Level;

use super::files::{FileOptions, Files, LogFile, Trouble};
use super::journal::Journal;
use super::line::Formatter;
use super::severity::Label;
use super::throttle::{Throttle, Verdict};
use super::traces::{TraceConfig, Traces};
use super::{Command, Entry, Line, Log, LogConfig, LogError, LogSettings, QUEUE_LINES, wall_now};

/// Entries that are handled before what they wrote goes out.
const BATCH: usize = 1024;

/// How often ended silences are looked for while there are any.
const SILENCE_CHECK: Duration = Duration::from_millis(500);

/// What the log thread owns.
pub(crate) struct Writer {
    log: Log,
    settings: LogSettings,
    main: Option<LogFile>,
    journal: Journal,
    /// What goes to standard output next.
    stdout: Vec<u8>,
    /// The log goes there too.
    to_stdout: bool,
    others: Files,
    trace_config: Option<TraceConfig>,
    traces: Option<Traces>,
    formatter: Formatter,
    throttle: Throttle,
    banner: String,
    start: Instant,
    dropped_told: u64,
    trouble: Vec<Trouble>,
}

impl Writer {
    pub(crate) fn open(config: LogConfig, log: Log) -> Result<Writer, LogError> {
        let mut writer = Writer {
            log,
            settings: config.settings,
            main: config.path.map(|path| LogFile::new(path.into())),
            journal: Journal::new(config.journal.into()),
            stdout: Vec::new(),
            to_stdout: config.stdout,
            others: Files::default(),
            trace_config: config.traces,
            traces: None,
            formatter: Formatter::new(TimeZone::system(), config.format),
            throttle: Throttle::default(),
            banner: config.banner,
            start: Instant::now(),
            dropped_told: 0,
            trouble: Vec::new(),
        };
        writer.set(config.settings);
        writer.set_traces()?;
        if let Some(file) = writer.main.as_mut().filter(|_| config.settings.file) {
            let path = file.path().to_owned();
            file.open(false)
                .map_err(|error| LogError::Open { path, error })?;
            writer.write_banner();
        }
        Ok(writer)
    }

    /// Runs until it is told to stop, or until nobody can say anything any more.
    pub(crate) fn run(mut self, entries: &Receiver<Entry>) {
        loop {
            let entry = if self.throttle.is_silencing() {
                entries.recv_timeout(SILENCE_CHECK)
            } else {
                entries.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match entry {
                Ok(entry) => self.handle(entry),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.drain(entries, BATCH);
            if !self.obey(entries) {
                break;
            }
            self.tell_ended_silences();
            self.tell_dropped();
            self.flush();
        }
        self.tell_dropped();
        self.flush();
    }

    fn drain(&mut self, entries: &Receiver<Entry>, limit: usize) {
        for entry in entries.try_iter().take(limit) {
            self.handle(entry);
        }
    }

    /// Carries out the commands; `false`: the end.
    fn obey(&mut self, entries: &Receiver<Entry>) -> bool {
        for command in self.log.take_commands() {
            match command {
                Command::Reopen => self.reopen(),
                Command::Settings(settings) => self.change(settings),
                Command::Flush(done) => {
                    self.drain(entries, QUEUE_LINES);
                    self.tell_dropped();
                    self.flush();
                    // Whoever waited may have given up.
                    let _ = done.try_send(());
                }
                Command::Stop => {
                    self.drain(entries, QUEUE_LINES);
                    return false;
                }
            }
        }
        true
    }

    /// Other settings; a file that is switched on begins with its banner.
    fn change(&mut self, settings: LogSettings) {
        let was_on = self.settings.file;
        if was_on && !settings.file {
            self.flush();
        }
        self.set(settings);
        if let Err(error) = self.set_traces() {
            self.write(&Line::new(Level::Error, error.to_string()));
        }
        if settings.file && !was_on {
            self.write_banner();
        } else if let Some(file) = self.main.as_mut().filter(|_| !settings.file) {
            file.close();
        }
    }

    fn set(&mut self, settings: LogSettings) {
        self.settings = settings;
        self.formatter.milliseconds = settings.milliseconds;
        self.formatter.augmentation = settings.augmentation;
        // Whoever follows sessions wants to see everything.
        self.throttle
            .set(settings.throttling.filter(|_| !settings.levels.info));
    }

    /// Begins, resizes or ends the trace files as the settings say.
    fn set_traces(&mut self) -> Result<(), LogError> {
        let size_bytes = self.settings.trace_bytes;
        match (&mut self.traces, &self.trace_config) {
            (Some(traces), _) if size_bytes > 0 => traces.resize(size_bytes),
            (None, Some(config)) if size_bytes > 0 => {
                let opened = Traces::open(config.clone(), size_bytes);
                let path = config.folder.clone();
                self.traces = Some(opened.map_err(|error| LogError::Trace { path, error })?);
            }
            _ => {
                if let Some(mut traces) = self.traces.take() {
                    self.trouble.extend(traces.flush(self.start.elapsed()));
                }
            }
        }
        Ok(())
    }

    /// The main file, if it is to be written.
    fn file(&mut self) -> Option<&mut LogFile> {
        self.main.as_mut().filter(|_| self.settings.file)
    }

    fn handle(&mut self, entry: Entry) {
        match entry {
            Entry::Line(line) => self.line(&line),
            Entry::Append {
                path,
                text,
                options,
            } => {
                let now = self.start.elapsed();
                let trouble = self.others.append(path, &text, options, now);
                self.trouble.extend(trouble);
            }
            Entry::Close(path) => {
                let trouble = self.others.forget(&path, self.start.elapsed());
                self.trouble.extend(trouble);
            }
            Entry::Print(lines) => self.stdout.extend_from_slice(&lines),
            Entry::Poke => {}
        }
    }

    fn line(&mut self, line: &Line) {
        let label = self.label(line);
        let level = label.severity.level();
        if let Some(traces) = &mut self.traces {
            let mut text = Vec::new();
            self.formatter.write_raw(line, label.severity, &mut text);
            self.trouble
                .extend(traces.write(&text, self.start.elapsed()));
        }
        if level != Level::Error && !line.asked && !self.settings.levels.allows(level) {
            return;
        }
        match self
            .throttle
            .admit(line.source, level, &line.text, self.start.elapsed())
        {
            Verdict::Suppress => {}
            Verdict::Pass => self.write(line),
            Verdict::PassAsLast => {
                self.write(line);
                let text = "The message above came too often: its source is silenced for a while (log_throttling)";
                let note = Line {
                    text: text.into(),
                    object: None,
                    fields: Vec::new(),
                    ..line.clone()
                };
                self.write(&note);
            }
        }
    }

    fn label(&self, line: &Line) -> Label {
        let events = &self.settings.events;
        line.event
            .map_or(Label::ordinary(line.level), |event| events.of(event))
    }

    fn write(&mut self, line: &Line) {
        let label = self.label(line);
        let now = self.start.elapsed();
        if self.to_stdout {
            self.formatter.write(line, label.severity, &mut self.stdout);
        }
        if let Some(file) = self.main.as_mut().filter(|_| self.settings.file) {
            self.formatter.write(line, label.severity, file.pending());
            if file.added() {
                let trouble = file.flush(&FileOptions::default(), now);
                self.trouble.extend(trouble);
            }
        }
        if self.settings.journal {
            let trouble = self.journal.send(line, label, now);
            self.trouble.extend(trouble);
        }
    }

    fn reopen(&mut self) {
        self.flush();
        self.others.close_all();
        if let Some(file) = self.file() {
            file.close();
            if let Err(error) = file.open(false) {
                complain(&format!(
                    "cannot open the log file '{}' again: {error}",
                    file.path().display()
                ));
            }
            self.write_banner();
        }
    }

    fn write_banner(&mut self) {
        if let Some(file) = self.main.as_mut().filter(|_| self.settings.file) {
            let path = file.path().display().to_string();
            self.formatter
                .banner(&self.banner, &path, wall_now(), file.pending());
            file.added();
        }
    }

    fn tell_ended_silences(&mut self) {
        for ended in self.throttle.ended(self.start.elapsed()) {
            let text = format!(
                "{} messages like this one were suppressed: {}",
                ended.suppressed, ended.sample
            );
            self.write(&Line::new(ended.level, text));
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.log.dropped();
        let news = dropped.saturating_sub(self.dropped_told);
        if news > 0 {
            self.dropped_told = dropped;
            self.write(&Line::new(
                Level::Warning,
                format!(
                    "{news} log lines were dropped because {QUEUE_LINES} were waiting to be written"
                ),
            ));
        }
    }

    fn flush(&mut self) {
        let now = self.start.elapsed();
        self.others.flush(now, &mut self.trouble);
        if let Some(traces) = &mut self.traces {
            self.trouble.extend(traces.flush(now));
        }
        self.tell_trouble();
        if let Some(file) = self.file() {
            let trouble = file.flush(&FileOptions::default(), now);
            self.trouble.extend(trouble);
        }
        self.tell_trouble();
        if !self.stdout.is_empty() {
            let mut stdout = std::io::stdout().lock();
            // Standard output that nobody reads any more is nothing to report anywhere.
            let _ = stdout.write_all(&self.stdout).and_then(|()| stdout.flush());
            self.stdout.clear();
        }
    }

    fn tell_trouble(&mut self) {
        for trouble in std::mem::take(&mut self.trouble) {
            match trouble {
                Trouble::Failing { path, error } => {
                    let text = format!(
                        "cannot write to '{}': {error}; lines are lost until this is repaired",
                        path.display()
                    );
                    complain(&text);
                    self.write(&Line::new(Level::Error, text));
                }
                Trouble::Recovered { path, lost } => {
                    let text = format!(
                        "'{}' can be written to again; {lost} lines were lost",
                        path.display()
                    );
                    self.write(&Line::new(Level::Warning, text));
                }
            }
        }
    }
}

/// The last resort: when the log cannot be written, standard error may still be read.
fn complain(text: &str) {
    // And if that cannot be written either, there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "tidegate: {text}");
}
