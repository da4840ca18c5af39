//! Reads that see the writes before them although the replicas lag.

use std::sync::LazyLock;

use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply, take_lenenc_bytes};
use tidegate_testkit::{Count, Server, ServerGroup, Tidegate, wait_until};

use crate::house::{Plan, document, run, value};
use crate::readwritesplit::PRIMARY;

/// A primary and two replicas whose replication tests stop and start.
pub(crate) static LAGGING: LazyLock<ServerGroup> =
    LazyLock::new(|| ServerGroup::start(2).expect("a server group"));

/// One at a time: what one test does to the replicas another would feel.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Replicas receive and apply nothing while it lives, but go on to replicate as far as a monitor can
/// tell, and can be read.
pub(crate) struct Standstill {
    holders: Vec<RawClient>,
}

impl Standstill {
    pub(crate) fn begin() -> Standstill {
        Standstill::of(LAGGING.replicas())
    }

    /// The others go on.
    pub(crate) fn of(replicas: &[Server]) -> Standstill {
        let login = Login::new(&LAGGING.accounts().admin);
        let hold = |replica: &Server| {
            let mut holder = RawClient::connect(replica.address(), &login).expect("a login");
            run(&mut holder, "FLUSH TABLES WITH READ LOCK");
            holder
        };
        Standstill {
            holders: replicas.iter().map(hold).collect(),
        }
    }

    pub(crate) fn end(self) {
        for mut holder in self.holders {
            run(&mut holder, "UNLOCK TABLES");
        }
        LAGGING.wait_replicated().expect("replicas that caught up");
    }
}

fn start(lines: &str) -> Tidegate {
    Plan::new(&LAGGING).split(lines).start()
}

fn client(tidegate: &Tidegate, capabilities: u32) -> RawClient {
    let login = Login::new(&LAGGING.accounts().app)
        .database("test")
        .capabilities(capabilities);
    RawClient::connect(tidegate.address("rw"), &login).expect("a login")
}

/// A table of its own for a test, known to all servers.
pub(crate) fn table(name: &str) {
    let sql =
        format!("CREATE OR REPLACE TABLE test.{name} (id INT PRIMARY KEY AUTO_INCREMENT, v INT)");
    LAGGING.primary().sql(&sql).expect("a table");
    LAGGING.wait_replicated().expect("replicas that caught up");
}

/// The number of rows and where they were counted.
fn count(client: &mut RawClient, table: &str) -> (String, String) {
    let sql = format!("SELECT COUNT(*), @@server_id FROM {table}");
    row(client.query(&sql).expect("a reply"))
}

fn row(reply: Reply) -> (String, String) {
    let mut row = reply.text_rows().expect("a row").remove(0).into_iter();
    let mut next = || row.next().flatten().unwrap_or_default();
    (next(), next())
}

/// The two texts of a binary row: a header, no nulls, the fields.
fn binary_row(reply: &Reply) -> (String, String) {
    let Reply::Rows { rows, .. } = reply else {
        panic!("{reply:?}");
    };
    let mut rest = &rows[0][2..];
    let mut next = || {
        let field = take_lenenc_bytes(&mut rest).expect("a field");
        String::from_utf8_lossy(field).into_owned()
    };
    (next(), next())
}

#[test]
fn a_session_sees_its_own_writes_on_replicas() {
    let _turn = turn();
    table("own");
    let tidegate = start("causal_reads=local\n");
    for (round, capabilities) in [(0, 0), (1, CLIENT_MULTI_STATEMENTS)] {
        let mut client = client(&tidegate, capabilities);
        let mut places = std::collections::BTreeSet::new();
        for n in 1..=50 {
            run(&mut client, "INSERT INTO own (v) VALUES (1)");
            let (seen, place) = count(&mut client, "own");
            assert_eq!(seen, (round * 50 + n).to_string());
            places.insert(place);
        }
        assert!(!places.contains(PRIMARY), "{places:?}");
    }
}

