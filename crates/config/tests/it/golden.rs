//! Golden tests: configuration files in, errors or the printed configuration out.
//!
//! A case is a text file in `cases/`. Lines `--- file PATH`, `--- env NAME VALUE` and
//! `--- option NAME VALUE` say what there is, `--- result` begins what must come of it. With
//! `TIDEGATE_BLESS=1` results are written instead of compared.

use std::path::{Path, PathBuf};

use tidegate_config::{Config, Errors, Loader, Locations, MemoryFiles, Problem, Severity};

use crate::modules::registry;

/// The main file of every case; a case may leave it out.
const MAIN: &str = "/etc/maxscale.cnf";

struct Case {
    files: MemoryFiles,
    options: Vec<(String, String)>,
}

/// Splits a case into its input and the result expected of it.
fn split(text: &str) -> (&str, &str) {
    match text.split_once("--- result\n") {
        Some((input, result)) => (input, result),
        None => (text, ""),
    }
}

fn read(input: &str) -> Case {
    let mut case = Case {
        files: MemoryFiles::new(),
        options: Vec::new(),
    };
    for block in input.split("--- ").filter(|block| !block.trim().is_empty()) {
        let (head, body) = block.split_once('\n').unwrap();
        match head.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["file", path] => case.files = case.files.file(path, body),
            ["env", name, value] => case.files = case.files.set(name, value),
            ["option", name, value] => case.options.push((name.into(), value.into())),
            _ => panic!("unknown block '{head}'"),
        }
    }
    case
}

fn run(case: &Case) -> String {
    let registry = registry();
    let loaded = Loader::new(&case.files, &registry)
        .locations(Locations {
            compat_paths: true,
            ..Locations::default()
        })
        .options(case.options.clone())
        .load(Path::new(MAIN));
    match loaded {
        Ok(config) => show(&config),
        Err(Errors { errors, warnings }) => problems(errors.iter().chain(&warnings)),
    }
}

fn show(config: &Config) -> String {
    format!("{}{}", problems(&config.warnings), config.export().reveal())
}

fn problems<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let lines = problems.into_iter().map(|problem| {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        format!("{severity}: {problem}\n")
    });
    lines.collect()
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let bless = std::env::var_os("TIDEGATE_BLESS").is_some();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "case")
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut stale = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let (input, expected) = split(&text);
        let found = run(&read(input));
        if bless {
            std::fs::write(&path, format!("{input}--- result\n{found}")).unwrap();
        } else if found != expected {
            stale.push(format!(
                "{}:\nexpected:\n{expected}\nfound:\n{found}",
                path.display()
            ));
        }
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}
