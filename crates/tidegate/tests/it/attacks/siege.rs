//! An attack that goes on while somebody else works.
//!
//! No time is measured. The attack goes on until the other one has done all of its work, with
//! every statement answered and every login let in, and until it has itself tried often enough; who
//! starves the other never gets there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tidegate_testkit::procfs::{peak_resident_bytes, resident_bytes};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Tidegate, wait_until};

use crate::house::{Plan, connect, group, value};

/// What memory may grow by.
const GROWTH_BYTES: u64 = 64 << 20;

/// Lines of the log that a person can still read.
const READABLE_LINES: usize = 400;

/// What the other one does while an attack goes on.
const STATEMENTS: usize = 400;

/// After so many of its statements it logs in anew.
const STATEMENTS_A_LOGIN: usize = 20;

/// Those who attack at the same time.
const ATTACKERS: usize = 2;

/// Attackers and the other one have the same address here: it must not be blocked for the ones.
pub(super) fn plan() -> Plan<'static> {
    Plan::new(group()).globals("max_auth_errors_until_block=0\n")
}

/// A proxy with the log that it has where nobody asks for more.
pub(super) fn start(plan: &Plan<'_>) -> Tidegate {
    let text = plan.text().replace("log_info=true\n", "");
    Tidegate::start(&text).expect("tidegate")
}

/// Runs `attack` again and again, by several at once, until it has been run `least` times and the
/// other one has done its work. What it is given counts from 0 for each attacker.
pub(super) fn besiege(tidegate: &Tidegate, least: u64, attack: impl Fn(u64) + Sync) {
    let mut other = connect(tidegate, "rw");
    work(tidegate, &mut other);
    let idle = resident_bytes(tidegate.pid()).expect("memory");
    let lines = tidegate.log().lines().count();
    let (done, attacks) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let end = Raise(&done);
        for _ in 0..ATTACKERS {
            scope.spawn(|| {
                let mut rounds = 0;
                while !done.load(Ordering::Relaxed) {
                    attack(rounds);
                    rounds += 1;
                    attacks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        work(tidegate, &mut other);
        wait_until("the attack", || attacks.load(Ordering::Relaxed) >= least).expect("attacks");
        drop(end);
    });
    assert_eq!(value(&mut other, "SELECT 1"), "1");
    let peak = peak_resident_bytes(tidegate.pid()).expect("memory");
    assert!(
        peak < idle + GROWTH_BYTES,
        "{idle} bytes before the attack, {peak} at most"
    );
    let said = tidegate.log();
    let said: Vec<&str> = said.lines().skip(lines).collect();
    assert!(
        said.len() < READABLE_LINES,
        "{} lines in the log of {attacks:?} attacks, the last of them\n{}",
        said.len(),
        said[said.len() - 20..].join("\n")
    );
}

/// Set when dropped, so that attackers end also when the other one has failed.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn work(tidegate: &Tidegate, other: &mut RawClient) {
    for number in 0..STATEMENTS {
        let sql = format!("SELECT {number} + 1");
        assert_eq!(value(other, &sql), (number + 1).to_string());
        if number % STATEMENTS_A_LOGIN == 0 {
            let login = Login::new(&group().accounts().app).database("test");
            *other = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
        }
    }
}
