//! Where tokens begin and end, as MariaDB 10.11 has been seen to read the same texts.

use super::*;

const ANSI: Modes = Modes {
    ansi_quotes: true,
    no_backslash_escapes: false,
    oracle: false,
    mysql_family: false,
    multibyte: Multibyte::None,
};
const PLAIN: Modes = Modes {
    ansi_quotes: false,
    ..ANSI
};
const NO_ESCAPES: Modes = Modes {
    no_backslash_escapes: true,
    ..PLAIN
};
const MYSQL: Modes = Modes {
    mysql_family: true,
    ..PLAIN
};

fn tokens(text: &[u8], modes: Modes, reading: Reading) -> String {
    let mut lexer = Lexer::new(text, modes, reading);
    let mut shown = Vec::new();
    loop {
        let token = lexer.next();
        let name = match token.kind {
            Kind::Blank => continue,
            Kind::End => return shown.join(" "),
            Kind::Punct(_) => "",
            Kind::Broken => "Broken:",
            Kind::Comment => "Comment:",
            Kind::CodeOpen => "Open:",
            Kind::ConditionalOpen => "If:",
            Kind::CodeClose => "Close:",
            Kind::Word => "w:",
            Kind::Name => "n:",
            Kind::Quoted => "q:",
            Kind::Text => "t:",
            Kind::National => "N:",
            Kind::Hex => "h:",
            Kind::Number => "0:",
            Kind::Param => "p:",
            Kind::UserVar => "u:",
            Kind::SystemVar => "s:",
            Kind::Assign => "a:",
        };
        let bytes = String::from_utf8_lossy(lexer.bytes(token));
        shown.push(format!("{name}{}", bytes.trim_end()));
    }
}

#[track_caller]
fn check(text: &str, expect: &str) {
    assert_eq!(tokens(text.as_bytes(), PLAIN, Reading::Run), expect);
}

#[track_caller]
fn check_in(modes: Modes, text: &[u8], expect: &str) {
    assert_eq!(tokens(text, modes, Reading::Run), expect);
}

/// How servers that run the code in comments read it, and how those that skip it.
#[track_caller]
fn check_both(text: &str, run: &str, skip: &str) {
    assert_eq!(tokens(text.as_bytes(), PLAIN, Reading::Run), run);
    assert_eq!(tokens(text.as_bytes(), PLAIN, Reading::Skip), skip);
}

#[test]
fn words_and_names() {
    check("SELECT a1 FROM t$1", "w:SELECT w:a1 w:FROM w:t$1");
    check("k.select .x", "w:k . n:select . n:x");
    check("t1.1abc t.5", "w:t1 . n:1abc w:t . n:5");
    check("1abc 0X41 0xZZ", "w:1abc w:0X41 w:0xZZ");
    check("`a``b`.`c`", "q:`a``b` . q:`c`");
    check_in(ANSI, b"\"a\"\"b\" \"c", "q:\"a\"\"b\" Broken:\"");
    check("größe", "w:größe");
    check("à", "w:à");
    check_in(PLAIN, b"FOR\xA0UPDATE", "w:FOR w:UPDATE");
}

#[test]
fn numbers() {
    check(
        "1 1.5 .5 1. 1e5 1e+5 1.e3",
        "0:1 0:1.5 0:.5 0:1. 0:1e5 0:1e+5 0:1.e3",
    );
    check(
        "1e5abc 1.5abc 1e 1e+",
        "0:1e5 w:abc 0:1.5 w:abc w:1e w:1e +",
    );
    check("1..2", "0:1 . 0:.2");
    check("0x41 0b01 0b012 0x", "h:0x41 h:0b01 w:0b012 w:0x");
    check("-1 1-1 1--1", "- 0:1 0:1 - 0:1 0:1 - - 0:1");
}

