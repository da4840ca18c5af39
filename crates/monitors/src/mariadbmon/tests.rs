//! The diagnosis over made-up clusters: tables first, then laws over random ones.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tidegate_wire::Caps;

use super::*;
use crate::bits::ServerBits;
use tidegate_wire::version::ServerVersion;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const PORT: u16 = 3306;

/// A cluster whose servers `a`, `b`, `c` ... a test moves about.
struct World {
    members: Vec<Member>,
    servers: Vec<Observation>,
    rules: Rules,
    view: ClusterView,
    notes: Vec<String>,
}

fn name(index: usize) -> String {
    char::from(b'a' + index as u8).to_string()
}

fn facts(index: usize) -> Facts {
    Facts {
        version: ServerVersion::new("10.11.6-MariaDB"),
        caps: Caps::empty(),
        collation: 45,
        server_id: index as u32 + 1,
        read_only: false,
        gtid_domain_id: Some(0),
        gtid_current_pos: None,
        gtid_binlog_pos: None,
        links: Vec::new(),
        uptime: Duration::ZERO,
        ping: Duration::ZERO,
        variables: BTreeMap::new(),
    }
}

/// A link to server `source`, which may be outside the cluster.
fn link(source: usize) -> LinkRow {
    LinkRow {
        connection_name: format!("from {source}"),
        master_host: name(source),
        master_port: PORT,
        master_server_id: source as u32 + 1,
        io: IoState::Running,
        sql_running: true,
        seconds_behind: Some(source as u64),
        last_io_errno: 0,
        last_io_error: String::new(),
        last_sql_error: String::new(),
        using_gtid: "Slave_Pos".to_owned(),
        gtid_io_pos: String::new(),
    }
}

fn lost(kind: ContactFailure) -> Observation {
    Observation::Lost(ContactError {
        kind,
        text: "gone".to_owned(),
    })
}

impl World {
    /// So many standalone servers, all writable.
    fn new(count: usize) -> Self {
        let member = |index| Member {
            name: name(index).into(),
            socket: None,
            host: Some(name(index)),
            port: PORT,
            private_host: None,
        };
        Self {
            members: (0..count).map(member).collect(),
            servers: (0..count)
                .map(|i| Observation::Answered(Box::new(facts(i))))
                .collect(),
            rules: Rules::default(),
            view: ClusterView::new(count),
            notes: Vec::new(),
        }
    }

    /// Servers with links given as `replica, source`.
    fn linked(count: usize, links: &[(usize, usize)]) -> Self {
        let mut world = Self::new(count);
        for (replica, source) in links {
            world.facts(*replica).links.push(link(*source));
        }
        world
    }

    fn facts(&mut self, index: usize) -> &mut Facts {
        if !matches!(self.servers[index], Observation::Answered(_)) {
            self.servers[index] = Observation::Answered(Box::new(facts(index)));
        }
        match &mut self.servers[index] {
            Observation::Answered(facts) => facts,
            Observation::NotPermitted(_) | Observation::Lost(_) => unreachable!("made above"),
        }
    }

    fn read_only(mut self, servers: &[usize]) -> Self {
        for server in servers {
            self.facts(*server).read_only = true;
        }
        self
    }

    fn down(&mut self, index: usize) {
        self.servers[index] = lost(ContactFailure::Refused);
    }

    fn tick(&mut self) {
        let seen = self.servers.clone();
        let diagnosis = diagnose(&self.view, &self.members, seen, &self.rules, NOW);
        self.view = diagnosis.view;
        self.notes = diagnosis.notes.iter().map(ToString::to_string).collect();
    }

    fn ticks(&mut self, count: u32) {
        for _ in 0..count {
            self.tick();
        }
    }

    fn states(&self) -> Vec<String> {
        self.view
            .nodes
            .iter()
            .map(|node| node.bits.text(1))
            .collect()
    }

    #[track_caller]
    fn expect(&mut self, states: &[&str]) {
        self.tick();
        assert_eq!(self.states(), states, "{:?}", self.notes);
    }

    fn primary(&self) -> Option<usize> {
        self.view.primary()
    }

    fn noted(&self, text: &str) -> bool {
        self.notes.iter().any(|note| note.contains(text))
    }
}

const M: &str = "Master, Running";
const S: &str = "Slave, Running";
const R: &str = "Relay Master, Slave, Running";
const UP: &str = "Running";
const DOWN: &str = "Down";

