//! The table of statements before real servers: every row arrives where it should, and nowhere else.
//!
//! The servers' general logs tell what came over which connection. The rows are those that the
//! classification is tested with; what they say of a session's state is set up before real servers
//! here. Whether a statement succeeds does not matter: the account may do little on purpose.

mod commands;
mod hints;
mod watch;

use tidegate_testkit::raw::{CLIENT_MULTI_STATEMENTS, Login, RawClient, Reply};
use tidegate_testkit::statements::{Row, rows};
use tidegate_testkit::{ServerGroup, Tidegate};

use crate::house::{Plan, value};
use watch::Watch;

/// The objects that the rows use.
const SCHEMA: &str = "
    USE test;
    CREATE TABLE t1 (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
    CREATE TABLE t2 (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
    CREATE TABLE t3 (last_insert_id INT);
    CREATE TABLE k (`begin` INT, `end` INT, `value` INT, `commit` INT, `start` INT,
        `sequence` INT, `nextval` INT, `select` INT);
    CREATE TABLE `delete` (`update` INT);
    CREATE SEQUENCE s1;
    CREATE PROCEDURE p1() SELECT 1;
    CREATE PROCEDURE p2(OUT x INT) SET x = 1;
    CREATE FUNCTION f1(x INT) RETURNS INT DETERMINISTIC RETURN x;
";

/// What asks for the server it runs on, on whichever it would be read anyway.
const PLACE: &str = "SELECT @@server_id";

/// Where a row is to arrive.
#[derive(Debug)]
enum Expected {
    Primary,
    /// One replica, whichever.
    Replica,
    /// The server with this `server_id`.
    Server(String),
    All,
    Nowhere,
}

impl Expected {
    /// Is that where it arrived? The servers are numbered from 1, the primary first.
    fn holds(&self, arrived: &[usize]) -> bool {
        match (self, arrived) {
            (Expected::Primary, [1]) | (Expected::Replica, [2 | 3]) => true,
            (Expected::Server(id), [one]) => *id == one.to_string(),
            (Expected::All, all) => all == [1, 2, 3],
            (Expected::Nowhere, arrived) => arrived.is_empty(),
            _ => false,
        }
    }
}

fn servers() -> ServerGroup {
    let group = ServerGroup::builder()
        .replicas(2)
        .option("general_log=1")
        .option("log_output=TABLE")
        .option("log_bin_trust_function_creators=1")
        .option("lock_wait_timeout=20")
        .start()
        .expect("a server group");
    group.primary().sql(SCHEMA).expect("the objects");
    group.wait_replicated().expect("replicated");
    group
}

/// Does the server close its connection behind it?
fn hangs_up(row: &Row) -> bool {
    row.text.ends_with(" RELEASE") && !row.text.ends_with("NO RELEASE")
}

/// A client, its servers' logs, and one row after the other.
struct Walk<'a> {
    group: &'a ServerGroup,
    tidegate: &'a Tidegate,
    watch: Watch,
    wrong: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(group: &'a ServerGroup, tidegate: &'a Tidegate) -> Walk<'a> {
        Walk {
            group,
            tidegate,
            watch: Watch::new(group),
            wrong: Vec::new(),
        }
    }

    fn session(&mut self) -> RawClient {
        self.watch.settle();
        let login = Login::new(&self.group.accounts().app)
            .database("test")
            .capabilities(CLIENT_MULTI_STATEMENTS);
        let client = RawClient::connect(self.tidegate.address("rw"), &login).expect("a login");
        self.watch.follow(self.tidegate, client.connection_id());
        client
    }

    /// The session in the row's state, and where the row should arrive.
    fn prepare(&mut self, row: &Row) -> (RawClient, Expected) {
        let mut client = self.session();
        let states = row.states().map(|(_, text)| text);
        for text in states.chain(row.before.iter().map(|text| &**text)) {
            let reply = client.query(text).expect("a reply");
            assert_eq!(reply.error_code(), None, "row {}: {text}", row.number);
        }
        let expected = match row.target.as_str() {
            "PRIMARY" => Expected::Primary,
            "REPLICA" => Expected::Replica,
            "ALL" => Expected::All,
            "PROXY" => Expected::Nowhere,
            "TRX" if row.states.contains("ro") => {
                let replica = value(&mut client, PLACE);
                assert_ne!(replica, "1", "row {}", row.number);
                Expected::Server(replica)
            }
            "TRX" => Expected::Primary,
            // The server of the statement before, which is said below.
            "LAST" => Expected::Replica,
            number if number.parse::<usize>().is_ok() => Expected::Server(number.to_owned()),
            other => panic!("row {}: what is the target {other}?", row.number),
        };
        (client, expected)
    }

    /// Says it between two marks, and compares where it arrived.
    fn say(
        &mut self,
        row: &Row,
        client: &mut RawClient,
        mut expected: Expected,
        say: impl FnOnce(&mut RawClient) -> Vec<Reply>,
    ) {
        self.watch.open(client);
        if row.target == "LAST" {
            expected = Expected::Server(value(client, PLACE));
        }
        let replies = say(client);
        let arrived = self.watch.close(client, PLACE, hangs_up(row));
        if !arrived
            .as_ref()
            .is_ok_and(|arrived| expected.holds(arrived))
        {
            self.wrong.push(format!(
                "row {} ({}): arrived at {arrived:?}, not at {expected:?}: {}, {replies:?}",
                row.number, row.states, row.text
            ));
        }
    }

    fn finish(self, walked: usize, at_least: usize) {
        assert!(
            self.wrong.is_empty(),
            "{}\n{}",
            self.wrong.join("\n"),
            self.tidegate.log()
        );
        assert!(walked >= at_least, "{walked} rows");
    }
}

#[test]
fn every_row_of_the_table_arrives_where_it_should() {
    let group = servers();
    let tidegate = Plan::new(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    let rows = rows();
    for row in &rows {
        let (mut client, expected) = walk.prepare(row);
        walk.say(row, &mut client, expected, |client| {
            client.send_query(&row.text).expect("sent");
            client.replies().expect("an answer")
        });
    }
    walk.finish(rows.len(), 400);
}

#[test]
fn what_can_be_prepared_arrives_there_too() {
    let group = servers();
    let tidegate = Plan::new(&group).start();
    let mut walk = Walk::new(&group, &tidegate);
    let mut walked = 0;
    for row in rows() {
        // What asks about the statement before it is about another one here.
        if matches!(row.target.as_str(), "LAST" | "PROXY") {
            continue;
        }
        let (mut client, expected) = walk.prepare(&row);
        let Ok(id) = client.prepare(&row.text) else {
            continue;
        };
        walked += 1;
        walk.say(&row, &mut client, expected, |client| {
            commands::execute(client, id)
        });
    }
    walk.finish(walked, 250);
}
