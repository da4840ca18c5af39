//! MariaDB's own programs on the command line.

use std::path::Path;
use std::process::{Command, Stdio};

use tidegate_testkit::mariadb::find_program;

use crate::stage::{Stage, WAYS, Way, stage};

const DATABASE: &str = "clients_command_line";
const RESTORED: &str = "clients_command_line_restored";

/// What a dump has to carry.
const CONTENT: &str = r#"
CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(20) DEFAULT 'ä' COMMENT 'it''s') COMMENT='two\nlines';
CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, parent INT, bytes BLOB,
  FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'one'), (2, NULL), (3, '\'"');
INSERT INTO parent SELECT seq, REPEAT('n', 20) FROM seq_10_to_5000;
INSERT INTO child (parent, bytes) SELECT id, UNHEX(MD5(id)) FROM parent ORDER BY id;
CREATE VIEW names AS SELECT name FROM parent WHERE id < 3;
DELIMITER //
CREATE TRIGGER upper BEFORE INSERT ON child FOR EACH ROW BEGIN SET NEW.bytes = UPPER(NEW.bytes); END//
CREATE PROCEDURE twice(IN n INT) BEGIN SELECT n; SELECT n * 2; END//
CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1//
DELIMITER ;
"#;

/// A program that goes a way, in batch mode or whatever else it has.
fn program(stage: &Stage, way: Way, names: &[&str]) -> Command {
    let mut command = Command::new(find_program(names).expect("MariaDB's programs"));
    command
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1"])
        .arg(format!("--port={}", stage.address(way).port()))
        .arg(format!("--user={}", stage.account.user))
        .arg(format!("--password={}", stage.account.password))
        .arg("--default-character-set=utf8mb4");
    command
}

