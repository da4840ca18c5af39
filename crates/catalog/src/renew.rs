//! New certificates without a restart: on request, or when their files have changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tidegate_runtime::log::Log;
use tidegate_session::Level;

use crate::catalog::Catalog;
use crate::tls::{self, TlsErrors, TlsSet};

/// How often files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What tells one state of a file from another; `None`: it is not there.
type Stamp = Option<(u64, i64, i64, u64)>;

impl Catalog {
    /// Reads all files that TLS parameters name again. From now on connections are made with what
    /// they hold; open ones go on. Returns what should be known about them.
    ///
    /// # Errors
    /// All that is wrong, each with section and parameter; nothing has changed then.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have had its effect, but never half of it.
    pub async fn reload_tls(self: &Arc<Self>) -> Result<Vec<String>, TlsErrors> {
        let catalog = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let set = TlsSet::build(catalog.config(), catalog.self_made())?;
            catalog.use_tls(&set);
            Ok(set.warnings)
        });
        read.await.unwrap_or_else(|_| {
            Err(TlsErrors::of(
                "a defect in Tidegate: reading TLS files panicked",
            ))
        })
    }

    /// [`Catalog::reload_tls`], with the outcome in the log.
    pub async fn renew_tls(self: &Arc<Self>, log: &Log) {
        match self.reload_tls().await {
            Ok(warnings) => {
                let (listeners, servers) = tls::counts(self.config());
                for warning in warnings {
                    log.say(Level::Warning, warning);
                }
                let text =
                    format!("TLS files read again for {listeners} listeners and {servers} servers");
                log.say(Level::Notice, text);
            }
            Err(errors) => log.say(
                Level::Error,
                format!("TLS files are not used, what was read before stays in force: {errors}"),
            ),
        }
    }
}

/// Renews TLS whenever files have changed, as long as there is a catalogue. A change counts once
/// two looks agree on it, so that a key and a certificate that are replaced one after the other are
/// read together.
pub async fn watch_tls(catalog: Weak<Catalog>, log: Log) {
    let Some(files) = catalog
        .upgrade()
        .map(|catalog| tls::files(catalog.config()))
    else {
        return;
    };
    if files.is_empty() {
        return;
    }
    let mut in_force = look(&files).await;
    let mut seen = in_force.clone();
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        let now = look(&files).await;
        let settled = now == seen;
        seen = now;
        if !settled || seen == in_force {
            continue;
        }
        let Some(catalog) = catalog.upgrade() else {
            return;
        };
        in_force.clone_from(&seen);
        catalog.renew_tls(&log).await;
    }
}

async fn look(files: &[PathBuf]) -> Vec<Stamp> {
    let files = files.to_vec();
    let look = move || files.iter().map(stamp).collect();
    // A look that failed is one at nothing.
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

fn stamp(file: &PathBuf) -> Stamp {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
}
