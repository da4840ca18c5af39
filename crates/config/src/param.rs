//! A declaration on its way into a table: what it says beyond type and default, one word a
//! property.

use std::marker::PhantomData;

use crate::decl::{Change, Given, Kind, ParamDecl, Shown, Standing};

/// A declaration that fills a field of type `T`.
#[derive(Debug, Clone, Copy)]
pub struct Param<T> {
    decl: ParamDecl,
    fills: PhantomData<fn() -> T>,
}

/// A parameter of this kind with this default: built, fixed until a restart, without alias.
pub(crate) const fn param<T>(kind: Kind, default: Given) -> Param<T> {
    Param {
        decl: ParamDecl {
            name: "",
            help: "",
            kind,
            default,
            mandatory: false,
            change: Change::Restart,
            standing: Standing::Built,
            aliases: &[],
            old_names: &[],
            spellings: &[],
            old_spellings: &[],
            deprecated: None,
            since: None,
            shown: Shown::Parameter,
            type_name: None,
            group: None,
        },
        fills: PhantomData,
    }
}

impl<T> Param<T> {
    /// Changeable at runtime; a change counts for what begins afterwards.
    #[must_use]
    pub const fn runtime(mut self) -> Self {
        self.decl.change = Change::NewSessions;
        self
    }

    /// Changeable at runtime, with effect at once.
    #[must_use]
    pub const fn at_once(mut self) -> Self {
        self.decl.change = Change::AtOnce;
        self
    }

    /// Not built yet: only the default is accepted.
    #[must_use]
    pub const fn reserved(mut self) -> Self {
        self.decl.standing = Standing::Reserved;
        self
    }

    /// Accepted and shown, without effect.
    #[must_use]
    pub const fn ignored(mut self) -> Self {
        self.decl.standing = Standing::Ignored;
        self
    }

    /// Must be given. Where an object needs no value, the field is empty.
    #[must_use]
    pub const fn mandatory(mut self) -> Self {
        self.decl.mandatory = true;
        self
    }

    /// Deprecated names that REST metadata lists.
    #[must_use]
    pub const fn aliases(mut self, names: &'static [&'static str]) -> Self {
        self.decl.aliases = names;
        self
    }

    /// Names of old files that are listed nowhere.
    #[must_use]
    pub const fn old_names(mut self, names: &'static [&'static str]) -> Self {
        self.decl.old_names = names;
        self
    }

    /// Equal spellings: what may be written, and what it means.
    #[must_use]
    pub const fn spellings(mut self, pairs: &'static [(&'static str, &'static str)]) -> Self {
        self.decl.spellings = pairs;
        self
    }

    /// Spellings of old files, understood with a warning.
    #[must_use]
    pub const fn old_spellings(mut self, pairs: &'static [(&'static str, &'static str)]) -> Self {
        self.decl.old_spellings = pairs;
        self
    }

    /// On its way out; writing it gives a warning with this advice.
    #[must_use]
    pub const fn deprecated(mut self, advice: &'static str) -> Self {
        self.decl.deprecated = Some(advice);
        self
    }

    /// First known in this release, later than 24.02.
    #[must_use]
    pub const fn since(mut self, release: &'static str) -> Self {
        self.decl.since = Some(release);
        self
    }

    /// Appears over REST as a relationship, not among the parameters.
    #[must_use]
    pub const fn relation(mut self) -> Self {
        self.decl.shown = Shown::Relation;
        self
    }

    /// Appears over REST as an attribute of its own or a parameter added by the resource.
    #[must_use]
    pub const fn attribute(mut self) -> Self {
        self.decl.shown = Shown::Attribute;
        self
    }

    /// Does not appear over REST.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.decl.shown = Shown::Hidden;
        self
    }

    /// The name in files, where a field cannot have it.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.decl.name = name;
        self
    }

    /// The type's name in REST metadata.
    #[must_use]
    pub const fn shown_as(mut self, type_name: &'static str) -> Self {
        self.decl.type_name = Some(type_name);
        self
    }

    /// Held in this object among the REST parameters.
    #[must_use]
    pub const fn grouped(mut self, group: &'static str) -> Self {
        self.decl.group = Some(group);
        self
    }

    /// The smallest and the largest number allowed.
    #[must_use]
    pub const fn range(mut self, smallest: u64, largest: u64) -> Self {
        self.decl.kind = match self.decl.kind {
            Kind::Count { auto, .. } => Kind::Count {
                min: smallest,
                max: largest,
                auto,
            },
            Kind::Int { .. } => Kind::Int {
                min: smallest.cast_signed(),
                max: largest.cast_signed(),
            },
            other => other,
        };
        self
    }

    /// The smallest number allowed; of a duration in milliseconds.
    #[must_use]
    pub const fn at_least(mut self, smallest: i64) -> Self {
        self.decl.kind = match self.decl.kind {
            Kind::Count { max, auto, .. } => Kind::Count {
                min: smallest.unsigned_abs(),
                max,
                auto,
            },
            Kind::Int { max, .. } => Kind::Int { min: smallest, max },
            Kind::Duration {
                unit,
                whole_seconds,
                signed,
                ..
            } => Kind::Duration {
                unit,
                whole_seconds,
                signed,
                min_ms: smallest.unsigned_abs(),
            },
            other => other,
        };
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn finish(mut self, field: &'static str, help: &'static str) -> ParamDecl {
        if self.decl.name.is_empty() {
            self.decl.name = field;
        }
        self.decl.help = help.trim_ascii();
        self.decl
    }
}
