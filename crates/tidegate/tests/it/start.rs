//! How the program starts, refuses to, and ends.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tidegate_testkit::raw::{Login, RawClient};
use tidegate_testkit::{PATIENCE, PortLease, Scratch, Tidegate, wait_until};

use crate::house::{Plan, connect, group, value};

/// Nothing but the REST interface.
pub(crate) const BARE: &str =
    "[maxscale]\nthreads=1\nadmin_host=127.0.0.1\nadmin_port=<port:admin>\n";

/// Runs the program to its end, without the usual arguments of the tests.
fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts what should not start, and returns its status and its words.
fn refusal(mut tidegate: Tidegate) -> (Option<i32>, String) {
    let status = tidegate.wait(PATIENCE).expect("its end");
    (status.code(), tidegate.log())
}

#[test]
fn ten_mistakes_are_told_at_once_with_their_lines() {
    let config = "\
[maxscale]
thread=2
admin_port=none
query_retries=-1

[db1]
type=server
addres=127.0.0.1
port=99999

[Split]
type=service
router=readwritesplitt
servers=db1,db2
user=u
password=p

[Connections]
type=service
router=readconnroute
router_options=leader
user=u
password=p
servers=db1

[Front]
type=listner
service=Split

[Front2]
type=listener
service=Splitt
port=<port:front>

[Watch]
type=monitor
module=mariadbmon
servers=db1
user=u
password=p
monitor_interval=fast
";
    let launched = Tidegate::builder(config).launch().expect("launched");
    let file = launched.folder().join("tidegate.cnf");
    let (status, said) = refusal(launched);
    assert_eq!(status, Some(1), "{said}");
    for (line, words) in [
        (2, "thread"),
        (3, "admin_port"),
        (4, "query_retries"),
        (8, "addres"),
        (9, "99999"),
        (13, "readwritesplitt"),
        (14, "db2"),
        (21, "leader"),
        (27, "listner"),
        (32, "Splitt"),
        (41, "fast"),
    ] {
        let place = format!("{}:{line}", file.display());
        let found = said
            .lines()
            .any(|told| told.contains(&place) && told.contains(words));
        assert!(found, "nothing about {place} {words}:\n{said}");
    }
    assert!(said.contains("did you mean"), "{said}");
}

