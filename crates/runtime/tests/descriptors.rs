//! What happens when no descriptors are left. A process of its own, because the limit is the
//! process's.

mod house;

use std::os::fd::AsRawFd as _;

use house::{House, Plan, healthy, login};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate_testkit::raw::RawClient;

#[test]
fn clients_are_turned_away_and_sessions_go_on() {
    let server = healthy();
    let mut plan = Plan::new(&[&server]);
    plan.workers = 1;
    let house = House::new(plan);
    let mut client = house.connect();
    assert_eq!(client.query("SELECT 1").unwrap().text_value().unwrap(), "1");

    let before = getrlimit(Resource::Nofile);
    let tight = Rlimit {
        current: Some(second_free()),
        ..before
    };
    setrlimit(Resource::Nofile, tight).unwrap();
    let refused = RawClient::connect(house.address(), &login());
    let alive = client.query("SELECT 2");
    setrlimit(Resource::Nofile, before).unwrap();

    let error = format!("{:#}", refused.unwrap_err());
    assert!(error.contains("1040"), "{error}");
    assert_eq!(alive.unwrap().text_value().unwrap(), "2");
    let log = house.log();
    assert!(log.contains("LimitNOFILE"), "{log}");
    house.connect();
}

/// The limit that leaves one descriptor: for the test's own end of one more connection, and none
/// for the worker's. A limit bounds numbers; the process may have inherited some with gaps between,
/// and a thread that waits in `accept` has one reserved that is seen nowhere.
fn second_free() -> u64 {
    let probe = || std::fs::File::open("/dev/null").unwrap();
    let (_first, second) = (probe(), probe());
    u64::try_from(second.as_raw_fd()).unwrap()
}
