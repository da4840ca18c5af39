//! Opening the sockets that listeners stand on.
//!
//! A TCP listener has one socket for each worker on the same port. The first binds exclusively, so
//! that anybody else on the port is noticed, and shares it only then. A UNIX socket has one.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Endpoint;
use crate::socket::{connect, unix_address};

/// What the kernel is asked for; it takes its own limit (`net.core.somaxconn`) if that is less.
const BACKLOG: i32 = 65_535;

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {endpoint}: it is in use by another process or listener; choose another port or socket, or stop the other one"
    )]
    InUse {
        /// Where.
        endpoint: Endpoint,
    },
    /// Anything else.
    #[error("cannot listen on {endpoint}: {error}")]
    Failed {
        /// Where.
        endpoint: Endpoint,
        /// What the system said.
        error: io::Error,
    },
    /// A listener of this name exists.
    #[error("listener '{name}' exists already")]
    Exists {
        /// The name.
        name: String,
    },
    /// No listener of this name exists.
    #[error("there is no listener '{name}'")]
    Unknown {
        /// The name.
        name: String,
    },
}

/// Listening sockets, and where they listen in the end.
#[derive(Debug)]
pub(crate) struct Opened {
    /// One for each worker, or a single one.
    pub(crate) sockets: Vec<OwnedFd>,
    pub(crate) endpoint: Endpoint,
    pub(crate) file: Option<SocketFile>,
}

/// Opens a listener's sockets: `shares` for TCP, one for a UNIX socket.
///
/// # Errors
/// The place is taken, or the system refuses.
pub(crate) fn open(endpoint: &Endpoint, shares: usize) -> Result<Opened, ListenError> {
    let result = match endpoint {
        Endpoint::Tcp(address) => open_tcp(*address, shares),
        Endpoint::Unix(path) => open_unix(path),
    };
    result.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse {
            endpoint: endpoint.clone(),
        },
        _ => ListenError::Failed {
            endpoint: endpoint.clone(),
            error,
        },
    })
}

/// Takes the socket out that was lent for this place, if there is one.
pub(crate) fn take_lent(endpoint: &Endpoint, lent: &mut Vec<OwnedFd>) -> Option<Opened> {
    let at = lent
        .iter()
        .position(|socket| place(socket).as_ref() == Some(endpoint))?;
    let socket = lent.swap_remove(at);
    rustix::io::ioctl_fionbio(&socket, true).ok()?;
    Some(Opened {
        sockets: vec![socket],
        endpoint: endpoint.clone(),
        // It is its opener's, which removes it.
        file: None,
    })
}

/// Where a socket listens, for people.
pub(crate) fn place_text(socket: &OwnedFd) -> String {
    place(socket).map_or_else(|| "a socket".to_owned(), |place| place.to_string())
}

/// Where a socket listens.
fn place(socket: &OwnedFd) -> Option<Endpoint> {
    let address = rustix::net::getsockname(socket).ok()?;
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return Some(Endpoint::Tcp(address));
    }
    let address = SocketAddrUnix::try_from(address).ok()?;
    let path = OsStr::from_bytes(address.path_bytes()?);
    Some(Endpoint::Unix(path.into()))
}

fn open_tcp(address: SocketAddr, shares: usize) -> io::Result<Opened> {
    let (first, address) = match bind_first(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && has_no_ipv6(&error) => {
            bind_first(SocketAddr::new(
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                address.port(),
            ))
        }
        other => other,
    }?;
    let mut sockets = vec![first.into()];
    for _ in 1..shares {
        sockets.push(sibling(address)?);
    }
    Ok(Opened {
        sockets,
        endpoint: Endpoint::Tcp(address),
        file: None,
    })
}

/// One more socket on a port of ours.
pub(crate) fn sibling(address: SocketAddr) -> io::Result<OwnedFd> {
    let sibling = tcp_socket(address)?;
    sibling.set_reuse_port(true)?;
    sibling.bind(&address.into())?;
    sibling.listen(BACKLOG)?;
    Ok(sibling.into())
}

