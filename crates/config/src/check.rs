//! One section to an object: what it is, which module it has, what is missing. Its entries are
//! [understood](crate::understand) one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::decl::{ModuleKind, ParamDecl, Table};
use crate::gather::Source;
use crate::grammar::{Entry, Section};
use crate::macros::Params;
use crate::object::ObjectKind;
use crate::params::{
    FilterParams, ListenerParams, MaxScaleParams, MonitorParams, ServerParams, ServiceParams,
};
use crate::problem::{Fault, Place};
use crate::registry::{Gone, ModuleDecl, Registry, retired_module};
use crate::report::{Report, Spot};
use crate::resolve::{INCLUDE, TYPE, entry};
use crate::secret::Decrypt;
use crate::suggest::nearest;
use crate::value::{Value, Values};

/// A section whose entries have been understood.
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) kind: ObjectKind,
    pub(crate) place: Place,
    pub(crate) source: Source,
    pub(crate) module: Option<&'static ModuleDecl>,
    pub(crate) values: Values,
    /// Where each written parameter stands.
    pub(crate) places: BTreeMap<&'static str, Place>,
    /// Parameters whose values were refused; they have their defaults.
    pub(crate) failed: BTreeSet<&'static str>,
}

impl Checked {
    /// Where a parameter stands, or else the section.
    pub(crate) fn place_of(&self, parameter: &str) -> &Place {
        self.places.get(parameter).unwrap_or(&self.place)
    }

    /// What a message about a parameter is about.
    pub(crate) fn spot<'a>(&'a self, parameter: &'a str) -> Spot<'a> {
        Spot::parameter(self.place_of(parameter), &self.name, parameter)
    }

    pub(crate) fn is_written(&self, parameter: &str) -> bool {
        self.places.contains_key(parameter)
    }

    /// Whether the values of these parameters can be relied upon.
    pub(crate) fn is_sound(&self, parameters: &[&str]) -> bool {
        !parameters.iter().any(|name| self.failed.contains(name))
    }

    pub(crate) fn params<P: Params>(&self) -> P {
        P::from_values(&self.values)
    }
}

/// What came of a section.
pub(crate) enum Outcome {
    /// An object.
    Object(Box<Checked>),
    /// Nothing, on purpose: it is a relic of an earlier release.
    Skipped,
    /// Nothing, because what it is could not be understood.
    Broken,
}

/// The parameters all objects of a kind have.
pub(crate) fn common_table(kind: ObjectKind) -> Option<&'static Table> {
    Some(match kind {
        ObjectKind::MaxScale => MaxScaleParams::TABLE,
        ObjectKind::Server => ServerParams::TABLE,
        ObjectKind::Monitor => MonitorParams::TABLE,
        ObjectKind::Filter => FilterParams::TABLE,
        ObjectKind::Service => ServiceParams::TABLE,
        ObjectKind::Listener => ListenerParams::TABLE,
        ObjectKind::Include => return None,
    })
}

/// The parameter that names an object's module, and the kind of module it names.
pub(crate) fn module_parameter(kind: ObjectKind) -> Option<(&'static str, ModuleKind)> {
    match kind {
        ObjectKind::Service => Some(("router", ModuleKind::Router)),
        ObjectKind::Filter => Some(("module", ModuleKind::Filter)),
        ObjectKind::Monitor => Some(("module", ModuleKind::Monitor)),
        ObjectKind::Listener => Some(("protocol", ModuleKind::Protocol)),
        ObjectKind::MaxScale | ObjectKind::Server | ObjectKind::Include => None,
    }
}

/// What a check needs besides the section.
pub(crate) struct Checker<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) decrypt: Option<&'a dyn Decrypt>,
    /// Names that `weightby` gave to weights of servers, in files of earlier releases.
    pub(crate) weights: BTreeSet<String>,
    pub(crate) report: &'a mut Report,
}

/// What is known of a section's module.
#[derive(Clone, Copy)]
enum Module {
    /// The kind has no modules.
    NotNeeded,
    Known(&'static ModuleDecl),
    /// Reported: this one was probably meant.
    Meant(&'static ModuleDecl),
    /// Reported: which parameters would be right is not known.
    Unknown,
}

impl Module {
    /// The module whose parameters the section may have.
    fn decl(self) -> Option<&'static ModuleDecl> {
        match self {
            Self::Known(decl) | Self::Meant(decl) => Some(decl),
            Self::NotNeeded | Self::Unknown => None,
        }
    }
}

impl Checker<'_> {
    /// Checks a section of any kind but the global one.
    pub(crate) fn section(&mut self, section: &Section, source: Source) -> Outcome {
        let Some(kind) = self.kind(section) else {
            return Outcome::Broken;
        };
        if self.is_relic(section, kind) {
            return Outcome::Skipped;
        }
        Outcome::Object(Box::new(self.object(section, kind, source)))
    }

