//! Between the files and the check: environment variables and include sections.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::FileSource;
use crate::gather::Sourced;
use crate::grammar::{Entry, Form, Section};
use crate::names;
use crate::object::ObjectKind;
use crate::parse::elements;
use crate::problem::{Fault, Place};
use crate::quote;
use crate::report::{Report, Spot};
use crate::secret::Secret;
use crate::suggest::nearest;

/// The key that pulls in include sections.
pub(crate) const INCLUDE: &str = "@include";
/// The key that says what a section is.
pub(crate) const TYPE: &str = "type";

/// The entry with this key.
pub(crate) fn entry<'a>(section: &'a Section, key: &str) -> Option<&'a Entry> {
    section.entries.iter().find(|entry| entry.key == key)
}

/// Substitutes variables and undoes escapes in the global section, in which substitution
/// begins after the line that switches it on. Tells whether it is on.
pub(crate) fn globals(section: &mut Section, files: &dyn FileSource, report: &mut Report) -> bool {
    let mut on = false;
    for entry in &mut section.entries {
        expand(entry, &section.name, on, files, report);
        if entry.key == "substitute_variables" {
            let text = entry.value.reveal().to_ascii_lowercase();
            on = matches!(text.as_str(), "true" | "yes" | "on" | "1");
        }
    }
    on
}

/// Substitutes variables and undoes escapes in any other section.
pub(crate) fn section(
    section: &mut Section,
    substitute: bool,
    files: &dyn FileSource,
    report: &mut Report,
) {
    for entry in &mut section.entries {
        expand(entry, &section.name, substitute, files, report);
    }
}

fn expand(
    entry: &mut Entry,
    section: &str,
    substitute: bool,
    files: &dyn FileSource,
    report: &mut Report,
) {
    if entry.form != Form::Raw {
        return;
    }
    let written = entry.value.reveal();
    let expanded = match quote::triple(written) {
        Some(inner) => quote::unescape(inner).map(Some).ok_or(Fault::BadEscape),
        None if substitute => substituted(written, files),
        None => Ok(None),
    };
    match expanded {
        Ok(None) => {}
        Ok(Some(text)) => {
            entry.form = Form::Literal;
            entry.value = Secret::new(text).written_as(written);
        }
        Err(fault) => {
            entry.form = Form::Failed;
            report.error(&Spot::parameter(&entry.place, section, &entry.key), fault);
        }
    }
}

/// `$NAME` as the whole value, `${NAME}` and `${NAME:-default}` anywhere, also in quotes;
/// `None` if there is no variable.
fn substituted(text: &str, files: &dyn FileSource) -> Result<Option<String>, Fault> {
    match text.strip_prefix('$') {
        Some(name) if !name.starts_with('{') => variable(name, files).map(Some),
        _ if text.contains("${") => embedded(quote::strip(text), files).map(Some),
        _ => Ok(None),
    }
}

