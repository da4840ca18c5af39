//! The modules a configuration may name.
//!
//! Each module declares itself in a constant; the program hands all of them over in a
//! [`Registry`]. Rules between a module's parameters, and those that derive one from another,
//! are a function of the declaration.

use crate::decl::{ModuleKind, Retired, Table};
use crate::macros::Params;
use crate::params::MariadbProtocolParams;
use crate::problem::Severity;
use crate::value::Values;

/// What is known of a module.
#[derive(Debug)]
pub struct ModuleDecl {
    /// Router, filter, monitor or protocol.
    pub kind: ModuleKind,
    /// Its name.
    pub name: &'static str,
    /// Other names it goes by.
    pub aliases: &'static [&'static str],
    /// What it is for, in one line.
    pub about: &'static str,
    /// `GA`, `Beta`, `Alpha`.
    pub maturity: &'static str,
    /// Its own parameters.
    pub table: &'static Table,
    /// Parameters it once had.
    pub retired: &'static [Retired],
    /// Whether a service or monitor with it needs `user` and `password`.
    pub needs_account: bool,
    /// Whether a listener with it opens a socket.
    pub opens_socket: bool,
    /// What holds between its parameters.
    pub rule: Option<Rule>,
}

/// Checks and derives parameters of one object.
pub type Rule = fn(&mut RuleScope<'_>);

impl ModuleDecl {
    /// A module with these parameters.
    #[must_use]
    pub const fn new(
        kind: ModuleKind,
        name: &'static str,
        about: &'static str,
        table: &'static Table,
    ) -> Self {
        Self {
            kind,
            name,
            aliases: &[],
            about,
            maturity: "Beta",
            table,
            retired: &[],
            needs_account: matches!(kind, ModuleKind::Router | ModuleKind::Monitor),
            opens_socket: matches!(kind, ModuleKind::Protocol),
            rule: None,
        }
    }

    /// Other names it goes by.
    #[must_use]
    pub const fn aliases(mut self, names: &'static [&'static str]) -> Self {
        self.aliases = names;
        self
    }

    /// Parameters it once had.
    #[must_use]
    pub const fn retired(mut self, names: &'static [Retired]) -> Self {
        self.retired = names;
        self
    }

    /// What holds between its parameters.
    #[must_use]
    pub const fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Needs no `user` and `password`.
    #[must_use]
    pub const fn without_account(mut self) -> Self {
        self.needs_account = false;
        self
    }

    /// Opens no socket.
    #[must_use]
    pub const fn without_socket(mut self) -> Self {
        self.opens_socket = false;
        self
    }

    fn answers_to(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// What a [`Rule`] sees and may do: the effective values of one object.
pub struct RuleScope<'a> {
    pub(crate) values: &'a mut Values,
    pub(crate) written: &'a dyn Fn(&str) -> bool,
    pub(crate) findings: Vec<Finding>,
}

/// What a rule has to say about a parameter.
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) parameter: &'static str,
    pub(crate) text: String,
}

impl RuleScope<'_> {
    /// The parameters of one table: the module's own, or what all modules of its kind have
    /// in common.
    #[must_use]
    pub fn params<P: Params>(&self) -> P {
        P::from_values(self.values)
    }

    /// Replaces the parameters of one table by derived ones.
    pub fn replace<P: Params>(&mut self, params: &P) {
        params.store(self.values);
    }

    /// Whether the parameter stands in the configuration.
    #[must_use]
    pub fn is_written(&self, parameter: &str) -> bool {
        (self.written)(parameter)
    }

    /// The configuration cannot be used.
    pub fn refuse(&mut self, parameter: &'static str, text: impl Into<String>) {
        self.find(Severity::Error, parameter, text.into());
    }

    /// Probably not what was meant.
    pub fn warn(&mut self, parameter: &'static str, text: impl Into<String>) {
        self.find(Severity::Warning, parameter, text.into());
    }

    fn find(&mut self, severity: Severity, parameter: &'static str, text: String) {
        self.findings.push(Finding {
            severity,
            parameter,
            text,
        });
    }
}

/// All modules there are.
#[derive(Debug, Clone)]
pub struct Registry {
    modules: Vec<&'static ModuleDecl>,
}

impl Registry {
    /// These modules, and those of the core: the MariaDB protocol and the old administration
    /// service.
    #[must_use]
    pub fn new(modules: impl IntoIterator<Item = &'static ModuleDecl>) -> Self {
        let core = [&MARIADB_PROTOCOL, &CLI_ROUTER, &MAXSCALED_PROTOCOL];
        Self {
            modules: core.into_iter().chain(modules).collect(),
        }
    }