    /// Checks a section as an object of this kind.
    pub(crate) fn object(
        &mut self,
        section: &Section,
        kind: ObjectKind,
        source: Source,
    ) -> Checked {
        let module = self.module(section, kind);
        let own = module.decl().map(|module| module.table);
        let mut checked = Checked {
            name: section.name.clone(),
            kind,
            place: section.place.clone(),
            source,
            values: Values::defaults(common_table(kind).into_iter().chain(own)),
            places: BTreeMap::new(),
            failed: BTreeSet::new(),
            module: module.decl(),
        };
        for entry in &section.entries {
            if entry.key != TYPE && entry.key != INCLUDE {
                self.entry(&mut checked, entry, matches!(module, Module::Unknown));
            }
        }
        self.missing(&checked);
        checked
    }

    fn kind(&mut self, section: &Section) -> Option<ObjectKind> {
        let Some(entry) = entry(section, TYPE) else {
            let spot = Spot::section(&section.place, &section.name);
            self.report.error(&spot, Fault::NoType);
            return None;
        };
        let kind = ObjectKind::from_type(entry.word());
        if kind.is_none() {
            let fault = Fault::UnknownType {
                word: entry.shown().into_owned(),
                nearest: nearest(entry.word(), ObjectKind::TYPES).map(str::to_owned),
            };
            let spot = Spot::parameter(&entry.place, &section.name, TYPE);
            self.report.error(&spot, fault);
        }
        kind
    }

    /// Whether the section's module belongs to the old administration, and is skipped.
    fn is_relic(&mut self, section: &Section, kind: ObjectKind) -> bool {
        let Some((parameter, module)) = module_parameter(kind) else {
            return false;
        };
        let Some(entry) = entry(section, parameter) else {
            return false;
        };
        let Some((Gone::Skip, advice)) = retired_module(module, entry.word()) else {
            return false;
        };
        let reason = format!("the {} '{}' is gone; {advice}", module.noun(), entry.word());
        let spot = Spot::section(&section.place, &section.name);
        self.report.warning(&spot, Fault::Skipped { reason });
        true
    }

    fn module(&mut self, section: &Section, kind: ObjectKind) -> Module {
        let Some((parameter, module_kind)) = module_parameter(kind) else {
            return Module::NotNeeded;
        };
        let Some(entry) = entry(section, parameter) else {
            // Left out: the default, if there is one; else it is reported as missing.
            let default = common_table(kind)
                .and_then(|table| table.find(parameter))
                .map(ParamDecl::default_value);
            return match default {
                Some(Value::Text(name)) => self
                    .registry
                    .find(module_kind, &name)
                    .map_or(Module::Unknown, Module::Known),
                _ => Module::Unknown,
            };
        };
        if let Some(module) = self.registry.find(module_kind, entry.word()) {
            return Module::Known(module);
        }
        let spot = Spot::parameter(&entry.place, &section.name, parameter);
        let fault = self.no_module(module_kind, entry);
        let meant = match &fault {
            Fault::UnknownModule { nearest, .. } => nearest.as_deref(),
            _ => None,
        };
        let meant = meant.and_then(|name| self.registry.find(module_kind, name));
        self.report.error(&spot, fault);
        meant.map_or(Module::Unknown, Module::Meant)
    }

    fn no_module(&self, kind: ModuleKind, entry: &Entry) -> Fault {
        let name = entry.shown().into_owned();
        let word = entry.word();
        match retired_module(kind, word) {
            Some((Gone::NotYet, _)) => Fault::ModuleNotYet {
                kind: kind.noun(),
                name,
            },
            Some((Gone::Skip | Gone::Refuse, advice)) => Fault::RetiredModule {
                kind: kind.noun(),
                name,
                advice,
            },
            None => Fault::UnknownModule {
                kind: kind.noun(),
                name,
                nearest: nearest(word, self.registry.names(kind)).map(str::to_owned),
                known: self.registry.of(kind).map(|module| module.name).collect(),
            },
        }
    }

    fn missing(&mut self, checked: &Checked) {
        let account = checked.module.is_none_or(|module| module.needs_account);
        for (decl, _) in checked.values.iter() {
            let needed = decl.mandatory && (account || !matches!(decl.name, "user" | "password"));
            if needed && !checked.is_written(decl.name) {
                let fault = Fault::Missing {
                    name: decl.name.to_owned(),
                    hint: "",
                };
                let spot = Spot::section(&checked.place, &checked.name);
                self.report.error(&spot, fault);
            }
        }
    }
}
