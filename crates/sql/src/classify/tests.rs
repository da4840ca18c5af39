//! What stands beside the mask: effects, tables, variables, and the texts that try to hide
//! something. The table of masks is in `tests/golden.rs`.

use super::*;
use crate::effect::*;
use crate::statement::{Operation, TableName, TableUse};

fn of(text: &str) -> Statement {
    classify(text.as_bytes(), Modes::default())
}

#[track_caller]
fn check_mask(text: &str, expect: TypeMask) {
    assert_eq!(of(text).mask, expect, "{text}");
}

fn text(bytes: &str) -> Box<[u8]> {
    bytes.as_bytes().into()
}

fn table(schema: Option<&str>, name: &str) -> TableName {
    TableName {
        schema: schema.map(text),
        name: text(name),
    }
}

#[track_caller]
fn check_tables(statement: &str, expect: &[&str]) {
    let TableUse::Named(tables) = of(statement).tables else {
        panic!("too many tables in {statement}");
    };
    let names: Vec<String> = tables
        .iter()
        .map(|one| {
            let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match &one.schema {
                Some(schema) => format!("{}.{}", part(schema), part(&one.name)),
                None => part(&one.name),
            }
        })
        .collect();
    assert_eq!(names, expect, "{statement}");
}

#[test]
fn tables_are_where_tables_stand() {
    check_tables(
        "SELECT a, b FROM t1, db.t2 x, `t 3` WHERE c IN (1, t4)",
        &["t1", "db.t2", "t 3"],
    );
    check_tables(
        "SELECT * FROM a JOIN (b, c) ON a.x = b.x LEFT JOIN d USING (x, y), e",
        &["a", "b", "c", "d", "e"],
    );
    check_tables(
        "SELECT (SELECT 1 FROM a), b FROM (SELECT c FROM d) e",
        &["a", "d"],
    );
    check_tables(
        "SELECT EXTRACT(YEAR FROM x), TRIM(LEADING 'a' FROM y) FROM t",
        &["t"],
    );
    check_tables(
        "SELECT * FROM t USE INDEX FOR JOIN (i), u PARTITION (p0, p1)",
        &["t", "u"],
    );
    check_tables("SELECT 1 FROM t ORDER BY a, b LIMIT 1, 2", &["t"]);
    check_tables("UPDATE a, b SET a.x = b.x, a.y = 1", &["a", "b"]);
    check_tables("INSERT INTO a (x) SELECT y FROM b", &["b"]);
    check_tables(
        "WITH c AS (SELECT * FROM a), d AS (SELECT 1) SELECT * FROM c, d, b",
        &["a", "b"],
    );
    check_tables("WITH c AS (SELECT * FROM c) SELECT * FROM c", &["c"]);
    check_tables("DESC a.b", &["a.b"]);
    check_tables("SHOW INDEX FROM a IN b", &["b.a"]);
    check_tables(
        "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (x INT PATH '$')) j, t",
        &["t"],
    );
    let many: Vec<String> = (0..100).map(|index| format!("t{index}")).collect();
    let many = format!("SELECT 1 FROM {}", many.join(","));
    assert_eq!(of(&many).tables, TableUse::Many);
}

#[test]
fn variables_are_named() {
    let statement = of("SELECT @A := @b + @'c d', @a FROM t INTO @e");
    let uses: Vec<(String, bool, bool)> = statement
        .variables
        .iter()
        .map(|one| {
            (
                String::from_utf8_lossy(&one.name).into_owned(),
                one.read,
                one.written,
            )
        })
        .collect();
    assert_eq!(
        uses,
        [
            ("a".into(), true, true),
            ("b".into(), true, false),
            ("c d".into(), true, false),
            ("e".into(), false, true),
        ]
    );
}

