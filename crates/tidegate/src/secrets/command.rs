//! `tidegate keys` and `tidegate passwd`, also under their old names `maxkeys` and `maxpasswd`.

use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tidegate_config::Locations;
use zeroize::Zeroizing;

use super::cipher::{self, CipherError, Form};
use super::keyfile::{self, KeyFile, KeyFileError};
use crate::identity;

/// A helper program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Makes a key file.
    Keys,
    /// Encrypts and decrypts passwords.
    Passwd,
}

impl Tool {
    /// The tool that the first word of a command line asks for.
    pub(crate) fn named(word: &str) -> Option<Tool> {
        match word {
            "keys" => Some(Tool::Keys),
            "passwd" => Some(Tool::Passwd),
            _ => None,
        }
    }
}

const KEYS_USAGE: &str = "\
Usage: tidegate keys [--rotate] [-u USER] [DIRECTORY]

Makes the key file .secrets in DIRECTORY (without it: the data directory), for USER to read
(tidegate, if there is such a user). An existing file stays as it is: a new key could not decrypt the
passwords that were encrypted with the old one. With --rotate the new key goes before the old ones,
which go on decrypting.
";

const PASSWD_USAGE: &str = "\
Usage: tidegate passwd [-d] [--modern] [PATH] PASSWORD
       tidegate passwd [-d] [--modern] -i [PATH]

Prints PASSWORD encrypted with the key file in PATH (without it: in the data directory), to be
written to the configuration in its place.

  -d, --decrypt       PASSWORD is an encrypted one; prints the clear text
  -i, --interactive   reads the password from standard input or, on a terminal, asks for it twice
      --modern        prints the form enc:v2:, which MaxScale does not know
";

/// Why a helper program did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("{reason}\n{usage}")]
    Usage { reason: String, usage: &'static str },
    #[error("{0}")]
    KeyFile(KeyFileError),
    #[error("{}", no_key(.0))]
    NoKey(PathBuf),
    #[error("the password cannot be decrypted: {0}")]
    Cipher(CipherError),
    #[error("the two passwords differ")]
    Differ,
    #[error("there is no user '{0}' in /etc/passwd")]
    NoUser(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl ToolError {
    /// Was it asked for in a way that cannot be understood?
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Usage { .. })
    }
}

fn no_key(path: &Path) -> String {
    format!(
        "there is no key file '{}'; make one with 'tidegate keys'",
        path.display()
    )
}

/// Does what a helper program is asked for; `locations` say where the data directory is.
pub(crate) fn run(
    tool: Tool,
    locations: &Locations,
    arguments: impl Iterator<Item = OsString>,
    output: &mut dyn io::Write,
) -> Result<(), ToolError> {
    let data_directory = locations.place("/var/lib/maxscale");
    match tool {
        Tool::Keys => keys(data_directory, arguments, output),
        Tool::Passwd => passwd(data_directory, arguments, output),
    }
}

/// Words and switches of a command line; `--` ends the switches.
pub(crate) struct Words {
    switches: Vec<String>,
    pub(crate) values: Vec<(String, OsString)>,
    pub(crate) plain: Vec<OsString>,
}

impl Words {
    /// `valued`: the switches that take a value.
    pub(crate) fn read(
        arguments: impl Iterator<Item = OsString>,
        valued: &[&str],
        usage: &'static str,
    ) -> Result<Words, ToolError> {
        let mut words = Words {
            switches: Vec::new(),
            values: Vec::new(),
            plain: Vec::new(),
        };
        let mut arguments = arguments.peekable();
        let mut over = false;
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            if over || !text.starts_with('-') || text == "-" {
                words.plain.push(argument);
            } else if text == "--" {
                over = true;
            } else if valued.contains(&&*text) {
                let value = arguments.next().ok_or_else(|| ToolError::Usage {
                    reason: format!("option '{text}' needs a value"),
                    usage,
                })?;
                words.values.push((text.into_owned(), value));
            } else if let Some((name, value)) = text.split_once('=')
                && valued.contains(&name)
            {
                words.values.push((name.to_owned(), value.into()));
            } else {
                words.switches.push(text.into_owned());
            }
        }
        Ok(words)
    }

    /// Takes a switch out; was it there?
    pub(crate) fn take(&mut self, names: [&str; 2]) -> bool {
        let before = self.switches.len();
        self.switches.retain(|name| !names.contains(&&**name));
        self.switches.len() < before
    }

    /// Whatever was not understood is an error.
    pub(crate) fn done(&self, usage: &'static str) -> Result<(), ToolError> {
        match self.switches.first() {
            None => Ok(()),
            Some(unknown) => Err(ToolError::Usage {
                reason: format!("unknown option '{unknown}'"),
                usage,
            }),
        }
    }
}

