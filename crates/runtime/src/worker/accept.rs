//! Listeners on a worker: taking clients in, or turning them away.
//!
//! A listener accepts a bounded number of clients a turn. A client that a lighter worker should
//! have is handed over before a session is made of it.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketAddrAny, SocketFlags};
use tidegate_session::question::ClientAddress;
use tidegate_session::{Level, Origin, ServiceSpec, Terms};
use tidegate_tls::ListenerTls;
use tidegate_wire::compress::CompressionOffer;

use super::desk::Desk;
use super::key::Key;
use crate::admission::{Admission, Loads, Place, Ticket};
use crate::blocks;
use crate::log::Line;
use crate::mailbox::Mailbox;
use crate::message::{ListenerChange, Optional};
use crate::networks::Networks;
use crate::wheel::TimerId;

/// Clients that are accepted in one turn.
const TURN_ACCEPTS: usize = 32;

/// How long a listener rests when the system cannot give it a connection.
const REST: Duration = Duration::from_millis(200);

/// What a worker gets of a listener.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) name: Arc<str>,
    /// Which of the listener's sockets.
    pub(crate) slot: usize,
    /// Whoever is to serve it next may have it already.
    pub(crate) fd: Arc<OwnedFd>,
    pub(crate) service: Arc<ServiceSpec>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) tls: Option<Arc<ListenerTls>>,
    pub(crate) tellers: Arc<Networks>,
    pub(crate) plugin: &'static [u8],
    pub(crate) compression: CompressionOffer,
    pub(crate) terms: Arc<Terms>,
    pub(crate) started: bool,
}

/// A listener on this worker.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) opening: Opening,
    pub(crate) key: Key,
    pub(crate) timer: TimerId,
    pub(crate) queued: bool,
    ready: bool,
}

/// A client that was accepted; the start of a session.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) fd: OwnedFd,
    pub(crate) origin: Origin,
    pub(crate) listener: Arc<str>,
    pub(crate) service: Arc<ServiceSpec>,
    pub(crate) tls: Option<Arc<ListenerTls>>,
    pub(crate) plugin: &'static [u8],
    pub(crate) compression: CompressionOffer,
    pub(crate) terms: Arc<Terms>,
    pub(crate) place: Place,
}

/// All workers, as a listener sees them.
#[derive(Debug)]
pub(crate) struct Colleagues {
    pub(crate) loads: Arc<Loads>,
    pub(crate) mailboxes: Arc<[Arc<Mailbox>]>,
}

/// A descriptor that is given up to be able to turn a client away when there are no others.
#[derive(Debug)]
pub(crate) struct Spare(Option<OwnedFd>);

impl Spare {
    pub(crate) fn new() -> Spare {
        Spare(
            rustix::fs::open(
                Path::new("/dev/null"),
                rustix::fs::OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            )
            .ok(),
        )
    }
}

impl Door {
    pub(crate) fn new(
        opening: Opening,
        key: Key,
        timer: TimerId,
        registry: &Registry,
    ) -> std::io::Result<Door> {
        registry.register(
            &mut SourceFd(&opening.fd.as_raw_fd()),
            key.token(),
            Interest::READABLE,
        )?;
        Ok(Door {
            opening,
            key,
            timer,
            queued: false,
            ready: true,
        })
    }

    /// Nothing that happens to its socket is heard here any more.
    pub(crate) fn part_from(&self, registry: &Registry) {
        // A socket that was watched can be let go.
        let _ = registry.deregister(&mut SourceFd(&self.opening.fd.as_raw_fd()));
    }

    /// Somebody may be waiting.
    pub(crate) fn knock(&mut self) {
        self.ready = true;
    }

    /// Is there something to do?
    pub(crate) fn has_work(&self) -> bool {
        self.ready && self.opening.started
    }

    /// Changes it, unless it is to be removed: that is the table's business.
    pub(crate) fn change(&mut self, change: &ListenerChange) {
        match change {
            ListenerChange::Start => self.opening.started = true,
            ListenerChange::Stop => self.opening.started = false,
            ListenerChange::Service(service) => self.opening.service = Arc::clone(service),
            ListenerChange::Tls(tls) => self.opening.tls = tls.clone(),
            ListenerChange::Remove => {}
        }
    }

