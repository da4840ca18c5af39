//! A socket whose session is over: its last bytes go out, within a time limit.
//!
//! To a client that is told why its session ended, closing at once could lose the words: the
//! kernel resets a connection that is closed with unread bytes. So the sending half is closed and
//! what still comes is thrown away until the client closes too.

use super::conn::{Bench, Conn};
use crate::socket::{self, Io};
use crate::wheel::TimerId;

/// Bytes that are thrown away in one turn.
const TURN_BYTES: usize = 256 * 1024;

/// A socket with only its last bytes to send.
#[derive(Debug)]
pub(crate) struct Linger {
    pub(crate) conn: Conn,
    /// When it is closed, whatever is still unsent.
    pub(crate) timer: TimerId,
    /// Wait for the peer to close, too.
    pub(crate) politely: bool,
    shut: bool,
}

impl Linger {
    pub(crate) fn new(conn: Conn, timer: TimerId, politely: bool) -> Linger {
        Linger {
            conn,
            timer,
            politely,
            shut: false,
        }
    }

    /// Does what can be done; `true`: it may be closed.
    pub(crate) fn turn(&mut self, scratch: &mut [u8], bench: &mut Bench<'_>) -> bool {
        self.conn.queued = false;
        self.conn.flush(bench);
        if self.conn.broken {
            return true;
        }
        if !self.conn.output.is_empty() {
            return false;
        }
        if !self.politely {
            return true;
        }
        if !std::mem::replace(&mut self.shut, true) {
            socket::shut_down_writing(&self.conn.fd);
        }
        self.throw_away(scratch)
    }

    fn throw_away(&mut self, scratch: &mut [u8]) -> bool {
        let mut budget = TURN_BYTES;
        while budget > 0 {
            match socket::read(&self.conn.fd, scratch) {
                Io::Done(0) | Io::Broken(_) => return true,
                Io::Done(count) => budget = budget.saturating_sub(count),
                Io::Blocked => return false,
            }
        }
        // A client that goes on sending has had its chance.
        true
    }
}
