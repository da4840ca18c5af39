//! The laws of classification: what may not change a class, and what must show in it.

use proptest::prelude::*;
use tidegate_sql::{Cache, Modes, Statement, TypeMask, canonical, classify};

/// Statements of every kind. `~` is where white space or a comment may stand, `{}` a literal.
const TEMPLATES: &[&str] = &[
    "SELECT~c~FROM~sbtest1~WHERE~id={}",
    "SELECT~a,~b~FROM~t1~JOIN~t2~USING~(id)~WHERE~a~IN~({},~{})~ORDER~BY~b~LIMIT~5",
    "SELECT~LAST_INSERT_ID~(),~@x,~@@server_id",
    "SELECT~f1~({})~FROM~t1",
    "SELECT~*~FROM~t1~WHERE~a~=~{}~FOR~UPDATE",
    "WITH~c~AS~(SELECT~{}~AS~a)~SELECT~*~FROM~c",
    "INSERT~INTO~t1~(a)~VALUES~({}),~({})",
    "UPDATE~t1~SET~a~=~{}~WHERE~b~=~@c",
    "DELETE~FROM~t1~WHERE~a~=~{}",
    "REPLACE~INTO~t1~SELECT~{}",
    "CALL~p1~({},~@out)",
    "START~TRANSACTION~READ~ONLY",
    "COMMIT~AND~CHAIN",
    "XA~START~{}",
    "CREATE~TEMPORARY~TABLE~t9~(a~INT)",
    "CREATE~PROCEDURE~p9~()~BEGIN~SELECT~{};~SELECT~{};~END",
    "DROP~TABLE~t1",
    "SHOW~TABLES~LIKE~{}",
    "SHOW~WARNINGS",
    "USE~test",
    "EXECUTE~s",
    "LOCK~TABLES~t1~READ",
    "HANDLER~t1~OPEN",
    "EXPLAIN~UPDATE~t1~SET~a~=~{}",
    "SELECT~NEXT~VALUE~FOR~s1",
    "SELECT~FOUND_ROWS~()",
    "DO~@a~:=~{}",
    "SELECT~{};~DELETE~FROM~t1",
    "GET~DIAGNOSTICS~@n~=~NUMBER",
    "SELECT~id~INTO~OUTFILE~{}~FROM~t1",
];

/// Statements whose literals decide, and which are never cached.
const LITERAL_TEMPLATES: &[&str] = &[
    "SET~autocommit~=~0",
    "SET~@a~=~1,~sql_mode~=~'ANSI'",
    "SET~SESSION~TRANSACTION~READ~ONLY",
    "SET~STATEMENT~max_statement_time~=~1~FOR~SELECT~1",
    "PREPARE~s~FROM~'SELECT 1'",
    "EXECUTE~IMMEDIATE~'DELETE FROM t'",
    "KILL~QUERY~5",
];

fn space() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n ",
        "\u{b}",
        "\u{c}",
        "/* c */",
        " /* ' ; */ ",
        "/**/",
        "-- c '\n",
        "# \"c\n",
        " /* maxscale route to master */",
    ])
    .prop_map(str::to_owned)
}

fn literal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1",
        "4711",
        "-1.5e3",
        "0x41",
        "'x'",
        "''",
        "'it''s; DELETE FROM t'",
        "'a\\'b'",
        "\"q\"",
        "N'x'",
        "x'41'",
        "_utf8mb4'x'",
        "'a' 'b'",
        "'-- '",
        "'/*'",
        "'🦀'",
        "DATE '2020-01-01'",
    ])
    .prop_map(str::to_owned)
}

fn template(all: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(all)
}

/// The template with the spaces and literals in turn.
fn fill(template: &str, spaces: &[String], literals: &[String]) -> String {
    let (mut spaces, mut literals) = (spaces.iter().cycle(), literals.iter().cycle());
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['~', '{']) {
        text.push_str(&rest[..at]);
        if rest[at..].starts_with('~') {
            text.push_str(spaces.next().expect("spaces"));
            rest = &rest[at + 1..];
        } else {
            text.push_str(literals.next().expect("literals"));
            rest = &rest[at + 2..];
        }
    }
    text + rest
}

fn plain(template: &str) -> String {
    fill(template, &[" ".into()], &["1".into()])
}

