//! The only place with unsafe code: what the system offers in no other way.

#![allow(unsafe_code)]

mod fatal;
mod pam;

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FileType;
use rustix::io::{FdFlags, fcntl_setfd};

pub use fatal::report_fatal_signals;
pub(crate) use fatal::serving;
pub use pam::{Pam, PamAnswer, PamQuestion, forget_environment};

/// The first descriptor that a service manager lends (sd_listen_fds(3)).
const FIRST: RawFd = 3;

/// Takes over the listening sockets that a service manager has opened for this process: `count`
/// descriptors from 3 on, as `LISTEN_FDS` says in a process that `LISTEN_PID` names. What is no socket
/// stays where it is. Only the first call returns any.
#[must_use]
pub fn lent_sockets(count: usize) -> Vec<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if count == 0 || TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let lent = (FIRST..).take(count);
    lent.filter(|fd| is_socket(*fd))
        .map(|fd| {
            // SAFETY: the descriptor is open, as the look at it has just shown, and has been since
            // the process began: the manager passed it on. Nothing in this process can have been
            // given its number, and nobody takes it over a second time, because only one call ever
            // comes here. Hence it is ours alone.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            // Not passed on to processes that this one starts; a socket that is open can be marked.
            let _ = fcntl_setfd(&fd, FdFlags::CLOEXEC);
            fd
        })
        .collect()
}

fn is_socket(fd: RawFd) -> bool {
    let link = std::fs::metadata(format!("/proc/self/fd/{fd}"));
    link.is_ok_and(|meta| {
        use std::os::unix::fs::MetadataExt as _;
        FileType::from_raw_mode(meta.mode()) == FileType::Socket
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lent_is_nothing_taken() {
        assert!(lent_sockets(0).is_empty());
        assert!(!is_socket(RawFd::MAX));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(is_socket(std::os::fd::AsRawFd::as_raw_fd(&socket)));
        assert!(!is_socket(std::os::fd::AsRawFd::as_raw_fd(
            &std::fs::File::open("/dev/null").unwrap()
        )));
    }
}
