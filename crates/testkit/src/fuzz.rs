//! Fuzz bodies on a stable toolchain: over a kept corpus, and over seeded mutations of it.
//!
//! A body is a function that panics where something does not hold for some bytes. The same bodies
//! are the targets of the coverage-guided fuzzer, which keeps its corpus in the same place.
//!
//! Left out: guidance by coverage. The invariant: the same corpus gives the same inputs in every
//! run; `TIDEGATE_FUZZ_ROUNDS` sets how many.

use std::fs;
use std::path::{Path, PathBuf};

use crate::count::Count;

/// What to call with any bytes.
pub type Body = fn(&[u8]);

/// A body, and what mutations of its inputs are made with.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Also the name of its folder in the corpus, and of the fuzzer's target.
    pub name: &'static str,
    /// The body.
    pub body: Body,
    /// Pieces that mean something to it.
    pub pieces: &'static [&'static [u8]],
    /// How many times as long as most bodies it takes: it gets as many rounds less.
    pub cost: u64,
}

/// Mutated inputs for a body of cost 1, unless the environment says otherwise.
const ROUNDS: u64 = 20_000;

/// The longest input kept after a mutation.
const MAX_LEN: usize = 4096;

/// Bytes that mean something in most formats.
const TELLING: [u8; 16] = [
    0, 1, 2, 3, 5, 7, 8, 9, 0x0c, 0x17, 0x40, 0xfa, 0xfb, 0xfc, 0xfe, 0xff,
];

/// A small generator: the same seed gives the same numbers.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at a seed; 0 is as good as any.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound.max(1) as u64) as usize
    }

    /// One of them.
    ///
    /// # Panics
    /// There is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// The corpus that is kept for a target, in the order of its files' names.
///
/// # Panics
/// It cannot be read.
#[must_use]
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../fuzz/corpus", name]
        .iter()
        .collect();
    let read =
        |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Runs the body over the corpus that is kept for it, then over mutations of that.
///
/// # Panics
/// Fewer than five inputs are kept, or as [`explore`].
pub fn explore_kept(target: &Target) {
    let inputs = corpus(target.name);
    assert!(
        inputs.len() >= 5,
        "{}: {} inputs",
        target.name,
        inputs.len()
    );
    explore(target, &inputs);
}

/// Runs the body over its corpus, then over mutations of it.
///
/// # Panics
/// The body does; the input is printed, to become a table test and a file of the corpus.
pub fn explore(target: &Target, corpus: &[Vec<u8>]) {
    for input in corpus {
        run(target, input);
    }
    let mut count = Count::of("TIDEGATE_FUZZ_ROUNDS", ROUNDS);
    let mut random = Random::new(1);
    for round in 0..count.total() / target.cost.max(1) {
        run(target, &mutated(corpus, target.pieces, &mut random));
        count.progress(round * target.cost);
    }
}

fn run(target: &Target, input: &[u8]) {
    let _printer = OnPanic(target.name, input);
    (target.body)(input);
}

/// Prints the input that a body failed on.
struct OnPanic<'a>(&'a str, &'a [u8]);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed on b\"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

/// An input of the corpus, changed in a few places.
///
/// # Panics
/// The corpus is empty.
#[must_use]
pub fn mutated(corpus: &[Vec<u8>], pieces: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(corpus).clone();
    for _ in 0..=random.below(5) {
        let other: &Vec<u8> = random.pick(corpus);
        mutate(&mut input, other, pieces, random);
        input.truncate(MAX_LEN);
    }
    input
}

fn mutate(input: &mut Vec<u8>, other: &[u8], pieces: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let byte = if random.below(2) == 0 {
        *random.pick(&TELLING)
    } else {
        random.below(256) as u8
    };
    match random.below(9) {
        0 if at < input.len() => input[at] = byte,
        1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 => input.truncate(at),
        3 => input.insert(at, byte),
        4 => drop(input.drain(at..at + random.below(input.len() - at))),
        5 => {
            let from = random.below(other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        6 => {
            let from = random.below(other.len());
            let len = random.below(other.len() - from + 1);
            input.splice(at..at, other[from..from + len].iter().copied());
        }
        _ if !pieces.is_empty() => {
            input.splice(at..at, random.pick(pieces).iter().copied());
        }
        _ => input.extend_from_slice(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_corpus_gives_the_same_inputs_in_every_run() {
        let corpus = [b"abc".to_vec(), Vec::new(), b"d".to_vec()];
        let inputs = || -> Vec<Vec<u8>> {
            let mut random = Random::new(3);
            (0..200)
                .map(|_| mutated(&corpus, &[b"piece"], &mut random))
                .collect()
        };
        assert_eq!(inputs(), inputs());
        assert!(inputs().iter().any(|input| input.len() > 5));
    }
}
