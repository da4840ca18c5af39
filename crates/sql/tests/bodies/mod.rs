//! What must hold for any statement text at all: the bodies of the fuzz targets, which stable tests
//! run too. The first byte of an input stands for the modes, the rest is the text.

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
pub(crate) fn classification(data: &[u8]) {
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
pub(crate) fn canonical_form(data: &[u8]) {
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
pub(crate) fn cache(data: &[u8]) {
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
pub(crate) fn hint(data: &[u8]) {
    let (modes, text) = split(data);
    let mut stack = HintStack::default();
    for comment in [hints::find(text, modes), Some(text)].into_iter().flatten() {
        if let Ok(Some(directive)) = hints::parse(comment) {
            let _ = stack.apply(directive);
        }
    }
    assert!(stack.pushed().len() <= hints::MAX_PUSHED);
}

/// A body with its name, which is its target's.
pub(crate) type Body = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const BODIES: &[Body] = &[
    ("sql_classify", classification),
    ("sql_canonical", canonical_form),
    ("sql_cache", cache),
    ("sql_hints", hint),
];
