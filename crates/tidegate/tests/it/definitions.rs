//! Clients that cache column definitions (`MARIADB_CLIENT_CACHE_METADATA`) before real servers whose
//! tables have different forms: every row is in the form of the definitions that its client holds.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_testkit::fuzz::Random;
use tidegate_testkit::raw::{Login, RawClient, put_lenenc_bytes, take_lenenc, take_lenenc_bytes};
use tidegate_testkit::{Server, Tidegate};

use crate::house::{Plan, document, group, run};

/// `MARIADB_CLIENT_CACHE_METADATA` among the extended capabilities.
const CACHE_METADATA: u32 = 1 << 4;

const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_RESET_CONNECTION: u8 = 0x1F;

const LONG: u8 = 3;
const LONGLONG: u8 = 8;
const VAR_STRING: u8 = 253;

/// In all of them the value is 7.
const FORMS: [&str; 3] = ["INT", "BIGINT", "VARCHAR(20)"];

/// A client that keeps the definitions it was sent last, and reads rows by them alone.
struct Caching {
    client: RawClient,
    held: BTreeMap<u32, Vec<u8>>,
    /// How often definitions came with rows, and how often they did not.
    came: usize,
    left_out: usize,
}

impl Caching {
    fn connect(tidegate: &Tidegate, port: &str) -> Caching {
        let login = Login::new(&group().accounts().app)
            .database("test")
            .extended(CACHE_METADATA);
        Caching {
            client: RawClient::connect(tidegate.address(port), &login).expect("a login"),
            held: BTreeMap::new(),
            came: 0,
            left_out: 0,
        }
    }

    fn read(&mut self) -> Vec<u8> {
        self.client.packets().read().expect("a packet")
    }

    /// So many definitions, as their types, and the EOF behind them.
    fn definitions(&mut self, count: u64) -> Vec<u8> {
        let types = (0..count).map(|_| type_of(&self.read())).collect();
        assert_eq!(self.read()[0], 0xFE);
        types
    }

    fn prepare(&mut self, sql: &str) -> u32 {
        let command = [&[COM_STMT_PREPARE], sql.as_bytes()].concat();
        self.client.send(&command).expect("sent");
        let answer = self.read();
        assert_eq!(answer[0], 0, "{answer:?}");
        let id = u32::from_le_bytes([answer[1], answer[2], answer[3], answer[4]]);
        if answer[7] > 0 {
            self.definitions(u64::from(answer[7]));
        }
        let types = self.definitions(u64::from(answer[5]));
        self.held.insert(id, types);
        id
    }

    /// The fields of the only row.
    fn execute(&mut self, id: u32, parameter: Option<&str>) -> Vec<String> {
        let mut command = vec![COM_STMT_EXECUTE];
        command.extend_from_slice(&id.to_le_bytes());
        command.extend_from_slice(&[0, 1, 0, 0, 0]);
        if let Some(parameter) = parameter {
            command.extend_from_slice(&[0, 1, VAR_STRING, 0]);
            put_lenenc_bytes(&mut command, parameter.as_bytes());
        }
        self.client.send(&command).expect("sent");
        let first = self.read();
        assert!(first[0] > 0 && first[0] < 0xFB, "{first:?}");
        let mut rest = first.as_slice();
        let columns = take_lenenc(&mut rest).expect("a count");
        match rest {
            [1] => {
                self.came += 1;
                let types = self.definitions(columns);
                self.held.insert(id, types);
            }
            [0] => {
                self.left_out += 1;
                assert_eq!(self.read()[0], 0xFE);
            }
            _ => panic!("{first:?}"),
        }
        let row = self.read();
        let fields = fields(&row, &self.held[&id]);
        assert_eq!(self.read()[0], 0xFE);
        fields
    }

    fn reset(&mut self) {
        self.client.send(&[COM_RESET_CONNECTION]).expect("sent");
        self.client.replies().expect("a reply");
        self.held.clear();
    }

    /// Executes it and looks at the value. Returns where that was.
    #[track_caller]
    fn check(&mut self, id: u32) -> String {
        let [value, place] = self.execute(id, None).try_into().expect("two fields");
        assert_eq!(value, "7", "on server {place}");
        place
    }
}

