//! A planted panic.

use tidegate_session::filter::Verdict;
use tidegate_session::request::Request;

/// Panics when a statement has `BOMB`, with the statement in the panic's text.
pub fn bomb(request: &Request<'_>) -> Verdict {
    let text = String::from_utf8_lossy(request.payload);
    assert!(!text.contains("BOMB"), "a planted panic: {text}");
    Verdict::Pass
}
