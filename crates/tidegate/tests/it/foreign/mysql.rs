//! MySQL: its servers behind the proxy, its client before it.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tidegate_testkit::mariadb::{Account, Product};
use tidegate_testkit::{Server, ServerGroup, Tidegate, wait_until};
use tokio::runtime::Runtime;

use super::{ask, ask_at, greets_as, mistyped};
use crate::greeting::Begun;
use crate::house::{Plan, wait_document};
use crate::killed::survive;
use crate::others;

/// A primary and two replicas, which tests use in turn.
static GROUP: LazyLock<ServerGroup> = LazyLock::new(|| {
    ServerGroup::builder()
        .product(Product::MySql)
        .replicas(2)
        .option("local_infile=1")
        .option("max_allowed_packet=64M")
        .start()
        .expect("MySQL servers")
});

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The primary's `server_id`.
const PRIMARY: u64 = 1;

const SHA2: &str = "authenticator=Sha2Auth\n";

/// Asks for the key that passwords are sealed with, as clients without TLS must.
const SEALED: &[&str] = &["--ssl-mode=DISABLED", "--get-server-public-key"];

fn plan(split: &str) -> Tidegate {
    let text = Plan::new(&GROUP).listener(SHA2).split(split).text();
    let read = "port=<port:read>\n";
    Tidegate::start(&text.replace(read, &format!("{read}{SHA2}"))).expect("tidegate")
}

fn app() -> &'static Account {
    &GROUP.accounts().app
}

/// A client of its own thread's making.
struct Client {
    runtime: Runtime,
    conn: Option<Conn>,
}

impl Client {
    fn connect(tidegate: &Tidegate, port: &str) -> Client {
        let options = others::opts(tidegate.address(port), app());
        let runtime = others::runtime();
        let conn = runtime.block_on(Conn::new(options));
        let conn = conn.unwrap_or_else(|error| panic!("{error}\n{}", tidegate.log()));
        Client {
            runtime,
            conn: Some(conn),
        }
    }

    fn conn(&mut self) -> (&Runtime, &mut Conn) {
        (&self.runtime, self.conn.as_mut().expect("a connection"))
    }

    fn run(&mut self, sql: &str) {
        let (runtime, conn) = self.conn();
        let done = runtime.block_on(conn.query_drop(sql));
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn row<T: mysql_async::prelude::FromRow + Send + 'static>(&mut self, sql: &str) -> T {
        let (runtime, conn) = self.conn();
        let row = runtime.block_on(conn.query_first(sql));
        row.unwrap_or_else(|error| panic!("{sql}: {error}"))
            .expect("a row")
    }

