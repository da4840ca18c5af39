//! The fuzz bodies on stable: over the kept corpus, and over seeded mutations of it.

mod bodies;

use tidegate_testkit::fuzz::{Target, corpus, explore};

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    for (name, body) in bodies::BODIES {
        let corpus = corpus(name);
        assert!(corpus.len() >= 5, "{name}: {} inputs", corpus.len());
        let target = Target {
            name,
            body: *body,
            pieces: &[],
            cost: 1,
        };
        explore(&target, &corpus);
    }
}
