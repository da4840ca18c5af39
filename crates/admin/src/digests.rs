//! The statements that a service was sent most.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::app::App;
use crate::documents::{Snapshot, digest_id};
use crate::read::Target;
use crate::reply::Reply;
use crate::request::Request;
use crate::route::Collection;
use crate::views::{DigestView, DigestsView};

/// What of a digest decides its place.
type Key = fn(&DigestView) -> u128;

/// What digests can be sorted by.
const KEYS: &[(&str, Key)] = &[
    ("count", |view| u128::from(view.count + view.missed_at_most)),
    ("errors", |view| u128::from(view.errors)),
    ("rows", |view| u128::from(view.rows)),
    ("total_us", |view| view.times.total.as_micros()),
    ("mean_us", |view| {
        view.times.total.as_micros() / u128::from(view.times.count.max(1))
    }),
    ("p50_us", |view| view.times.p50.as_micros()),
    ("p95_us", |view| view.times.p95.as_micros()),
    ("p99_us", |view| view.times.p99.as_micros()),
    ("max_us", |view| view.times.max.as_micros()),
    ("first_seen", |view| micros(view.first_seen)),
    ("last_seen", |view| micros(view.last_seen)),
];

fn micros(time: std::time::SystemTime) -> u128 {
    time.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros())
}

impl App {
    /// All digests of a service, in the order that `sort` names; without it those sent most first.
    pub(crate) async fn digests(&self, request: &Request, service: &str) -> Result<Target, Reply> {
        let order = Order::named(request.query.get("sort").unwrap_or("-count"))?;
        let mut found = self.digests_of(service).await?;
        found.list.sort_by(|a, b| order.compare(a, b));
        let mut meta: Map<String, Value> = Map::new();
        meta.insert("total".to_owned(), found.list.len().into());
        meta.insert("missed_at_most".to_owned(), found.missed_at_most.into());
        meta.insert("without_digest".to_owned(), found.without_digest.into());
        let path = format!("services/{service}/digests");
        Ok(
            Target::many(Snapshot::Digests(service.to_owned(), found.list))
                .at(path)
                .with_meta(meta),
        )
    }

    /// One of them.
    pub(crate) async fn digest(&self, service: &str, id: &str) -> Result<Target, Reply> {
        let mut list = self.digests_of(service).await?.list;
        list.retain(|view| digest_id(view.id) == id);
        if list.is_empty() {
            return Err(Reply::missing(id, &format!("digest of {service}")));
        }
        Ok(Target::one(Snapshot::Digests(service.to_owned(), list)))
    }

    async fn digests_of(&self, service: &str) -> Result<DigestsView, Reply> {
        let found = self.house.digests(service).await;
        found.map_err(|refusal| Reply::refused(refusal, service, Collection::Services.singular()))
    }
}

/// An order of digests; equals are in the order of their ids.
#[derive(Clone, Copy)]
struct Order {
    key: Key,
    descending: bool,
}

impl Order {
    /// What a word names; a leading `-` turns it round.
    fn named(word: &str) -> Result<Order, Reply> {
        let (name, descending) = match word.strip_prefix('-') {
            Some(name) => (name, true),
            None => (word, false),
        };
        match KEYS.iter().find(|(known, _)| *known == name) {
            Some((_, key)) => Ok(Order {
                key: *key,
                descending,
            }),
            None => {
                let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
                Err(Reply::bad(format!(
                    "digests cannot be sorted by '{name}', but by one of {}",
                    known.join(", ")
                )))
            }
        }
    }

    fn compare(self, a: &DigestView, b: &DigestView) -> Ordering {
        let order = (self.key)(a).cmp(&(self.key)(b));
        let order = if self.descending {
            order.reverse()
        } else {
            order
        };
        order.then(a.id.cmp(&b.id))
    }
}