fn keys(
    data_directory: PathBuf,
    arguments: impl Iterator<Item = OsString>,
    output: &mut dyn io::Write,
) -> Result<(), ToolError> {
    let mut words = Words::read(arguments, &["-u", "--user"], KEYS_USAGE)?;
    if words.take(["-h", "--help"]) {
        return Ok(output.write_all(KEYS_USAGE.as_bytes())?);
    }
    let rotate = words.take(["--rotate", "--rotate"]);
    words.done(KEYS_USAGE)?;
    if words.plain.len() > 1 {
        return Err(ToolError::Usage {
            reason: "more than one directory".to_owned(),
            usage: KEYS_USAGE,
        });
    }
    let named = words.values.pop();
    let named = named.map(|(_, user)| user.to_string_lossy().into_owned());
    let owner = owner(named.as_deref())?;
    let directory = words.plain.pop().map_or(data_directory, PathBuf::from);
    let path = directory.join(keyfile::NAME);
    if rotate {
        let file = read(&path)?.rotate()?;
        // Written beside it and renamed: at no moment is there no key.
        let fresh = directory.join(format!("{}.new", keyfile::NAME));
        file.write(&fresh, owner).map_err(ToolError::KeyFile)?;
        std::fs::rename(&fresh, &path)?;
    } else {
        let file = KeyFile::generate()?;
        file.write(&path, owner).map_err(ToolError::KeyFile)?;
    }
    Ok(writeln!(
        output,
        "A new key was written to '{}'.",
        path.display()
    )?)
}

/// Who the file is to belong to: the user named, or the one the server runs as on its own.
fn owner(named: Option<&str>) -> Result<Option<(u32, u32)>, ToolError> {
    let user = named.unwrap_or("tidegate");
    match identity::ids_of(user)? {
        Some(ids) => Ok(Some(ids).filter(|_| rustix::process::geteuid().is_root())),
        None if named.is_some() => Err(ToolError::NoUser(user.to_owned())),
        None => Ok(None),
    }
}

fn passwd(
    data_directory: PathBuf,
    arguments: impl Iterator<Item = OsString>,
    output: &mut dyn io::Write,
) -> Result<(), ToolError> {
    let usage = |reason: &str| ToolError::Usage {
        reason: reason.to_owned(),
        usage: PASSWD_USAGE,
    };
    let mut words = Words::read(arguments, &[], PASSWD_USAGE)?;
    if words.take(["-h", "--help"]) {
        return Ok(output.write_all(PASSWD_USAGE.as_bytes())?);
    }
    let decrypt = words.take(["-d", "--decrypt"]);
    let interactive = words.take(["-i", "--interactive"]);
    let form = if words.take(["--modern", "--modern"]) {
        Form::Modern
    } else {
        Form::Classic
    };
    words.done(PASSWD_USAGE)?;
    let password = if interactive {
        ask("Password: ", !decrypt)?
    } else {
        let given = words.plain.pop().ok_or_else(|| usage("no password"))?;
        let text = given
            .into_string()
            .map_err(|_| usage("the password is not UTF-8"))?;
        Zeroizing::new(text)
    };
    let place = words.plain.pop().map_or(data_directory, PathBuf::from);
    if !words.plain.is_empty() {
        return Err(usage("too many arguments"));
    }
    let path = if place.is_dir() {
        place.join(keyfile::NAME)
    } else {
        place
    };
    let file = read(&path)?;
    if decrypt {
        let clear = cipher::decrypt(file.keys(), &password).map_err(ToolError::Cipher)?;
        writeln!(output, "{}", *clear)?;
    } else {
        let text = cipher::encrypt(file.newest(), &password, form).map_err(ToolError::Cipher)?;
        writeln!(output, "{text}")?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<KeyFile, ToolError> {
    KeyFile::read(path).map_err(|error| {
        if error.is_missing() {
            ToolError::NoKey(path.to_owned())
        } else {
            ToolError::KeyFile(error)
        }
    })
}

/// A line of standard input or, from a terminal, what somebody types without seeing
/// it, `twice` if it is to be compared.
pub(crate) fn ask(prompt: &str, twice: bool) -> Result<Zeroizing<String>, ToolError> {
    if !io::stdin().is_terminal() {
        return Ok(line()?);
    }
    let first = unseen(prompt)?;
    if twice && unseen("The same again: ")? != first {
        return Err(ToolError::Differ);
    }
    Ok(first)
}

fn unseen(prompt: &str) -> io::Result<Zeroizing<String>> {
    let mut terminal = io::stderr();
    write!(terminal, "{prompt}")?;
    terminal.flush()?;
    let seen = tcgetattr(io::stdin())?;
    let mut hidden = seen.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
    let typed = line();
    tcsetattr(io::stdin(), OptionalActions::Flush, &seen)?;
    writeln!(terminal)?;
    typed
}

fn line() -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