/// The type in a column definition.
fn type_of(definition: &[u8]) -> u8 {
    let mut rest = definition;
    for _ in 0..6 {
        take_lenenc_bytes(&mut rest).expect("a text");
    }
    // The length of what follows, the character set, the length.
    rest[1 + 2 + 4]
}

/// A binary row without nulls, read by these types.
fn fields(row: &[u8], types: &[u8]) -> Vec<String> {
    let (head, mut rest) = row.split_at(1 + (types.len() + 9) / 8);
    assert!(head.iter().all(|byte| *byte == 0), "{row:?}");
    let fields = types.iter().map(|kind| {
        let text = |rest: &mut &[u8]| take_lenenc_bytes(rest).expect("a text").to_vec();
        let number = |rest: &mut &[u8], len: usize| {
            let (bytes, after) = rest.split_at(len);
            *rest = after;
            let mut wide = [0; 8];
            wide[..len].copy_from_slice(bytes);
            i64::from_le_bytes(wide).to_string()
        };
        match *kind {
            LONG => number(&mut rest, 4),
            LONGLONG => number(&mut rest, 8),
            VAR_STRING => String::from_utf8(text(&mut rest)).expect("text"),
            other => panic!("a column of type {other}"),
        }
    });
    let fields = fields.collect();
    assert!(rest.is_empty(), "{row:?} is longer than {types:?}");
    fields
}

/// A table that all servers have in the first form.
fn make(table: &str) {
    let create = format!(
        "CREATE OR REPLACE TABLE test.{table} (id INT PRIMARY KEY, a INT);
         INSERT INTO test.{table} VALUES (1, 7)"
    );
    group().primary().sql(&create).expect("a table");
    group().wait_replicated().expect("replicated");
}

/// One server alters the table, as if the others had yet to hear of it.
fn alter(server: &Server, table: &str, form: &str) {
    let alter = format!("SET sql_log_bin = 0; ALTER TABLE test.{table} MODIFY a {form}");
    server.sql(&alter).expect("altered");
}

/// Ends the connections of applications to a server.
fn kill_connections(server: &Server) {
    let app = &group().accounts().app.user;
    let found = server
        .rows(&format!(
            "SELECT id FROM information_schema.processlist WHERE user = '{app}'"
        ))
        .expect("connections");
    for row in found {
        // It may have ended by itself.
        let _ = server.sql(&format!("KILL {}", row[0]));
    }
}

/// Executes on the primary, then on replicas.
fn everywhere(client: &mut Caching, id: u32, places: &mut BTreeSet<String>) {
    run(&mut client.client, "BEGIN");
    places.insert(client.check(id));
    run(&mut client.client, "COMMIT");
    for _ in 0..3 {
        places.insert(client.check(id));
    }
}

/// Alters the table here and there, and executes on changing servers. Returns where.
fn go_on(
    client: &mut Caching,
    table: &str,
    rounds: usize,
    random: &mut Random,
) -> BTreeSet<String> {
    let sql = format!("SELECT a, @@server_id FROM {table}");
    let mut places = BTreeSet::new();
    let mut id = client.prepare(&sql);
    for round in 0..rounds {
        alter(
            &group().servers()[random.below(3)],
            table,
            FORMS[random.below(FORMS.len())],
        );
        everywhere(client, id, &mut places);
        if round % 11 == 10 {
            client.reset();
        }
        if round % 11 == 10 || round % 4 == 3 {
            id = client.prepare(&sql);
        }
    }
    places
}

#[test]
fn rows_are_in_the_form_that_the_client_holds_whichever_server_sends_them() {
    let tidegate = Plan::new(group()).start();
    make("forms");
    let mut client = Caching::connect(&tidegate, "rw");
    let other = client.prepare("SELECT CAST(? AS CHAR(5))");
    assert_eq!(client.execute(other, Some("word")), ["word"]);
    let places = go_on(&mut client, "forms", 44, &mut Random::new(7));
    assert!(places.contains("1") && places.len() > 1, "{places:?}");
    assert!(client.left_out > 40, "{} were left out", client.left_out);
    assert!(client.came > 10, "{} came", client.came);
}

