//! Limits that the system sets, and those that the process sets itself.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use tidegate_runtime::log::Log;
use tidegate_session::Level;

/// Fewer descriptors than this are few for a proxy: a session needs one and one for each server.
const FEW_DESCRIPTORS: u64 = 4096;

/// Raises the limit of open descriptors as far as the process may.
pub(crate) fn open_files(log: &Log) {
    match tidegate_runtime::raise_descriptor_limit() {
        Ok(limit) if limit < FEW_DESCRIPTORS => log.say(
            Level::Warning,
            format!(
                "only {limit} descriptors may be open, one for each client and each connection to a server: raise the limit (LimitNOFILE, ulimit -n)"
            ),
        ),
        Ok(limit) => log.say(Level::Notice, format!("{limit} descriptors may be open")),
        Err(error) => log.say(
            Level::Warning,
            format!("cannot raise the limit of open descriptors: {error}"),
        ),
    }
}

/// Lets a crash leave a core file, or sees to it that none is left and nobody without the rights
/// of an administrator looks into the process: its memory holds passwords.
pub(crate) fn core_file(wanted: bool, log: &Log) {
    let mut limit = getrlimit(Resource::Core);
    if wanted && limit.maximum == Some(0) {
        log.say(
            Level::Warning,
            "no core file can be written, whatever core_file says: the system's limit for them is 0 (LimitCORE, ulimit -Hc)",
        );
    }
    limit.current = limit.maximum;
    let result = if wanted {
        setrlimit(Resource::Core, limit)
            .and_then(|()| set_dumpable_behavior(DumpableBehavior::Dumpable))
    } else {
        no_core_file()
    };
    if let Err(error) = result {
        let text = format!("cannot decide about core files (core_file): {error}");
        log.say(Level::Warning, text);
    }
}

/// Sees to it that no core file is left, and that nobody without the rights of an administrator looks into
/// the process.
pub(crate) fn no_core_file() -> rustix::io::Result<()> {
    let limit = Rlimit {
        current: Some(0),
        ..getrlimit(Resource::Core)
    };
    setrlimit(Resource::Core, limit)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
