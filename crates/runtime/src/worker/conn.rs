//! One socket of a session: its flags, its bytes on the way, and the system calls on it.
//!
//! Bytes that the kernel takes at once never touch memory of our own. What it does not take is
//! kept here in order, and bytes that follow wait behind it.

use std::io::IoSlice;
use std::os::fd::{AsRawFd as _, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry};

use tidegate_session::{Encryption, ServerId, Session};
use tidegate_wire::compress::{Codecs, CompressionError, Packing};

use super::key::Key;
use super::packed::Packed;
use crate::admission::Place;
use crate::buffer::{Bytes, Pool};
use crate::figures::WorkerShard;
use crate::socket::{self, Io};
use crate::tls::{Tls, TlsError};

/// How bytes become bytes on the wire.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain,
    Tls(Box<Tls>),
    /// TLS failed: nothing more is said, but what was said last may still arrive.
    Ended,
}

/// A session's socket.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) fd: OwnedFd,
    pub(crate) key: Key,
    pub(crate) transport: Transport,
    /// Its bytes are compressed; what lies under it are the bytes of the wire, or of TLS.
    pub(crate) packed: Option<Box<Packed>>,
    /// Read, presented and not consumed.
    pub(crate) input: Bytes,
    /// Not taken by the kernel yet.
    pub(crate) output: Bytes,
    /// The server at the other end; `None`: the client.
    pub(crate) server: Option<ServerId>,
    /// Its place among the connections to that server.
    pub(crate) place: Option<Place>,
    tcp: bool,
    /// There may be something to read.
    pub(crate) readable: bool,
    /// The kernel may take something.
    pub(crate) writable: bool,
    /// The peer said it will send no more, or the connection broke: read until the end.
    pub(crate) hung_up: bool,
    /// Nothing can be sent any more.
    pub(crate) broken: bool,
    /// The session was told that the stream ended.
    pub(crate) ended: bool,
    /// The connection is being made.
    pub(crate) connecting: bool,
    /// The session does not want to be given bytes of this side.
    pub(crate) paused: bool,
    /// The session wants to see the unconsumed bytes again.
    pub(crate) again: bool,
    /// It has its place in the run queue.
    pub(crate) queued: bool,
    /// The session was told that there are too many unsent bytes.
    pub(crate) swollen: bool,
    /// Something was sent while the present output is applied: what follows is gathered.
    pub(crate) corked: bool,
    watches_writable: bool,
}

impl Conn {
    /// Takes over a socket and watches it.
    pub(crate) fn new(
        fd: OwnedFd,
        key: Key,
        tcp: bool,
        connecting: bool,
        registry: &Registry,
    ) -> std::io::Result<Conn> {
        // The kernel reports that a TCP socket can be written to only after it could not; of a
        // UNIX socket each time its peer has read something, so that is asked for when needed.
        let watches_writable = tcp || connecting;
        let interest = interest(watches_writable);
        registry.register(&mut SourceFd(&fd.as_raw_fd()), key.token(), interest)?;
        Ok(Conn {
            fd,
            key,
            transport: Transport::Plain,
            packed: None,
            input: Bytes::default(),
            output: Bytes::default(),
            server: None,
            place: None,
            tcp,
            readable: false,
            writable: true,
            hung_up: false,
            broken: false,
            ended: false,
            connecting,
            paused: false,
            again: false,
            queued: false,
            swollen: false,
            corked: false,
            watches_writable,
        })
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.tcp
    }

    /// Takes in a readiness event; says whether there is something to do now.
    pub(crate) fn note(&mut self, event: &mio::event::Event) -> bool {
        self.readable |= event.is_readable() || event.is_read_closed();
        self.hung_up |= event.is_read_closed() || event.is_error();
        self.broken |= !self.connecting && (event.is_write_closed() || event.is_error());
        self.writable |= event.is_writable() || event.is_error();
        self.has_work()
    }

