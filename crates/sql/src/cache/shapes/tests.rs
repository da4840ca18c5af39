use proptest::prelude::*;

use super::*;
use crate::canonical::canonical;
use crate::classify::classify;

const MODES: Modes = Modes {
    ansi_quotes: false,
    no_backslash_escapes: false,
    oracle: false,
    mysql_family: false,
    multibyte: Multibyte::None,
};

/// Looks a text up, and keeps it under that place if the table likes.
fn turn(table: &mut Shapes, text: &str, index: u32) -> Known {
    let known = table.find(text.as_bytes(), MODES);
    if let Known::Unknown(hash) = known {
        let place = Place { index, serial: 0 };
        table.remember(hash, text.as_bytes(), MODES, place);
    }
    known
}

fn is_known(known: Known) -> bool {
    matches!(known, Known::At(..))
}

fn shape(text: &[u8], modes: Modes) -> Option<Shape> {
    let mut shape = Shape::default();
    shape.take(text, modes).then_some(shape)
}

fn fits(text: &str, other: &str) -> bool {
    shape(text.as_bytes(), MODES).is_some_and(|shape| shape.fits(other.as_bytes()))
}

#[test]
fn plain_literals_are_holes() {
    for (text, other) in [
        ("SELECT 1", "SELECT 23"),
        (
            "SELECT a FROM t WHERE b=1 AND c='x'",
            "SELECT a FROM t WHERE b=22 AND c=''",
        ),
        ("SELECT \"a\", 'b'", "SELECT \"it's\", 'say \"b\"'"),
        (
            "INSERT INTO t VALUES (1,2,'a')",
            "INSERT INTO t VALUES (10,20,'/* a')",
        ),
        ("SELECT `a1` FROM t", "SELECT `a1` FROM t"),
        ("SELECT 'a'1, \"b\"'c'", "SELECT ''22, \"'\"''"),
        ("SELECT 0x41, 1.5, 'it''s'", "SELECT 0x41, 1.5, 'it''s'"),
    ] {
        assert!(fits(text, other), "{text} / {other}");
        assert!(fits(text, text), "{text}");
    }
}

#[test]
fn everything_else_must_be_equal() {
    for (text, other) in [
        ("SELECT 1", "SELECT "),
        ("SELECT 1", "SELECT a"),
        ("SELECT 1", "SELECT 1.5"),
        ("SELECT 1", "SELECT 1e5"),
        ("SELECT 1", "SELECT 0x1"),
        ("SELECT 1", "SELECT -1"),
        ("SELECT 1", "select 1"),
        ("SELECT 1 ", "SELECT 1  "),
        ("SELECT 'a'", "SELECT 'a''b'"),
        ("SELECT 'a'", "SELECT 'a\\'b'"),
        ("SELECT 'a'", "SELECT 'a"),
        ("SELECT 'a'", "SELECT 'a' 'b'"),
        ("SELECT 'a'", "SELECT 'a', SLEEP('1')"),
        ("SELECT t1.a", "SELECT t2.a"),
        ("SELECT 1.5", "SELECT 2.5"),
        ("SELECT @1", "SELECT @2"),
        ("SELECT `1`", "SELECT `2`"),
        ("SELECT a -- 1", "SELECT a -- 2"),
    ] {
        assert!(!fits(text, other), "{text} / {other}");
    }
}

#[test]
fn code_in_comments_has_no_shape() {
    assert!(shape(b"SELECT /*!50101 1 */ 'a'", MODES).is_none());
    assert!(shape(b"SELECT 'a", MODES).is_none());
}

#[test]
fn a_text_is_known_under_its_own_modes_only() {
    let mut table = Shapes::new(1 << 20);
    for _ in 0..LEARN {
        turn(&mut table, "SELECT 1", 7);
    }
    let place = Place {
        index: 7,
        serial: 0,
    };
    assert!(matches!(turn(&mut table, "SELECT 1", 7), Known::At(at, _) if at == place));
    let oracle = Modes {
        oracle: true,
        ..MODES
    };
    assert!(!is_known(table.find(b"SELECT 1", oracle)));
    assert!(!is_known(table.find(b"SELECT a", MODES)));
}

