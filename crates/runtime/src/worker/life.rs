//! How a session comes to a worker and how it leaves.

use tidegate_session::question::ClientAddress;
use tidegate_session::{BackendId, Birth, Cause, Session, Side};

use super::Worker;
use super::accept::Arrival;
use super::conn::Conn;
use super::desk::{Desk, Flow};
use super::linger::Linger;
use super::panic;
use super::seat::{Seat, Seated};
use crate::admission::Ticket;
use crate::wheel::TimerId;
use crate::{greeting, random, socket};

impl Worker {
    /// Makes a session of a client.
    pub(super) fn begin(&mut self, arrival: Arrival, ticket: Ticket) {
        let Arrival {
            fd,
            origin,
            listener,
            service,
            tls,
            plugin,
            compression,
            terms,
            place,
        } = arrival;
        let tcp = origin.peer != ClientAddress::Unix;
        if tcp {
            socket::tune(&fd, self.desk.tuning.keepalive);
        }
        let Some(seat) = self.table.vacancy().filter(|_| !self.ending) else {
            return;
        };
        let (Some(scramble), Some(seed)) = (random::scramble(), random::seed()) else {
            return;
        };
        let key = self.desk.key(seat, Side::Client);
        let Ok(client) = Conn::new(fd, key, tcp, false, &self.desk.registry) else {
            return;
        };
        let id = self.session_ids.next();
        let mut greeting = greeting::facts(
            &service,
            &self.desk.servers.views,
            tls.is_some(),
            compression,
        );
        greeting.terms = terms;
        let ip = origin.peer.socket().map(|peer| peer.ip());
        let birth = Birth {
            id,
            service,
            listener,
            origin,
            scramble,
            seed,
            plugin,
            greeting,
        };
        let Some(session) = self.desk.begin(|env| Session::start(birth, env)) else {
            return;
        };
        let timer = self.desk.wheel.add(key.raw());
        let seated = Seated {
            id,
            session,
            client,
            backends: Vec::new(),
            timer,
            tls,
            ip,
            place,
            ticket,
        };
        self.table.put(seat, Seat::Session(Box::new(seated)));
        self.ids.insert(id, seat as usize);
        let shard = self.desk.shard();
        shard.sessions.add(1);
        shard.sockets.add(1);
        shard.total_sockets.add(1);
        self.with_session(seat as usize, |desk, seated| {
            desk.apply(seated, &[])?;
            desk.settle(seated)
        });
    }

    /// Lets `act` do something with the session of a seat, and empties the seat if that ended it.
    pub(super) fn with_session(
        &mut self,
        seat: usize,
        act: impl FnOnce(&mut Desk, &mut Seated) -> Flow,
    ) {
        let Some(seated) = self.table.session(seat) else {
            return;
        };
        if let Err(cause) = act(&mut self.desk, seated) {
            self.end(seat, cause);
        }
        self.part();
    }

    /// A session is over: its sockets are closed, the client's after its last bytes.
    pub(super) fn end(&mut self, seat: usize, cause: Cause) {
        let Some(Seat::Session(seated)) = self.table.take(seat) else {
            return;
        };
        let desk = &mut self.desk;
        desk.touched.clear();
        desk.swollen.clear();
        desk.known.clear();
        desk.adopted.clear();
        desk.queued.clear();
        desk.lines.leave(seated.client.key, None);
        let mut seated = *seated;
        self.ids.remove(&seated.id);
        for backend in 0..seated.backends.len() {
            desk.close_backend(&mut seated, BackendId(backend as u16));
        }
        desk.shard().sessions.sub(1);
        let Seated {
            session,
            mut client,
            timer,
            place,
            ticket,
            ..
        } = seated;
        // A session whose destructor panics is as dead as any other.
        let _ = panic::catch(|| drop(session));
        drop((place, ticket));
        client.close_tls(&mut desk.bench());
        client.flush(&mut desk.bench());
        // Whom there is nothing to tell, or who does not listen any more.
        let silent = matches!(cause, Cause::Panic | Cause::ClientQuit | Cause::ClientLost);
        if client.broken || (silent && client.output.is_empty()) {
            desk.wheel.remove(timer);
            desk.retire(client);
            return;
        }
        self.linger(client, timer, !silent);
    }

    /// Gives a socket's last bytes their time.
    pub(super) fn linger(&mut self, mut conn: Conn, timer: TimerId, politely: bool) {
        let desk = &mut self.desk;
        let seat = self.table.vacancy();
        let renamed = seat.is_some_and(|seat| {
            let key = desk.key(seat, Side::Client);
            desk.wheel.rename(timer, key.raw());
            conn.rename(key, &desk.registry).is_ok()
        });
        let Some(seat) = seat.filter(|_| renamed) else {
            desk.wheel.remove(timer);
            return desk.retire(conn);
        };
        desk.wheel.set(timer, desk.now.after(desk.tuning.linger));
        Desk::enqueue(&mut desk.queue, &mut conn);
        self.table.put(
            seat,
            Seat::Linger(Box::new(Linger::new(conn, timer, politely))),
        );
    }

    pub(super) fn end_linger(&mut self, seat: usize) {
        if let Some(Seat::Linger(linger)) = self.table.take(seat) {
            self.desk.wheel.remove(linger.timer);
            self.desk.retire(linger.conn);
        }
    }

    /// Connections that were closed with unsent bytes go on without their sessions.
    pub(super) fn part(&mut self) {
        while let Some((conn, politely)) = self.desk.parted.pop() {
            let timer = self.desk.wheel.add(conn.key.raw());
            self.linger(conn, timer, politely);
        }
    }
}
