//! Directories of `[maxscale]`. They count only in the main file.

use std::path::PathBuf;

use crate::declare::{optional_path, path};

crate::params! {
    /// Where the server keeps and finds its files.
    pub struct DirectoryParams {
        /// Directory of the log file, and of the audit file unless that says otherwise.
        logdir: PathBuf = path("/var/log/maxscale"),
        /// Directory of module data, `.secrets`, the users of the REST interface and journals.
        datadir: PathBuf = path("/var/lib/maxscale"),
        /// Directory in which `.secrets` is looked for. Without it: `datadir`.
        secretsdir: Option<PathBuf> = optional_path(),
        /// Directory of runtime changes; not for files written by hand.
        persistdir: PathBuf = path("/var/lib/maxscale/maxscale.cnf.d/"),
        /// Base of every relative path that a module's parameter holds.
        module_configdir: PathBuf = path("/etc/maxscale.modules.d/"),
        /// Directory of the file with the process id.
        piddir: PathBuf = path("/var/run/maxscale"),
        /// Directory of the web application, in `gui/` below it.
        sharedir: PathBuf = path("/usr/share/maxscale").ignored(),
        /// Directory of caches. Shown, not used.
        cachedir: PathBuf = path("/var/cache/maxscale").ignored(),
        /// Directory of loadable modules. Shown, not used: all modules are built in.
        libdir: PathBuf = path("/usr/lib/maxscale").ignored(),
        /// Directory of helper programs. Shown, not used.
        execdir: PathBuf = path("/usr/bin").ignored(),
        /// Directory of connector plugins. Shown, not used.
        connector_plugindir: PathBuf = path("/usr/lib/maxscale/plugin").ignored(),
        /// Directory of message translations. Shown, not used.
        language: PathBuf = path("/var/lib/maxscale").ignored(),
    }
}