    /// Accepts clients; those that stay here come out with their ticket.
    pub(crate) fn turn(
        &mut self,
        desk: &mut Desk,
        colleagues: &Colleagues,
        spare: &mut Spare,
        mut here: impl FnMut(&mut Desk, Arrival, Ticket),
    ) {
        self.queued = false;
        for _ in 0..TURN_ACCEPTS {
            if !self.has_work() {
                return;
            }
            match rustix::net::acceptfrom_with(
                &self.opening.fd,
                SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            ) {
                Ok((fd, address)) => {
                    desk.shard().accepts.add(1);
                    self.take_in(fd, address, desk, colleagues, &mut here);
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => self.ready = false,
                Err(error) => self.troubled(error, desk, spare),
            }
        }
    }

    fn take_in(
        &self,
        fd: OwnedFd,
        address: Option<SocketAddrAny>,
        desk: &mut Desk,
        colleagues: &Colleagues,
        here: &mut impl FnMut(&mut Desk, Arrival, Ticket),
    ) {
        let service = &self.opening.service;
        let origin = self.origin(&fd, address);
        // Whoever may tell another address is looked at when it has.
        if !origin.may_tell && desk.blocks.holds(&origin.peer, desk.now) {
            return turn_away(&fd, blocks::CODE, &blocks::text(&origin.peer), desk);
        }
        let Some(place) = self.opening.admission.enter(service.max_connections) else {
            turn_away(&fd, FULL, FULL_TEXT, desk);
            let limit = service.max_connections;
            let text = format!(
                "service '{}' has as many sessions as max_connections={limit} allows: client turned away (service_full)",
                service.name
            );
            desk.log.write(Line {
                wall: desk.wall,
                object: Some(Arc::clone(&self.opening.name)),
                ..Line::new(Level::Warning, text)
            });
            return;
        };
        let arrival = Arrival {
            origin,
            fd,
            listener: Arc::clone(&self.opening.name),
            service: Arc::clone(service),
            tls: self.opening.tls.clone(),
            plugin: self.opening.plugin,
            compression: self.opening.compression,
            terms: Arc::clone(&self.opening.terms),
            place,
        };
        let best = colleagues.loads.best(desk.index);
        if best != desk.index {
            let ticket = colleagues.loads.ticket(best);
            let Err(Optional::Arrival(arrival, _)) =
                colleagues.mailboxes[best].offer(Optional::Arrival(Box::new(arrival), ticket))
            else {
                return;
            };
            return here(desk, *arrival, colleagues.loads.ticket(desk.index));
        }
        here(desk, arrival, colleagues.loads.ticket(desk.index));
    }

    fn origin(&self, fd: &OwnedFd, address: Option<SocketAddrAny>) -> Origin {
        let socket = |address: SocketAddrAny| std::net::SocketAddr::try_from(address).ok();
        let peer = address.and_then(socket);
        let peer = peer.map_or(ClientAddress::Unix, ClientAddress::from);
        let local = rustix::net::getsockname(fd).ok().and_then(socket);
        Origin {
            may_tell: self.opening.tellers.contain(&peer),
            local: local.map(|local| (local.ip().to_canonical(), local.port()).into()),
            peer,
        }
    }

    /// The system has no connection to give: usually no descriptors are left.
    fn troubled(&mut self, error: Errno, desk: &mut Desk, spare: &mut Spare) {
        let place = Arc::clone(&self.opening.name);
        let text = format!(
            "cannot accept a client: {error}; raise the limit of open files (LimitNOFILE) or have fewer sessions"
        );
        desk.log.write(Line {
            wall: desk.wall,
            object: Some(place),
            ..Line::new(Level::Error, text)
        });
        let out_of_descriptors = matches!(error, Errno::MFILE | Errno::NFILE);
        if out_of_descriptors && spare.0.take().is_some() {
            let accepted = rustix::net::accept_with(
                &self.opening.fd,
                SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            );
            if let Ok(fd) = accepted {
                turn_away(&fd, FULL, FULL_TEXT, desk);
            }
            *spare = Spare::new();
        } else {
            self.ready = false;
            desk.wheel.set(self.timer, desk.now.after(REST));
        }
    }
}

/// There is no place for a client.
const FULL: u16 = 1040;
const FULL_TEXT: &str = "Too many connections";

/// Tells a client why it is not let in, in the only packet that may come instead of a greeting. It is
/// sent without SQLSTATE: the client has not said yet that it knows them.
fn turn_away(fd: &OwnedFd, code: u16, text: &str, desk: &Desk) {
    let [low, high] = code.to_le_bytes();
    let mut packet = vec![3 + text.len() as u8, 0, 0, 0, 0xff, low, high];
    packet.extend_from_slice(text.as_bytes());
    desk.shard().refused.add(1);
    // The client reads it or not: it is closed either way.
    let _ = rustix::net::send(fd, &packet, SendFlags::NOSIGNAL);
}
