//! MariaDB's global transaction ids: a position is the last id of each domain.
//!
//! Left out: MySQL's sets of `uuid:interval`. Invariant: a list holds at most one id a domain, in the
//! order of the domains.
//!
//! Source: MariaDB manual, "Global Transaction ID".

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One transaction: `domain-server-sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gtid {
    /// The stream of transactions it belongs to.
    pub domain: u32,
    /// `server_id` of where it was first committed.
    pub server: u32,
    /// Its number in the domain; the later transaction has the greater one.
    pub sequence: u64,
}

impl Gtid {
    /// Reads `0-1-57`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|byte| *byte == b'-').map(number);
        let id = Self {
            domain: u32::try_from(parts.next()??).ok()?,
            server: u32::try_from(parts.next()??).ok()?,
            sequence: parts.next()??,
        };
        parts.next().is_none().then_some(id)
    }
}

/// Digits, and nothing but digits.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

/// A replication position such as `0-1-57,4-2-9`: of each domain the last transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidList(Vec<Gtid>);

/// A text that is no list of MariaDB transaction ids.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a transaction id of the form domain-server-sequence: {0:?}")]
pub struct GtidError(String);

impl GtidList {
    /// Reads ids separated by commas; of two of one domain the later transaction counts.
    ///
    /// # Errors
    /// One of them is no id.
    pub fn parse(text: &[u8]) -> Result<Self, GtidError> {
        let mut list = Self::default();
        for id in text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if id.is_empty() {
                continue;
            }
            let found = Gtid::parse(id)
                .ok_or_else(|| GtidError(String::from_utf8_lossy(id).into_owned()))?;
            list.raise(found);
        }
        Ok(list)
    }

    /// No transaction in any domain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sequence number reached in `domain`.
    #[must_use]
    pub fn sequence(&self, domain: u32) -> Option<u64> {
        let ix = self.find(domain).ok()?;
        self.0.get(ix).map(|id| id.sequence)
    }

    /// Has this position everything that `other` has, in every domain of `other`?
    #[must_use]
    pub fn reaches(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .all(|id| self.sequence(id.domain) >= Some(id.sequence))
    }

    /// Goes on to `id`, unless its domain is as far already.
    pub fn raise(&mut self, id: Gtid) {
        match self.find(id.domain) {
            Ok(ix) => {
                if let Some(last) = self.0.get_mut(ix)
                    && last.sequence < id.sequence
                {
                    *last = id;
                }
            }
            Err(ix) => self.0.insert(ix, id),
        }
    }

    /// Goes on to where `other` is, in every domain that is not as far already.
    pub fn merge(&mut self, other: &Self) {
        for id in &other.0 {
            self.raise(*id);
        }
    }

    /// The last transaction of each domain, in the order of the domains.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Gtid> {
        self.0.iter().copied()
    }

    fn find(&self, domain: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&domain, |id| id.domain)
    }
}

impl FromIterator<Gtid> for GtidList {
    fn from_iter<I: IntoIterator<Item = Gtid>>(ids: I) -> Self {
        let mut list = Self::default();
        for id in ids {
            list.raise(id);
        }
        list
    }
}

impl FromStr for GtidList {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, GtidError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for GtidList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, id) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{id}")?;
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
            "+1-1-2",
            "3E11FA47-71CA:1-5",
            "1-2--3",
            "4294967296-1-1",
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

    #[test]
    fn a_position_never_goes_back() {
        let mut position = list("0-1-5,3-7-2");
        position.merge(&list("0-2-4,1-1-1,3-8-9"));
        assert_eq!(position.to_string(), "0-1-5,1-1-1,3-8-9");
        assert_eq!(list("0-1-9,0-1-3").to_string(), "0-1-9");
    }

    proptest! {
        #[test]
        fn reading_what_was_written_changes_nothing(ids in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u64>()), 0..5)) {
            let text: Vec<String> = ids.iter().map(|(d, s, n)| format!("{d}-{s}-{n}")).collect();
            let once = list(&text.join(","));
            prop_assert_eq!(&list(&once.to_string()), &once);
            prop_assert!(once.reaches(&once));
        }

        #[test]
        fn a_merged_position_reaches_both(a in "(0-1-[1-9]|1-1-[1-9])(,2-1-[1-9])?", b in "(0-1-[1-9]|2-1-[1-9])(,3-1-[1-9])?") {
            let mut both = list(&a);
            both.merge(&list(&b));
            prop_assert!(both.reaches(&list(&a)) && both.reaches(&list(&b)));
        }
    }
}
