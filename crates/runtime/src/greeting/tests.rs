use std::time::Duration;

use tidegate_session::ServerId;
use tidegate_session::world::{Counters, Rank, ServerStatus};

use super::*;
use crate::testing::service;

fn server(version: u64, text: &str, caps: Caps) -> ServerView {
    ServerView {
        name: Arc::from("server"),
        status: ServerStatus::RUNNING,
        lag: Some(Duration::ZERO),
        position: None,
        rank: Rank::Primary,
        version,
        version_string: Arc::from(text),
        mysql_family: caps.contains(Caps::MYSQL),
        caps: Some(caps),
        collation: 8,
        variables: Arc::default(),
        tls: false,
        connect_timeout: None,
        pool: None,
        proxy_header: None,
        compression: None,
        as_service: false,
        counters: Arc::new(Counters::new(1)),
    }
}

fn facts_of(servers: Vec<ServerView>) -> GreetingFacts {
    let targets = (0..servers.len() as u32)
        .map(|ix| TargetSpec::Server(ServerId(ix)))
        .collect();
    facts(
        &service(targets),
        &ServerViews(servers),
        false,
        CompressionOffer::NONE,
    )
}

const NEW: Caps = Caps::DEPRECATE_EOF.union(Caps::SESSION_TRACK);

#[test]
fn the_oldest_version_and_what_all_can_do() {
    let facts = facts_of(vec![
        server(101_109, "5.5.5-10.11.9-MariaDB", NEW),
        server(100_634, "10.6.34-MariaDB", Caps::SESSION_TRACK),
    ]);
    assert_eq!(&*facts.version, "5.5.5-10.6.34-MariaDB");
    assert!(facts.caps.contains(Caps::SESSION_TRACK) && !facts.caps.contains(Caps::DEPRECATE_EOF));
    assert_eq!((facts.collation, facts.mysql_family), (8, false));
}

#[test]
fn only_mariadb_10_gets_the_prefix() {
    let check = |version, text, caps, expect| {
        assert_eq!(
            &*facts_of(vec![server(version, text, caps)]).version,
            expect
        );
    };
    check(110_402, "11.4.2-MariaDB", NEW, "11.4.2-MariaDB");
    check(80_036, "8.0.36", NEW | Caps::MYSQL, "8.0.36");
    check(101_109, "10.11.9-MariaDB", NEW, "5.5.5-10.11.9-MariaDB");
}

#[test]
fn servers_that_are_down_or_unknown_do_not_count() {
    let down = ServerView {
        status: ServerStatus::default(),
        ..server(50_500, "5.5.0", Caps::empty())
    };
    let unknown = ServerView {
        caps: None,
        ..server(0, "", Caps::empty())
    };
    let facts = facts_of(vec![
        down.clone(),
        unknown.clone(),
        server(110_402, "11.4.2-MariaDB", NEW),
    ]);
    assert_eq!(&*facts.version, "11.4.2-MariaDB");
    assert!(facts.caps.contains(NEW));
    let nobody = facts_of(vec![down, unknown]);
    assert!(nobody.version.contains("MariaDB") && !nobody.caps.contains(Caps::DEPRECATE_EOF));
}
