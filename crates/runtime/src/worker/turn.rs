//! One connection's turn: finish connecting, write what was unsent, read and present.
//!
//! A turn is bounded: after so many bytes the connection goes to the back of the queue. A read
//! that brings less than asked for has emptied the socket, so it is not read again before the
//! kernel reports more; only a connection that its peer has closed is read to its end.

use tidegate_session::{Backlog, Session, Side};

use super::conn::Transport;
use super::desk::{Desk, Flow, READ_BYTES};
use super::key::Key;
use super::seat::Seated;
use crate::socket::{self, Connecting, Io};

/// Unconsumed bytes up to this length are carried to the front of the worker's buffer, where the
/// next read continues them. More stay in memory of their own and are read into directly, so that
/// a long packet in small pieces is not copied again and again.
const CARRY_BYTES: usize = 1024;

/// What a turn without any bytes costs, so that it ends too.
const MIN_COST_BYTES: usize = 512;

impl Desk {
    /// Serves one connection.
    pub(crate) fn turn(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        conn.queued = false;
        if conn.connecting {
            self.finish_connect(seated, key)?;
        }
        self.flush(seated, key)?;
        self.read(seated, key)
    }

    fn finish_connect(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        let Side::Backend(backend) = key.side() else {
            return Ok(());
        };
        match socket::connecting(&conn.fd) {
            Connecting::Pending => Ok(()),
            Connecting::Up => {
                conn.connecting = false;
                conn.hung_up = false;
                if conn.is_tcp() {
                    socket::tune(&conn.fd, self.tuning.keepalive);
                }
                self.event(seated, |session, env| session.on_backend_up(backend, env))
            }
            Connecting::Failed(reason) => {
                self.shard().errors.add(1);
                self.close_backend(seated, backend);
                self.event(seated, |session, env| {
                    session.on_backend_down(backend, &reason, env);
                })
            }
        }
    }

    /// Writes what was unsent, and tells the session when that was enough.
    fn flush(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let low = self.tuning.low_water();
        let mut bench = self.bench();
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        let before = conn.unsent();
        conn.flush(&mut bench);
        if !conn.swollen {
            return Ok(());
        }
        let backlog = match conn.unsent() {
            after if after <= low => Backlog::Low,
            after if after < before => Backlog::High,
            _ => return Ok(()),
        };
        conn.swollen = backlog == Backlog::High;
        self.event(seated, |session, env| {
            session.on_backlog(key.side(), backlog, env);
        })
    }

    fn read(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let mut budget = self.tuning.turn();
        loop {
            let Some(conn) = seated.named(key) else {
                return Ok(());
            };
            let again = std::mem::take(&mut conn.again) && !conn.input.is_empty();
            // What a server sent before it broke is still worth reading, once somebody takes it.
            let unread = conn.readable && !(conn.paused && key.side() == Side::Client);
            let closed = conn.broken && !unread;
            let stalled = conn.is_stalled() && !conn.paused;
            let read = conn.readable && !conn.paused && conn.input.len() < Session::WINDOW;
            if conn.ended || !(again || closed || read || stalled) {
                return Ok(());
            }
            if budget == 0 {
                conn.again = again;
                Desk::enqueue(&mut self.queue, conn);
                return Ok(());
            }
            let used = if again {
                self.present_kept(seated, key)?;
                MIN_COST_BYTES
            } else if stalled {
                self.unpack(seated, key)?
            } else if closed {
                return self.end_of_stream(seated, key);
            } else {
                self.read_once(seated, key)?
            };
            budget = budget.saturating_sub(used.max(MIN_COST_BYTES));
        }
    }

    /// Reads once and presents what came; says how much it was.
    fn read_once(&mut self, seated: &mut Seated, key: Key) -> Flow<usize> {
        let Some(conn) = seated.named(key) else {
            return Ok(0);
        };
        self.shard.reads.add(1);
        let (io, room) = match &conn.transport {
            Transport::Plain if conn.packed.is_some() => {
                (socket::read(&conn.fd, &mut self.read_buffer), READ_BYTES)
            }
            Transport::Plain if conn.input.len() <= CARRY_BYTES => {
                return self.read_and_present(seated, key);
            }
            Transport::Plain => {
                let into = conn.input.writable(READ_BYTES, &mut self.pool);
                let room = into.capacity() - into.len();
                (socket::read_into(&conn.fd, into), room)
            }
            Transport::Tls(_) | Transport::Ended => {
                (socket::read(&conn.fd, &mut self.read_buffer), READ_BYTES)
            }
        };
        let count = self.note_read(seated, key, io, room)?;
        if count == 0 {
            return Ok(0);
        }
        let Some(conn) = seated.named(key) else {
            return Ok(count);
        };
        if let Transport::Tls(tls) = &mut conn.transport {
            tls.receive(&self.read_buffer[..count], &mut self.pool);
            self.advance_tls(seated, key)?;
        } else if let Some(packed) = &mut conn.packed {
            packed.receive(&self.read_buffer[..count], &mut self.pool);
        }
        if seated.named(key).is_some_and(|conn| conn.packed.is_some()) {
            return Ok(count + self.unpack(seated, key)?);
        }
        self.present_kept(seated, key)?;
        Ok(count)
    }

    /// Unpacks what came and presents it; says how much it was.
    fn unpack(&mut self, seated: &mut Seated, key: Key) -> Flow<usize> {
        let mut bench = self.bench();
        let Some(conn) = seated.named(key) else {
            return Ok(0);
        };
        match conn.unpack(&mut bench) {
            Ok(count) => {
                self.present_kept(seated, key)?;
                Ok(count)
            }
            Err(error) => {
                conn.ended = true;
                let reason = error.to_string();
                self.event(seated, |session, env| {
                    session.on_damaged(key.side(), &reason, env);
                })?;
                Ok(0)
            }
        }
    }

