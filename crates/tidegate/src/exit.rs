//! Why the process ends early, and with which status.

use std::path::PathBuf;
use std::process::ExitCode;

use tidegate_catalog::{LoginErrors, StartError, TlsErrors};
use tidegate_config::Errors;
use tidegate_config::cli::UsageError;

use crate::secrets::ToolError;

/// Why the process ends early. Each text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}\nTry 'tidegate --help'.")]
    Usage(UsageError),
    #[error("the configuration has errors, nothing was started:\n{0}")]
    Config(Errors),
    #[error("the configuration has errors, nothing was started:\n{0}")]
    Tls(TlsErrors),
    #[error("the configuration has errors, nothing was started:\n{0}")]
    Logins(LoginErrors),
    #[error("refusing to run as root; give a user with --user=NAME, or insist with --user=root")]
    Root,
    #[error("there is no user '{0}' in /etc/passwd (--user)")]
    NoUser(String),
    #[error("cannot become user '{user}': {error}; only root can (--user)")]
    Become { user: String, error: std::io::Error },
    #[error("cannot {what} '{}': {error}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("already running as process {pid}, says '{}'; stop it first, or choose another --piddir", path.display())]
    Running { pid: i32, path: PathBuf },
    #[error("{0}")]
    Log(#[from] tidegate_runtime::log::LogError),
    #[error("{0}")]
    Start(StartError),
    #[error("{0}")]
    Admin(#[from] tidegate_admin::StartError),
    #[error("the configuration has errors, nothing was started:\n{0}")]
    Keys(#[from] tidegate_keys::KeyError),
    #[error("admin_jwt_key: {0}")]
    TokenKey(tidegate_keys::KeyError),
    #[error(
        "the detached process ended before it had started: {0}; see its messages above or in the log"
    )]
    Child(String, u8),
    #[error("{0}")]
    Tool(#[from] ToolError),
    #[error("{0}")]
    Pam(String),
    #[error("cannot start: {0}")]
    Internal(std::io::Error),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::Tls(errors) => Failure::Tls(errors),
            error => Failure::Start(error),
        }
    }
}

impl Failure {
    pub(crate) fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Config(_) | Failure::Tls(_) | Failure::Logins(_) | Failure::Keys(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Tool(error) if error.is_usage() => 2,
            Failure::Root
            | Failure::NoUser(_)
            | Failure::Become { .. }
            | Failure::File { .. }
            | Failure::Running { .. }
            | Failure::Log(_)
            | Failure::Start(_)
            | Failure::Admin(_)
            | Failure::TokenKey(_)
            | Failure::Pam(_)
            | Failure::Tool(_) => 3,
            Failure::Child(_, status) => *status,
            Failure::Internal(_) => 4,
        })
    }
}
