//! Transactions that are repeated, before servers that fail as real ones seldom do.

mod house;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use house::{House, Plan};
use tidegate_routers::readwritesplit::{ReadWriteSplit, ReadWriteSplitParams};
use tidegate_session::ServiceSpec;
use tidegate_testkit::raw::{Peer, RawClient, Reply, ScriptedServer};

/// What a script did with a statement.
enum Act {
    /// Nothing: the server does what it would.
    Plain,
    /// It has answered.
    Answered,
    /// The connection ends.
    Close,
}

/// A server that knows whether a transaction is open, and keeps long data. Any SELECT is answered with
/// two rows, any execution with the long data that were sent for it. `act` comes before each text.
fn server(act: impl Fn(&mut Peer, &str) -> Result<Act> + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::start(move |peer| {
        peer.login()?;
        let (mut open, mut long) = (false, Vec::new());
        loop {
            let command = peer.command()?;
            let (code, body) = command.split_first().map_or((1, &[][..]), |(c, b)| (*c, b));
            let text = String::from_utf8_lossy(body).into_owned();
            match code {
                0x01 => return Ok(()),
                0x03 => match act(peer, &text)? {
                    Act::Answered => continue,
                    Act::Close => return Ok(()),
                    Act::Plain => {}
                },
                0x16 => {
                    peer.packets.write(&[0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])?;
                    definition(peer)?;
                    end(peer, open)?;
                    continue;
                }
                0x17 => {
                    peer.packets.write(&[1])?;
                    definition(peer)?;
                    end(peer, open)?;
                    let mut row = vec![0, 0, u8::try_from(long.len())?];
                    row.append(&mut long);
                    peer.packets.write(&row)?;
                    end(peer, open)?;
                    continue;
                }
                0x18 => {
                    long.extend_from_slice(body.get(6..).unwrap_or_default());
                    continue;
                }
                0x1A => long.clear(),
                0x1C => {
                    peer.err(1421, "HY000", "The statement has no open cursor")?;
                    continue;
                }
                _ => {}
            }
            match text.as_str() {
                "BEGIN" => open = true,
                "COMMIT" | "ROLLBACK" => open = false,
                _ => {}
            }
            if code == 3 && text.starts_with("SELECT") {
                peer.begin_rows("value")?;
                peer.row("first")?;
                peer.row("second")?;
                end(peer, open)?;
            } else {
                let [low, high] = status(open);
                peer.packets.write(&[0, 0, 0, low, high, 0, 0])?;
            }
        }
    })
    .expect("a scripted server")
}

fn status(open: bool) -> [u8; 2] {
    [2 | u8::from(open), 0]
}

fn end(peer: &mut Peer, open: bool) -> Result<()> {
    let [low, high] = status(open);
    peer.packets.write(&[0xFE, 0, 0, low, high])
}

fn definition(peer: &mut Peer) -> Result<()> {
    let mut packet = b"\x03def\0\0\0\x05value\x05value".to_vec();
    packet.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, 0xFD, 0, 0, 0, 0, 0]);
    peer.packets.write(&packet)
}

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
    let only = server(|peer, text| match (peer.number, text) {
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
    let only = server(|peer, text| match (peer.number, text) {
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
    let (primary, replica) = (server(|_, _| Ok(Act::Plain)), server(|_, _| Ok(Act::Plain)));
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
