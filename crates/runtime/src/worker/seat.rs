//! The worker's table: what sits behind each key.

use std::net::IpAddr;
use std::sync::Arc;

use tidegate_session::{BackendId, Session, SessionId, Side};
use tidegate_tls::ListenerTls;

use super::accept::Door;
use super::conn::Conn;
use super::key::Key;
use super::linger::Linger;
use crate::admission::{Place, Ticket};
use crate::wheel::TimerId;

/// One place in the table.
#[derive(Debug)]
pub(crate) enum Seat {
    /// Nobody; the next free place.
    Free(Option<usize>),
    /// A session.
    Session(Box<Seated>),
    /// A socket that has only its last bytes to send.
    Linger(Box<Linger>),
    /// A listener.
    Door(Box<Door>),
}

/// A session with its sockets.
#[derive(Debug)]
pub(crate) struct Seated {
    pub(crate) id: SessionId,
    pub(crate) session: Session,
    pub(crate) client: Conn,
    /// By [`BackendId`].
    pub(crate) backends: Vec<Option<Conn>>,
    pub(crate) timer: TimerId,
    /// TLS for the client, and where it is.
    pub(crate) tls: Option<Arc<ListenerTls>>,
    pub(crate) ip: Option<IpAddr>,
    /// Given back when the session ends.
    pub(crate) place: Place,
    pub(crate) ticket: Ticket,
}

impl Seated {
    /// The socket of a side, if there is one.
    #[inline]
    pub(crate) fn conn(&mut self, side: Side) -> Option<&mut Conn> {
        match side {
            Side::Client => Some(&mut self.client),
            Side::Backend(BackendId(id)) => self.backends.get_mut(usize::from(id))?.as_mut(),
        }
    }

    /// The socket with this very key.
    #[inline]
    pub(crate) fn named(&mut self, key: Key) -> Option<&mut Conn> {
        self.conn(key.side()).filter(|conn| conn.key == key)
    }
}

/// The table. Places are used again, the last freed first.
#[derive(Debug, Default)]
pub(crate) struct Table {
    seats: Vec<Seat>,
    free: Option<usize>,
    taken: usize,
}

impl Table {
    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// One past the highest index.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// A free place, which stays free until [`Table::put`].
    pub(crate) fn vacancy(&mut self) -> Option<u32> {
        if self.free.is_none() {
            if self.seats.len() >= Key::MAX_SEATS {
                return None;
            }
            self.seats.push(Seat::Free(None));
            self.free = Some(self.seats.len() - 1);
        }
        self.free.and_then(|index| u32::try_from(index).ok())
    }

    /// Fills the place that [`Table::vacancy`] gave.
    pub(crate) fn put(&mut self, index: u32, seat: Seat) {
        let index = index as usize;
        debug_assert_eq!(self.free, Some(index));
        if let Some(place) = self.seats.get_mut(index)
            && let Seat::Free(next) = place
        {
            self.free = *next;
            self.taken += 1;
            *place = seat;
        }
    }

    #[inline]
    pub(crate) fn get(&mut self, index: usize) -> Option<&mut Seat> {
        self.seats.get_mut(index)
    }

    #[inline]
    pub(crate) fn session(&mut self, index: usize) -> Option<&mut Seated> {
        match self.seats.get_mut(index) {
            Some(Seat::Session(seated)) => Some(seated),
            _ => None,
        }
    }

    /// Empties a place.
    pub(crate) fn take(&mut self, index: usize) -> Option<Seat> {
        let place = self
            .seats
            .get_mut(index)
            .filter(|seat| !matches!(seat, Seat::Free(_)))?;
        let seat = std::mem::replace(place, Seat::Free(self.free));
        self.free = Some(index);
        self.taken -= 1;
        Some(seat)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.seats.iter_mut()
    }
}