fn embedded(text: &str, files: &dyn FileSource) -> Result<String, Fault> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Fault::VariableNotClosed)?;
        out.push_str(&match inside.split_once(":-") {
            Some((name, default)) => {
                let set = files.variable(name).filter(|value| !value.is_empty());
                set.unwrap_or_else(|| default.to_owned())
            }
            None => variable(inside, files)?,
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(name: &str, files: &dyn FileSource) -> Result<String, Fault> {
    files.variable(name).ok_or(Fault::NoVariable)
}

/// The include sections of a configuration.
pub(crate) struct Includes {
    sections: BTreeMap<String, Section>,
    used: BTreeSet<String>,
    /// Every other section, for messages.
    others: BTreeMap<String, (Option<ObjectKind>, Place)>,
}

/// What a section says it is.
pub(crate) fn kind_of(section: &Section) -> Option<ObjectKind> {
    ObjectKind::from_type(entry(section, TYPE)?.word())
}

impl Includes {
    /// Takes the include sections out of `sections`.
    pub(crate) fn take(sections: &mut Vec<Sourced>, report: &mut Report) -> Self {
        let mut includes = Self {
            sections: BTreeMap::new(),
            used: BTreeSet::new(),
            others: BTreeMap::new(),
        };
        for (section, source) in std::mem::take(sections) {
            let kind = kind_of(&section);
            if kind == Some(ObjectKind::Include) {
                includes.sections.insert(section.name.clone(), section);
            } else {
                let place = section.place.clone();
                includes.others.insert(section.name.clone(), (kind, place));
                sections.push((section, source));
            }
        }
        for section in includes.sections.values() {
            includes.refuse_nested(section, report);
        }
        includes
    }

    fn refuse_nested(&self, section: &Section, report: &mut Report) {
        let Some(entry) = entry(section, INCLUDE) else {
            return;
        };
        let fault = Fault::NestedInclude {
            cycle: self.cycle_from(&section.name),
        };
        report.error(
            &Spot::parameter(&entry.place, &section.name, INCLUDE),
            fault,
        );
    }

    /// The names on the way from an include section back to itself.
    fn cycle_from(&self, start: &str) -> Option<Vec<String>> {
        let mut paths = vec![vec![start.to_owned()]];
        let mut seen: Vec<String> = Vec::new();
        while let Some(path) = paths.pop() {
            let last = path.last()?;
            let Some(entry) = self
                .sections
                .get(last)
                .and_then(|section| entry(section, INCLUDE))
            else {
                continue;
            };
            for name in elements(entry.value.reveal(), ',') {
                let mut longer = path.clone();
                longer.push(name.to_owned());
                if name == start {
                    return Some(longer);
                }
                if !seen.iter().any(|known| known == name) {
                    seen.push(name.to_owned());
                    paths.push(longer);
                }
            }
        }
        None
    }

    /// Adds to a section what it includes; its own parameters win, then those of the last
    /// include named.
    pub(crate) fn apply(&mut self, section: &mut Section, report: &mut Report) {
        let Some(include) = entry(section, INCLUDE).cloned() else {
            return;
        };
        let mut added: Vec<(String, Entry)> = Vec::new();
        for name in elements(include.value.reveal(), ',') {
            let spot = Spot::parameter(&include.place, &section.name, INCLUDE);
            let Some(source) = self.sections.get(name) else {
                report.error(&spot, self.missing(name));
                continue;
            };
            self.used.insert(name.to_owned());
            for entry in &source.entries {
                let own = section.entries.iter().any(|own| own.key == entry.key);
                if !own && entry.key != TYPE && entry.key != INCLUDE {
                    add(&mut added, name, entry, &spot, report);
                }
            }
        }
        section
            .entries
            .extend(added.into_iter().map(|(_, entry)| entry));
    }

    fn missing(&self, name: &str) -> Fault {
        match self.others.get(name) {
            Some((Some(kind), place)) => Fault::WrongObject {
                name: names::shown(name),
                kind: *kind,
                wanted: "section of type include",
                place: place.clone(),
            },
            _ => Fault::NoSuchObject {
                name: names::shown(name),
                wanted: "include section",
                nearest: nearest(name, self.sections.keys().map(String::as_str)).map(str::to_owned),
            },
        }
    }

    /// Warns of include sections that nobody includes.
    pub(crate) fn report_unused(&self, report: &mut Report) {
        for section in self.sections.values() {
            if !self.used.contains(&section.name) {
                let spot = Spot::section(&section.place, &section.name);
                report.warning(&spot, Fault::Unused("no section includes it"));
            }
        }
    }
}

/// Adds an entry that `include` gives; it replaces that of an earlier include.
fn add(
    added: &mut Vec<(String, Entry)>,
    include: &str,
    entry: &Entry,
    spot: &Spot<'_>,
    report: &mut Report,
) {
    let new = (include.to_owned(), entry.clone());
    let Some(known) = added.iter_mut().find(|(_, known)| known.key == entry.key) else {
        return added.push(new);
    };
    if known.1.value != entry.value {
        let fault = Fault::IncludeConflict {
            first: known.0.clone(),
            last: include.to_owned(),
        };
        let parameter = Some(entry.key.as_str());
        report.notice(
            &Spot {
                parameter,
                ..spot.clone()
            },
            fault,
        );
    }
    *known = new;
}
