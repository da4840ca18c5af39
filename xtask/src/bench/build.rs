//! How long a cold build of the release binary takes, and how large it is.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::Settings;
use super::report::{Bar, Row};
use crate::{release, shell};

const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn run(_: &Settings) -> Result<Vec<Row>> {
    let target = tempfile::Builder::new()
        .prefix("tidegate-build-")
        .tempdir()
        .context("no temporary folder")?;
    // What has to be downloaded is not what is measured.
    shell::run(shell::cargo().args(["fetch", "--locked"]))?;
    let start = Instant::now();
    let binary = release::build_in(target.path())?;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let size = fs::metadata(&binary)
        .with_context(|| format!("no {}", binary.display()))?
        .len();
    Ok(vec![
        Row::once(
            "cold build of the release binary",
            "min",
            minutes,
            Some(Bar::AtMost(5.0)),
        ),
        Row::once(
            "stripped release binary",
            "MiB",
            size as f64 / MIB,
            Some(Bar::AtMost(20.0)),
        ),
    ])
}