#[test]
fn a_primary_with_replicas() {
    let mut world = World::linked(3, &[(0, 1), (2, 1)]).read_only(&[0, 2]);
    world.expect(&[S, M, S]);
    assert_eq!(world.view.primary_domain, Some(0));
    let lags: Vec<Option<u64>> = world.view.nodes.iter().map(|node| node.lag_secs).collect();
    assert_eq!(lags, [Some(1), Some(0), Some(1)]);
}

#[test]
fn a_quiet_cluster_says_nothing() {
    let mut world = World::linked(3, &[(1, 0), (2, 0)]);
    world.tick();
    let before = world.view.clone();
    world.tick();
    assert_eq!(world.view, before);
    assert!(world.notes.is_empty(), "{:?}", world.notes);
}

#[test]
fn a_chain_has_a_relay_and_survives_its_loss() {
    let mut world = World::linked(3, &[(1, 0), (2, 1)]);
    world.expect(&[M, R, S]);
    world.down(1);
    world.facts(2).links[0].io = IoState::Connecting;
    world.expect(&[M, DOWN, S]);
    world.rules.slave.linked_master = true;
    world.expect(&[M, DOWN, UP]);
    world.facts(2).links[0].io = IoState::Running;
    world.expect(&[M, DOWN, UP]);
}

#[test]
fn replicas_stay_when_the_primary_is_down() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.tick();
    world.down(0);
    world.facts(1).links[0].io = IoState::Connecting;
    world.expect(&[DOWN, S]);
    assert!(world.noted("master_down"), "{:?}", world.notes);
    world.ticks(20);
    assert_eq!(world.primary(), Some(0));
    assert_eq!(world.view.nodes[0].fail_ticks, 21);
    world.rules.slave.running_master = true;
    world.expect(&[DOWN, UP]);
    world.rules.slave = SlaveConditions::default();
    world.rules.slave.writable_master = true;
    world.expect(&[DOWN, UP]);
}

#[test]
fn a_link_refused_for_its_credentials_makes_no_replica() {
    let mut world = World::linked(2, &[(1, 0)]);
    let row = &mut world.facts(1).links[0];
    row.io = IoState::Connecting;
    row.last_io_errno = 1045;
    world.expect(&[M, UP]);
    world.facts(1).links[0].last_io_errno = 2003;
    world.expect(&[M, S]);
    world.facts(1).links[0].io = IoState::Stopped;
    world.expect(&[M, UP]);
}

#[test]
fn the_server_with_most_replicas_is_chosen_the_first_among_equals() {
    let mut world = World::linked(4, &[(2, 1), (3, 1)]);
    world.expect(&[UP, M, S, S]);
    let mut world = World::new(2);
    world.expect(&[M, UP]);
}

#[test]
fn only_live_links_to_running_servers_count_for_the_choice() {
    let mut world = World::linked(5, &[(2, 0), (3, 0), (4, 1)]);
    world.facts(2).links[0].sql_running = false;
    world.facts(3).links[0].sql_running = false;
    world.expect(&[UP, M, UP, UP, S]);

    let mut world = World::linked(5, &[(2, 0), (3, 0), (4, 1)]).read_only(&[0, 1]);
    world.tick();
    assert_eq!(world.primary(), None);
    world.facts(0).read_only = false;
    world.facts(1).read_only = false;
    world.down(2);
    world.down(3);
    world.expect(&[UP, M, DOWN, DOWN, S]);
}

#[test]
fn a_stopped_link_joins_nobody() {
    let mut world = World::linked(2, &[(1, 0)]).read_only(&[0]);
    let row = &mut world.facts(1).links[0];
    (row.io, row.sql_running) = (IoState::Stopped, false);
    world.expect(&[UP, M]);
    assert_eq!(world.view.nodes[1].sources, [Some(0)]);
    assert_eq!(world.view.nodes[1].details, None);
}

#[test]
fn a_better_server_does_not_replace_a_valid_primary() {
    let mut world = World::new(3);
    world.tick();
    world.facts(2).links.push(link(1));
    world.expect(&[M, UP, UP]);
}

#[test]
fn a_primary_that_follows_another_is_replaced() {
    let mut world = World::linked(3, &[(1, 0), (2, 0)]);
    world.tick();
    world.facts(1).links.clear();
    world.facts(0).links.push(link(1));
    world.facts(2).links = vec![link(1)];
    world.expect(&[S, M, S]);
    assert!(world.noted("'b' replaces 'a'"), "{:?}", world.notes);
    assert!(world.noted("new_master"));
}

#[test]
fn a_standalone_primary_is_lost_after_failcount() {
    let mut world = World::new(2);
    world.tick();
    world.down(0);
    world.ticks(world.rules.failcount);
    assert_eq!(world.states(), [DOWN, UP]);
    world.expect(&[DOWN, M]);
}

