//! The server binary: arguments, start, stop, signals. Composition only.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | normal end, or the configuration is good |
//! | 1 | an error in the configuration |
//! | 2 | an error on the command line |
//! | 3 | the surroundings: directories, ports, the process id file, rights |
//! | 4 | an internal error |

mod daemon;
mod exit;
mod files;
mod house;
mod identity;
mod load;
mod logging;
mod pidfile;
mod serve;
mod signals;

use std::process::ExitCode;

use tidegate_config::cli::{self, Mode};

use exit::Failure;

/// Bounded memory in long runs with many short allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version, as it is shown everywhere.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, if whoever built it has said so in `TIDEGATE_COMMIT`.
const COMMIT: &str = match option_env!("TIDEGATE_COMMIT") {
    Some(commit) => commit,
    None => "",
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tidegate: {failure}");
            failure.status()
        }
    }
}

fn run() -> Result<(), Failure> {
    let arguments = cli::parse(std::env::args_os().skip(1)).map_err(Failure::Usage)?;
    match &arguments.mode {
        Mode::Help => print!("{}", cli::usage("tidegate")),
        Mode::VersionFull if !COMMIT.is_empty() => println!("Tidegate {VERSION} - {COMMIT}"),
        Mode::Version | Mode::VersionFull => println!("Tidegate {VERSION}"),
        Mode::Check => {
            let config = load::load(&arguments)?;
            for warning in &config.warnings {
                eprintln!("{warning}");
            }
            println!("The configuration is good.");
        }
        Mode::Export(file) => {
            let config = load::load(&arguments)?;
            pidfile::write_private(file, config.export().reveal().as_bytes()).map_err(|error| {
                Failure::File {
                    what: "write",
                    path: file.clone(),
                    error,
                }
            })?;
        }
        Mode::Serve => {
            identity::assume(arguments.user.as_deref())?;
            let config = load::load(&arguments)?;
            if !arguments.nodaemon && !daemon::is_child() {
                return daemon::detach();
            }
            serve::serve(config, arguments.log)?;
        }
    }
    Ok(())
}
