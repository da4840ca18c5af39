//! Connections to servers that no session has: kept for the next one that they fit.
//!
//! A session leaves a connection behind with a request to reset it on its way. Only when the server
//! has confirmed that can another session get it. What comes from the server otherwise, the end of
//! the stream included, ends the connection; so do its age and every change of its server that a new
//! connection would notice.
//!
//! Left out on purpose: keeping them alive by pings. What the server closed in the very moment in
//! which a session took it is replaced by the session.

use tidegate_session::{BackendId, Fit, Leftover, Owner, Said, ServerId, Side};
use tidegate_wire::Command;

use super::conn::{Conn, Transport};
use super::desk::Desk;
use super::key::Key;
use super::seat::Seated;
use crate::config::Servers;
use crate::socket::{self, Io};
use crate::wheel::TimerId;

/// A connection that no session has.
#[derive(Debug)]
struct Shelved {
    conn: Conn,
    leftover: Leftover,
    server: ServerId,
    timer: TimerId,
}

/// All of a worker.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    places: Vec<Option<Shelved>>,
    free: Vec<usize>,
    /// The places taken, by server, the longest kept first.
    by_server: Vec<Vec<usize>>,
}

impl Shelf {
    fn count(&self, server: ServerId) -> usize {
        self.by_server
            .get(server.0 as usize)
            .map_or(0, |places| places.len())
    }

    fn put(&mut self, place: usize, shelved: Shelved) {
        let server = shelved.server.0 as usize;
        if self.by_server.len() <= server {
            self.by_server.resize_with(server + 1, Vec::new);
        }
        self.by_server[server].push(place);
        self.places[place] = Some(shelved);
    }

    /// A free place, which stays free until [`Shelf::put`].
    fn vacancy(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        })
    }

    fn take(&mut self, place: usize) -> Option<Shelved> {
        let shelved = self.places.get_mut(place)?.take()?;
        if let Some(places) = self.by_server.get_mut(shelved.server.0 as usize) {
            places.retain(|other| *other != place);
        }
        self.free.push(place);
        Some(shelved)
    }

    fn named(&mut self, key: Key) -> Option<&mut Shelved> {
        let shelved = self.places.get_mut(key.place()?)?.as_mut();
        shelved.filter(|shelved| shelved.conn.key == key)
    }

    /// The session's own; else the newest that fits and is nobody's, so that the others may grow old;
    /// else the one that was lent first.
    fn find(&self, server: ServerId, fit: Fit, own: Option<Owner>) -> Option<usize> {
        let places = self.by_server.get(server.0 as usize)?;
        let kept = |place: &usize| {
            let shelved = self.places[*place].as_ref()?;
            let sound = !shelved.conn.hung_up && !shelved.conn.broken;
            let fits = shelved.leftover.due == 0 && shelved.leftover.fit == fit;
            (sound && fits).then_some(shelved)
        };
        let owned = |place: &usize| {
            let owner = kept(place).map(|shelved| shelved.leftover.owner);
            own.is_some() && owner == Some(own)
        };
        let free =
            |place: &usize| kept(place).is_some_and(|shelved| shelved.leftover.owner.is_none());
        let mut places_in_order = places.iter().copied();
        places_in_order
            .clone()
            .find(owned)
            .or_else(|| places.iter().rev().copied().find(free))
            .or_else(|| places_in_order.find(|place| kept(place).is_some()))
    }

    fn all(&self) -> Vec<usize> {
        self.by_server.iter().flatten().copied().collect()
    }
}

