//! The house as the rules see it: its files, its packages, and what is wrong with them.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::view;
use crate::shell;

/// Folders that hold nothing of ours; in a second working tree `.git` is a file.
const SKIPPED: [&str; 3] = ["target", ".git", "corpus"];

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    place: String,
    text: String,
}

impl Finding {
    pub(super) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A text file.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// In Rust files the text without comments and literals; empty in others.
    pub(super) code: String,
    /// For each line whether it belongs to tests.
    pub(super) in_test: Vec<bool>,
}

impl SourceFile {
    pub(super) fn new(path: &str, text: String) -> Self {
        let rust = path.ends_with(".rs");
        let code = if rust {
            view::code_only(&text)
        } else {
            String::new()
        };
        let in_test = if is_test_file(path) {
            text.lines().map(|_| true).collect()
        } else {
            view::test_lines(&code)
        };
        Self {
            path: path.to_owned(),
            text,
            code,
            in_test,
        }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The folder's name under `crates/`, if the file is in one.
    pub(super) fn room(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Lines of code that satisfy `wrong`, unless they carry the allowance for `rule`.
    pub(super) fn lines_where(
        &self,
        rule: &str,
        in_test: Option<bool>,
        wrong: impl Fn(&str) -> bool,
        text: &str,
    ) -> Vec<Finding> {
        let shown: Vec<&str> = self.text.lines().collect();
        let lines = self.code.lines().enumerate();
        lines
            .filter(|(index, line)| {
                in_test.is_none_or(|test| self.in_test.get(*index) == Some(&test)) && wrong(line)
            })
            .filter(|(index, _)| !self.allows(rule, *index, &shown))
            .map(|(index, _)| self.finding(index, text))
            .collect()
    }

    /// A finding on a line, counted from 0.
    pub(super) fn finding(&self, index: usize, text: &str) -> Finding {
        let line = self.text.lines().nth(index).unwrap_or_default().trim();
        Finding::new(
            format!("{}:{}", self.path, index + 1),
            format!("{text}: {line}"),
        )
    }

    /// Whether the line, or the comment above it, allows the breach and says why.
    pub(super) fn allows(&self, rule: &str, index: usize, lines: &[&str]) -> bool {
        let mark = format!("tidy: allow({rule}): ");
        let says = |line: &&str| {
            line.split_once(&mark)
                .is_some_and(|(_, why)| why.len() > 10)
        };
        let above = lines[..index]
            .iter()
            .rev()
            .take_while(|line| line.trim().starts_with("//"));
        lines.get(index).is_some_and(says) || above.into_iter().any(says)
    }
}

/// Whether a whole file is no part of what its crate offers.
fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folders = ["/tests/", "/benches/", "/examples/"];
    folders.iter().any(|folder| path.contains(folder)) || name == "tests.rs"
}

/// A package of the workspace and what it depends on.
#[derive(Debug)]
pub(super) struct Package {
    /// The folder, relative to the root.
    pub(super) folder: String,
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) dev: bool,
    /// It is a room of ours.
    pub(super) ours: bool,
}

/// Everything the rules look at.
#[derive(Debug)]
pub(super) struct House {
    pub(super) files: Vec<SourceFile>,
    pub(super) packages: Vec<Package>,
}

impl House {
    /// Reads the repository.
    ///
    /// # Errors
    /// A file is unreadable, or cargo does not understand the workspace.
    pub(super) fn read() -> Result<Self> {
        let root = shell::root();
        let mut files = Vec::new();
        walk(&root, &root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            files,
            packages: read_packages(&root)?,
        })
    }

    pub(super) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn rust_files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if SKIPPED.contains(&&*entry.file_name().to_string_lossy()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, files)?;
        } else if let Ok(text) = String::from_utf8(fs::read(&path)?) {
            let relative = path.strip_prefix(root).context("outside the root")?;
            files.push(SourceFile::new(&relative.to_string_lossy(), text));
        }
    }
    Ok(())
}

fn read_packages(root: &Path) -> Result<Vec<Package>> {
    let mut metadata = shell::cargo();
    metadata.args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let metadata: Value = serde_json::from_str(&shell::output(&mut metadata)?)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    packages
        .iter()
        .map(|package| read_package(root, package))
        .collect()
}

fn read_package(root: &Path, package: &Value) -> Result<Package> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("not a text");
    let manifest = text(&package["manifest_path"])?;
    let folder = Path::new(&manifest)
        .parent()
        .context("no folder")?
        .strip_prefix(root)?;
    let dependencies = package["dependencies"]
        .as_array()
        .context("no dependencies")?;
    let dependencies = dependencies
        .iter()
        .map(|dependency| {
            Ok(Dependency {
                name: text(&dependency["name"])?,
                dev: dependency["kind"] == "dev",
                ours: dependency["path"].is_string(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(Package {
        folder: folder.to_string_lossy().into_owned(),
        name: text(&package["name"])?,
        dependencies,
    })
}
