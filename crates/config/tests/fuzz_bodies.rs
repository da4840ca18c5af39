//! The fuzz bodies on stable: over the kept corpus, and over seeded mutations of it.

mod bodies;

use tidegate_testkit::fuzz::{Target, explore_kept};

/// What stands in files and on command lines.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\0",
    b"=",
    b"[",
    b"]",
    b"#",
    b";",
    b"\"",
    b"'",
    b"\\",
    b",",
    b"|",
    b"$A",
    b"${A}",
    b"${",
    b"$$",
    b"\n  ",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"type=server",
    b"type=service",
    b"type=listener",
    b"type=monitor",
    b"type=filter",
    b"type=include",
    b"\n@include=",
    b"\nsubstitute_variables=true\n",
    b"module=mariadbmon",
    b"router=readwritesplit",
    b"servers=",
    b"targets=",
    b"cluster=",
    b"filters=",
    b"socket=/x",
    b"99999999999999999999",
    b"-1",
    b"10s",
    b"1500ms",
    b"2Gi",
    b"50%",
    b"/(/",
    b"auto",
    b"--",
    b"-d",
    b"--config=",
    b"-lstdout",
];

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    for (name, body) in bodies::BODIES {
        explore_kept(&Target {
            name,
            body: *body,
            pieces: PIECES,
            cost: if *name == "config_file" { 10 } else { 1 },
        });
    }
}