impl Desk {
    /// Takes in a connection that a session leaves behind.
    pub(crate) fn park(&mut self, seated: &mut Seated, backend: BackendId, leftover: Leftover) {
        let place = self.shelf.vacancy();
        let Some((mut conn, server)) = seated
            .backends
            .get_mut(usize::from(backend.0))
            .and_then(Option::take)
            .and_then(|conn| {
                let server = conn.server?;
                Some((conn, server))
            })
        else {
            self.shelf.free.push(place);
            return;
        };
        conn.corked = false;
        conn.swollen = false;
        conn.flush(&mut self.bench());
        self.serial = self.serial.wrapping_add(1);
        let key = Key::shelved(place, self.serial);
        let view = self.servers.views.get(server);
        let rules = view.and_then(|view| view.pool);
        let room = rules.filter(|rules| {
            // A lent connection is counted where it is; its session may want it back at once.
            let share = match leftover.owner {
                Some(_) => rules.most,
                None => rules.most.div_ceil(self.loads.active() as u64),
            };
            (self.shelf.count(server) as u64) < share && place < Key::MAX_PLACES
        });
        let watched = room.is_some()
            && !self.closing
            && !conn.broken
            && conn.rename(key, &self.registry).is_ok();
        let (Some(rules), true) = (room, watched) else {
            self.shelf.free.push(place);
            return self.quit(conn, leftover.due > 0);
        };
        self.lines.moved |= leftover.due == 0;
        let timer = self.wheel.add(key.raw());
        self.wheel.set(timer, self.now.after(rules.max_age));
        if let Some(view) = self.servers.views.get(server) {
            let shard = view.counters.shard(self.index);
            shard.pooled.add(1);
            shard
                .max_pooled
                .raise(view.counters.now(|shard| &shard.pooled));
        }
        self.shelf.put(
            place,
            Shelved {
                conn,
                leftover,
                server,
                timer,
            },
        );
    }

    /// Gives a session a connection that another left behind, if there is one that fits.
    pub(crate) fn adopt(
        &mut self,
        seated: &mut Seated,
        backend: BackendId,
        server: ServerId,
        fit: Fit,
        own: Option<Owner>,
    ) -> Option<Conn> {
        let found = self.shelf.find(server, fit, own);
        if let Some(view) = self.servers.views.get(server) {
            let shard = view.counters.shard(self.index);
            match found {
                Some(_) => shard.reused.add(1),
                None => shard.pool_empty.add(1),
            }
        }
        let (mut conn, leftover) = self.unshelve(found?)?;
        let key = self.key(seated.client.key.seat() as u32, Side::Backend(backend));
        if conn.rename(key, &self.registry).is_err() {
            self.retire(conn);
            return None;
        }
        self.adopted.push((backend, leftover));
        Some(conn)
    }

    fn unshelve(&mut self, place: usize) -> Option<(Conn, Leftover)> {
        let shelved = self.shelf.take(place)?;
        self.wheel.remove(shelved.timer);
        if let Some(view) = self.servers.views.get(shelved.server) {
            view.counters.shard(self.index).pooled.sub(1);
        }
        Some((shelved.conn, shelved.leftover))
    }

    /// Gives up the connection to this server that has been kept for longest, if there is one.
    pub(crate) fn give_up_one(&mut self, server: ServerId) -> bool {
        let places = self.shelf.by_server.get(server.0 as usize);
        let first = places.and_then(|places| places.first().copied());
        if let Some(place) = first {
            self.discard(place);
        }
        first.is_some()
    }

    /// Closes a connection that no session has, in order.
    fn discard(&mut self, place: usize) {
        if let Some((conn, leftover)) = self.unshelve(place) {
            self.quit(conn, leftover.due > 0);
        }
    }

    /// Says goodbye to a server, so that it does not log an aborted connection. `answers`: some are due.
    fn quit(&mut self, mut conn: Conn, answers: bool) {
        let goodbye = [1, 0, 0, 0, Command::Quit.byte()];
        let mut bench = self.bench();
        conn.send(&[std::io::IoSlice::new(&goodbye)], &mut bench);
        conn.close_tls(&mut bench);
        conn.flush(&mut bench);
        if conn.broken || (conn.output.is_empty() && !answers) {
            self.retire(conn);
        } else {
            self.parted.push((conn, answers));
        }
    }

