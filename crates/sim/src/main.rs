//! `tidegate-sim`: runs seeded schedules on all cores and says whether a law was broken.
//!
//! `--schedules N` (default 1000), `--seed-base N` (default 1), `--threads N`. `--sharing`: of the seeds
//! only those whose idle sessions lend their connections, until N of them have run. `--planted` (with the
//! feature `planted`): plants one defect after the other in the core; it fails if one is not found
//! in time. `TIDEGATE_SEED=N` replays one schedule and prints its events: one seed gives one trace.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_sim::{Coverage, replay, schedule, shares};

/// Broken laws that are shown; one is enough to fail.
const SHOWN: usize = 10;
/// Schedules among which every rare thing must happen.
const MANY: u64 = 20_000;
/// How often the progress line is renewed.
const PROGRESS: Duration = Duration::from_secs(5);

/// What was asked for on the command line.
struct Args {
    schedules: u64,
    seed_base: u64,
    threads: usize,
    sharing: bool,
    planted: bool,
}

impl Args {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut args = Args {
            schedules: 1000,
            seed_base: 1,
            threads: cores,
            sharing: false,
            planted: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            let number = |text: String| {
                text.replace('_', "")
                    .parse()
                    .map_err(|_| format!("{text} is not a number"))
            };
            match word.as_str() {
                "--schedules" => args.schedules = number(value()?)?,
                "--seed-base" => args.seed_base = number(value()?)?,
                "--threads" => args.threads = (number(value()?)? as usize).max(1),
                "--sharing" => args.sharing = true,
                "--planted" => args.planted = true,
                _ => return Err(format!("unknown argument {word}")),
            }
        }
        Ok(args)
    }
}

/// What all threads have found together.
#[derive(Default)]
struct Found {
    coverage: Coverage,
    commands: u64,
    broken: Vec<(u64, String)>,
}

fn main() -> ExitCode {
    let args = match Args::read(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("tidegate-sim: {text}");
            return ExitCode::from(2);
        }
    };
    if let Ok(seed) = std::env::var("TIDEGATE_SEED") {
        return match seed.parse() {
            Ok(seed) => show(seed),
            Err(_) => {
                eprintln!("tidegate-sim: TIDEGATE_SEED is not a number: {seed}");
                ExitCode::from(2)
            }
        };
    }
    if args.planted {
        return plant(args.seed_base);
    }
    let begun = Instant::now();
    let found = run_all(&args);
    report(&args, &found, begun.elapsed())
}

/// Plants one defect after the other and says how soon each was found.
#[cfg(feature = "planted")]
fn plant(seed_base: u64) -> ExitCode {
    use tidegate_sim::planted::{Bug, LIMIT, hunt};
    let mut missed = 0;
    for bug in Bug::ALL {
        match hunt(bug, seed_base) {
            Some((schedules, text)) => println!("{bug:?}: found after {schedules}: {text}"),
            None => {
                missed += 1;
                println!("{bug:?}: not found in {LIMIT} schedules");
            }
        }
    }
    if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(not(feature = "planted"))]
fn plant(_seed_base: u64) -> ExitCode {
    eprintln!("tidegate-sim: --planted needs the feature planted");
    ExitCode::from(2)
}

/// Replays one schedule and prints its events.
fn show(seed: u64) -> ExitCode {
    let (outcome, lines) = replay(seed);
    for line in lines {
        println!("{line}");
    }
    println!(
        "seed {seed}: {} commands, trace {:016x}",
        outcome.commands, outcome.trace
    );
    match outcome.broken {
        Some(text) => {
            println!("broken: {text}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn run_all(args: &Args) -> Found {
    let next = Mutex::new((0..args.schedules, args.seed_base));
    let stop = AtomicBool::new(false);
    let found = Mutex::new(Found::default());
    let shown = Mutex::new(Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(|| work(args, &next, &stop, &found, &shown));
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn work(
    args: &Args,
    next: &Mutex<(Range<u64>, u64)>,
    stop: &AtomicBool,
    found: &Mutex<Found>,
    shown: &Mutex<Instant>,
) {
    let mut mine = Found::default();
    while !stop.load(Ordering::Relaxed) {
        let Some((index, seed)) = take(args, next) else {
            break;
        };
        let outcome = schedule(seed);
        mine.commands += outcome.commands as u64;
        mine.coverage.merge(&outcome.coverage);
        if let Some(text) = outcome.broken {
            mine.broken.push((seed, text));
            if mine.broken.len() >= SHOWN {
                stop.store(true, Ordering::Relaxed);
            }
        }
        progress(args, index, shown);
    }
    let mut all = found.lock().unwrap_or_else(PoisonError::into_inner);
    all.coverage.merge(&mine.coverage);
    all.commands += mine.commands;
    all.broken.append(&mut mine.broken);
}

/// The next schedule: the how manieth it is, and its seed.
fn take(args: &Args, next: &Mutex<(Range<u64>, u64)>) -> Option<(u64, u64)> {
    let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
    let (indices, from) = &mut *next;
    let index = indices.next()?;
    let fits = |seed: &u64| !args.sharing || shares(*seed);
    let seed = (*from..).find(fits)?;
    *from = seed.wrapping_add(1);
    Some((index, seed))
}

fn progress(args: &Args, index: u64, shown: &Mutex<Instant>) {
    if let Ok(mut at) = shown.try_lock()
        && at.elapsed() >= PROGRESS
    {
        *at = Instant::now();
        eprintln!("{index} of {} schedules", args.schedules);
    }
}

fn report(args: &Args, found: &Found, took: Duration) -> ExitCode {
    for (name, count) in found.coverage.iter() {
        println!("{count:>12}  {name}");
    }
    let mut broken = found.broken.clone();
    broken.sort();
    for (seed, text) in broken.iter().take(SHOWN) {
        println!("TIDEGATE_SEED={seed}: {text}");
    }
    println!(
        "{} schedules from seed {}, {} commands, {} broken, {:.1} s",
        args.schedules,
        args.seed_base,
        found.commands,
        broken.len(),
        took.as_secs_f64()
    );
    let missing = found.coverage.missing();
    if args.schedules >= MANY && !args.sharing && !missing.is_empty() {
        println!("never happened: {missing:?}");
        return ExitCode::FAILURE;
    }
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