#[test]
fn strings() {
    check(r"'a\'b' 'c''d' ''", r"t:'a\'b' t:'c''d' t:''");
    check_in(NO_ESCAPES, br"'a\' b", r"t:'a\' w:b");
    check(r#""a'b" 'a"b'"#, r#"t:"a'b" t:'a"b'"#);
    check(
        "x'41' X'41' b'1' N'a' n'b'",
        "h:x'41' h:X'41' h:b'1' N:N'a' N:n'b'",
    );
    check("t.x'a' xx'a' x 'a'", "w:t . n:x t:'a' w:xx t:'a' w:x t:'a'");
    check("_utf8'a'", "w:_utf8 t:'a'");
    check("'a", "Broken:'");
    check(r"'a\", "Broken:'");
    check("N'a", "Broken:N'");
}

#[test]
fn a_second_byte_that_looks_like_a_backslash() {
    let gbk = Modes {
        multibyte: Multibyte::Gbk,
        ..PLAIN
    };
    let text = b"'\xbf\\' OR 1";
    assert_eq!(Lexer::new(text, gbk, Reading::Run).next().end, 4);
    assert_eq!(
        Lexer::new(text, PLAIN, Reading::Run).next().kind,
        Kind::Broken
    );
    check_in(gbk, b"\xbf`x", "w:\u{fffd}`x");
}

#[test]
fn variables() {
    check("@a.b @'c d' @`e` @", "u:@a.b u:@'c d' u:@`e` u:@");
    check("@@global.x @@`y`", "s:@@ w:global . n:x s:@@ q:`y`");
    check("@a:=1 : =", "u:@a a::= 0:1 : =");
    check("u1@localhost 'u'@'h'", "w:u1 u:@localhost t:'u' u:@'h'");
    check("?", "p:?");
}

#[test]
fn comments() {
    check("a /* b ; ' */ c", "w:a Comment:/* b ; ' */ w:c");
    check("a # b\nc", "w:a Comment:# b w:c");
    check("a -- b\nc --", "w:a Comment:-- b w:c Comment:--");
    check("a --\u{1}b\nc", "w:a Comment:--\u{1}b w:c");
    check("a --b", "w:a - - w:b");
    check("a /* /* b */ c */", "w:a Comment:/* /* b */ w:c * /");
    check("a /*/ b", "w:a Broken:/*");
    check("a /*+ hint */ b", "w:a Comment:/*+ hint */ w:b");
}

#[test]
fn code_in_comments() {
    check("/*! SELECT */ 1", "Open:/*! w:SELECT Close:*/ 0:1");
    check("/*M! a */", "Open:/*M! w:a Close:*/");
    check("/*!1234*/", "Open:/*! 0:1234 Close:*/");
    check_both(
        "a /*!50100 b */ c",
        "w:a If:/*!50100 w:b Close:*/ w:c",
        "w:a Comment:/*!50100 b */ w:c",
    );
    check_both(
        "/*!501000b */",
        "If:/*!501000 w:b Close:*/",
        "Comment:/*!501000b */",
    );
    check_both(
        "/*M!50701 b */",
        "If:/*M!50701 w:b Close:*/",
        "Comment:/*M!50701 b */",
    );
    check_both(
        "/*!50000 /* n */ + 1 */",
        "If:/*!50000 Comment:/* n */ + 0:1 Close:*/",
        "Comment:/*!50000 /* n */ + 1 */",
    );
    check_both(
        "/*!999999\\- it's */ a",
        "Comment:/*!999999\\- it's */ w:a",
        "Comment:/*!999999\\- it's */ w:a",
    );
    check("/*! a", "Open:/*! w:a Broken:");
}

#[test]
fn mysql_takes_mariadbs_form_for_a_comment() {
    check_in(MYSQL, b"/*M! a */", "If:/*M! w:a Close:*/");
    assert_eq!(
        tokens(b"/*M! /* a */ b", MYSQL, Reading::Skip),
        "Comment:/*M! /* a */ w:b"
    );
}

/// Texts in which servers that run the code and servers that skip it do not find the same end.
#[test]
fn ends_that_differ_between_servers() {
    for text in [
        "/*!99999 '*/ ; DELETE FROM t -- ' */",
        "/*!99999 `*/ ; DELETE FROM t -- ` */",
        "/*!99999 -- */ ; DELETE FROM t",
        "/*!99999 # /* \n */ */",
        "/*!99999 '/*' */",
        "/*!99999 /*!50000 a */ b */",
        "/*! /*! a */ b */",
        "/*!99999 a",
        "/*!99999 /* a */",
    ] {
        assert!(
            tokens(text.as_bytes(), PLAIN, Reading::Run).contains("Broken:"),
            "{text}"
        );
    }
}

#[test]
fn the_end_stays_the_end() {
    let mut lexer = Lexer::new(b"'a", PLAIN, Reading::Run);
    assert_eq!(lexer.next().kind, Kind::Broken);
    assert_eq!(lexer.next().kind, Kind::End);
    assert_eq!(lexer.next().kind, Kind::End);
}
