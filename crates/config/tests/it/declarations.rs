//! What must hold for every declaration.

use std::collections::BTreeSet;

use tidegate_config::{
    Change, Given, Kind, ModuleKind, ParamDecl, Params as _, Registry, Standing, Table, View,
    modules, params, reference_page,
};

use crate::modules::registry;

/// The parameters of every kind of object, each with what it is for.
fn objects(registry: &Registry) -> Vec<(String, Vec<&'static ParamDecl>)> {
    let mut objects = vec![
        ("maxscale".to_owned(), all([params::MaxScaleParams::TABLE])),
        ("server".to_owned(), all([params::ServerParams::TABLE])),
    ];
    for module in registry.modules() {
        let common = match module.kind {
            ModuleKind::Router => params::ServiceParams::TABLE,
            ModuleKind::Filter => params::FilterParams::TABLE,
            ModuleKind::Monitor => params::MonitorParams::TABLE,
            ModuleKind::Protocol => params::ListenerParams::TABLE,
        };
        objects.push((module.name.to_owned(), all([common, module.table])));
    }
    objects
}

fn all(tables: impl IntoIterator<Item = &'static Table>) -> Vec<&'static ParamDecl> {
    tables.into_iter().flat_map(Table::all).collect()
}

#[test]
fn a_name_means_one_parameter() {
    for (object, decls) in objects(&registry()) {
        let mut names = BTreeSet::from(["type"]);
        for name in decls.iter().flat_map(|decl| decl.names()) {
            assert!(names.insert(name), "{object}: {name} is there twice");
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
            assert!(name.chars().all(good), "{object}: {name}");
        }
    }
}

#[test]
fn help_is_a_sentence() {
    for (object, decls) in objects(&registry()) {
        for decl in decls {
            assert!(
                decl.help.ends_with('.'),
                "{object}: {}: {}",
                decl.name,
                decl.help
            );
            assert!(!decl.help.contains("  "), "{object}: {}", decl.name);
        }
    }
}

#[test]
fn defaults_are_of_their_kinds() {
    for (object, decls) in objects(&registry()) {
        for decl in decls {
            let fits = match (decl.default, decl.kind) {
                (Given::Nothing, Kind::Bool | Kind::Int { .. } | Kind::Count { .. }) => false,
                (Given::Nothing, Kind::Size { .. } | Kind::Duration { .. }) => false,
                (Given::Nothing, _) => true,
                (Given::Auto, Kind::Count { auto, .. } | Kind::Size { auto }) => auto,
                (Given::Int(number), Kind::Int { min, max }) => (min..=max).contains(&number),
                (Given::Count(number), Kind::Count { min, max, .. }) => {
                    (min..=max).contains(&number)
                }
                (Given::Millis(-1), Kind::Duration { signed, .. }) => signed,
                (Given::Millis(ms), Kind::Duration { min_ms, .. }) => ms.unsigned_abs() >= min_ms,
                (Given::Word(word), Kind::Word { words }) => words.contains(&word),
                (Given::Mask(bits), Kind::Mask { words } | Kind::WordList { words }) => {
                    bits >> words.len() == 0
                }
                (Given::Bool(_), Kind::Bool)
                | (Given::Size(_), Kind::Size { .. })
                | (Given::List(_), Kind::List)
                | (Given::Text(_), Kind::Text | Kind::Path | Kind::Module(_))
                | (Given::Throttling(_), Kind::Throttling) => true,
                _ => false,
            };
            assert!(fits, "{object}: {}: {:?}", decl.name, decl.default);
            assert!(
                !decl.mandatory || decl.default == Given::Nothing,
                "{}",
                decl.name
            );
        }
    }
}

#[test]
fn spellings_lead_to_words() {
    for (object, decls) in objects(&registry()) {
        for decl in decls {
            let words = match decl.kind {
                Kind::Word { words } | Kind::Mask { words } | Kind::WordList { words } => words,
                _ => continue,
            };
            for (written, meant) in decl.spellings.iter().chain(decl.old_spellings) {
                assert!(words.contains(meant), "{object}: {}: {meant}", decl.name);
                assert!(
                    !words.contains(written),
                    "{object}: {}: {written}",
                    decl.name
                );
            }
        }
    }
}

#[test]
fn what_is_reserved_is_optional() {
    for (object, decls) in objects(&registry()) {
        for decl in decls {
            let reserved = decl.standing == Standing::Reserved;
            assert!(!(reserved && decl.mandatory), "{object}: {}", decl.name);
        }
    }
}

#[test]
fn directories_are_fixed_at_start() {
    for decl in params::DirectoryParams::TABLE.decls {
        assert_eq!(decl.change, Change::Restart, "{}", decl.name);
    }
}

#[test]
fn every_module_lists_its_parameters() {
    let listed = modules(&registry());
    let names: Vec<&str> = listed.iter().map(|module| module.id).collect();
    let expected = [
        "maxscale",
        "servers",
        "MariaDBProtocol",
        "cli",
        "hintfilter",
        "mariadbmon",
        "maxscaled",
        "qlafilter",
        "readconnroute",
        "readwritesplit",
    ];
    assert_eq!(names, expected);
    for module in listed {
        for parameter in &module.parameters {
            assert!(matches!(parameter.member("name"), Some(View::Text(_))));
        }
    }
}

/// The page that documents all parameters is written from the declarations; this one has
/// those of the core and of the modules at hand. `TIDEGATE_BLESS=1` writes it anew.
#[test]
fn the_reference_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/reference.md");
    let page = reference_page(&registry());
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}
