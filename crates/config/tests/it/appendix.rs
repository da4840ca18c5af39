//! The metadata that REST shows against what MaxScale 24.02 documents of its own.
//!
//! `appendix.txt` has a line for each documented parameter: module, name, type, default,
//! flags (M modifiable, R mandatory, D deprecated), words. Where ours differs on purpose, the
//! difference stands below with its reason.

use tidegate_config::{ModuleView, View, modules};

use crate::modules::registry;

const APPENDIX: &str = include_str!("appendix.txt");

/// Parameter, member, and why it differs.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("wait_timeout", "default_value", "28800s since 24.02.5"),
    ("admin_ssl_version", "type", "a mask since 24.02.2"),
    ("ssl_version", "type", "a mask since 24.02.2"),
    (
        "admin_ssl_version",
        "enum_values",
        "dotted spellings since 24.02.2",
    ),
    (
        "ssl_version",
        "enum_values",
        "dotted spellings since 24.02.2",
    ),
    (
        "master_conditions",
        "default_value",
        "disk_space_ok since 24.02.1",
    ),
    (
        "master_conditions",
        "enum_values",
        "disk_space_ok since 24.02.1",
    ),
    (
        "slave_conditions",
        "enum_values",
        "disk_space_ok since 24.02.1",
    ),
    (
        "slave_conditions",
        "default_value",
        "the monitor's own documentation says none",
    ),
    ("admin_audit_file", "default_value", "depends on logdir"),
    ("threads", "default_value", "depends on the machine"),
    (
        "query_classifier_cache_size",
        "default_value",
        "depends on the machine",
    ),
    ("auth_read_timeout", "deprecated", "has no effect"),
    ("auth_write_timeout", "deprecated", "has no effect"),
    (
        "localhost_match_wildcard_host",
        "deprecated",
        "has no effect",
    ),
    ("session_trace", "deprecated", "the service's has no effect"),
    ("protocol", "deprecated", "the server's has no effect"),
    ("authenticator", "deprecated", "the server's has no effect"),
    ("auth_all_servers", "deprecated", "un-deprecated later"),
    (
        "filebase",
        "modifiable",
        "the filter's own documentation says no, this says yes",
    ),
];

struct Documented<'a> {
    module: &'a str,
    name: &'a str,
    kind: &'a str,
    default: &'a str,
    flags: &'a str,
    words: &'a str,
}

fn documented() -> impl Iterator<Item = Documented<'static>> {
    APPENDIX.lines().map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [module, name, kind, default, flags, words] = cells[..] else {
            panic!("{line}");
        };
        Documented {
            module,
            name,
            kind,
            default,
            flags,
            words,
        }
    })
}

/// The modules of ours that list a documented one's parameters.
fn module<'a>(modules: &'a [ModuleView], name: &str) -> &'a ModuleView {
    let ours = match name {
        "service" => "cli",
        "monitor" => "mariadbmon",
        other => other,
    };
    modules.iter().find(|module| module.id == ours).unwrap()
}

fn is_named(parameter: &View, name: &str) -> bool {
    parameter.member("name") == Some(&View::Text(name.to_owned()))
}

fn differs_on_purpose(name: &str, member: &str) -> bool {
    DIFFERENT
        .iter()
        .any(|(known, of, _)| *known == name && *of == member)
}

#[test]
fn every_documented_parameter_is_declared_as_documented() {
    let modules = modules(&registry());
    let mut wrong = Vec::new();
    for documented in documented() {
        // A documented service has a `type`, which is no parameter of ours.
        if documented.name == "type" {
            continue;
        }
        let parameters = &module(&modules, documented.module).parameters;
        match parameters
            .iter()
            .find(|ours| is_named(ours, documented.name))
        {
            None => wrong.push(format!(
                "{}: {} is missing",
                documented.module, documented.name
            )),
            Some(ours) => wrong.extend(differences(&documented, ours)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differences(documented: &Documented<'_>, ours: &View) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |member: &str, expected: String, found: String| {
        if expected != found && !differs_on_purpose(documented.name, member) {
            let name = documented.name;
            wrong.push(format!(
                "{name}: {member}: documented {expected}, ours {found}"
            ));
        }
    };
    let kind = documented.kind.trim_end_matches(" (ms)");
    compare("type", kind.to_owned(), text(ours.member("type")));
    let default = documented.default.trim_matches('"').replace("[]", "");
    compare(
        "default_value",
        normal(&default),
        normal(&text(ours.member("default_value"))),
    );
    for (flag, member) in [('M', "modifiable"), ('R', "mandatory"), ('D', "deprecated")] {
        let expected = documented.flags.contains(flag);
        let found = ours.member(member) == Some(&View::Bool(true));
        compare(member, expected.to_string(), found.to_string());
    }
    compare(
        "enum_values",
        sorted(documented.words),
        sorted(&text(ours.member("enum_values"))),
    );
    wrong
}

/// A default without what is only a way of writing it.
fn normal(text: &str) -> String {
    text.replace("` `, each `=auto", "")
        .replace("`, each `=auto", "")
        .replace("=auto", "")
        .replace([' ', ','], "")
}

fn text(view: Option<&View>) -> String {
    match view {
        None | Some(View::Null) => String::new(),
        Some(View::Bool(on)) => on.to_string(),
        Some(View::Int(number)) => number.to_string(),
        Some(View::Count(number)) => number.to_string(),
        Some(View::Text(text)) => text.clone(),
        Some(View::List(items)) => {
            let items: Vec<String> = items.iter().map(text_of).collect();
            items.join(", ")
        }
        Some(View::Object(members)) => {
            let members = members
                .iter()
                .map(|(name, view)| format!("\"{name}\": {}", text_of(view)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

fn text_of(view: &View) -> String {
    text(Some(view))
}

fn sorted(words: &str) -> String {
    let mut words: Vec<&str> = words.split(", ").collect();
    words.sort_unstable();
    words.join(", ")
}
