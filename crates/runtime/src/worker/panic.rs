//! Panics stay inside the session that they happen in.
//!
//! The report names the place and the way there, never the panic's own text: that may hold what a
//! client sent.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Is a panic on this thread going to be caught by [`catch`]?
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Catch>> = const { RefCell::new(None) };
}

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catch {
    place: String,
    backtrace: String,
}

impl std::fmt::Display for Catch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "panic at {}; backtrace: {}", self.place, self.backtrace)
    }
}

/// Makes the process's panic hook remember caught panics instead of printing them. All others go
/// to the hook that was there before.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                remember(info);
            } else {
                before(info);
            }
        }));
    });
}

/// Calls `call`; a panic in it comes back as a value.
#[inline]
pub(crate) fn catch<R>(call: impl FnOnce() -> R) -> Result<R, Catch> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(outer);
    result.map_err(|payload| {
        // Dropping a payload may panic in its turn; it is small, and this is rare.
        std::mem::forget(payload);
        LAST.take().unwrap_or_else(|| Catch {
            place: "an unknown place".into(),
            backtrace: String::new(),
        })
    })
}

fn remember(info: &PanicHookInfo<'_>) {
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let backtrace = Backtrace::force_capture().to_string();
    let frames = backtrace
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("tidegate"));
    let backtrace = frames.collect::<Vec<_>>().join(" | ");
    LAST.set(Some(Catch { place, backtrace }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_not_what() {
        install_hook();
        let secret = "hunter2";
        let caught = catch(|| panic!("bad password {secret}")).unwrap_err();
        let text = caught.to_string();
        assert!(text.contains("panic.rs:"), "{text}");
        assert!(text.contains("says_where_and_not_what"), "{text}");
        assert!(!text.contains(secret), "{text}");
    }

    #[test]
    fn a_value_comes_back() {
        assert_eq!(catch(|| 5), Ok(5));
    }
}
