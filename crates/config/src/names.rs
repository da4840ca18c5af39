//! What sections may be called.

use std::collections::BTreeMap;

use crate::grammar::Section;
use crate::problem::{Fault, Place};
use crate::report::{Report, Spot};

/// Words of REST paths, which make confusing names.
const PATH_WORDS: [&str; 10] = [
    "servers",
    "services",
    "monitors",
    "filters",
    "listeners",
    "sessions",
    "users",
    "threads",
    "logs",
    "modules",
];

/// Checks the names of all sections but the global one.
pub(crate) fn check<'a>(sections: impl IntoIterator<Item = &'a Section>, report: &mut Report) {
    let mut folded: BTreeMap<String, (&str, &Place)> = BTreeMap::new();
    for section in sections {
        let spot = Spot::section(&section.place, &section.name);
        if let Some(fault) = bad_name(&section.name) {
            report.error(&spot, fault);
        }
        if PATH_WORDS.contains(&section.name.as_str()) {
            report.warning(&spot, Fault::NameOfPath);
        }
        let first = folded
            .entry(section.name.to_lowercase())
            .or_insert((&section.name, &section.place));
        if first.0 != section.name {
            let fault = Fault::NameCase {
                other: first.0.to_owned(),
                place: first.1.clone(),
            };
            report.warning(&spot, fault);
        }
    }
}

/// A name as a message quotes it: no further than it can be one. An indented line may have
/// added a parameter with its value, a password for instance.
pub(crate) fn shown(name: &str) -> String {
    match name.find(|c| !is_allowed(c)) {
        Some(end) => format!("{}...", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '~' | '-')
}

fn bad_name(name: &str) -> Option<Fault> {
    if name.is_empty() {
        return Some(Fault::NameEmpty);
    }
    if name.starts_with("@@") {
        return Some(Fault::NameReserved);
    }
    let character = name.chars().find(|c| !is_allowed(*c))?;
    Some(Fault::NameCharacter { character })
}
