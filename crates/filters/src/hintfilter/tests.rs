//! What hints come out of which comments, statement by statement.

use std::cell::RefCell;
use std::sync::Arc;

use tidegate_session::question::ClientAddress;
use tidegate_session::{Instant, SessionId, WallTime};
use tidegate_sql::TrxTracker;

use super::*;

struct Bench {
    hints: Hints,
    warnings: RefCell<Vec<String>>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            hints: Hints::default(),
            warnings: RefCell::new(Vec::new()),
        }
    }

    fn say(&mut self, command: Command, prepared: Option<u32>, text: &str) -> Vec<Hint> {
        let service: Arc<str> = "svc".into();
        let who = Who {
            session: SessionId(1),
            service: &service,
            user: b"u",
            address: &ClientAddress::Unix,
            database: None,
        };
        let scene = FilterScene {
            who,
            now: Instant(0),
            wall: WallTime(0),
            warnings: &self.warnings,
        };
        let trx = TrxTracker::new();
        let request = Request {
            command,
            payload: &[],
            complete: true,
            text: text.as_bytes(),
            statement: None,
            prepared: prepared.map(ClientStmtId),
            hints: &[],
            trx: &trx,
        };
        let mut hints = Vec::new();
        assert_eq!(
            self.hints.on_request(&request, &mut hints, &scene),
            Verdict::Pass
        );
        hints
    }

    fn query(&mut self, text: &str) -> Vec<Hint> {
        self.say(Command::Query, None, text)
    }
}

fn to(route: Route) -> Hint {
    Hint::Route(route)
}

#[test]
fn a_hint_for_one_statement() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.query("SELECT 1 -- maxscale route to master"),
        [to(Route::Master)]
    );
    assert_eq!(bench.query("SELECT 1"), []);
    assert_eq!(
        bench.query("/* maxscale route to server s2 */ SELECT 1"),
        [to(Route::Server("s2".into()))]
    );
    assert_eq!(bench.query("SELECT '-- maxscale route to master'"), []);
}

#[test]
fn the_stack_and_what_stands_above_it() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.query("SELECT 1 -- maxscale begin route to slave"),
        [to(Route::Slave)]
    );
    assert_eq!(bench.query("SELECT 2"), [to(Route::Slave)]);
    assert_eq!(
        bench.query("SELECT 3 -- maxscale route to last"),
        [to(Route::Slave), to(Route::Last)]
    );
    assert_eq!(bench.query("SELECT 4 -- maxscale end"), []);
    assert_eq!(bench.query("SELECT 5"), []);
}

#[test]
fn a_malformed_hint_is_a_warning_and_nothing_else() {
    let mut bench = Bench::new();
    assert_eq!(bench.query("SELECT 1 -- maxscale route to server =("), []);
    assert_eq!(bench.warnings.borrow().len(), 1);
}

#[test]
fn a_prepared_text_speaks_for_its_executions_until_it_is_closed() {
    let mut bench = Bench::new();
    let text = "SELECT ? -- maxscale route to master";
    assert_eq!(bench.say(Command::StmtPrepare, None, text), []);
    assert_eq!(
        bench.say(Command::StmtExecute, Some(1), text),
        [to(Route::Master)]
    );
    assert_eq!(
        bench.say(Command::StmtFetch, Some(1), text),
        [to(Route::Master)]
    );
    assert_eq!(bench.say(Command::StmtClose, Some(1), text), []);
    assert!(bench.hints.prepared.is_empty());
}

#[test]
fn frozen_and_thawed_it_says_the_same() {
    let mut bench = Bench::new();
    bench.query("SELECT 1 -- maxscale a prepare max_slave_replication_lag=2");
    bench.query("SELECT 1 -- maxscale a begin");
    bench.say(
        Command::StmtExecute,
        Some(3),
        "SELECT ? -- maxscale route to server s1",
    );
    let mut encoder = Encoder::default();
    bench.hints.freeze(&mut encoder);
    let bytes = encoder.into_bytes();
    let thawed = Hints::thaw(&mut Decoder::new(&bytes)).unwrap();
    assert_eq!(thawed.stack, bench.hints.stack);
    assert_eq!(thawed.prepared, bench.hints.prepared);
}
