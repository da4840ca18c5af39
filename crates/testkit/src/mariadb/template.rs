//! A fresh data folder, made once per server version and copied for each server.
//!
//! Kept in cargo's own target folder, if the running program lies in one, so that `cargo clean`
//! removes it. It has no account that anybody could log in with: a server's first start makes
//! those.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{options, program};
use crate::scratch::Scratch;

/// Part of the copy's name; counted up when the way it is made changes.
const LAYOUT: u32 = 1;

/// Copies a fresh data folder to `target`, which must not exist.
pub(super) fn copy_to(target: &Path) -> Result<()> {
    let Some(cache) = cache_folder() else {
        return make(target);
    };
    let template = cache.join(format!("datadir-{}-{LAYOUT}", version()?));
    // A target folder that belongs to somebody else is no place to keep things.
    let lock =
        fs::create_dir_all(&cache).and_then(|()| File::create(template.with_extension("lock")));
    let Ok(lock) = lock else {
        return make(target);
    };
    lock.lock()?;
    if !template.exists() {
        // Made beside it and then renamed: a copy that was cut short is never taken for whole.
        let partial = template.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        make(&partial)?;
        fs::rename(&partial, &template)?;
    }
    drop(lock);
    copy_folder(&template, target)
}

/// The folder that holds the running program's build, if cargo built it.
fn cache_folder() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())?;
    Some(target.join("testkit"))
}

/// The server's version as part of a file name.
fn version() -> Result<String> {
    let output =
        program::run(Command::new(program::server()?).args(["--no-defaults", "--version"]))?;
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

/// Lets the server's own script make a data folder, as an unprivileged user.
fn make(target: &Path) -> Result<()> {
    let scratch = Scratch::new("tidegate-install")?;
    // Its own, because a server that starts removes what lies in the common one.
    let temporary = scratch.folder("tmp")?;
    let text = format!(
        "[mariadbd]\ntmpdir={}\n{}",
        temporary.display(),
        options::SIZES
    );
    let options = scratch.write("my.cnf", &text)?;
    let data = scratch.folder("data")?;
    let mut install = Command::new(program::find_program(&[
        "mariadb-install-db",
        "mysql_install_db",
    ])?);
    scratch.disguise(&mut install);
    install
        .arg(format!("--defaults-file={}", options.display()))
        .arg(format!("--datadir={}", data.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .args(["--skip-name-resolve"])
        .current_dir(scratch.path());
    program::run(&mut install).context("cannot make a data folder")?;
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
