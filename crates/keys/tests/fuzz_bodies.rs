//! The fuzz bodies on stable: over the kept corpus, and over seeded mutations of it.

mod bodies;

use tidegate_testkit::fuzz::{Target, explore_kept};

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    for (name, body) in bodies::BODIES {
        explore_kept(&Target {
            name,
            body: *body,
            pieces: &[],
            cost: 1,
        });
    }
}
