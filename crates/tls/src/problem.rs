//! What is wrong with TLS settings.

use std::path::{Path, PathBuf};

/// A parameter whose value, or whose file, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}{}: {reason}", .path.as_ref().map(|path| format!(" '{}'", path.display())).unwrap_or_default())]
pub struct Problem {
    /// The parameter's name.
    pub parameter: &'static str,
    /// The file it names.
    pub path: Option<PathBuf>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(parameter: &'static str, reason: impl Into<String>) -> Problem {
        Problem {
            parameter,
            path: None,
            reason: reason.into(),
        }
    }

    pub(crate) fn file(parameter: &'static str, path: &Path, reason: impl Into<String>) -> Problem {
        Problem {
            parameter,
            path: Some(path.to_owned()),
            reason: reason.into(),
        }
    }
}

/// Something built, with what somebody should know about it; or all that stands in the way.
pub type Built<T> = Result<(T, Vec<Problem>), Vec<Problem>>;