#[test]
fn a_client_does_not_gain_several_statements_by_its_waits() {
    let _turn = turn();
    table("single");
    let tidegate = start("causal_reads=local\n");
    let mut client = client(&tidegate, 0);
    for n in 1..=3 {
        run(&mut client, "INSERT INTO single (v) VALUES (1)");
        let (seen, place) = count(&mut client, "single");
        assert_eq!(seen, n.to_string());
        assert_ne!(place, PRIMARY);
        // Text that the server has to read, and several statements, which it refuses.
        assert_eq!(
            value(&mut client, "SELECT 'a;b' FROM single LIMIT 1"),
            "a;b"
        );
        let several = client.query("SELECT 1; SELECT 2").expect("a reply");
        assert_eq!(several.error_code(), Some(1064), "{several:?}");
        let hidden = "SELECT 1 FROM single LIMIT 1; INSERT INTO single (v) VALUES (9)";
        let hidden = client.query(hidden).expect("a reply");
        assert_eq!(hidden.error_code(), Some(1064), "{hidden:?}");
    }
}

#[test]
fn a_write_that_does_not_arrive_in_time_is_read_from_the_primary() {
    let _turn = turn();
    table("late");
    let tidegate = start("causal_reads=local\ncausal_reads_timeout=1s\n");
    for capabilities in [0, CLIENT_MULTI_STATEMENTS] {
        let mut client = client(&tidegate, capabilities);
        run(&mut client, "DELETE FROM late");
        LAGGING.wait_replicated().expect("replicas that caught up");
        assert_ne!(count(&mut client, "late").1, PRIMARY);
        let standstill = Standstill::begin();
        run(&mut client, "INSERT INTO late (v) VALUES (1)");
        let found = count(&mut client, "late");
        assert_eq!(found, ("1".to_owned(), PRIMARY.to_owned()));
        run(&mut client, "START TRANSACTION READ ONLY");
        let outside = value(&mut client, "SELECT @@server_id");
        run(&mut client, "COMMIT");
        assert_eq!(outside, PRIMARY, "the transaction began where the write is");
        standstill.end();
    }
}

#[test]
fn an_execution_does_not_read_behind_a_write_because_its_long_data_are_there() {
    let _turn = turn();
    table("bound");
    let tidegate = start("causal_reads=fast\ncausal_reads_timeout=1s\n");
    let mut client = client(&tidegate, 0);
    let prepared = client.prepare("SELECT COUNT(*), ? FROM bound");
    let id = prepared.expect("prepared").to_le_bytes();
    run(&mut client, "START TRANSACTION READ ONLY");
    assert_ne!(value(&mut client, "SELECT @@server_id"), PRIMARY);
    client
        .send(&[&[0x18], id.as_slice(), &[0, 0], b"long"].concat())
        .expect("sent");
    run(&mut client, "COMMIT");
    let standstill = Standstill::begin();
    run(&mut client, "INSERT INTO bound (v) VALUES (1)");
    client
        .send(&[&[0x17], id.as_slice(), &[0, 1, 0, 0, 0, 0, 1, 0xFD, 0]].concat())
        .expect("sent");
    let replies = client.replies().expect("an answer");
    standstill.end();
    assert_eq!(replies[0].error_code(), Some(1210), "{replies:?}");
}

#[test]
fn a_client_that_chooses_what_is_reported_still_sees_its_own_writes() {
    let _turn = turn();
    table("tracked");
    let tidegate = start("causal_reads=local\ncausal_reads_timeout=1s\n");
    let mut client = client(&tidegate, 0);
    run(
        &mut client,
        "SET session_track_system_variables = 'time_zone'",
    );
    let standstill = Standstill::begin();
    run(&mut client, "INSERT INTO tracked (v) VALUES (1)");
    let found = count(&mut client, "tracked");
    assert_eq!(found, ("1".to_owned(), PRIMARY.to_owned()));
    standstill.end();
}

