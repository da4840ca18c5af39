//! Adaptive routing over servers whose speed changes: a simulation with its own clock, whose table is
//! printed in `docs/adaptive-routing.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidegate_session::Instant;
use tidegate_session::average::Average;

use super::criteria::adaptive;

/// Clients, each with one read in progress at a time.
const CLIENTS: usize = 12;
/// How many reads a server works on at once without getting slower.
const PARALLEL: u64 = 4;
/// The length of the whole run, in seconds.
const SECONDS: u64 = 40;

/// A server's time for a read when nothing else runs, in microseconds. `None`: it is down.
type Speed = fn(u64) -> Option<u64>;

/// Twice as fast as the second, but between the 10th and the 20th second, when it is ten times slower.
fn first(second: u64) -> Option<u64> {
    Some(if (10..20).contains(&second) {
        10_000
    } else {
        1_000
    })
}

fn second(_: u64) -> Option<u64> {
    Some(2_000)
}

/// Down from the 25th second on; it comes back in the 30th, cold: slow for two seconds.
fn third(second: u64) -> Option<u64> {
    match second {
        25..30 => None,
        30 | 31 => Some(30_000),
        _ => Some(2_000),
    }
}

const SPEEDS: [Speed; 3] = [first, second, third];

#[derive(Default)]
struct Server {
    average: Average,
    operations: u64,
    used: u64,
}

/// Reads sent to each server in each tenth of a second.
struct Run {
    sent: Vec<[u64; 3]>,
}

fn simulate() -> Run {
    let mut servers: [Server; 3] = Default::default();
    let mut sent = vec![[0; 3]; usize::try_from(SECONDS).unwrap() * 10];
    // What happens next: a client that is free, by time.
    let mut free: BTreeMap<(u64, usize), Option<(usize, u64)>> = BTreeMap::new();
    for client in 0..CLIENTS {
        free.insert((client as u64, client), None);
    }
    let mut uses = 0;
    let mut dice = 1u64;
    while let Some(((now, client), done)) = free.pop_first() {
        if let Some((server, sent_at)) = done {
            servers[server].operations -= 1;
            servers[server].average.add(Instant(now), now - sent_at);
        }
        if now >= SECONDS * 1_000_000 {
            continue;
        }
        let up: Vec<usize> = (0..SPEEDS.len())
            .filter(|ix| SPEEDS[*ix](now / 1_000_000).is_some())
            .collect();
        let seen = |ix: usize| {
            let known = Average::merge([&servers[ix].average].into_iter())?;
            Some((known.average_us, Instant(now).since(known.newest)))
        };
        let best = up
            .iter()
            .filter_map(|ix| Some(seen(*ix)?.0))
            .min_by(f64::total_cmp)
            .unwrap_or(1.0);
        let chosen = up
            .into_iter()
            .min_by_key(|ix| {
                let server = &servers[*ix];
                (adaptive(seen(*ix), best, server.operations), server.used)
            })
            .unwrap();
        uses += 1;
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let server = &mut servers[chosen];
        server.operations += 1;
        server.used = uses;
        sent[usize::try_from(now / 100_000).unwrap()][chosen] += 1;
        let alone = SPEEDS[chosen](now / 1_000_000).unwrap();
        let queued = alone * server.operations.max(PARALLEL) / PARALLEL;
        // Between 80 and 120 percent of it.
        let took = queued * (80 + (dice >> 33) % 41) / 100;
        free.insert((now + took, client), Some((chosen, now)));
    }
    Run { sent }
}

impl Run {
    /// How many of a thousand reads a server got in a stretch of tenths of a second.
    fn share(&self, server: usize, tenths: std::ops::Range<usize>) -> u64 {
        let part: u64 = self.sent[tenths.clone()]
            .iter()
            .map(|sent| sent[server])
            .sum();
        let all: u64 = self.sent[tenths].iter().flatten().sum();
        part * 1000 / all.max(1)
    }

    fn second(&self, server: usize, second: usize) -> u64 {
        self.share(server, second * 10..second * 10 + 10)
    }

    fn table(&self) -> String {
        let mut table =
            "| second | first | second | third | reads |\n|---:|---:|---:|---:|---:|\n".to_owned();
        for second in 0..self.sent.len() / 10 {
            let shares = [0, 1, 2].map(|server| self.second(server, second));
            let reads: u64 = self.sent[second * 10..second * 10 + 10]
                .iter()
                .flatten()
                .sum();
            let [a, b, c] = shares.map(|share| format!("{}.{} %", share / 10, share % 10));
            writeln!(table, "| {second} | {a} | {b} | {c} | {reads} |").unwrap();
        }
        table
    }
}

#[test]
fn the_faster_server_gets_more_and_every_server_some() {
    let run = simulate();
    let [first, second, third] = [0, 1, 2].map(|server| run.share(server, 50..100));
    assert!(first > second && first > third, "{first} {second} {third}");
    assert!(second >= 150 && third >= 150, "{second} {third}");
}

#[test]
fn a_change_of_speed_shows_within_seconds() {
    let run = simulate();
    assert!(run.share(0, 110..120) < run.share(0, 90..100) / 2);
    assert!(run.share(0, 190..200) > 0, "it is tried now and then");
    let recovered = run.second(0, 24);
    assert!(recovered > 350, "{recovered} ‰");
}

#[test]
fn nobody_stampedes_onto_a_server_that_comes_back() {
    let run = simulate();
    assert_eq!(run.share(2, 251..300), 0);
    // Cold as it is it gets less than its share from the first tenth of a second on.
    for tenth in 300..320 {
        let share = run.share(2, tenth..tenth + 1);
        assert!(share <= 333, "{share} ‰ in tenth {tenth}");
    }
    let tried: u64 = run.sent[300..320].iter().map(|sent| sent[2]).sum();
    assert!(tried > 0);
    // Neither does the first, that became fast again.
    for tenth in 200..240 {
        let share = run.share(0, tenth..tenth + 1);
        assert!(share <= 800, "{share} ‰ in tenth {tenth}");
    }
    let warm = run.second(2, 39);
    assert!(warm >= 150, "{warm} ‰");
}

/// The table in the documentation is what happens. `TIDEGATE_BLESS=1` writes it anew.
#[test]
fn the_documented_table_is_true() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/adaptive-routing.md"
    );
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (table, tail) = rest.split_once("<!-- end of table -->").unwrap();
    let now = simulate().table();
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        let page = format!("{head}<!-- table -->\n{now}<!-- end of table -->{tail}");
        std::fs::write(path, page).unwrap();
        return;
    }
    assert_eq!(table, now, "run this test with TIDEGATE_BLESS=1");
}
