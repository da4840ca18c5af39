//! More sessions than connections, through both routers: whatever a session has made of its state, it
//! finds after every hand-over, and never anything of another's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tidegate_testkit::raw::RawClient;
use tidegate_testkit::{Count, Tidegate};

use crate::house::{Plan, connect, document, group, run, value};

/// Connections to the server.
const LIMIT: u64 = 3;
/// Sessions over them.
const SESSIONS: u64 = 20;
/// No such table.
const NO_TABLE: u16 = 1146;

/// Everything of a session that a hand-over might lose or mix up.
const FINGERPRINT: &str = "SELECT CONCAT_WS('|', @mine, @@sql_mode, @@character_set_client, \
     @@collation_connection, DATABASE(), @@time_zone, @@autocommit + 0, @@tx_isolation, \
     @@in_transaction + 0, @@lock_wait_timeout, @@sql_select_limit)";

/// What a session has made of its state.
struct Mine {
    client: RawClient,
    /// Locks are the server's, which others use too.
    port: &'static str,
    number: u64,
    dice: u64,
    variable: String,
    sql_mode: &'static str,
    names: (&'static str, &'static str),
    database: &'static str,
    time_zone: &'static str,
    isolation: &'static str,
    lock_wait: u64,
    limit: u64,
    statement: u32,
}

impl Mine {
    fn new(tidegate: &Tidegate, port: &'static str, number: u64) -> Mine {
        let mut client = connect(tidegate, port);
        run(&mut client, "SET @mine = 'new'");
        run(
            &mut client,
            "SET NAMES latin1, sql_mode = '', time_zone = '+00:00'",
        );
        run(
            &mut client,
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        );
        run(
            &mut client,
            "SET lock_wait_timeout = 50, sql_select_limit = 1000",
        );
        let text = "SELECT CONCAT(@mine, '-', ?, '-', @@sql_mode)";
        let statement = client.prepare(text).expect("prepared");
        Mine {
            client,
            port,
            number,
            dice: number + 1,
            variable: "new".to_owned(),
            sql_mode: "",
            names: ("latin1", "latin1_swedish_ci"),
            database: "test",
            time_zone: "+00:00",
            isolation: "REPEATABLE-READ",
            lock_wait: 50,
            limit: 1000,
            statement,
        }
    }

