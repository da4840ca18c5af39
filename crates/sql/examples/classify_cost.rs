//! What classifying one statement costs, for counting instructions.
//!
//! `classify_cost CASE ROUNDS` classifies a statement of 100 bytes ROUNDS times. Count twice with
//! different ROUNDS; the difference, divided by the difference of the rounds, is the cost of one:
//!
//! ```text
//! cargo build --profile profiling -p tidegate-sql --example classify_cost
//! valgrind --tool=callgrind target/profiling/examples/classify_cost same 10000
//! ```
//!
//! Cases: `same` (the same bytes again), `literals` (the same canonical form, other literals),
//! `short` (a point select of sysbench, other literals), `set` (a text that is never cached),
//! `new` (never seen before), `bare` (no cache), `canonical` (the canonical form alone), `none`
//! (the loop alone).

use std::hint::black_box;
use tidegate_sql::{Cache, Modes, canonical, classify};

const LONG: &str = "SELECT o.id, o.total FROM orders AS o WHERE o.customer = 00000000 AND o.state = 'open' ORDER BY o.id";
const SHORT: &str = "SELECT c FROM sbtest1 WHERE id=00000000";
const SET: &str = "SET SESSION sort_buffer_size = 00000000";

/// The statement with its number and, for `new`, with another column name each time.
struct Texts {
    text: Vec<u8>,
    digits: usize,
    name: Option<usize>,
}

impl Texts {
    fn of(case: &str) -> Texts {
        let text = match case {
            "short" => SHORT,
            "set" => SET,
            _ => LONG,
        };
        Texts {
            text: text.as_bytes().to_vec(),
            digits: text.find("00000000").unwrap_or_default(),
            name: (case == "new").then_some("SELECT o.".len()),
        }
    }

    fn round(&mut self, round: u32, changes: bool) -> &[u8] {
        if changes {
            for (index, byte) in self.text[self.digits..self.digits + 8]
                .iter_mut()
                .enumerate()
            {
                *byte = b'0' + ((round >> (3 * index)) & 7) as u8;
            }
        }
        if let Some(name) = self.name {
            self.text[name] = b'a' + (round % 26) as u8;
            self.text[name + 1] = b'a' + (round / 26 % 26) as u8;
            self.text[name + 5] = b'a' + (round / 676 % 26) as u8;
        }
        &self.text
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().unwrap_or_else(|| "literals".into());
    let rounds = arguments.next().and_then(|count| count.parse().ok());
    let rounds: u32 = rounds.unwrap_or(10_000);
    let modes = Modes::default();
    let mut texts = Texts::of(&case);
    let mut cache = Cache::new(64 << 20);
    let mut out = Vec::new();
    for round in 0..rounds {
        let text = black_box(texts.round(round, case != "same"));
        match case.as_str() {
            "none" => {}
            "bare" => {
                black_box(classify(text, modes));
            }
            "canonical" => canonical(text, modes, &mut out),
            _ => {
                black_box(cache.classify(text, modes).mask);
            }
        }
        black_box(&out);
    }
    println!("{case}: {:?}", cache.stats());
}
