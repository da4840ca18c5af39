//! The fuzz bodies on stable: over the kept corpus, and over seeded mutations of it.

mod bodies;

use tidegate_testkit::fuzz::{Target, explore_kept};

/// What stands in query strings and bodies.
const PIECES: &[&[u8]] = &[
    b"&",
    b"=",
    b"filter=",
    b"filter[$.",
    b"]=",
    b"eq(",
    b"not(",
    b"and(",
    b"or(",
    b")",
    b",",
    b"\"",
    b"['a']",
    b"[*]",
    b".*",
    b"[0,2]",
    b"/attributes/idle",
    b"page[size]=",
    b"page[number]=",
    b"18446744073709551615",
    b"-1",
    b"1e999",
    b"fields[sessions]=",
    b"%5B",
    b"%",
    b"+",
    b"{\"data\":",
    b"{\"relationships\":",
    b"{\"id\":\"a\"}",
    b"[",
    b"]",
    b"{",
    b"}",
    b"null",
    b"\\u0000",
];

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    for (name, body) in bodies::BODIES {
        explore_kept(&Target {
            name,
            body: *body,
            pieces: PIECES,
            cost: 1,
        });
    }
}
