//! Values and declarations as REST shows them: plain data, for the edge to serialize.

use crate::decl::{Kind, ParamDecl, Refers, Shown};
use crate::unit::Throttling;
use crate::value::{Value, Values};
use crate::word::words_of;

/// A JSON value without JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number that may be negative.
    Int(i64),
    /// A number.
    Count(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<View>),
    /// An object, its members in order.
    Object(Vec<(String, View)>),
}

impl View {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(items.into_iter().map(Self::text).collect())
    }

    /// The member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(member, _)| member == name)
                .map(|(_, view)| view),
            _ => None,
        }
    }
}

/// What stands for a password that is set.
pub(crate) const MASK: &str = "*****";

/// A value in REST's units: durations as `"1500ms"`, sizes as bytes, passwords masked.
#[must_use]
pub fn value_view(decl: &ParamDecl, value: &Value) -> View {
    match value {
        Value::Unset | Value::Auto => View::Null,
        Value::Bool(on) => View::Bool(*on),
        Value::Int(number) => View::Int(*number),
        Value::Count(number) => View::Count(*number),
        Value::Size(size) => View::Count(size.0),
        Value::Millis(milliseconds) => View::text(format!("{milliseconds}ms")),
        Value::Word(word) => View::text(*word),
        Value::Mask(bits) => match decl.kind {
            Kind::WordList { words } => View::texts(words_of(words, *bits)),
            Kind::Mask { words } => {
                View::text(words_of(words, *bits).collect::<Vec<_>>().join(","))
            }
            _ => View::Null,
        },
        Value::List(items) => View::texts(items.iter().map(String::as_str)),
        Value::Text(text) => View::text(text),
        Value::Secret(secret) if secret.is_empty() => View::text(""),
        Value::Secret(_) => View::text(MASK),
        Value::Pattern(pattern) => View::text(pattern.to_string()),
        Value::Throttling(throttling) => throttling_view(*throttling),
        Value::Networks(networks) => View::text(networks.to_string()),
    }
}

fn throttling_view(throttling: Throttling) -> View {
    let members = [
        ("count", throttling.count),
        ("suppress", throttling.suppress_ms),
        ("window", throttling.window_ms),
    ];
    let members = members.map(|(name, number)| (name.to_owned(), View::Count(number.into())));
    View::Object(members.into())
}

/// The members of REST `parameters`, in order of their names: everything that is shown as a
/// parameter, those of a nested module in an object of their own.
#[must_use]
pub fn parameter_members(values: &Values) -> Vec<(String, View)> {
    let mut members: Vec<(String, View)> = Vec::new();
    for (decl, value) in values
        .iter()
        .filter(|(decl, _)| decl.shown == Shown::Parameter)
    {
        let view = value_view(decl, value);
        let Some(group) = decl.group else {
            members.push((decl.name.to_owned(), view));
            continue;
        };
        let leaf = (leaf(decl.name).to_owned(), view);
        match members.iter_mut().find(|(name, _)| name == group) {
            Some((_, View::Object(inner))) => inner.push(leaf),
            _ => members.push((group.to_owned(), View::Object(vec![leaf]))),
        }
    }
    members.sort_by(|a, b| a.0.cmp(&b.0));
    members
}

/// The part of a scoped name after the last dot.
fn leaf(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, leaf)| leaf)
}

/// The metadata of parameters, as `modules` resources list it: in order of names, deprecated
/// aliases among them.
#[must_use]
pub fn metadata(decls: impl IntoIterator<Item = &'static ParamDecl>) -> Vec<View> {
    let mut entries: Vec<(&'static str, View)> = Vec::new();
    for decl in decls {
        if matches!(decl.shown, Shown::Hidden) {
            continue;
        }
        entries.push((leaf_of(decl), parameter_metadata(decl)));
        let aliases = decl.aliases.iter().copied();
        entries.extend(aliases.map(|alias| (alias, alias_metadata(decl, alias))));
    }
    entries.sort_by(|a, b| a.0.cmp(b.0));
    entries.into_iter().map(|(_, view)| view).collect()
}

/// Protocol modules list their parameters without the module's name before them.
fn leaf_of(decl: &ParamDecl) -> &'static str {
    match decl.group {
        Some("MariaDBProtocol") => leaf(decl.name),
        _ => decl.name,
    }
}

fn parameter_metadata(decl: &'static ParamDecl) -> View {
    let mut members = described(decl, leaf_of(decl), decl.deprecated.is_some());
    match decl.default_value() {
        Value::Unset | Value::Auto => {}
        // A list of names has no default, it is merely empty.
        Value::List(items) if items.is_empty() && matches!(decl.kind, Kind::References(_)) => {}
        default => {
            let default = value_view(decl, &default);
            members.push(("default_value".to_owned(), default));
        }
    }
    View::Object(members)
}

fn alias_metadata(decl: &'static ParamDecl, alias: &str) -> View {
    View::Object(described(decl, alias, true))
}

fn described(decl: &'static ParamDecl, name: &str, deprecated: bool) -> Vec<(String, View)> {
    let member = |name: &str, view| (name.to_owned(), view);
    let mut members = vec![
        member("name", View::text(name)),
        member("type", View::text(type_name(decl))),
        member("description", View::text(decl.help)),
        member("mandatory", View::Bool(decl.mandatory)),
        member("modifiable", View::Bool(decl.modifiable())),
    ];
    if let Kind::Word { words } | Kind::Mask { words } | Kind::WordList { words } = decl.kind {
        let spellings = decl.spellings.iter().chain(decl.old_spellings);
        let spellings = spellings.map(|(written, _)| *written);
        let all = words.iter().copied().chain(spellings);
        members.push(member("enum_values", View::texts(all)));
    }
    if matches!(decl.kind, Kind::Duration { .. }) {
        members.push(member("unit", View::text("ms")));
    }
    if deprecated {
        members.push(member("deprecated", View::Bool(true)));
    }
    members
}

/// The type's name in the metadata.
#[must_use]
pub fn type_name(decl: &ParamDecl) -> &'static str {
    if let Some(name) = decl.type_name {
        return name;
    }
    match decl.kind {
        Kind::Bool => "bool",
        Kind::Int { .. } => "int",
        Kind::Count { .. } => "count",
        Kind::Size { .. } => "size",
        Kind::Duration { .. } => "duration",
        Kind::Word { .. } => "enum",
        Kind::Mask { .. } => "enum_mask",
        Kind::WordList { .. } => "enum list",
        Kind::List => "stringlist",
        Kind::Text | Kind::Networks => "string",
        Kind::Secret => "password",
        Kind::Path => "path",
        Kind::Pattern => "regex",
        Kind::Throttling => "throttling",
        Kind::Module(_) => "module",
        Kind::Reference(Refers::Server) => "server",
        Kind::Reference(Refers::Service) => "service",
        Kind::Reference(Refers::Monitor) => "monitor",
        Kind::Reference(Refers::Filter) => "filter",
        Kind::Reference(Refers::Target | Refers::Include) => "target",
        Kind::References(Refers::Server) => "serverlist",
        Kind::References(Refers::Filter) => "filterlist",
        Kind::References(_) => "targetlist",
    }
}