#[test]
fn a_configuration_can_be_checked_without_a_start() {
    let scratch = Scratch::new("tidegate-check").expect("a folder");
    let good = scratch
        .write("good.cnf", "[maxscale]\nthreads=1\n")
        .expect("a file");
    let bad = scratch
        .write("bad.cnf", "[maxscale]\nthreads=few\n")
        .expect("a file");
    for path in [&good, &bad] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("private");
    }
    let output = program(&["--config-check", "--config", &good.display().to_string()]);
    assert!(output.status.success(), "{output:?}");
    let output = program(&["-c", "-f", &bad.display().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let place = format!("{}:2", bad.display());
    assert!(text(&output.stderr).contains(&place), "{output:?}");
    let output = program(&["-c", "-f", "/no/such/file.cnf"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("/no/such/file.cnf"),
        "{output:?}"
    );
}

#[test]
fn the_configuration_in_the_readme_is_a_good_one() {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme.split_once("```ini\n").expect("a configuration");
    let (config, _) = after.split_once("```").expect("its end");
    let scratch = Scratch::new("tidegate-readme").expect("a folder");
    let path = scratch.write("tidegate.cnf", config).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
    let output = program(&["--config-check", "--config", &path.display().to_string()]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "", "no advice either");
}

#[test]
fn the_command_line_is_held_to_its_rules() {
    let output = program(&["--usr=somebody"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = text(&output.stderr);
    assert!(
        said.contains("did you mean '--user'") && said.contains("--help"),
        "{said}"
    );
    let output = program(&["--version"]);
    assert!(text(&output.stdout).starts_with("Tidegate "), "{output:?}");
    let output = program(&["--help"]);
    assert!(output.status.success() && text(&output.stdout).contains("--config"));
}

#[test]
fn a_port_in_use_is_named() {
    let lease = PortLease::take().expect("a port");
    let _rival = TcpListener::bind(lease.address()).expect("the rival");
    let more = format!(
        "[Extra]\ntype=listener\nservice=RW-Split-Router\naddress=127.0.0.1\nport={}\n",
        lease.port()
    );
    let plan = Plan::new(group()).more(&more);
    let (status, said) = refusal(plan.builder().launch().expect("launched"));
    assert_eq!(status, Some(3), "{said}");
    for words in [
        "Extra",
        &lease.address().to_string(),
        "in use",
        "another port",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let bare = BARE.replace("<port:admin>", &lease.port().to_string());
    let (status, said) = refusal(Tidegate::builder(&bare).launch().expect("launched"));
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&lease.address().to_string()), "{said}");
}

#[test]
fn a_log_folder_that_cannot_be_written_is_named() {
    let scratch = Scratch::new("tidegate-closed").expect("a folder");
    let prepared = Tidegate::builder(BARE)
        .argument("--log=file")
        .scratch(&scratch)
        .prepare()
        .expect("prepared");
    let folder = scratch.path().join("tidegate/logdir");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).expect("closed");
    let (status, said) = refusal(prepared.launch().expect("launched"));
    assert_eq!(status, Some(3), "{said}");
    assert!(
        said.contains(&folder.display().to_string()) && said.contains("logdir"),
        "{said}"
    );
}

#[test]
fn a_full_disk_under_the_log_stops_nothing() {
    let scratch = Scratch::new("tidegate-full").expect("a folder");
    let plan = Plan::new(group());
    let prepared = plan
        .builder()
        .argument("--log=file")
        .scratch(&scratch)
        .prepare()
        .expect("prepared");
    symlink(
        "/dev/full",
        scratch.path().join("tidegate/logdir/tidegate.log"),
    )
    .expect("a link");
    let mut tidegate = prepared.launch().expect("launched");
    tidegate.wait_ready().expect("a start");
    let mut client = connect(&tidegate, "rw");
    for n in 0..100 {
        assert_eq!(value(&mut client, &format!("SELECT {n}")), n.to_string());
    }
    tidegate
        .wait_log("tidegate.log")
        .expect("a word about the file on the standard error");
    assert!(tidegate.terminate().expect("an end").success());
}

#[test]
fn a_second_process_on_the_same_folders_is_refused() {
    let scratch = Scratch::new("tidegate-twice").expect("a folder");
    let mut first = Tidegate::builder(BARE)
        .scratch(&scratch)
        .start()
        .expect("the first");
    // The second empties the file that both write their log to.
    first.wait_log("started with").expect("its last word");
    let file = scratch.path().join("tidegate/piddir/tidegate.pid");
    let written = fs::read_to_string(&file).expect("the id file");
    assert_eq!(written.trim(), first.pid().to_string());
    let second = Tidegate::builder(BARE).scratch(&scratch).launch();
    let (status, said) = refusal(second.expect("launched"));
    assert_eq!(status, Some(3), "{said}");
    assert!(
        said.contains(&format!("process {}", first.pid())) && said.contains("tidegate.pid"),
        "{said}"
    );
    assert!(first.terminate().expect("an end").success());
    assert!(!file.exists(), "the id file is left behind");
}

#[test]
fn an_orderly_stop_lets_statements_finish() {
    let plan = Plan::new(group())
        .globals("shutdown_timeout=60s\n")
        .read("router_options=master\n");
    let mut tidegate = plan.start();
    let login = Login::new(&group().accounts().admin);
    let mut holder = RawClient::connect(group().primary().address(), &login).expect("a login");
    assert_eq!(
        value(&mut holder, "SELECT GET_LOCK('orderly_stop', 0)"),
        "1"
    );
    let mut busy = RawClient::connect(tidegate.address("read"), &login).expect("a login");
    let mut idle = connect(&tidegate, "rw");
    assert_eq!(value(&mut idle, "SELECT 1"), "1");
    busy.send_query("SELECT GET_LOCK('orderly_stop', 60)")
        .expect("sent");
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist \
                   WHERE info LIKE 'SELECT GET_LOCK(''orderly%60)' AND state = 'User lock'";
    wait_until("the statement to wait", || {
        value(&mut holder, waiting) == "1"
    })
    .expect("waiting");
    tidegate.signal(Signal::TERM).expect("it runs");
    tidegate.wait_log("Stopping").expect("the word of it");
    wait_until("the listener's end", || {
        TcpStream::connect(tidegate.address("rw")).is_err()
    })
    .expect("closed");
    assert!(
        tidegate.exited().expect("its status").is_none(),
        "it did not wait"
    );
    assert_eq!(
        value(&mut holder, "SELECT RELEASE_LOCK('orderly_stop')"),
        "1"
    );
    let replies = busy.replies().expect("the result");
    assert_eq!(replies[0].text_value().expect("a row"), "1");
    let status = tidegate.wait(Duration::from_secs(30)).expect("its end");
    assert!(status.success(), "{status}");
    assert!(tidegate.log().contains("Stopped"), "{}", tidegate.log());
}

#[test]
fn without_a_time_limit_a_stop_waits_for_nobody() {
    let mut tidegate = Plan::new(group()).start();
    let mut client = connect(&tidegate, "rw");
    client.send_query("SELECT SLEEP(50)").expect("sent");
    assert!(tidegate.terminate().expect("its end").success());
    assert!(client.replies().is_err() || client.query("SELECT 1").is_err());
}

#[test]
fn listeners_may_be_unix_sockets_and_ipv6() {
    let port = PortLease::take().expect("a port");
    let six = TcpListener::bind("[::1]:0").is_ok();
    let mut more =
        "[Local]\ntype=listener\nservice=RW-Split-Router\nsocket=<folder>/client.sock\n".to_owned();
    if six {
        more.push_str(&format!(
            "\n[Six]\ntype=listener\nservice=RW-Split-Router\naddress=::1\nport={}\n",
            port.port()
        ));
    }
    let tidegate = Plan::new(group()).more(&more).start();
    let admin = &group().accounts().admin;
    let output = Command::new("mariadb")
        .arg("--no-defaults")
        .arg(format!(
            "--socket={}/client.sock",
            tidegate.folder().display()
        ))
        .arg(format!("--user={}", admin.user))
        .args([
            "--batch",
            "--skip-column-names",
            "--execute=SELECT CONNECTION_ID() > 0, 'here'",
        ])
        .env("MYSQL_PWD", &admin.password)
        .output()
        .expect("MariaDB's client");
    assert_eq!(
        text(&output.stdout),
        "1\there\n",
        "{output:?}\n{}",
        tidegate.log()
    );
    if six {
        let address = (std::net::Ipv6Addr::LOCALHOST, port.port()).into();
        let mut client = RawClient::connect(address, &Login::new(admin)).expect("a login");
        assert_eq!(value(&mut client, "SELECT 6"), "6");
    } else {
        eprintln!("this machine has no IPv6 loopback: only the UNIX socket was tried");
    }
}

#[test]
fn a_moved_log_is_opened_anew() {
    let mut tidegate = Tidegate::builder(BARE)
        .argument("--log=file")
        .start()
        .expect("tidegate");
    let log = tidegate.folder().join("logdir/tidegate.log");
    let moved = tidegate.folder().join("logdir/tidegate.log.1");
    fs::rename(&log, &moved).expect("moved");
    tidegate.signal(Signal::HUP).expect("it runs");
    wait_until("a new log", || log.exists()).expect("opened anew");
    fs::remove_file(&log).expect("removed");
    let flushed = tidegate
        .rest()
        .request("POST", "/v1/maxscale/logs/flush", &[], "");
    assert_eq!(flushed.expect("an answer").status, 204);
    wait_until("another log", || log.exists()).expect("opened anew");
    assert!(tidegate.terminate().expect("an end").success());
    let text = fs::read_to_string(&log).expect("the new log");
    assert!(text.contains("Stopped"), "{text}");
    let text = fs::read_to_string(&moved).expect("the old log");
    assert!(
        text.contains("started with 1 workers") && !text.contains("Stopped"),
        "{text}"
    );
}

/// How many processors each worker may run on.
fn processors_of_workers(tidegate: &Tidegate) -> Vec<usize> {
    let tasks = format!("/proc/{}/task", tidegate.pid());
    let mut processors = Vec::new();
    for task in fs::read_dir(tasks).expect("the threads") {
        let task = task.expect("a thread").path();
        let name = fs::read_to_string(task.join("comm")).expect("its name");
        if !name.starts_with("worker-") {
            continue;
        }
        let status = fs::read_to_string(task.join("status")).expect("its state");
        // proc(5): a mask in hexadecimal digits, with commas between groups.
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed:"))
            .expect("its processors");
        let digits = mask.chars().filter_map(|digit| digit.to_digit(16));
        processors.push(digits.map(|bits| bits.count_ones() as usize).sum());
    }
    processors
}

#[test]
fn workers_stay_on_a_processor_each_when_told_to() {
    let available = rustix::thread::sched_getaffinity(None)
        .expect("processors")
        .count() as usize;
    let config =
        format!("[maxscale]\nthreads={available}\nadmin_host=127.0.0.1\nadmin_port=<port:admin>\n");
    for (line, each) in [("", available), ("pin_threads=true\n", 1)] {
        let mut tidegate = Tidegate::builder(&format!("{config}{line}"))
            .start()
            .expect("a start");
        tidegate.wait_ready().expect("its readiness");
        assert_eq!(
            processors_of_workers(&tidegate),
            vec![each; available],
            "with {line:?}"
        );
    }
}
