//! Addresses from which too many logins failed: `max_auth_errors_until_block`.
//!
//! Failures of all workers count together, so that the limit is exact. Touched when a login ends and
//! when a client comes, never in between. Clients on UNIX sockets are not counted: they are all at one
//! address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_session::Instant;
use tidegate_session::question::ClientAddress;

/// How long an address is blocked.
const BLOCK: Duration = Duration::from_secs(60);

/// How many addresses are kept count of; the one whose last failure is longest ago is forgotten then.
const LIMIT: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u64,
    last: Instant,
    until: Option<Instant>,
}

/// The addresses from which logins failed.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    by_address: Mutex<BTreeMap<IpAddr, Failures>>,
    /// How many there are: most of the time none, and then nothing is locked.
    known: AtomicUsize,
}

impl Blocks {
    /// Is this address blocked?
    pub(crate) fn holds(&self, address: &ClientAddress, now: Instant) -> bool {
        let Some(ip) = counted(address) else {
            return false;
        };
        if self.known.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut known = self.known();
        match known.get(&ip).and_then(|failures| failures.until) {
            Some(until) if now < until => true,
            Some(_) => {
                known.remove(&ip);
                self.known.store(known.len(), Ordering::Release);
                false
            }
            None => false,
        }
    }

    /// A login ended. `limit`: so many failures block an address; 0: none do. `true`: this one did.
    pub(crate) fn note(
        &self,
        address: &ClientAddress,
        proven: bool,
        limit: u64,
        now: Instant,
    ) -> bool {
        let Some(ip) = counted(address) else {
            return false;
        };
        if proven {
            if self.known.load(Ordering::Acquire) > 0 {
                let mut known = self.known();
                known.remove(&ip);
                self.known.store(known.len(), Ordering::Release);
            }
            return false;
        }
        if limit == 0 {
            return false;
        }
        let mut known = self.known();
        let failures = known.entry(ip).or_insert(Failures {
            count: 0,
            last: now,
            until: None,
        });
        failures.count += 1;
        failures.last = now;
        let blocks = failures.count >= limit && failures.until.is_none();
        if blocks {
            failures.until = Some(now.after(BLOCK));
        }
        if known.len() > LIMIT {
            let oldest = known.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(ip, _)| *ip) {
                known.remove(&oldest);
            }
        }
        self.known.store(known.len(), Ordering::Release);
        blocks
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Failures>> {
        // Nothing panics while it is held.
        self.by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn counted(address: &ClientAddress) -> Option<IpAddr> {
    address.socket().map(|socket| socket.ip())
}

/// What a blocked client reads, in the words of a server.
pub(crate) fn text(address: &ClientAddress) -> String {
    format!(
        "Host '{}' is blocked because of many failed logins; try again in a minute",
        address.host()
    )
}

/// The number of that error.
pub(crate) const CODE: u16 = 1129;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> ClientAddress {
        ClientAddress::Ip([10, 0, 0, last].into(), 1)
    }

    const START: Instant = Instant(1_000_000);

    #[test]
    fn the_limit_is_exact_and_a_minute_long() {
        let blocks = Blocks::default();
        for count in 1..=3 {
            assert!(!blocks.holds(&at(1), START));
            assert_eq!(blocks.note(&at(1), false, 3, START), count == 3);
        }
        assert!(blocks.holds(&at(1), START) && !blocks.holds(&at(2), START));
        let last = START.after(BLOCK - Duration::from_micros(1));
        assert!(blocks.holds(&at(1), last));
        assert!(!blocks.holds(&at(1), START.after(BLOCK)));
        // It begins anew.
        assert!(!blocks.note(&at(1), false, 3, START.after(BLOCK)));
        assert!(!blocks.holds(&at(1), START.after(BLOCK)));
    }

    #[test]
    fn a_success_forgives() {
        let blocks = Blocks::default();
        for _ in 0..5 {
            assert!(!blocks.note(&at(1), false, 3, START));
            assert!(!blocks.note(&at(1), false, 3, START));
            blocks.note(&at(1), true, 3, START);
        }
        assert_eq!(blocks.known.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_limit_and_no_address() {
        let blocks = Blocks::default();
        for _ in 0..5 {
            blocks.note(&at(1), false, 0, START);
            blocks.note(&ClientAddress::Unix, false, 1, START);
        }
        assert!(!blocks.holds(&at(1), START) && !blocks.holds(&ClientAddress::Unix, START));
    }

    #[test]
    fn memory_is_bounded() {
        let blocks = Blocks::default();
        for number in 0..LIMIT as u32 + 10 {
            let ip = std::net::Ipv4Addr::from_bits(number + 1);
            let address = ClientAddress::Ip(ip.into(), 1);
            blocks.note(
                &address,
                false,
                3,
                START.after(Duration::from_secs(number.into())),
            );
        }
        assert_eq!(blocks.known.load(Ordering::Relaxed), LIMIT);
    }
}
