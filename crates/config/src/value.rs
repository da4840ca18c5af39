//! Values: what a parameter holds once its text has been understood.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::decl::{Kind, ParamDecl, Table};
use crate::networks::Networks;
use crate::pattern::Pattern;
use crate::secret::Secret;
use crate::unit::{ByteSize, Throttling, whole_milliseconds};
use crate::word::{Word, WordSet, words_of};

/// The value of one parameter.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Not set.
    Unset,
    /// Derived from the machine; gone from effective values.
    Auto,
    /// A boolean.
    Bool(bool),
    /// A number that may be negative.
    Int(i64),
    /// A number.
    Count(u64),
    /// Bytes.
    Size(ByteSize),
    /// Milliseconds; -1 is the one negative value.
    Millis(i64),
    /// A word of the declared list.
    Word(&'static str),
    /// Bits of words of the declared list.
    Mask(u64),
    /// Texts, or names of objects.
    List(Vec<String>),
    /// A text, a path, the name of an object or a module.
    Text(String),
    /// A password.
    Secret(Secret),
    /// A regular expression.
    Pattern(Pattern),
    /// Throttling.
    Throttling(Throttling),
    /// Networks.
    Networks(Networks),
}

impl fmt::Debug for Value {
    /// Secrets are masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("unset"),
            Self::Auto => f.write_str("auto"),
            Self::Bool(on) => on.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Count(number) => number.fmt(f),
            Self::Size(size) => write!(f, "{size}"),
            Self::Millis(milliseconds) => write!(f, "{milliseconds}ms"),
            Self::Word(word) => f.write_str(word),
            Self::Mask(bits) => write!(f, "{bits:#b}"),
            Self::List(items) => items.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Secret(_) => f.write_str("*****"),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Throttling(throttling) => write!(f, "{throttling}"),
            Self::Networks(networks) => write!(f, "{networks}"),
        }
    }
}

/// A type a declared parameter can fill.
///
/// The declaration carries the field's type, so a value of another kind cannot arrive here;
/// were it to, the field gets its empty value, and no reader of configuration panics.
pub trait Field: Sized {
    /// The field's form of a value.
    fn from_value(value: &Value) -> Self;
    /// The value's form of a field.
    fn to_value(&self) -> Value;
}

impl Field for bool {
    fn from_value(value: &Value) -> Self {
        matches!(value, Value::Bool(true))
    }

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Field for i64 {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Int(number) => *number,
            _ => 0,
        }
    }

    fn to_value(&self) -> Value {
        Value::Int(*self)
    }
}

impl Field for u64 {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Count(number) => *number,
            _ => 0,
        }
    }

    fn to_value(&self) -> Value {
        Value::Count(*self)
    }
}

impl Field for u16 {
    fn from_value(value: &Value) -> Self {
        Self::try_from(u64::from_value(value)).unwrap_or(Self::MAX)
    }

    fn to_value(&self) -> Value {
        Value::Count((*self).into())
    }
}

impl Field for ByteSize {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Size(size) => *size,
            _ => Self(0),
        }
    }

    fn to_value(&self) -> Value {
        Value::Size(*self)
    }
}

impl Field for Duration {
    fn from_value(value: &Value) -> Self {
        Option::<Self>::from_value(value).unwrap_or_default()
    }

    fn to_value(&self) -> Value {
        Some(*self).to_value()
    }
}

impl Field for Option<Duration> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Millis(milliseconds) => {
                u64::try_from(*milliseconds).ok().map(Duration::from_millis)
            }
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        Value::Millis(self.map_or(-1, |duration| {
            i64::try_from(whole_milliseconds(duration)).unwrap_or(i64::MAX)
        }))
    }
}

impl Field for String {
    fn from_value(value: &Value) -> Self {
        Option::<Self>::from_value(value).unwrap_or_default()
    }

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Field for Option<String> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        self.clone().map_or(Value::Unset, Value::Text)
    }
}

impl Field for PathBuf {
    fn from_value(value: &Value) -> Self {
        Self::from(String::from_value(value))
    }

