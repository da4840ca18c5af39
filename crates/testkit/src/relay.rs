//! A TCP relay that misbehaves on command, between any two peers.
//!
//! Faults are set per direction and hold for connections made afterwards; [`Relay::stall`],
//! [`Relay::cut`] and [`Relay::cut_after`] act on those that are open. [`Relay::hold_new`] makes those wait
//! that come later.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::Result;

/// What is read at once where no fault says otherwise.
const CHUNK: usize = 64 * 1024;

/// One way through the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From who connected to the target.
    ToTarget,
    /// From the target to who connected.
    ToClient,
}

/// What goes wrong on one way of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// After this many bytes the whole connection is closed.
    CutAfter(u64),
    /// After this many bytes this way is closed; the other one goes on.
    HalfCloseAfter(u64),
    /// After this many bytes nothing passes any more, and nothing is closed.
    StallAfter(u64),
    /// After this many bytes each further byte is inverted.
    GarbageAfter(u64),
    /// At most this many bytes pass in one piece, so that packets come cut everywhere.
    Pieces(usize),
}

/// A relay in front of one address. Dropping it closes everything.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closing: AtomicBool,
    stalled: Mutex<Stalled>,
    moved: Condvar,
    faults: Mutex<(Fault, Fault)>,
    open: Mutex<Vec<TcpStream>>,
    /// Bytes that still pass before everything open is cut.
    countdown: Mutex<Option<u64>>,
    passed: AtomicU64,
    accepted: AtomicU64,
}

/// What waits.
#[derive(Debug, Default, Clone, Copy)]
struct Stalled {
    everything: bool,
    /// Connections that came since then.
    new: bool,
}

impl Relay {
    /// Listens on a free loopback port and passes each connection on to `target`.
    ///
    /// # Errors
    /// No port.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, target, &seen));
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

    /// Bytes passed on so far, both ways together.
    #[must_use]
    pub fn passed_bytes(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }

    /// Sets the fault of one way, for connections made from now on.
    pub fn set_fault(&self, direction: Direction, fault: Fault) {
        let mut faults = self
            .shared
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match direction {
            Direction::ToTarget => faults.0 = fault,
            Direction::ToClient => faults.1 = fault,
        }
    }

    /// Stops passing anything on, in all connections, without closing any.
    pub fn stall(&self) {
        self.shared.stalled().everything = true;
    }

    /// Passes nothing on in connections that are made from now on, without closing any.
    pub fn hold_new(&self) {
        self.shared.stalled().new = true;
    }

    /// Ends a [`stall`](Self::stall) and a [`hold_new`](Self::hold_new).
    pub fn release(&self) {
        *self.shared.stalled() = Stalled::default();
        self.shared.moved.notify_all();
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Closes all open connections; new ones are taken as before.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Closes all open connections once so many more bytes have passed, in the middle of whatever
    /// is passing then; new ones are taken as before. [`is_armed`](Self::is_armed) until then.
    pub fn cut_after(&self, bytes: u64) {
        *self.shared.countdown() = Some(bytes);
    }

    /// Whether a [`cut_after`](Self::cut_after) is still to come.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.shared.countdown().is_some()
    }
}

