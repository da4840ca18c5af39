//! Statements out of a grammar: of every kind that an account without special rights may try, in
//! many shapes, right and not quite right.

use tidegate_testkit::fuzz::Random;

/// A name between angle brackets is another rule; the first alternative of a rule is its shortest.
const RULES: &[(&str, &[&str])] = &[
    (
        "statement",
        &[
            "<select>",
            "<select>",
            "<select>",
            "<select>",
            "<call-of-all>",
            "<union>",
            "<with>",
            "<values>",
            "<insert>",
            "<replace>",
            "<update>",
            "<delete>",
            "<truncate>",
            "<load>",
            "<create>",
            "<drop>",
            "<alter>",
            "<rename>",
            "<set>",
            "<set>",
            "<transaction>",
            "<prepare>",
            "<call>",
            "<do>",
            "<show>",
            "<show>",
            "<explain>",
            "<describe>",
            "<handler>",
            "<lock>",
            "<table-work>",
            "<compound>",
            "<diagnostics>",
            "<account>",
            "<other>",
            "<several>",
            "<into>",
            "<returning>",
            "<statement-set>",
            "<commented>",
        ],
    ),
    (
        "select",
        &[
            "SELECT <value>",
            "SELECT <values-list> FROM <source><where><group><order><limit><locking>",
            "SELECT DISTINCT <values-list> FROM <source><where><order><limit>",
            "(SELECT <value> FROM <source><limit>)",
            "SELECT <value> FROM <source> WHERE id IN (SELECT id FROM <table>)<locking>",
            "SELECT <value> FROM (SELECT id, v FROM <table><locking>) AS d",
            "SELECT SQL_NO_CACHE <value> FROM <table><order>",
            "SELECT id, ROW_NUMBER() OVER (PARTITION BY v ORDER BY id) FROM <table>",
            "SELECT <value> FROM <table> FORCE INDEX (PRIMARY)<where>",
            "SELECT CASE WHEN <value> > 1 THEN <value> ELSE <value> END FROM <source>",
            "SELECT EXISTS(SELECT 1 FROM <table><where>)",
            "TABLE <table><limit>",
        ],
    ),
    (
        "values-list",
        &[
            "<value>",
            "<value>, <value>",
            "*",
            "id, <value> AS x",
            "COUNT(*), MAX(v)",
        ],
    ),
    (
        "value",
        &[
            "<literal>",
            "<literal>",
            "id",
            "v",
            "<function>",
            "<function>",
            "<value> + <literal>",
            "(SELECT MAX(id) FROM <table>)",
            "@a",
            "@b := <literal>",
            "@@<variable>",
            "@@session.sql_mode",
            "@@global.<variable>",
            "CAST(<literal> AS CHAR)",
            "-(<literal>)",
            "IF(<value>, <literal>, <literal>)",
            "<own-function>",
            "<literal> IN (<literal>, 3)",
            "<literal> LIKE ('a%')",
            "NOT <literal>",
            "COALESCE(NULL, <value>)",
        ],
    ),
    (
        "literal",
        &[
            "1",
            "0",
            "'a'",
            "''",
            "\"b\"",
            "NULL",
            "0x41",
            "1.5e1",
            "'it''s; DELETE FROM t1'",
            "N'x'",
            "_utf8mb4'x'",
            "x'41'",
            "b'1'",
            "TRUE",
            "DATE '2020-01-01'",
            "'/*'",
            "'-- '",
        ],
    ),
    (
        "function",
        &[
            "NOW()",
            "RAND()",
            "UUID()",
            "CONCAT('a', <literal>)",
            "DATABASE()",
            "USER()",
            "LAST_INSERT_ID()",
            "LAST_INSERT_ID(5)",
            "ROW_COUNT()",
            "FOUND_ROWS()",
            "VERSION()",
            "CONNECTION_ID()",
            "LENGTH(<literal>)",
            "GREATEST(1, <literal>)",
            "MD5('x')",
            "JSON_VALUE('{\"a\":1}', '$.a')",
            "DATE_ADD(NOW(), INTERVAL 1 DAY)",
            "GET_LOCK('oracle', 0)",
            "RELEASE_LOCK('oracle')",
            "IS_FREE_LOCK('oracle')",
            "RELEASE_ALL_LOCKS()",
            "SLEEP(0)",
            "BENCHMARK(1, 1)",
            "VALUES(v)",
            "DEFAULT(v)",
        ],
    ),
    (
        "own-function",
        &[
            "f_reads(1)",
            "f_writes(1)",
            "test.f_writes(2)",
            "`f_writes`(3)",
            "f_writes (4)",
            "`f_reads`(5)",
            "NEXTVAL(s1)",
            "NEXT VALUE FOR s1",
            "PREVIOUS VALUE FOR s1",
            "LASTVAL(s1)",
            "SETVAL(s1, 5)",
            "nowhere(1)",
            "test . f_writes ( 6 )",
        ],
    ),
    (
        "variable",
        &[
            "server_id",
            "autocommit",
            "read_only",
            "max_connections",
            "last_insert_id",
            "warning_count",
        ],
    ),
    ("table", &["t1", "t2", "test.t1", "`t2`", "v1", "t1 AS x"]),
    ("base", &["t1", "t2", "test.t1", "`t2`"]),
    (
        "source",
        &[
            "<table>",
            "t1 JOIN t2 USING (id)",
            "t1, t2",
            "t1 LEFT JOIN t2 ON (t1.id = t2.id)",
            "(SELECT 1 AS id, 2 AS v) AS d",
            "information_schema.tables",
            "seq_1_to_3",
            "JSON_TABLE('[1]', '$[*]' COLUMNS (id INT PATH '$')) AS j",
        ],
    ),
    (
        "where",
        &[
            "",
            "",
            " WHERE id = <literal>",
            " WHERE id > 1 AND v < <value>",
            " WHERE <value>",
        ],
    ),
    (
        "group",
        &[
            "",
            "",
            "",
            " GROUP BY id",
            " GROUP BY id WITH ROLLUP",
            " GROUP BY id HAVING COUNT(*) > 0",
        ],
    ),
    ("order", &["", "", " ORDER BY 1", " ORDER BY id DESC"]),
    (
        "limit",
        &[
            "",
            "",
            " LIMIT 1",
            " LIMIT 1, 2",
            " LIMIT 2 OFFSET 1",
            " FETCH FIRST 1 ROW ONLY",
        ],
    ),
    (
        "locking",
        &[
            "",
            "",
            "",
            "",
            " FOR UPDATE",
            " LOCK IN SHARE MODE",
            " FOR UPDATE NOWAIT",
            " FOR UPDATE SKIP LOCKED",
            " PROCEDURE ANALYSE()",
            " FOR SHARE",
        ],
    ),
    (
        "call-of-all",
        &[
            "SELECT <own-function>",
            "SELECT <own-function> FROM <table>",
            "DO <own-function>",
            "SET @c = <own-function>",
        ],
    ),
    (
        "union",
        &[
            "<select> UNION <select>",
            "(<select>) UNION ALL (<select>) ORDER BY 1",
            "SELECT 1 EXCEPT SELECT 2",
        ],
    ),
    (
        "with",
        &[
            "WITH c AS (<select>) SELECT * FROM c",
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
            "WITH c AS (SELECT id FROM t1), d AS (SELECT id FROM c) SELECT * FROM d<locking>",
        ],
    ),
    (
        "values",
        &[
            "VALUES (1, 2)",
            "VALUES (<literal>), (<literal>)",
            "(VALUES (1))",
        ],
    ),
    (
        "insert",
        &[
            "INSERT INTO <base> (v) VALUES (<literal>)",
            "INSERT IGNORE INTO <base> SET v = <literal>",
            "INSERT INTO <base> (v) SELECT v FROM <table> LIMIT 1",
            "INSERT INTO t1 (id, v) VALUES (1, 1) ON DUPLICATE KEY UPDATE v = 2",
            "INSERT INTO <base> VALUES ()",
            "INSERT DELAYED INTO <base> (v) VALUES (1)",
            "INSERT INTO <base> (v) VALUES (<own-function>)",
        ],
    ),
    (
        "replace",
        &[
            "REPLACE INTO <base> (id, v) VALUES (1, 1)",
            "REPLACE <base> SELECT * FROM t1 WHERE id < 0",
        ],
    ),
    (
        "update",
        &[
            "UPDATE <base> SET v = <literal><where>",
            "UPDATE LOW_PRIORITY <base> SET v = 1 WHERE id < 0 LIMIT 1",
            "UPDATE t1, t2 SET t1.v = t2.v WHERE t1.id = t2.id",
            "UPDATE t1 JOIN t2 USING (id) SET t1.v = 3",
        ],
    ),
    (
        "delete",
        &[
            "DELETE FROM <base> WHERE id = <literal>",
            "DELETE QUICK FROM <base> WHERE id < 0 ORDER BY id LIMIT 1",
            "DELETE t1 FROM t1 JOIN t2 USING (id) WHERE t1.id < 0",
            "DELETE FROM t1 USING t1, t2 WHERE t1.id < 0",
        ],
    ),
    ("truncate", &["TRUNCATE t3", "TRUNCATE TABLE t3"]),
    (
        "load",
        &[
            "LOAD DATA INFILE '/nowhere' INTO TABLE t1",
            "LOAD XML INFILE '/nowhere' INTO TABLE t1",
        ],
    ),
    (
        "create",
        &[
            "CREATE TABLE n1 (id INT)",
            "CREATE TABLE n1 AS SELECT 1 AS a",
            "CREATE TABLE n1 LIKE t1",
            "CREATE OR REPLACE TABLE n1 (id INT)",
            "CREATE TABLE IF NOT EXISTS t1 (id INT)",
            "CREATE TEMPORARY TABLE tmp (id INT)",
            "CREATE TEMPORARY TABLE tmp SELECT * FROM t1",
            "CREATE OR REPLACE TEMPORARY TABLE tmp (id INT)",
            "CREATE INDEX i1 ON t3 (v)",
            "CREATE VIEW n2 AS SELECT 1",
            "CREATE OR REPLACE VIEW v1 AS SELECT id, v FROM t1",
            "CREATE SEQUENCE n3",
            "CREATE TEMPORARY SEQUENCE n4",
            "CREATE DATABASE n5",
            "CREATE FUNCTION n6() RETURNS INT RETURN 1",
            "CREATE PROCEDURE n7() SELECT 1",
            "CREATE DEFINER=CURRENT_USER PROCEDURE n7() BEGIN SELECT 1; SELECT 2; END",
            "CREATE TRIGGER n8 BEFORE INSERT ON t3 FOR EACH ROW SET NEW.v = 1",
            "CREATE EVENT n9 ON SCHEDULE EVERY 1 DAY DO SELECT 1",
        ],
    ),
    (
        "drop",
        &[
            "DROP TABLE IF EXISTS n1",
            "DROP TEMPORARY TABLE IF EXISTS tmp",
            "DROP TABLE n1",
            "DROP VIEW IF EXISTS n2",
            "DROP SEQUENCE IF EXISTS n3",
            "DROP DATABASE IF EXISTS n5",
            "DROP FUNCTION IF EXISTS n6",
            "DROP PROCEDURE IF EXISTS n7",
            "DROP TRIGGER IF EXISTS n8",
            "DROP EVENT IF EXISTS n9",
            "DROP INDEX i1 ON t3",
            "DROP PREPARE p1",
        ],
    ),
    (
        "alter",
        &[
            "ALTER TABLE t3 ADD COLUMN w INT",
            "ALTER TABLE t3 COMMENT 'x'",
            "ALTER VIEW v1 AS SELECT id, v FROM t1",
            "ALTER SEQUENCE s1 RESTART 1",
            "ALTER ONLINE TABLE t3 DROP COLUMN w",
            "ALTER DATABASE test CHARACTER SET utf8mb4",
        ],
    ),
    (
        "rename",
        &["RENAME TABLE t3 TO n1", "RENAME TABLE n1 TO t3"],
    ),
    (
        "set",
        &[
            "SET @a = <value>",
            "SET @a = 1, @b = <literal>",
            "SET @a := (SELECT MAX(id) FROM t1)",
            "SET autocommit = 1",
            "SET autocommit = 0",
            "SET SESSION sql_mode = ''",
            "SET NAMES utf8mb4",
            "SET CHARACTER SET latin1",
            "SET SESSION TRANSACTION READ ONLY",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET max_statement_time = 5",
            "SET @@session.time_zone = '+00:00'",
            "SET last_insert_id = 5",
            "SET GLOBAL max_connections = 50",
            "SET @@global.read_only = 0",
            "SET PASSWORD = PASSWORD('x')",
            "SET ROLE NONE",
            "SET DEFAULT ROLE NONE",
            "SET sql_log_bin = 0",
            "SET timestamp = DEFAULT",
        ],
    ),
    (
        "transaction",
        &[
            "BEGIN",
            "START TRANSACTION",
            "START TRANSACTION READ ONLY",
            "START TRANSACTION READ WRITE",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "COMMIT",
            "COMMIT AND CHAIN",
            "ROLLBACK",
            "SAVEPOINT s",
            "ROLLBACK TO SAVEPOINT s",
            "RELEASE SAVEPOINT s",
            "XA START 'oracle'",
            "BEGIN WORK",
        ],
    ),
    (
        "prepare",
        &[
            "PREPARE p1 FROM 'SELECT ?'",
            "PREPARE p1 FROM 'INSERT INTO t1 (v) VALUES (?)'",
            "EXECUTE p1",
            "EXECUTE p1 USING @a",
            "DEALLOCATE PREPARE p1",
            "EXECUTE IMMEDIATE 'SELECT 1'",
            "EXECUTE IMMEDIATE 'DELETE FROM t1 WHERE id < 0'",
            "EXECUTE IMMEDIATE CONCAT('SELECT', ' 1')",
            "EXECUTE IMMEDIATE @a",
            "PREPARE p1 FROM @a",
        ],
    ),
    (
        "call",
        &[
            "CALL p_reads()",
            "CALL p_writes()",
            "CALL test.p_out(@a)",
            "CALL nowhere()",
        ],
    ),
    (
        "do",
        &[
            "DO 1",
            "DO SLEEP(0)",
            "DO <value>",
            "DO GET_LOCK('oracle', 0)",
        ],
    ),
    (
        "show",
        &[
            "SHOW TABLES",
            "SHOW DATABASES",
            "SHOW FULL COLUMNS FROM t1",
            "SHOW CREATE TABLE t1",
            "SHOW WARNINGS",
            "SHOW COUNT(*) ERRORS",
            "SHOW VARIABLES LIKE 'server_id'",
            "SHOW GLOBAL STATUS LIKE 'Uptime'",
            "SHOW INDEX FROM t1",
            "SHOW PROCESSLIST",
            "SHOW ENGINES",
            "SHOW GRANTS",
            "SHOW TABLE STATUS",
            "SHOW CREATE VIEW v1",
            "SHOW FUNCTION STATUS LIKE 'x'",
            "SHOW MASTER STATUS",
            "SHOW SLAVE STATUS",
            "SHOW BINARY LOGS",
            "SHOW PLUGINS",
            "SHOW TRIGGERS",
            "SHOW EVENTS",
            "SHOW PROFILES",
            "SHOW COLLATION",
        ],
    ),
    (
        "explain",
        &[
            "EXPLAIN <select>",
            "EXPLAIN EXTENDED <select>",
            "EXPLAIN FORMAT=JSON <select>",
            "EXPLAIN <update>",
            "EXPLAIN <delete>",
            "EXPLAIN <insert>",
            "ANALYZE <select>",
            "ANALYZE <update>",
            "ANALYZE FORMAT=JSON <delete>",
        ],
    ),
    (
        "describe",
        &[
            "DESCRIBE t1",
            "DESC t1 'v'",
            "EXPLAIN t1",
            "HELP 'SELECT'",
            "DESCRIBE <select>",
        ],
    ),
    (
        "handler",
        &[
            "HANDLER t1 OPEN",
            "HANDLER t1 READ FIRST",
            "HANDLER t1 READ `PRIMARY` = (1)",
            "HANDLER t1 CLOSE",
        ],
    ),
    (
        "lock",
        &[
            "LOCK TABLES t1 READ",
            "LOCK TABLES t1 WRITE",
            "LOCK TABLE t1 READ, t2 WRITE",
            "UNLOCK TABLES",
            "LOCK TABLES t1 READ LOCAL",
        ],
    ),
    (
        "table-work",
        &[
            "ANALYZE TABLE t3",
            "OPTIMIZE TABLE t3",
            "CHECK TABLE t1",
            "REPAIR TABLE t3",
            "CHECKSUM TABLE t1",
            "FLUSH TABLES",
            "FLUSH TABLE t1",
            "FLUSH STATUS",
            "FLUSH NO_WRITE_TO_BINLOG TABLES",
            "ANALYZE LOCAL TABLE t3",
        ],
    ),
    (
        "compound",
        &[
            "BEGIN NOT ATOMIC SELECT 1; END",
            "BEGIN NOT ATOMIC DELETE FROM t1 WHERE id < 0; END",
            "IF 1 THEN SELECT 1; END IF",
            "IF <value> THEN <update>; END IF",
            "WHILE 0 DO DELETE FROM t1; END WHILE",
            "REPEAT SELECT 1; UNTIL 1 END REPEAT",
            "BEGIN NOT ATOMIC DECLARE x INT DEFAULT 1; SET x = f_writes(x); END",
            "FOR i IN 1..2 DO SELECT i; END FOR",
        ],
    ),
    (
        "diagnostics",
        &[
            "GET DIAGNOSTICS @n = NUMBER",
            "GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT",
            "SIGNAL SQLSTATE '45000'",
            "RESIGNAL",
        ],
    ),
    (
        "account",
        &[
            "CREATE USER n10 IDENTIFIED BY 'x'",
            "DROP USER IF EXISTS n10",
            "GRANT SELECT ON test.* TO n10",
            "REVOKE SELECT ON test.* FROM n10",
            "ALTER USER CURRENT_USER IDENTIFIED BY 'x'",
            "CREATE ROLE n11",
            "RENAME USER n10 TO n12",
            "SET PASSWORD FOR n10 = PASSWORD('x')",
        ],
    ),
    (
        "other",
        &[
            "USE test",
            "USE `test`",
            "PURGE BINARY LOGS TO 'x'",
            "RESET QUERY CACHE",
            "CACHE INDEX t3 IN hot",
            "BINLOG 'x'",
            "SELECT",
            "SELEC 1",
            "INSERT",
            "",
            ";",
            "-- nothing",
            "/* nothing */",
            "GRANT",
            "KILL 0",
            "START SLAVE",
            "CHANGE MASTER TO MASTER_HOST='x'",
            "INSTALL SONAME 'x'",
            "SHUTDOWN WAIT FOR ALL SLAVES LATER",
        ],
    ),
    (
        "several",
        &[
            "<select>; <select>",
            "<select>; <update>",
            "SET @a = 1; <select>",
            "<insert>; SELECT LAST_INSERT_ID()",
            "BEGIN; <update>; ROLLBACK",
            "<select>;",
            ";; <select>",
            "<show>; <delete>",
        ],
    ),
    (
        "into",
        &[
            "SELECT id INTO @a FROM t1 LIMIT 1",
            "SELECT id, v FROM t1 LIMIT 1 INTO @a, @b",
            "SELECT id INTO OUTFILE '/nowhere/x' FROM t1",
            "SELECT id FROM t1 LIMIT 1 INTO DUMPFILE '/nowhere/x'",
            "SELECT f_writes(1) INTO @a",
        ],
    ),
    (
        "returning",
        &[
            "INSERT INTO t1 (v) VALUES (1) RETURNING id",
            "DELETE FROM t1 WHERE id < 0 RETURNING id",
            "REPLACE INTO t2 (id) VALUES (1) RETURNING v",
        ],
    ),
    (
        "statement-set",
        &[
            "SET STATEMENT max_statement_time = 5 FOR <select>",
            "SET STATEMENT max_statement_time = 5 FOR <update>",
            "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT \"id\" FROM t1",
        ],
    ),
    (
        "commented",
        &[
            "/*!50000 <select> */",
            "/*! <delete> */",
            "SELECT 1 /*!50001 + 1 */",
            "SELECT /*!99999 nothing */ 1",
            "/*M! <update> */",
            "/*M!100100 <insert> */",
            "SELECT 1 /*!50000 FROM t1 FOR UPDATE */",
            "/* c */ <select>",
            "# c\n<update>",
            "-- c\n<select>",
            "SELECT 1 -- c",
            "<select> /* ; DELETE FROM t1 */",
            "/*!50000 SELECT f_writes(1) */",
            "SELECT /*!50000 f_writes */ (1)",
            "/*!999999 DELETE FROM t1 */ SELECT 1",
        ],
    ),
];