#[test]
fn what_is_the_same_on_every_server() {
    for (text, same) in [
        ("SET @a = 1, @b = CONCAT('x', @c)", true),
        ("SET @a = NOW()", false),
        ("SET @a = (SELECT MAX(id) FROM t1)", false),
        ("SET @a = @@server_id", false),
        ("SET @a = f1()", false),
        ("SELECT @a := UUID()", false),
        ("SELECT @a := 1 + 1", true),
        ("SELECT @a := 1; SELECT RAND()", false),
    ] {
        assert_eq!(of(text).repeatable, same, "{text}");
    }
}

#[test]
fn transactions() {
    let begin = |access| TrxEffect::Begin { access };
    for (text, expect) in [
        ("BEGIN", begin(Access::Unspecified)),
        ("START TRANSACTION READ ONLY", begin(Access::ReadOnly)),
        (
            "START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT",
            begin(Access::ReadWrite),
        ),
        (
            "COMMIT WORK AND CHAIN NO RELEASE",
            TrxEffect::Commit {
                chain: true,
                release: false,
            },
        ),
        (
            "ROLLBACK RELEASE",
            TrxEffect::Rollback {
                chain: false,
                release: true,
            },
        ),
        ("ROLLBACK TO sp1", TrxEffect::None),
        ("SET @x = 1, autocommit = OFF", TrxEffect::AutocommitOff),
        ("SET autocommit = @x", TrxEffect::None),
        ("XA START 'a'", TrxEffect::XaStart),
        ("XA END 'a'", TrxEffect::XaEnd),
        ("XA COMMIT 'a' ONE PHASE", TrxEffect::XaFinish),
        ("CREATE TABLE t (a INT)", TrxEffect::ImplicitCommit),
        ("CREATE TEMPORARY TABLE t (a INT)", TrxEffect::None),
        ("DROP TEMPORARY TABLE t", TrxEffect::None),
        ("LOCK TABLES t READ", TrxEffect::ImplicitCommit),
        ("SET PASSWORD = PASSWORD('x')", TrxEffect::ImplicitCommit),
        ("CALL p()", TrxEffect::Opaque),
        ("BEGIN NOT ATOMIC COMMIT; END", TrxEffect::Opaque),
        ("BEGIN; COMMIT", TrxEffect::Opaque),
        ("SELECT 1", TrxEffect::None),
        (
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
            TrxEffect::SetTransaction {
                next_only: true,
                access: Access::ReadOnly,
                isolation: Some(Isolation::Serializable),
            },
        ),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            TrxEffect::SetTransaction {
                next_only: false,
                access: Access::Unspecified,
                isolation: Some(Isolation::Other),
            },
        ),
        ("SET GLOBAL TRANSACTION READ ONLY", TrxEffect::None),
    ] {
        assert_eq!(of(text).trx, expect, "{text}");
    }
}

#[test]
fn settings_in_order() {
    let setting = |scope, name: &str, value| Setting {
        scope,
        name: text(name),
        value,
    };
    let literal = |value: &str| Value::Literal(text(value));
    assert_eq!(
        of("SET NAMES 'utf8' COLLATE x, @A = 'it''s', SESSION Sql_Mode := DEFAULT, @@global.y = 5, \
            @@local.`z` = ON, key.w = 1 + 1, ROLE NONE")
        .effect,
        Some(SessionEffect::Set(
            [
                setting(Scope::Session, "names", literal("utf8")),
                setting(Scope::User, "A", literal("it's")),
                setting(Scope::Session, "sql_mode", Value::Default),
                setting(Scope::Global, "y", literal("5")),
                setting(Scope::Session, "z", literal("ON")),
                setting(Scope::Unscoped, "key", Value::Computed),
                setting(Scope::Session, "role", literal("NONE")),
            ]
            .into()
        ))
    );
    assert_eq!(
        of("SET SESSION AUTHORIZATION 'bob'@'%'").effect,
        Some(SessionEffect::Set(
            [setting(
                Scope::Session,
                "session authorization",
                literal("bob")
            )]
            .into()
        ))
    );
}