    /// The module of this kind that goes by this name, in any case.
    #[must_use]
    pub fn find(&self, kind: ModuleKind, name: &str) -> Option<&'static ModuleDecl> {
        self.of(kind).find(|module| module.answers_to(name))
    }

    /// All modules of a kind.
    pub fn of(&self, kind: ModuleKind) -> impl Iterator<Item = &'static ModuleDecl> {
        let modules = self.modules.iter().copied();
        modules.filter(move |module| module.kind == kind)
    }

    /// All modules.
    pub fn modules(&self) -> impl Iterator<Item = &'static ModuleDecl> {
        self.modules.iter().copied()
    }

    pub(crate) fn names(&self, kind: ModuleKind) -> impl Iterator<Item = &'static str> {
        self.of(kind).flat_map(ModuleDecl::names)
    }
}

static EMPTY: Table = Table {
    about: "",
    decls: &[],
    nested: &[],
};

/// The protocol of MariaDB and MySQL.
pub static MARIADB_PROTOCOL: ModuleDecl = ModuleDecl::new(
    ModuleKind::Protocol,
    "MariaDBProtocol",
    "The client protocol of MariaDB and MySQL.",
    MariadbProtocolParams::TABLE,
)
.aliases(&["mariadb", "mariadbclient", "MySQLClient"]);

/// The old administration service: an object without function, for files that have one.
pub static CLI_ROUTER: ModuleDecl = ModuleDecl::new(
    ModuleKind::Router,
    "cli",
    "The administration service of old files; the REST interface replaces it.",
    &EMPTY,
)
.without_account();

/// The protocol of the old administration service; it opens no socket.
pub static MAXSCALED_PROTOCOL: ModuleDecl = ModuleDecl::new(
    ModuleKind::Protocol,
    "maxscaled",
    "The administration protocol of old files; the REST interface replaces it.",
    &EMPTY,
)
.without_socket();

/// What is known of a module that there is not.
pub(crate) fn retired_module(kind: ModuleKind, name: &str) -> Option<(Gone, &'static str)> {
    let is_named = |known: &str| known.eq_ignore_ascii_case(name);
    let (retired, not_yet) = match kind {
        ModuleKind::Router => (RETIRED_ROUTERS, ROUTERS_TO_COME),
        ModuleKind::Monitor => (RETIRED_MONITORS, MONITORS_TO_COME),
        ModuleKind::Protocol => (RETIRED_PROTOCOLS, PROTOCOLS_TO_COME),
        ModuleKind::Filter => (RETIRED_FILTERS, FILTERS_TO_COME),
    };
    if not_yet.iter().any(|known| is_named(known)) {
        return Some((Gone::NotYet, ""));
    }
    let found = retired.iter().find(|(known, ..)| is_named(known));
    found.map(|(_, gone, advice)| (*gone, *advice))
}

/// What becomes of a section whose module there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It is skipped with a warning.
    Skip,
    /// It is an error.
    Refuse,
    /// It is an error until the module is built.
    NotYet,
}

type RetiredModules = &'static [(&'static str, Gone, &'static str)];

const REST: &str = "use the REST interface";
const NO_LONGER: &str = "it has no successor; remove the section";

const RETIRED_ROUTERS: RetiredModules = &[
    ("debugcli", Gone::Skip, REST),
    ("maxinfo", Gone::Skip, REST),
    (
        "hintrouter",
        Gone::Skip,
        "use readwritesplit with the hintfilter",
    ),
];

const RETIRED_PROTOCOLS: RetiredModules =
    &[("telnetd", Gone::Skip, REST), ("HTTPD", Gone::Skip, REST)];

const RETIRED_MONITORS: RetiredModules = &[
    ("mmmon", Gone::Refuse, "use mariadbmon"),
    ("ndbclustermon", Gone::Refuse, NO_LONGER),
    ("csmon", Gone::Refuse, "use mariadbmon"),
    ("clustrixmon", Gone::Refuse, NO_LONGER),
    ("xpandmon", Gone::Refuse, NO_LONGER),
];

const RETIRED_FILTERS: RetiredModules = &[
    ("insertstream", Gone::Refuse, NO_LONGER),
    ("mqfilter", Gone::Refuse, NO_LONGER),
    ("gatekeeper", Gone::Refuse, NO_LONGER),
    ("dbfwfilter", Gone::Refuse, NO_LONGER),
];

const ROUTERS_TO_COME: &[&str] = &[
    "schemarouter",
    "smartrouter",
    "mirror",
    "diff",
    "cat",
    "binlogrouter",
    "avrorouter",
    "kafkacdc",
    "kafkaimporter",
];

const MONITORS_TO_COME: &[&str] = &["galeramon", "pgmon", "auroramon", "grmon"];

const PROTOCOLS_TO_COME: &[&str] = &["postgresql", "postgresprotocol", "nosqlprotocol", "cdc"];

const FILTERS_TO_COME: &[&str] = &[
    "binlogfilter",
    "cache",
    "ccrfilter",
    "comment",
    "ldi",
    "luafilter",
    "masking",
    "maxrows",
    "namedserverfilter",
    "optimistictrx",
    "psreuse",
    "regexfilter",
    "rewritefilter",
    "tee",
    "throttlefilter",
    "topfilter",
    "tpmfilter",
    "wcar",
];
