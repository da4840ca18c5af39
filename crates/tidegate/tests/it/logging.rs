//! Where the log goes, how its lines look, and what of logins it tells.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;

use serde_json::Value;
use tidegate_testkit::mariadb::Account;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{PATIENCE, Tidegate, TidegateBuilder};

use crate::house::{Plan, connect, document, group, run, value, wait_document};
use crate::start::BARE;

/// A journal of a test's own.
struct Journal {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Journal {
    fn open() -> Journal {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        for path in [folder.path(), &path] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("open to all");
        }
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        Journal { folder, socket }
    }

    fn of(&self, builder: TidegateBuilder) -> Tidegate {
        let path = self.folder.path().join("socket");
        let builder = builder.variable("TIDEGATE_JOURNAL", &path.display().to_string());
        builder.start().expect("tidegate")
    }

    /// The next entry with `text` in it.
    fn wait(&self, text: &str) -> String {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = self.socket.recv(&mut buffer).expect("an entry");
            let entry = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if entry.contains(text) {
                return entry;
            }
        }
    }
}

fn has(entry: &str, field: &str) -> bool {
    entry.lines().any(|line| line == field)
}

/// Tries to log in with a wrong password.
fn fail_to_log_in(tidegate: &Tidegate, port: &str) {
    let account = Account {
        user: group().accounts().app.user.clone(),
        password: "not the password".to_owned(),
    };
    RawClient::connect(tidegate.address(port), &Login::new(&account)).expect_err("a refusal");
}

#[test]
fn the_journal_gets_lines_with_their_fields_and_refused_logins_their_label() {
    let journal = Journal::open();
    let globals = "syslog=true\nevent.authentication_failure.facility=LOG_AUTHPRIV\n\
                   event.authentication_failure.level=LOG_CRIT\n";
    let tidegate = journal.of(Plan::new(group()).globals(globals).builder());
    let started = journal.wait("Listening for connections");
    assert!(has(&started, "SYSLOG_IDENTIFIER=tidegate"), "{started}");
    assert!(has(&started, "PRIORITY=5") && has(&started, "SYSLOG_FACILITY=1"));
    let mut client = connect(&tidegate, "rw");
    let id = value(&mut client, "SELECT CONNECTION_ID()");
    let line = journal.wait("client logged in");
    assert!(has(&line, &format!("SESSION={id}")), "{line}");
    assert!(has(&line, "SERVICE=RW-Split-Router"), "{line}");
    fail_to_log_in(&tidegate, "rw");
    let refused = journal.wait("EVENT=authentication_failure");
    assert!(has(&refused, "PRIORITY=2"), "{refused}");
    assert!(has(&refused, "SYSLOG_FACILITY=10"), "{refused}");
    tidegate
        .wait_log("error  : (2) login of")
        .expect("the same in the file");
}

#[test]
fn a_journal_that_is_missing_is_told_of_and_stops_nothing() {
    let builder = Plan::new(group()).globals("syslog=true\n").builder();
    let tidegate = builder
        .variable("TIDEGATE_JOURNAL", "/nonexistent/journal")
        .start()
        .expect("tidegate");
    tidegate
        .wait_log("cannot write to '/nonexistent/journal'")
        .expect("the reason");
    assert_eq!(value(&mut connect(&tidegate, "rw"), "SELECT 1"), "1");
}

#[test]
fn as_json_each_line_is_an_object() {
    let globals = "log_format=json\n";
    let mut tidegate = Plan::new(group()).globals(globals).start();
    let mut client = connect(&tidegate, "rw");
    let id = value(&mut client, "SELECT CONNECTION_ID()");
    run(&mut client, "SET @text = 'two\nlines'");
    fail_to_log_in(&tidegate, "rw");
    tidegate.wait_log("authentication_failure").expect("a line");
    tidegate.terminate().expect("its end");
    let log = tidegate.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        let time = line["time"].as_str().expect("a time");
        assert_eq!(time.as_bytes()[10], b'T', "{line}");
        assert!(line["level"].is_string() && line["message"].is_string());
    }
    let said = |text: &str| {
        let found = lines
            .iter()
            .find(|line| line["message"].as_str().is_some_and(|it| it.contains(text)));
        found.unwrap_or_else(|| panic!("{text}:\n{log}"))
    };
    let login = said("client logged in");
    assert_eq!(login["session"], *id);
    assert_eq!(login["service"], "RW-Split-Router");
    assert_eq!(login["level"], "info");
    let refused = said("the password does not match");
    assert_eq!(refused["event"], "authentication_failure");
    assert_eq!(refused["level"], "warning");
    assert!(said("two\nlines")["session"].is_string());
}