fn of(text: &str) -> Statement {
    classify(text.as_bytes(), Modes::default())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn comments_spaces_and_literals_do_not_change_the_class(
        template in template(TEMPLATES),
        spaces in prop::collection::vec(space(), 1..8),
        literals in prop::collection::vec(literal(), 1..4),
    ) {
        let text = fill(template, &spaces, &literals);
        prop_assert_eq!(of(&text), of(&plain(template)), "{}", text);
    }

    #[test]
    fn comments_and_spaces_do_not_change_what_literals_decide(
        template in template(LITERAL_TEMPLATES),
        spaces in prop::collection::vec(space(), 1..8),
    ) {
        let text = fill(template, &spaces, &["1".into()]);
        prop_assert_eq!(of(&text), of(&plain(template)), "{}", text);
        prop_assert!(!of(&text).cacheable);
    }

    #[test]
    fn letter_case_does_not_change_the_class(template in template(TEMPLATES), upper: bool) {
        let text = plain(template);
        let cased = if upper { text.to_uppercase() } else { text.to_lowercase() };
        let (text, cased) = (of(&text), of(&cased));
        prop_assert_eq!(
            (cased.mask, cased.operation, cased.multi, cased.previous, cased.trx),
            (text.mask, text.operation, text.multi, text.previous, text.trx)
        );
    }

    #[test]
    fn code_in_a_comment_is_code(template in template(TEMPLATES)) {
        let text = plain(template);
        let wrapped = format!("/*! {text} */");
        prop_assert_eq!(of(&wrapped), of(&text));
    }

    #[test]
    fn the_canonical_form_has_the_class_of_the_text(
        template in template(TEMPLATES),
        spaces in prop::collection::vec(space(), 1..8),
        literals in prop::collection::vec(literal(), 1..4),
    ) {
        let text = fill(template, &spaces, &literals);
        let mut form = Vec::new();
        canonical(text.as_bytes(), Modes::default(), &mut form);
        let own = of(&text);
        if own.cacheable {
            prop_assert_eq!(classify(&form, Modes::default()), own);
        }
    }

    #[test]
    fn what_writes_shows_at_any_depth(expression in expression()) {
        let (text, harmful) = expression;
        let mask = of(&format!("SELECT {text} FROM t1")).mask;
        let shows = mask.intersects(TypeMask::WRITE | TypeMask::MASTER_READ);
        prop_assert!(shows || !harmful, "{} is {:?}", text, mask);
        // Code inside code is read differently by servers, and given up.
        if text.matches("/*!").count() < 2 {
            prop_assert_eq!(shows, harmful, "{} is {:?}", text, mask);
        }
    }

    #[test]
    fn any_bytes_get_a_class_and_the_same_one_from_a_cache(
        text in prop::collection::vec(any::<u8>(), 0..200),
        modes in modes(),
    ) {
        let own = classify(&text, modes);
        prop_assert!(!own.mask.is_empty());
        let mut cache = Cache::new(1 << 16);
        for _ in 0..2 {
            prop_assert_eq!(cache.classify(&text, modes), &own);
        }
    }
}

fn modes() -> impl Strategy<Value = Modes> {
    any::<(bool, bool, bool, bool)>().prop_map(
        |(ansi_quotes, no_backslash_escapes, oracle, mysql_family)| Modes {
            ansi_quotes,
            no_backslash_escapes,
            oracle,
            mysql_family,
            ..Modes::default()
        },
    )
}

/// An expression, and whether something in it is for the primary.
fn expression() -> impl Strategy<Value = (String, bool)> {
    let harmless = prop::sample::select(vec![
        "1",
        "a",
        "t1.a",
        "'f1(1)'",
        "`f1`",
        "NOW()",
        "COUNT(*)",
        "last_insert_id",
        "NULL",
    ])
    .prop_map(|text| (text.to_owned(), false));
    let harmful = prop::sample::select(vec![
        "f1(1)",
        "db.f1 (1)",
        "`f1`(1)",
        "LAST_INSERT_ID()",
        "NEXT VALUE FOR s",
        "NEXTVAL(s)",
        "GET_LOCK('a', 1)",
        "(SELECT 1 FROM t2 FOR UPDATE)",
        "(SELECT a FROM t2 LOCK IN SHARE MODE)",
        "1 /*!50101 + f1(1) */",
        "@@last_insert_id",
    ])
    .prop_map(|text| (text.to_owned(), true));
    prop_oneof![4 => harmless, 1 => harmful].prop_recursive(5, 32, 3, |inner| {
        let shape = prop::sample::select(vec![
            "({} + {})",
            "IF({}, {}, 3)",
            "CASE WHEN {} THEN {} ELSE 0 END",
            "COALESCE(NULL, {}, {})",
            "{} IN (1, {})",
            "EXISTS (SELECT {} FROM t3 WHERE {})",
            "(SELECT {} UNION (SELECT {} FROM t4 WHERE a = 'x'))",
            "CAST({} AS DECIMAL(10, 2)) /* c */ - {}",
            "({} BETWEEN {} AND 5)",
            "NOT {} OR {}",
            "1 /*! + {} */ + {}",
        ]);
        (shape, inner.clone(), inner).prop_map(|(shape, one, two)| {
            let text = shape.replacen("{}", &one.0, 1).replacen("{}", &two.0, 1);
            (text, one.1 || two.1)
        })
    })
}
