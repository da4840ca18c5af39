//! Host patterns of accounts and grants: which clients they match, and which of two comes first.
//!
//! Left out: looking up names. A pattern that could only match a client's host *name* matches nobody
//! whose name is not known; [`HostPattern::wants_name`] tells them apart, so that it can be looked up.
//!
//! The invariant: the order is total and the same as the server's (measured on MariaDB 10.11), so
//! that the proxy and the servers speak of the same account.

use std::cmp::{Ordering, Reverse};
use std::net::{IpAddr, Ipv4Addr};

use crate::like::{Case, Like, Piece};

/// What a client on a UNIX socket is called.
const LOCALHOST: &str = "localhost";

/// Where a client is, as far as accounts are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHost {
    ip: Option<IpAddr>,
    text: String,
    /// The name that the address has, if it was looked up and belongs to the address.
    name: Option<String>,
}

impl ClientHost {
    /// A TCP client. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            ip: Some(address),
            text: address.to_string(),
            name: None,
        }
    }

    /// What a server calls a client: an address, or a name that it has looked up.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        match text.parse() {
            Ok(address) => Self::ip(address),
            Err(_) => Self {
                ip: None,
                text: text.to_owned(),
                name: None,
            },
        }
    }

    /// The same client, whose address has this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The same client, of whose address no name is known.
    #[must_use]
    pub(crate) fn unnamed(&self) -> Self {
        Self {
            name: None,
            ..self.clone()
        }
    }

    /// A client on a UNIX socket: `localhost`.
    #[must_use]
    pub fn unix() -> Self {
        Self {
            ip: None,
            text: LOCALHOST.to_owned(),
            name: None,
        }
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.ip.is_some()
    }

    /// The address, or `localhost`: what error messages show.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// An IPv4 network, written `base/mask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: u32,
    mask: u32,
}

impl Network {
    fn parse(pattern: &str) -> Option<Self> {
        let (base, mask) = pattern.split_once('/')?;
        Some(Self {
            base: base.parse::<Ipv4Addr>().ok()?.to_bits(),
            mask: mask.parse::<Ipv4Addr>().ok()?.to_bits(),
        })
    }

    fn holds(self, ip: Option<IpAddr>) -> bool {
        match ip {
            Some(IpAddr::V4(v4)) => v4.to_bits() & self.mask == self.base,
            Some(IpAddr::V6(_)) | None => false,
        }
    }
}

/// How particular a pattern is; the smaller, the earlier it is tried.
///
/// Without wildcards (networks among them) first, then without `%`, then the rest. Among patterns
/// with wildcards: what needs more characters first, then fewer `%`, more literal characters, and
/// the wildcard that comes earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Exact,
    Wild {
        open: bool,
        length: Reverse<usize>,
        runs: usize,
        literals: Reverse<usize>,
        first_wildcard: usize,
    },
}

impl Weight {
    fn of(pattern: &Like) -> Self {
        let pieces = pattern.pieces();
        let Some(first_wildcard) = pieces.iter().position(|p| !matches!(p, Piece::Literal(_)))
        else {
            return Self::Exact;
        };
        let runs = pieces.iter().filter(|p| **p == Piece::Run).count();
        let ones = pieces.iter().filter(|p| **p == Piece::One).count();
        let length = pieces.len() - runs;
        Self::Wild {
            open: runs > 0,
            length: Reverse(length),
            runs,
            literals: Reverse(length - ones),
            first_wildcard,
        }
    }
}

/// The host part of an account or a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern {
    text: String,
    like: Like,
    network: Option<Network>,
    weight: Weight,
}

