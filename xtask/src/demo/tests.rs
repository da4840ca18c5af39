//! The demo on servers that are not its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tidegate_testkit::ServerGroup;
use tidegate_testkit::mariadb::run_client;

use super::{Tour, Wishes, show};
use crate::shell;

/// The server, built as the tests are.
fn binary() -> PathBuf {
    let mut cargo = shell::cargo();
    cargo.args(["build", "--quiet", "--locked", "-p", "tidegate"]);
    shell::run(&mut cargo).expect("a build");
    let target = shell::target_folder().expect("the target folder");
    target.join("debug").join("tidegate")
}

fn wishes(group: &ServerGroup, create_accounts: bool) -> Wishes {
    let admin = &group.accounts().admin;
    Wishes {
        check: true,
        binary: Some(binary()),
        servers: group
            .servers()
            .iter()
            .map(|server| server.address().to_string())
            .collect(),
        admin: Some(format!("{}:{}", admin.user, admin.password)),
        create_accounts,
    }
}

/// What the primary holds, and how much was ever written there.
fn contents(group: &ServerGroup) -> [String; 2] {
    let ask = |query| run_client(&group.primary().client_options(), query).expect("an answer");
    [
        ask("SHOW DATABASES; SELECT user, host FROM mysql.global_priv ORDER BY user, host"),
        ask("SELECT @@gtid_binlog_pos"),
    ]
}

fn take(wishes: &Wishes) -> u64 {
    let mut tour = Tour::new(Arc::new(AtomicBool::new(false)));
    show(wishes, &mut tour).unwrap_or_else(|error| panic!("{error:#}"));
    tour.passed()
}

#[test]
fn on_foreign_servers_nothing_is_created_unless_asked_for() {
    let group = ServerGroup::start(1).expect("servers");
    let before = contents(&group);
    assert!(take(&wishes(&group, false)) >= 7, "stops");
    assert_eq!(contents(&group), before, "nothing was written");
    assert!(take(&wishes(&group, true)) >= 7, "stops");
    let after = contents(&group);
    assert_eq!(after[0], before[0], "all that was made is gone");
    assert_ne!(after[1], before[1], "something was made");
}

#[test]
fn a_database_of_that_name_is_left_alone() {
    let group = ServerGroup::start(1).expect("servers");
    group
        .primary()
        .sql("CREATE DATABASE tidegate_demo; CREATE TABLE tidegate_demo.precious (a INT)")
        .expect("somebody's table");
    let before = contents(&group);
    let mut tour = Tour::new(Arc::new(AtomicBool::new(false)));
    let error = show(&wishes(&group, true), &mut tour).expect_err("not ours");
    let told = format!("{error:#}");
    assert!(told.contains("database tidegate_demo"), "{told}");
    assert_eq!(contents(&group), before);
}

#[test]
fn servers_without_one_primary_are_refused_with_the_reason() {
    let group = ServerGroup::start(1).expect("servers");
    let mut alone = wishes(&group, true);
    alone.servers.remove(0);
    let mut tour = Tour::new(Arc::new(AtomicBool::new(false)));
    let error = show(&alone, &mut tour).expect_err("a replica alone");
    assert!(format!("{error:#}").contains("primary"), "{error:#}");
    let mut stranger = wishes(&group, false);
    stranger.admin = Some("nobody:wrong".to_owned());
    let error = show(&stranger, &mut tour).expect_err("a stranger");
    let told = format!("{error:#}");
    assert!(
        told.contains("nobody") && told.contains(&group.primary().address().to_string()),
        "{told}"
    );
}
