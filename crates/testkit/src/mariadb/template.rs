//! A fresh data folder, made once per server version and copied for each server.
//!
//! Kept in cargo's own target folder, if the running program lies in one, so that `cargo clean`
//! removes it. It has no account that anybody could log in with: a server's first start makes
//! those.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::product::{self, Product};
use super::program;
use crate::scratch::Scratch;

/// Part of the copy's name; counted up when the way it is made changes.
const LAYOUT: u32 = 1;

/// Copies a fresh data folder to `target`, which must not exist.
pub(super) fn copy_to(product: Product, target: &Path) -> Result<()> {
    let Ok(cache) = product::target_folder().map(|target| target.join("testkit")) else {
        return make(product, target);
    };
    let template = cache.join(format!("datadir-{}-{LAYOUT}", version(product)?));
    // A target folder that belongs to somebody else is no place to keep things.
    let lock =
        fs::create_dir_all(&cache).and_then(|()| File::create(template.with_extension("lock")));
    let Ok(lock) = lock else {
        return make(product, target);
    };
    lock.lock()?;
    if !template.exists() {
        // Made beside it and then renamed: a copy that was cut short is never taken for whole.
        let partial = template.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        make(product, &partial)?;
        fs::rename(&partial, &template)?;
    }
    drop(lock);
    copy_folder(&template, target)
}

/// The server's version as part of a file name.
fn version(product: Product) -> Result<String> {
    let output =
        program::run(Command::new(product.server()?).args(["--no-defaults", "--version"]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .split_once("Ver ")
        .map_or(&*text, |(_, version)| version);
    let version = version.split_whitespace().next().unwrap_or("unknown");
    Ok(version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect())
}

/// Has the product make a data folder, as an unprivileged user.
fn make(product: Product, target: &Path) -> Result<()> {
    let scratch = Scratch::new("tidegate-install")?;
    let data = scratch.folder("data")?;
    product.make_data(&scratch, &data)?;
    copy_folder(&data, target)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}
