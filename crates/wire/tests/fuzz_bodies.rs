//! The fuzz bodies on stable: over the kept corpus, and over seeded mutations of it.

mod bodies;

use std::path::PathBuf;

/// Mutated inputs a body. Coverage-guided fuzzing is a command of its own.
const MUTATIONS: u32 = 20_000;

/// The longest input kept after a mutation.
const MAX_LEN: usize = 4096;

/// A small generator of its own: the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../fuzz/corpus", name]
        .iter()
        .collect();
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Bytes that mean something somewhere in the protocol.
const TELLING: [u8; 16] = [
    0, 1, 2, 3, 5, 7, 8, 9, 0x0c, 0x17, 0x40, 0xfa, 0xfb, 0xfc, 0xfe, 0xff,
];

fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(input.len());
        match random.below(7) {
            0 => input.iter_mut().skip(at).take(1).for_each(|byte| {
                *byte = TELLING[random.below(TELLING.len())];
            }),
            1 => input.iter_mut().skip(at).take(1).for_each(|byte| {
                *byte ^= 1 << random.below(8);
            }),
            2 => input.truncate(at),
            3 => input.insert(at.min(input.len()), TELLING[random.below(TELLING.len())]),
            4 if at < input.len() => drop(input.remove(at)),
            5 => {
                let from = random.below(other.len());
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            _ => input.extend_from_slice(other),
        }
        input.truncate(MAX_LEN);
    }
}

/// Prints the input that a body failed on: it becomes a table test and a file of the corpus.
struct OnPanic<'a>(&'a str, &'a [u8]);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed on {:?}", self.0, self.1);
        }
    }
}

fn run((name, body): &bodies::Body, input: &[u8]) {
    let _printer = OnPanic(name, input);
    body(input);
}

#[test]
fn bodies_hold_over_the_corpus_and_its_mutations() {
    for body in bodies::BODIES {
        let name = body.0;
        let corpus = corpus(name);
        assert!(corpus.len() >= 5, "{name}: {} inputs", corpus.len());
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for input in &corpus {
            run(body, input);
        }
        for _ in 0..MUTATIONS {
            let mut input = corpus[random.below(corpus.len())].clone();
            let other = &corpus[random.below(corpus.len())];
            mutate(&mut input, other, &mut random);
            run(body, &input);
        }
    }
}
