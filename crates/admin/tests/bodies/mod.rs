//! What must hold for any bytes that come to the REST interface's port, before the HTTP library sees
//! them: the body of the fuzz target, which a stable test runs too.

#[path = "../../src/http/sanitise.rs"]
mod sanitise;

use sanitise::Sanitiser;

/// A body with its name, which is its target's and its corpus folder's.
pub(crate) type Body = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Body] = &[("admin_request", request)];

fn sanitised<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut sanitiser = Sanitiser::new();
    let mut out = Vec::new();
    for piece in pieces {
        sanitiser.feed(piece, &mut out);
    }
    out
}

/// Requests are the same wherever they are cut, and what needs no change gets none.
pub(crate) fn request(data: &[u8]) {
    let whole = sanitised(std::iter::once(data));
    assert_eq!(sanitised(data.chunks(1)), whole);
    assert_eq!(sanitised(data.chunks(7)), whole);
    assert_eq!(sanitised(whole.chunks(5)), whole);
    assert!((data.len()..=3 * data.len()).contains(&whole.len()));
}
