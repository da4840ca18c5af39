//! An address whose packets nobody answers, as behind a firewall that drops them.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};

/// A listening socket whose queue is full, so that the kernel drops all further attempts to connect.
#[derive(Debug)]
pub struct Blackhole {
    address: SocketAddr,
    _listener: OwnedFd,
    _queued: TcpStream,
}

impl Blackhole {
    /// Opens it on a free port of loopback.
    ///
    /// # Errors
    /// What the system says.
    pub fn open() -> Result<Self> {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        // A queue of length 0 has room for one that nobody accepts.
        listen(&listener, 0)?;
        let address = SocketAddr::try_from(getsockname(&listener)?)?;
        let queued = TcpStream::connect(address).context("the one that fills the queue")?;
        Ok(Self {
            address,
            _listener: listener,
            _queued: queued,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::*;

    #[test]
    fn nobody_gets_through() {
        let hole = Blackhole::open().expect("a socket");
        let error = TcpStream::connect_timeout(&hole.address(), Duration::from_millis(50))
            .expect_err("dropped");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