    /// By a prepared statement.
    fn exec<T: mysql_async::prelude::FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        n: u64,
    ) -> Option<T> {
        let (runtime, conn) = self.conn();
        let row = runtime.block_on(conn.exec_first(sql, (n,)));
        row.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn error(&mut self, sql: &str) -> u16 {
        let (runtime, conn) = self.conn();
        match runtime.block_on(conn.query_drop(sql)) {
            Err(mysql_async::Error::Server(error)) => error.code,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn quit(mut self) {
        if let Some(conn) = self.conn.take() {
            self.runtime
                .block_on(conn.disconnect())
                .expect("a good-bye");
        }
    }
}

fn table(name: &str) {
    let sql = format!(
        "DROP TABLE IF EXISTS test.{name}; \
         CREATE TABLE test.{name} (id BIGINT PRIMARY KEY AUTO_INCREMENT, v INT)"
    );
    GROUP.primary().sql(&sql).expect("a table");
    GROUP.wait_replicated().expect("replicas that caught up");
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn its_client_logs_in() {
    let _turn = turn();
    let who = "SELECT CURRENT_USER()";
    for (listener, options) in [
        (SHA2.to_owned(), SEALED),
        // Greeted with a plugin that it does not know.
        ("authenticator=MariaDBAuth,Sha2Auth\n".to_owned(), SEALED),
        (format!("{SHA2}ssl=true\n"), &["--ssl-mode=REQUIRED"][..]),
    ] {
        let tidegate = Plan::new(&GROUP).listener(&listener).start();
        let ask = |account: &Account| ask(Product::MySql, &tidegate, account, options, who);
        // The second time the password is recalled.
        for _ in 0..2 {
            assert_eq!(ask(app()).as_deref(), Ok("app@%"), "{}", tidegate.log());
        }
        let wrong = ask(&mistyped(app())).expect_err("a wrong password");
        let denied =
            "ERROR 1045 (28000): Access denied for user 'app'@'127.0.0.1' (using password: YES)";
        assert!(wrong.contains(denied), "{wrong}");
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn its_client_compresses_and_sends_attributes() {
    let _turn = turn();
    let tidegate = plan("");
    for method in ["zlib", "zstd"] {
        let compression = format!("--compression-algorithms={method}");
        let options = [SEALED, &[&compression]].concat();
        let said = ask(
            Product::MySql,
            &tidegate,
            app(),
            &options,
            "SELECT LENGTH(REPEAT('x', 1000000)), REPEAT('y', 200000)",
        );
        let said = said.expect("rows");
        assert!(said.starts_with("1000000\ty"), "{}", tidegate.log());
        assert_eq!(said.len(), "1000000\t".len() + 200_000);
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn its_servers_compress() {
    let _turn = turn();
    for method in ["zlib", "zstd"] {
        let tidegate = Plan::new(&GROUP)
            .listener(SHA2)
            .every_server(&format!("compression={method}\n"))
            .start();
        let mut client = Client::connect(&tidegate, "rw");
        let (name, used): (String, String) =
            client.row("SHOW SESSION STATUS LIKE 'Compression_algorithm'");
        assert_eq!((&*name, &*used), ("Compression_algorithm", method));
        for length in [1, 1000, 200_000, 5 << 20, 17 << 20] {
            let sql = format!("SELECT LENGTH('{}')", "x".repeat(length));
            assert_eq!(client.row::<usize>(&sql), length);
            let text: Option<String> = client.exec("SELECT REPEAT('r', ?)", length as u64);
            assert_eq!(text.map(|text| text.len()), Some(length));
        }
        client.quit();
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn reads_are_split_from_writes() {
    let _turn = turn();
    table("split");
    for port in ["rw", "read"] {
        let tidegate = plan("");
        wait_document(&tidegate, "/v1/servers/primary", |server| {
            server["data"]["attributes"]["state"] == "Master, Running"
        });
        let mut client = Client::connect(&tidegate, port);
        client.run("SET @x = 'state', NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci");
        let read = "SELECT @@server_id, @x, @@collation_connection";
        let (place, state, collation): (u64, String, String) = client.row(read);
        assert_ne!(place, PRIMARY);
        assert_eq!((&*state, &*collation), ("state", "utf8mb4_0900_ai_ci"));
        let prepared: Option<(u64, u64)> = client.exec("SELECT @@server_id, ?", 7);
        assert!(matches!(prepared, Some((place, 7)) if place != PRIMARY));
        if port == "rw" {
            client.run("INSERT INTO split (v) VALUES (1), (2)");
            let id: u64 = client.row("SELECT LAST_INSERT_ID()");
            assert!(id > 0);
            client.run("BEGIN");
            assert_eq!(client.row::<u64>("SELECT @@server_id"), PRIMARY);
            client.run("COMMIT");
        } else {
            assert_eq!(client.error("INSERT INTO split (v) VALUES (1)"), 1290);
        }
        client.quit();
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn another_account_takes_a_connection_over() {
    let _turn = turn();
    let other = GROUP
        .create_account("other", "SELECT ON test.*")
        .expect("an account");
    let tidegate = plan("");
    let mut client = Client::connect(&tidegate, "rw");
    client.run("SET @x = 1");
    let change = mysql_async::ChangeUserOpts::default()
        .with_user(Some(other.user.clone()))
        .with_pass(Some(other.password))
        .with_db_name(Some("test".to_owned()));
    let (runtime, conn) = client.conn();
    runtime
        .block_on(conn.change_user(change))
        .unwrap_or_else(|error| panic!("{error}\n{}", tidegate.log()));
    let who: (String, Option<String>, String) = client.row("SELECT CURRENT_USER(), @x, DATABASE()");
    assert_eq!(who, ("other@%".to_owned(), None, "test".to_owned()));
    client.quit();
}

/// Replicas apply nothing while it lives.
struct Standstill;

impl Standstill {
    fn begin() -> Standstill {
        for replica in GROUP.replicas() {
            replica.sql("STOP REPLICA SQL_THREAD").expect("stopped");
        }
        Standstill
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        for replica in GROUP.replicas() {
            // What went wrong before is told by the test.
            let _ = replica.sql("START REPLICA SQL_THREAD");
        }
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn reads_see_the_writes_before_them_in_every_mode() {
    let _turn = turn();
    table("causal");
    let mut rows = 0;
    for mode in [
        "local",
        "global",
        "universal",
        "fast",
        "fast_global",
        "fast_universal",
    ] {
        let tidegate = plan(&format!("causal_reads={mode}\ncausal_reads_timeout=60s\n"));
        let mut writer = Client::connect(&tidegate, "rw");
        let mut other = Client::connect(&tidegate, "rw");
        let everybody = !matches!(mode, "local" | "fast");
        let mut places = Vec::new();
        for _ in 0..100 {
            writer.run("INSERT INTO causal (v) VALUES (1)");
            rows += 1;
            let reader = if everybody { &mut other } else { &mut writer };
            let count = "SELECT COUNT(*), @@server_id FROM causal";
            let (seen, place): (u64, u64) = reader.row(count);
            assert_eq!(seen, rows, "{mode} on {place}");
            let prepared = "SELECT COUNT(*), @@server_id FROM causal WHERE v = ?";
            let (seen, other): (u64, u64) = reader.exec(prepared, 1).expect("a row");
            assert_eq!(seen, rows, "{mode} on {other}, prepared");
            places.extend([place, other]);
        }
        let replicas = places.iter().filter(|place| **place != PRIMARY).count();
        let fast = mode.starts_with("fast");
        assert!(
            fast || replicas * 10 >= places.len() * 8,
            "{mode}: {places:?}"
        );
        writer.quit();
        other.quit();
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn a_read_that_waits_in_vain_goes_to_the_primary() {
    let _turn = turn();
    table("vain");
    let tidegate = plan("causal_reads=local\ncausal_reads_timeout=1s\n");
    let mut client = Client::connect(&tidegate, "rw");
    let standstill = Standstill::begin();
    client.run("INSERT INTO vain (v) VALUES (1)");
    for _ in 0..2 {
        let (seen, place): (u64, u64) = client.row("SELECT COUNT(*), @@server_id FROM vain");
        assert_eq!((seen, place), (1, PRIMARY));
        let row = client.exec("SELECT COUNT(*), @@server_id FROM vain WHERE v = ?", 1);
        assert_eq!(row, Some((1u64, PRIMARY)));
    }
    drop(standstill);
    wait_until("reads on replicas", || {
        let (seen, place): (u64, u64) = client.row("SELECT COUNT(*), @@server_id FROM vain");
        assert_eq!(seen, 1);
        place != PRIMARY
    })
    .expect("a replica that caught up");
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn a_client_that_wants_no_positions_told_does_not_blind_the_proxy() {
    let _turn = turn();
    table("told");
    let tidegate = plan("causal_reads=local\n");
    let mut client = Client::connect(&tidegate, "rw");
    for (rows, level) in (1u64..).zip(["OFF", "DEFAULT", "ALL_GTIDS", "OFF"]) {
        client.run(&format!("SET session_track_gtids = {level}"));
        client.run("INSERT INTO told (v) VALUES (1)");
        let (seen, place): (u64, u64) = client.row("SELECT COUNT(*), @@server_id FROM told");
        assert_eq!(seen, rows, "{level}");
        assert_ne!(place, PRIMARY, "{level}");
    }
    client.quit();
}

/// Takes a server's place in the group again.
fn bring_back(server: &Server) {
    server.restart().expect("a server that is back");
    GROUP.wait_replicated().expect("replicas that caught up");
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn a_session_outlives_its_replica_and_a_transaction_its_connection() {
    let _turn = turn();
    table("lives");
    let tidegate = plan(
        "transaction_replay=true\ndelayed_retry=true\nmaster_failure_mode=fail_on_write\n\
         causal_reads=local\n",
    );
    let mut client = Client::connect(&tidegate, "rw");
    client.run("SET @x = 5");
    let place: u64 = client.row("SELECT @@server_id");
    let replica = &GROUP.servers()[place as usize - 1];
    replica.kill().expect("killed");
    let (other, state): (u64, u64) = client.row("SELECT @@server_id, @x");
    assert_eq!(state, 5);
    assert_ne!(other, place);
    bring_back(replica);
    client.run("BEGIN");
    client.run("INSERT INTO lives (v) VALUES (1)");
    assert_eq!(client.row::<u64>("SELECT COUNT(*) FROM lives"), 1);
    GROUP.primary().kill().expect("killed");
    GROUP.primary().restart().expect("a primary that is back");
    client.run("INSERT INTO lives (v) VALUES (@x)");
    client.run("COMMIT");
    let sum: (u64, u64) = client.row("SELECT COUNT(*), CAST(SUM(v) AS UNSIGNED) FROM lives");
    assert_eq!(sum, (2, 6), "{}", tidegate.log());
    client.quit();
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn its_client_logs_in_over_a_socket() {
    let _turn = turn();
    let local = format!(
        "[Local]\ntype=listener\nservice=RW-Split-Router\nsocket=<folder>/mysql.sock\n{SHA2}"
    );
    let tidegate = Plan::new(&GROUP).listener(SHA2).more(&local).start();
    let place = format!(
        "--socket={}",
        tidegate.folder().join("mysql.sock").display()
    );
    let who = "SELECT CURRENT_USER()";
    let ask = |account: &Account| ask_at(Product::MySql, &place, account, &[], who);
    for _ in 0..2 {
        assert_eq!(ask(app()).as_deref(), Ok("app@%"), "{}", tidegate.log());
    }
    let wrong = ask(&mistyped(app())).expect_err("a wrong password");
    assert!(
        wrong.contains("'app'@'localhost' (using password: YES)"),
        "{wrong}"
    );
}

/// What of an error counts: all but its warning of passwords on command lines.
fn verdict(said: Result<String, String>) -> String {
    let error = match said {
        Ok(said) => return said,
        Err(error) => error,
    };
    let mut lines = error.lines().filter(|line| line.starts_with("ERROR"));
    lines.next().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn who_may_log_in_to_a_database_by_a_role_is_what_the_server_says() {
    let _turn = turn();
    let primary = GROUP.primary();
    let accounts: Vec<Account> = [
        "direct", "one", "several", "inactive", "nested", "hosted", "global", "tabled", "borrows",
    ]
    .map(|name| Account::random(name).expect("a password"))
    .to_vec();
    let create: String = accounts.iter().map(Account::create).collect();
    let roles = format!(
        "CREATE DATABASE roles_a; CREATE DATABASE roles_b; CREATE TABLE roles_a.t (n INT); {create}
         CREATE ROLE reader, writer, 'outer', far@localhost, everywhere, peeps;
         GRANT SELECT ON roles_a.* TO direct, reader, far@localhost; GRANT INSERT ON roles_b.* TO writer;
         GRANT SELECT ON *.* TO everywhere; GRANT SELECT ON roles_a.t TO peeps;
         GRANT reader TO 'outer', one, several, inactive; GRANT writer TO several;
         GRANT 'outer' TO nested; GRANT far@localhost TO hosted; GRANT everywhere TO global;
         GRANT peeps TO tabled; GRANT direct TO borrows;
         SET DEFAULT ROLE ALL TO one, several, nested, hosted, global, tabled, borrows;"
    );
    primary.sql(&roles).expect("roles");
    let direct = format!("--port={}", primary.port());
    for settings in [
        "",
        "SET GLOBAL mandatory_roles = 'writer'",
        "SET GLOBAL activate_mandatory_roles = OFF",
        "SET GLOBAL activate_all_roles_on_login = ON",
    ] {
        primary.sql(settings).expect("set");
        let tidegate = plan("");
        for account in &accounts {
            for database in ["roles_a", "roles_b", "roles_c"] {
                let options = [SEALED, &["--database", database]].concat();
                let sql = "SELECT DATABASE()";
                let server = ask_at(Product::MySql, &direct, account, &options, sql);
                let proxy = ask(Product::MySql, &tidegate, account, &options, sql);
                let who = format!("{} in {database}, {settings}", account.user);
                assert_eq!(verdict(proxy), verdict(server), "{who}: {}", tidegate.log());
            }
        }
    }
    primary
        .sql(
            "SET GLOBAL mandatory_roles = '', activate_mandatory_roles = ON,
                 activate_all_roles_on_login = OFF;",
        )
        .expect("as before");
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn a_session_whose_connections_are_cut_anywhere_gets_right_answers_or_a_clear_error() {
    for lines in ["", "transaction_replay=true\ndelayed_retry=true\n"] {
        let group = ServerGroup::builder()
            .product(Product::MySql)
            .replicas(2)
            .start()
            .expect("MySQL servers");
        let tally = survive(&group, SHA2, lines, 50, |tidegate| {
            let app = &group.accounts().app;
            let said = ask(Product::MySql, tidegate, app, SEALED, "SELECT 1");
            assert_eq!(said.as_deref(), Ok("1"), "{}", tidegate.log());
        });
        assert!(tally.answers > 5 * tally.cuts, "{tally:?}");
    }
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn clients_are_greeted_as_by_its_servers() {
    // Definitions that may be left out, attributes of statements, several factors: what the proxy does not
    // know. The last says nothing (CLIENT_SSL_VERIFY_SERVER_CERT).
    const UNKNOWN: u32 = 1 << 25 | 1 << 27 | 1 << 28 | 1 << 30;
    let _turn = turn();
    let listener = format!("{SHA2}ssl=true\n");
    let tidegate = Plan::new(&GROUP).listener(&listener).start();
    greets_as(&tidegate, GROUP.primary(), UNKNOWN);
}

#[test]
#[ignore = "needs `cargo xtask test --foreign`"]
fn clients_are_told_variables_by_the_names_they_have_there() {
    let _turn = turn();
    let tidegate = plan("");
    let said = ask(Product::MySql, &tidegate, app(), SEALED, "SELECT 1");
    assert_eq!(said.as_deref(), Ok("1"), "{}", tidegate.log());
    let told = Begun::told(app(), tidegate.address("rw"));
    assert_eq!(told["transaction_isolation"], "REPEATABLE-READ");
    assert!(!told.contains_key("tx_isolation"));
}
