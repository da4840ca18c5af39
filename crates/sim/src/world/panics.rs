//! Panics inside the core are caught as a worker catches them, and say where they came from.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                LAST.set(info.to_string());
            } else {
                before(info);
            }
        }));
    });
}

/// Calls `call`; a panic in it comes back as what it said.
pub(super) fn guard<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    install_hook();
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(false);
    result.map_err(|_| LAST.take())
}
