//! MariaDB's global transaction ids: a position is one id a domain.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A replication position such as `0-1-57,4-2-9`: of each domain the last transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidList(BTreeMap<u32, Last>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    server_id: u32,
    sequence: u64,
}

/// A text that is no list of MariaDB transaction ids.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a transaction id of the form domain-server-sequence: {0:?}")]
pub struct GtidError(String);

impl GtidList {
    /// No transaction in any domain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sequence number reached in `domain`.
    #[must_use]
    pub fn sequence(&self, domain: u32) -> Option<u64> {
        self.0.get(&domain).map(|last| last.sequence)
    }

    /// Has this position everything that `other` has, in every domain of `other`?
    #[must_use]
    pub fn reaches(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .all(|(domain, last)| self.sequence(*domain) >= Some(last.sequence))
    }
}

impl FromStr for GtidList {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, GtidError> {
        let mut list = BTreeMap::new();
        for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            let (domain, last) = parse(id).ok_or_else(|| GtidError(id.to_owned()))?;
            list.insert(domain, last);
        }
        Ok(Self(list))
    }
}

fn parse(id: &str) -> Option<(u32, Last)> {
    let mut parts = id.split('-');
    let domain = parts.next()?.parse().ok()?;
    let last = Last {
        server_id: parts.next()?.parse().ok()?,
        sequence: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some((domain, last))
}

impl fmt::Display for GtidList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (domain, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{domain}-{}-{}", last.server_id, last.sequence)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> GtidList {
        text.parse().expect("a list")
    }

    #[test]
    fn lists_are_read_and_refused() {
        assert!(list("").is_empty());
        assert_eq!(list("4-2-9, 0-1-57").to_string(), "0-1-57,4-2-9");
        for bad in [
            "1-2",
            "1-2-3-4",
            "a-1-2",
            "3E11FA47-71CA:1-5",
            "1-2--3",
            "0-1-99999999999999999999",
        ] {
            assert!(bad.parse::<GtidList>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_domain_counts() {
        assert!(list("0-1-5,1-1-2").reaches(&list("0-2-5")));
        assert!(!list("0-1-5").reaches(&list("0-1-5,1-1-1")));
        assert!(!list("0-1-4").reaches(&list("0-1-5")));
        assert!(list("0-1-4").reaches(&list("")));
    }

    proptest! {
        #[test]
        fn reading_what_was_written_changes_nothing(ids in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u64>()), 0..5)) {
            let text: Vec<String> = ids.iter().map(|(d, s, n)| format!("{d}-{s}-{n}")).collect();
            let once = list(&text.join(","));
            prop_assert_eq!(&list(&once.to_string()), &once);
            prop_assert!(once.reaches(&once));
        }
    }
}
