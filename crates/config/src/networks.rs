//! Lists of networks: who may do what strangers may not.

use std::fmt;
use std::net::IpAddr;

/// Where peers may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// Anywhere (`*`).
    pub anywhere: bool,
    /// On UNIX sockets (`localhost`).
    pub unix: bool,
    /// At an address whose first bits are those of the network's.
    pub networks: Vec<Network>,
}

/// A network: an address, and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// 32 or 128: this address alone.
    pub bits: u8,
}

impl Networks {
    /// Reads a list whose items are separated by commas; the item that is none of the forms is
    /// the error.
    pub(crate) fn parse(text: &str) -> Result<Networks, String> {
        let mut networks = Networks::default();
        let items = text.split(',').map(str::trim);
        for item in items.filter(|item| !item.is_empty()) {
            match item {
                "*" => networks.anywhere = true,
                "localhost" => networks.unix = true,
                item => networks
                    .networks
                    .push(Network::parse(item).ok_or_else(|| item.to_owned())?),
            }
        }
        Ok(networks)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Network { address, bits })
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.anywhere, "*"), (self.unix, "localhost")];
        let words = words.into_iter().filter(|(there, _)| *there);
        let words = words.map(|(_, word)| word.to_owned());
        let networks = self.networks.iter().map(ToString::to_string);
        f.write_str(&words.chain(networks).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (text, expect) in [
            ("", Ok("")),
            ("*", Ok("*")),
            ("192.168.0.1", Ok("192.168.0.1/32")),
            (
                "192.168.0.0/16, ::1 ,localhost",
                Ok("localhost,192.168.0.0/16,::1/128"),
            ),
            ("10.0.0.0/33", Err("10.0.0.0/33")),
            ("::/129", Err("::/129")),
            ("10.0.0.0/", Err("10.0.0.0/")),
            ("10.0.0.1,db1", Err("db1")),
        ] {
            let read = Networks::parse(text).map(|networks| networks.to_string());
            assert_eq!(
                read,
                expect.map(str::to_owned).map_err(str::to_owned),
                "{text:?}"
            );
        }
    }
}
