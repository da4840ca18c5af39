//! One process that asks PAM: started by this one, or by whoever listens at a socket.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::message::{self, LoginAnswer, LoginQuestion};
use super::{HELPER, SUID_PROGRAM};

/// With which rights PAM is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Those of this process.
    Own,
    /// Those of the owner of a program's file.
    Suid,
    /// Those of a process that the service manager starts for each connection to this socket.
    Socket(PathBuf),
}

/// A process that answers one question at a time, and ends when there can be no more.
#[derive(Debug)]
pub(super) enum Helper {
    /// One of ours.
    Process(Box<Process>),
    /// Somebody else's, which limits its time itself.
    Socket(UnixStream),
}

/// A process of ours. It is killed when this is dropped, and so are those that it has started.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    questions: ChildStdin,
    answers: ChildStdout,
}

impl Drop for Process {
    fn drop(&mut self) {
        // While nobody has waited for its end, its number is given to nobody else.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let Some(id) = id.and_then(Pid::from_raw) else {
            return;
        };
        // Who is gone already need not be killed. `pam_exec` gives its programs a group of their own.
        for started in started_by(id) {
            let _ = kill_process(started, Signal::KILL);
        }
        let _ = kill_process_group(id, Signal::KILL);
    }
}

/// The processes that a process and those that it has started have started, as far as the system tells.
fn started_by(id: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", id.as_raw_nonzero()));
    let mut found = Vec::new();
    for thread in threads.into_iter().flatten().flatten() {
        let list = std::fs::read_to_string(thread.path().join("children"));
        let list = list.unwrap_or_default();
        let numbers = list.split_whitespace().filter_map(|id| id.parse().ok());
        for child in numbers.filter_map(Pid::from_raw) {
            found.extend(started_by(child));
            found.push(child);
        }
    }
    found
}

impl Helper {
    pub(super) async fn start(asker: &Asker) -> Result<Self, String> {
        match asker {
            // The file itself, even if it was replaced since: the helper speaks this version's words.
            Asker::Own => Self::process(Path::new("/proc/self/exe")),
            Asker::Suid => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                Self::process(&own.with_file_name(SUID_PROGRAM))
            }
            Asker::Socket(path) => {
                let failed = |error| {
                    format!(
                        "pam_helper_socket {}, where it is asked, does not answer: {error}",
                        path.display()
                    )
                };
                UnixStream::connect(path)
                    .await
                    .map(Helper::Socket)
                    .map_err(failed)
            }
        }
    }

    fn process(program: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| {
            format!(
                "{}, which asks it, cannot be started: {error}",
                program.display()
            )
        };
        let mut command = std::process::Command::new(program);
        command
            .arg0("tidegate")
            .arg(HELPER)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            // What a module has started ends with it, and a terminal's signals are for the proxy alone.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without pipes".to_owned());
        };
        Ok(Helper::Process(Box::new(Process {
            child,
            questions,
            answers,
        })))
    }

    /// Could it answer? One that has died at rest could not.
    pub(super) fn is_alive(&mut self) -> bool {
        match self {
            Helper::Process(process) => matches!(process.child.try_wait(), Ok(None)),
            Helper::Socket(stream) => {
                let read = stream.try_read(&mut [0]);
                read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
            }
        }
    }

    pub(super) async fn ask(&mut self, question: &LoginQuestion) -> std::io::Result<LoginAnswer> {
        match self {
            Helper::Process(process) => {
                exchange(&mut process.questions, &mut process.answers, question).await
            }
            Helper::Socket(stream) => {
                let (mut answers, mut questions) = stream.split();
                exchange(&mut questions, &mut answers, question).await
            }
        }
    }
}

async fn exchange(
    questions: &mut (impl AsyncWrite + Unpin),
    answers: &mut (impl AsyncRead + Unpin),
    question: &LoginQuestion,
) -> std::io::Result<LoginAnswer> {
    questions.write_all(&question.encode()).await?;
    questions.flush().await?;
    let mut len = [0; 4];
    answers.read_exact(&mut len).await?;
    let mut body = vec![0; message::length(len)?];
    answers.read_exact(&mut body).await?;
    LoginAnswer::decode(&body)
}
