//! What ties a session to one of its servers, and what all of them must have alike.

mod house;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use house::asking::Asking;
use house::sql::{Act, server};
use house::{House, Plan};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::filter::Verdict;
use tidegate_session::request::Request;
use tidegate_session::world::{Rank, ServerStatus};
use tidegate_session::{ErrReply, ServiceSpec, TargetSpec};
use tidegate_testkit::raw::{RawClient, Reply, ScriptedServer};
use tidegate_testkit::wait_until;

fn plain(name: &'static str) -> ScriptedServer {
    server(name, |_, _| Ok(Act::Plain))
}

fn split(service: &mut ServiceSpec) {
    service.router = Arc::new(ReadWriteSplit::new(&ReadWriteSplitParams {
        strict_sp_calls: true,
        delayed_retry: true,
        ..ReadWriteSplitParams::default()
    }));
}

fn house(servers: &[&ScriptedServer]) -> House {
    let house = House::new(Plan {
        change: split,
        ..Plan::new(servers)
    });
    assert_eq!(house.servers.views.0.len(), servers.len());
    house
}

fn reads_near(service: &mut ServiceSpec) {
    service.router = Arc::new(ReadWriteSplit::new(&ReadWriteSplitParams {
        retry_failed_reads: false,
        max_replication_lag: Duration::from_secs(5),
        ..ReadWriteSplitParams::default()
    }));
}

#[test]
fn an_execution_runs_where_its_long_data_are() {
    let (primary, first, second) = (plain("server1"), plain("server2"), plain("server3"));
    let house = House::new(Plan {
        change: reads_near,
        ..Plan::new(&[&primary, &first, &second])
    });
    house.look_again(|views| {
        views
            .iter_mut()
            .for_each(|view| view.lag = Some(Duration::ZERO))
    });
    let mut client = connected(&house, 3);
    let place_now = place(&mut client, "SELECT 1");
    let id = client.prepare("SELECT ?").expect("prepared").to_le_bytes();
    client
        .send(&[&[0x18], id.as_slice(), &[0, 0], b"piece"].concat())
        .expect("sent");
    client.query("INSERT INTO t VALUES (1)").expect("inserted");
    house.look_again(|views| {
        for view in views {
            let far = *view.name == *place_now;
            view.lag = Some(Duration::from_secs(if far { 100 } else { 0 }));
        }
    });
    wait_until("another replica to be nearer", || {
        place(&mut client, "SELECT 1") != place_now
    })
    .expect("another replica");
    client
        .send(&[&[0x17], id.as_slice(), &[0, 1, 0, 0, 0, 0, 1, 0xFD, 0]].concat())
        .expect("sent");
    match client.replies().expect("an answer").as_slice() {
        [Reply::Rows { rows, .. }] => assert_eq!(rows, &[b"\0\0\x05piece".to_vec()]),
        other => panic!("no rows but {other:?}"),
    }
}

fn run(client: &mut RawClient, text: &str) -> Option<u16> {
    client.query(text).expect("an answer").error_code()
}

/// The name of the server that answers.
fn place(client: &mut RawClient, text: &str) -> String {
    let reply = client.query(text).expect("an answer");
    reply
        .text_value()
        .unwrap_or_else(|_| panic!("{text}: {reply:?}"))
}

/// Gives @a a value on one replica alone.
fn assign_on_replica(client: &mut RawClient) {
    for text in [
        "START TRANSACTION READ ONLY",
        "SELECT a INTO @a FROM t",
        "COMMIT",
    ] {
        assert_eq!(run(client, text), None, "{text}");
    }
}

fn connected(house: &House, servers: usize) -> RawClient {
    let mut client = house.connect();
    place(&mut client, "SELECT 1");
    wait_until("all connections", || {
        house.servers_of(&client).len() == servers
    })
    .expect("connections");
    client
}