    fn to_value(&self) -> Value {
        Value::Text(self.to_string_lossy().into_owned())
    }
}

impl Field for Option<PathBuf> {
    fn from_value(value: &Value) -> Self {
        Option::<String>::from_value(value).map(PathBuf::from)
    }

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Unset, Field::to_value)
    }
}

impl Field for Secret {
    fn from_value(value: &Value) -> Self {
        Option::<Self>::from_value(value).unwrap_or_else(|| Self::new(""))
    }

    fn to_value(&self) -> Value {
        Value::Secret(self.clone())
    }
}

impl Field for Option<Secret> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        self.clone().map_or(Value::Unset, Value::Secret)
    }
}

impl Field for Vec<String> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::List(items) => items.clone(),
            _ => Self::new(),
        }
    }

    fn to_value(&self) -> Value {
        Value::List(self.clone())
    }
}

impl Field for Option<Pattern> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Pattern(pattern) => Some(pattern.clone()),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        self.clone().map_or(Value::Unset, Value::Pattern)
    }
}

impl Field for Networks {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Networks(networks) => networks.clone(),
            _ => Self::default(),
        }
    }

    fn to_value(&self) -> Value {
        if *self == Self::default() {
            return Value::Unset;
        }
        Value::Networks(self.clone())
    }
}

impl Field for Throttling {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Throttling(throttling) => *throttling,
            _ => Self::OFF,
        }
    }

    fn to_value(&self) -> Value {
        Value::Throttling(*self)
    }
}

impl<W: Word> Field for WordSet<W> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Mask(bits) => Self::from_bits(*bits),
            _ => Self::from_bits(0),
        }
    }

    fn to_value(&self) -> Value {
        Value::Mask(self.bits())
    }
}

/// The values of all parameters of some tables, one each.
#[derive(Clone)]
pub struct Values {
    entries: Vec<(&'static ParamDecl, Value)>,
    /// Where each name stands among the entries.
    index: Arc<BTreeMap<&'static str, usize>>,
}

impl Values {
    /// Every parameter at its default.
    pub fn defaults(tables: impl IntoIterator<Item = &'static Table>) -> Self {
        let decls = tables.into_iter().flat_map(Table::all);
        let entries: Vec<_> = decls.map(|decl| (decl, decl.default_value())).collect();
        let names = entries.iter().map(|(decl, _)| decl.name);
        let index = names.enumerate().map(|(at, name)| (name, at)).collect();
        Self {
            index: Arc::new(index),
            entries,
        }
    }

    /// The value of the parameter with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.entries.get(*self.index.get(name)?)?;
        Some(value)
    }

    /// Replaces a value; a name that is not declared here changes nothing.
    pub fn set(&mut self, name: &str, value: Value) {
        let entry = self
            .index
            .get(name)
            .and_then(|at| self.entries.get_mut(*at));
        if let Some(entry) = entry {
            entry.1 = value;
        }
    }

    /// All parameters with their values, in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static ParamDecl, &Value)> {
        self.entries.iter().map(|(decl, value)| (*decl, value))
    }

    /// The declaration that answers to `key`.
    #[must_use]
    pub fn declaration(&self, key: &str) -> Option<&'static ParamDecl> {
        self.iter()
            .map(|(decl, _)| decl)
            .find(|decl| decl.answers_to(key))
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        let names = |values: &Self| values.iter().map(|(decl, _)| decl.name).collect::<Vec<_>>();
        names(self) == names(other) && self.iter().zip(other.iter()).all(|((_, a), (_, b))| a == b)
    }
}

impl fmt::Debug for Values {
    /// Secrets are masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (decl, value) in self.iter() {
            map.key(&decl.name);
            match (decl.kind, value) {
                (Kind::Mask { words } | Kind::WordList { words }, Value::Mask(bits)) => {
                    map.value(&words_of(words, *bits).collect::<Vec<_>>())
                }
                _ => map.value(value),
            };
        }
        map.finish()
    }
}