/// What it prints, its errors among it, with `input` to read.
fn said(command: &mut Command, input: &str) -> String {
    use std::io::Write as _;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input");
    let text = input.to_owned();
    // It may say more than a pipe holds before it has read everything.
    let writer = std::thread::spawn(move || {
        // What it does not read, its exit status tells of.
        let _ = stdin.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("written");
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    format!("{text}\n{errors}\n{}", output.status)
}

/// Runs it on all ways; each must say what it says without a proxy. Returns that.
fn same(what: &str, run: impl Fn(Way) -> String) -> String {
    let [direct, routed @ ..] = WAYS.map(run);
    for (way, answer) in WAYS[1..].iter().zip(routed) {
        let lines = direct.lines().zip(answer.lines());
        let first = lines.filter(|(one, two)| one != two).take(3);
        let first: Vec<String> = first
            .map(|(one, two)| format!("  {one}\n  {two}"))
            .collect();
        assert!(
            direct == answer,
            "{what} by {way:?} says something else, first:\n{}",
            first.join("\n")
        );
    }
    direct
}

fn dump(stage: &Stage, way: Way, database: &str) -> String {
    let mut command = program(stage, way, &["mariadb-dump", "mysqldump"]);
    command
        .args(["--routines", "--triggers", "--single-transaction"])
        .args(["--skip-dump-date", "--skip-comments", database]);
    said(&mut command, "")
}

const CLIENT: [&str; 2] = ["mariadb", "mysql"];

#[test]
fn dumps_are_the_same_and_can_be_restored_by_every_way() {
    let stage = stage();
    stage.empty(&[DATABASE]);
    let filled = said(program(stage, Way::Direct, &CLIENT).arg(DATABASE), CONTENT);
    assert!(filled.ends_with("exit status: 0"), "{filled}");
    stage.group.wait_replicated().expect("on the replicas");
    let original = same("mariadb-dump", |way| dump(stage, way, DATABASE));
    assert!(original.ends_with("exit status: 0"), "{original}");
    assert!(original.matches("INSERT INTO").count() >= 2, "{original}");
    assert!(original.contains("FUNCTION `one`()"), "{original}");
    let text = original.split("\n\nexit status").next().expect("the dump");
    let restored = same("mariadb with a dump", |way| {
        stage.empty(&[RESTORED]);
        let said = said(program(stage, way, &CLIENT).arg(RESTORED), text);
        stage.group.wait_replicated().expect("on the replicas");
        said + &dump(stage, Way::Direct, RESTORED)
    });
    let renamed = restored.replace(RESTORED, DATABASE);
    assert!(renamed.ends_with(&original), "{restored}");
}

/// What a person types, with tables drawn around the answers.
const SESSION: &str = r"
SELECT 1, 'zwölf', NULL;
SHOW DATABASES LIKE 'clients\_command\_line\_typed';
USE clients_command_line_typed
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(30));
BEGIN;
INSERT INTO t (name) VALUES ('one'), ('two');
SELECT * FROM t;
SELECT * FROM t\G
UPDATE t SET name = 'both';
SELECT id, name FROM t;
SELECT id FROM t WHERE id > 5;
SELECT * FROM missing;
warnings
SELECT 1/0;
nowarning
DESCRIBE t;
SHOW CREATE TABLE t;
EXPLAIN SELECT * FROM t;
delimiter //
CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2, 3; END//
CALL p()//
delimiter ;
SELECT SLEEP(0);
SET @a = 5;
SELECT @a;
use no_such_database_for_them
COMMIT;
use clients_command_line_typed
SELECT DATABASE();
resetconnection
SELECT @a;
DROP TABLE t;
";

#[test]
fn a_session_of_the_client_looks_the_same() {
    let stage = stage();
    let database = "clients_command_line_typed";
    let text = same("mariadb", |way| {
        stage.empty(&[database]);
        let mut command = program(stage, way, &CLIENT);
        command.args([
            "--force",
            "--table",
            "--verbose",
            "--verbose",
            "--unbuffered",
        ]);
        said(&mut command, SESSION)
    });
    assert!(text.contains("| both |"), "{text}");
    assert!(text.contains("Query OK, 2 rows affected"), "{text}");
    assert!(text.contains("ERROR 1146 (42S02)"), "{text}");
}

#[test]
fn the_other_programs_do_the_same_work() {
    let stage = stage();
    let database = "clients_command_line_tools";
    let file = stage.files.join("rows.tsv");
    let table: &Path = &stage.files.join("imported.txt");
    std::fs::copy(file, table).expect("a file named as the table");
    let create = "CREATE TABLE imported (a INT PRIMARY KEY, b VARCHAR(20))";
    let text = same("the other programs", |way| {
        stage.empty(&[database]);
        stage
            .group
            .primary()
            .sql(&format!("USE {database}; {create}"))
            .expect("a table");
        stage.group.wait_replicated().expect("on the replicas");
        let run = |names: &[&str], arguments: &[&str]| {
            let mut command = program(stage, way, names);
            let said = said(command.args(arguments), "");
            stage.group.wait_replicated().expect("on the replicas");
            said
        };
        let path = table.display().to_string();
        [
            run(
                &["mariadb-import", "mysqlimport"],
                &["--local", "--verbose", database, &path],
            ),
            run(
                &["mariadb-import", "mysqlimport"],
                &["--local", "--replace", database, &path],
            ),
            run(&["mariadb-show", "mysqlshow"], &["--count", database]),
            run(&["mariadb-show", "mysqlshow"], &[database, "imported"]),
            run(&["mariadb-check", "mysqlcheck"], &["--analyze", database]),
            run(&["mariadb-admin", "mysqladmin"], &["ping"]),
            run(
                &["mariadb-slap", "mysqlslap"],
                &["--query=SELECT 1", "--silent", "--only-print"],
            ),
        ]
        .join("\n")
    });
    assert!(text.contains("Records: 3000"), "{text}");
    assert!(text.contains("mysqld is alive"), "{text}");
}