    /// Takes in a readiness event of a connection that no session has.
    pub(crate) fn note_shelved(&mut self, key: Key, event: &mio::event::Event) {
        if let Some(shelved) = self.shelf.named(key)
            && shelved.conn.note(event)
        {
            Desk::enqueue(&mut self.queue, &mut shelved.conn);
        }
    }

    /// Serves a connection that no session has.
    pub(crate) fn serve_shelved(&mut self, key: Key) {
        let Some(place) = key.place() else { return };
        let mut scratch = std::mem::take(&mut self.read_buffer);
        let sound = self.listen_to(key, &mut scratch);
        self.read_buffer = scratch;
        if sound == Some(false)
            && let Some((conn, _)) = self.unshelve(place)
        {
            self.retire(conn);
        }
    }

    /// Reads what the server says. `Some(false)`: the connection is of no more use.
    fn listen_to(&mut self, key: Key, scratch: &mut [u8]) -> Option<bool> {
        let Desk {
            shelf,
            pool,
            codecs,
            shard,
            registry,
            lines,
            ..
        } = self;
        let shelved = shelf.named(key)?;
        let mut bench = super::conn::Bench {
            pool,
            codecs,
            shard,
            registry,
        };
        let conn = &mut shelved.conn;
        conn.queued = false;
        conn.flush(&mut bench);
        while conn.readable {
            bench.shard.reads.add(1);
            match socket::read(&conn.fd, scratch) {
                Io::Done(0) | Io::Broken(_) => return Some(false),
                Io::Blocked => conn.readable = false,
                Io::Done(count) => {
                    conn.readable = conn.hung_up || count == scratch.len();
                    if let Transport::Tls(tls) = &mut conn.transport {
                        tls.receive(&scratch[..count], bench.pool);
                        if conn.advance_tls(&mut bench).is_err() {
                            return Some(false);
                        }
                    } else if let Some(packed) = &mut conn.packed {
                        packed.receive(&scratch[..count], bench.pool);
                    } else {
                        conn.input.append(&scratch[..count], bench.pool);
                    }
                    if conn.unpack(&mut bench).is_err() {
                        return Some(false);
                    }
                }
            }
            if conn.input.len() > Said::MAX_BYTES {
                return Some(false);
            }
        }
        if conn.broken || conn.hung_up {
            return Some(false);
        }
        match Said::look(conn.input.as_slice(), shelved.leftover.due) {
            Said::Waiting => Some(true),
            Said::Reset => {
                lines.moved |= std::mem::take(&mut shelved.leftover.due) > 0;
                conn.input.clear(bench.pool);
                Some(true)
            }
            Said::Other => Some(false),
        }
    }

    /// A connection has been kept for as long as it may be.
    pub(crate) fn expire_shelved(&mut self, key: Key) {
        let known = self.shelf.named(key).is_some();
        if let Some(place) = key.place().filter(|_| known) {
            self.discard(place);
        }
    }

    /// The servers changed from what they were `before`: connections that would not be made like
    /// this any more are closed.
    pub(crate) fn sort_out_shelved(&mut self, before: &Servers) {
        for place in self.shelf.all() {
            let Some(server) = self.shelf.places[place].as_ref().map(|one| one.server) else {
                continue;
            };
            let (old, new) = (before.endpoint(server), self.servers.endpoint(server));
            let same_place = old.zip(new).is_some_and(|(old, new)| old.leads_to(new));
            let views = (before.views.get(server), self.servers.views.get(server));
            let welcome = matches!(views, (Some(old), Some(new))
                if new.status.connectable() && new.pool.is_some() && old.proxy_header == new.proxy_header
                    && old.compression == new.compression);
            if !same_place || !welcome {
                self.discard(place);
            }
        }
    }

    /// Closes all of them, and takes none in any more.
    pub(crate) fn clear_shelf(&mut self, closing: bool) {
        self.closing = closing;
        for place in self.shelf.all() {
            self.discard(place);
        }
    }
}
