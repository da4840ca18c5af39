//! How the sessions of a service share its servers, by each criterion.

use std::sync::Arc;

use tidegate_session::ServiceSpec;
use tidegate_session::world::{ServerStatus, ServerViews};
use tidegate_testkit::fuzz::Random;

use crate::play;
use crate::script::Script;
use crate::service::service;
use crate::stage::Stage;

/// Numbers of replicas that are tried.
const REPLICAS: std::ops::RangeInclusive<usize> = 2..=5;

/// What reads: it is told one server.
const READ: &str = "SELECT 1";

/// A primary with replicas, and services over them whose sessions share the servers' counters.
struct Scenery {
    views: ServerViews,
    /// Numbers of sessions.
    next: u64,
}

impl Scenery {
    fn new(replicas: usize) -> Scenery {
        let names = (0..=replicas).map(|ix| format!("server{ix}"));
        Scenery {
            views: play::views(names),
            next: 1,
        }
    }

    fn servers(&self) -> usize {
        self.views.0.len()
    }

    fn service(&self, lines: &str) -> Arc<ServiceSpec> {
        let script = Script::parse(&format!("service {lines}")).expect("a service");
        service(self.servers(), "fail_on_write", &script)
    }

    fn session(&mut self, service: &Arc<ServiceSpec>) -> Stage {
        let alive = vec![true; self.servers()];
        let number = self.next;
        self.next += 1;
        Stage::new(number, Arc::clone(service), self.views.clone(), alive)
    }

    fn set_role(&mut self, server: usize, role: ServerStatus) {
        self.views.0[server].status = ServerStatus::RUNNING.with(role);
    }

    fn operations(&self, server: usize) -> u64 {
        let counters = &self.views.0[server].counters;
        counters.sum(|shard| &shard.operations)
    }
}

/// The session reads; the server that was told.
fn read(stage: &mut Stage) -> usize {
    let bytes = stage.client.say(READ).expect("a statement");
    stage.client_says(&bytes);
    let told = (0..stage.alive.len()).find(|server| {
        let link = stage.link(*server);
        link.is_some_and(|link| link.unseen.pop_front().is_some())
    });
    told.expect("somebody reads")
}

/// The server answers the read.
fn answer(stage: &mut Stage, server: usize) {
    let bytes = stage.link(server).expect("connected").answer("rows 1");
    stage.server_says(server, &bytes.expect("an answer"));
    assert_eq!(stage.client.unseen.pop_front().as_deref(), Some("rows 1"));
}

/// How many of `sessions` new sessions read from each server, while none of them is answered.
fn at_once(scenery: &mut Scenery, service: &Arc<ServiceSpec>, sessions: usize) -> Vec<usize> {
    let mut shares = vec![0; scenery.servers()];
    let mut reading: Vec<Stage> = Vec::new();
    for _ in 0..sessions {
        let mut stage = scenery.session(service);
        shares[read(&mut stage)] += 1;
        reading.push(stage);
    }
    shares
}

#[track_caller]
fn are_equal(shares: &[usize], what: &str) {
    let (least, most) = (shares.iter().min(), shares.iter().max());
    assert!(
        most <= least.map(|least| least + 1).as_ref(),
        "{what}: {shares:?}"
    );
}

#[test]
fn reads_in_progress_are_shared_evenly() {
    for replicas in REPLICAS {
        for criterion in ["least_current_operations", "adaptive_routing"] {
            for accepts in [false, true] {
                let mut scenery = Scenery::new(replicas);
                let service = scenery.service(&format!(
                    "slave_selection_criteria={criterion} master_accept_reads={accepts}"
                ));
                let shares = at_once(&mut scenery, &service, 60);
                let what = format!("{criterion} with {replicas} replicas");
                are_equal(&shares[usize::from(!accepts)..], &what);
                assert!(accepts || shares[0] == 0, "{what}: {shares:?}");
            }
        }
    }
}

#[test]
fn a_session_reads_from_no_server_that_has_clearly_more_to_do_than_another() {
    let mut random = Random::new(1);
    for replicas in REPLICAS {
        let mut scenery = Scenery::new(replicas);
        let service = scenery.service("");
        let mut sessions: Vec<(Stage, Option<usize>)> =
            (0..40).map(|_| (scenery.session(&service), None)).collect();
        let mut used = vec![0; scenery.servers()];
        for _ in 0..4000 {
            let (stage, reads_on) = &mut sessions[random.below(40)];
            // The first replica is slow.
            match *reads_on {
                Some(1) if random.below(4) > 0 => {}
                Some(server) => {
                    answer(stage, server);
                    *reads_on = None;
                }
                None => {
                    let before: Vec<u64> =
                        (0..=replicas).map(|ix| scenery.operations(ix)).collect();
                    let server = read(stage);
                    let least = before[1..].iter().min().expect("replicas");
                    let most = least + (before[server] / 8).max(1);
                    assert!(before[server] <= most, "{server} of {before:?}");
                    used[server] += 1;
                    *reads_on = Some(server);
                }
            }
        }
        assert_eq!(used[0], 0, "{used:?}");
        assert!(used[1..].iter().all(|count| *count > 0), "{used:?}");
        let fastest = used[2..].iter().max().expect("others");
        assert!(used[1] < *fastest, "a slow server gets less: {used:?}");
    }
}

