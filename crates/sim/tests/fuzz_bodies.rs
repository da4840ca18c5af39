//! The fuzz bodies on stable: over the kept corpus, and over seeded mutations of it.

mod bodies;

use tidegate_testkit::fuzz::{Target, corpus, explore};

/// Steps that bring a session on: a connection that comes up and is served, statements, answers.
const PIECES: &[&[u8]] = &[
    b"\x06\x00\x07\x00",
    b"\x08\x00\x09\x00\x09\x00\x09\x00",
    b"\x08\x01\x09\x01\x09\x01\x09\x01",
    b"\x08\x02\x09\x02\x09\x02\x09\x02",
    b"\x09\x00\x09\x01\x09\x02",
    b"\x09\x08\x09\x09\x09\x0a",
    b"\x09\x10\x09\x11\x09\x12",
    b"\x03\x00",
    b"\x03\x03",
    b"\x03\x06",
    b"\x03\x08",
    b"\x03\x0c",
    b"\x03\x14",
    b"\x04\x00",
    b"\x04\x0a",
    b"\x04\x0f",
    b"\x05\x11",
    b"\x05\x1f\x00",
    b"\x0f\x20",
    b"\x0c\x1b",
];

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    let scripts = corpus("session_script");
    let frozen: Vec<Vec<u8>> = scripts
        .iter()
        .filter_map(|script| bodies::frozen(script))
        .collect();
    assert!(frozen.len() >= 5, "{} scripts end at rest", frozen.len());
    for (name, body) in bodies::BODIES {
        let inputs = match *name {
            "session_thaw" => &frozen,
            _ => &scripts,
        };
        let target = Target {
            name,
            body: *body,
            pieces: PIECES,
            cost: 1,
        };
        explore(&target, inputs);
    }
}
