//! Global transaction ids: a position is the last id of each stream of transactions.
//!
//! MariaDB's are `domain-server-sequence`. MySQL's are `uuid:number`, or `uuid:tag:number`, and what a server
//! has executed is a set of them; servers that apply in order (`replica_preserve_commit_order`, their default)
//! have no gaps, so that the last number says it all here too.
//!
//! Invariant: a list holds at most one id a domain, in the order of the domains.
//!
//! Source: MariaDB manual, "Global Transaction ID"; MySQL manual, "GTID Format and Storage".

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A stream of transactions with numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// MariaDB's `gtid_domain_id`.
    Number(u32),
    /// MySQL's `server_uuid` of where transactions are first committed, and their tag.
    Source {
        /// The UUID.
        uuid: [u8; 16],
        /// The tag, filled up with zeros; all zeros: none.
        tag: [u8; MAX_TAG],
    },
}

/// The longest tag of a MySQL transaction id.
const MAX_TAG: usize = 32;

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gtid {
    /// The stream of transactions it belongs to.
    pub domain: Domain,
    /// MariaDB's `server_id` of where it was first committed; 0 for MySQL.
    pub server: u32,
    /// Its number in the domain; the later transaction has the greater one.
    pub sequence: u64,
}

impl Gtid {
    /// Reads MariaDB's `0-1-57`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|byte| *byte == b'-').map(number);
        let id = Self {
            domain: Domain::Number(u32::try_from(parts.next()??).ok()?),
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

/// `8-4-4-4-12` hexadecimal digits.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let groups = text.split(|byte| *byte == b'-').map(<[u8]>::len);
    if !groups.eq([8, 4, 4, 4, 12]) {
        return None;
    }
    let mut digits = text.iter().filter(|byte| **byte != b'-');
    let mut digit = || char::from(*digits.next()?).to_digit(16);
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
    }
    Some(uuid)
}

/// A letter or `_`, then letters, digits and `_`; servers take capitals for small letters.
fn tag(text: &[u8]) -> Option<[u8; MAX_TAG]> {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let begins = text.first().is_some_and(|first| !first.is_ascii_digit());
    let mut tag = [0; MAX_TAG];
    tag.get_mut(..text.len())?.copy_from_slice(text);
    tag.make_ascii_lowercase();
    (begins && text.iter().all(word)).then_some(tag)
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Domain::Number(domain) => write!(f, "{domain}-{}-{}", self.server, self.sequence),
            Domain::Source { uuid, tag } => {
                for (index, byte) in uuid.iter().enumerate() {
                    let dash = if matches!(index, 4 | 6 | 8 | 10) {
                        "-"
                    } else {
                        ""
                    };
                    write!(f, "{dash}{byte:02x}")?;
                }
                let letters = tag.iter().take_while(|byte| **byte != 0);
                for (index, letter) in letters.enumerate() {
                    let colon = if index == 0 { ":" } else { "" };
                    write!(f, "{colon}{}", char::from(*letter))?;
                }
                write!(f, ":{}", self.sequence)
            }
        }
    }
}

/// A replication position such as `0-1-57,4-2-9`: of each domain the last transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidList(Vec<Gtid>);

/// A text that is no list of transaction ids.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "not a transaction id of the form domain-server-sequence (MariaDB) or uuid:number (MySQL): {0:?}"
)]
pub struct GtidError(String);

/// Which end of several ranges of one domain counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// The last one's: what was written.
    Last,
    /// The first one's: up to there nothing is missing.
    First,
}

impl GtidList {
    /// Reads ids separated by commas; of two of one domain the later transaction counts, of several ranges
    /// (`uuid:1-5:7-9`) the end.
    ///
    /// # Errors
    /// One of them is no id.
    pub fn parse(text: &[u8]) -> Result<Self, GtidError> {
        Self::read(text, Counts::Last)
    }

    /// Reads what a server has executed: of several ranges of one domain only the first is known to have no
    /// gap before its end.
    ///
    /// # Errors
    /// One of them is no id.
    pub fn parse_executed(text: &[u8]) -> Result<Self, GtidError> {
        Self::read(text, Counts::First)
    }

    fn read(text: &[u8], counts: Counts) -> Result<Self, GtidError> {
        let mut list = Self::default();
        for id in text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if id.is_empty() {
                continue;
            }
            let known = match Gtid::parse(id) {
                Some(found) => {
                    list.raise(found);
                    Some(())
                }
                None => list.read_source(id, counts),
            };
            known.ok_or_else(|| GtidError(String::from_utf8_lossy(id).into_owned()))?;
        }
        Ok(list)
    }

    /// Reads one of MySQL's: a UUID, then ranges, and tags with the ranges that they stand for.
    fn read_source(&mut self, text: &[u8], counts: Counts) -> Option<()> {
        let mut parts = text.split(|byte| *byte == b':').map(<[u8]>::trim_ascii);
        let uuid = uuid(parts.next()?)?;
        let mut domain = Domain::Source {
            uuid,
            tag: [0; MAX_TAG],
        };
        let (mut any, mut ranges) = (false, 0);
        for part in parts {
            if let Some(tag) = tag(part) {
                domain = Domain::Source { uuid, tag };
                ranges = 0;
                continue;
            }
            let mut ends = part.splitn(2, |byte| *byte == b'-');
            let first = number(ends.next()?.trim_ascii())?;
            let last = ends
                .next()
                .map_or(Some(first), |end| number(end.trim_ascii()))?;
            ranges += 1;
            any = true;
            if counts == Counts::Last || ranges == 1 {
                self.raise(Gtid {
                    domain,
                    server: 0,
                    sequence: last,
                });
            }
        }
        any.then_some(())
    }

    /// No transaction in any domain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sequence number reached in `domain`.
    #[must_use]
    pub fn sequence(&self, domain: Domain) -> Option<u64> {
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

    fn find(&self, domain: Domain) -> Result<usize, usize> {
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
            "3e11fa47-71ca-11e1-9e33-c80aa9429562",
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:",
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag",
            "3e11fa47-71ca-11e1-9e33-c80aa942956g:1",
            "3e11fa4771ca11e19e33c80aa9429562:1",
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-",
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:a_tag_that_is_longer_than_any_may_be:1",
            "1-2--3",
            "4294967296-1-1",
            "0-1-99999999999999999999",
        ] {
            assert!(bad.parse::<GtidList>().is_err(), "{bad}");
        }
    }

    #[test]
    fn mysql_positions_are_read() {
        const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
        let check = |text: &str, last: &str, first: &str| {
            assert_eq!(list(text).to_string(), last, "{text}");
            let executed = GtidList::parse_executed(text.as_bytes()).expect("a set");
            assert_eq!(executed.to_string(), first, "{text}");
        };
        let one = format!("{A}:57");
        check(&one, &one, &one);
        check(&one.to_uppercase(), &one, &one);
        check(
            &format!("{B}:1-3:5-9,\n{A}:1-57"),
            &format!("{A}:57,{B}:9"),
            &format!("{A}:57,{B}:3"),
        );
        check(
            &format!("{A}:1-4:Red:1-2:7:blue:3"),
            &format!("{A}:4,{A}:blue:3,{A}:red:7"),
            &format!("{A}:4,{A}:blue:3,{A}:red:2"),
        );
        let far = list(&format!("{A}:5,{B}:7"));
        assert!(far.reaches(&list(&format!("{B}:7"))));
        assert!(!far.reaches(&list(&format!("{A}:x:1"))));
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
