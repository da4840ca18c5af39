//! A crash: what it leaves behind, and what it does not.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;
use tidegate_testkit::{PATIENCE, Tidegate};

use crate::start::BARE;

#[test]
fn a_fatal_signal_is_reported_with_the_places_of_all_threads() {
    for (signal, name) in [
        (Signal::SEGV, "SIGSEGV"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::ILL, "SIGILL"),
        (Signal::FPE, "SIGFPE"),
    ] {
        let mut tidegate = Tidegate::builder(&BARE.replace("threads=1", "threads=2"))
            .argument("--log=file")
            .start()
            .expect("tidegate");
        tidegate.signal(signal).expect("it runs");
        let status = tidegate.wait(PATIENCE).expect("its end");
        assert_eq!(status.signal(), Some(signal.as_raw()), "{name}");
        let folder = tidegate.folder().join("logdir");
        let log = fs::read_to_string(folder.join("tidegate.log")).expect("a log");
        for text in [&log, &tidegate.log()] {
            let report = text.split("\ntidegate: fatal signal ").nth(1);
            let report = report.unwrap_or_else(|| panic!("no report in {text}"));
            assert!(
                report.starts_with(&format!("{name} at address 0x")),
                "{report}"
            );
            for thread in ["tidegate", "worker-0", "worker-1", "log", "control"] {
                let line = format!(" {thread}\n");
                let there = report.split_once(&line).map(|(_, after)| after);
                let stack = there.unwrap_or_else(|| panic!("no {thread} in {report}"));
                let frames = stack.lines().take_while(|line| line.contains("[0x"));
                assert!(frames.count() >= 3, "{thread}: {report}");
            }
        }
        assert!(!status.core_dumped(), "a core file for {name}");
    }
}

#[test]
fn the_question_where_threads_are_means_nothing_by_itself() {
    let mut tidegate = Tidegate::start(BARE).expect("tidegate");
    tidegate.signal(Signal::USR2).expect("it runs");
    assert_eq!(
        tidegate
            .rest()
            .get("/v1/maxscale")
            .expect("an answer")
            .status,
        200
    );
    assert!(!tidegate.log().contains("thread "), "{}", tidegate.log());
}
