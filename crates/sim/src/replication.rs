//! Replication between the simulator's servers: who has applied what, and what clients were told.
//!
//! One stream of numbered transactions for each of two domains, whoever commits them. A primary has
//! everything; a replica applies what it likes when it likes, in order.

use std::fmt::Write as _;

use crate::rng::Rng;

/// How many domains there are.
pub(crate) const DOMAINS: usize = 2;
/// What the waiting statement raises when it has waited in vain.
pub(crate) const NOT_REACHED: u16 = 31_792;

/// A transaction: its domain and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gtid {
    pub(crate) domain: usize,
    pub(crate) sequence: u64,
}

/// Of each domain the last transaction; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position(pub(crate) [u64; DOMAINS]);

impl Position {
    pub(crate) fn raise(&mut self, gtid: Gtid) {
        let last = &mut self.0[gtid.domain];
        *last = (*last).max(gtid.sequence);
    }

    pub(crate) fn merge(&mut self, other: Position) {
        for (domain, sequence) in other.0.into_iter().enumerate() {
            self.raise(Gtid { domain, sequence });
        }
    }

    pub(crate) fn reaches(self, other: Position) -> bool {
        self.0.iter().zip(other.0).all(|(has, needs)| *has >= needs)
    }

    /// As servers write it: `0-1-5,1-1-7`.
    pub(crate) fn text(self) -> String {
        let mut text = String::new();
        for (domain, sequence) in self.0.into_iter().enumerate().filter(|(_, last)| *last > 0) {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{domain}-1-{sequence}");
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Option<Position> {
        let mut position = Position::default();
        for gtid in text.split(',').filter(|gtid| !gtid.is_empty()) {
            let mut parts = gtid.split('-');
            let domain = parts.next()?.parse().ok().filter(|ix| *ix < DOMAINS)?;
            parts.next()?;
            let sequence = parts.next()?.parse().ok()?;
            position.raise(Gtid { domain, sequence });
        }
        Some(position)
    }
}

/// All servers.
#[derive(Debug, Default)]
pub(crate) struct Replication {
    written: Position,
    applied: Vec<Position>,
}

impl Replication {
    pub(crate) fn new(servers: usize) -> Replication {
        Replication {
            written: Position::default(),
            applied: vec![Position::default(); servers],
        }
    }

    /// A transaction of a session is committed on a server.
    pub(crate) fn commit(&mut self, server: usize, session: usize) -> Gtid {
        let domain = session % DOMAINS;
        self.written.0[domain] += 1;
        let gtid = Gtid {
            domain,
            sequence: self.written.0[domain],
        };
        self.applied[server].raise(gtid);
        gtid
    }

    /// What a server has.
    pub(crate) fn applied(&self, server: usize) -> Position {
        self.applied[server]
    }

    /// A server has everything: it takes writes.
    pub(crate) fn catch_up(&mut self, server: usize) {
        self.applied[server] = self.written;
    }

    /// A server applies some of what it lacks.
    pub(crate) fn replicate(&mut self, server: usize, rng: &mut Rng) {
        for (has, last) in self.applied[server].0.iter_mut().zip(self.written.0) {
            let lacks = usize::try_from(last - *has).unwrap_or(usize::MAX);
            *has += rng.below(lacks.saturating_add(1)) as u64;
        }
    }

    /// A server waits for a position: it arrives, or the time is up before.
    pub(crate) fn wait(&mut self, server: usize, position: Position, rng: &mut Rng) -> bool {
        let arrives = self.written.reaches(position) && rng.coin();
        if arrives {
            self.applied[server].merge(position);
        }
        self.applied[server].reaches(position)
    }
}

/// A text with a waiting statement in front: the position, and what follows it.
pub(crate) fn split_wait(text: &[u8]) -> Option<(Position, &[u8])> {
    const BEFORE: &[u8] = b"IF (MASTER_GTID_WAIT('";
    const AFTER: &[u8] = b"END IF";
    let rest = text.strip_prefix(BEFORE)?;
    let quote = rest.iter().position(|byte| *byte == b'\'')?;
    let position = Position::parse(std::str::from_utf8(&rest[..quote]).ok()?)?;
    let end = rest.windows(AFTER.len()).position(|at| at == AFTER)? + AFTER.len();
    let rest = &rest[end..];
    Some((position, rest.strip_prefix(b";").unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_statement_is_told_from_what_follows() {
        let text = b"IF (MASTER_GTID_WAIT('0-1-5,1-1-7',10)<=>0)=0 THEN SIGNAL x; END IF;SELECT 1; SELECT 2";
        let (position, rest) = split_wait(text).expect("a wait");
        assert_eq!(position, Position([5, 7]));
        assert_eq!(rest, b"SELECT 1; SELECT 2");
        assert_eq!(Position::parse(&position.text()), Some(position));
        assert_eq!(split_wait(b"SELECT 1"), None);
    }
}
