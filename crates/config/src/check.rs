//! One section to typed values: every entry understood or reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::decl::{Kind, ModuleKind, ParamDecl, Standing, Table};
use crate::gather::Source;
use crate::grammar::{Entry, Form, Section};
use crate::macros::Params;
use crate::object::ObjectKind;
use crate::params::{
    FilterParams, ListenerParams, MaxScaleParams, MonitorParams, ServerParams, ServiceParams,
    retired,
};
use crate::parse::{Written, parse};
use crate::print::{PLAIN, looks_encrypted, print};
use crate::problem::{Fault, Place, Severity};
use crate::registry::{Gone, ModuleDecl, Registry, retired_module};
use crate::report::{Report, Spot};
use crate::resolve::{INCLUDE, TYPE, entry};
use crate::secret::{Decrypt, Secret};
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
fn module_parameter(kind: ObjectKind) -> Option<(&'static str, ModuleKind)> {
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

    fn entry(&mut self, checked: &mut Checked, entry: &Entry, module_unknown: bool) {
        self.indented(checked, entry);
        match checked.values.declaration(&entry.key) {
            Some(decl) => self.known(checked, decl, entry),
            None if module_unknown => {}
            None => self.unknown(checked, entry),
        }
    }

    /// Warns when a continuation line looks like a parameter this section could have. When
    /// that is a password, it is refused: as part of another value it would be shown.
    fn indented(&mut self, checked: &Checked, entry: &Entry) {
        for (key, place) in &entry.indented {
            let decl = checked.values.declaration(key);
            let severity = match decl.map(|decl| decl.kind) {
                Some(Kind::Secret) => Severity::Error,
                Some(_) => Severity::Warning,
                None if key == TYPE => Severity::Warning,
                None => continue,
            };
            let spot = Spot::parameter(place, &checked.name, &entry.key);
            let fault = Fault::IndentedParameter { key: key.clone() };
            self.report.add(severity, &spot, fault);
        }
    }

    fn known(&mut self, checked: &mut Checked, decl: &'static ParamDecl, entry: &Entry) {
        let name = checked.name.clone();
        let spot = Spot::parameter(&entry.place, &name, &entry.key);
        if let Some(first) = checked.places.get(decl.name) {
            let fault = Fault::DuplicateAlias {
                other: decl.name.to_owned(),
                first: first.clone(),
            };
            return self.report.error(&spot, fault);
        }
        checked.places.insert(decl.name, entry.place.clone());
        self.old_name(decl, entry, &spot);
        match self.value(decl, entry, &spot) {
            Some(value) => checked.values.set(decl.name, value),
            None => {
                checked.failed.insert(decl.name);
            }
        }
    }

    fn old_name(&mut self, decl: &ParamDecl, entry: &Entry, spot: &Spot<'_>) {
        let old = decl.aliases.iter().chain(decl.old_names);
        if old.copied().any(|name| name == entry.key) {
            let name = decl.name.to_owned();
            self.report.warning(spot, Fault::OldName { name });
        }
        if let Some(advice) = decl.deprecated {
            let advice = advice.to_owned();
            self.report.warning(spot, Fault::Deprecated { advice });
        }
    }

    fn value(&mut self, decl: &ParamDecl, entry: &Entry, spot: &Spot<'_>) -> Option<Value> {
        if entry.form == Form::Failed {
            return None;
        }
        let written = entry.value.written().unwrap_or(entry.value.reveal());
        let parsed = parse(
            decl,
            &Written {
                text: entry.value.reveal(),
                literal: entry.form == Form::Literal,
                shown: &entry.shown(),
            },
        );
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(fault) => {
                self.report.error(spot, fault.into());
                return None;
            }
        };
        for note in parsed.notes {
            self.report.warning(spot, note);
        }
        let value = match parsed.value {
            Value::Secret(secret) => Value::Secret(self.secret(secret, written, spot)?),
            Value::Text(name) => Value::Text(self.canonical(decl, name)),
            value => value,
        };
        if decl.standing == Standing::Reserved && value != decl.default_value() {
            let default = printable_default(decl);
            self.report.error(spot, Fault::NotYet { default });
            return None;
        }
        Some(value)
    }

    /// The registered name of a module; any other text stays what it is.
    fn canonical(&self, decl: &ParamDecl, name: String) -> String {
        match decl.kind {
            Kind::Module(kind) => self
                .registry
                .find(kind, &name)
                .map_or(name, |module| module.name.to_owned()),
            _ => name,
        }
    }

    /// The clear form of a password that may be encrypted, remembering how it was written.
    fn secret(&mut self, secret: Secret, written: &str, spot: &Spot<'_>) -> Option<Secret> {
        if let Some(clear) = secret.reveal().strip_prefix(PLAIN) {
            return Some(Secret::new(clear).written_as(written));
        }
        match self.decrypt {
            Some(key) if looks_encrypted(secret.reveal()) => match key.decrypt(secret.reveal()) {
                Ok(clear) => Some(clear.written_as(written)),
                Err(reason) => {
                    self.report.error(spot, Fault::NotDecrypted { reason });
                    None
                }
            },
            _ if secret.reveal() == written => Some(secret),
            _ => Some(secret.written_as(written)),
        }
    }

    fn unknown(&mut self, checked: &Checked, entry: &Entry) {
        let spot = Spot::parameter(&entry.place, &checked.name, &entry.key);
        if let Some(advice) = self.retired(checked, &entry.key) {
            return self.report.warning(&spot, Fault::Retired { advice });
        }
        let owner = self.owner(checked, &entry.key);
        let names = checked.values.iter().flat_map(|(decl, _)| decl.names());
        let nearest = match owner {
            Some(_) => None,
            None => nearest(&entry.key, names.chain([TYPE])).map(str::to_owned),
        };
        self.report
            .error(&spot, Fault::UnknownParameter { nearest, owner });
    }

    fn retired(&self, checked: &Checked, key: &str) -> Option<String> {
        if checked.kind == ObjectKind::Server && self.weights.contains(key) {
            return Some("weights are gone; use rank".to_owned());
        }
        let of_module = checked.module.map_or(&[][..], |module| module.retired);
        let mut names = retired(checked.kind).iter().chain(of_module);
        let found = names.find(|retired| retired.name == key)?;
        Some(found.advice.to_owned())
    }

    /// Who has a parameter of this name: another module of the kind, or another kind.
    fn owner(&self, checked: &Checked, key: &str) -> Option<String> {
        let mut modules = self.registry.modules();
        if let Some((_, kind)) = module_parameter(checked.kind)
            && let Some(module) = self
                .registry
                .of(kind)
                .find(|module| module.table.find(key).is_some())
        {
            return Some(format!("the {} {}", kind.noun(), module.name));
        }
        let kinds = ObjectKind::WITH_PARAMETERS.into_iter();
        let kind = kinds
            .filter(|kind| *kind != checked.kind)
            .find(|kind| common_table(*kind).is_some_and(|table| table.find(key).is_some()));
        if let Some(kind) = kind {
            return Some(kind.plural().to_owned());
        }
        let module = modules.find(|module| module.table.find(key).is_some())?;
        Some(format!("the {} {}", module.kind.noun(), module.name))
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

/// The default as one would write it, if there is anything to write.
fn printable_default(decl: &ParamDecl) -> Option<String> {
    let default = decl.default_value();
    let text = print(decl, &default);
    let writable = !matches!(default, Value::Unset | Value::Secret(_)) && !text.is_empty();
    writable.then(|| text.reveal().to_owned())
}
