//! The fuzz bodies: what must hold for any bytes at all. A coverage-guided fuzzer can call them;
//! the tests here run them over the kept corpus (every text of the golden cases, and pieces that
//! once were trouble) and over seeded mutations of it.

use tidegate_sql::hints::{self, HintStack};
use tidegate_sql::{
    Cache, Modes, Multibyte, TempTables, TrxTracker, TypeMask, canonical, classify, classify_head,
    digest,
};

/// The modes that the first byte of an input stands for, and the text behind it.
fn split(data: &[u8]) -> (Modes, &[u8]) {
    let (&first, text) = data.split_first().unwrap_or((&0, &[]));
    let sets = [
        Multibyte::None,
        Multibyte::Gbk,
        Multibyte::Gb18030,
        Multibyte::Sjis,
        Multibyte::Big5,
    ];
    let modes = Modes {
        ansi_quotes: first & 1 != 0,
        no_backslash_escapes: first & 2 != 0,
        oracle: first & 4 != 0,
        mysql_family: first & 8 != 0,
        multibyte: sets[usize::from(first >> 4) % sets.len()],
    };
    (modes, text)
}

/// Classification ends, always with a class, and the rest agrees with the mask.
pub fn classification(data: &[u8]) {
    let (modes, text) = split(data);
    let statement = classify(text, modes);
    assert!(!statement.mask.is_empty(), "a text has a class");
    assert_eq!(statement.multi, statement.parts.len() > 1);
    assert!(
        !statement.mask.contains(TypeMask::UNKNOWN) || statement.mask == TypeMask::UNKNOWN,
        "nothing is known, or something is"
    );
    let head = classify_head(text, modes);
    let unsure = TypeMask::WRITE | TypeMask::UNKNOWN;
    assert_eq!(statement.mask - unsure, head.mask - unsure);
    let mut tracker = TrxTracker::new();
    tracker.predict(&statement);
    tracker.correct(0x0002);
    assert!(!tracker.is_open(), "the status word has the last word");
    let mut temporary = TempTables::default();
    temporary.follow(&statement, Some(b"test"));
    assert!(
        temporary
            .mask_of(&statement, Some(b"test"))
            .contains(statement.mask)
    );
    let _ = modes.after(&statement);
}

/// The canonical form is a fixed point, and a cacheable class depends on it alone.
pub fn canonical_form(data: &[u8]) {
    let (modes, text) = split(data);
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    canonical(text, modes, &mut once);
    canonical(&once, modes, &mut twice);
    assert_eq!(once, twice, "making it twice changes nothing");
    assert_eq!(digest(&once), digest(&twice));
    let own = classify(text, modes);
    if own.cacheable {
        assert_eq!(classify(&once, modes).mask, own.mask);
        assert_eq!(classify(&once, modes), own);
    }
}

/// A cache answers as if it were not there, and keeps within its limit.
pub fn cache(data: &[u8]) {
    let mut cache = Cache::new(4096);
    for piece in data.split(|byte| *byte == b'\0') {
        let (modes, text) = split(piece);
        for _ in 0..2 {
            assert_eq!(*cache.classify(text, modes), classify(text, modes));
        }
        assert!(cache.stats().size <= 4096);
    }
}

/// Hints are found, read and followed without harm.
pub fn hint(data: &[u8]) {
    let (modes, text) = split(data);
    let mut stack = HintStack::default();
    for comment in [hints::find(text, modes), Some(text)].into_iter().flatten() {
        if let Ok(Some(directive)) = hints::parse(comment) {
            let _ = stack.apply(directive);
        }
    }
    assert!(stack.pushed().len() <= hints::MAX_PUSHED);
}

/// What to call with any bytes; it panics where something does not hold.
type Body = fn(&[u8]);

const BODIES: &[(&str, Body)] = &[
    ("classification", classification),
    ("canonical form", canonical_form),
    ("cache", cache),
    ("hint", hint),
];

const CASES: &[&str] = &[
    include_str!("../cases/a-plain-reads.txt"),
    include_str!("../cases/b-changes-and-locking-reads.txt"),
    include_str!("../cases/c-definitions-and-accounts.txt"),
    include_str!("../cases/d-session-state.txt"),
    include_str!("../cases/e-transactions.txt"),
    include_str!("../cases/f-xa.txt"),
    include_str!("../cases/g-temporary-tables.txt"),
    include_str!("../cases/h-text-prepared-statements.txt"),
    include_str!("../cases/i-functions.txt"),
    include_str!("../cases/j-sequences.txt"),
    include_str!("../cases/k-locks-and-administration.txt"),
    include_str!("../cases/l-show-and-explain.txt"),
    include_str!("../cases/m-several-statements.txt"),
    include_str!("../cases/n-comments.txt"),
    include_str!("../cases/o-quoting-and-names.txt"),
    include_str!("../cases/p-hints.txt"),
    include_str!("../cases/q-sql-mode-oracle.txt"),
];

/// Pieces that mutations are made with.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "/*",
    "*/",
    "/*!",
    "/*!50000",
    "/*!999999",
    "/*M!",
    "-- ",
    "--",
    "#",
    "\n",
    ";",
    "(",
    ")",
    ",",
    ".",
    "@",
    "@@",
    ":=",
    "?",
    "0x41",
    "1e5",
    "x'41'",
    "N'a'",
    "_utf8",
    "DATE ",
    "\u{a0}",
    "\u{bf}",
    "\0",
    "SELECT ",
    "SET ",
    "FOR UPDATE",
    "WITH a AS (",
    "BEGIN ",
    "END",
    "CASE ",
    "CREATE TEMPORARY TABLE ",
    "PREPARE s FROM '",
    "maxscale route to ",
    "=",
];

fn corpus() -> Vec<Vec<u8>> {
    let texts = CASES
        .iter()
        .flat_map(|cases| cases.lines())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.splitn(5, " | ").nth(4));
    let mut corpus: Vec<Vec<u8>> = texts
        .map(|text| [b"\0", text.as_bytes()].concat())
        .collect();
    corpus.extend(include_str!("corpus.txt").lines().map(|line| {
        let (modes, text) = line.split_once(' ').expect("modes and a text");
        [&[modes.parse().expect("modes")], text.as_bytes()].concat()
    }));
    corpus
}

/// A small generator: the same seed gives the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut data = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(data.len() + 1);
            match self.below(6) {
                0 => data.truncate(at),
                1 if at < data.len() => data[at] = self.below(256) as u8,
                2 if at < data.len() => {
                    let end = at + self.below(data.len() - at);
                    data.drain(at..end);
                }
                3 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len());
                    data.splice(at..at, other[from..].iter().copied());
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    data.splice(at..at, piece.bytes());
                }
            }
        }
        data
    }
}

fn run(name: &str, body: Body, data: &[u8]) {
    let result = std::panic::catch_unwind(|| body(data));
    if result.is_err() {
        panic!("{name} fails for {:?}", data.escape_ascii().to_string());
    }
}

#[test]
fn the_kept_corpus() {
    for data in corpus() {
        for (name, body) in BODIES {
            run(name, *body, &data);
        }
    }
}

#[test]
fn seeded_mutations() {
    let corpus = corpus();
    let rounds = std::env::var("TIDEGATE_FUZZ_ROUNDS");
    let rounds: u32 = rounds
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000);
    let mut random = Random(0x5DEE_CE66_D1CE_CAFE);
    for _ in 0..rounds {
        let data = random.mutate(&corpus);
        for (name, body) in BODIES {
            run(name, *body, &data);
        }
    }
}