#[test]
fn lost_replicas_count_only_after_failcount_too() {
    let mut world = World::linked(3, &[(1, 0)]);
    world.tick();
    world.down(0);
    world.ticks(3);
    world.down(1);
    world.ticks(5);
    assert_eq!(world.primary(), Some(0));
    world.tick();
    assert_eq!(world.primary(), Some(2));
}

#[test]
fn a_read_only_primary_without_successor_is_kept_and_serves_reads() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.tick();
    world.facts(0).read_only = true;
    world.expect(&[S, S]);
    assert!(world.noted("'a' is not a valid primary because it is read-only"));
    assert!(world.noted("'b': it replicates from another server"));
    world.tick();
    assert!(world.notes.is_empty(), "said once: {:?}", world.notes);
    world.facts(0).read_only = false;
    world.expect(&[M, S]);
    world.facts(0).read_only = true;
    world.tick();
    assert!(world.noted("is kept"), "a new situation is told again");
}

#[test]
fn a_read_only_standalone_primary_gives_way() {
    let mut world = World::new(2);
    world.tick();
    world.facts(0).read_only = true;
    world.expect(&[UP, M]);
}

#[test]
fn unsuitable_servers_are_not_chosen() {
    let mut world = World::new(4).read_only(&[0]);
    world.facts(1).version = ServerVersion::new("10.2-binlogrouter");
    world.rules.no_promotion.insert("c".to_owned());
    world.expect(&[UP, UP, UP, M]);
    world.down(3);
    world.ticks(world.rules.failcount);
    assert!(world.notes.is_empty());
    world.tick();
    for objection in [
        "'a': it is read-only",
        "'b': it is a binlog relay",
        "'c': it is in servers_no_promotion",
    ] {
        assert!(world.noted(objection), "{:?}", world.notes);
    }
}

#[test]
fn from_nothing_a_down_server_is_chosen_only_if_replicas_look_to_it() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.down(0);
    world.facts(1).links[0].io = IoState::Connecting;
    world.expect(&[DOWN, S]);
    assert_eq!(world.primary(), Some(0));

    let mut world = World::new(2).read_only(&[1]);
    world.down(0);
    world.expect(&[DOWN, UP]);
    assert_eq!(world.primary(), None);
    assert!(world.noted("no server can be the primary"));
}

#[test]
fn a_ring_has_one_primary_which_moves_by_rule_only() {
    let mut world = World::linked(3, &[(0, 1), (1, 0), (2, 1)]);
    world.expect(&[M, R, S]);
    let groups: Vec<Option<u32>> = world.view.nodes.iter().map(|node| node.group).collect();
    assert_eq!(groups, [Some(1), Some(1), None]);
    world.facts(0).read_only = true;
    world.expect(&[R, M, S]);
    world.facts(0).read_only = false;
    world.expect(&[R, M, S]);
    world.down(1);
    world.facts(0).links[0].io = IoState::Connecting;
    world.ticks(20);
    assert_eq!(
        world.states(),
        [S, DOWN, S],
        "its replicas still look to it"
    );
}

#[test]
fn a_broken_ring_is_decided_anew() {
    let mut world = World::linked(2, &[(0, 1), (1, 0)]);
    world.expect(&[M, R]);
    world.facts(1).links.clear();
    world.expect(&[S, M]);
    let mut world = World::linked(2, &[(0, 1), (1, 0)]);
    world.tick();
    world.facts(0).links.clear();
    world.expect(&[M, S]);
    world.tick();
    assert!(world.notes.is_empty(), "{:?}", world.notes);
}

#[test]
fn a_ring_fed_from_outside_gives_no_primary() {
    let mut world = World::linked(3, &[(0, 1), (1, 0), (1, 2)]);
    world.expect(&[R, R, M]);
    let mut world = World::linked(3, &[(0, 1), (1, 0)]);
    world.expect(&[M, R, UP]);
    world.facts(1).links.push(link(2));
    world.expect(&[R, R, M]);
    let mut world = World::linked(3, &[(0, 1), (1, 0), (1, 2)]).read_only(&[2]);
    world.expect(&[UP, UP, UP]);
    assert!(world.noted("'a': it replicates from another server"));
}

#[test]
fn a_primary_stays_when_a_ring_forms_around_it() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.expect(&[M, S]);
    world.facts(0).links.push(link(1));
    world.expect(&[M, R]);
    assert!(!world.noted("primary"), "{:?}", world.notes);
    world.facts(1).links.clear();
    world.expect(&[S, M]);
}