#[test]
fn modes_follow_settings() {
    let after = |text: &str| Modes::default().after(&of(text));
    assert!(after("SET sql_mode = 'STRICT_ALL_TABLES, ansi_quotes'").ansi_quotes);
    assert!(after("SET sql_mode = ORACLE").oracle);
    assert!(after("SET SESSION sql_mode = ANSI").ansi_quotes);
    assert!(!after("SET GLOBAL sql_mode = ANSI").ansi_quotes);
    assert!(after("SET @a = 1; SET sql_mode = 'NO_BACKSLASH_ESCAPES'").no_backslash_escapes);
    assert_eq!(
        after("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')"),
        Modes::default()
    );
    assert_eq!(after("SET NAMES gbk").multibyte, crate::Multibyte::Gbk);
    assert_eq!(
        after("SET character_set_client = sjis").multibyte,
        crate::Multibyte::Sjis
    );
    let modes = Modes::default().with_status(0x8202);
    assert!(modes.ansi_quotes && modes.no_backslash_escapes);
}

#[test]
fn other_effects() {
    for (statement, expect) in [
        ("USE `my db`", SessionEffect::Use(text("my db"))),
        ("DEALLOCATE PREPARE s", SessionEffect::Deallocate(text("s"))),
        ("DROP PREPARE s", SessionEffect::Deallocate(text("s"))),
        (
            "EXECUTE s USING @a",
            SessionEffect::Execute {
                name: text("s"),
                using: true,
            },
        ),
        (
            "CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS a.b (c INT)",
            SessionEffect::CreateTemporary(table(Some("a"), "b")),
        ),
        (
            "DROP TABLE IF EXISTS a, b.c",
            SessionEffect::DropTables([table(None, "a"), table(Some("b"), "c")].into()),
        ),
        (
            "ALTER TABLE a ADD x INT, RENAME COLUMN y TO z, RENAME TO b",
            SessionEffect::RenameTables([(table(None, "a"), table(None, "b"))].into()),
        ),
        (
            "RENAME TABLE a TO b, c TO d",
            SessionEffect::RenameTables(
                [
                    (table(None, "a"), table(None, "b")),
                    (table(None, "c"), table(None, "d")),
                ]
                .into(),
            ),
        ),
        ("LOCK TABLES a READ", SessionEffect::Hold(Hold::Tables)),
        ("UNLOCK TABLES", SessionEffect::Release(Hold::Tables)),
        (
            "FLUSH TABLES a WITH READ LOCK",
            SessionEffect::Hold(Hold::Tables),
        ),
        ("BACKUP STAGE START", SessionEffect::Hold(Hold::Backup)),
        ("BACKUP STAGE END", SessionEffect::Release(Hold::Backup)),
        (
            "HANDLER a.b OPEN AS h",
            SessionEffect::Hold(Hold::Handler(text("h"))),
        ),
        (
            "HANDLER h CLOSE",
            SessionEffect::Release(Hold::Handler(text("h"))),
        ),
    ] {
        assert_eq!(of(statement).effect, Some(expect), "{statement}");
    }
}

#[test]
fn kills() {
    let kill = |force, query_only, victim| {
        Some(SessionEffect::Kill(Kill {
            force,
            query_only,
            victim,
        }))
    };
    let user = |name: &str, host: Option<&str>| Victim::User {
        name: text(name),
        host: host.map(text),
    };
    for (text, expect) in [
        ("KILL 15", kill(None, false, Victim::Id(15))),
        (
            "kill /* x */ hard query 15;",
            kill(Some(KillForce::Hard), true, Victim::Id(15)),
        ),
        (
            "KILL SOFT CONNECTION 15",
            kill(Some(KillForce::Soft), false, Victim::Id(15)),
        ),
        ("KILL CONNECTION_ID()", kill(None, false, Victim::Own)),
        ("KILL USER bob", kill(None, false, user("bob", None))),
        (
            "KILL QUERY USER 'bob'@'%'",
            kill(None, true, user("bob", Some("%"))),
        ),
        (
            "KILL USER CURRENT_USER()",
            kill(None, false, Victim::CurrentUser),
        ),
        ("KILL QUERY ID 99", kill(None, true, Victim::QueryId)),
        ("KILL ID 99", kill(None, false, Victim::Computed)),
        ("KILL 1 + 1", kill(None, false, Victim::Computed)),
        (
            "BEGIN NOT ATOMIC KILL QUERY 5; KILL @x; END",
            kill(None, true, Victim::Amid),
        ),
        (
            "IF @a THEN DO 1; KILL HARD 5; END IF",
            kill(Some(KillForce::Hard), false, Victim::Amid),
        ),
        ("BEGIN NOT ATOMIC KILL @x; KILL CONNECTION_ID(); END", None),
        ("KILL @x", kill(None, false, Victim::Computed)),
        (
            "KILL 99999999999999999999",
            kill(None, false, Victim::Computed),
        ),
    ] {
        assert_eq!(of(text).effect, expect, "{text}");
        assert!(!of(text).cacheable, "{text}");
    }
    assert_eq!(of("CREATE PROCEDURE p() BEGIN KILL 5; END").effect, None);
}

