//! The system's login services (PAM), asked by helper processes.
//!
//! A module of PAM may wait for as long as it likes, and may bring its process down; neither may reach a
//! client of somebody else. So each question goes to a process of its own program, which this one starts when
//! it is needed, ends when it takes too long, and replaces when it dies. A helper answers one question at a
//! time, and ends when its input does.
//!
//! Left out: what PAM is told and says, which is the helper's affair.

mod message;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_runtime::log::Log;
use tidegate_session::Level;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use message::{LoginAnswer, LoginQuestion, serve};

/// The word on the command line that makes a process a helper.
pub const HELPER: &str = "pam-helper";

/// The program that is asked with `pam_mode=suid`, beside that of the proxy.
pub const SUID_PROGRAM: &str = "tidegate-pam-helper";

/// So many services are asked at the same time.
const HELPERS: usize = 8;

/// A service that has not answered by then is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks PAM.
#[derive(Debug)]
pub(crate) struct PamHelpers {
    /// Those at rest, and whether they run with the rights of their file's owner.
    idle: Mutex<Vec<(bool, Helper)>>,
    room: Semaphore,
    log: Log,
}

#[derive(Debug)]
struct Helper {
    /// It is killed when this is dropped.
    _process: Child,
    questions: ChildStdin,
    answers: ChildStdout,
}

impl PamHelpers {
    pub(crate) fn new(log: Log) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            room: Semaphore::new(HELPERS),
            log,
        })
    }

    /// Asks a service whether somebody may come in; whom it knows the user as.
    ///
    /// # Errors
    /// Why not, for the log.
    pub(crate) async fn ask(&self, suid: bool, question: &LoginQuestion) -> Result<String, String> {
        // Nobody closes it.
        let _room = self.room.acquire().await;
        let mut helper = match self.rested(suid) {
            Some(helper) => helper,
            None => Helper::start(suid)?,
        };
        let service = &question.service;
        let answer = match timeout(PATIENCE, helper.ask(question)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(format!(
                    "the process that asks PAM service '{service}' died: {error}"
                ));
            }
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                return Err(format!(
                    "PAM service '{service}' did not answer within {seconds} s"
                ));
            }
        };
        self.put_back(suid, helper);
        for message in &answer.messages {
            let text = format!("PAM service '{service}' says: {}", message.trim_end());
            self.log.say(Level::Notice, text);
        }
        for warning in &answer.warnings {
            self.log.say(Level::Warning, warning.clone());
        }
        answer.verdict
    }

    fn rested(&self, suid: bool) -> Option<Helper> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.iter().position(|(kind, _)| *kind == suid)?;
        Some(idle.swap_remove(place).1)
    }

    fn put_back(&self, suid: bool, helper: Helper) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((suid, helper));
    }
}

impl Helper {
    fn start(suid: bool) -> Result<Helper, String> {
        let program = program(suid)?;
        let failed = |error: std::io::Error| {
            format!(
                "{}, which asks PAM, cannot be started: {error}",
                program.display()
            )
        };
        let mut process = Command::new(&program)
            .arg(HELPER)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process without pipes".to_owned());
        };
        Ok(Helper {
            _process: process,
            questions,
            answers,
        })
    }

    async fn ask(&mut self, question: &LoginQuestion) -> std::io::Result<LoginAnswer> {
        self.questions.write_all(&question.encode()).await?;
        self.questions.flush().await?;
        let mut len = [0; 4];
        self.answers.read_exact(&mut len).await?;
        let mut body = vec![0; message::length(len)?];
        self.answers.read_exact(&mut body).await?;
        LoginAnswer::decode(&body)
    }
}

fn program(suid: bool) -> Result<PathBuf, String> {
    // The file itself, even if it was replaced since: the helper speaks this version's words.
    let own = PathBuf::from("/proc/self/exe");
    if !suid {
        return Ok(own);
    }
    let place = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(place.with_file_name(SUID_PROGRAM))
}
