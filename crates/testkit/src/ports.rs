//! Free loopback ports that two test processes cannot pick at the same time.
//!
//! Binding port 0 and closing it again gives a port that anybody may take a moment later: as a
//! listener, or as the local end of an outgoing connection. So ports are taken from below the
//! range the kernel gives to outgoing connections, and a lease holds a name in the abstract
//! socket namespace for as long as it lives. The kernel drops the name with the process, so no
//! lock file can be left behind.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// The first port handed out; below it live well-known services.
const LOWEST: u16 = 15_000;

/// Used when the kernel does not tell where its own range begins.
const USUAL_EPHEMERAL_START: u16 = 32_768;

/// Where this process looks next. Each process starts elsewhere, so that parallel ones rarely meet.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that is ours until the lease is dropped, whether or not anybody listens.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    /// Holds the port's name; never accepted from.
    _name: UnixListener,
}

impl PortLease {
    /// Leases a port nobody listens on.
    ///
    /// # Errors
    /// All ports are taken.
    pub fn take() -> Result<Self> {
        let span = ephemeral_start().saturating_sub(LOWEST).max(1);
        let first = u16::try_from(process::id() % 997)
            .unwrap_or(0)
            .wrapping_mul(17);
        for _ in 0..span {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed);
            let port = LOWEST + first.wrapping_add(turn) % span;
            if let Some(lease) = Self::try_port(port) {
                return Ok(lease);
            }
        }
        bail!("no free port among {span} from {LOWEST} on");
    }

    fn try_port(port: u16) -> Option<Self> {
        let name = UnixAddr::from_abstract_name(format!("tidegate-port-{port}")).ok()?;
        let name = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some(Self { port, _name: name })
    }

    /// The port's number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port with its address, 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Whether somebody listens on a TCP port of this machine. Asks the kernel's table, so that the
/// listener sees no connection for it.
#[must_use]
pub fn is_listening(port: u16) -> bool {
    // A line: number, local address:port, remote address:port, state; in hexadecimal.
    const LISTEN: &str = "0A";
    let port = format!("{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|path| {
        let table = fs::read_to_string(path).unwrap_or_default();
        table.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().and_then(|local| local.rsplit_once(':'));
            local.is_some_and(|(_, found)| found == port) && fields.nth(1) == Some(LISTEN)
        })
    })
}

fn ephemeral_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|&start| start > LOWEST + 1000)
        .unwrap_or(USUAL_EPHEMERAL_START)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leased_port_is_refused_to_everybody_else() {
        let lease = PortLease::take().expect("a port");
        assert!(PortLease::try_port(lease.port()).is_none());
        let port = lease.port();
        drop(lease);
        assert!(PortLease::try_port(port).is_some());
    }

    #[test]
    fn a_port_somebody_listens_on_is_passed_over() {
        let lease = PortLease::take().expect("a port");
        let port = lease.port();
        let _rival = TcpListener::bind(lease.address()).expect("the leased port is free");
        drop(lease);
        assert!(PortLease::try_port(port).is_none());
    }

    #[test]
    fn the_kernel_tells_who_listens() {
        let lease = PortLease::take().expect("a port");
        assert!(!is_listening(lease.port()));
        let _listener = TcpListener::bind(lease.address()).expect("the leased port is free");
        assert!(is_listening(lease.port()));
    }
}