/// The first socket: alone while it binds, and open to its siblings afterwards.
fn bind_first(address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let first = tcp_socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    first.listen(BACKLOG)?;
    let bound = first.local_addr()?.as_socket().unwrap_or(address);
    Ok((first, bound))
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // Connections of an earlier process that are still closing are no reason to wait.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    number == Some(Errno::AFNOSUPPORT.raw_os_error())
        || number == Some(Errno::ADDRNOTAVAIL.raw_os_error())
}

fn open_unix(path: &Path) -> io::Result<Opened> {
    let address = unix_address(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            std::fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        other => other?,
    }
    let file = SocketFile::of(path)?;
    // Whoever is allowed into the folder may connect; the login decides about the rest.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    socket.listen(BACKLOG)?;
    Ok(Opened {
        sockets: vec![socket.into()],
        endpoint: Endpoint::Unix(path.to_owned()),
        file: Some(file),
    })
}

/// A socket file on which nobody answers: left over from a process that was killed.
fn is_stale(path: &Path) -> bool {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return false;
    };
    let is_socket =
        rustix::fs::FileType::from_raw_mode(metadata.mode()) == rustix::fs::FileType::Socket;
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    // Without waiting: somebody whose queue is full is alive.
    is_socket
        && unix_address(path)
            .and_then(|address| connect(&address, None))
            .is_err_and(refused)
}

/// The file of a UNIX socket; removed when dropped, unless it is another one by now.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile {
            path: path.to_owned(),
            inode: inode(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|now| now == self.inode) {
            // What cannot be removed is recognised as stale by the next process.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn tcp(text: &str) -> Endpoint {
        Endpoint::Tcp(text.parse().unwrap())
    }

    fn bound(opened: &Opened) -> SocketAddr {
        match &opened.endpoint {
            Endpoint::Tcp(address) => *address,
            Endpoint::Unix(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn siblings_share_a_port_and_rivals_are_refused() {
        let ours = open(&tcp("127.0.0.1:0"), 3).unwrap();
        assert_eq!(ours.sockets.len(), 3);
        let error = open(&ours.endpoint, 1).unwrap_err();
        assert!(
            matches!(&error, ListenError::InUse { endpoint } if *endpoint == ours.endpoint),
            "{error}"
        );
        assert!(error.to_string().contains("choose another port"), "{error}");
    }

    #[test]
    fn a_rival_that_would_share_is_noticed_too() {
        let rival = tcp_socket("127.0.0.1:0".parse().unwrap()).unwrap();
        rival.set_reuse_port(true).unwrap();
        rival
            .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
            .unwrap();
        rival.listen(1).unwrap();
        let endpoint = Endpoint::Tcp(rival.local_addr().unwrap().as_socket().unwrap());
        assert!(matches!(open(&endpoint, 2), Err(ListenError::InUse { .. })));
    }

    #[test]
    fn all_addresses_means_both_families() {
        let opened = open(&tcp("[::]:0"), 1).unwrap();
        let port = bound(&opened).port();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        if TcpListener::bind("[::1]:0").is_ok() {
            TcpStream::connect(("::1", port)).unwrap();
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error_that_names_it() {
        let text = open(&tcp("192.0.2.1:4006"), 1).unwrap_err().to_string();
        assert!(text.contains("192.0.2.1:4006"), "{text}");
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_ours_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let opened = open(&Endpoint::Unix(path.clone()), 4).unwrap();
        assert_eq!(opened.sockets.len(), 1);
        UnixStream::connect(&path).unwrap();
        drop(opened);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_answers_and_a_file_that_is_none_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, plain) = (dir.path().join("sock"), dir.path().join("file"));
        let _rival = UnixListener::bind(&path).unwrap();
        assert!(matches!(
            open(&Endpoint::Unix(path), 1),
            Err(ListenError::InUse { .. })
        ));
        std::fs::write(&plain, "precious").unwrap();
        assert!(matches!(
            open(&Endpoint::Unix(plain.clone()), 1),
            Err(ListenError::InUse { .. })
        ));
        assert_eq!(std::fs::read_to_string(plain).unwrap(), "precious");
    }

    #[test]
    fn a_file_that_is_somebody_elses_by_now_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let opened = open(&Endpoint::Unix(path.clone()), 1).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _next = UnixListener::bind(&path).unwrap();
        drop(opened);
        assert!(path.exists());
    }
}