impl Shared {
    fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn stalled(&self) -> MutexGuard<'_, Stalled> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn countdown(&self) -> MutexGuard<'_, Option<u64>> {
        self.countdown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of `length` bytes may pass; fewer than that, and everything is cut.
    fn count_down(&self, length: usize) -> usize {
        let mut countdown = self.countdown();
        let Some(left) = *countdown else {
            return length;
        };
        match left.checked_sub(length as u64) {
            Some(rest) => {
                *countdown = Some(rest);
                length
            }
            None => {
                *countdown = None;
                usize::try_from(left).unwrap_or(length)
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.release();
        self.cut();
        // Wakes the acceptor, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        // A target that refuses shows to the client as a closed connection.
        let _ = TcpStream::connect(target).and_then(|server| pair(&client, &server, shared));
    }
}

/// Starts both ways of a connection.
fn pair(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let faults = *shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
    let held = shared.stalled().new;
    shared.accepted.fetch_add(1, Ordering::SeqCst);
    for (from, to, fault) in [(client, server, faults.0), (server, client, faults.1)] {
        let way = Way {
            from: from.try_clone()?,
            to: to.try_clone()?,
            fault,
            held,
            passed: 0,
        };
        shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(from.try_clone()?);
        let shared = Arc::clone(shared);
        thread::spawn(move || way.pump(&shared));
    }
    Ok(())
}

/// One way of one connection.
struct Way {
    from: TcpStream,
    to: TcpStream,
    fault: Fault,
    /// It came during a [`Relay::hold_new`].
    held: bool,
    passed: u64,
}

/// Whether a way goes on after a piece.
#[derive(PartialEq, Eq)]
enum Next {
    Read,
    Close,
    HalfClose,
    Stall,
}

impl Way {
    fn pump(mut self, shared: &Shared) {
        let mut buffer = vec![0u8; CHUNK];
        loop {
            let piece = match self.from.read(&mut buffer) {
                Ok(0) => return self.finish(&Next::HalfClose),
                Ok(length) => &mut buffer[..length],
                Err(_) => return self.finish(&Next::Close),
            };
            self.wait_while_stalled(shared);
            let passing = shared.count_down(piece.len());
            if passing < piece.len() {
                // What came before the cut arrives.
                let _ = self.write(&piece[..passing], shared);
                return shared.cut();
            }
            match self.pass(piece, shared) {
                Ok(Next::Read) => {}
                Ok(next) => return self.finish(&next),
                Err(_) => return self.finish(&Next::Close),
            }
        }
    }

    fn wait_while_stalled(&self, shared: &Shared) {
        let waits = |stalled: &mut Stalled| stalled.everything || (self.held && stalled.new);
        let _released = shared
            .moved
            .wait_while(shared.stalled(), waits)
            .unwrap_or_else(PoisonError::into_inner);
    }

    /// Passes one piece on as far as the fault lets it.
    fn pass(&mut self, piece: &mut [u8], shared: &Shared) -> io::Result<Next> {
        let (limit, after) = match self.fault {
            Fault::CutAfter(limit) => (limit, Next::Close),
            Fault::HalfCloseAfter(limit) => (limit, Next::HalfClose),
            Fault::StallAfter(limit) => (limit, Next::Stall),
            Fault::GarbageAfter(limit) => {
                let good = self.left(limit, piece.len());
                piece[good..].iter_mut().for_each(|byte| *byte = !*byte);
                (u64::MAX, Next::Read)
            }
            Fault::Pieces(size) => {
                for part in piece.chunks(size.max(1)) {
                    self.write(part, shared)?;
                    thread::yield_now();
                }
                return Ok(Next::Read);
            }
            Fault::None => (u64::MAX, Next::Read),
        };
        let length = self.left(limit, piece.len());
        self.write(&piece[..length], shared)?;
        Ok(if self.passed >= limit {
            after
        } else {
            Next::Read
        })
    }

    /// How many of `length` bytes come before the limit.
    fn left(&self, limit: u64, length: usize) -> usize {
        usize::try_from(limit.saturating_sub(self.passed))
            .unwrap_or(usize::MAX)
            .min(length)
    }

    fn write(&mut self, bytes: &[u8], shared: &Shared) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.passed += bytes.len() as u64;
        shared
            .passed
            .fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    fn finish(&mut self, next: &Next) {
        match next {
            Next::HalfClose => {
                let _ = self.to.shutdown(Shutdown::Write);
            }
            Next::Close => {
                let _ = self.to.shutdown(Shutdown::Both);
                let _ = self.from.shutdown(Shutdown::Both);
            }
            // The sockets stay open in the relay's list until it is cut or dropped.
            Next::Stall | Next::Read => {}
        }
    }
}
