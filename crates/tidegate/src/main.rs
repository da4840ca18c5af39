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
mod limits;
mod load;
mod logging;
mod pam;
mod panics;
mod pidfile;
mod secrets;
mod serve;
mod signals;
mod systemd;

use std::path::Path;
use std::process::ExitCode;

use tidegate_catalog::HELPER;
use tidegate_config::Locations;
use tidegate_config::cli::{self, Mode};

use exit::Failure;
use secrets::Tool;

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
    panics::install_hook();
    let mut words = std::env::args_os().peekable();
    let name = words.next().unwrap_or_default();
    if pam::is_suid() || words.peek().is_some_and(|word| word == HELPER) {
        return pam::help(words);
    }
    if words.peek().is_some_and(|word| word == pam::TEST) {
        return pam::test(words.skip(1));
    }
    let name = Path::new(&name).file_name().and_then(|name| name.to_str());
    let tool = match (name, words.peek().and_then(|word| word.to_str())) {
        (Some("maxkeys"), _) => Some(Tool::Keys),
        (Some("maxpasswd"), _) => Some(Tool::Passwd),
        (_, Some(word)) => Tool::named(word).inspect(|_| drop(words.next())),
        _ => None,
    };
    // Under an old name it is at home where the old program was.
    let compat_paths = name.is_some_and(|name| name.starts_with("max"));
    if let Some(tool) = tool {
        let locations = Locations {
            compat_paths,
            ..Locations::default()
        };
        return Ok(secrets::run(
            tool,
            &locations,
            words,
            &mut std::io::stdout(),
        )?);
    }
    let mut arguments = cli::parse(words).map_err(Failure::Usage)?;
    arguments.locations.compat_paths |= compat_paths;
    match &arguments.mode {
        Mode::Help => print!("{}", cli::usage("tidegate")),
        Mode::VersionFull if !COMMIT.is_empty() => println!("Tidegate {VERSION} - {COMMIT}"),
        Mode::Version | Mode::VersionFull => println!("Tidegate {VERSION}"),
        Mode::Check => {
            let config = load::load(&arguments)?;
            for warning in &config.warnings {
                eprintln!("{warning}");
            }
            for warning in tidegate_catalog::check_tls(&config).map_err(Failure::Tls)? {
                eprintln!("{warning}");
            }
            tidegate_catalog::check_logins(&config).map_err(Failure::Logins)?;
            tidegate_keys::Keys::open(config.maxscale.params.keys)?;
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
