//! The options.

use std::fmt::Write as _;

/// What an option does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// Names the main file.
    Config,
    /// Names the main file's directory.
    ConfigDir,
    /// Asks for a check.
    Check,
    /// Asks for an export.
    Export,
    /// Stays in the foreground.
    NoDaemon,
    /// Names the user to run as.
    User,
    /// Says where the log goes.
    Log,
    /// Puts all default paths below a directory.
    BaseDir,
    /// Puts configuration and runtime files below a directory.
    RuntimeDir,
    /// Takes the original's default paths.
    CompatPaths,
    /// Gives a global parameter a value.
    Parameter(&'static str),
    /// Gives a global parameter, a path, a value.
    Path(&'static str),
    /// Switches a global parameter on.
    Switch(&'static str),
    /// Asks for the version.
    Version,
    /// Asks for the version and the commit.
    VersionFull,
    /// Asks for help.
    Help,
}

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionDecl {
    /// Its letter.
    pub short: Option<char>,
    /// Its name.
    pub long: &'static str,
    /// What its value is called; `None` if it takes none.
    pub value: Option<&'static str>,
    /// What it does.
    pub sets: Sets,
    /// What it is for, in one line.
    pub help: &'static str,
}

const fn option(
    short: char,
    long: &'static str,
    value: Option<&'static str>,
    sets: Sets,
    help: &'static str,
) -> OptionDecl {
    OptionDecl {
        short: Some(short),
        long,
        value,
        sets,
        help,
    }
}

const fn long_option(
    long: &'static str,
    value: Option<&'static str>,
    sets: Sets,
    help: &'static str,
) -> OptionDecl {
    OptionDecl {
        short: None,
        long,
        value,
        sets,
        help,
    }
}

const fn directory(short: char, name: &'static str, help: &'static str) -> OptionDecl {
    option(short, name, Some("DIR"), Sets::Path(name), help)
}

/// All options, in the order of the usage text.
pub const OPTIONS: &[OptionDecl] = &[
    option(
        'f',
        "config",
        Some("FILE"),
        Sets::Config,
        "main configuration file",
    ),
    option(
        'C',
        "configdir",
        Some("DIR"),
        Sets::ConfigDir,
        "directory that holds maxscale.cnf",
    ),
    option(
        'c',
        "config-check",
        None,
        Sets::Check,
        "check the configuration and exit",
    ),
    option(
        'e',
        "export-config",
        Some("FILE"),
        Sets::Export,
        "write the whole configuration to FILE and exit",
    ),
    option(
        'd',
        "nodaemon",
        None,
        Sets::NoDaemon,
        "stay in the foreground",
    ),
    option('U', "user", Some("NAME"), Sets::User, "run as this user"),
    option(
        'l',
        "log",
        Some("file|stdout"),
        Sets::Log,
        "where the log goes",
    ),
    directory('L', "logdir", "directory of the log file"),
    directory('A', "cachedir", "directory of caches; accepted, not used"),
    directory('B', "libdir", "directory of modules; accepted, not used"),
    directory('D', "datadir", "directory of data"),
    directory(
        'E',
        "execdir",
        "directory of helper programs; accepted, not used",
    ),
    directory('F', "persistdir", "directory of changes made at runtime"),
    directory(
        'H',
        "connector_plugindir",
        "directory of connector plugins; accepted, not used",
    ),
    directory('J', "sharedir", "directory of the web application"),
    directory(
        'M',
        "module_configdir",
        "base of relative paths in parameters of modules",
    ),
    directory(
        'N',
        "language",
        "directory of translations; accepted, not used",
    ),
    directory('P', "piddir", "directory of the file with the process id"),
    long_option(
        "secretsdir",
        Some("DIR"),
        Sets::Path("secretsdir"),
        "directory of .secrets",
    ),
    option(
        'R',
        "basedir",
        Some("DIR"),
        Sets::BaseDir,
        "put all default paths below DIR",
    ),
    option(
        'r',
        "runtimedir",
        Some("DIR"),
        Sets::RuntimeDir,
        "put configuration and runtime files below DIR",
    ),
    long_option(
        "compat-paths",
        None,
        Sets::CompatPaths,
        "default paths say maxscale instead of tidegate",
    ),
    option(
        's',
        "syslog",
        Some("yes|no"),
        Sets::Parameter("syslog"),
        "log to the system journal",
    ),
    option(
        'S',
        "maxlog",
        Some("yes|no"),
        Sets::Parameter("maxlog"),
        "log to the log file",
    ),
    option(
        'G',
        "log_augmentation",
        Some("0|1"),
        Sets::Parameter("log_augmentation"),
        "append the place in the program to log lines",
    ),
    option(
        'p',
        "passive",
        None,
        Sets::Switch("passive"),
        "start passive",
    ),
    option(
        'g',
        "debug",
        Some("OPTIONS"),
        Sets::Parameter("debug"),
        "debug options, separated by commas",
    ),
    option(
        'v',
        "version",
        None,
        Sets::Version,
        "print the version and exit",
    ),
    option(
        'V',
        "version-full",
        None,
        Sets::VersionFull,
        "print the version and the commit and exit",
    ),
    option('?', "help", None, Sets::Help, "print this text and exit"),
];

/// The usage text.
#[must_use]
pub fn usage(program: &str) -> String {
    let mut text = INTRODUCTION.replace("PROGRAM", program);
    for option in OPTIONS {
        let short = option
            .short
            .map_or("    ".to_owned(), |c| format!("-{c}, "));
        let value = option
            .value
            .map_or(String::new(), |value| format!("={value}"));
        let long = format!("--{}{value}", option.long);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {short}{long:<30} {}", option.help);
    }
    text.push_str(CLOSING);
    text
}

const INTRODUCTION: &str = "\
A proxy for MariaDB and MySQL servers: clients connect to it as if it were the database.

Usage: PROGRAM [serve] [OPTION]...
       PROGRAM keys|passwd --help   make the key of encrypted passwords, encrypt them
       PROGRAM pam-test --help      try a login service (PAM)

  PROGRAM -c -f FILE              say everything that is wrong with a configuration
  PROGRAM -d -l stdout -f FILE    run in the foreground and log to the terminal
  PROGRAM -f FILE -U USER         run in the background as USER

Without -f the configuration is /etc/tidegate.cnf or, if that is missing, /etc/maxscale.cnf; the
files in the folder of that name with .d behind it are read too. While it runs,
http://127.0.0.1:8989/v1/sessions shows it at work, at first for user admin, password mariadb.

";

const CLOSING: &str = "
Signals: TERM and INT stop it in order, HUP and USR1 reopen the log.
Exit status: 0 as it should be, 1 the configuration has errors, 2 the command line has,
3 something around it is missing (a folder, a port, a right), 4 a defect.
";
