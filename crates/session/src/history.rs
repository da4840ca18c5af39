//! The session command history: what a new connection must be told before it is like the others.
//!
//! A reduced state rather than a log: where the effect of a command is understood (the schema,
//! the character set, one variable, one prepared statement), the newest command for it replaces
//! the older one. Commands that are not understood stay as they came, in order, and a replacement
//! never moves past one of them. Every entry remembers whether it succeeded, because the same
//! must happen on every connection.

use std::collections::VecDeque;

use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::ClientStmtId;
use crate::service::HistoryLimits;

/// Which part of the session's state a command sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The default database.
    Schema,
    /// The client's character set and collation.
    Charset,
    /// One variable, set to a literal.
    Variable(Box<[u8]>),
    /// A text-protocol prepared statement.
    Named(Box<[u8]>),
    /// A binary prepared statement.
    Statement(ClientStmtId),
    /// Something else.
    Text,
}

impl Key {
    /// Can an older entry with this key be dropped, whatever stands between the two, as long as
    /// all of that is plain too?
    fn is_plain(&self) -> bool {
        match self {
            Key::Schema | Key::Charset | Key::Variable(_) | Key::Statement(_) => true,
            Key::Named(_) | Key::Text => false,
        }
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The session command's number in the session.
    pub(crate) seq: u64,
    pub(crate) key: Key,
    /// From the command byte on, without packet headers.
    pub(crate) payload: Vec<u8>,
    /// Did it succeed? `None`: not answered yet.
    pub(crate) ok: Option<bool>,
}

/// All that a new connection must be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    entries: VecDeque<Entry>,
    limits: HistoryLimits,
    /// Given up: the limit was passed without pruning.
    lost: bool,
}

impl History {
    pub(crate) fn new(limits: HistoryLimits) -> History {
        History {
            entries: VecDeque::new(),
            limits,
            lost: false,
        }
    }

    /// Can a new connection be brought to the session's state?
    pub(crate) fn recoverable(&self) -> bool {
        !self.limits.disabled && !self.lost
    }

    /// Records a command whose answer is not known yet.
    pub(crate) fn record(&mut self, seq: u64, key: Key, payload: Vec<u8>) {
        let is_statement = matches!(key, Key::Statement(_));
        if !self.recoverable() && !is_statement {
            return;
        }
        self.drop_superseded(&key, &payload);
        self.entries.push_back(Entry {
            seq,
            key,
            payload,
            ok: None,
        });
        self.enforce_limit();
    }