    /// The common way: what came lies in the worker's own buffer, and is forwarded from there.
    fn read_and_present(&mut self, seated: &mut Seated, key: Key) -> Flow<usize> {
        let Some(conn) = seated.named(key) else {
            return Ok(0);
        };
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let kept = conn.input.len();
        buffer[..kept].copy_from_slice(conn.input.as_slice());
        let room = buffer.len() - kept;
        let io = socket::read(&conn.fd, &mut buffer[kept..]);
        let result = self.present_fresh(seated, key, &mut buffer, io, room);
        self.read_buffer = buffer;
        result
    }

    fn present_fresh(
        &mut self,
        seated: &mut Seated,
        key: Key,
        buffer: &mut [u8],
        io: Io,
        room: usize,
    ) -> Flow<usize> {
        let count = self.note_read(seated, key, io, room)?;
        if count == 0 {
            return Ok(0);
        }
        let Some(conn) = seated.named(key) else {
            return Ok(count);
        };
        let end = conn.input.len() + count;
        conn.input.clear(&mut self.pool);
        let run = &mut buffer[..end];
        let consumed = self.enter(seated, |session, env| {
            session.on_bytes(key.side(), run, env)
        })?;
        let applied = self.apply(seated, run);
        if let Some(rest) = run.get(consumed..).filter(|rest| !rest.is_empty()) {
            self.keep(seated, key, rest, true, false)?;
        }
        applied?;
        self.settle(seated)?;
        Ok(count)
    }

    /// Presents the bytes that were not consumed before.
    fn present_kept(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        if conn.input.is_empty() {
            return Ok(());
        }
        let was_plain = matches!(conn.transport, Transport::Plain);
        let was_packed = conn.packed.is_some();
        let mut input = std::mem::take(&mut conn.input);
        let run = input.as_mut_slice();
        let entered = self.enter(seated, |session, env| {
            session.on_bytes(key.side(), run, env)
        });
        let applied = entered.and_then(|consumed| {
            let applied = self.apply(seated, input.as_slice());
            input.consume(consumed.min(input.len()), &mut self.pool);
            applied
        });
        match seated.named(key) {
            Some(conn)
                if was_plain == matches!(conn.transport, Transport::Plain)
                    && was_packed == conn.packed.is_some() =>
            {
                conn.input = input;
            }
            _ => {
                let kept = self.keep(seated, key, input.as_slice(), was_plain, was_packed);
                input.clear(&mut self.pool);
                kept?;
            }
        }
        applied?;
        self.settle(seated)
    }

    /// Keeps what the session did not consume. What followed the request for TLS on a plain
    /// connection is TLS already, and what followed a login with compression is compressed.
    fn keep(
        &mut self,
        seated: &mut Seated,
        key: Key,
        rest: &[u8],
        was_plain: bool,
        was_packed: bool,
    ) -> Flow {
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        if let Some(packed) = &mut conn.packed
            && !was_packed
        {
            // What followed the login is compressed already.
            packed.receive(rest, &mut self.pool);
            Desk::enqueue(&mut self.queue, conn);
            return Ok(());
        }
        match &mut conn.transport {
            Transport::Tls(tls) if was_plain => {
                tls.receive(rest, &mut self.pool);
                self.advance_tls(seated, key)?;
                let Some(conn) = seated.named(key) else {
                    return Ok(());
                };
                conn.again = true;
                Desk::enqueue(&mut self.queue, conn);
            }
            Transport::Plain | Transport::Tls(_) | Transport::Ended => {
                conn.input.append(rest, &mut self.pool);
            }
        }
        Ok(())
    }

    fn advance_tls(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let mut bench = self.bench();
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        match conn.advance_tls(&mut bench) {
            Ok(None) => Ok(()),
            Ok(Some(encryption)) => {
                self.shard().tls_handshakes.add(1);
                self.shard().tls_resumed.add(u64::from(encryption.resumed));
                self.event(seated, |session, env| {
                    session.on_encrypted(key.side(), encryption, env);
                })
            }
            Err(error) => {
                conn.end_tls(&mut self.pool);
                self.shard().tls_failures.add(1);
                let reason = error.to_string();
                self.event(seated, |session, env| {
                    session.on_tls_failed(key.side(), &reason, env);
                })
            }
        }
    }

    /// Takes in how a read went; how many bytes it brought.
    fn note_read(&mut self, seated: &mut Seated, key: Key, io: Io, room: usize) -> Flow<usize> {
        let Some(conn) = seated.named(key) else {
            return Ok(0);
        };
        match io {
            Io::Done(0) => {
                self.shard().hangups.add(1);
                self.end_of_stream(seated, key)?;
                Ok(0)
            }
            Io::Done(count) => {
                conn.readable = conn.hung_up || count == room;
                self.shard().read_bytes.add(count as u64);
                Ok(count)
            }
            Io::Blocked => {
                conn.readable = false;
                Ok(0)
            }
            Io::Broken(_) => {
                conn.broken = true;
                self.shard().errors.add(1);
                self.end_of_stream(seated, key)?;
                Ok(0)
            }
        }
    }

    /// Tells the session, once, that nothing more will come.
    fn end_of_stream(&mut self, seated: &mut Seated, key: Key) -> Flow {
        let Some(conn) = seated.named(key) else {
            return Ok(());
        };
        conn.readable = false;
        if std::mem::replace(&mut conn.ended, true) {
            return Ok(());
        }
        self.event(seated, |session, env| session.on_eof(key.side(), env))
    }
}
