//! Carrying out what a session wants.
//!
//! Pieces for one side that follow each other leave in one system call, straight from where they
//! lie. A side that is sent to a second time within one output gets the rest gathered, and written
//! once at the end.

use std::io::IoSlice;
use std::sync::Arc;

use tidegate_session::{BackendId, Errand, Op, Output, ServerId, Side, Wanted};
use tidegate_wire::compress::Packing;

use super::conn::{Conn, Transport};
use super::desk::{Desk, Flow, Refusal};
use super::lines::Obtained;
use super::seat::Seated;
use crate::admission::{Admission, Place};
use crate::config::Endpoint;
use crate::socket;
use crate::tls::Tls;

/// Pieces in one system call.
const MAX_PIECES: usize = 16;

impl Desk {
    /// Carries out the output of the last call; its spans refer to `run`. What the session has to
    /// know of the outcome is left for [`Desk::settle`].
    pub(crate) fn apply(&mut self, seated: &mut Seated, run: &[u8]) -> Flow {
        let mut out = std::mem::take(&mut self.out);
        for line in out.logs.drain(..) {
            self.log
                .session(seated.id, &seated.session.service().name, self.wall, line);
        }
        let result = self.carry_out(seated, run, &mut out);
        out.clear();
        self.out = out;
        self.uncork(seated);
        result
    }

