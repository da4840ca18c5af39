//! How long answers took, and what a router tells of itself.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_admin::spell;
use tidegate_admin::views::{ResponseBucket, ResponseTimes, SpreadView, TimesView};
use tidegate_session::average::Average;
use tidegate_session::histogram::{Decades, Spread};
use tidegate_session::world::{Count, Counters, ServerShard};
use tidegate_session::{Instant, ServiceShard, ServiceSpec, TargetShard};

/// The times of one kind of answers of all workers by powers of ten.
pub(super) fn decades(
    counters: &Counters<ServerShard>,
    which: impl Fn(&ServerShard) -> &Decades,
) -> ResponseTimes {
    let mut times = ResponseTimes::default();
    for shard in counters.iter() {
        for (sum, (count, total)) in times.buckets.iter_mut().zip(&which(shard).buckets) {
            *sum = ResponseBucket {
                count: sum.count + count.get(),
                total: sum.total + Duration::from_micros(total.get()),
            };
        }
    }
    times
}

/// The moving average that adaptive routing goes by; zero: no read yet.
pub(super) fn average_read_time(counters: &Counters<ServerShard>) -> Duration {
    Average::merge(counters.iter().map(|shard| &shard.first_bytes))
        .map_or(Duration::ZERO, |response| {
            Duration::from_micros(response.average_us as u64)
        })
}

pub(super) fn times(spread: &Spread) -> TimesView {
    let quantile = |permille| Duration::from_micros(spread.quantile_us(permille));
    TimesView {
        count: spread.count,
        total: Duration::from_micros(spread.total_us),
        p50: quantile(500),
        p95: quantile(950),
        p99: quantile(990),
        max: Duration::from_micros(spread.max_us),
    }
}

pub(super) fn spread_of_server(counters: &Counters<ServerShard>) -> SpreadView {
    SpreadView {
        read: times(&Spread::of(counters, |shard| &shard.read_times)),
        write: times(&Spread::of(counters, |shard| &shard.write_times)),
        other: times(&Spread::of(counters, |shard| &shard.other_times)),
    }
}

/// The times of a target, by what was asked.
struct TargetTimes {
    read: Spread,
    write: Spread,
    other: Spread,
}

impl TargetTimes {
    fn of(counters: &Counters<TargetShard>) -> TargetTimes {
        TargetTimes {
            read: Spread::of(counters, |shard| &shard.read_times),
            write: Spread::of(counters, |shard| &shard.write_times),
            other: Spread::of(counters, |shard| &shard.other_times),
        }
    }

    fn view(&self) -> SpreadView {
        SpreadView {
            read: times(&self.read),
            write: times(&self.write),
            other: times(&self.other),
        }
    }
}

pub(super) fn spread_of_service(spec: &ServiceSpec) -> SpreadView {
    let mut whole = TargetTimes {
        read: Spread::default(),
        write: Spread::default(),
        other: Spread::default(),
    };
    for target in &spec.target_counters {
        let target = TargetTimes::of(target);
        whole.read.merge(&target.read);
        whole.write.merge(&target.write);
        whole.other.merge(&target.other);
    }
    whole.view()
}

/// How far the writes have come that were acknowledged through the service; null: there were none,
/// or in more domains than are kept apart.
fn last_gtid(spec: &ServiceSpec) -> Value {
    match spec.position.get() {
        Some(position) if !position.is_empty() => Value::from(position.to_string()),
        _ => Value::Null,
    }
}

/// One of a service's counters.
type Counter = fn(&ServiceShard) -> &Count;

/// What readwritesplit counts, by the names that REST has for it.
const SPLITTING: [(&str, Counter); 9] = [
    ("route_master", |shard| &shard.route_primary),
    ("route_slave", |shard| &shard.route_replica),
    ("route_all", |shard| &shard.route_all),
    ("rw_transactions", |shard| &shard.rw_transactions),
    ("ro_transactions", |shard| &shard.ro_transactions),
    ("replayed_transactions", |shard| {
        &shard.replayed_transactions
    }),
    ("trx_max_size_exceeded", |shard| {
        &shard.trx_max_size_exceeded
    }),
    ("replay_mismatches", |shard| &shard.replay_mismatches),
    ("unknown_commits", |shard| &shard.unknown_commits),
];

/// What a router tells of itself, and how each target was used.
pub(super) fn router(
    spec: &ServiceSpec,
    servers: &[String],
    services: &[String],
    now: Instant,
) -> Map<String, Value> {
    let counters = &spec.counters;
    let mut members = Map::new();
    members.insert(
        "queries".to_owned(),
        counters.sum(|shard| &shard.queries).into(),
    );
    if spec.router.name() == "readwritesplit" {
        let figures = SPLITTING.iter().map(|(name, field)| {
            let sum = counters.sum(field);
            ((*name).to_owned(), Value::from(sum))
        });
        members.extend(figures);
    }
    let needs = spec.router.needs(spec.sharing.is_some());
    if needs.reuses {
        let reused = counters.sum(|shard| &shard.prepared_statements_reused);
        members.insert("prepared_statements_reused".to_owned(), reused.into());
    }
    if needs.sync.is_some() {
        let sum = |field: Counter| Value::from(counters.sum(field));
        let synced = sum(|shard| &shard.synced_transactions);
        members.insert("synced_transactions".to_owned(), synced);
        let late = sum(|shard| &shard.sync_timeouts);
        members.insert("sync_timeouts".to_owned(), late);
    }
    if needs.positions {
        members.insert("last_gtid".to_owned(), last_gtid(spec));
    }
    if let Some(reasons) = primary_reasons(spec) {
        members.insert("primary_reasons".to_owned(), reasons);
    }
    let targets = servers.iter().chain(services).zip(&spec.target_counters);
    let used: Vec<Value> = targets
        .filter(|(_, counters)| counters.sum(|shard| &shard.total) > 0)
        .map(|(name, counters)| target(name, counters, now))
        .collect();
    members.insert("server_query_statistics".to_owned(), used.into());
    members
}

/// Why commands went to the primary, those reasons that there were.
fn primary_reasons(spec: &ServiceSpec) -> Option<Value> {
    let words = spec.router.primary_reasons();
    if words.is_empty() {
        return None;
    }
    let mut reasons = Map::new();
    for (number, word) in words.iter().enumerate() {
        let count: u64 = spec
            .counters
            .iter()
            .filter_map(|shard| shard.primary_reasons.get(number))
            .map(Count::get)
            .sum();
        if count > 0 {
            reasons.insert((*word).to_owned(), count.into());
        }
    }
    Some(reasons.into())
}

fn target(name: &str, counters: &Counters<TargetShard>, now: Instant) -> Value {
    let reads = counters.sum(|shard| &shard.reads);
    let connections = counters.sum(|shard| &shard.total_connections);
    let open_us = TargetShard::open_us(counters, now);
    let busy_us = counters.sum(|shard| &shard.busy_us);
    let average = |sum: u64| sum.checked_div(connections).unwrap_or(0);
    let times = TargetTimes::of(counters).view();
    json!({
        "id": name,
        "total": counters.sum(|shard| &shard.total),
        "read": reads,
        "write": counters.sum(|shard| &shard.writes),
        "avg_sess_duration": spell::duration(Duration::from_micros(average(open_us))),
        "avg_sess_active_pct": percent(busy_us, open_us),
        "avg_selects_per_session": average(reads),
        "response_times": spell::spread(&times),
    })
}

/// In percent, with two decimals.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let hundredths = (u128::from(part.min(whole)) * 10_000 / u128::from(whole)) as f64;
    hundredths / 100.0
}
