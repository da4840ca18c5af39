//! Arguments to [`Arguments`].

use std::ffi::OsString;
use std::path::PathBuf;

use super::table::{OPTIONS, OptionDecl, Sets};
use super::{Arguments, LogTarget, Mode};
use crate::suggest::nearest;

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// An option is unknown.
    #[error("unknown option '{option}'{}", .nearest.as_ref().map(|near| format!("; did you mean '{near}'?")).unwrap_or_default())]
    Unknown {
        /// As it was written.
        option: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// An option lacks its value.
    #[error("option '{option}' needs a value, {value}")]
    NoValue {
        /// The option.
        option: String,
        /// What the value is.
        value: &'static str,
    },
    /// An option was given a value but takes none.
    #[error("option '{option}' takes no value")]
    NeedlessValue {
        /// The option.
        option: String,
    },
    /// A value is not allowed.
    #[error("option '{option}' does not accept '{got}'; allowed is {allowed}")]
    BadValue {
        /// The option.
        option: String,
        /// What was given.
        got: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A word that is no option.
    #[error("unexpected argument '{argument}'")]
    Unexpected {
        /// The argument.
        argument: String,
    },
    /// A text is not valid UTF-8 where it has to be.
    #[error("option '{option}' has a value that is not valid UTF-8")]
    NotUtf8 {
        /// The option.
        option: String,
    },
}

/// Understands the arguments after the program's name. A first word `serve` says what would
/// be done anyway.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, UsageError> {
    let mut rest = arguments.into_iter().peekable();
    let mut parsed = Arguments::default();
    rest.next_if(|first| first == "serve");
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if let Some(long) = text.strip_prefix("--").filter(|long| !long.is_empty()) {
            long_option(long, &argument, &mut rest, &mut parsed)?;
        } else if let Some(bundle) = text.strip_prefix('-').filter(|bundle| !bundle.is_empty()) {
            short_options(bundle, &argument, &mut rest, &mut parsed)?;
        } else {
            return Err(UsageError::Unexpected {
                argument: text.into_owned(),
            });
        }
    }
    Ok(parsed)
}

/// `--name`, `--name=value`, `--name value`.
fn long_option(
    text: &str,
    argument: &OsString,
    rest: &mut impl Iterator<Item = OsString>,
    parsed: &mut Arguments,
) -> Result<(), UsageError> {
    let (name, value) = match text.split_once('=') {
        Some((name, _)) => (name, Some(after(argument, name.len() + 3))),
        None => (text, None),
    };
    let option = format!("--{name}");
    let decl = OPTIONS.iter().find(|decl| decl.long == name);
    let decl = decl.ok_or_else(|| UsageError::Unknown {
        nearest: nearest(name, OPTIONS.iter().map(|decl| decl.long))
            .map(|near| format!("--{near}")),
        option: option.clone(),
    })?;
    match (decl.value, value) {
        (None, Some(_)) => Err(UsageError::NeedlessValue { option }),
        (None, None) => switch(decl, parsed),
        (Some(what), value) => {
            let value = value.or_else(|| rest.next());
            let value = value.ok_or_else(|| UsageError::NoValue {
                option: option.clone(),
                value: what,
            })?;
            set(decl, &option, value, parsed)
        }
    }
}

/// `-a`, `-abc`, `-abcVALUE`, `-abc VALUE`, where only the last takes a value.
fn short_options(
    bundle: &str,
    argument: &OsString,
    rest: &mut impl Iterator<Item = OsString>,
    parsed: &mut Arguments,
) -> Result<(), UsageError> {
    for (at, letter) in bundle.char_indices() {
        let option = format!("-{letter}");
        let decl = OPTIONS.iter().find(|decl| decl.short == Some(letter));
        let Some(decl) = decl else {
            return Err(UsageError::Unknown {
                option,
                nearest: None,
            });
        };
        let Some(what) = decl.value else {
            switch(decl, parsed)?;
            continue;
        };
        let end = at + letter.len_utf8();
        let attached = (end < bundle.len()).then(|| after(argument, end + 1));
        let value = attached.or_else(|| rest.next());
        let value = value.ok_or_else(|| UsageError::NoValue {
            option: option.clone(),
            value: what,
        })?;
        return set(decl, &option, value, parsed);
    }
    Ok(())
}

/// The rest of an argument whose first bytes are ASCII, whatever the rest is.
fn after(argument: &OsString, start: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = argument.as_os_str().as_bytes();
    std::ffi::OsStr::from_bytes(bytes.get(start..).unwrap_or_default()).to_owned()
}

fn switch(decl: &OptionDecl, parsed: &mut Arguments) -> Result<(), UsageError> {
    match decl.sets {
        Sets::Check => parsed.mode = Mode::Check,
        Sets::NoDaemon => parsed.nodaemon = true,
        Sets::CompatPaths => parsed.locations.compat_paths = true,
        Sets::Switch(parameter) => give(parsed, parameter, "true".to_owned()),
        Sets::Version => parsed.mode = Mode::Version,
        Sets::VersionFull => parsed.mode = Mode::VersionFull,
        Sets::Help => parsed.mode = Mode::Help,
        // The table gives these a value.
        Sets::Config
        | Sets::ConfigDir
        | Sets::Export
        | Sets::User
        | Sets::Log
        | Sets::BaseDir
        | Sets::RuntimeDir
        | Sets::Parameter(_)
        | Sets::Path(_) => {}
    }
    Ok(())
}