#[test]
fn the_session_id_is_asked_for_exactly() {
    for (statement, expect) in [
        ("SELECT CONNECTION_ID()", Some("CONNECTION_ID()")),
        ("select connection_id ( ) ;", Some("connection_id()")),
        ("SELECT CONNECTION_ID() AS id", Some("id")),
        ("SELECT CONNECTION_ID() `my id`", Some("my id")),
        ("SELECT @@pseudo_thread_id", Some("@@pseudo_thread_id")),
        ("SELECT @@session.pseudo_thread_id x", Some("x")),
        ("SELECT @@global.pseudo_thread_id", None),
        ("SELECT CONNECTION_ID(), 1", None),
        ("SELECT CONNECTION_ID() + 1", None),
        ("SELECT CONNECTION_ID() FROM t", None),
        ("(SELECT CONNECTION_ID())", None),
        ("SELECT CONNECTION_ID(); SELECT 1", None),
        ("EXPLAIN SELECT CONNECTION_ID()", None),
    ] {
        assert_eq!(
            of(statement).session_id_column,
            expect.map(text),
            "{statement}"
        );
    }
}

#[test]
fn prepared_texts_are_classified_too() {
    let Some(SessionEffect::Prepare {
        inner: Some(inner), ..
    }) = of(r"PREPARE s FROM 'SELECT \'a\' FROM t1' ' FOR UPDATE'").effect
    else {
        panic!("a literal text");
    };
    assert_eq!(inner.mask, TypeMask::READ | TypeMask::WRITE);
    assert_eq!(inner.operation, Operation::Select);
    let Some(SessionEffect::Prepare {
        inner: Some(inner), ..
    }) = of("PREPARE s FROM 'PREPARE t FROM ''SELECT 1'''").effect
    else {
        panic!("a literal text");
    };
    assert_eq!(
        (inner.mask, inner.parsed),
        (TypeMask::WRITE, Parsed::Invalid)
    );
}

#[test]
fn parts_of_a_text() {
    let statement = of("USE a; SET @x = 1; SELECT 1;");
    let masks: Vec<TypeMask> = statement.parts.iter().map(|part| part.mask).collect();
    assert_eq!(
        masks,
        [
            TypeMask::SESSION_WRITE,
            TypeMask::SESSION_WRITE | TypeMask::USERVAR_WRITE,
            TypeMask::READ
        ]
    );
    assert!(!statement.cacheable, "a SET is in it");
    let many = of(&"SELECT 1;".repeat(1000));
    assert_eq!(many.parts.len(), 64);
    assert_eq!(
        (many.mask, many.parsed, many.multi),
        (TypeMask::READ, Parsed::Partial, true)
    );
    assert!(
        of(&format!("{} DELETE FROM t", "SELECT 1;".repeat(1000)))
            .mask
            .contains(TypeMask::WRITE)
    );
}

