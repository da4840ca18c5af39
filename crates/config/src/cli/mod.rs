//! The command line of the server, declared in one table.
//!
//! Short options may be bundled, the last of a bundle taking a value (`-dU user`, `-dUuser`);
//! long ones take theirs after `=` or as the next argument. This module only says what was
//! asked for; the program does it.

mod parser;
mod table;

use std::path::PathBuf;

pub use parser::{UsageError, parse};
pub use table::{OPTIONS, OptionDecl, Sets, usage};

use crate::location::Locations;

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogTarget {
    /// The log file.
    #[default]
    File,
    /// Standard output.
    Stdout,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// Run the server.
    #[default]
    Serve,
    /// Check the configuration and end.
    Check,
    /// Write the whole configuration to this file and end.
    Export(PathBuf),
    /// Print the version and end.
    Version,
    /// Print the version and the commit and end.
    VersionFull,
    /// Print the usage and end.
    Help,
}

/// Everything the command line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    /// What to do.
    pub mode: Mode,
    /// The main configuration file.
    pub config: Option<PathBuf>,
    /// The directory that holds it.
    pub configdir: Option<PathBuf>,
    /// Stay in the foreground.
    pub nodaemon: bool,
    /// The user to run as.
    pub user: Option<String>,
    /// Where the log goes.
    pub log: LogTarget,
    /// Where default paths lie.
    pub locations: Locations,
    /// Global parameters given as options; each beats the file.
    pub parameters: Vec<(String, String)>,
}

impl Arguments {
    /// The main configuration file: the one named, the one in the directory named, or that of
    /// the default place. The second value says that the original's file stands in for one of
    /// the program's own name.
    pub fn main_file(&self, exists: impl Fn(&std::path::Path) -> bool) -> (PathBuf, bool) {
        match (&self.config, &self.configdir) {
            (Some(file), _) => (file.clone(), false),
            (None, Some(directory)) => (directory.join("maxscale.cnf"), false),
            (None, None) => self.locations.main_file(exists),
        }
    }
}
