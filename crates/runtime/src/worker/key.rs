//! The name of a socket in its worker: what readiness events carry.
//!
//! | bits | what |
//! |-----:|------|
//! | 0-23 | the seat: its index in the worker's table |
//! | 24-40 | which socket of the seat: 0 the client, else a backend's id plus 1; on the shelf: the place |
//! | 41-62 | a serial number |
//!
//! The serial number tells a socket from an earlier one in the same place, whose events may still
//! be on their way.

use tidegate_session::{BackendId, Side};

const SEAT_BITS: u32 = 24;
const SIDE_BITS: u32 = 17;
const SERIAL_BITS: u32 = 22;

/// The name of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(usize);

impl Key {
    /// The worker's mailbox.
    pub(crate) const MAIL: Key = Key(usize::MAX);
    /// The worker's alarm.
    pub(crate) const ALARM: Key = Key(usize::MAX - 1);
    /// The sessions that wait for connections.
    pub(crate) const LINES: Key = Key(usize::MAX - 2);
    /// The most seats a worker can have.
    pub(crate) const MAX_SEATS: usize = (1 << SEAT_BITS) - 1;
    /// The most places a worker's shelf can have. No key is then taken for one of the two above.
    pub(crate) const MAX_PLACES: usize = (1 << SIDE_BITS) - 1;

    pub(crate) fn new(seat: u32, side: Side, serial: u32) -> Key {
        let side = match side {
            Side::Client => 0,
            Side::Backend(BackendId(id)) => usize::from(id) + 1,
        };
        let serial = serial as usize & ((1 << SERIAL_BITS) - 1);
        Key(seat as usize | side << SEAT_BITS | serial << (SEAT_BITS + SIDE_BITS))
    }

    /// The name of a socket that no session has: the seat is the one behind the last, the place on the
    /// shelf stands where other keys have the side.
    pub(crate) fn shelved(place: usize, serial: u32) -> Key {
        let serial = serial as usize & ((1 << SERIAL_BITS) - 1);
        Key(Key::MAX_SEATS | place << SEAT_BITS | serial << (SEAT_BITS + SIDE_BITS))
    }

    /// Its place on the shelf; `None`: it has a seat.
    pub(crate) fn place(self) -> Option<usize> {
        (self.seat() == Key::MAX_SEATS).then_some((self.0 >> SEAT_BITS) & ((1 << SIDE_BITS) - 1))
    }

    pub(crate) fn from_token(token: mio::Token) -> Key {
        Key(token.0)
    }

    pub(crate) fn token(self) -> mio::Token {
        mio::Token(self.0)
    }

    pub(crate) fn from_raw(raw: usize) -> Key {
        Key(raw)
    }

    pub(crate) fn raw(self) -> usize {
        self.0
    }

    pub(crate) fn seat(self) -> usize {
        self.0 & ((1 << SEAT_BITS) - 1)
    }

    pub(crate) fn side(self) -> Side {
        match (self.0 >> SEAT_BITS) & ((1 << SIDE_BITS) - 1) {
            0 => Side::Client,
            id => Side::Backend(BackendId((id - 1) as u16)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        for seat in [0, 1, 77, Key::MAX_SEATS as u32 - 1] {
            for side in [
                Side::Client,
                Side::Backend(BackendId(0)),
                Side::Backend(BackendId(u16::MAX)),
            ] {
                for serial in [0, 1, u32::MAX] {
                    let key = Key::from_token(Key::new(seat, side, serial).token());
                    assert_eq!((key.seat(), key.side()), (seat as usize, side));
                    assert!(key != Key::MAIL && key != Key::ALARM);
                }
            }
        }
    }

    #[test]
    fn a_place_on_the_shelf_is_no_seat() {
        for serial in [0, u32::MAX] {
            for place in [0, 5, Key::MAX_PLACES - 1] {
                let key = Key::shelved(place, serial);
                assert_eq!(key.place(), Some(place));
                assert!(key != Key::MAIL && key != Key::ALARM);
            }
            let seat = Key::MAX_SEATS as u32 - 1;
            assert_eq!(Key::new(seat, Side::Client, serial).place(), None);
        }
    }

    #[test]
    fn serials_tell_keys_apart() {
        let key = |serial| Key::new(5, Side::Client, serial);
        assert_ne!(key(1), key(2));
    }
}
