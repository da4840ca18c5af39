//! `cargo xtask tidy`: the rules of the house that a compiler cannot check.
//!
//! A table of rules, each a function from the house to what is wrong in it. A line that has to
//! break a rule says so itself, with the reason:
//! `// tidy: allow(rule): why it is right here`, on the line or the one above.

mod house;
mod manifests;
mod rooms;
mod sources;
mod view;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::args::Args;
use crate::verdict;
use house::{Finding, House};

/// The task's help.
pub(crate) const HELP: &str = "\
the rules a compiler cannot check: who imports whom, purity, unsafe, tests' manners, sizes";

/// One rule.
struct Rule {
    name: &'static str,
    /// Said once above what was found.
    why: &'static str,
    check: fn(&House) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "rooms",
        why: "imports go up the table of rooms only (ARCHITECTURE.md, xtask/src/tidy/rooms.rs)",
        check: rooms::check,
    },
    Rule {
        name: "manifests",
        why: "versions and lints stand in the root manifest, once",
        check: manifests::check,
    },
    Rule {
        name: "ground-dependencies",
        why: "the ground floor is pure: no runtime, socket, clock, random source or serializer",
        check: manifests::check_ground,
    },
    Rule {
        name: "pure",
        why: "the ground floor has no socket, file, thread, clock, global or random order",
        check: sources::check_pure,
    },
    Rule {
        name: "ground-lints",
        why: "bytes from outside never panic: the lints stand in each ground-floor lib.rs",
        check: sources::check_ground_lints,
    },
    Rule {
        name: "doors",
        why: "lib.rs is doc, modules and re-exports; logic lives in modules",
        check: sources::check_doors,
    },
    Rule {
        name: "unsafe",
        why: "unsafe code stands in one reviewed module",
        check: sources::check_unsafe,
    },
    Rule {
        name: "sleep",
        why: "a test waits for the thing itself, with a deadline",
        check: sources::check_sleep,
    },
    Rule {
        name: "ports",
        why: "a test asks for a free port",
        check: sources::check_ports,
    },
    Rule {
        name: "ignore",
        why: "a test that is switched off says why",
        check: sources::check_ignore,
    },
    Rule {
        name: "later",
        why: "what is left for later is an issue, not a comment",
        check: sources::check_later,
    },
    Rule {
        name: "sizes",
        why: "a file holds one concern",
        check: sources::check_sizes,
    },
    Rule {
        name: "places",
        why: "texts do not speak of one machine",
        check: sources::check_places,
    },
    Rule {
        name: "texts",
        why: "a newcomer finds these at the root",
        check: sources::check_texts,
    },
];

/// The task.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    args.finish()?;
    let start = Instant::now();
    let house = House::read()?;
    let mut failed = 0;
    for rule in RULES {
        let findings = (rule.check)(&house);
        if findings.is_empty() {
            continue;
        }
        failed += 1;
        println!("{}: {}", rule.name, rule.why);
        findings.iter().for_each(|finding| println!("  {finding}"));
    }
    println!(
        "{} files in {} ms",
        house.files.len(),
        start.elapsed().as_millis()
    );
    println!("{} passed, {failed} failed", RULES.len() - failed);
    Ok(verdict(failed as u64))
}
