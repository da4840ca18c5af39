//! Where administrators may come from: `admin_readwrite_hosts` and `admin_readonly_hosts`.
//!
//! An entry is an address, a network (`10.0.0.0/8`), or a name pattern with `%` and `_`, which
//! matches the address as text, or the name that a reverse lookup finds. A lookup is made only
//! when names are listed and nothing else matched, and never for `localhost`, which everybody
//! can claim to be.

use std::net::IpAddr;

/// The two lists.
#[derive(Debug, Clone)]
pub(crate) struct HostLists {
    readwrite: Vec<HostPattern>,
    readonly: Vec<HostPattern>,
}

/// What the lists say of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may do this.
    Allowed,
    /// It may not.
    Refused,
    /// It depends on its name.
    AskName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Any,
    Network { address: u128, mask: u128 },
    Name(String),
}

impl HostLists {
    /// Reads both lists.
    ///
    /// # Errors
    ///
    /// The parameter and the entry that cannot be read.
    pub(crate) fn parse(
        readwrite: &[String],
        readonly: &[String],
    ) -> Result<Self, (&'static str, String)> {
        let list = |parameter, entries: &[String]| {
            entries
                .iter()
                .map(|entry| HostPattern::parse(entry.trim()).ok_or((parameter, entry.clone())))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            readwrite: list("admin_readwrite_hosts", readwrite)?,
            readonly: list("admin_readonly_hosts", readonly)?,
        })
    }

    /// Decides by the address alone, as far as that goes.
    pub(crate) fn by_address(&self, address: IpAddr, reads: bool) -> Verdict {
        if self.matching(reads).any(|pattern| pattern.covers(address)) {
            Verdict::Allowed
        } else if self
            .matching(reads)
            .any(|pattern| matches!(pattern, HostPattern::Name(_)))
        {
            Verdict::AskName
        } else {
            Verdict::Refused
        }
    }

    /// Decides by the name of the address.
    pub(crate) fn by_name(&self, name: &str, reads: bool) -> Verdict {
        let named = !name.eq_ignore_ascii_case("localhost")
            && self.matching(reads).any(|pattern| match pattern {
                HostPattern::Name(pattern) => like(pattern, name),
                _ => false,
            });
        if named {
            Verdict::Allowed
        } else {
            Verdict::Refused
        }
    }

    fn matching(&self, reads: bool) -> impl Iterator<Item = &HostPattern> {
        let also = if reads { self.readonly.as_slice() } else { &[] };
        self.readwrite.iter().chain(also)
    }
}

impl HostPattern {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "%" || entry == "*" {
            return Some(Self::Any);
        }
        if let Some((address, length)) = entry.split_once('/') {
            return Self::network(address.parse().ok()?, Some(length.parse().ok()?));
        }
        if let Ok(address) = entry.parse() {
            return Self::network(address, None);
        }
        let is_name = !entry.is_empty()
            && entry
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_%:".contains(&byte));
        is_name.then(|| Self::Name(entry.to_ascii_lowercase()))
    }

    fn network(address: IpAddr, length: Option<u32>) -> Option<Self> {
        let (width, offset) = if address.is_ipv4() {
            (32, 96)
        } else {
            (128, 0)
        };
        let length = length.unwrap_or(width);
        if length > width {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - (offset + length)).unwrap_or(0);
        Some(Self::Network {
            address: bits(address) & mask,
            mask,
        })
    }

    fn covers(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Network {
                address: network,
                mask,
            } => bits(address) & mask == *network,
            Self::Name(pattern) => like(pattern, &address.to_canonical().to_string()),
        }
    }
}

/// An address as a number, IPv4 as the IPv6 address that stands for it.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// SQL's LIKE without an escape: `%` is any text, `_` any one character. The pattern is in
/// lower case. Linear in pattern times text.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    let mut retry = None;
    while here < text.len() {
        match pattern.get(at) {
            Some(b'%') => {
                retry = Some((at, here));
                at += 1;
            }
            Some(b'_') => {
                at += 1;
                here += 1;
            }
            Some(byte) if *byte == text[here].to_ascii_lowercase() => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                at = star + 1;
                here = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(readwrite: &[&str], readonly: &[&str]) -> HostLists {
        let owned = |list: &[&str]| {
            list.iter()
                .map(|entry| (*entry).to_owned())
                .collect::<Vec<_>>()
        };
        HostLists::parse(&owned(readwrite), &owned(readonly)).expect("lists")
    }

    #[test]
    fn addresses_networks_and_patterns() {
        use Verdict::{Allowed, AskName, Refused};
        let cases: [(&[&str], &str, Verdict); 14] = [
            (&["%"], "10.0.0.1", Allowed),
            (&["*"], "2001:db8::1", Allowed),
            (&["10.0.0.1"], "10.0.0.1", Allowed),
            (&["10.0.0.1"], "::ffff:10.0.0.1", Allowed),
            (&["10.0.0.1"], "10.0.0.2", Refused),
            (&["10.0.0.0/8"], "10.200.3.4", Allowed),
            (&["10.0.0.0/8"], "11.0.0.1", Refused),
            (&["0.0.0.0/0"], "1.2.3.4", Allowed),
            (&["0.0.0.0/0"], "2001:db8::1", Refused),
            (&["2001:db8::/32"], "2001:db8:ffff::1", Allowed),
            (&["::/0"], "2001:db8::1", Allowed),
            (&["192.168.1._"], "192.168.1.7", Allowed),
            (&["%.example.org"], "10.0.0.1", AskName),
            (&[], "10.0.0.1", Refused),
        ];
        for (list, address, expect) in cases {
            let address = address.parse().expect("an address");
            assert_eq!(
                lists(list, &[]).by_address(address, false),
                expect,
                "{list:?} {address}"
            );
        }
    }

    #[test]
    fn reading_is_allowed_by_either_list() {
        let lists = lists(&["10.0.0.1"], &["10.0.0.2"]);
        let verdict = |address: &str, reads| lists.by_address(address.parse().expect("one"), reads);
        assert_eq!(verdict("10.0.0.2", true), Verdict::Allowed);
        assert_eq!(verdict("10.0.0.2", false), Verdict::Refused);
        assert_eq!(verdict("10.0.0.1", true), Verdict::Allowed);
    }

    #[test]
    fn names() {
        let named = lists(&["%.Example.org", "local%"], &[]);
        assert_eq!(named.by_name("db.example.ORG", false), Verdict::Allowed);
        assert_eq!(named.by_name("example.org", false), Verdict::Refused);
        assert_eq!(named.by_name("localhost", false), Verdict::Refused);
        assert_eq!(named.by_name("locals", false), Verdict::Allowed);
    }

    #[test]
    fn what_is_no_entry() {
        for entry in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "a b", "é"] {
            let refused = HostLists::parse(&[], &[entry.to_owned()]).map(|_| ());
            assert_eq!(refused, Err(("admin_readonly_hosts", entry.to_owned())));
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expect) in [
            ("%", "", true),
            ("a%b%c", "axxbyyc", true),
            ("a%b%c", "axxbyy", false),
            ("_", "", false),
            ("a_c", "abc", true),
            ("%a", "bbba", true),
            ("", "a", false),
        ] {
            assert_eq!(like(pattern, text), expect, "{pattern} {text}");
        }
        assert!(!like(&format!("{}b", "%a".repeat(40)), &"a".repeat(4000)));
    }
}