#[test]
fn in_a_read_only_transaction_the_wait_ends_in_an_error() {
    let _turn = turn();
    table("snapshot");
    let tidegate = start("causal_reads=global\ncausal_reads_timeout=1s\n");
    for capabilities in [0, CLIENT_MULTI_STATEMENTS] {
        let mut reader = client(&tidegate, capabilities);
        let mut writer = client(&tidegate, 0);
        run(&mut reader, "START TRANSACTION READ ONLY");
        assert_ne!(value(&mut reader, "SELECT @@server_id"), PRIMARY);
        let standstill = Standstill::begin();
        run(&mut writer, "INSERT INTO snapshot (v) VALUES (1)");
        let reply = reader
            .query("SELECT COUNT(*) FROM snapshot")
            .expect("a reply");
        let Reply::Err {
            code,
            state,
            message,
        } = &reply
        else {
            panic!("{reply:?}");
        };
        assert_eq!((*code, state.as_str()), (1792, "25006"));
        assert!(message.contains("timed out"), "{message}");
        standstill.end();
        assert_ne!(value(&mut reader, "SELECT @@in_transaction"), "0");
        run(&mut reader, "COMMIT");
        assert_eq!(value(&mut reader, "SELECT @@in_transaction"), "0");
    }
}

#[test]
fn a_prepared_read_waits_and_moves_as_a_text_does() {
    let _turn = turn();
    table("prepared");
    let tidegate = start("causal_reads=local\ncausal_reads_timeout=1s\n");
    let mut client = client(&tidegate, CLIENT_MULTI_STATEMENTS);
    let read = "SELECT CAST(COUNT(*) AS CHAR), CAST(@@server_id AS CHAR) FROM prepared WHERE v < ?";
    let id = client.prepare(read).expect("a statement");
    for written in 1..=20 {
        run(&mut client, "INSERT INTO prepared (v) VALUES (1)");
        let (seen, place) = binary_row(&client.execute(id, &["7"]).expect("a reply"));
        assert_eq!(seen, written.to_string());
        assert_ne!(place, PRIMARY);
    }
    let standstill = Standstill::begin();
    run(&mut client, "INSERT INTO prepared (v) VALUES (1)");
    let found = binary_row(&client.execute(id, &["7"]).expect("a reply"));
    assert_eq!(found, ("21".to_owned(), PRIMARY.to_owned()));
    standstill.end();
}

#[test]
fn the_service_position_is_shown() {
    let _turn = turn();
    table("shown");
    let several = LAGGING.create_account("several_domains", "ALL ON *.*");
    let login = Login::new(&several.expect("an account")).database("test");
    let tidegate = start("causal_reads=global\n");
    let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
    let path = "/v1/services/RW-Split-Router";
    let last = |tidegate: &Tidegate| {
        document(tidegate, path)["data"]["attributes"]["router_diagnostics"]["last_gtid"].clone()
    };
    assert!(last(&tidegate).is_null());
    run(&mut client, "SET gtid_domain_id = 5");
    run(&mut client, "INSERT INTO shown (v) VALUES (1)");
    run(&mut client, "SET gtid_domain_id = 0");
    run(&mut client, "INSERT INTO shown (v) VALUES (2)");
    let position = LAGGING
        .primary()
        .value("SELECT @@gtid_binlog_pos")
        .expect("a position");
    assert_eq!(last(&tidegate), position);
}

#[test]
fn reset_gtid_forgets_the_service_position() {
    let _turn = turn();
    table("forgotten");
    let tidegate = start("causal_reads=global\n");
    let mut client = client(&tidegate, 0);
    run(&mut client, "INSERT INTO forgotten (v) VALUES (1)");
    let last = || {
        let service = document(&tidegate, "/v1/services/RW-Split-Router");
        service["data"]["attributes"]["router_diagnostics"]["last_gtid"].clone()
    };
    assert!(last().is_string());
    let path = "/v1/maxscale/modules/readwritesplit/reset-gtid";
    let ask = |query: &str| {
        let answer = tidegate
            .rest()
            .request("POST", &format!("{path}{query}"), &[], "");
        answer.expect("an answer").status
    };
    assert_eq!(ask("?RW-Split-Router"), 204);
    assert!(last().is_null());
    assert_eq!(ask(""), 400);
    assert_eq!(ask("?Nobody"), 404);
}