#[test]
fn masters_conditions_must_hold_of_one_replica() {
    let mut world = World::linked(3, &[(1, 0), (2, 0)]);
    world.rules.master = MasterConditions {
        connecting: false,
        connected: true,
        running: true,
    };
    world.expect(&[M, S, S]);
    world.facts(1).links[0].io = IoState::Connecting;
    world.tick();
    world.down(2);
    world.expect(&[S, S, DOWN]);
    world.facts(1).links[0].io = IoState::Running;
    world.expect(&[M, S, DOWN]);
    world.rules.slave.writable_master = true;
    world.down(1);
    world.expect(&[UP, DOWN, DOWN]);
    world.rules.master.running = false;
    world.expect(&[M, DOWN, DOWN]);
}

#[test]
fn links_are_found_by_private_address_and_by_server_id() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.facts(1).links[0].master_host = "10.0.0.1".to_owned();
    world.expect(&[M, UP]);
    assert_eq!(
        world.view.nodes[1].details.as_deref(),
        Some("Slave of External Server")
    );
    world.members[0].private_host = Some("10.0.0.1".to_owned());
    world.expect(&[M, S]);
    world.members[0].private_host = None;
    world.rules.unique_hostnames = false;
    world.expect(&[M, S]);
}

#[test]
fn a_server_id_counts_only_once_the_link_was_connected() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.rules.unique_hostnames = false;
    world.facts(1).links[0].io = IoState::Connecting;
    world.expect(&[M, UP]);
    world.facts(1).links[0].io = IoState::Running;
    world.expect(&[M, S]);
    world.facts(1).links[0].io = IoState::Connecting;
    world.expect(&[M, S]);
    world.facts(1).links[0].master_port = 1;
    world.expect(&[M, UP]);
}

#[test]
fn external_links_are_described() {
    let cases = [
        (IoState::Running, true, "Slave of External Server"),
        (
            IoState::Connecting,
            true,
            "Slave of External Server (connecting)",
        ),
        (
            IoState::Stopped,
            true,
            "Slave of External Server (IO stopped)",
        ),
        (
            IoState::Running,
            false,
            "Slave of External Server (SQL stopped)",
        ),
        (
            IoState::Stopped,
            false,
            "Slave of External Server (stopped)",
        ),
    ];
    for (io, sql_running, expect) in cases {
        let mut world = World::linked(1, &[(0, 9)]);
        let row = &mut world.facts(0).links[0];
        (row.io, row.sql_running) = (io, sql_running);
        world.expect(&[M]);
        assert_eq!(world.view.nodes[0].details.as_deref(), Some(expect));
        world.rules.hide_external = true;
        world.tick();
        assert_eq!(world.view.nodes[0].details, None);
    }
}

#[test]
fn a_multi_source_replica_takes_its_best_link() {
    let mut world = World::linked(3, &[(1, 0), (2, 0), (2, 1)]);
    world.facts(2).links[0].sql_running = false;
    world.facts(2).links[0].seconds_behind = None;
    world.expect(&[M, R, S]);
    assert_eq!(world.view.nodes[2].lag_secs, Some(1));
}

#[test]
fn lost_contact_is_told_once_a_cause() {
    let mut world = World::new(1);
    world.down(0);
    world.tick();
    assert!(world.noted("cannot monitor server 'a': gone"));
    world.tick();
    assert!(!world.noted("cannot monitor"), "{:?}", world.notes);
    world.servers[0] = lost(ContactFailure::TimedOut);
    world.tick();
    assert!(world.noted("cannot monitor server 'a': gone"));
}

#[test]
fn refused_credentials_and_privileges_are_auth_errors() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.servers[0] = lost(ContactFailure::AccessDenied);
    world.expect(&["Auth Error, Down", S]);
    world.facts(0);
    world.expect(&[M, S]);
    world.servers[0] = Observation::NotPermitted("no".to_owned());
    world.expect(&["Master, Auth Error, Running", S]);
    assert!(world.noted("lacks a privilege"));
    world.tick();
    assert!(world.notes.is_empty(), "{:?}", world.notes);
    world.down(0);
    world.expect(&[DOWN, S]);
}

#[test]
fn maintenance_and_drain_outlast_everything() {
    let mut world = World::linked(2, &[(1, 0)]);
    world.tick();
    world.view.nodes[1].bits |= ServerBits::MAINTENANCE;
    world.expect(&[M, "Maintenance, Running"]);
    world.down(1);
    world.expect(&[M, "Maintenance, Down"]);
    assert_eq!(world.view.nodes[1].fail_ticks, 0);
    world.view.nodes[1].bits = ServerBits::DRAINING;
    world.expect(&[M, "Draining, Down"]);
    world.facts(1);
    world.expect(&[M, "Draining, Running"]);
}