    /// Is there something to do for it?
    pub(crate) fn has_work(&self) -> bool {
        self.connecting
            || self.again
            || (self.broken && !self.ended)
            || (self.writable && !self.output.is_empty())
            || (self.readable && !self.paused && !self.ended)
            || (self.is_stalled() && !self.paused && !self.ended)
    }

    /// Is there something to be unpacked that there is room for?
    pub(crate) fn is_stalled(&self) -> bool {
        self.packed
            .as_ref()
            .is_some_and(|packed| packed.is_stalled())
            && self.input.len() < Session::WINDOW
    }

    /// Sends pieces, in order, after what is unsent already.
    pub(crate) fn send(&mut self, pieces: &[IoSlice<'_>], bench: &mut Bench<'_>) {
        if self.broken {
            return;
        }
        if self.packed.is_some() {
            return self.send_packed(pieces, bench);
        }
        self.put(pieces, bench);
    }

    /// Puts bytes on the wire, or into TLS.
    pub(super) fn put(&mut self, pieces: &[IoSlice<'_>], bench: &mut Bench<'_>) {
        match &mut self.transport {
            Transport::Plain => {}
            Transport::Tls(_) => return self.send_encrypted(pieces, bench),
            Transport::Ended => return,
        }
        let mut sent = 0;
        if self.output.is_empty() && self.writable && !self.connecting && !self.corked {
            bench.shard.writes.add(1);
            match socket::write(&self.fd, pieces) {
                Io::Done(count) => sent = count,
                Io::Blocked => {}
                Io::Broken(_) => return self.break_off(bench),
            }
            let total: usize = pieces.iter().map(|piece| piece.len()).sum();
            if sent == total {
                return;
            }
            self.blocked(bench);
        }
        for piece in pieces {
            let skip = sent.min(piece.len());
            sent -= skip;
            self.output.append(&piece[skip..], bench.pool);
        }
    }

    /// From here on both sides' bytes are compressed. What came and was not consumed is, too.
    pub(crate) fn compress(&mut self, packing: Packing, bench: &mut Bench<'_>) {
        let mut packed = Box::new(Packed::new(packing));
        packed.receive(self.input.as_slice(), bench.pool);
        self.input.clear(bench.pool);
        self.packed = Some(packed);
    }

    fn send_packed(&mut self, pieces: &[IoSlice<'_>], bench: &mut Bench<'_>) {
        let Some(mut packed) = self.packed.take() else {
            return;
        };
        packed.gather(pieces, self, bench);
        self.packed = Some(packed);
    }

    /// What was gathered to be packed together is.
    fn pack(&mut self, bench: &mut Bench<'_>) {
        if let Some(mut packed) = self.packed.take_if(|packed| packed.waiting() > 0) {
            packed.pack(self, bench);
            self.packed = Some(packed);
        }
    }

    /// Unpacks what came, as far as there is room; how many bytes that made.
    ///
    /// # Errors
    /// The peer's bytes are no frames.
    pub(crate) fn unpack(&mut self, bench: &mut Bench<'_>) -> Result<usize, CompressionError> {
        let Some(packed) = &mut self.packed else {
            return Ok(0);
        };
        packed.unpack(&mut self.input, Session::WINDOW, bench.codecs, bench.pool)
    }

    /// Gives the kernel what is unsent, as far as it takes it.
    pub(crate) fn flush(&mut self, bench: &mut Bench<'_>) {
        self.pack(bench);
        while self.writable && !self.connecting && !self.output.is_empty() {
            bench.shard.writes.add(1);
            match socket::write(&self.fd, &[IoSlice::new(self.output.as_slice())]) {
                Io::Done(count) => {
                    if count < self.output.len() {
                        self.blocked(bench);
                    }
                    self.output.consume(count, bench.pool);
                }
                Io::Blocked => self.blocked(bench),
                Io::Broken(_) => self.break_off(bench),
            }
        }
        if self.watches_writable && !self.tcp && self.output.is_empty() && !self.connecting {
            self.watch_writable(false, bench);
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        let held = match &self.transport {
            Transport::Plain | Transport::Ended => 0,
            Transport::Tls(tls) => tls.waiting(),
        };
        let gathered = self.packed.as_ref().map_or(0, |packed| packed.waiting());
        self.output.len() + held + gathered
    }

    fn send_encrypted(&mut self, pieces: &[IoSlice<'_>], bench: &mut Bench<'_>) {
        let Transport::Tls(tls) = &mut self.transport else {
            return;
        };
        let result = pieces
            .iter()
            .try_for_each(|piece| tls.send(piece, &mut self.output, bench.pool));
        if result.is_err() {
            self.break_off(bench);
        } else if !self.corked {
            self.flush(bench);
        }
    }

    /// Goes as far with TLS as the bytes allow; plaintext goes to the input. Tells once how the
    /// handshake ended.
    ///
    /// # Errors
    /// The connection is of no more use; the peer is told why as far as TLS has words for it.
    pub(crate) fn advance_tls(
        &mut self,
        bench: &mut Bench<'_>,
    ) -> Result<Option<Encryption>, TlsError> {
        let Transport::Tls(tls) = &mut self.transport else {
            return Ok(None);
        };
        let plain = match &mut self.packed {
            Some(packed) => packed.incoming(),
            None => &mut self.input,
        };
        let result = tls
            .advance(plain, &mut self.output, bench.pool)
            .and_then(|()| tls.encryption());
        self.hung_up |= tls.peer_closed();
        self.flush(bench);
        result
    }

    /// Says goodbye in TLS's own words, so that the peer knows that nothing was cut off.
    pub(crate) fn close_tls(&mut self, bench: &mut Bench<'_>) {
        self.pack(bench);
        if let Transport::Tls(tls) = &mut self.transport
            && !self.broken
        {
            tls.close(&mut self.output, bench.pool);
        }
    }

    /// TLS failed.
    pub(crate) fn end_tls(&mut self, pool: &mut Pool) {
        if let Transport::Tls(mut tls) = std::mem::replace(&mut self.transport, Transport::Ended) {
            tls.give_back(pool);
        }
    }

    /// The connection cannot be written to: what was to be sent is lost, and reading it to its
    /// end will tell the session.
    pub(crate) fn break_off(&mut self, bench: &mut Bench<'_>) {
        self.broken = true;
        self.hung_up = true;
        self.readable = true;
        self.output.clear(bench.pool);
    }

    /// Names it anew: its session is over, and somebody else looks after it.
    pub(crate) fn rename(&mut self, key: Key, registry: &Registry) -> std::io::Result<()> {
        self.key = key;
        self.queued = false;
        self.again = false;
        self.paused = false;
        self.ended = false;
        let interest = interest(self.watches_writable);
        registry.reregister(&mut SourceFd(&self.fd.as_raw_fd()), key.token(), interest)
    }

    /// Gives the buffers back; the socket closes when this is dropped.
    pub(crate) fn dismantle(&mut self, pool: &mut Pool) {
        self.input.clear(pool);
        self.output.clear(pool);
        if let Transport::Tls(tls) = &mut self.transport {
            tls.give_back(pool);
        }
        if let Some(packed) = &mut self.packed {
            packed.give_back(pool);
        }
    }

    fn blocked(&mut self, bench: &mut Bench<'_>) {
        self.writable = false;
        if !self.watches_writable {
            self.watch_writable(true, bench);
        }
    }

    fn watch_writable(&mut self, watch: bool, bench: &mut Bench<'_>) {
        let result = bench.registry.reregister(
            &mut SourceFd(&self.fd.as_raw_fd()),
            self.key.token(),
            interest(watch),
        );
        match result {
            Ok(()) => self.watches_writable = watch,
            Err(_) => self.break_off(bench),
        }
    }
}

fn interest(writable: bool) -> Interest {
    if writable {
        Interest::READABLE | Interest::WRITABLE
    } else {
        Interest::READABLE
    }
}

/// What a worker lends to its connections.
pub(crate) struct Bench<'a> {
    pub(crate) pool: &'a mut Pool,
    pub(crate) codecs: &'a mut Codecs,
    pub(crate) shard: &'a WorkerShard,
    pub(crate) registry: &'a Registry,
}
