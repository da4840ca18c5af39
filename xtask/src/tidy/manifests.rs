//! Rules about what the manifests say.

use super::house::{Finding, House, Package};
use super::rooms::GROUND;

/// What the ground floor must not depend on, in tests neither.
const IMPURE: [&str; 14] = [
    "tokio",
    "mio",
    "socket2",
    "rustix",
    "libc",
    "nix",
    "rand",
    "fastrand",
    "getrandom",
    "chrono",
    "jiff",
    "tracing",
    "log",
    "serde",
];

/// Where errors are only shown, never decided upon.
const ANYHOW: [&str; 5] = ["tidegate", "tidectl", "testkit", "sim", "xtask"];

/// Only ever an independent peer in tests.
const PEERS: [&str; 1] = ["mysql_async"];

pub(super) fn check(house: &House) -> Vec<Finding> {
    house
        .packages
        .iter()
        .flat_map(|package| check_package(house, package))
        .collect()
}

fn check_package(house: &House, package: &Package) -> Vec<Finding> {
    let place = format!("{}/Cargo.toml", package.folder);
    let mut findings = Vec::new();
    let mut find = |text: String| findings.push(Finding::new(place.clone(), text));
    let text = house.file(&place).map_or("", |file| file.text.as_str());
    if !text.contains("[lints]\nworkspace = true") {
        find("the workspace's lints are not taken over".to_owned());
    }
    for line in unshared_versions(text) {
        find(format!("a version of its own: {line}"));
    }
    let room = package.folder.rsplit('/').next().unwrap_or_default();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if name == "anyhow" && !dependency.dev && !ANYHOW.contains(&room) {
            find("anyhow is for programs; a library has an error type".to_owned());
        }
        if PEERS.contains(&name) && !dependency.dev {
            find(format!("{name} is for tests only"));
        }
    }
    findings
}

/// Lines of dependency tables that do not refer to the workspace.
fn unshared_versions(manifest: &str) -> Vec<&str> {
    let mut in_table = false;
    let mut lines = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_table = line.contains("dependencies");
        } else if in_table && line.contains('=') && !line.contains("workspace") {
            lines.push(line);
        }
    }
    lines
}

pub(super) fn check_ground(house: &House) -> Vec<Finding> {
    let ground = |package: &&Package| {
        GROUND
            .iter()
            .any(|g| package.folder.ends_with(&format!("/{g}")))
    };
    let mut findings = Vec::new();
    for package in house.packages.iter().filter(ground) {
        for dependency in &package.dependencies {
            let impure = IMPURE.contains(&dependency.name.as_str());
            // A test may read its cases with a serializer; the room itself may not.
            if impure && !(dependency.dev && dependency.name == "serde") {
                let place = format!("{}/Cargo.toml", package.folder);
                findings.push(Finding::new(
                    place,
                    format!("depends on {}", dependency.name),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_outside_the_root_is_found() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nc = \"1\"\n";
        assert_eq!(unshared_versions(manifest), ["c = \"1\""]);
    }
}