    fn carry_out(&mut self, seated: &mut Seated, run: &[u8], out: &mut Output) -> Flow {
        let Output { ops, own, .. } = out;
        let mut ops = ops.drain(..).peekable();
        while let Some(op) = ops.next() {
            if let Some((to, first)) = piece(&op, run, own) {
                let mut pieces = [IoSlice::new(first); MAX_PIECES];
                let mut count = 1;
                while let Some((_, next)) = ops
                    .peek()
                    .and_then(|op| piece(op, run, own))
                    .filter(|(side, _)| *side == to)
                    && count < MAX_PIECES
                {
                    pieces[count] = IoSlice::new(next);
                    count += 1;
                    ops.next();
                }
                self.send(seated, to, &pieces[..count]);
            } else {
                self.act(seated, op)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, seated: &mut Seated, to: Side, pieces: &[IoSlice<'_>]) {
        let mut bench = self.bench();
        let Some(conn) = seated.conn(to) else { return };
        conn.send(pieces, &mut bench);
        if !std::mem::replace(&mut conn.corked, true) {
            self.touched.push(to);
        }
    }

    /// Writes what was gathered, and looks for sides that have too much unsent by now.
    fn uncork(&mut self, seated: &mut Seated) {
        let high = self.tuning.high_water();
        while let Some(side) = self.touched.pop() {
            let mut bench = self.bench();
            let Some(conn) = seated.conn(side) else {
                continue;
            };
            conn.corked = false;
            conn.flush(&mut bench);
            if conn.broken {
                Desk::enqueue(&mut self.queue, conn);
            }
            if conn.unsent() > high && !std::mem::replace(&mut conn.swollen, true) {
                self.swollen.push(side);
            }
        }
    }

    /// Any operation that is not about bytes.
    fn act(&mut self, seated: &mut Seated, op: Op) -> Flow {
        match op {
            Op::Again(side) => self.present_again(seated, side, false),
            Op::Resume(side) => self.present_again(seated, side, true),
            Op::Pause(side) => {
                if let Some(conn) = seated.conn(side) {
                    conn.paused = true;
                }
            }
            Op::StartTls(side) => self.start_tls(seated, side),
            Op::Compress {
                side,
                method,
                threshold,
            } => {
                let mut bench = self.bench();
                let packing = Packing::new(method, threshold);
                let packing = match side {
                    Side::Client => packing,
                    Side::Backend(_) => packing.towards_server(),
                };
                if let Some(conn) = seated.conn(side) {
                    conn.compress(packing, &mut bench);
                    if conn.is_stalled() {
                        Desk::enqueue(&mut self.queue, conn);
                    }
                }
            }
            Op::Close(Side::Backend(backend)) => self.close_backend(seated, backend),
            // The last bytes go out when the session ends.
            Op::Close(Side::Client) => seated.client.ended = true,
            Op::WakeAt(at) => self.wheel.set(seated.timer, at),
            Op::AccountsChanged => self
                .answers
                .accounts_changed(&seated.session.service().name),
            Op::Errand(errand) => self.run(seated, *errand),
            Op::Finish(cause) => return Err(cause),
            Op::Forward { .. } | Op::Send { .. } => {}
        }
        Ok(())
    }

    fn run(&mut self, seated: &mut Seated, errand: Errand) {
        match errand {
            Errand::Ask { token, question } => self.ask(seated, token, question),
            Errand::Connect(wanted) => self.connect(seated, wanted),
            Errand::Park { backend, leftover } => self.park(seated, backend, leftover),
            Errand::LoginEnded { address, proven } => self.note_login(&address, proven),
        }
    }

    fn present_again(&mut self, seated: &mut Seated, side: Side, resume: bool) {
        let Some(conn) = seated.conn(side) else {
            return;
        };
        conn.paused &= !resume;
        conn.again = true;
        Desk::enqueue(&mut self.queue, conn);
    }

    fn connect(&mut self, seated: &mut Seated, wanted: Wanted) {
        let obtained = if self.lines.has_one_for(wanted.server) {
            Obtained::NoPlace
        } else {
            self.obtain(seated, wanted)
        };
        let reason = match obtained {
            Obtained::Connection => return,
            Obtained::NoPlace if wanted.waits => {
                self.lines.join(seated.client.key, wanted);
                self.queued.push(wanted.backend);
                return self.look_after_lines();
            }
            Obtained::NoPlace => {
                "it has as many connections as max_routing_connections allows".to_owned()
            }
            Obtained::Failure(reason) => reason,
        };
        self.refusals.push_back(Refusal {
            session: seated.client.key,
            backend: wanted.backend,
            reason,
        });
    }

    /// Gets a session a connection: one that is kept, or a new one.
    pub(crate) fn obtain(&mut self, seated: &mut Seated, wanted: Wanted) -> Obtained {
        let Wanted {
            backend,
            server,
            fit,
            own,
            ..
        } = wanted;
        if let Some(conn) = fit.and_then(|fit| self.adopt(seated, backend, server, fit, own)) {
            seat(seated, backend, conn);
            return Obtained::Connection;
        }
        let Some(place) = self.place(server) else {
            return Obtained::NoPlace;
        };
        match self.open(seated, backend, server) {
            Ok(mut conn) => {
                conn.place = Some(place);
                self.shard().sockets.add(1);
                self.shard().total_sockets.add(1);
                seat(seated, backend, conn);
                Obtained::Connection
            }
            Err(reason) => Obtained::Failure(reason),
        }
    }

    /// A place for one more connection to a server. If there is none, one that is kept and did not fit
    /// makes room.
    fn place(&mut self, server: ServerId) -> Option<Place> {
        let Some(endpoint) = self.servers.endpoint(server) else {
            return Arc::new(Admission::default()).enter(0);
        };
        let (admission, most) = (Arc::clone(&endpoint.admission), endpoint.most_connections);
        admission.enter(most).or_else(|| {
            self.give_up_one(server)
                .then(|| admission.enter(most))
                .flatten()
        })
    }

    fn open(
        &mut self,
        seated: &Seated,
        backend: BackendId,
        server: ServerId,
    ) -> Result<Conn, String> {
        let endpoint = self
            .servers
            .endpoint(server)
            .ok_or("the server does not exist any more")?;
        let (address, tcp) = match endpoint
            .address
            .as_ref()
            .ok_or("its address is not known")?
        {
            Endpoint::Tcp(address) => ((*address).into(), true),
            Endpoint::Unix(path) => (
                socket::unix_address(path).map_err(|error| error.to_string())?,
                false,
            ),
        };
        let fd = socket::connect(&address, endpoint.local).map_err(|error| error.to_string())?;
        let key = self.key(seated.client.key.seat() as u32, Side::Backend(backend));
        let mut conn =
            Conn::new(fd, key, tcp, true, &self.registry).map_err(|error| error.to_string())?;
        conn.server = Some(server);
        Ok(conn)
    }

    /// Closes a connection to a server. What is unsent, usually the goodbye, gets its chance.
    pub(crate) fn close_backend(&mut self, seated: &mut Seated, backend: BackendId) {
        let Some(mut conn) = seated
            .backends
            .get_mut(usize::from(backend.0))
            .and_then(Option::take)
        else {
            return self.lines.leave(seated.client.key, Some(backend));
        };
        let mut bench = self.bench();
        conn.close_tls(&mut bench);
        conn.flush(&mut bench);
        if conn.output.is_empty() || conn.broken || conn.connecting {
            self.retire(conn);
        } else {
            self.parted.push((conn, false));
        }
    }

    /// Closes a socket and takes its memory back.
    pub(crate) fn retire(&mut self, mut conn: Conn) {
        self.lines.moved |= conn.place.take().is_some();
        conn.dismantle(&mut self.pool);
        self.shard().sockets.sub(1);
    }

    /// From here on the side speaks TLS. A client begins at once, a server waits for its peer.
    fn start_tls(&mut self, seated: &mut Seated, side: Side) {
        let made = self.make_tls(seated, side);
        let mut bench = self.bench();
        let Some(conn) = seated.conn(side) else {
            return;
        };
        match made {
            Ok(tls) => {
                conn.transport = Transport::Tls(Box::new(tls));
                // An error shows up again when the peer's bytes come.
                let _ = conn.advance_tls(&mut bench);
            }
            Err(reason) => {
                conn.break_off(&mut bench);
                Desk::enqueue(&mut self.queue, conn);
                if let Side::Backend(backend) = side {
                    self.refusals.push_back(Refusal {
                        session: seated.client.key,
                        backend,
                        reason: format!("TLS: {reason}"),
                    });
                }
            }
        }
    }

    fn make_tls(&mut self, seated: &mut Seated, side: Side) -> Result<Tls, String> {
        let Some(server) = seated.conn(side).and_then(|conn| conn.server) else {
            let listener = seated.tls.as_ref().ok_or("it was never offered")?;
            return Tls::server(listener, seated.ip).map_err(|error| error.to_string());
        };
        let tls = self
            .servers
            .endpoint(server)
            .and_then(|endpoint| endpoint.tls.as_ref())
            .ok_or("it was switched off for this server meanwhile")?;
        Tls::client(tls).map_err(|error| error.to_string())
    }
}

/// Puts a connection to a server in its place.
fn seat(seated: &mut Seated, backend: BackendId, conn: Conn) {
    let place = usize::from(backend.0);
    if seated.backends.len() <= place {
        seated.backends.resize_with(place + 1, || None);
    }
    seated.backends[place] = Some(conn);
}

/// The bytes of an operation that is about bytes.
#[inline]
fn piece<'a>(op: &Op, run: &'a [u8], own: &'a [u8]) -> Option<(Side, &'a [u8])> {
    match op {
        Op::Forward { to, span } => {
            debug_assert!(
                span.end <= run.len(),
                "a span outside its run: {span:?} of {}",
                run.len()
            );
            Some((*to, run.get(span.clone()).unwrap_or_default()))
        }
        Op::Send { to, span } => {
            debug_assert!(
                span.end <= own.len(),
                "a span outside its bytes: {span:?} of {}",
                own.len()
            );
            Some((*to, own.get(span.clone()).unwrap_or_default()))
        }
        _ => None,
    }
}
