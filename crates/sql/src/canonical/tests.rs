use super::*;
use crate::modes::Multibyte;
use proptest::prelude::*;

#[track_caller]
fn check(text: &str, expect: &str) {
    let mut out = b"what was there".to_vec();
    canonical(text.as_bytes(), Modes::default(), &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expect);
}

#[test]
fn literals_become_marks() {
    check(
        "SELECT f FROM t WHERE f = 10",
        "SELECT f FROM t WHERE f = ?",
    );
    check(
        "SELECT c FROM sbtest1 WHERE id=4711",
        "SELECT c FROM sbtest1 WHERE id=?",
    );
    check("IN (1, 2.5,-3)", "IN (?, ?,-?)");
    check(
        "SELECT N'x', X'41', 0x41, b'1', _utf8mb4'x', _utf8 X'41'",
        "SELECT ?, ?, ?, ?, ?, ?",
    );
    check(
        "SELECT 'a' 'b', 'a' /* c */ 'b', N'a'\n'b', _latin1'a' 'b'",
        "SELECT ?, ?, ?, ?",
    );
    check(
        "SELECT DATE '2020-01-01', time'x', Timestamp\t'x' 'alias'",
        "SELECT ?, ?, ? ?",
    );
    check(
        "SELECT t.date 'x', xdate 'y', _foo 'z'",
        "SELECT t.date ?, xdate ?, _foo ?",
    );
    check(
        "SELECT NULL, TRUE, false, DEFAULT, ?",
        "SELECT NULL, TRUE, false, DEFAULT, ?",
    );
    check(
        "SELECT a1, 1a, t1.1, @v1, @@x, @'q 1'",
        "SELECT a1, 1a, t1.1, @v1, @@x, @'q 1'",
    );
}

#[test]
fn white_space_and_comments_become_one_blank() {
    check("  SELECT\t\n 1 ", "SELECT ?");
    check("/* a */SELECT/**/1/* b */", "SELECT ?");
    check("SELECT 1 -- done", "SELECT ?");
    check("SELECT 1 # done\n , 2;", "SELECT ? , ?;");
    check("DATE /* c */ 'x'", "?");
    check("1 --/* c */2 ---/* c */", "? - - ? - - -");
    check("   ", "");
    check("/* only */", "");
}

#[test]
fn code_in_comments_stays() {
    check(
        "SELECT /*!50100 'a'  , 5 */ 1",
        "SELECT /*!50100 ? , ? */ ?",
    );
    check("/*!1234*/", "/*!?*/");
    check("/*!999999\\- it's */ SELECT 1", "SELECT ?");
}

#[test]
fn what_never_ends_leaves_only_its_opening() {
    check("SELECT 'secret", "SELECT '");
    check("SELECT 1 /* secret", "SELECT ? /*");
    check("SELECT 1 /*!99999 'secret */", "SELECT ? /*");
    check("SELECT 1 /*!99999 a -- */", "SELECT ? /*");
    check("SELECT 1 /*! a 'secret", "SELECT ? /*! a '");
}

#[test]
fn letters_outside_ascii_stay() {
    check(
        "SELECT à, 'à'  , `à ` FROM größe",
        "SELECT à, ? , `à ` FROM größe",
    );
}

/// The same, token by token and without haste.
fn reference(text: &[u8], modes: Modes) -> Vec<u8> {
    let mut lexer = Lexer::new(text, modes, Reading::Run);
    let mut out = Vec::new();
    // What came last, blanks and comments aside: a word's text and its place, or a string.
    let mut word: Option<(Vec<u8>, usize)> = None;
    let mut string_end = None;
    let mut cut = None;
    loop {
        let token = lexer.next();
        let bytes = lexer.bytes(token);
        let before = (word.take(), string_end.take());
        match token.kind {
            Kind::End => break,
            Kind::Blank | Kind::Comment => {
                if !out.is_empty() && out.last() != Some(&b' ') {
                    part_dashes(&mut out);
                    out.push(b' ');
                }
                (word, string_end) = before;
                continue;
            }
            Kind::Broken => {
                out.extend_from_slice(bytes);
                if let Some(cut) = cut {
                    out.truncate(cut);
                    out.extend_from_slice(b"/*");
                }
                return out;
            }
            Kind::Word => {
                word = Some((bytes.to_vec(), out.len()));
                out.extend_from_slice(bytes);
            }
            Kind::Text if before.1.is_some() => {
                out.truncate(before.1.unwrap());
                string_end = before.1;
            }
            Kind::Text | Kind::Hex | Kind::National | Kind::Number => {
                let joins = |name: &[u8]| match token.kind {
                    Kind::Text => Prefix::of(name).is_some(),
                    Kind::Hex => Prefix::of(name) == Some(Prefix::Charset),
                    _ => false,
                };
                let joined = before.0.filter(|(name, _)| joins(name));
                let temporal = joined
                    .as_ref()
                    .is_some_and(|(name, _)| Prefix::of(name) == Some(Prefix::Temporal));
                if let Some((_, at)) = joined {
                    out.truncate(at);
                }
                out.push(b'?');
                if matches!(token.kind, Kind::Text | Kind::National) && !temporal {
                    string_end = Some(out.len());
                }
            }
            _ => {
                match token.kind {
                    Kind::ConditionalOpen => cut = Some(out.len()),
                    Kind::CodeClose => cut = None,
                    _ => {}
                }
                out.extend_from_slice(bytes);
            }
        }
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
    out
}

/// Bytes that lexers care about, and pieces of statements.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(
            br#" '"`\/*-#@.:=?!%;,()<09azExXbBnN_M$"#.iter().map(|byte| vec![*byte]).collect::<Vec<_>>()
        ),
        4 => prop::sample::select(
            ["SELECT ", "DATE ", "_utf8", "'a'", "/*!50000", "/*!", "*/", "/* c */", "-- ", "\n", "0x41",
             "1.5", "t1.1", "\\'", "  ", "à", "\u{a0}", "/*!999999", "/*M!", "x'41'", "N'a'", "timestamp"]
                .map(|text| text.as_bytes().to_vec()).to_vec()
        ),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn modes() -> impl Strategy<Value = Modes> {
    let multibyte = prop::sample::select(vec![
        Multibyte::None,
        Multibyte::None,
        Multibyte::Gbk,
        Multibyte::Gb18030,
        Multibyte::Sjis,
        Multibyte::Big5,
    ]);
    (any::<bool>(), any::<bool>(), any::<bool>(), multibyte).prop_map(
        |(ansi_quotes, no_backslash_escapes, mysql_family, multibyte)| Modes {
            ansi_quotes,
            no_backslash_escapes,
            oracle: false,
            mysql_family,
            multibyte,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn haste_changes_nothing(text in texts(), modes in modes()) {
        let mut out = Vec::new();
        canonical(&text, modes, &mut out);
        let expect = reference(&text, modes);
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expect));
    }

    #[test]
    fn making_it_twice_changes_nothing(text in texts(), modes in modes()) {
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        canonical(&text, modes, &mut once);
        canonical(&once, modes, &mut twice);
        prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    }
}