impl HostPattern {
    /// An empty host means every host, as it does to the server.
    pub(crate) fn new(text: &str) -> Self {
        let like = Like::parse(if text.is_empty() { "%" } else { text });
        Self {
            weight: Weight::of(&like),
            network: Network::parse(text),
            like,
            text: text.to_owned(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, client: &ClientHost) -> bool {
        match self.network {
            Some(network) => network.holds(client.ip),
            None => {
                let name = client.name.as_deref();
                [Some(client.text.as_str()), name]
                    .into_iter()
                    .flatten()
                    .any(|text| self.like.matches(text, Case::IgnoreAscii))
            }
        }
    }

    /// Could this match a TCP client only by its name, which nobody has looked up?
    pub(crate) fn wants_name(&self) -> bool {
        let named = |piece: &Piece| matches!(piece, Piece::Literal(c) if c.is_alphabetic());
        let v6 = |piece: &Piece| *piece == Piece::Literal(':');
        let pieces = self.like.pieces();
        pieces.iter().any(named) && !pieces.iter().any(v6)
    }

    /// The order in which accounts are tried: by pattern, then named before anonymous. Among
    /// equals the server takes the pattern that is later in the alphabet.
    pub(crate) fn precedence(
        &self,
        anonymous: bool,
        other: &Self,
        other_anonymous: bool,
    ) -> Ordering {
        (self.weight, anonymous)
            .cmp(&(other.weight, other_anonymous))
            .then_with(|| other.text.cmp(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> ClientHost {
        ClientHost::ip(ip.parse().expect("an address"))
    }

    fn check(pattern: &str, client: &ClientHost, expect: bool) {
        assert_eq!(
            HostPattern::new(pattern).matches(client),
            expect,
            "{pattern} {client:?}"
        );
    }

    #[test]
    fn patterns_match_addresses_and_the_socket() {
        check("%", &at("10.0.0.1"), true);
        check("", &at("10.0.0.1"), true);
        check("10.0.0.1", &at("10.0.0.1"), true);
        check("10.0.0._", &at("10.0.0.1"), true);
        check("10.0.0._", &at("10.0.0.12"), false);
        check("10.%", &at("::ffff:10.1.2.3"), true);
        check("FE80::1", &at("fe80:0::1"), true);
        check("fe80:0::1", &at("fe80::1"), false);
        check("localhost", &ClientHost::unix(), true);
        check("LOCAL%", &ClientHost::unix(), true);
        check("%", &ClientHost::unix(), true);
        check("127.0.0.1", &ClientHost::unix(), false);
        check("localhost", &at("127.0.0.1"), false);
        check("localhost", &at("127.0.0.1").named("localhost"), true);
        check(
            "%.Example.com",
            &at("10.0.0.1").named("db.example.com"),
            true,
        );
        check("10.%", &at("10.0.0.1").named("db.example.com"), true);
        check("db%", &at("10.0.0.1").named("app.example.com"), false);
    }

    #[test]
    fn networks_hold_ipv4_only() {
        check("10.1.0.0/255.255.0.0", &at("10.1.200.3"), true);
        check("10.1.0.0/255.255.0.0", &at("10.2.0.1"), false);
        check("10.1.0.1/255.255.0.0", &at("10.1.0.1"), false);
        check("0.0.0.0/0.0.0.0", &at("::1"), false);
        check("0.0.0.0/0.0.0.0", &ClientHost::unix(), false);
        check("10.1.0.0/16", &at("10.1.0.1"), false);
    }

    #[test]
    fn only_patterns_with_letters_want_a_name() {
        let wants = |pattern| HostPattern::new(pattern).wants_name();
        assert!(wants("localhost") && wants("%.example.com") && wants("db_"));
        assert!(!wants("%") && !wants("10.%") && !wants("fe80::%") && !wants("10.0.0.0/255.0.0.0"));
    }

    /// Found by asking MariaDB 10.11 which account it takes, dropping that, and asking again.
    #[test]
    fn the_order_is_the_servers() {
        let recorded = [
            "127.0.0.1/255.255.255.255",
            "127.0.0.1",
            "127.0.0.0/255.255.255.0",
            "127.0.0.0/255.0.0.0",
            "_27.0.0.1",
            "1_7.0.0.1",
            "127.0.0._",
            "127._._.1",
            "127.0._._",
            "___.0.0.1",
            "_________",
            "%127.0.0.1",
            "127.0.0.%1",
            "127.0.0.1%",
            "127.0.0.%_",
            "127.0.%.1",
            "127.0.0.%",
            "127._.0.%",
            "%2%.0.0.1",
            "127.%.0.%",
            "%.0.0.1",
            "127.0.%",
            "%._.0.1",
            "127%1",
            "127.%",
            "1_7.%",
            "_2_.%",
            "%27%1",
            "%.%.%.%",
            "%.1",
            "1%1",
            "12%",
            "%1",
            "1%",
            "_%",
            "%_",
            "%1%",
            "%_%",
            "%%",
            "%",
        ];
        let mut sorted: Vec<HostPattern> =
            recorded.iter().rev().map(|p| HostPattern::new(p)).collect();
        sorted.sort_by(|a, b| a.precedence(false, b, false));
        let sorted: Vec<&str> = sorted.iter().map(HostPattern::text).collect();
        assert_eq!(sorted, recorded);
    }

    #[test]
    fn a_name_beats_no_name_only_among_equally_particular_hosts() {
        let first = |named: &str, anonymous: &str| {
            HostPattern::new(named)
                .precedence(false, &HostPattern::new(anonymous), true)
                .is_lt()
        };
        assert!(first("127.0.0.1", "127.0.0.1/255.255.255.255"));
        assert!(!first("127.0.0._", "_27.0.0.1"));
        assert!(first("12_.0_0.1", "12__0.0.1"));
        assert!(!first("%", "127.%"));
        assert!(first("127.0.0.0/255.0.0.0", "127.0.0.1"));
    }
}