#[test]
fn texts_that_never_come_again_are_soon_let_alone_and_noticed_when_they_do() {
    let mut table = Shapes::new(1 << 20);
    let learnt = (0..2000)
        .filter(|number| turn(&mut table, &format!("SELECT a{number}"), 0) != Known::Skipped)
        .count();
    let most = MAX_CREDIT / LEARN + 2000 / SAMPLE + 1;
    assert!(learnt <= most as usize, "{learnt}");
    let found = (0..2000)
        .filter(|number| is_known(turn(&mut table, &format!("SELECT again, {number}"), 0)))
        .count();
    assert!(found > 2000 - 4 * SAMPLE as usize, "{found}");
}

#[test]
fn a_text_that_is_in_use_stays_where_others_come_once() {
    let mut table = Shapes::new(1 << 20);
    let mut found = 0;
    for number in 0..4000 {
        found += usize::from(is_known(turn(&mut table, "SELECT popular", 0)));
        turn(&mut table, &format!("SELECT a{number}"), 0);
    }
    assert!(found > 3900, "{found}");
}

#[test]
fn memory_stays_within_what_is_reserved() {
    let mut table = Shapes::new(1 << 16);
    assert!(table.reserved_bytes() <= 1 << 16);
    for number in 0..5000 {
        table.credit = MAX_CREDIT;
        let text = format!("SELECT {number}{}", ",1".repeat(number * 7 % 700));
        turn(&mut table, &text, 0);
    }
    let of = |shape: &Shape| shape.text.capacity() + shape.holes.capacity() * size_of::<Hole>();
    let texts: usize = table.slots.iter().map(of).sum();
    assert!(texts + size_of_val(&*table.slots) <= table.reserved_bytes());
}

#[test]
fn with_little_memory_nothing_is_kept() {
    let mut table = Shapes::new(500);
    for _ in 0..20 {
        assert!(!is_known(turn(&mut table, "SELECT 1", 0)));
    }
    assert_eq!(table.reserved_bytes(), 0);
}

/// Pieces of texts, some of which change what those beside them are.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "SELECT ", "a", "t1", ".", ",", " ", "  ", "=", "-", "--", "-- ", "#", "\n", "/", "*",
            "/*", "*/", "/*!", "/*!50101 ", "'", "''", "\"", "`", "\\", "@", "@@", ":", "_utf8",
            "N", "x", "b", "e", "0x", "DATE ", "(", ")", ";", "\u{a0}", "é", "?",
        ])
        .prop_map(str::to_owned),
        3 => "[0-9]{1,3}",
        3 => "'[a-c0-9 /*#-]{0,4}'",
        1 => "\"[a-c' ]{0,3}\"",
    ]
}

/// A piece with other contents, where it is a literal.
fn other(piece: &str, filling: &str) -> String {
    match piece.as_bytes() {
        [b'0'..=b'9', ..] => format!("{}", filling.len() * 7 + 1),
        [b'\'', .., b'\''] if piece.len() > 1 => format!("'{filling}'"),
        [b'"', .., b'"'] if piece.len() > 1 => format!("\"{filling}\""),
        _ => piece.to_owned(),
    }
}

fn modes() -> impl Strategy<Value = Modes> {
    any::<(bool, bool, bool)>().prop_map(|(ansi_quotes, no_backslash_escapes, oracle)| Modes {
        ansi_quotes,
        no_backslash_escapes,
        oracle,
        ..MODES
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_000))]

    #[test]
    fn what_fits_has_the_same_canonical_form_and_class(
        pieces in prop::collection::vec((piece(), "[a1'\"\\\\/* #-]{0,3}"), 1..9),
        modes in modes(),
    ) {
        let text: String = pieces.iter().map(|(piece, _)| piece.as_str()).collect();
        let changed: String = pieces
            .iter()
            .map(|(piece, filling)| other(piece, filling))
            .collect();
        if let Some(shape) = shape(text.as_bytes(), modes) {
            prop_assert!(shape.fits(text.as_bytes()));
            if shape.fits(changed.as_bytes()) {
                let (mut own, mut others) = (Vec::new(), Vec::new());
                canonical(text.as_bytes(), modes, &mut own);
                canonical(changed.as_bytes(), modes, &mut others);
                prop_assert_eq!(own, others, "{} / {}", text, changed);
                let class = classify(text.as_bytes(), modes);
                if class.cacheable {
                    prop_assert_eq!(class, classify(changed.as_bytes(), modes));
                }
            }
        }
    }
}