/// One server has altered the table, and another has not, in both orders.
#[test]
fn definitions_that_a_server_leaves_out_are_put_in_where_the_client_holds_others() {
    let tidegate = Plan::new(group()).only(&["primary", "replica1"]).start();
    make("left_behind");
    let (primary, replica) = (group().primary(), &group().replicas()[0]);
    let mut client = Caching::connect(&tidegate, "rw");
    let id = client.prepare("SELECT a, @@server_id FROM left_behind");
    let here = |client: &mut Caching| {
        run(&mut client.client, "BEGIN");
        assert_eq!(client.check(id), "1");
        run(&mut client.client, "COMMIT");
    };
    let there = |client: &mut Caching| assert_eq!(client.check(id), "2");
    there(&mut client);
    here(&mut client);
    assert_eq!((client.came, client.left_out), (0, 2));
    alter(primary, "left_behind", "VARCHAR(20)");
    here(&mut client);
    assert_eq!((client.came, client.left_out), (1, 2));
    // Its table is as it was, and it has nothing to say.
    there(&mut client);
    assert_eq!((client.came, client.left_out), (2, 2));
    there(&mut client);
    assert_eq!((client.came, client.left_out), (2, 3));
    here(&mut client);
    alter(replica, "left_behind", "VARCHAR(20)");
    there(&mut client);
    here(&mut client);
    // Both are of one mind again.
    let came = client.came;
    for _ in 0..3 {
        there(&mut client);
        here(&mut client);
    }
    assert_eq!(client.came, came);
}

/// Connections are lost and made anew, and statements prepared again.
#[test]
fn a_connection_made_anew_sends_its_own_definitions() {
    let tidegate = Plan::new(group()).start();
    make("anew");
    let mut client = Caching::connect(&tidegate, "rw");
    let id = client.prepare("SELECT a, @@server_id FROM anew");
    let mut places = BTreeSet::new();
    for round in 0..9 {
        everywhere(&mut client, id, &mut places);
        for server in group().replicas() {
            alter(server, "anew", FORMS[(round + 1) % FORMS.len()]);
            kill_connections(server);
        }
        everywhere(&mut client, id, &mut places);
        alter(group().primary(), "anew", FORMS[round % FORMS.len()]);
    }
    assert!(places.contains("1") && places.len() > 1, "{places:?}");
}

/// A connection that another session left behind knows nothing of the new client's statements.
#[test]
fn a_connection_of_the_pool_has_told_its_new_client_nothing() {
    let plan = Plan::new(group()).every_server("persistpoolmax=10\npersistmaxtime=300s\n");
    let text = plan.text().replace("threads=2\n", "threads=1\n");
    let tidegate = Tidegate::start(&text).expect("tidegate");
    make("pooled_forms");
    let mut random = Random::new(11);
    for _ in 0..6 {
        let mut client = Caching::connect(&tidegate, "rw");
        go_on(&mut client, "pooled_forms", 5, &mut random);
        client.client.quit().expect("a goodbye");
    }
    let reused = group().servers().iter().map(|server| {
        let server = document(&tidegate, &format!("/v1/servers/{}", server.name()));
        let statistics = &server["data"]["attributes"]["statistics"];
        statistics["reused_connections"].as_u64().expect("a figure")
    });
    assert!(reused.sum::<u64>() > 0);
}

#[test]
fn readconnroute_leaves_it_to_its_server() {
    let tidegate = Plan::new(group()).read("router_options=master\n").start();
    make("single");
    let mut client = Caching::connect(&tidegate, "read");
    for round in 0..12 {
        let id = client.prepare("SELECT a, @@server_id FROM single");
        for _ in 0..2 {
            assert_eq!(client.check(id), "1");
        }
        alter(group().primary(), "single", FORMS[round % FORMS.len()]);
        assert_eq!(client.check(id), "1");
        if round % 4 == 3 {
            client.reset();
        }
    }
    assert!(client.left_out > 12 && client.came > 6);
}