#[test]
fn bodies_end_where_servers_end_them() {
    for (text, parts) in [
        ("CREATE PROCEDURE p() SELECT 1; SELECT 2", 2),
        (
            "CREATE PROCEDURE IF NOT EXISTS p(a INT) l: BEGIN IF a THEN SELECT 1; ELSEIF b THEN SELECT 2; ELSE SELECT 3; END IF; END l; SELECT 2",
            2,
        ),
        (
            "CREATE FUNCTION f() RETURNS INT RETURN CASE WHEN 1 THEN 2 ELSE 3 END; SELECT 2",
            2,
        ),
        (
            "CREATE PROCEDURE p() BEGIN CASE x WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; END; SELECT 2",
            2,
        ),
        (
            "CREATE PROCEDURE p() BEGIN WHILE a < CASE WHEN 1 THEN 2 END DO SET a = a + 1; END WHILE; REPEAT SET a = 1; UNTIL a END REPEAT; l: LOOP LEAVE l; END LOOP; FOR i IN 1..2 DO SELECT i; END FOR; END; SELECT 2",
            2,
        ),
        (
            "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION, SQLSTATE '42000' BEGIN ROLLBACK; END; DECLARE c CURSOR FOR SELECT 1; SELECT IF(1, 2, 3); END; SELECT 2",
            2,
        ),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW FOLLOWS u BEGIN SET NEW.x = 1; SET NEW.y = 2; END; SELECT 2",
            2,
        ),
        (
            "CREATE EVENT e ON SCHEDULE EVERY (1) DAY DO BEGIN DELETE FROM a; DELETE FROM b; END; SELECT 2",
            2,
        ),
        (
            "CREATE DEFINER=`begin`@`%` PROCEDURE p() SET @a = 1; SELECT 2",
            2,
        ),
        ("IF 1 THEN SELECT 1; SELECT 2; END IF; SELECT 3", 2),
        ("BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3", 2),
    ] {
        assert_eq!(of(text).parts.len(), parts, "{text}");
    }
    let oracle = Modes {
        oracle: true,
        ..Modes::default()
    };
    for text in [
        "CREATE PROCEDURE p AS x INT; BEGIN NULL; EXCEPTION WHEN OTHERS THEN NULL; END; SELECT 2",
        "DECLARE x INT; BEGIN FOR i IN 1..2 LOOP NULL; END LOOP; END; SELECT 2",
        "<<l>> LOOP EXIT l; END LOOP; SELECT 2",
    ] {
        assert_eq!(classify(text.as_bytes(), oracle).parts.len(), 2, "{text}");
    }
}

#[test]
fn nothing_that_writes_looks_like_a_read() {
    for text in [
        "SELECT 1 FROM t WHERE a = ANY (SELECT 1 FROM u FOR UPDATE)",
        "SELECT `f1`(1)",
        "SELECT `in`(1)",
        "SELECT db . f1 (1)",
        "SELECT SQL_NO_CACHE f1(1)",
        "SELECT 1 FROM t ORDER BY f1(a)",
        "SELECT * FROM t LIMIT 1 PROCEDURE other(1)",
        "SELECT 'unclosed",
        "SELECT (1",
        "SELECT 1)",
        "SELECT 1 /* unclosed",
        "SELECT 1 /*!99999 '*/ ; DELETE FROM t2 -- ' */",
        "WITH a AS (SELECT f1(1)), b (c) AS (SELECT 2) SELECT * FROM b",
        "SHOW VARIABLES WHERE Value = f1(1)",
        "EXPLAIN ANALYZE DELETE FROM t",
        "SET @a = 1, PASSWORD = PASSWORD('x')",
        "SET @a = f1(1)",
        "DO @a := f1(1)",
        "SET a",
        "SET @@x",
        "SELECT 1 UNION (SELECT 2 FROM t LOCK IN SHARE MODE)",
        "USE",
        "COMMIT now",
        "VALUES (f1(1))",
        "HANDLER t READ FIRST",
        "SELECT @@(1)",
    ] {
        assert!(of(text).mask.contains(TypeMask::WRITE), "{text}");
    }
}

