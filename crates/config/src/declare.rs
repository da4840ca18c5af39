//! The constructors a declaration is written with.
//!
//! Each returns a [`Param`] that carries the type of the field it fills, so a declaration
//! whose field has another type does not compile. Everything is a constant.
//!
//! A parameter is built, fixed until a restart, without alias and known since 24.02 unless
//! it says otherwise, one word a property: `count(10).runtime().reserved()`.

use std::path::PathBuf;
use std::time::Duration;

use crate::decl::{Given, Kind, ModuleKind, Refers};
use crate::networks::Networks;
use crate::param::{Param, param};
use crate::pattern::Pattern;
use crate::secret::Secret;
use crate::unit::{BareUnit, ByteSize, Throttling};
use crate::word::WordSet;

/// A boolean.
#[must_use]
pub const fn flag(default: bool) -> Param<bool> {
    param(Kind::Bool, Given::Bool(default))
}

/// A whole number that may be negative.
#[must_use]
pub const fn int(default: i64) -> Param<i64> {
    let kind = Kind::Int {
        min: i64::MIN,
        max: i64::MAX,
    };
    param(kind, Given::Int(default))
}

/// A whole number from 0.
#[must_use]
pub const fn count(default: u64) -> Param<u64> {
    let kind = Kind::Count {
        min: 0,
        max: u64::MAX,
        auto: false,
    };
    param(kind, Given::Count(default))
}

/// A whole number, or `auto`: derived from the machine. The effective value is a number.
#[must_use]
pub const fn auto_count(smallest: u64) -> Param<u64> {
    let kind = Kind::Count {
        min: smallest,
        max: u64::MAX,
        auto: true,
    };
    param(kind, Given::Auto)
}

/// A TCP port; 0 stands for none where it is the default.
#[must_use]
pub const fn port(default: u16) -> Param<u16> {
    let kind = Kind::Count {
        min: if default == 0 { 0 } else { 1 },
        max: 65_535,
        auto: false,
    };
    param(kind, Given::Count(default as u64))
}

/// A number of bytes.
#[must_use]
pub const fn size(default_bytes: u64) -> Param<ByteSize> {
    param(Kind::Size { auto: false }, Given::Size(default_bytes))
}

/// A number of bytes, or `auto`: derived from the machine.
#[must_use]
pub const fn auto_size() -> Param<ByteSize> {
    param(Kind::Size { auto: true }, Given::Auto)
}

const fn duration(unit: BareUnit, signed: bool) -> Kind {
    Kind::Duration {
        unit,
        whole_seconds: matches!(unit, BareUnit::Seconds),
        min_ms: 0,
        signed,
    }
}

/// A duration kept in whole seconds; a bare number is seconds.
#[must_use]
pub const fn seconds(default_s: u32) -> Param<Duration> {
    let default_ms = default_s as i64 * 1_000;
    param(
        duration(BareUnit::Seconds, false),
        Given::Millis(default_ms),
    )
}

/// A duration in whole seconds whose negative values mean "never".
#[must_use]
pub const fn seconds_or_never(default_s: u32) -> Param<Option<Duration>> {
    let default_ms = default_s as i64 * 1_000;
    param(duration(BareUnit::Seconds, true), Given::Millis(default_ms))
}

/// A duration in milliseconds; a bare number is milliseconds.
#[must_use]
pub const fn millis(default_ms: u32) -> Param<Duration> {
    param(
        duration(BareUnit::Milliseconds, false),
        Given::Millis(default_ms as i64),
    )
}

/// A duration in milliseconds that is off by default and for negative values.
#[must_use]
pub const fn millis_or_off() -> Param<Option<Duration>> {
    param(duration(BareUnit::Milliseconds, true), Given::Millis(-1))
}

/// A text with a default.
#[must_use]
pub const fn text(default: &'static str) -> Param<String> {
    param(Kind::Text, Given::Text(default))
}

/// A text that may be absent.
#[must_use]
pub const fn optional_text() -> Param<Option<String>> {
    param(Kind::Text, Given::Nothing)
}

/// A text that must be given.
#[must_use]
pub const fn required_text() -> Param<String> {
    param(Kind::Text, Given::Nothing).mandatory()
}

/// A password that may be absent.
#[must_use]
pub const fn optional_secret() -> Param<Option<Secret>> {
    param(Kind::Secret, Given::Nothing)
}

/// A password that must be given.
#[must_use]
pub const fn required_secret() -> Param<Secret> {
    param(Kind::Secret, Given::Nothing).mandatory()
}

/// A path with a default.
#[must_use]
pub const fn path(default: &'static str) -> Param<PathBuf> {
    param(Kind::Path, Given::Text(default))
}

/// A path that may be absent.
#[must_use]
pub const fn optional_path() -> Param<Option<PathBuf>> {
    param(Kind::Path, Given::Nothing)
}

/// Texts separated by commas.
#[must_use]
pub const fn list(default: &'static [&'static str]) -> Param<Vec<String>> {
    param(Kind::List, Given::List(default))
}

/// A regular expression that may be absent.
#[must_use]
pub const fn pattern() -> Param<Option<Pattern>> {
    param(Kind::Pattern, Given::Nothing)
}

/// Addresses and networks; none unless given.
#[must_use]
pub const fn networks() -> Param<Networks> {
    param(Kind::Networks, Given::Nothing)
}

/// Throttling.
#[must_use]
pub const fn throttling(default: Throttling) -> Param<Throttling> {
    param(Kind::Throttling, Given::Throttling(default))
}

/// The name of a module that must be given.
#[must_use]
pub const fn required_module(kind: ModuleKind) -> Param<String> {
    param(Kind::Module(kind), Given::Nothing).mandatory()
}

/// The name of a module with a default.
#[must_use]
pub const fn module(kind: ModuleKind, default: &'static str) -> Param<String> {
    param(Kind::Module(kind), Given::Text(default))
}

/// The name of an object that must be given.
#[must_use]
pub const fn required_reference(to: Refers) -> Param<String> {
    param(Kind::Reference(to), Given::Nothing).mandatory()
}

/// The name of an object that may be absent.
#[must_use]
pub const fn optional_reference(to: Refers) -> Param<Option<String>> {
    param(Kind::Reference(to), Given::Nothing)
}

/// Names of objects, none by default.
#[must_use]
pub const fn references(to: Refers) -> Param<Vec<String>> {
    param(Kind::References(to), Given::Nothing)
}

#[doc(hidden)]
#[must_use]
pub const fn one_word<W>(words: &'static [&'static str], default: &'static str) -> Param<W> {
    param(Kind::Word { words }, Given::Word(default))
}

#[doc(hidden)]
#[must_use]
pub const fn mask<W>(words: &'static [&'static str], default: u64) -> Param<WordSet<W>> {
    param(Kind::Mask { words }, Given::Mask(default))
}

#[doc(hidden)]
#[must_use]
pub const fn word_list<W>(words: &'static [&'static str], default: u64) -> Param<WordSet<W>> {
    param(Kind::WordList { words }, Given::Mask(default))
}
