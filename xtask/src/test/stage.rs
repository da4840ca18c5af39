//! One stage: a program run to its end, its output kept, its tests counted.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::count::Count;
use crate::shell;

/// How many lines of a failed stage are shown.
const TAIL_LINES: usize = 70;

/// How often the running stage is looked at.
const STEP: Duration = Duration::from_millis(100);

/// How often a sign of life is printed where nobody watches live.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// What a stage runs.
pub(super) enum Work {
    /// Cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// This program again, with these arguments.
    Task(&'static [&'static str]),
}

/// A row of the table of stages.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) work: Work,
    pub(super) env: &'static [(&'static str, &'static str)],
    /// After this time it is ended, and has failed.
    pub(super) limit: Duration,
}

/// What all stages of a run share.
pub(super) struct Surroundings {
    /// This program's file.
    pub(super) program: PathBuf,
    /// Where the stages' outputs are kept.
    pub(super) logs: PathBuf,
    /// Whether to show all of them.
    pub(super) verbose: bool,
    /// Set when somebody wants the run to end.
    pub(super) stop: Arc<AtomicBool>,
}

/// How a stage went.
pub(super) struct Outcome {
    pub(super) count: Count,
    pub(super) took: Duration,
}

impl Stage {
    /// Runs the stage; its output goes to a file.
    ///
    /// # Errors
    /// It could not be started at all, its output could not be kept, or the run was stopped.
    pub(super) fn run(&self, around: &Surroundings) -> Result<Outcome> {
        let path = around.logs.join(format!("{}.log", self.name));
        let log = File::create(&path).with_context(|| format!("no {}", path.display()))?;
        println!("== {}: {}", self.name, self.what);
        let start = Instant::now();
        let mut command = self.command(&around.program);
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", shell::line(&command)))?;
        let status = self.follow(child, &path, around, start)?;
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let succeeded = status.is_some_and(|status| status.success());
        let outcome = Outcome {
            count: Count::of_stage(&text, succeeded),
            took: start.elapsed(),
        };
        self.tell(&outcome, status, &text, &path);
        Ok(outcome)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = match self.work {
            Work::Cargo(arguments) => {
                let mut cargo = shell::cargo();
                cargo.args(arguments);
                cargo
            }
            Work::Task(arguments) => {
                let mut task = Command::new(program);
                task.args(arguments).current_dir(shell::root());
                task
            }
        };
        command
            .envs(self.env.iter().copied())
            .env("CARGO_TERM_COLOR", "never");
        command
    }

    /// Waits for the end and shows signs of life; `None` when the time limit was reached.
    fn follow(
        &self,
        mut child: Child,
        log: &Path,
        around: &Surroundings,
        start: Instant,
    ) -> Result<Option<ExitStatus>> {
        let mut watcher = Watcher::new(log, around.verbose)?;
        loop {
            let stopped = around.stop.load(Ordering::SeqCst);
            if let Some(status) = child.try_wait()? {
                watcher.look(start.elapsed(), true)?;
                // Whoever stops us from a terminal stops the stage with the same keys.
                ensure!(!stopped, "stopped in {}", self.name);
                return Ok(Some(status));
            }
            if stopped || start.elapsed() > self.limit {
                shell::kill_tree(child.id());
                child.wait()?;
                ensure!(!stopped, "stopped in {}", self.name);
                return Ok(None);
            }
            watcher.look(start.elapsed(), false)?;
            thread::sleep(STEP);
        }
    }

    fn tell(&self, outcome: &Outcome, status: Option<ExitStatus>, text: &str, log: &Path) {
        let seconds = outcome.took.as_secs_f64();
        let Count { passed, failed, .. } = outcome.count;
        if failed == 0 {
            println!("   ok, {passed} passed, {seconds:.1} s");
            return;
        }
        for line in remarkable(text) {
            println!("   | {line}");
        }
        match status {
            Some(status) => println!("   {status}"),
            None => println!("   ended after its limit of {} s", self.limit.as_secs()),
        }
        println!(
            "   FAILED: {failed}, {seconds:.1} s; all of it: {}",
            log.display()
        );
    }
}

/// What to show of a failed stage: the failed tests by name, and the end.
fn remarkable(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.len().saturating_sub(TAIL_LINES);
    let named = |line: &&str| {
        (line.starts_with("test ") && line.ends_with("FAILED")) || line.starts_with("error")
    };
    let failed = lines[..tail].iter().copied().filter(named);
    failed.chain(lines[tail..].iter().copied()).collect()
}

/// Shows that something happens: all of the output, its last line, or a line a minute.
struct Watcher {
    log: File,
    verbose: bool,
    terminal: bool,
    last: String,
    next_sign: Duration,
}

impl Watcher {
    fn new(log: &Path, verbose: bool) -> Result<Self> {
        let terminal = std::io::stdout().is_terminal();
        let next_sign = if terminal {
            Duration::from_secs(1)
        } else {
            HEARTBEAT
        };
        Ok(Self {
            log: File::open(log)?,
            verbose,
            terminal,
            last: String::new(),
            next_sign,
        })
    }

    fn look(&mut self, elapsed: Duration, end: bool) -> Result<()> {
        let mut new = Vec::new();
        self.log.read_to_end(&mut new)?;
        let new = String::from_utf8_lossy(&new);
        if self.verbose {
            print!("{new}");
            return Ok(());
        }
        if let Some(line) = new.lines().rev().find(|line| !line.trim().is_empty()) {
            line.trim().clone_into(&mut self.last);
        }
        if end && self.terminal {
            print!("\r\x1b[K");
        } else if elapsed >= self.next_sign {
            self.sign(elapsed);
        }
        std::io::stdout().flush()?;
        Ok(())
    }

    fn sign(&mut self, elapsed: Duration) {
        let line: String = self.last.chars().take(90).collect();
        if self.terminal {
            print!("\r\x1b[K   {:4} s  {line}", elapsed.as_secs());
            self.next_sign = elapsed + Duration::from_secs(1);
        } else {
            println!("   ... {} s: {line}", elapsed.as_secs());
            self.next_sign = elapsed + HEARTBEAT;
        }
    }
}