#[test]
fn a_service_need_not_tell_of_refused_logins() {
    let plan = Plan::new(group()).split("log_auth_warnings=false\n");
    let tidegate = plan.start();
    fail_to_log_in(&tidegate, "rw");
    fail_to_log_in(&tidegate, "read");
    // The second comes after the first, which would stand before it.
    tidegate
        .wait_log("(2) login of 'app'@'127.0.0.1' failed: the password does not match")
        .expect("the other service");
    let log = tidegate.log();
    assert!(!log.contains("warning: (1)"), "{log}");
    assert!(!log.contains("(1) login of"), "{log}");
    wait_document(&tidegate, "/v1/services/RW-Split-Router", |service| {
        service["data"]["attributes"]["statistics"]["failed_auths"] == 1
    });
}

#[test]
fn logins_of_super_users_are_told_of_if_that_is_wanted() {
    let quiet = Plan::new(group()).start();
    let admin = group().accounts().admin.clone();
    let text = format!(
        "login of '{}'@'127.0.0.1', whose account has SUPER",
        admin.user
    );
    let log_in = |tidegate: &Tidegate| {
        let login = Login::new(&admin);
        let mut client = RawClient::connect(tidegate.address("rw"), &login).expect("a login");
        value(&mut client, "SELECT 1")
    };
    log_in(&quiet);
    let plan = Plan::new(group()).globals("log_warn_super_user=true\n");
    let tidegate = plan.start();
    connect(&tidegate, "rw");
    log_in(&tidegate);
    tidegate.wait_log(&text).expect("a warning");
    let warned = tidegate.log().matches("has SUPER").count();
    assert_eq!(warned, 1, "{}", tidegate.log());
    assert!(!quiet.log().contains("has SUPER"), "{}", quiet.log());
}

#[test]
fn the_parameters_show_what_is_in_force() {
    let globals = "syslog=true\nlog_format=json\n";
    let tidegate = Plan::new(group()).globals(globals).start();
    let shown = document(&tidegate, "/v1/maxscale");
    let parameters = &shown["data"]["attributes"]["parameters"];
    assert_eq!(parameters["syslog"], true);
    assert_eq!(parameters["log_format"], "json");
}

#[test]
fn trace_files_hold_all_levels_whatever_the_log_holds() {
    let lines = "trace_file_dir=<folder>/cachedir\ntrace_file_size=100Ki\n";
    let plan = Plan::new(group()).globals(lines);
    let text = plan.text().replace("log_info=true\n", "log_notice=false\n");
    let tidegate = Tidegate::start(&text).expect("tidegate");
    let folder = tidegate.folder().join("cachedir");
    let mut client = connect(&tidegate, "rw");
    let newest = || fs::read_to_string(tidegate.folder().join("logdir/tidegate.trace"));
    for number in 0..2_000 {
        assert_eq!(value(&mut client, "SELECT 1"), "1", "{number}");
    }
    drop(client);
    let traced = || newest().is_ok_and(|text| text.contains("session ended: "));
    tidegate_testkit::wait_until("the end of the session in a trace", traced).expect("a trace");
    let files = fs::read_dir(&folder).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        fs::read_to_string(path).expect("a trace file")
    });
    let texts: Vec<String> = files.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let (time, _) = lines
        .filter_map(|line| line.split_once("   "))
        .find(|(_, line)| line.starts_with("debug  : (") || line.starts_with("info   : ("))
        .expect("a line that the log does not hold");
    assert!(time.parse::<f64>().is_ok_and(|time| time > 1.7e9), "{time}");
    let (count, total) = (texts.len(), texts.iter().map(String::len).sum::<usize>());
    assert!(
        count > 5 && count <= 10 && total <= 100 << 10,
        "{count} files, {total} bytes"
    );
    let log = tidegate.log();
    assert!(
        !log.contains("notice :") && !log.contains("info   :"),
        "{log}"
    );
}

#[test]
fn a_folder_for_traces_that_is_none_is_told_at_the_start() {
    let text = format!("{BARE}trace_file_dir=/nowhere/at/all\ntrace_file_size=1Mi\n");
    let mut tidegate = Tidegate::builder(&text).launch().expect("launched");
    let status = tidegate.wait(PATIENCE).expect("its end");
    assert_eq!(status.code(), Some(3));
    let log = tidegate.log();
    assert!(
        log.contains("trace_file_dir") && log.contains("/nowhere/at/all"),
        "{log}"
    );
}