#[test]
fn a_regrouped_cluster_keeps_what_it_knows_by_name() {
    let mut world = World::linked(3, &[(1, 0), (2, 0)]);
    world.tick();
    let new: Vec<Member> = vec![world.members[2].clone(), world.members[0].clone()];
    let regrouped = world.view.regrouped(&world.members, &new);
    assert_eq!(regrouped.primary(), Some(1));
    assert_eq!(regrouped.nodes[1], world.view.nodes[0]);
    let without = world.view.regrouped(&world.members, &new[..1]);
    assert_eq!((without.primary(), without.primary_domain), (None, None));
}

fn any_observation(count: usize, index: usize) -> impl Strategy<Value = Observation> {
    let io = prop_oneof![
        Just(IoState::Running),
        Just(IoState::Connecting),
        Just(IoState::Stopped)
    ];
    let link = (0..=count, io, any::<bool>()).prop_map(|(source, io, sql_running)| LinkRow {
        io,
        sql_running,
        ..link(source)
    });
    let answered = (prop::collection::vec(link, 0..3), any::<bool>()).prop_map(
        move |(mut links, read_only)| {
            for (number, link) in links.iter_mut().enumerate() {
                link.connection_name = number.to_string();
            }
            Observation::Answered(Box::new(Facts {
                links,
                read_only,
                ..facts(index)
            }))
        },
    );
    prop_oneof![
        4 => answered,
        1 => Just(lost(ContactFailure::Refused)),
        1 => Just(lost(ContactFailure::AccessDenied)),
        1 => Just(Observation::NotPermitted("no".to_owned())),
    ]
}

/// A history of ticks over four servers, with a bit an administrator sets before each.
fn any_history() -> impl Strategy<Value = Vec<(Vec<Observation>, usize, bool)>> {
    const COUNT: usize = 4;
    let tick: Vec<_> = (0..COUNT)
        .map(|index| any_observation(COUNT, index))
        .collect();
    prop::collection::vec((tick, 0..COUNT, any::<bool>()), 1..12)
}

fn check_bits(view: &ClusterView, before: &[ServerBits], seen: &[Observation]) {
    let admin = ServerBits::MAINTENANCE | ServerBits::DRAINING;
    for ((node, before), seen) in view.nodes.iter().zip(before).zip(seen) {
        let bits = node.bits;
        assert_eq!(bits.intersection(admin), before.intersection(admin));
        let down = matches!(seen, Observation::Lost(_));
        assert_eq!(!bits.contains(ServerBits::RUNNING), down);
        if down {
            assert!(!bits.intersects(ServerBits::ROLES), "{bits:?}");
            assert_eq!(node.lag_secs, None);
        }
        let denied = match seen {
            Observation::Answered(_) => false,
            Observation::NotPermitted(_) => true,
            Observation::Lost(error) => error.kind == ContactFailure::AccessDenied,
        };
        assert_eq!(bits.contains(ServerBits::AUTH_ERROR), denied);
        assert!(
            !bits.contains(ServerBits::MASTER | ServerBits::SLAVE),
            "{bits:?}"
        );
    }
}

proptest! {
    #[test]
    fn laws_hold_over_any_history(history in any_history(), flags in any::<[bool; 6]>()) {
        let mut world = World::new(4);
        world.rules.failcount = 1;
        world.rules.unique_hostnames = flags[0];
        world.rules.master.connecting = flags[1];
        world.rules.master.running = flags[2];
        world.rules.slave.linked_master = flags[3];
        world.rules.slave.running_master = flags[4];
        world.rules.slave.writable_master = flags[5];
        for (observed, server, on) in history {
            let bits = &mut world.view.nodes[server].bits;
            *bits = if on { bits.with(ServerBits::MAINTENANCE) } else { bits.without(ServerBits::MAINTENANCE) };
            let before: Vec<ServerBits> = world.view.nodes.iter().map(|node| node.bits).collect();
            world.servers = observed;
            world.tick();
            check_bits(&world.view, &before, &world.servers);
            let masters: Vec<usize> = (0..4)
                .filter(|node| world.view.nodes[*node].bits.contains(ServerBits::MASTER))
                .collect();
            prop_assert!(masters.len() <= 1);
            prop_assert!(masters.iter().all(|master| world.primary() == Some(*master)));

            let again = world.view.clone();
            world.tick();
            let decided = |view: &ClusterView| -> Vec<ServerBits> {
                view.nodes.iter().map(|node| node.bits).collect()
            };
            if world.primary() == again.primary() {
                prop_assert_eq!(decided(&world.view), decided(&again));
            }
        }
    }
}
