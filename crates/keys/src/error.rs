//! Why a key cannot be had.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a key cannot be had, or its manager cannot be used. No text quotes a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no manager.
    #[error("key_manager is 'none', so there is no key '{0}'; choose file, kmip or vault")]
    Off(String),
    /// It is switched off while the process runs.
    #[error(
        "key_manager cannot be switched off while the process runs: take it out of the configuration, and restart"
    )]
    SwitchedOff,
    /// A parameter that the manager needs is not there, or is not right.
    #[error("{parameter}: {reason}")]
    Setting {
        /// The parameter.
        parameter: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The file cannot be read.
    #[error("file.keyfile '{}' cannot be read: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A line of the file is wrong.
    #[error("file.keyfile '{}', line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1 on.
        line: usize,
        /// What is wrong; quotes nothing of the key.
        reason: String,
    },
    /// Nobody is there, or the connection broke.
    #[error("{place} cannot be reached: {reason}")]
    Unreachable {
        /// What it is, and where.
        place: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("{place} did not answer within {} ms; {remedy}", after.as_millis())]
    Late {
        /// What it is, and where.
        place: String,
        /// How long was waited.
        after: Duration,
        /// What helps.
        remedy: &'static str,
    },
    /// There is no such key.
    #[error("there is no key '{id}' in {place}; {remedy}")]
    NoKey {
        /// The id.
        id: String,
        /// Where it was looked for.
        place: String,
        /// What helps.
        remedy: String,
    },
    /// A version of a key whose manager knows none.
    #[error("key '{id}' has no version {version}: this key manager keeps no versions")]
    NoVersions {
        /// The id.
        id: String,
        /// The version.
        version: u64,
    },
    /// The manager said no.
    #[error("{place} refuses key '{id}': {reason}")]
    Refused {
        /// What it is, and where.
        place: String,
        /// The id.
        id: String,
        /// Why, and what helps.
        reason: String,
    },
    /// What it says makes no sense.
    #[error("{place} sent for key '{id}' what is no key: {reason}")]
    Answer {
        /// What it is, and where.
        place: String,
        /// The id.
        id: String,
        /// What is wrong with it; quotes nothing of it.
        reason: String,
    },
    /// A defect of ours.
    #[error("a defect in Tidegate: {0}")]
    Defect(&'static str),
}
