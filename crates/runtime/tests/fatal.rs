//! A stack that is used up is reported as any other fatal signal is: the handler needs a stack of its
//! own then.

use std::fs;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use tidegate_runtime::report_fatal_signals;

/// Tells this program, started once more, to use up a stack, and where its log file lies.
const LOG: &str = "TIDEGATE_TEST_OVERFLOW_LOG";

/// The thread whose stack is used up.
const VICTIM: &str = "worker-7";

#[test]
fn a_stack_overflow_is_reported_with_the_places_of_all_threads() {
    if let Some(log) = std::env::var_os(LOG) {
        use_up_a_stack(Path::new(&log));
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("tidegate.log");
    fs::write(&log, "the line before\n").unwrap();
    let name = "a_stack_overflow_is_reported_with_the_places_of_all_threads";
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(LOG, &log)
        .output()
        .unwrap();
    assert_eq!(ended.status.signal(), Some(Signal::SEGV.as_raw()));

    let log = fs::read_to_string(&log).unwrap();
    assert!(log.starts_with("the line before\n"), "{log}");
    for text in [&log, &*String::from_utf8_lossy(&ended.stderr)] {
        let report = text.split("\ntidegate: fatal signal ").nth(1);
        let report = report.unwrap_or_else(|| panic!("no report in {text}"));
        assert!(report.starts_with("SIGSEGV at address 0x"), "{report}");
        for thread in [VICTIM, "bystander"] {
            let there = report.split_once(&format!(" {thread}\n"));
            let (_, stack) = there.unwrap_or_else(|| panic!("no {thread} in {report}"));
            let frames = stack.lines().take_while(|line| line.contains("[0x"));
            assert!(frames.count() >= 3, "{thread}: {report}");
        }
    }
}

/// Ends this process.
fn use_up_a_stack(log: &Path) {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).unwrap();
    report_fatal_signals(Some(log)).unwrap();
    let (started, has_started) = mpsc::channel();
    let bystander = thread::Builder::new().name("bystander".to_owned());
    bystander
        .spawn(move || {
            started.send(()).unwrap();
            loop {
                thread::park();
            }
        })
        .unwrap();
    // A thread has its name from its own first steps on.
    has_started.recv().unwrap();
    let victim = thread::Builder::new().name(VICTIM.to_owned());
    let depth = victim.spawn(|| deeper(black_box(0))).unwrap().join();
    unreachable!("a stack without an end: {depth:?}");
}

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        return 0;
    }
    deeper(depth + 1) + frame[3]
}
