//! Transactions that are repeated, before servers that fail as real ones seldom do.

mod house;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use house::sql::{Act, server};
use house::{House, Plan};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::ServiceSpec;
use tidegate_testkit::raw::{Peer, RawClient, Reply, ScriptedServer};

fn replays(service: &mut ServiceSpec) {
    service.router = Arc::new(ReadWriteSplit::new(&ReadWriteSplitParams {
        transaction_replay: true,
        optimistic_trx: true,
        delayed_retry: true,
        delayed_retry_timeout: Duration::from_secs(30),
        ..ReadWriteSplitParams::default()
    }));
}

fn house(servers: &[&ScriptedServer]) -> House {
    House::new(Plan {
        change: replays,
        ..Plan::new(servers)
    })
}

#[test]
fn a_node_that_is_not_ready_does_not_end_an_answer_that_has_begun() {
    let only = server("first", |peer, text| match (peer.number, text) {
        (1, "SELECT broken") => break_off(peer),
        (2, "SELECT broken") => {
            let text = "WSREP has not yet prepared node for application use";
            peer.err(1047, "08S01", text)?;
            Ok(Act::Answered)
        }
        _ => Ok(Act::Plain),
    });
    let house = house(&[&only]);
    let mut client = house.connect();
    client.query("BEGIN").expect("begun");
    let reply = client.query("SELECT broken").expect("a whole answer");
    is_whole(&reply);
    client.query("COMMIT").expect("committed");
    assert_eq!(only.accepted(), 3);
}

#[test]
fn a_fetch_without_a_cursor_is_not_repeated() {
    let only = server("first", |peer, text| match (peer.number, text) {
        (1, "SELECT broken") => break_off(peer),
        _ => Ok(Act::Plain),
    });
    let house = house(&[&only]);
    let mut client = house.connect();
    let id = client.prepare("SELECT ?").expect("prepared").to_le_bytes();
    assert_eq!(executed(&mut client, &id), b"");
    client.query("BEGIN").expect("begun");
    client.send(&long_data(&id, b"piece")).expect("sent");
    client
        .send(&[&[0x1C], id.as_slice(), &[1, 0, 0, 0]].concat())
        .expect("sent");
    let replies = client.replies().expect("an error");
    assert_eq!(replies[0].error_code(), Some(1421));
    is_whole(&client.query("SELECT broken").expect("a whole answer"));
    assert_eq!(executed(&mut client, &id), b"piece");
    client.query("COMMIT").expect("committed");
}

/// Half an answer, and the connection ends.
fn break_off(peer: &mut Peer) -> Result<Act> {
    peer.begin_rows("value")?;
    peer.row("first")?;
    Ok(Act::Close)
}

fn is_whole(reply: &Reply) {
    let rows = reply.text_rows().expect("rows").concat();
    assert_eq!(rows, [Some("first".into()), Some("second".into())]);
}

fn long_data(id: &[u8], piece: &[u8]) -> Vec<u8> {
    [&[0x18], id, &[0, 0], piece].concat()
}

#[test]
fn long_data_do_not_stay_where_a_transaction_has_left() {
    let (primary, replica) = (
        server("first", |_, _| Ok(Act::Plain)),
        server("first", |_, _| Ok(Act::Plain)),
    );
    let house = house(&[&primary, &replica]);
    let mut client = house.connect();
    // Both connections are open when they have answered, and the replica is read from.
    client.query("SELECT 1").expect("a reply");
    client.query("SET @a = 1").expect("set");
    let id = client.prepare("SELECT ?").expect("prepared").to_le_bytes();
    client.query("BEGIN").expect("begun");
    client.send(&long_data(&id, b"old")).expect("sent");
    client.query("UPDATE t SET a = 1").expect("moved");
    assert_eq!(executed(&mut client, &id), b"old");
    client.query("COMMIT").expect("committed");
    client.query("BEGIN").expect("begun");
    client.send(&long_data(&id, b"new")).expect("sent");
    assert_eq!(executed(&mut client, &id), b"new");
    client.query("COMMIT").expect("committed");
}

/// The long data that an execution finds.
fn executed(client: &mut RawClient, id: &[u8]) -> Vec<u8> {
    let execute = [&[0x17], id, &[0, 1, 0, 0, 0, 0, 1, 0xFD, 0]].concat();
    client.send(&execute).expect("sent");
    match client.replies().expect("rows").as_slice() {
        [Reply::Rows { rows, .. }] => rows[0][3..].to_vec(),
        other => panic!("no rows but {other:?}"),
    }
}
