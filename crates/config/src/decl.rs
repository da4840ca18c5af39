//! What is known of a parameter, as data.
//!
//! A [`ParamDecl`] is the only place where a parameter's name, type, default and rules stand.
//! File parsing, validation, suggestions, REST values and metadata, printed files and the
//! reference page all read it. Declarations are written with [`params!`](crate::params!) and
//! the constructors of [`declare`](crate::declare).

use crate::unit::{BareUnit, ByteSize, Throttling};
use crate::value::Value;

/// The type of a parameter, with its range or its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true yes on 1`, `false no off 0`.
    Bool,
    /// A whole number that may be negative.
    Int {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A whole number that is not negative.
    Count {
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
        /// `auto` is allowed as well: the number is derived from the machine.
        auto: bool,
    },
    /// A number of bytes.
    Size {
        /// `auto` is allowed as well: the number is derived from the machine.
        auto: bool,
    },
    /// A duration.
    Duration {
        /// What a bare number means.
        unit: BareUnit,
        /// Kept in whole seconds, rounded down.
        whole_seconds: bool,
        /// Shortest allowed, in milliseconds.
        min_ms: u64,
        /// A negative value is allowed and has a meaning of its own.
        signed: bool,
    },
    /// One word of a list.
    Word {
        /// The list.
        words: &'static [&'static str],
    },
    /// Several words of a list, a comma-joined text over REST.
    Mask {
        /// The list.
        words: &'static [&'static str],
    },
    /// Several words of a list, an array over REST.
    WordList {
        /// The list.
        words: &'static [&'static str],
    },
    /// Texts separated by commas.
    List,
    /// Any text.
    Text,
    /// A password: never shown.
    Secret,
    /// The path of a file or directory.
    Path,
    /// A regular expression between slashes.
    Pattern,
    /// `count, window, suppress`.
    Throttling,
    /// Addresses and networks, `*`, `localhost`.
    Networks,
    /// The name of a module.
    Module(ModuleKind),
    /// The name of another object.
    Reference(Refers),
    /// Names of other objects, separated by commas, filters by `|`.
    References(Refers),
}

/// What kinds of objects a reference may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refers {
    /// A server.
    Server,
    /// A monitor.
    Monitor,
    /// A service.
    Service,
    /// A filter.
    Filter,
    /// A server or a service.
    Target,
    /// An include section.
    Include,
}

impl Refers {
    /// The word for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Monitor => "monitor",
            Self::Service => "service",
            Self::Filter => "filter",
            Self::Target => "server or service",
            Self::Include => "include section",
        }
    }

    /// What separates several names in a file.
    pub(crate) fn separator(self) -> char {
        match self {
            Self::Filter => '|',
            _ => ',',
        }
    }
}

/// The kinds of modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleKind {
    /// Decides where statements go.
    Router,
    /// Sits between client and router.
    Filter,
    /// Watches servers.
    Monitor,
    /// Speaks with clients.
    Protocol,
}

impl ModuleKind {
    /// The word for messages, and the `api` of the REST metadata.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Filter => "filter",
            Self::Monitor => "monitor",
            Self::Protocol => "protocol",
        }
    }

    /// The `module_type` of the REST metadata.
    #[must_use]
    pub fn module_type(self) -> &'static str {
        match self {
            Self::Router => "Router",
            Self::Filter => "Filter",
            Self::Monitor => "Monitor",
            Self::Protocol => "Protocol",
        }
    }
}

/// A default as it can be written in a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// No value.
    Nothing,
    /// Derived from the machine.
    Auto,
    /// A boolean.
    Bool(bool),
    /// A number that may be negative.
    Int(i64),
    /// A number.
    Count(u64),
    /// Bytes.
    Size(u64),
    /// Milliseconds; -1 is the negative value.
    Millis(i64),
    /// A word of the list.
    Word(&'static str),
    /// Bits of words of the list.
    Mask(u64),
    /// Texts.
    List(&'static [&'static str]),
    /// A text, a path, a module name.
    Text(&'static str),
    /// Throttling.
    Throttling(Throttling),
}

/// When a changed value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Fixed from start to end.
    Restart,
    /// Changeable at runtime, for what begins afterwards.
    NewSessions,
    /// Changeable at runtime, at once.
    AtOnce,
}

/// How much of a parameter there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Built,
    /// Not built yet: shown with its default, which is also the only value it accepts.
    Reserved,
    /// Accepted, shown, without effect.
    Ignored,
}

