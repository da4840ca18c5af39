//! Names of addresses, for `rdns` and for host lists with names.
//!
//! A lookup may take long: it runs on a thread made for blocking, a few at a time, is waited
//! for no longer than [`PATIENCE`], and is remembered for [`KEPT`], also when it found nothing.
//! While it runs nobody asks again, and beyond [`MAX_WAITING`] nobody asks at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

/// How long an answer waits for all its lookups together.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a name is believed.
const KEPT: Duration = Duration::from_secs(60);
/// Names remembered at most.
const MAX_KEPT: usize = 4096;
/// Lookups running at once.
const PARALLEL: usize = 8;
/// Lookups running or waiting for their turn.
const MAX_WAITING: usize = 1024;

/// The lookups of one server.
pub(crate) struct Lookup {
    resolve: fn(IpAddr) -> Option<String>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    known: Arc<Mutex<Known>>,
}

/// What was found, and when; while a lookup runs, nothing yet.
type Known = BTreeMap<IpAddr, (Instant, Option<String>)>;

impl Lookup {
    pub(crate) fn new(resolve: fn(IpAddr) -> Option<String>) -> Self {
        Self {
            resolve,
            running: Arc::new(Semaphore::new(PARALLEL)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            known: Arc::default(),
        }
    }

    /// The names of these addresses, as far as they are found in time.
    pub(crate) async fn names(&self, addresses: BTreeSet<IpAddr>) -> BTreeMap<IpAddr, String> {
        let now = Instant::now();
        let mut asked: JoinSet<()> = self
            .claim(&addresses, now)
            .into_iter()
            .filter_map(|address| self.ask(address))
            .collect();
        let all = async { while asked.join_next().await.is_some() {} };
        // Too late is as good as not found; what is found later is remembered all the same.
        let _ = timeout_at(now + PATIENCE, all).await;
        asked.detach_all();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        addresses
            .into_iter()
            .filter_map(|address| {
                let (_, name) = known.get(&address)?;
                Some((address, name.clone()?))
            })
            .collect()
    }

    /// Those of the addresses that have to be asked for, marked as asked for.
    fn claim(&self, addresses: &BTreeSet<IpAddr>, now: Instant) -> Vec<IpAddr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (since, _)| now.duration_since(*since) < KEPT);
        let mut claimed = Vec::new();
        for address in addresses {
            if known.len() < MAX_KEPT && !known.contains_key(address) {
                known.insert(*address, (now, None));
                claimed.push(*address);
            }
        }
        claimed
    }

    /// The name of one address.
    pub(crate) async fn name(&self, address: IpAddr) -> Option<String> {
        self.names(BTreeSet::from([address])).await.remove(&address)
    }

    fn ask(&self, address: IpAddr) -> Option<impl Future<Output = ()> + Send + 'static> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().ok()?;
        let running = Arc::clone(&self.running);
        let known = Arc::clone(&self.known);
        let resolve = self.resolve;
        Some(async move {
            let Ok(_slot) = running.acquire_owned().await else {
                return;
            };
            let name = spawn_blocking(move || resolve(address))
                .await
                .unwrap_or(None);
            let name = name.filter(|name| name.parse::<IpAddr>().is_err());
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(address, (Instant::now(), name));
            drop(place);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static CALLS: AtomicUsize = AtomicUsize::new(0);

    #[tokio::test]
    async fn a_name_is_looked_up_once() {
        let lookup = Lookup::new(|address| {
            CALLS.fetch_add(1, Ordering::SeqCst);
            (address != IpAddr::from([10, 0, 0, 9])).then(|| format!("host-{address}"))
        });
        let address = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..3 {
            assert_eq!(lookup.name(address).await.as_deref(), Some("host-10.0.0.1"));
            assert_eq!(lookup.name([10, 0, 0, 9].into()).await, None);
        }
        assert_eq!(CALLS.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_address_is_no_name() {
        let lookup = Lookup::new(|address| Some(address.to_string()));
        assert_eq!(lookup.name([10, 0, 0, 1].into()).await, None);
    }
}
