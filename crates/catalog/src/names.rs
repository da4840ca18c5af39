//! Names of clients' addresses, for accounts whose hosts are names.
//!
//! A name counts if the address has it and it has the address: whoever answers for the addresses of a
//! network could say anything else. Lookups wait for name servers, so they are never made on a worker.
//!
//! Invariant: a bounded number of answers is kept, each for five minutes, and a bounded number of
//! lookups is made at a time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How long an answer counts.
const VALID: Duration = Duration::from_secs(300);

/// How long a lookup may take before somebody should know.
const SLOW: Duration = Duration::from_secs(1);

/// Lookups at the same time; further ones wait.
const AT_A_TIME: usize = 8;

#[derive(Debug, Clone)]
struct Known {
    /// `None`: the address has no name that counts.
    name: Option<String>,
    since: Instant,
}

/// What is known of addresses' names.
#[derive(Debug)]
pub(crate) struct Names {
    known: Mutex<BTreeMap<IpAddr, Known>>,
    limit: usize,
    turns: Semaphore,
}

impl Names {
    /// Keeps so many answers; 0: none.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            known: Mutex::default(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            turns: Semaphore::new(AT_A_TIME),
        }
    }

    /// The name of an address, as far as it is known. `None`: it has to be looked up.
    pub(crate) fn known(&self, address: IpAddr) -> Option<Option<String>> {
        let known = self.table();
        let entry = known.get(&address)?;
        (entry.since.elapsed() < VALID).then(|| entry.name.clone())
    }

    /// Looks the name up. The second value: what somebody should know of it.
    pub(crate) async fn look_up(&self, address: IpAddr) -> (Option<String>, Option<String>) {
        // Nobody closes it.
        let _turn = self.turns.acquire().await;
        if let Some(known) = self.known(address) {
            return (known, None);
        }
        let begun = Instant::now();
        let found = tokio::task::spawn_blocking(move || confirmed_name(address)).await;
        // A lookup that panicked found nothing.
        let name = found.unwrap_or_default();
        let took = begun.elapsed();
        let warning = (took > SLOW).then(|| {
            format!(
                "looking up the name of {address} took {} ms: logins of accounts whose hosts are names wait for it (skip_name_resolve, host_cache_size)",
                took.as_millis()
            )
        });
        self.keep(address, name.clone());
        (name, warning)
    }

    fn keep(&self, address: IpAddr, name: Option<String>) {
        if self.limit == 0 {
            return;
        }
        let mut known = self.table();
        let since = Instant::now();
        known.insert(address, Known { name, since });
        if known.len() > self.limit {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.since);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                known.remove(&oldest);
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Known>> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name that the address has and that has the address.
fn confirmed_name(address: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    // An address without a name is its own.
    if name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let addresses = dns_lookup::lookup_host(&name).ok()?;
    let mut canonical = addresses.map(|found| found.to_canonical());
    canonical.any(|found| found == address).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn answers_are_kept_up_to_a_number() {
        let names = Names::new(2);
        assert_eq!(names.known(address(1)), None);
        names.keep(address(1), Some("a".to_owned()));
        names.keep(address(2), None);
        assert_eq!(names.known(address(1)), Some(Some("a".to_owned())));
        assert_eq!(names.known(address(2)), Some(None));
        names.keep(address(3), None);
        assert_eq!(names.known(address(1)), None);
        let none = Names::new(0);
        none.keep(address(1), None);
        assert_eq!(none.known(address(1)), None);
    }

    #[test]
    fn loopback_has_its_name() {
        assert_eq!(
            confirmed_name([127, 0, 0, 1].into()).as_deref(),
            Some("localhost")
        );
    }
}