#[test]
fn what_is_no_call() {
    for text in [
        "SELECT * FROM (SELECT 1) AS d (a)",
        "SELECT CAST(a AS DECIMAL(10, 2)), CONVERT(b, CHAR (5)) FROM t",
        "WITH a (x), b (y) AS (SELECT 1) SELECT * FROM b",
        "WITH a AS (SELECT 1), b (y) AS (SELECT 2) SELECT * FROM b",
        "SELECT a, (b) FROM t WHERE (a) AND (b) OR NOT (c) GROUP BY (a) HAVING (1)",
        "SELECT * FROM t WHERE a IN (1) AND b > ALL (SELECT 1) AND EXISTS (SELECT 1)",
        "SELECT ROW (1, 2) = (1, 2)",
        "SELECT COUNT(*) OVER (PARTITION BY a), SUM(x) OVER w FROM t WINDOW w AS (ORDER BY b)",
        "SELECT * FROM t FORCE INDEX (a) IGNORE KEY (b)",
    ] {
        check_mask(text, TypeMask::READ);
    }
}

#[test]
fn families_differ_in_their_functions() {
    let mysql = Modes {
        mysql_family: true,
        ..Modes::default()
    };
    let writes = |text: &str, modes| {
        classify(text.as_bytes(), modes)
            .mask
            .contains(TypeMask::WRITE)
    };
    assert!(writes("SELECT UUID_TO_BIN('x')", Modes::default()));
    assert!(!writes("SELECT UUID_TO_BIN('x')", mysql));
    assert!(writes("SELECT NVL(1, 2)", mysql));
    assert!(!writes("SELECT NVL(1, 2)", Modes::default()));
}

#[test]
fn the_head_of_a_long_text_is_not_broken() {
    let head = |text: &str| classify_head(text.as_bytes(), Modes::default());
    assert_eq!(
        head("SET @a = 'xxxxxxxx").mask,
        TypeMask::SESSION_WRITE | TypeMask::USERVAR_WRITE
    );
    assert_eq!(head("SELECT 1 WHERE a IN (1, 2, 3").mask, TypeMask::READ);
    assert_eq!(head("INSERT INTO t VALUES (1, 'abc").mask, TypeMask::WRITE);
    assert!(head("SELECT f1(1, 'abc").mask.contains(TypeMask::WRITE));
}

mod linear {
    //! The work grows with the text and no faster, whatever the text.

    use super::super::*;
    use crate::steps::counter;

