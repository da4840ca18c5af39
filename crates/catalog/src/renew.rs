//! New certificates and mapping files without a restart: on request, or when files have changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tidegate_config::Config;
use tidegate_runtime::log::Log;
use tidegate_session::Level;

use crate::catalog::Catalog;
use crate::mapped;
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
    async fn renew_tls(self: &Arc<Self>, log: &Log) {
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

    /// Reads the files again that say who clients are to servers, for logins that begin from now on,
    /// with the outcome in the log.
    async fn renew_mapped(self: &Arc<Self>, log: &Log) {
        let catalog = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || catalog.logins().renew(catalog.config()));
        match read.await {
            Ok(Ok(0)) => {}
            Ok(Ok(listeners)) => {
                let text = format!("mapping files read again for {listeners} listeners");
                log.say(Level::Notice, text);
            }
            Ok(Err(errors)) => log.say(
                Level::Error,
                format!(
                    "mapping files are not used, what was read before stays in force: {errors}"
                ),
            ),
            Err(_) => {
                let text = "a defect in Tidegate: reading mapping files panicked";
                log.say(Level::Error, text.to_owned());
            }
        }
    }

    /// Reads everything again that can be: certificates, keys, mapping files.
    ///
    /// # Cancel safety
    /// As [`Catalog::reload_tls`], of each kind of files.
    pub async fn renew_files(self: &Arc<Self>, log: &Log) {
        self.renew_tls(log).await;
        self.renew_mapped(log).await;
    }
}

/// What is read again when its files have changed.
#[derive(Clone, Copy)]
enum Watched {
    /// Certificates and keys.
    Tls,
    /// Who clients are to servers.
    Mapped,
}

impl Watched {
    fn files(self, config: &Config) -> Vec<PathBuf> {
        match self {
            Self::Tls => tls::files(config),
            Self::Mapped => mapped::files(config),
        }
    }

    async fn renew(self, catalog: &Arc<Catalog>, log: &Log) {
        match self {
            Self::Tls => catalog.renew_tls(log).await,
            Self::Mapped => catalog.renew_mapped(log).await,
        }
    }
}

/// Reads files again whenever they have changed, as long as there is a catalogue.
pub async fn watch_files(catalog: Weak<Catalog>, log: Log) {
    tokio::join!(
        watch(Watched::Tls, catalog.clone(), &log),
        watch(Watched::Mapped, catalog, &log),
    );
}

/// A change counts once two looks agree on it, so that files that are replaced one after the other
/// are read together.
async fn watch(what: Watched, catalog: Weak<Catalog>, log: &Log) {
    let Some(files) = catalog
        .upgrade()
        .map(|catalog| what.files(catalog.config()))
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
        what.renew(&catalog, log).await;
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