#[test]
fn universal_reads_see_what_was_written_past_the_proxy() {
    let _turn = turn();
    table("past");
    for mode in ["universal", "fast_universal"] {
        let tidegate = start(&format!("causal_reads={mode}\n"));
        for capabilities in [0, CLIENT_MULTI_STATEMENTS] {
            let mut client = client(&tidegate, capabilities);
            let mut places = std::collections::BTreeSet::new();
            for _ in 0..15 {
                let insert = "INSERT INTO test.past (v) VALUES (1); SELECT COUNT(*) FROM test.past";
                let written = LAGGING.primary().value(insert).expect("a write");
                let (seen, place) = count(&mut client, "past");
                assert_eq!(seen, written, "{mode}");
                places.insert(place);
            }
            if mode == "universal" {
                assert!(!places.contains(PRIMARY), "{places:?}");
            }
        }
    }
}

#[test]
fn fast_reads_go_where_the_monitor_saw_the_write() {
    let _turn = turn();
    table("fast");
    for mode in ["fast", "fast_global"] {
        let tidegate = start(&format!("causal_reads={mode}\n"));
        let mut writer = client(&tidegate, 0);
        let mut other = client(&tidegate, 0);
        run(&mut writer, "DELETE FROM fast");
        let standstill = Standstill::begin();
        run(&mut writer, "INSERT INTO fast (v) VALUES (1)");
        let found = ("1".to_owned(), PRIMARY.to_owned());
        assert_eq!(count(&mut writer, "fast"), found, "{mode}");
        if mode == "fast_global" {
            assert_eq!(count(&mut other, "fast"), found, "{mode}");
        }
        standstill.end();
        let back = wait_until("reads to return to the replicas", || {
            count(&mut writer, "fast").1 != PRIMARY
        });
        back.expect(mode);
        assert_eq!(count(&mut writer, "fast").0, "1");
    }
}

/// Writes and reads of one pair each; more of them at night.
const PAIRS: u64 = 3000;
/// Clients that write and read at the same time.
const WRITERS: usize = 100;

#[test]
fn no_read_is_stale_although_both_replicas_lag() {
    let pairs = Count::of("TIDEGATE_CAUSAL_PAIRS", PAIRS).total() as usize;
    let group = ServerGroup::start(2).expect("a server group");
    group
        .primary()
        .sql("CREATE TABLE test.pairs (id INT PRIMARY KEY)")
        .expect("a table");
    let account = group
        .create_account("several_domains", "ALL ON *.*")
        .expect("an account");
    // By the seconds in which they were written, so that they lag by half a second on average.
    for replica in group.replicas() {
        replica
            .sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=1; START SLAVE")
            .expect("a replica");
    }
    let tidegate = Plan::new(&group).split("causal_reads=global\n").start();
    let connect = |capabilities| {
        let login = Login::new(&account).database("test");
        RawClient::connect(tidegate.address("rw"), &login.capabilities(capabilities))
            .expect("a login")
    };
    let on_replicas: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS)
            .map(|thread| {
                let connect = &connect;
                scope.spawn(move || {
                    let mut writer = connect(0);
                    let waits = if thread % 3 == 0 {
                        0
                    } else {
                        CLIENT_MULTI_STATEMENTS
                    };
                    let mut reader = connect(waits);
                    run(&mut writer, &format!("SET gtid_domain_id = {}", thread % 2));
                    let mine = (thread..pairs).step_by(WRITERS);
                    mine.filter(|id| {
                        run(&mut writer, &format!("INSERT INTO pairs VALUES ({id})"));
                        let sql =
                            format!("SELECT COUNT(*), @@server_id FROM pairs WHERE id = {id}");
                        let (seen, place) = row(reader.query(&sql).expect("a reply"));
                        assert_eq!(seen, "1", "write {id} is not seen on server {place}");
                        place != PRIMARY
                    })
                    .count()
                })
            })
            .collect();
        let counts = threads.into_iter().map(|thread| thread.join());
        counts.map(|count| count.expect("no stale read")).sum()
    });
    assert!(
        on_replicas * 10 >= pairs * 8,
        "{on_replicas} of {pairs} reads ran on replicas"
    );
}
