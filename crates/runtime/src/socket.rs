//! The system calls on one stream socket, TCP or UNIX alike.
//!
//! Every call is non-blocking; "would block" is a word here, not an error.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

/// What came of a read or a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Io {
    /// So many bytes; zero read bytes are the end of the stream.
    Done(usize),
    /// Nothing now; readiness will be reported.
    Blocked,
    /// The connection is broken.
    Broken(Errno),
}

/// How connections are kept alive by the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Idle time before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes without an answer before the connection is given up.
    pub probes: u32,
}

impl Default for Keepalive {
    fn default() -> Keepalive {
        Keepalive {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(15),
            probes: 4,
        }
    }
}

/// Reads once.
pub(crate) fn read(fd: impl AsFd, into: &mut [u8]) -> Io {
    loop {
        match rustix::net::recv(&fd, &mut *into, RecvFlags::empty()) {
            Ok((read, _)) => return Io::Done(read),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Io::Blocked,
            Err(error) => return Io::Broken(error),
        }
    }
}

/// Reads once, into the spare room of a buffer.
pub(crate) fn read_into(fd: impl AsFd, into: &mut Vec<u8>) -> Io {
    loop {
        match rustix::io::read(&fd, rustix::buffer::spare_capacity(into)) {
            Ok(read) => return Io::Done(read),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Io::Blocked,
            Err(error) => return Io::Broken(error),
        }
    }
}

/// Writes once, all pieces in one call.
pub(crate) fn write(fd: impl AsFd, pieces: &[IoSlice<'_>]) -> Io {
    loop {
        let result = match pieces {
            [one] => rustix::net::send(&fd, one, SendFlags::NOSIGNAL),
            many => rustix::net::sendmsg(
                &fd,
                many,
                &mut SendAncillaryBuffer::default(),
                SendFlags::NOSIGNAL,
            ),
        };
        match result {
            Ok(written) => return Io::Done(written),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Io::Blocked,
            Err(error) => return Io::Broken(error),
        }
    }
}

/// Says that nothing more will be sent.
pub(crate) fn shut_down_writing(fd: impl AsFd) {
    // A peer that is gone already needs not be told.
    let _ = rustix::net::shutdown(fd, Shutdown::Write);
}

/// How far a connect is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Connecting {
    Up,
    Pending,
    Failed(String),
}

/// Begins to connect to an address.
///
/// # Errors
/// No socket could be made, or the connect failed at once.
pub(crate) fn connect(to: &SockAddr, from: Option<SocketAddr>) -> io::Result<OwnedFd> {
    let tcp = !to.is_unix();
    let socket = Socket::new(
        to.domain(),
        Type::STREAM.nonblocking().cloexec(),
        tcp.then_some(Protocol::TCP),
    )?;
    if tcp {
        socket.set_tcp_nodelay(true)?;
        if let Some(from) = from.filter(|from| to.domain() == Domain::for_address(*from)) {
            socket.bind(&from.into())?;
        }
    }
    match socket.connect(to) {
        Ok(()) => Ok(socket.into()),
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {
            Ok(socket.into())
        }
        Err(error) => Err(error),
    }
}

/// Asks how a connect came out.
pub(crate) fn connecting(fd: &OwnedFd) -> Connecting {
    let socket = SockRef::from(fd);
    match socket.take_error() {
        Ok(Some(error)) | Err(error) => Connecting::Failed(error.to_string()),
        Ok(None) => match socket.peer_addr() {
            Ok(_) => Connecting::Up,
            Err(_) => Connecting::Pending,
        },
    }
}

/// Options of every TCP connection; what cannot be set is done without.
pub(crate) fn tune(fd: &OwnedFd, keepalive: Option<Keepalive>) {
    let socket = SockRef::from(fd);
    let _ = socket.set_tcp_nodelay(true);
    if let Some(keepalive) = keepalive {
        let options = TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.probes);
        let _ = socket.set_tcp_keepalive(&options);
    }
}

/// The address of a UNIX socket.
///
/// # Errors
/// The path is longer than the kernel allows (107 bytes).
pub(crate) fn unix_address(path: &Path) -> io::Result<SockAddr> {
    SockAddr::unix(path)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (OwnedFd, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (ours.into(), theirs)
    }

    #[test]
    fn pieces_arrive_in_order() {
        let (ours, mut theirs) = pair();
        assert_eq!(
            write(&ours, &[IoSlice::new(b"ab"), IoSlice::new(b"cde")]),
            Io::Done(5)
        );
        assert_eq!(write(&ours, &[IoSlice::new(b"f")]), Io::Done(1));
        let mut got = [0; 6];
        theirs.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"abcdef");
    }

    #[test]
    fn blocked_and_ended_are_told_apart() {
        let (ours, mut theirs) = pair();
        let mut buffer = [0; 16];
        assert_eq!(read(&ours, &mut buffer), Io::Blocked);
        theirs.write_all(b"xyz").unwrap();
        drop(theirs);
        let mut into = Vec::with_capacity(16);
        assert_eq!(
            (read_into(&ours, &mut into), into.as_slice()),
            (Io::Done(3), b"xyz".as_slice())
        );
        assert_eq!(read(&ours, &mut buffer), Io::Done(0));
        assert_eq!(write(&ours, &[IoSlice::new(b"z")]), Io::Broken(Errno::PIPE));
    }

    #[test]
    fn connects_in_its_own_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let fd = connect(&address.into(), Some("127.0.0.1:0".parse().unwrap())).unwrap();
        listener.accept().unwrap();
        assert_eq!(connecting(&fd), Connecting::Up);
        drop(listener);
        let reason = match connect(&address.into(), None) {
            Err(error) => error.to_string(),
            Ok(fd) => match connecting(&fd) {
                Connecting::Failed(reason) => reason,
                other => panic!("nobody listens there, but: {other:?}"),
            },
        };
        assert!(reason.contains("refused"), "{reason}");
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error() {
        assert!(unix_address(Path::new(&"x".repeat(200))).is_err());
    }
}
