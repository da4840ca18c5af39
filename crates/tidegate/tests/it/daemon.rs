//! The program as a service manager or root would start it: detached, as another user.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process, test_kill_process};
use tidegate_testkit::{PortLease, Rest, Scratch, wait_until};

use crate::start::{BARE, text};

/// Ends a process by its id when dropped.
struct Ended(i32);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0) {
            // A process that has ended already is what was wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    text(&output.stdout).trim().to_owned()
}

/// The arguments for folders below `path`.
fn folders(path: &Path) -> Vec<String> {
    [
        "logdir",
        "cachedir",
        "datadir",
        "persistdir",
        "piddir",
        "module_configdir",
    ]
    .map(|name| {
        let folder = path.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        format!("--{name}={}", folder.display())
    })
    .to_vec()
}

#[test]
fn as_a_daemon_it_returns_when_it_serves() {
    let scratch = tempfile::tempdir().expect("a folder");
    let port = PortLease::take().expect("a port");
    let config = scratch.path().join("tidegate.cnf");
    fs::write(
        &config,
        BARE.replace("<port:admin>", &port.port().to_string()),
    )
    .expect("a file");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("private");
    let status = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg(format!("--config={}", config.display()))
        .arg(format!("--user={}", user_name()))
        .args(folders(scratch.path()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the program");
    assert!(status.success(), "{status}");
    let pid = fs::read_to_string(scratch.path().join("piddir/tidegate.pid")).expect("the id file");
    let daemon = Ended(pid.trim().parse().expect("a number"));
    let rest = Rest::new(port.address()).login("admin", "mariadb");
    assert_eq!(rest.get("/v1/maxscale").expect("an answer").status, 200);
    let log = fs::read_to_string(scratch.path().join("logdir/tidegate.log")).expect("the log");
    assert!(log.contains("started with 1 workers"), "{log}");
    let pid = Pid::from_raw(daemon.0).expect("a process");
    kill_process(pid, Signal::TERM).expect("it runs");
    wait_until("the daemon's end", || test_kill_process(pid).is_err()).expect("ended");
}

#[test]
fn a_daemon_that_cannot_start_says_so_with_its_status() {
    let scratch = tempfile::tempdir().expect("a folder");
    let port = PortLease::take().expect("a port");
    let _rival = TcpListener::bind(port.address()).expect("the rival");
    let config = scratch.path().join("tidegate.cnf");
    fs::write(
        &config,
        BARE.replace("<port:admin>", &port.port().to_string()),
    )
    .expect("a file");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("private");
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .arg(format!("--config={}", config.display()))
        .arg(format!("--user={}", user_name()))
        .args(folders(scratch.path()))
        .stdin(Stdio::null())
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.contains(&port.address().to_string()), "{said}");
}

#[test]
fn short_flags_may_be_bundled_and_root_is_left_behind() {
    let scratch = Scratch::new("tidegate-user").expect("a folder");
    let port = PortLease::take().expect("a port");
    let text_of_file = BARE.replace("<port:admin>", &port.port().to_string());
    let config = scratch
        .write("tidegate.cnf", &text_of_file)
        .expect("a file");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).expect("readable");
    let user = if getuid().is_root() {
        "nobody".to_owned()
    } else {
        user_name()
    };
    let own = tempfile::tempdir().expect("a folder");
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o755)).expect("open");
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("open");
    let arguments = folders(own.path());
    for name in fs::read_dir(own.path()).expect("folders") {
        let path = name.expect("a folder").path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("open");
    }
    let mut process = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args([
            "-dU",
            &user,
            "-lstdout",
            "-f",
            &config.display().to_string(),
        ])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program");
    let guard = Ended(i32::try_from(process.id()).expect("an id"));
    wait_until("the REST interface", || {
        TcpStream::connect(port.address()).is_ok()
    })
    .expect("a start");
    let status = fs::read_to_string(format!("/proc/{}/status", guard.0)).expect("its status");
    let id = Command::new("id").args(["-u", &user]).output().expect("id");
    let id = text(&id.stdout).trim().to_owned();
    let uids = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .expect("its users");
    assert!(
        uids.split_whitespace().all(|uid| uid == id),
        "{uids} not {id}"
    );
    kill_process(Pid::from_raw(guard.0).expect("a process"), Signal::TERM).expect("it runs");
    assert!(process.wait().expect("its end").success());
}