    /// More bytes of a command that is longer than what was recorded of it.
    pub(crate) fn append(&mut self, seq: u64, bytes: &[u8]) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.payload.extend_from_slice(bytes);
        }
    }

    /// The answer to command `seq` is known. A failed preparation leaves no trace; any other
    /// failed command stays, because it may have taken effect in part.
    pub(crate) fn confirm(&mut self, seq: u64, ok: bool) {
        let Some(ix) = self.entries.iter().rposition(|entry| entry.seq == seq) else {
            return;
        };
        let failed_prepare = !ok
            && self
                .entries
                .get(ix)
                .is_some_and(|entry| matches!(entry.key, Key::Statement(_) | Key::Named(_)));
        if failed_prepare {
            self.entries.remove(ix);
        } else if let Some(entry) = self.entries.get_mut(ix) {
            entry.ok = Some(ok);
        }
    }

    /// A binary prepared statement was closed.
    pub(crate) fn forget_statement(&mut self, id: ClientStmtId) {
        self.entries.retain(|entry| entry.key != Key::Statement(id));
    }

    /// Everything is forgotten, and the session is recoverable again.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.lost = false;
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Session commands that count against the limit.
    pub(crate) fn len(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| !matches!(entry.key, Key::Statement(_)))
            .count()
    }

    /// Answers kept to compare other connections with.
    pub(crate) fn stored_responses(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.ok.is_some())
            .count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self
                .entries
                .iter()
                .map(|entry| entry.payload.capacity())
                .sum::<usize>()
    }

    fn drop_superseded(&mut self, key: &Key, payload: &[u8]) {
        if let Key::Statement(_) = key {
            return;
        }
        if key.is_plain() {
            let after_last_opaque = self
                .entries
                .iter()
                .rposition(|entry| !entry.key.is_plain())
                .map_or(0, |ix| ix + 1);
            let mut ix = self.entries.len();
            while ix > after_last_opaque {
                ix -= 1;
                if self
                    .entries
                    .get(ix)
                    .is_some_and(|entry| entry.key == *key && entry.ok != Some(false))
                {
                    self.entries.remove(ix);
                }
            }
        } else if self.limits.prune {
            self.entries
                .retain(|entry| entry.payload != payload || entry.key != *key);
        }
    }

    fn enforce_limit(&mut self) {
        if self.limits.disabled || self.len() <= self.limits.max {
            return;
        }
        if self.limits.prune {
            let oldest = self
                .entries
                .iter()
                .position(|entry| !matches!(entry.key, Key::Statement(_)));
            if let Some(ix) = oldest {
                self.entries.remove(ix);
            }
        } else {
            self.lost = true;
            self.entries
                .retain(|entry| matches!(entry.key, Key::Statement(_)));
        }
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.flag(self.lost);
        into.list(self.entries.iter(), |into, entry| {
            into.u64(entry.seq);
            match &entry.key {
                Key::Schema => into.u8(0),
                Key::Charset => into.u8(1),
                Key::Variable(name) => {
                    into.u8(2);
                    into.bytes(name);
                }
                Key::Named(name) => {
                    into.u8(3);
                    into.bytes(name);
                }
                Key::Statement(id) => {
                    into.u8(4);
                    into.u32(id.0);
                }
                Key::Text => into.u8(5),
            }
            into.bytes(&entry.payload);
            into.option(entry.ok, Encoder::flag);
        });
    }

    pub(crate) fn thaw(
        limits: HistoryLimits,
        from: &mut Decoder<'_>,
    ) -> Result<History, FreezeError> {
        let lost = from.flag()?;
        let entries = from.list(|from| {
            let seq = from.u64()?;
            let key = match from.u8()? {
                0 => Key::Schema,
                1 => Key::Charset,
                2 => Key::Variable(from.bytes()?.into()),
                3 => Key::Named(from.bytes()?.into()),
                4 => Key::Statement(ClientStmtId(from.u32()?)),
                5 => Key::Text,
                other => {
                    return Err(FreezeError::Value {
                        what: "a history key",
                        value: u64::from(other),
                    });
                }
            };
            let payload = from.bytes()?.to_vec();
            let ok = from.option(Decoder::flag)?;
            Ok(Entry {
                seq,
                key,
                payload,
                ok,
            })
        })?;
        Ok(History {
            entries: entries.into(),
            limits,
            lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(max: usize, prune: bool) -> History {
        History::new(HistoryLimits {
            disabled: false,
            max,
            prune,
        })
    }

    fn texts(history: &History) -> Vec<String> {
        history
            .entries()
            .map(|entry| String::from_utf8_lossy(&entry.payload).into_owned())
            .collect()
    }

    fn var(name: &str) -> Key {
        Key::Variable(name.as_bytes().into())
    }

    #[test]
    fn the_last_value_of_a_variable_wins() {
        let mut history = history(10, true);
        history.record(1, var("a"), b"a=1".to_vec());
        history.record(2, var("b"), b"b=1".to_vec());
        history.record(3, var("a"), b"a=2".to_vec());
        assert_eq!(texts(&history), ["b=1", "a=2"]);
    }

    #[test]
    fn a_command_that_is_not_understood_is_a_fence() {
        let mut history = history(10, true);
        history.record(1, var("a"), b"a=1".to_vec());
        history.record(2, Key::Text, b"b=@a".to_vec());
        history.record(3, var("a"), b"a=2".to_vec());
        assert_eq!(texts(&history), ["a=1", "b=@a", "a=2"]);
    }

    #[test]
    fn the_limit_prunes_the_oldest_but_never_an_open_statement() {
        let mut history = history(2, true);
        history.record(1, Key::Statement(ClientStmtId(1)), b"prepare".to_vec());
        for n in 2..6 {
            history.record(n, Key::Text, format!("set {n}").into_bytes());
        }
        assert_eq!(texts(&history), ["prepare", "set 4", "set 5"]);
        assert!(history.recoverable());
    }

    #[test]
    fn without_pruning_the_limit_gives_the_history_up() {
        let mut history = history(2, false);
        for n in 0..3 {
            history.record(n, Key::Text, format!("set {n}").into_bytes());
        }
        assert!(!history.recoverable());
        assert_eq!(history.len(), 0);
        history.clear();
        assert!(history.recoverable());
    }

    #[test]
    fn a_failed_prepare_leaves_no_trace_and_a_failed_set_stays() {
        let mut history = history(10, true);
        history.record(1, Key::Statement(ClientStmtId(1)), b"prepare".to_vec());
        history.record(2, Key::Text, b"set".to_vec());
        history.confirm(1, false);
        history.confirm(2, false);
        assert_eq!(texts(&history), ["set"]);
        assert_eq!(history.stored_responses(), 1);
    }

    #[test]
    fn frozen_and_thawed_it_is_the_same() {
        let mut history = history(10, true);
        history.record(1, Key::Schema, b"\x02db".to_vec());
        history.record(2, Key::Statement(ClientStmtId(7)), b"\x16select 1".to_vec());
        history.record(
            3,
            Key::Named(b"s".as_slice().into()),
            b"\x03prepare s from 'x'".to_vec(),
        );
        history.confirm(2, true);
        let mut encoder = Encoder::default();
        history.freeze(&mut encoder);
        let bytes = encoder.into_bytes();
        let thawed = History::thaw(history.limits, &mut Decoder::new(&bytes)).unwrap();
        assert_eq!(thawed.entries, history.entries);
    }
}