/// Where a parameter appears over REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Among `parameters` and in the metadata.
    Parameter,
    /// As a relationship; only in the metadata.
    Relation,
    /// As an attribute of the resource.
    Attribute,
    /// Nowhere: it exists for the sake of old files.
    Hidden,
}

/// Everything known of one parameter.
#[derive(Debug, Clone, Copy)]
pub struct ParamDecl {
    /// Its name in files.
    pub name: &'static str,
    /// What it is for, in one line.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its default.
    pub default: Given,
    /// It must be given.
    pub mandatory: bool,
    /// When a change counts.
    pub change: Change,
    /// Whether it works.
    pub standing: Standing,
    /// Deprecated other names that the REST metadata lists.
    pub aliases: &'static [&'static str],
    /// Older names that are understood but listed nowhere.
    pub old_names: &'static [&'static str],
    /// Equal spellings of values: what may be written, and the value meant.
    pub spellings: &'static [(&'static str, &'static str)],
    /// The same, but a warning advises the new spelling.
    pub old_spellings: &'static [(&'static str, &'static str)],
    /// What to do instead, when the parameter itself is on its way out.
    pub deprecated: Option<&'static str>,
    /// The first release after 24.02 that knows it, or `tidegate` for what only we have.
    pub since: Option<&'static str>,
    /// Where it appears over REST.
    pub shown: Shown,
    /// The type's name in REST metadata, where it is not that of the kind.
    pub type_name: Option<&'static str>,
    /// The object that holds it in REST `parameters`, instead of standing there directly.
    pub group: Option<&'static str>,
}

impl ParamDecl {
    /// The value of a parameter that nobody wrote.
    #[must_use]
    pub fn default_value(&self) -> Value {
        match self.default {
            Given::Nothing => match self.kind {
                Kind::List | Kind::References(_) => Value::List(Vec::new()),
                _ => Value::Unset,
            },
            Given::Auto => Value::Auto,
            Given::Bool(on) => Value::Bool(on),
            Given::Int(number) => Value::Int(number),
            Given::Count(number) => Value::Count(number),
            Given::Size(bytes) => Value::Size(ByteSize(bytes)),
            Given::Millis(milliseconds) => Value::Millis(milliseconds),
            Given::Word(word) => Value::Word(word),
            Given::Mask(bits) => Value::Mask(bits),
            Given::List(items) => {
                Value::List(items.iter().map(|item| (*item).to_owned()).collect())
            }
            Given::Text(text) => Value::Text(text.to_owned()),
            Given::Throttling(throttling) => Value::Throttling(throttling),
        }
    }

    /// All names it answers to, its own first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name)
            .chain(self.aliases.iter().copied())
            .chain(self.old_names.iter().copied())
    }

    /// Whether `key` means this parameter. The part before the last dot, a module's name, is
    /// compared without regard to case.
    #[must_use]
    pub fn answers_to(&self, key: &str) -> bool {
        self.names().any(|name| same_key(name, key))
    }

    /// Whether it can be changed without a restart.
    #[must_use]
    pub fn modifiable(&self) -> bool {
        self.change != Change::Restart
    }

    /// Whether it is optional and has no default: an empty value then means "not set".
    pub(crate) fn may_be_unset(&self) -> bool {
        !self.mandatory && self.default == Given::Nothing
    }
}

fn same_key(name: &str, key: &str) -> bool {
    match (name.rsplit_once('.'), key.rsplit_once('.')) {
        (Some((module, name)), Some((key_module, key_name))) => {
            name == key_name && module.eq_ignore_ascii_case(key_module)
        }
        _ => name == key,
    }
}

/// A name that old files may hold and that is gone: it is skipped with a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// The name.
    pub name: &'static str,
    /// What to do instead.
    pub advice: &'static str,
}

/// The declarations of one [`params!`](crate::params!) block.
#[derive(Debug)]
pub struct Table {
    /// What the block is about, in one line.
    pub about: &'static str,
    /// Its parameters, in the order they are documented.
    pub decls: &'static [ParamDecl],
    /// Further blocks that belong to it.
    pub nested: &'static [&'static Table],
}

impl Table {
    /// All declarations, those of nested blocks last.
    pub fn all(&'static self) -> Box<dyn Iterator<Item = &'static ParamDecl>> {
        let nested = self.nested.iter().flat_map(|table| table.all());
        Box::new(self.decls.iter().chain(nested))
    }

    /// The declaration that answers to `key`.
    #[must_use]
    pub fn find(&'static self, key: &str) -> Option<&'static ParamDecl> {
        self.all().find(|decl| decl.answers_to(key))
    }
}