fn set(
    decl: &OptionDecl,
    option: &str,
    value: OsString,
    parsed: &mut Arguments,
) -> Result<(), UsageError> {
    let text = || {
        value
            .clone()
            .into_string()
            .map_err(|_| UsageError::NotUtf8 {
                option: option.to_owned(),
            })
    };
    match decl.sets {
        Sets::Config => parsed.config = Some(PathBuf::from(value)),
        Sets::ConfigDir => parsed.configdir = Some(PathBuf::from(value)),
        Sets::Export => parsed.mode = Mode::Export(PathBuf::from(value)),
        Sets::User => parsed.user = Some(text()?),
        Sets::Log => parsed.log = log_target(option, &text()?)?,
        Sets::BaseDir => parsed.locations.base = Some(PathBuf::from(value)),
        Sets::RuntimeDir => parsed.locations.runtime = Some(PathBuf::from(value)),
        Sets::Parameter(parameter) | Sets::Path(parameter) => {
            let text = text()?;
            give(parsed, parameter, text);
        }
        // The table gives these no value.
        Sets::Check
        | Sets::NoDaemon
        | Sets::CompatPaths
        | Sets::Switch(_)
        | Sets::Version
        | Sets::VersionFull
        | Sets::Help => {}
    }
    Ok(())
}

fn log_target(option: &str, text: &str) -> Result<LogTarget, UsageError> {
    match text {
        "file" => Ok(LogTarget::File),
        "stdout" => Ok(LogTarget::Stdout),
        other => Err(UsageError::BadValue {
            option: option.to_owned(),
            got: other.to_owned(),
            allowed: "file or stdout",
        }),
    }
}

/// The last of several equal options counts.
fn give(parsed: &mut Arguments, parameter: &str, value: String) {
    parsed.parameters.retain(|(known, _)| known != parameter);
    parsed.parameters.push((parameter.to_owned(), value));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(line: &str) -> Result<Arguments, UsageError> {
        parse(
            line.split(' ')
                .filter(|word| !word.is_empty())
                .map(OsString::from),
        )
    }

    #[test]
    fn short_options_are_bundled() {
        for line in [
            "-dU proxy",
            "-dUproxy",
            "-d -U proxy",
            "--nodaemon --user=proxy",
            "-d --user proxy",
            "serve -dU proxy",
        ] {
            let arguments = read(line).unwrap();
            assert!(arguments.nodaemon, "{line}");
            assert_eq!(arguments.user.as_deref(), Some("proxy"), "{line}");
        }
        let arguments = read("-df /x.cnf -l stdout -L/log").unwrap();
        assert_eq!(arguments.config.as_deref(), Some(Path::new("/x.cnf")));
        assert_eq!(arguments.log, LogTarget::Stdout);
        assert_eq!(
            arguments.parameters,
            [("logdir".to_owned(), "/log".to_owned())]
        );
    }

    #[test]
    fn the_last_option_counts() {
        let arguments = read("--logdir=/a --logdir=/b -p").unwrap();
        let expected = [("logdir", "/b"), ("passive", "true")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(arguments.parameters, expected);
    }

    #[test]
    fn modes_and_files() {
        let check = |line: &str, mode| assert_eq!(read(line).unwrap().mode, mode, "{line}");
        check("", Mode::Serve);
        check("-c", Mode::Check);
        check("--config-check", Mode::Check);
        check("-e out", Mode::Export(PathBuf::from("out")));
        check("-V", Mode::VersionFull);
        check("-?", Mode::Help);
        let (file, _) = read("-C /d").unwrap().main_file(|_| false);
        assert_eq!(file, Path::new("/d/maxscale.cnf"));
        let (file, _) = read("-R /d --compat-paths").unwrap().main_file(|_| false);
        assert_eq!(file, Path::new("/d/etc/maxscale.cnf"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |line: &str, text: &str| {
            assert_eq!(read(line).unwrap_err().to_string(), text, "{line}");
        };
        check("--usr=x", "unknown option '--usr'; did you mean '--user'?");
        check("-dz", "unknown option '-z'");
        check("-U", "option '-U' needs a value, NAME");
        check("--config", "option '--config' needs a value, FILE");
        check("--nodaemon=1", "option '--nodaemon' takes no value");
        check(
            "-l syslog",
            "option '-l' does not accept 'syslog'; allowed is file or stdout",
        );
        check("file", "unexpected argument 'file'");
        check("-", "unexpected argument '-'");
    }

    #[test]
    fn every_option_that_sets_a_parameter_names_one() {
        use crate::Params as _;
        let table = crate::params::MaxScaleParams::TABLE;
        for decl in OPTIONS {
            if let Sets::Parameter(name) | Sets::Path(name) | Sets::Switch(name) = decl.sets {
                assert!(table.find(name).is_some(), "{name}");
            }
        }
    }
}
