//! The crates that cargo resolves, for the platforms we build for.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// Crates only other systems need are none of our business.
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// A package, ours or not.
#[derive(Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: String,
    /// Empty for our own.
    pub(super) source: String,
}

impl fmt::Display for Crate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// All packages, tests' and build scripts' included.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) crates: Vec<Crate>,
    /// What our own manifests name, sorted.
    pub(super) direct: Vec<String>,
}

impl Graph {
    /// Asks cargo: its metadata knows licences and sources, its tree what is really built.
    ///
    /// # Errors
    /// The lock file is out of date, or a package could not be had.
    pub(super) fn read() -> Result<Self> {
        let mut metadata = shell::cargo();
        metadata.args(["metadata", "--format-version", "1", "--locked"]);
        let metadata: Value = serde_json::from_str(&shell::output(&mut metadata)?)?;
        let packages = metadata["packages"]
            .as_array()
            .context("cargo's metadata has another shape")?;
        let built = built()?;
        let is_built = |package: &Crate| built.contains(&package.to_string());
        let direct: BTreeSet<String> = packages
            .iter()
            .filter(|package| package["source"].is_null())
            .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
            .filter(|dependency| dependency["path"].is_null())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect();
        Ok(Self {
            crates: packages.iter().map(read_crate).filter(is_built).collect(),
            direct: direct.into_iter().collect(),
        })
    }

    /// The crates of others.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &Crate> {
        self.crates
            .iter()
            .filter(|package| !package.source.is_empty())
    }
}

/// Name and version of every package that is built, for tests and by build scripts too.
fn built() -> Result<BTreeSet<String>> {
    let mut tree = shell::cargo();
    tree.args([
        "tree",
        "--workspace",
        "--locked",
        "--edges",
        "normal,build,dev",
    ]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    for platform in PLATFORMS {
        tree.args(["--target", platform]);
    }
    let text = shell::output(&mut tree)?;
    Ok(text.lines().filter_map(name_and_version).collect())
}

/// `name v1.2.3 (path)` as `name 1.2.3`.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some(format!("{name} {version}"))
}

fn read_crate(package: &Value) -> Crate {
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    Crate {
        name: text("name"),
        version: text("version"),
        license: text("license"),
        source: text("source"),
    }
}
