//! The release binary of the server.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell;

/// Builds it as far as it changed, and says where it is; cargo shows its own progress.
pub(crate) fn build() -> Result<PathBuf> {
    println!("building tidegate (release)");
    build_in(&shell::target_folder()?)
}

/// Builds it in a target folder of its own.
pub(crate) fn build_in(target: &Path) -> Result<PathBuf> {
    let mut cargo = shell::cargo();
    cargo
        .args(["build", "--locked", "--release", "-p", "tidegate"])
        .env("CARGO_TARGET_DIR", target);
    shell::run(&mut cargo)?;
    Ok(target.join("release").join("tidegate"))
}
