//! What a panic outside a session says: where it was, never its own text, which may quote what
//! somebody sent or a configuration holds.

use std::backtrace::Backtrace;

/// From now on panics are told in this way on standard error.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        eprintln!(
            "tidegate: a defect in Tidegate, please report it: panic at {place}, thread {name}\n{}",
            Backtrace::force_capture()
        );
    }));
}
