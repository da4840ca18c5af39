//! `cargo xtask policy`: what may be built into the programs.
//!
//! The rules are data, in `dependencies.policy` at the root: which licences, from where, which
//! crates at all, and which of them twice. They are held against what cargo resolves for the
//! platforms we build for. Known vulnerabilities are left out: asking for them needs the network.

mod graph;
mod license;
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::args::Args;
use crate::{shell, verdict};
use graph::{Crate, Graph};
use rules::Rules;

/// The task's help.
pub(crate) const HELP: &str = "\
licences, sources, duplicates and the list of allowed crates (dependencies.policy)
  --bless   write the crates as they are now into the list, for the review of its diff";

/// Where the rules stand.
const FILE: &str = "dependencies.policy";

/// Where each direct dependency has its line: what for, how many crates it brings, who keeps it.
const REASONS: &str = "CONTRIBUTING.md";

/// One rule's name and what breaks it.
type Verdict = (&'static str, Vec<String>);

/// The task.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    let bless = args.flag("--bless");
    args.finish()?;
    let path = shell::root().join(FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("no {FILE}"))?;
    let graph = Graph::read()?;
    if bless {
        let names = graph.foreign().map(|package| package.name.as_str());
        fs::write(&path, rules::with_crates(&text, names))?;
        println!(
            "{FILE} now lists {} crates: review its diff",
            graph.foreign().count()
        );
        return Ok(ExitCode::SUCCESS);
    }
    let rules = Rules::parse(&text)?;
    let reasons = fs::read_to_string(shell::root().join(REASONS)).unwrap_or_default();
    Ok(verdict(report(
        &judge(&rules, &graph, &reasons),
        graph.foreign().count(),
    )))
}

/// Tells what was found; returns how many rules were broken.
fn report(verdicts: &[Verdict], crates: usize) -> u64 {
    let mut failed = 0;
    for (name, findings) in verdicts.iter().filter(|(_, findings)| !findings.is_empty()) {
        failed += 1;
        println!("{name}:");
        findings.iter().for_each(|finding| println!("  {finding}"));
    }
    println!("{crates} crates");
    println!("{} passed, {failed} failed", verdicts.len() - failed);
    failed as u64
}

fn judge(rules: &Rules, graph: &Graph, reasons: &str) -> Vec<Verdict> {
    vec![
        ("licences", licenses(rules, graph)),
        ("sources", sources(rules, graph)),
        ("duplicates", duplicates(rules, graph)),
        ("crates", crates(rules, graph)),
        ("reasons", missing_reasons(graph, reasons)),
    ]
}

fn licenses(rules: &Rules, graph: &Graph) -> Vec<String> {
    let refused = |package: &&Crate| !license::allowed(&package.license, &rules.licenses);
    let text = |package: &Crate| format!("{package}: licence {:?}", package.license);
    graph.crates.iter().filter(refused).map(text).collect()
}

fn sources(rules: &Rules, graph: &Graph) -> Vec<String> {
    let strange = |package: &&Crate| {
        !rules
            .sources
            .iter()
            .any(|source| package.source.ends_with(source))
    };
    graph
        .foreign()
        .filter(strange)
        .map(|package| format!("{package} {}", package.source))
        .collect()
}

fn duplicates(rules: &Rules, graph: &Graph) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in graph.foreign() {
        versions
            .entry(&package.name)
            .or_default()
            .push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let mut findings = Vec::new();
    for (name, versions) in &versions {
        if !rules.duplicates.iter().any(|allowed| allowed == name) {
            findings.push(format!("{name} comes in versions {}", versions.join(", ")));
        }
    }
    for allowed in &rules.duplicates {
        if !versions.contains_key(allowed.as_str()) {
            findings.push(format!("{allowed} comes once: its line in {FILE} can go"));
        }
    }
    findings
}

fn crates(rules: &Rules, graph: &Graph) -> Vec<String> {
    let mut findings: Vec<String> = graph
        .foreign()
        .filter(|package| !rules.crates.contains(&package.name))
        .map(|package| {
            format!("{package} is new here: `cargo xtask policy --bless`, if it is wanted")
        })
        .collect();
    for name in &rules.crates {
        if !graph.foreign().any(|package| package.name == *name) {
            findings.push(format!(
                "{name} is not used any more: `cargo xtask policy --bless`"
            ));
        }
    }
    findings
}

fn missing_reasons(graph: &Graph, reasons: &str) -> Vec<String> {
    let without = graph
        .direct
        .iter()
        .filter(|name| !reasons.contains(&format!("| `{name}` |")));
    without
        .map(|name| format!("{name} has no line in {REASONS}, \"Dependencies\""))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Crate {
        Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            license: "MIT".to_owned(),
            source: "registry+index".to_owned(),
        }
    }

    fn failed(rules: &str, graph: &Graph) -> Vec<&'static str> {
        let rules = Rules::parse(rules).expect("rules");
        let verdicts = judge(&rules, graph, "| `a` | for tests |");
        verdicts
            .into_iter()
            .filter(|(_, f)| !f.is_empty())
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let graph = Graph {
            crates: vec![package("a", "1.0.0")],
            direct: vec!["a".to_owned()],
        };
        let good = "license MIT\nsource index\ncrate a\n";
        assert!(failed(good, &graph).is_empty());
        assert_eq!(failed("source index\ncrate a\n", &graph), ["licences"]);
        assert_eq!(failed("license MIT\ncrate a\n", &graph), ["sources"]);
        assert_eq!(failed("license MIT\nsource index\n", &graph), ["crates"]);
        assert_eq!(failed(&format!("{good}crate b\n"), &graph), ["crates"]);
        assert_eq!(
            failed(&format!("{good}duplicate a why\n"), &graph),
            ["duplicates"]
        );
        let twice = Graph {
            crates: vec![package("a", "1.0.0"), package("a", "2.0.0")],
            direct: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(failed(good, &twice), ["duplicates", "reasons"]);
        assert_eq!(
            failed(&format!("{good}duplicate a why\n"), &twice),
            ["reasons"]
        );
    }
}
