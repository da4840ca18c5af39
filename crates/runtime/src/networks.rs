//! Where peers may be that are believed more than strangers.

use std::net::IpAddr;

use tidegate_session::question::ClientAddress;

/// A set of places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// Everywhere.
    pub anywhere: bool,
    /// The other end of UNIX sockets.
    pub unix: bool,
    /// Networks: an address, and how many of its bits count.
    pub networks: Vec<(IpAddr, u8)>,
}

impl Networks {
    pub(crate) fn contain(&self, peer: &ClientAddress) -> bool {
        self.anywhere
            || match peer {
                ClientAddress::Unix => self.unix,
                ClientAddress::Ip(ip, _) => self
                    .networks
                    .iter()
                    .any(|(network, bits)| begins(*ip, *network, *bits)),
            }
    }
}

/// Do two addresses of one family have their first bits in common?
fn begins(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (difference, size) = match (ip, network.to_canonical()) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => (u128::from(ip.to_bits() ^ network.to_bits()), 32),
        (IpAddr::V6(ip), IpAddr::V6(network)) => (ip.to_bits() ^ network.to_bits(), 128),
        _ => return false,
    };
    // A mapped IPv4 network counts from the first bit of 128.
    let bits = if network.is_ipv6() && size == 32 {
        bits.saturating_sub(96)
    } else {
        bits
    };
    difference
        .checked_shr(u32::from(size - bits.min(size)))
        .unwrap_or(0)
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_networks() {
        for (ip, network, bits, expect) in [
            ("10.1.2.3", "10.0.0.0", 8, true),
            ("11.1.2.3", "10.0.0.0", 8, false),
            ("10.1.2.3", "10.1.2.3", 32, true),
            ("10.1.2.2", "10.1.2.3", 32, false),
            ("203.0.113.9", "0.0.0.0", 0, true),
            ("2001:db8::5", "2001:db8::", 32, true),
            ("2001:db9::5", "2001:db8::", 32, false),
            ("::1", "::", 0, true),
            ("::1", "0.0.0.0", 0, false),
            ("10.1.2.3", "::ffff:10.0.0.0", 104, true),
            ("11.1.2.3", "::ffff:10.0.0.0", 104, false),
        ] {
            let (ip, network) = (ip.parse().unwrap(), network.parse().unwrap());
            assert_eq!(
                begins(ip, network, bits),
                expect,
                "{ip} in {network}/{bits}"
            );
        }
    }

    #[test]
    fn a_socket_file_is_no_address() {
        let local = Networks {
            unix: true,
            ..Networks::default()
        };
        assert!(local.contain(&ClientAddress::Unix));
        assert!(!local.contain(&ClientAddress::Ip([127, 0, 0, 1].into(), 1)));
        assert!(!Networks::default().contain(&ClientAddress::Unix));
    }
}