#[test]
fn sessions_that_come_one_at_a_time_are_shared_evenly() {
    for replicas in REPLICAS {
        for criterion in ["least_current_operations", "least_behind_master"] {
            // All sessions are of one service, or every other one is of another.
            for step in [1, 2] {
                let mut scenery = Scenery::new(replicas);
                let lines = format!("slave_selection_criteria={criterion}");
                let service = scenery.service(&lines);
                let mut shares = vec![0; replicas + 1];
                let sessions = 100 * replicas;
                for _ in 0..sessions {
                    let mut stage = scenery.session(&service);
                    scenery.next += step - 1;
                    let server = read(&mut stage);
                    answer(&mut stage, server);
                    shares[server] += 1;
                }
                assert_eq!(shares[0], 0);
                let fair = shares[1..].iter().all(|share| (65..=135).contains(share));
                assert!(fair, "{criterion}, every {step}: {shares:?}");
            }
        }
    }
}

#[test]
fn connections_are_shared_evenly() {
    for replicas in REPLICAS {
        for criterion in ["least_global_connections", "least_router_connections"] {
            let mut scenery = Scenery::new(replicas);
            let lines = format!("lazy_connect=true slave_selection_criteria={criterion}");
            let service = scenery.service(&lines);
            let shares = at_once(&mut scenery, &service, 31);
            are_equal(&shares[1..], criterion);
        }
        // Whatever the criterion is, sessions begin with the servers that have the fewest.
        let mut scenery = Scenery::new(replicas);
        let service = scenery.service("slave_connections=1 max_slave_connections=1");
        let shares = at_once(&mut scenery, &service, 31);
        are_equal(&shares[1..], "one connection each");
    }
}

/// Connections of another service count by one of the two criteria alone.
#[test]
fn connections_of_another_service_count_as_the_criterion_says() {
    for (criterion, expected) in [
        ("least_global_connections", [0, 0, 10]),
        ("least_router_connections", [0, 5, 5]),
    ] {
        let mut scenery = Scenery::new(2);
        scenery.set_role(2, ServerStatus::default());
        let lines = format!("lazy_connect=true slave_selection_criteria={criterion}");
        let (other, mine) = (scenery.service(&lines), scenery.service(&lines));
        let others: Vec<Stage> = (0..10)
            .map(|_| {
                let mut stage = scenery.session(&other);
                assert_eq!(read(&mut stage), 1);
                stage
            })
            .collect();
        scenery.set_role(2, ServerStatus::SLAVE);
        assert_eq!(at_once(&mut scenery, &mine, 10), expected, "{criterion}");
        assert_eq!(others.len(), 10);
    }
}

#[test]
fn the_replica_that_is_least_behind_reads() {
    let mut scenery = Scenery::new(3);
    for (view, lag) in scenery.views.0.iter_mut().zip([0, 3, 1, 2]) {
        view.lag = Some(std::time::Duration::from_secs(lag));
    }
    let service = scenery.service("slave_selection_criteria=least_behind_master");
    assert_eq!(at_once(&mut scenery, &service, 20), [0, 0, 20, 0]);
    // Nobody knows how far it is behind: it is the last that is read from.
    scenery.views.0[2].lag = None;
    assert_eq!(at_once(&mut scenery, &service, 20), [0, 0, 0, 20]);
}

#[test]
fn sessions_of_services_that_are_opened_in_turn_begin_with_every_replica() {
    const SESSIONS: usize = 120;
    for replicas in REPLICAS {
        for services in 1..=4 {
            let mut scenery = Scenery::new(replicas);
            let services: Vec<_> = (0..services).map(|_| scenery.service("")).collect();
            let mut shares = vec![vec![0; replicas]; services.len()];
            // The sessions stay, and none of them has anything to do when the next begins.
            let mut open = Vec::new();
            for _ in 0..SESSIONS {
                for (service, shares) in services.iter().zip(&mut shares) {
                    let mut stage = scenery.session(service);
                    let server = read(&mut stage);
                    answer(&mut stage, server);
                    shares[server - 1] += 1;
                    open.push(stage);
                }
            }
            for share in shares.iter().flatten() {
                assert!(*share >= SESSIONS / replicas / 2, "{shares:?}");
            }
        }
    }
}
