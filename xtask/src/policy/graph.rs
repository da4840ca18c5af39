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
    /// Asks cargo.
    ///
    /// # Errors
    /// The lock file is out of date, or a package could not be had.
    pub(super) fn read() -> Result<Self> {
        let mut metadata = shell::cargo();
        metadata.args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
        ]);
        for platform in PLATFORMS {
            metadata.args(["--filter-platform", platform]);
        }
        let metadata: Value = serde_json::from_str(&shell::output(&mut metadata)?)?;
        let packages = list(&metadata["packages"])?;
        let used: BTreeSet<&str> = list(&metadata["resolve"]["nodes"])?
            .iter()
            .filter_map(|node| node["id"].as_str())
            .collect();
        let used = |package: &&Value| package["id"].as_str().is_some_and(|id| used.contains(id));
        let direct: BTreeSet<String> = packages
            .iter()
            .filter(|package| package["source"].is_null())
            .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
            .filter(|dependency| dependency["path"].is_null())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect();
        Ok(Self {
            crates: packages.iter().filter(used).map(read_crate).collect(),
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

fn list(value: &Value) -> Result<&Vec<Value>> {
    value
        .as_array()
        .context("cargo's metadata has another shape")
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