    /// A number below `sides`; the same sequence for the same session in every run.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len() as u64) as usize]
    }

    fn fingerprint(&self) -> String {
        format!(
            "{}|{}|{}|{}|{}|{}|1|{}|0|{}|{}",
            self.variable,
            self.sql_mode,
            self.names.0,
            self.names.1,
            self.database,
            self.time_zone,
            self.isolation,
            self.lock_wait,
            self.limit
        )
    }

    fn step(&mut self) {
        match self.roll(16) {
            0 => {
                let value = self.roll(1_000_000);
                self.variable = format!("{}:{value}", self.number);
                let text = format!("SET @mine = '{}'", self.variable);
                run(&mut self.client, &text);
            }
            1 => {
                self.sql_mode = self.pick(&["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"]);
                let text = format!("SET SESSION sql_mode = '{}'", self.sql_mode);
                run(&mut self.client, &text);
            }
            2 => {
                self.names = self.pick(&[
                    ("latin1", "latin1_swedish_ci"),
                    ("utf8mb4", "utf8mb4_bin"),
                    ("utf8mb3", "utf8mb3_unicode_ci"),
                ]);
                let text = format!("SET NAMES {} COLLATE {}", self.names.0, self.names.1);
                run(&mut self.client, &text);
            }
            3 => {
                self.database = self.pick(&["test", "information_schema"]);
                let text = format!("USE {}", self.database);
                run(&mut self.client, &text);
            }
            4 => {
                self.time_zone = self.pick(&["+00:00", "+05:30", "-08:00"]);
                let text = format!("SET time_zone = '{}'", self.time_zone);
                run(&mut self.client, &text);
            }
            5 => {
                self.isolation = self.pick(&["READ-COMMITTED", "REPEATABLE-READ"]);
                let text = format!(
                    "SET SESSION TRANSACTION ISOLATION LEVEL {}",
                    self.isolation.replace('-', " ")
                );
                run(&mut self.client, &text);
            }
            6 => {
                (self.lock_wait, self.limit) = (self.roll(100) + 1, self.roll(100) + 100);
                let text = format!(
                    "SET lock_wait_timeout = {}, @@SESSION.sql_select_limit = {}",
                    self.lock_wait, self.limit
                );
                run(&mut self.client, &text);
            }
            7 => self.transact(),
            8 => self.use_temporary_table(),
            9 => self.lock(),
            10 | 11 => self.execute(),
            _ => {}
        }
        let found = value(&mut self.client, FINGERPRINT);
        assert_eq!(found, self.fingerprint(), "session {}", self.number);
    }

    fn execute(&mut self) {
        let reply = self
            .client
            .execute(self.statement, &["x"])
            .expect("a reply");
        let expect = format!("{}-x-{}", self.variable, self.sql_mode);
        let text = format!("{reply:?}");
        let bytes = format!("{:?}", expect.as_bytes());
        let inner = bytes.trim_matches(|c| c == '[' || c == ']');
        assert!(
            text.contains(&expect) || text.contains(inner),
            "{expect}: {text}"
        );
    }

    fn transact(&mut self) {
        run(&mut self.client, "BEGIN");
        assert_eq!(value(&mut self.client, "SELECT @@in_transaction + 0"), "1");
        run(&mut self.client, "COMMIT");
    }

    /// All sessions give their table the same name.
    fn use_temporary_table(&mut self) {
        let reply = self
            .client
            .query("SELECT n FROM test.of_mine")
            .expect("a reply");
        assert_eq!(reply.error_code(), Some(NO_TABLE), "{reply:?}");
        let number = self.number;
        run(
            &mut self.client,
            "CREATE TEMPORARY TABLE test.of_mine (n INT)",
        );
        let insert = format!("INSERT INTO test.of_mine VALUES ({number})");
        run(&mut self.client, &insert);
        let read = "SELECT CONCAT(n, '') FROM test.of_mine";
        assert_eq!(value(&mut self.client, read), number.to_string());
        run(&mut self.client, "DROP TEMPORARY TABLE test.of_mine");
    }

    fn lock(&mut self) {
        let name = format!("{}-{}", self.port, self.number);
        let mut say = |text: String| value(&mut self.client, &text);
        assert_eq!(say(format!("SELECT IS_FREE_LOCK('{name}')")), "1");
        assert_eq!(say(format!("SELECT GET_LOCK('{name}', 5)")), "1");
        assert_eq!(say(format!("SELECT IS_FREE_LOCK('{name}')")), "0");
        assert_eq!(say("SELECT RELEASE_ALL_LOCKS()".to_owned()), "1");
    }
}

fn start() -> Tidegate {
    let server =
        format!("max_routing_connections={LIMIT}\npersistpoolmax={LIMIT}\npersistmaxtime=300s\n");
    let sharing = "idle_session_pool_time=0ms\nmultiplex_timeout=300s\n";
    let text = Plan::new(group())
        .only(&[group().primary().name()])
        .every_server(&server)
        .split(&format!("{sharing}lazy_connect=true\n"))
        .read(&format!("{sharing}router_options=master\n"))
        .text()
        .replace("threads=2\n", "threads=1\n");
    Tidegate::start(&text).expect("tidegate")
}

/// How often a connection went to another session so far.
fn hand_overs(tidegate: &Tidegate) -> u64 {
    let server = document(tidegate, "/v1/servers/primary");
    let reused = &server["data"]["attributes"]["statistics"]["reused_connections"];
    reused.as_u64().expect("a figure")
}

fn check(port: &'static str) {
    let tidegate = start();
    let mut count = Count::of("TIDEGATE_HAND_OVERS", 3000);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|number| {
                let (tidegate, enough) = (&tidegate, &enough);
                scope.spawn(move || {
                    let mut mine = Mine::new(tidegate, port, number);
                    while !enough.load(Ordering::Relaxed) {
                        (0..20).for_each(|_| mine.step());
                    }
                })
            })
            .collect();
        while hand_overs(&tidegate) < count.total()
            && !sessions.iter().any(|session| session.is_finished())
        {
            count.progress(hand_overs(&tidegate));
            thread::yield_now();
        }
        enough.store(true, Ordering::Relaxed);
    });
    assert!(hand_overs(&tidegate) >= count.total(), "a session ended");
}

#[test]
fn sessions_of_readwritesplit_see_nothing_of_each_other() {
    check("rw");
}

#[test]
fn sessions_of_readconnroute_see_nothing_of_each_other() {
    check("read");
}
