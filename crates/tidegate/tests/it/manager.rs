//! What a service manager is told and lends, and how the process is kept from leaving its memory
//! lying about.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use rustix::process::Signal;
use tidegate_testkit::{PATIENCE, Tidegate, procfs, wait_until};

use crate::house::{Plan, connect, group, value};
use crate::start::BARE;

/// A manager's socket in a folder that everybody may enter.
fn manager() -> (tempfile::TempDir, UnixDatagram, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    for path in [folder.path(), &path] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("open to all");
    }
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let name = path.display().to_string();
    (folder, socket, name)
}

fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 1024];
    let count = socket.recv(&mut buffer).expect("a word");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn a_manager_is_told_of_the_start_of_every_beat_and_of_the_end() {
    let (_folder, socket, name) = manager();
    let mut tidegate = Tidegate::builder(BARE)
        .variable("NOTIFY_SOCKET", &name)
        .variable("WATCHDOG_USEC", "200000")
        .start()
        .expect("tidegate");
    assert_eq!(told(&socket), "READY=1");
    for _ in 0..3 {
        assert_eq!(told(&socket), "WATCHDOG=1");
    }
    tidegate.terminate().expect("its end");
    let last = loop {
        let word = told(&socket);
        if word != "WATCHDOG=1" {
            break word;
        }
    };
    assert_eq!(last, "STOPPING=1");
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_is_not_fed() {
    let (_folder, socket, name) = manager();
    let mut tidegate = Tidegate::builder(BARE)
        .variable("NOTIFY_SOCKET", &name)
        .variable("WATCHDOG_USEC", "1000")
        .variable("WATCHDOG_PID", "1")
        .start()
        .expect("tidegate");
    assert_eq!(told(&socket), "READY=1");
    tidegate.terminate().expect("its end");
    assert_eq!(told(&socket), "STOPPING=1");
}

#[test]
fn a_listening_socket_that_was_lent_is_taken_over() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("its address");
    let stranger = TcpListener::bind("127.0.0.1:0").expect("another");
    let config = Plan::new(group())
        .text()
        .replace("port=<port:rw>", &format!("port={}", address.port()));
    // A shell passes them on as descriptors 3 and 4, and says so with its own number.
    let script = format!(
        "exec 3<&{} 4<&{}; LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\"",
        socket.as_raw_fd(),
        stranger.as_raw_fd()
    );
    for socket in [&socket, &stranger] {
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).expect("inherited");
    }
    let tidegate = Tidegate::builder(&config)
        .through(&["bash", "-c", &script, "bash"])
        .start()
        .expect("tidegate");
    drop((socket, stranger));
    tidegate
        .wait_log("where no listener is configured: it is closed")
        .expect("a warning");
    let login = tidegate_testkit::raw::Login::new(&group().accounts().app).database("test");
    let mut client = tidegate_testkit::raw::RawClient::connect(address, &login)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", tidegate.log()));
    assert_eq!(value(&mut client, "SELECT 1"), "1");
    assert_eq!(value(&mut connect(&tidegate, "read"), "SELECT 1"), "1");
}

#[test]
fn no_core_is_left_unless_that_is_wanted() {
    let limit = |tidegate: &Tidegate| {
        let limits = fs::read_to_string(format!("/proc/{}/limits", tidegate.pid()));
        let limits = limits.expect("its limits");
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"))
            .expect("a line")
            .to_owned();
        let soft = line.split_whitespace().next().expect("a number");
        soft.to_owned()
    };
    let quiet = Tidegate::builder(BARE).start().expect("tidegate");
    assert_eq!(limit(&quiet), "0");
    let wanted = format!("{BARE}core_file=true\n");
    let leaving = Tidegate::builder(&wanted).start().expect("tidegate");
    let output = Command::new("sh")
        .args(["-c", "ulimit -H -c"])
        .output()
        .expect("sh");
    let most = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // The shell counts in blocks.
    assert_eq!(limit(&leaving) == "0", most == "0");
    let forbidden = Tidegate::builder(&wanted)
        .through(&["sh", "-c", "ulimit -H -c 0; exec \"$@\"", "sh"])
        .start()
        .expect("tidegate");
    forbidden
        .wait_log("no core file can be written, whatever core_file says")
        .expect("a warning");
}

#[test]
fn a_second_signal_to_end_does_not_wait_for_transactions() {
    let mut tidegate = Plan::new(group()).globals("shutdown_timeout=1h\n").start();
    let mut client = connect(&tidegate, "rw");
    value(&mut client, "SELECT 1 FOR UPDATE");
    crate::house::run(&mut client, "BEGIN");
    tidegate.signal(Signal::TERM).expect("sent");
    tidegate.wait_log("Stopping").expect("its end begins");
    assert!(
        procfs::peak_resident_bytes(tidegate.pid()).is_ok(),
        "it waits"
    );
    tidegate.signal(Signal::INT).expect("sent");
    wait_until("its end", || matches!(tidegate.exited(), Ok(Some(_)))).expect("ended");
}