/// Deepest nesting of rules; beyond it each rule gives its first alternative.
const MAX_DEPTH: usize = 8;

/// A statement of the grammar, with blanks, comments and letter case as chance has them.
pub(super) fn statement(random: &mut Random) -> String {
    let mut text = String::new();
    expand("<statement>", 0, random, &mut text);
    match random.below(6) {
        0 => respaced(&text, random),
        1 => recased(&text, random),
        _ => text,
    }
}

fn expand(template: &str, depth: usize, random: &mut Random, text: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let rule = after.split_once('>').and_then(|(name, after)| {
            let (_, alternatives) = RULES.iter().find(|(rule, _)| *rule == name)?;
            Some((alternatives, after))
        });
        match rule {
            Some((alternatives, after)) => {
                let choice = if depth > MAX_DEPTH {
                    alternatives[0]
                } else {
                    random.pick(alternatives)
                };
                expand(choice, depth + 1, random, text);
                rest = after;
            }
            // A comparison.
            None => {
                text.push('<');
                rest = after;
            }
        }
    }
    text.push_str(rest);
}

/// What may stand for a blank.
const SPACES: &[&str] = &["  ", "\t", "\n", "/**/ ", " /* ' */ ", "\r\n", " -- c\n "];

/// Other white space, or a comment, in place of some blanks outside quotes.
fn respaced(text: &str, random: &mut Random) -> String {
    let mut quote = None;
    let mut out = String::new();
    for char in text.chars() {
        match quote {
            Some(end) if char == end => quote = None,
            None if "'\"`".contains(char) => quote = Some(char),
            _ => {}
        }
        if char == ' ' && quote.is_none() && random.below(3) == 0 {
            out.push_str(SPACES[random.below(SPACES.len())]);
        } else {
            out.push(char);
        }
    }
    out
}

/// Upper and lower case letters as they come, outside quotes.
fn recased(text: &str, random: &mut Random) -> String {
    let mut quote = None;
    text.chars()
        .map(|char| {
            match quote {
                Some(end) if char == end => quote = None,
                None if "'\"`".contains(char) => quote = Some(char),
                _ => {}
            }
            match (quote, random.below(2)) {
                (None, 0) => char.to_ascii_lowercase(),
                (None, _) => char.to_ascii_uppercase(),
                _ => char,
            }
        })
        .collect()
}
