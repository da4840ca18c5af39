//! A scripted server that knows of transactions, prepared statements and long data.

use anyhow::Result;
use tidegate_testkit::raw::{Peer, ScriptedServer};

/// What a script did with a statement.
pub enum Act {
    /// Nothing: the server does what it would.
    Plain,
    /// It has answered.
    Answered,
    /// The connection ends.
    Close,
}

/// Answers a SELECT with two rows, its name and `second`, an execution with the long data that were
/// sent for it, COM_STMT_FETCH with error 1421, and all else with OK. `act` comes before each text.
pub fn server(
    name: &'static str,
    act: impl Fn(&mut Peer, &str) -> Result<Act> + Send + Sync + 'static,
) -> ScriptedServer {
    ScriptedServer::start(move |peer| {
        peer.login()?;
        let mut connection = Connection::default();
        loop {
            let command = peer.command()?;
            let Some((&code, body)) = command.split_first() else {
                return Ok(());
            };
            match code {
                QUIT => return Ok(()),
                QUERY => {
                    let text = String::from_utf8_lossy(body);
                    match act(peer, &text)? {
                        Act::Plain => connection.query(peer, name, &text)?,
                        Act::Answered => {}
                        Act::Close => return Ok(()),
                    }
                }
                _ => connection.statement(peer, code, body)?,
            }
        }
    })
    .expect("a scripted server")
}

const QUIT: u8 = 0x01;
const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const LONG_DATA: u8 = 0x18;
const CLOSE: u8 = 0x19;
const RESET: u8 = 0x1A;
const FETCH: u8 = 0x1C;

/// Status: autocommit.
const AUTOCOMMIT: u16 = 0x0002;
/// Status: a transaction is open.
const OPEN: u16 = 0x0001;
/// Status: and it only reads.
const READ_ONLY: u16 = 0x2000;

#[derive(Default)]
struct Connection {
    /// Flags of the open transaction.
    transaction: u16,
    long: Vec<u8>,
}

impl Connection {
    fn query(&mut self, peer: &mut Peer, name: &str, text: &str) -> Result<()> {
        match text {
            "BEGIN" => self.transaction = OPEN,
            "START TRANSACTION READ ONLY" => self.transaction = OPEN | READ_ONLY,
            "COMMIT" | "ROLLBACK" => self.transaction = 0,
            _ => {}
        }
        if !text.starts_with("SELECT") || text.contains(" INTO ") {
            return self.ok(peer);
        }
        peer.begin_rows("value")?;
        peer.row(name)?;
        peer.row("second")?;
        self.end(peer)
    }

    fn statement(&mut self, peer: &mut Peer, code: u8, body: &[u8]) -> Result<()> {
        match code {
            PREPARE => {
                // Statement 1, of one parameter.
                peer.packets.write(&[0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])?;
                definition(peer)?;
                self.end(peer)
            }
            EXECUTE => {
                peer.packets.write(&[1])?;
                definition(peer)?;
                self.end(peer)?;
                let mut row = vec![0, 0, u8::try_from(self.long.len())?];
                row.append(&mut self.long);
                peer.packets.write(&row)?;
                self.end(peer)
            }
            LONG_DATA => {
                self.long
                    .extend_from_slice(body.get(6..).unwrap_or_default());
                Ok(())
            }
            CLOSE => Ok(()),
            RESET => {
                self.long.clear();
                self.ok(peer)
            }
            FETCH => peer.err(1421, "HY000", "The statement has no open cursor"),
            _ => self.ok(peer),
        }
    }

    fn ok(&self, peer: &mut Peer) -> Result<()> {
        let [low, high] = (AUTOCOMMIT | self.transaction).to_le_bytes();
        peer.packets.write(&[0, 0, 0, low, high, 0, 0])
    }

    fn end(&self, peer: &mut Peer) -> Result<()> {
        let [low, high] = (AUTOCOMMIT | self.transaction).to_le_bytes();
        peer.packets.write(&[0xFE, 0, 0, low, high])
    }
}

fn definition(peer: &mut Peer) -> Result<()> {
    let mut packet = b"\x03def\0\0\0\x05value\x05value".to_vec();
    packet.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, 0xFD, 0, 0, 0, 0, 0]);
    peer.packets.write(&packet)
}