    /// Texts that grow with `n`, each built to make somebody look twice.
    fn pathological(n: usize) -> Vec<(&'static str, Vec<u8>)> {
        let repeat = |unit: &str| unit.repeat(n).into_bytes();
        let around = |open: &str, close: &str| {
            format!("SELECT {}1{}", open.repeat(n), close.repeat(n)).into_bytes()
        };
        vec![
            ("parentheses", around("(", ")")),
            ("open parentheses", repeat("(")),
            ("closed parentheses", repeat(")")),
            ("calls", around("f(", ")")),
            ("semicolons", repeat(";")),
            ("parts", repeat("SELECT 1;")),
            (
                "parts with tables",
                (0..n)
                    .map(|i| format!("SELECT a FROM t{i};"))
                    .collect::<String>()
                    .into_bytes(),
            ),
            ("session ids", repeat("SELECT CONNECTION_ID();;;;;")),
            ("quotes", repeat("'")),
            ("escapes", repeat("'\\")),
            ("comments", repeat("/**/")),
            ("open comments", repeat("/*")),
            ("code", repeat("/*!50000 a */")),
            ("open code", repeat("/*!50000 ")),
            ("nested code", repeat("/*! /*!50000 ")),
            (
                "comments in code",
                format!("/*!50000 {} */", "/* a */".repeat(n)).into_bytes(),
            ),
            (
                "strings in code",
                format!("/*!50000 {} */", "'a' ".repeat(n)).into_bytes(),
            ),
            ("stars", format!("/*{}", "*".repeat(n)).into_bytes()),
            ("line comments", repeat("-- \n")),
            ("dashes", repeat("--/**/")),
            ("blanks", repeat(" \t")),
            ("numbers", repeat("0x0b1e5.")),
            ("dots", repeat("a.")),
            ("prefixes", repeat("x'")),
            ("dates", repeat("DATE 'a' ")),
            ("adjacent strings", repeat("'a' ")),
            (
                "tables",
                format!("SELECT 1 FROM {} t", "a,".repeat(n)).into_bytes(),
            ),
            (
                "many tables",
                format!(
                    "SELECT 1 FROM {} t",
                    (0..n).map(|i| format!("t{i},")).collect::<String>()
                )
                .into_bytes(),
            ),
            (
                "expressions of WITH",
                format!(
                    "WITH {} z AS (SELECT 1) SELECT 1",
                    (0..n)
                        .map(|i| format!("t{i} AS (SELECT 1 FROM t{i}),"))
                        .collect::<String>()
                )
                .into_bytes(),
            ),
            (
                "variables",
                format!("SELECT {} 1", "@a := @b,".repeat(n)).into_bytes(),
            ),
            (
                "assignments",
                format!("SET {} @z = 1", "@a = 1,".repeat(n)).into_bytes(),
            ),
            (
                "SET STATEMENT",
                format!("{} SELECT 1", "SET STATEMENT a = 1 FOR ".repeat(n)).into_bytes(),
            ),
            ("EXPLAIN", repeat("EXPLAIN ")),
            (
                "EXTENDED",
                format!("EXPLAIN {}", "EXTENDED ".repeat(n)).into_bytes(),
            ),
            ("blocks", repeat("BEGIN NOT ATOMIC ")),
            ("CASE", format!("IF {}", "CASE ".repeat(n)).into_bytes()),
            ("labels", repeat("a: ")),
            (
                "handlers",
                format!(
                    "BEGIN NOT ATOMIC {}",
                    "DECLARE EXIT HANDLER FOR 1 ".repeat(n)
                )
                .into_bytes(),
            ),
            ("bodies", repeat("CREATE PROCEDURE p() BEGIN END; ")),
            (
                "prepared",
                format!("PREPARE s FROM {}", "'a' ".repeat(n)).into_bytes(),
            ),
            (
                "prepared and more",
                format!("PREPARE s FROM {} x", "'a' ".repeat(n)).into_bytes(),
            ),
            (
                "modifiers",
                format!("INSERT {} INTO t", "IGNORE ".repeat(n)).into_bytes(),
            ),
            (
                "definers",
                format!("CREATE {} PROCEDURE", "DEFINER = a ".repeat(n)).into_bytes(),
            ),
        ]
    }

    #[track_caller]
    fn check(what: &str, work: impl Fn(&[u8])) {
        let steps = |text: &[u8]| counter::of(|| work(text)).max(1);
        for ((name, once), (_, twice)) in pathological(500).iter().zip(pathological(1_000)) {
            let (once, twice) = (steps(once), steps(&twice));
            assert!(
                twice * 10 <= once * 22 + 10_000,
                "{what}, {name}: {once} steps, {twice} for twice the text"
            );
        }
    }

    #[test]
    fn classification() {
        check("classify", |text| {
            let _ = classify(text, Modes::default());
        });
        let oracle = Modes {
            oracle: true,
            ansi_quotes: true,
            multibyte: crate::Multibyte::Gbk,
            ..Modes::default()
        };
        check("classify, ORACLE", |text| {
            let _ = classify(text, oracle);
        });
    }

    #[test]
    fn canonical_form() {
        let modes = [
            Modes::default(),
            Modes {
                multibyte: crate::Multibyte::Gb18030,
                ..Modes::default()
            },
        ];
        for modes in modes {
            check("canonical", |text| {
                let mut out = Vec::new();
                crate::canonical(text, modes, &mut out);
            });
        }
    }

    #[test]
    fn hints() {
        check("hints", |text| {
            let _ = crate::hints::find(text, Modes::default());
        });
    }
}
