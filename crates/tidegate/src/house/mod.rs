//! The running objects as the REST interface sees them.
//!
//! One file for each kind of object; each turns what the catalogue holds into plain views.

mod control;
mod diagnostics;
mod insight;
mod json;
mod load;
mod objects;
mod process;
mod route;
mod servers;
mod services;
mod sessions;

use std::sync::Arc;
use std::time::SystemTime;

use tidegate_catalog::Catalog;
use tidegate_keys::Keys;
use tidegate_runtime::log::Log;

use self::load::Load;

/// The house, live.
#[derive(Debug)]
pub(crate) struct Live {
    catalog: Arc<Catalog>,
    keys: Arc<Keys>,
    started: SystemTime,
    load: Arc<Load>,
    log: Log,
}

impl Live {
    /// Must be called on the control plane's runtime.
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        keys: Arc<Keys>,
        started: SystemTime,
        log: Log,
    ) -> Live {
        let load = Load::watch(catalog.runtime());
        Live {
            catalog,
            keys,
            started,
            load,
            log,
        }
    }
}