#[test]
fn a_value_that_one_replica_alone_has_is_not_given_up_for_its_rank() {
    let (primary, first, second) = (plain("server1"), plain("server2"), plain("server3"));
    let house = house(&[&primary, &first, &second]);
    let mut client = connected(&house, 3);
    assign_on_replica(&mut client);
    let owner = place(&mut client, "SELECT @a");
    assert_ne!(owner, "server1");
    house.look_again(|views| {
        for replica in &mut views[1..] {
            replica.rank = Rank::Secondary;
        }
    });
    let mut kept = vec!["server1".to_owned(), owner.clone()];
    kept.sort();
    wait_until("the other replica to go", || {
        house.servers_of(&client).len() < 3
    })
    .expect("a connection less");
    assert_eq!(house.servers_of(&client), kept);
    assert_eq!(place(&mut client, "SELECT @a"), owner);
    assert_eq!(place(&mut client, "SELECT 1"), "server1");
}

#[test]
fn a_session_command_takes_no_other_value_for_one_that_is_elsewhere() {
    let (primary, replica) = (plain("server1"), plain("server2"));
    let house = house(&[&primary, &replica]);
    let mut client = connected(&house, 2);
    assign_on_replica(&mut client);
    assert_eq!(run(&mut client, "BEGIN"), None);
    assert_eq!(run(&mut client, "SET @b = @a"), Some(1105));
    assert_eq!(run(&mut client, "SET @b = 1"), None);
    assert_eq!(run(&mut client, "COMMIT"), None);
    assert_eq!(run(&mut client, "SET @b = @a"), None);
    assert_eq!(place(&mut client, "SELECT @b"), "server2");
}

#[test]
fn a_strict_mode_binds_no_session_to_a_primary_that_was_lost_before() {
    let (primary, replica) = (plain("server1"), plain("server2"));
    let house = house(&[&primary, &replica]);
    let mut client = connected(&house, 2);
    assert_eq!(run(&mut client, "INSERT INTO t VALUES (1)"), None);
    house.look_again(|views| views[0].status = ServerStatus::default());
    wait_until("the primary to be lost", || {
        house.servers_of(&client) == ["server2"]
    })
    .expect("one connection");
    assert_eq!(run(&mut client, "START TRANSACTION READ ONLY"), None);
    assert_eq!(run(&mut client, "CALL p()"), None);
    assert_eq!(run(&mut client, "COMMIT"), None);
    house.look_again(|_| {});
    assert_eq!(place(&mut client, "SELECT 1"), "server1");
}

/// Refuses what contains `refuse`.
fn refuse(request: &Request<'_>) -> Verdict {
    if request.text.windows(6).any(|word| word == b"refuse") {
        Verdict::Reject(ErrReply::new(4100, b"45000", "refused"))
    } else {
        Verdict::Pass
    }
}

/// Two services over a server each, of which the second refuses some statements.
fn nest(service: &mut ServiceSpec) {
    split(service);
    let inner = |ix: usize| {
        let mut inner = house::service(1, 2);
        split(&mut inner);
        inner.name = format!("inner{ix}").into();
        inner.targets = vec![service.targets[ix].clone()];
        if ix == 1 {
            inner.filters = vec![Arc::new(Asking(refuse))];
        }
        TargetSpec::Service(Arc::new(inner))
    };
    service.targets = (0..2).map(inner).collect();
}

#[test]
fn what_one_service_refuses_is_set_nowhere() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let recording = Arc::clone(&heard);
    let primary = server("server1", move |_, text| {
        recording.lock().unwrap().push(text.to_owned());
        Ok(Act::Plain)
    });
    let replica = plain("server2");
    let house = House::new(Plan {
        change: nest,
        ..Plan::new(&[&primary, &replica])
    });
    let mut client = connected(&house, 2);
    assert_eq!(run(&mut client, "SET @a = 1"), None);
    assert_eq!(run(&mut client, "SET @refuse = 1"), Some(4100));
    assert_eq!(run(&mut client, "INSERT INTO t VALUES (1)"), None);
    let heard = heard.lock().unwrap();
    assert!(heard.iter().any(|text| text == "SET @a = 1"), "{heard:?}");
    assert!(
        !heard.iter().any(|text| text.contains("refuse")),
        "{heard:?}"
    );
}
