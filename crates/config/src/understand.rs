//! One entry to a typed value: its parameter found, its text understood, or both reported.

use crate::check::{Checked, Checker, common_table, module_parameter};
use crate::decl::{Kind, ParamDecl, Standing};
use crate::grammar::{Entry, Form};
use crate::object::ObjectKind;
use crate::params::retired;
use crate::parse::{Written, parse};
use crate::print::print;
use crate::problem::{Fault, Severity};
use crate::report::Spot;
use crate::resolve::TYPE;
use crate::secret::{Secret, clear};
use crate::suggest::nearest;
use crate::value::Value;

impl Checker<'_> {
    /// Adds what an entry says to the object.
    pub(crate) fn entry(&mut self, checked: &mut Checked, entry: &Entry, module_unknown: bool) {
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
        match clear(self.decrypt, secret.reveal()) {
            Ok(clear) if clear.reveal() == written => Some(clear),
            Ok(clear) => Some(clear.written_as(written)),
            Err(reason) => {
                self.report.error(spot, Fault::NotDecrypted { reason });
                None
            }
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
}

/// The default as one would write it, if there is anything to write.
fn printable_default(decl: &ParamDecl) -> Option<String> {
    let default = decl.default_value();
    let text = print(decl, &default);
    let writable = !matches!(default, Value::Unset | Value::Secret(_)) && !text.is_empty();
    writable.then(|| text.reveal().to_owned())
}
