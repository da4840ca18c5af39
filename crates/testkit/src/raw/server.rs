//! A scripted server: each connection runs a script that a test wrote.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::Result;

use super::packet::{
    CLIENT_CONNECT_WITH_DB, CLIENT_LONG_PASSWORD, CLIENT_MULTI_RESULTS, CLIENT_MULTI_STATEMENTS,
    CLIENT_PLUGIN_AUTH, CLIENT_PROTOCOL_41, CLIENT_PS_MULTI_RESULTS, CLIENT_SECURE_CONNECTION,
    CLIENT_TRANSACTIONS, PacketStream, put_lenenc, put_lenenc_bytes,
};
use crate::wait::PATIENCE;

/// The version a scripted server names.
const VERSION: &str = "10.11.0-MariaDB-scripted";

/// Status: autocommit.
const AUTOCOMMIT: u16 = 2;

/// A server on 127.0.0.1 that runs a script for each connection. Dropping it cuts them all.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closing: AtomicBool,
    accepted: AtomicU32,
    open: Mutex<Vec<TcpStream>>,
    complaints: Mutex<Vec<String>>,
}

/// One connection as its script sees it.
#[derive(Debug)]
pub struct Peer {
    /// The packets of the connection.
    pub packets: PacketStream,
    /// The number of the connection, from 1; also the id its greeting gives.
    pub number: u32,
}

impl ScriptedServer {
    /// Listens, and runs `script` in a thread of its own for each connection. The connection
    /// closes when the script returns; what it returned as an error is kept for
    /// [`complaints`](Self::complaints).
    ///
    /// # Errors
    /// No port.
    pub fn start(script: impl Fn(&mut Peer) -> Result<()> + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let script = Arc::new(script);
        let acceptor = thread::spawn(move || accept(&listener, &seen, &script));
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u32 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Why scripts ended early, one text each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.shared
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for stream in self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept<F>(listener: &TcpListener, shared: &Arc<Shared>, script: &Arc<F>)
where
    F: Fn(&mut Peer) -> Result<()> + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        if let Ok(handle) = stream.try_clone() {
            shared
                .open
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(handle);
        }
        let (shared, script) = (Arc::clone(shared), Arc::clone(script));
        thread::spawn(move || {
            if let Err(error) = run(stream, number, &*script) {
                let complaint = format!("connection {number}: {error:#}");
                shared
                    .complaints
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(complaint);
            }
        });
    }
}

fn run(stream: TcpStream, number: u32, script: &dyn Fn(&mut Peer) -> Result<()>) -> Result<()> {
    let mut peer = Peer {
        packets: PacketStream::new(stream, PATIENCE)?,
        number,
    };
    let outcome = script(&mut peer);
    // The handle kept for cutting would hold the connection open.
    peer.packets.shutdown(Shutdown::Both);
    outcome
}

impl Peer {
    /// Greets, takes any login, and says OK: what a healthy server does for a good password.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn login(&mut self) -> Result<()> {
        self.greet()?;
        self.packets.read()?;
        self.ok()
    }

    /// Sends a greeting that offers the usual capabilities and `mysql_native_password`.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn greet(&mut self) -> Result<()> {
        let capabilities = CLIENT_LONG_PASSWORD
            | CLIENT_PROTOCOL_41
            | CLIENT_CONNECT_WITH_DB
            | CLIENT_TRANSACTIONS
            | CLIENT_SECURE_CONNECTION
            | CLIENT_MULTI_STATEMENTS
            | CLIENT_MULTI_RESULTS
            | CLIENT_PS_MULTI_RESULTS
            | CLIENT_PLUGIN_AUTH;
        let [a, b, c, d] = capabilities.to_le_bytes();
        let mut out = vec![10];
        out.extend_from_slice(VERSION.as_bytes());
        out.push(0);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(b"scramble\0");
        out.extend_from_slice(&[a, b, 45]);
        out.extend_from_slice(&AUTOCOMMIT.to_le_bytes());
        out.extend_from_slice(&[c, d, 21]);
        out.extend_from_slice(&[0; 10]);
        out.extend_from_slice(b"of20bytes---\0mysql_native_password\0");
        self.packets.restart_sequence();
        self.packets.write(&out)
    }

    /// Reads the next command, its first byte included; the reply is numbered from it.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn command(&mut self) -> Result<Vec<u8>> {
        self.packets.restart_sequence();
        self.packets.read()
    }

    /// Replies OK.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn ok(&mut self) -> Result<()> {
        let [low, high] = AUTOCOMMIT.to_le_bytes();
        self.packets.write(&[0, 0, 0, low, high, 0, 0])
    }

    /// Replies with an error.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn err(&mut self, code: u16, state: &str, message: &str) -> Result<()> {
        let mut out = vec![0xFF];
        out.extend_from_slice(&code.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(state.as_bytes());
        out.extend_from_slice(message.as_bytes());
        self.packets.write(&out)
    }

    /// Replies with text rows of one column.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn rows(&mut self, column: &str, values: &[&str]) -> Result<()> {
        self.begin_rows(column)?;
        for value in values {
            self.row(value)?;
        }
        self.end()
    }

    /// The definitions of a result of one text column.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn begin_rows(&mut self, column: &str) -> Result<()> {
        let mut count = Vec::new();
        put_lenenc(&mut count, 1);
        self.packets.write(&count)?;
        let mut definition = Vec::new();
        for name in ["def", "", "", "", column, column] {
            put_lenenc_bytes(&mut definition, name.as_bytes());
        }
        // Length of the rest, collation, width, type VAR_STRING, flags, decimals, filler.
        definition.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, 0xFD, 0, 0, 0, 0, 0]);
        self.packets.write(&definition)?;
        self.end()
    }

    /// One text row of one column.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn row(&mut self, value: &str) -> Result<()> {
        let mut row = Vec::new();
        put_lenenc_bytes(&mut row, value.as_bytes());
        self.packets.write(&row)
    }

    /// The packet that ends definitions or rows.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn end(&mut self) -> Result<()> {
        let [low, high] = AUTOCOMMIT.to_le_bytes();
        self.packets.write(&[0xFE, 0, 0, low, high])
    }
}
