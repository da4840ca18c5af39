//! The number of workers changes while sessions run.

use serde_json::{Value, json};
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{Tidegate, wait_until};

use crate::house::{Plan, connect, document, group, run, value, wait_document};

fn set(tidegate: &Tidegate, threads: Value) -> u16 {
    let body = json!({"data": {"attributes": {"parameters": {"threads": threads}}}});
    let answer = tidegate.rest().patch("/v1/maxscale", &body.to_string());
    answer.expect("an answer").status
}

fn states(tidegate: &Tidegate) -> Vec<String> {
    let threads = document(tidegate, "/v1/maxscale/threads");
    let threads = threads["data"].as_array().expect("workers").iter();
    threads
        .map(|thread| {
            thread["attributes"]["stats"]["state"]
                .as_str()
                .expect("a state")
                .to_owned()
        })
        .collect()
}

/// Which worker has each of the sessions.
fn owners(tidegate: &Tidegate) -> Vec<u64> {
    let sessions = document(tidegate, "/v1/sessions");
    let sessions = sessions["data"].as_array().expect("sessions").iter();
    sessions
        .map(|session| session["attributes"]["thread"].as_u64().expect("a worker"))
        .collect()
}

#[test]
fn workers_drain_end_from_the_top_and_come_back() {
    let tidegate = Plan::new(group()).globals("threads_max=6\n").start();
    assert_eq!(set(&tidegate, json!(4)), 204);
    wait_document(&tidegate, "/v1/maxscale/threads", |_| {
        states(&tidegate) == ["Active"; 4]
    });
    let mut clients: Vec<RawClient> = (0..8).map(|_| connect(&tidegate, "rw")).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        run(client, &format!("SET @mine = {number}"));
    }
    let placed = owners(&tidegate);
    assert_eq!(
        (0..4)
            .map(|worker| placed.iter().filter(|it| **it == worker).count())
            .max(),
        Some(2)
    );

    assert_eq!(set(&tidegate, json!("2")), 204);
    assert_eq!(
        states(&tidegate),
        ["Active", "Active", "Draining", "Draining"]
    );
    let shown = document(&tidegate, "/v1/maxscale");
    assert_eq!(shown["data"]["attributes"]["parameters"]["threads"], 2);
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(
            value(client, "SELECT @mine"),
            number.to_string(),
            "it goes on"
        );
    }
    // New ones go to those that are left, by whichever socket they come.
    let mut more: Vec<RawClient> = (0..12).map(|_| connect(&tidegate, "rw")).collect();
    assert!(owners(&tidegate)[8..].iter().all(|worker| *worker < 2));
    for client in &mut more {
        assert_eq!(value(client, "SELECT 1"), "1");
    }

    // The third is free before the fourth, and waits for it.
    let of = |worker: u64| {
        placed
            .iter()
            .enumerate()
            .filter(move |(_, it)| **it == worker)
    };
    let (third, fourth): (Vec<usize>, Vec<usize>) = (
        of(2).map(|it| it.0).collect(),
        of(3).map(|it| it.0).collect(),
    );
    let mut clients: Vec<Option<RawClient>> = clients.into_iter().map(Some).collect();
    for number in third {
        clients[number] = None;
    }
    wait_until("the third without sessions", || {
        states(&tidegate) == ["Active", "Active", "Dormant", "Draining"]
    })
    .expect("dormant");

    // Raised again, it works at once; the fourth goes on draining.
    assert_eq!(set(&tidegate, json!(3)), 204);
    assert_eq!(
        states(&tidegate),
        ["Active", "Active", "Active", "Draining"]
    );
    let _new: Vec<RawClient> = (0..12).map(|_| connect(&tidegate, "rw")).collect();
    assert!(owners(&tidegate).contains(&2));
    for number in fourth {
        clients[number] = None;
    }
    wait_until("the end of the fourth", || {
        states(&tidegate) == ["Active"; 3]
    })
    .expect("ended");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", tidegate.pid())).expect("its threads");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let workers = names.filter(|name| name.starts_with("worker-")).count();
    assert_eq!(workers, 3);
    for client in clients.iter_mut().flatten() {
        assert_eq!(value(client, "SELECT 1"), "1");
    }
}

#[test]
fn more_than_the_most_and_nonsense_are_refused() {
    let tidegate = Plan::new(group()).globals("threads_max=3\n").start();
    for threads in [json!(4), json!(0), json!("many"), json!(-1)] {
        assert_eq!(set(&tidegate, threads), 400);
    }
    assert_eq!(states(&tidegate), ["Active"; 2]);
    let whole = document(&tidegate, "/v1/maxscale").to_string();
    let patch = |body: &str| {
        tidegate
            .rest()
            .patch("/v1/maxscale", body)
            .expect("an answer")
    };
    assert_eq!(patch(&whole).status, 204, "a document that was read");
    let other = r#"{"data":{"attributes":{"parameters":{"threads":1,"admin_port":1}}}}"#;
    assert_eq!(patch(other).status, 400);
    assert_eq!(states(&tidegate), ["Active"; 2], "all or nothing");
}

#[test]
fn no_client_is_lost_while_workers_come_and_go() {
    let tidegate = Plan::new(group()).globals("threads_max=4\n").start();
    let address = tidegate.address("rw");
    let login = Login::new(&group().accounts().app).database("test");
    let clients = std::thread::spawn(move || {
        for number in 0..120 {
            let mut client = RawClient::connect(address, &login)
                .unwrap_or_else(|error| panic!("client {number}: {error:#}"));
            assert_eq!(value(&mut client, "SELECT 1"), "1");
        }
    });
    let mut threads = 1;
    while !clients.is_finished() {
        assert_eq!(set(&tidegate, json!(threads)), 204);
        threads = threads % 4 + 1;
    }
    clients
        .join()
        .unwrap_or_else(|_| panic!("a client was lost\n{}", tidegate.log()));
}
