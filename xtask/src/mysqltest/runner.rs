//! One run of MariaDB's test runner.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tidegate_testkit::{Scratch, mariadb::find_program};

use super::options::SERVER_ADDRESS;
use super::outcome::{self, Outcome, Outcomes};
use super::{Router, Settings};

/// Where systems keep the test suite.
const FOLDERS: [&str; 4] = [
    "/usr/share/mysql/mysql-test",
    "/usr/share/mysql-test",
    "/usr/share/mariadb/mysql-test",
    "/usr/share/mariadb-test",
];

const RUNNERS: [&str; 2] = ["mariadb-test-run.pl", "mysql-test-run.pl"];

/// Progress is shown this often.
const SIGN: Duration = Duration::from_secs(10);

/// How often its output is looked at.
const STEP: Duration = Duration::from_millis(200);

/// A test that takes longer is ended, and has failed.
const TEST_MINUTES: u32 = 5;

/// The suite with its runner.
struct Suite {
    folder: PathBuf,
    runner: &'static str,
}

/// Runs the tests, directly (without a router) or through the proxy, and returns how each went.
/// Without names it is the whole main suite. What the runner prints is kept in `log`.
///
/// # Errors
/// The runner could not be started, or ended without a result.
pub(super) fn run(
    settings: &Settings,
    router: Option<Router>,
    names: &[String],
    log: &Path,
) -> Result<Outcomes> {
    let suite = find_suite()?;
    let scratch = Scratch::new("tg-mtr")?;
    let mut command = command(&suite, settings, &scratch)?;
    if let Some(router) = router {
        command
            .arg(format!("--mysqld=--bind-address={SERVER_ADDRESS}"))
            .env("MYSQL_TEST", stand_in(settings, &scratch, router)?);
    }
    if names.is_empty() {
        command.arg("--suite=main");
    }
    command.args(names);
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(output.try_clone()?).stderr(output);
    let mut runner = scratch.spawn("the test runner", &mut command)?;
    let mut progress = Progress::new(File::open(log)?);
    loop {
        let ended = runner.exited()?.is_some();
        progress.look(ended)?;
        if ended {
            break;
        }
        ensure!(!settings.stop.load(Ordering::SeqCst), "stopped");
        thread::sleep(STEP);
    }
    ensure!(
        !progress.outcomes.is_empty(),
        "the runner ran no test; what it said: {}",
        log.display()
    );
    Ok(progress.outcomes)
}

/// How the tests of an earlier run went.
///
/// # Errors
/// There was none.
pub(super) fn outcomes_in(log: &Path) -> Result<Outcomes> {
    let text = fs::read(log).with_context(|| format!("no earlier run: {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter_map(outcome::of_line).collect())
}

fn find_suite() -> Result<Suite> {
    FOLDERS
        .iter()
        .flat_map(|folder| {
            RUNNERS
                .iter()
                .map(move |runner| (Path::new(folder), *runner))
        })
        .find(|(folder, runner)| folder.join(runner).is_file())
        .map(|(folder, runner)| Suite {
            folder: folder.to_owned(),
            runner,
        })
        .context("MariaDB's test suite is not installed")
}

fn command(suite: &Suite, settings: &Settings, scratch: &Scratch) -> Result<Command> {
    let mut command = Command::new("perl");
    command
        .arg(suite.runner)
        .current_dir(&suite.folder)
        .arg(format!("--vardir={}", scratch.folder("var")?.display()))
        .arg(format!("--parallel={}", settings.parallel))
        .arg(format!("--testcase-timeout={TEST_MINUTES}"))
        .args(["--force", "--max-test-fail=0", "--suite-timeout=600"])
        .args([
            "--retry=1",
            "--nocheck-testcases",
            "--nowarnings",
            "--skip-core-file",
        ])
        .env("HOME", scratch.path());
    Ok(command)
}

/// A script that the runner takes for MariaDB's test client.
fn stand_in(settings: &Settings, scratch: &Scratch, router: Router) -> Result<PathBuf> {
    let client = find_program(&["mariadb-test", "mysqltest"])?;
    let task = copied(scratch, &settings.program, "xtask")?;
    let tidegate = copied(scratch, &settings.tidegate, "tidegate")?;
    let text = format!(
        "#!/bin/sh\nexec '{}' mysql-test-client {} '{}' '{}' \"$0\" \"$@\"\n",
        task.display(),
        router.name(),
        tidegate.display(),
        client.display()
    );
    let script = scratch.write("client", &text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
    Ok(script)
}

/// A copy that the runner's user may start, and that stays as it is while others build.
fn copied(scratch: &Scratch, program: &Path, name: &str) -> Result<PathBuf> {
    let copy = scratch.path().join(name);
    fs::copy(program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
    scratch.give_away(&copy)?;
    Ok(copy)
}

/// What the runner has printed so far.
struct Progress {
    log: File,
    start: Instant,
    next_sign: Instant,
    /// The beginning of a line whose end has not come yet.
    unfinished: Vec<u8>,
    outcomes: Outcomes,
}

impl Progress {
    fn new(log: File) -> Self {
        let start = Instant::now();
        Self {
            log,
            start,
            next_sign: start + SIGN,
            unfinished: Vec::new(),
            outcomes: Outcomes::new(),
        }
    }

    /// Reads what is new, and shows how far it is from time to time and at the end.
    fn look(&mut self, ended: bool) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.unfinished);
        self.log.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        self.unfinished = bytes.split_off(whole);
        let new = String::from_utf8_lossy(&bytes);
        self.outcomes
            .extend(new.lines().filter_map(outcome::of_line));
        if ended || Instant::now() > self.next_sign {
            self.next_sign = Instant::now() + SIGN;
            println!(
                "   {:4} s: {}",
                self.start.elapsed().as_secs(),
                summary(&self.outcomes)
            );
        }
        Ok(())
    }
}

fn summary(outcomes: &Outcomes) -> String {
    let count = |wanted: Outcome| {
        outcomes
            .values()
            .filter(|&&outcome| outcome == wanted)
            .count()
    };
    format!(
        "{} passed, {} failed, {} not for these surroundings",
        count(Outcome::Passed),
        count(Outcome::Failed),
        count(Outcome::Skipped)
    )
}
