//! What can be wrong with a configuration, and how it is reported.
//!
//! Everything wrong is gathered; each [`Problem`] says where it is and what would be right.
//! No problem quotes the value of a password, nor a line that could hold one.

use std::fmt;
use std::sync::Arc;

use crate::object::ObjectKind;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named; `command line` for options.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Probably not what was meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One thing that is wrong, where it is, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The section concerned.
    pub section: Option<String>,
    /// The parameter concerned.
    pub parameter: Option<String>,
    /// What it is.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match (&self.section, &self.parameter) {
            (Some(section), Some(parameter)) => {
                write!(f, "section '{section}', parameter '{parameter}': ")?;
            }
            (Some(section), None) => write!(f, "section '{section}': ")?,
            (None, _) => {}
        }
        write!(f, "{}", self.fault)
    }
}

/// All errors of a configuration, and what was found besides them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    /// The errors, in the order of files and lines; never empty.
    pub errors: Vec<Problem>,
    /// Warnings and notices.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for Errors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file cannot be read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// The system's reason.
        reason: String,
    },
    /// The key of encrypted passwords cannot be used.
    #[error("no password can be decrypted: {reason}")]
    Keys {
        /// Why.
        reason: String,
    },
    /// A line is not UTF-8.
    #[error("the line is not valid UTF-8")]
    NotUtf8,
    /// A line is too long.
    #[error("the line has {len_bytes} bytes, at most {limit_bytes} are allowed")]
    LineTooLong {
        /// Its length.
        len_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A comment begins with a semicolon.
    #[error("';' does not begin a comment; use '#'")]
    Semicolon,
    /// A section's header is not closed.
    #[error("the section header has no closing ']'")]
    HeaderNotClosed,
    /// There is something after a section's header.
    #[error("there is text after the section header; put it on a line of its own")]
    AfterHeader,
    /// A section's name is too long.
    #[error("the section name has {len_bytes} bytes, at most {limit_bytes} are allowed")]
    NameTooLong {
        /// Its length.
        len_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A line has no `=`.
    #[error("the line has no '='; write parameter=value")]
    NoEquals,
    /// There is nothing before `=`.
    #[error("there is no parameter name before '='")]
    NoKey,
    /// A parameter stands before the first section.
    #[error("the parameter stands before the first [section]")]
    NoSection,
    /// An indented line has nothing to continue.
    #[error(
        "an indented line continues the parameter above it, but there is none; remove the blanks"
    )]
    NothingToContinue,
    /// An indented line looks like a section header.
    #[error("an indented section header continues the parameter above it; remove the blanks")]
    IndentedHeader,
    /// An indented line looks like a parameter.
    #[error(
        "the indented line '{key}=...' continues the parameter above it; remove the blanks if '{key}' is meant"
    )]
    IndentedParameter {
        /// The parameter it looks like.
        key: String,
    },
    /// A triple-quoted value has a bad escape.
    #[error(
        "the value has an unknown escape after '\\'; allowed are \\n \\r \\t \\\\ \\\" \\$ and \\u{{...}}"
    )]
    BadEscape,
    /// A name has characters that cannot stand in REST paths.
    #[error("the name holds {character:?}; allowed are letters, digits and _ . ~ -")]
    NameCharacter {
        /// The first of them.
        character: char,
    },
    /// A name is empty.
    #[error("the section has no name")]
    NameEmpty,
    /// A name is reserved for objects the server makes.
    #[error("names that begin with '@@' are reserved")]
    NameReserved,
    /// Two names differ in case only.
    #[error("the name differs from '{other}' ({place}) in case only")]
    NameCase {
        /// The other name.
        other: String,
        /// Where it is.
        place: Place,
    },
    /// A name is a word of REST paths.
    #[error("the name is also a word of the REST interface's paths; choose another")]
    NameOfPath,
    /// A section is there twice.
    #[error("the section is there already, at {first}; every name may be used once")]
    DuplicateSection {
        /// Where it is first.
        first: Place,
    },
    /// `[maxscale]` is not in the main file.
    #[error("[maxscale] may only be in the main file, {main}; move the parameters there")]
    GlobalsElsewhere {
        /// The main file, with the line of its own `[maxscale]` if it has one.
        main: Place,
    },
    /// A parameter is there twice.
    #[error("the parameter is there already, at {first}; remove one of them")]
    DuplicateParameter {
        /// Where it is first.
        first: Place,
    },
    /// A parameter is there under two names.
    #[error("'{other}' at {first} is the same parameter; remove one of them")]
    DuplicateAlias {
        /// The other name.
        other: String,
        /// Where it is.
        first: Place,
    },
    /// A section has no `type`.
    #[error(
        "the section has no type; add type= with one of server, monitor, filter, service, listener, include"
    )]
    NoType,
    /// A section has an unknown type.
    #[error("'{word}' is no type of a section{}; known are server, monitor, filter, service, listener, include", suggestion(.nearest.as_deref()))]
    UnknownType {
        /// What it says.
        word: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A parameter is unknown.
    #[error("unknown parameter{}{}", suggestion(.nearest.as_deref()), belongs(.owner.as_deref()))]
    UnknownParameter {
        /// The nearest known one.
        nearest: Option<String>,
        /// Who has a parameter of that name.
        owner: Option<String>,
    },
    /// A parameter is gone.
    #[error("this parameter is gone and has no effect: {advice}")]
    Retired {
        /// What to do instead.
        advice: String,
    },
    /// A parameter is on its way out.
    #[error("this parameter is deprecated: {advice}")]
    Deprecated {
        /// What to do instead.
        advice: String,
    },
    /// A parameter is given under an old name.
    #[error("this name is deprecated; use '{name}'")]
    OldName {
        /// The present name.
        name: String,
    },
    /// A parameter is not built.
    #[error("values other than the default are not yet supported; remove the line{}", .default.as_ref().map(|default| format!(" or write {default}")).unwrap_or_default())]
    NotYet {
        /// The default, when there is one.
        default: Option<String>,
    },
    /// A mandatory parameter is missing.
    #[error("the mandatory parameter '{name}' is missing{}", remedy(.hint))]
    Missing {
        /// Its name.
        name: String,
        /// What else would do.
        hint: &'static str,
    },
    /// A value cannot be understood.
    #[error("{0}")]
    Value(#[from] ValueFault),
    /// A bare number of a duration.
    #[error("a duration without a unit is deprecated; write {written}")]
    BareDuration {
        /// The same with its unit.
        written: String,
    },
    /// A duration was rounded.
    #[error("rounded down to {taken}: this parameter has whole seconds")]
    RoundedDown {
        /// The value taken.
        taken: String,
    },
    /// An old spelling of a value.
    #[error("'{word}' is an old spelling; write '{instead}'")]
    OldSpelling {
        /// What was written.
        word: String,
        /// What it means.
        instead: String,
    },
    /// A regular expression without slashes.
    #[error("a regular expression without slashes is deprecated; write /.../")]
    PatternWithoutSlashes,
    /// An environment variable is missing. Its name is not told: it may be a password that
    /// begins with a dollar sign.
    #[error(
        "the environment variable named here is not set; set it, or turn substitute_variables off"
    )]
    NoVariable,
    /// A `${` is not closed.
    #[error("'${{' has no closing '}}'")]
    VariableNotClosed,
    /// An encrypted password cannot be decrypted.
    #[error(
        "the value looks encrypted but cannot be decrypted with this key: {reason}; if it is the password itself, write plain: before it"
    )]
    NotDecrypted {
        /// Why.
        reason: String,
    },
    /// A module is unknown.
    #[error("there is no {kind} '{name}'{}; known are {}", suggestion(.nearest.as_deref()), .known.join(", "))]
    UnknownModule {
        /// `router`, `filter`...
        kind: &'static str,
        /// What was written.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
        /// All of them.
        known: Vec<&'static str>,
    },
    /// A module is not built.
    #[error("the {kind} '{name}' is not yet supported")]
    ModuleNotYet {
        /// `router`, `filter`...
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A module is gone.
    #[error("the {kind} '{name}' is gone: {advice}")]
    RetiredModule {
        /// `router`, `filter`...
        kind: &'static str,
        /// Its name.
        name: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// A section that is skipped.
    #[error("the section is skipped: {reason}")]
    Skipped {
        /// Why.
        reason: String,
    },
    /// A reference to nothing.
    #[error("there is no {wanted} '{name}'{}", suggestion(.nearest.as_deref()))]
    NoSuchObject {
        /// What was referred to.
        name: String,
        /// What it should be.
        wanted: &'static str,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A reference to something else.
    #[error("'{name}' is a {} ({place}), not a {wanted}", .kind.noun())]
    WrongObject {
        /// What was referred to.
        name: String,
        /// What it is.
        kind: ObjectKind,
        /// What it should be.
        wanted: &'static str,
        /// Where it is.
        place: Place,
    },
    /// A reference that is there twice.
    #[error("'{name}' is named twice; remove one of them")]
    NamedTwice {
        /// The name.
        name: String,
    },
    /// Parameters that exclude each other.
    #[error("only one of {} may be given", .names.join(", "))]
    OnlyOne {
        /// The parameters given.
        names: Vec<&'static str>,
    },
    /// A cycle of services.
    #[error("services target each other in a circle: {}", .cycle.join(" -> "))]
    TargetCycle {
        /// The circle; first and last are the same.
        cycle: Vec<String>,
    },
    /// A server with two monitors.
    #[error(
        "the server '{server}' is watched by the monitor '{monitor}' already; a server has one monitor at most"
    )]
    WatchedTwice {
        /// The server.
        server: String,
        /// The monitor that has it.
        monitor: String,
    },
    /// Two servers with one address.
    #[error("the server '{other}' ({place}) has the same {what}; every server needs its own")]
    SameServer {
        /// The other server.
        other: String,
        /// Where it is.
        place: Place,
        /// Address and port, or the socket.
        what: String,
    },
    /// Two sockets at one address.
    #[error("{other} ({place}) listens at {at} already; choose another port or address")]
    PortClash {
        /// The other one.
        other: String,
        /// Where it is.
        place: Place,
        /// Where both listen.
        at: String,
    },
    /// Includes of an include.
    #[error("an include section cannot include others{}; include both where they are needed", .cycle.as_ref().map(|cycle| format!(" (these go in a circle: {})", cycle.join(" -> "))).unwrap_or_default())]
    NestedInclude {
        /// The circle, if the includes make one.
        cycle: Option<Vec<String>>,
    },
    /// Two includes with different values.
    #[error("the includes '{first}' and '{last}' both give it; the value of '{last}' is used")]
    IncludeConflict {
        /// The one that lost.
        first: String,
        /// The one that won.
        last: String,
    },
    /// Something nobody uses.
    #[error("{0}")]
    Unused(&'static str),
    /// A file written at runtime with another name than its section.
    #[error(
        "the file holds section '{section}'; a file written at runtime is named after its section"
    )]
    FileName {
        /// The section.
        section: String,
    },
    /// A static section that a file written at runtime replaces.
    #[error("this section is not used: it was changed at runtime, and {by} replaces it")]
    Replaced {
        /// The file that replaces it.
        by: Place,
    },
    /// A static parameter in a file written at runtime.
    #[error(
        "it is ignored here: this parameter is fixed at start and counts in the main file only"
    )]
    FixedAtStart,
    /// A file written at runtime has errors.
    #[error(
        "the file was written at runtime; to start without the changes made at runtime, set load_persisted_configs=false"
    )]
    RuntimeFile,
    /// A rule between parameters.
    #[error("{0}")]
    Rule(String),
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// It is empty.
    #[error("the value is empty{}", remedy(.hint))]
    Empty {
        /// What would help.
        hint: &'static str,
    },
    /// It is no value of its type.
    #[error("{got} is no {wanted}{}", remedy(.hint))]
    Not {
        /// What was written, quoted; or words that stand for it.
        got: String,
        /// What it should be.
        wanted: &'static str,
        /// What would help.
        hint: &'static str,
    },
    /// It is out of range.
    #[error("{got} is out of range; allowed is {range}")]
    OutOfRange {
        /// What was written.
        got: String,
        /// What is allowed.
        range: String,
    },
    /// It is no word of the list.
    #[error("{got} is not allowed{}; known are {}", suggestion(.nearest.as_deref()), .words.join(", "))]
    BadWord {
        /// What was written.
        got: String,
        /// The nearest word.
        nearest: Option<String>,
        /// The list.
        words: Vec<&'static str>,
    },
    /// It is a duration below the resolution.
    #[error("{got} is less than a second; this parameter has whole seconds")]
    BelowSecond {
        /// What was written.
        got: String,
    },
    /// It is no regular expression.
    #[error("the regular expression does not compile: {reason}")]
    Pattern {
        /// The engine's reason.
        reason: String,
    },
    /// It ends in what was meant as a comment.
    #[error("there are no comments after a value; put '#...' on a line of its own")]
    TrailingComment,
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

fn belongs(owner: Option<&str>) -> String {
    owner.map_or_else(String::new, |owner| format!("; it belongs to {owner}"))
}

fn remedy(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("; {text}"),
    }
}
