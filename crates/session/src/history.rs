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
use crate::key::Key;
use crate::service::HistoryLimits;

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
    /// The default database it was issued under; of a command that changes it, the new one.
    pub(crate) schema: Option<Box<[u8]>>,
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

    /// Can a new connection still be told everything when one more command has been recorded?
    pub(crate) fn survives_one_more(&self) -> bool {
        self.recoverable() && (self.limits.prune || self.len() < self.limits.max)
    }

    /// Records a command whose answer is not known yet.
    pub(crate) fn record(&mut self, seq: u64, key: Key, payload: Vec<u8>, schema: Option<&[u8]>) {
        let is_statement = matches!(key, Key::Statement(_));
        if !self.recoverable() && !is_statement {
            return;
        }
        self.entries.push_back(Entry {
            seq,
            key,
            payload,
            ok: None,
            schema: schema.map(Into::into),
        });
    }

    /// More bytes of a command that is longer than what was recorded of it.
    pub(crate) fn append(&mut self, seq: u64, bytes: &[u8]) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.payload.extend_from_slice(bytes);
        }
    }

    /// The answer to command `seq` is known, and the default database after it. A failed command
    /// that could only succeed or fail as a whole leaves no trace; any other stays, because it may
    /// have taken effect in part.
    pub(crate) fn confirm(&mut self, seq: u64, ok: bool, schema: Option<&[u8]>) {
        let Some(ix) = self.entries.iter().rposition(|entry| entry.seq == seq) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(ix) else {
            return;
        };
        entry.ok = Some(ok);
        if entry.key == Key::Schema {
            entry.schema = schema.map(Into::into);
        }
        let whole = match &entry.key {
            Key::Schema | Key::Deallocated(_) | Key::Statement(_) => true,
            Key::Variables(names) => names.len() == 1,
            // A name that is prepared anew is gone even if that fails.
            Key::Named(_) | Key::Text { .. } => false,
        };
        if !ok && whole {
            self.entries.remove(ix);
        } else if ok {
            self.drop_superseded(ix);
        }
        self.enforce_limit();
    }

    /// The default database a statement was prepared under.
    pub(crate) fn schema_of(&self, id: ClientStmtId) -> Option<Box<[u8]>> {
        self.entries
            .iter()
            .find(|entry| entry.key == Key::Statement(id))
            .and_then(|entry| entry.schema.clone())
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

    /// Forgets what the command at `ix`, which succeeded, makes superfluous.
    fn drop_superseded(&mut self, ix: usize) {
        let Some(Entry { key, payload, .. }) = self.entries.get(ix).cloned() else {
            return;
        };
        match &key {
            Key::Deallocated(name) => self.drop_named(ix, name),
            Key::Text { again: true } if self.limits.prune => {
                self.drop_older(ix, &key, |entry| entry.payload == payload);
            }
            Key::Schema | Key::Variables(_) | Key::Named(_) => {
                self.drop_older(ix, &key, |entry| {
                    entry.ok == Some(true) && key.covers(&entry.key)
                });
            }
            Key::Statement(_) | Key::Text { .. } => {}
        }
    }

    /// Forgets entries before `ix`, but none that stands before something that may depend on it.
    fn drop_older(&mut self, ix: usize, key: &Key, superfluous: impl Fn(&Entry) -> bool) {
        let mut at = ix;
        while let Some(before) = at.checked_sub(1) {
            at = before;
            let Some(entry) = self.entries.get(at) else {
                return;
            };
            if superfluous(entry) {
                self.entries.remove(at);
            } else if entry.key.depends_on(key) {
                return;
            }
        }
    }

    /// A named statement is gone: neither its preparation nor its end needs to be repeated, unless
    /// something between the two may have executed it.
    fn drop_named(&mut self, ix: usize, name: &[u8]) {
        let is_named = |entry: &Entry| matches!(&entry.key, Key::Named(other) if **other == *name);
        let opaque = |entry: &Entry| matches!(entry.key, Key::Text { .. });
        let from = self
            .entries
            .iter()
            .take(ix)
            .rposition(opaque)
            .map_or(0, |at| at + 1);
        if self.entries.iter().take(from).any(is_named) {
            return;
        }
        self.entries.remove(ix);
        self.entries.retain(|entry| !is_named(entry));
    }

    fn enforce_limit(&mut self) {
        if self.limits.disabled || self.len() <= self.limits.max {
            return;
        }
        if !self.limits.prune {
            self.lost = true;
            self.entries
                .retain(|entry| matches!(entry.key, Key::Statement(_)));
            return;
        }
        let oldest = self
            .entries
            .iter()
            .position(|entry| !matches!(entry.key, Key::Statement(_)));
        let Some(oldest) = oldest.and_then(|ix| self.entries.remove(ix)) else {
            return;
        };
        // The end of a statement whose preparation is forgotten would fail.
        if let Key::Named(name) = oldest.key
            && let Some(ix) = self.entries.iter().position(|entry| {
                matches!(&entry.key, Key::Named(other) | Key::Deallocated(other) if *other == name)
            })
            && self
                .entries
                .get(ix)
                .is_some_and(|entry| matches!(entry.key, Key::Deallocated(_)))
        {
            self.entries.remove(ix);
        }
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.flag(self.lost);
        into.list(self.entries.iter(), |into, entry| {
            into.u64(entry.seq);
            entry.key.freeze(into);
            into.bytes(&entry.payload);
            into.option(entry.ok, Encoder::flag);
            into.option(entry.schema.as_deref(), Encoder::bytes);
        });
    }

    pub(crate) fn thaw(
        limits: HistoryLimits,
        from: &mut Decoder<'_>,
    ) -> Result<History, FreezeError> {
        let lost = from.flag()?;
        let entries = from.list(|from| {
            let seq = from.u64()?;
            let key = Key::thaw(from)?;
            let payload = from.bytes()?.to_vec();
            let ok = from.option(Decoder::flag)?;
            let schema = from.option(Decoder::bytes)?.map(Into::into);
            Ok(Entry {
                seq,
                key,
                payload,
                ok,
                schema,
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

    const TEXT: Key = Key::Text { again: false };

    /// Records and confirms.
    fn done(history: &mut History, seq: u64, key: Key, text: &str) {
        history.record(seq, key, text.as_bytes().to_vec(), None);
        history.confirm(seq, true, None);
    }

    fn texts(history: &History) -> Vec<String> {
        history
            .entries()
            .map(|entry| String::from_utf8_lossy(&entry.payload).into_owned())
            .collect()
    }

    fn vars(names: &[&str]) -> Key {
        Key::Variables(names.iter().map(|name| name.as_bytes().into()).collect())
    }

    fn named(name: &str) -> Key {
        Key::Named(name.as_bytes().into())
    }

    #[test]
    fn the_last_value_of_a_variable_wins() {
        let mut history = history(10, true);
        done(&mut history, 1, vars(&["a"]), "a=1");
        done(&mut history, 2, vars(&["b"]), "b=1");
        done(&mut history, 3, vars(&["a"]), "a=2");
        assert_eq!(texts(&history), ["b=1", "a=2"]);
        done(&mut history, 4, vars(&["a", "b"]), "a=3, b=3");
        assert_eq!(texts(&history), ["a=3, b=3"]);
        done(&mut history, 5, vars(&["a"]), "a=4");
        assert_eq!(texts(&history), ["a=3, b=3", "a=4"]);
    }

    #[test]
    fn a_value_that_was_refused_replaces_nothing() {
        let mut history = history(10, true);
        done(&mut history, 1, vars(&["a"]), "a=1");
        history.record(2, vars(&["a"]), b"a=bad".to_vec(), None);
        assert_eq!(texts(&history), ["a=1", "a=bad"]);
        history.confirm(2, false, None);
        assert_eq!(texts(&history), ["a=1"]);
    }

    #[test]
    fn a_command_that_is_not_understood_is_a_fence() {
        let mut history = history(10, true);
        done(&mut history, 1, vars(&["a"]), "a=1");
        done(&mut history, 2, TEXT, "b=@a");
        done(&mut history, 3, vars(&["a"]), "a=2");
        assert_eq!(texts(&history), ["a=1", "b=@a", "a=2"]);
    }

    #[test]
    fn a_statement_keeps_the_modes_it_was_prepared_under() {
        let mut history = history(10, true);
        let statement = Key::Statement(ClientStmtId(1));
        done(&mut history, 1, vars(&["sql_mode"]), "mode=1");
        done(&mut history, 2, vars(&["a"]), "a=1");
        done(&mut history, 3, statement, "prepare");
        done(&mut history, 4, vars(&["sql_mode"]), "mode=2");
        done(&mut history, 5, vars(&["a"]), "a=2");
        assert_eq!(texts(&history), ["mode=1", "prepare", "mode=2", "a=2"]);
    }

    #[test]
    fn what_counts_up_is_repeated_as_often_as_it_was_said() {
        let mut history = history(10, true);
        done(&mut history, 1, TEXT, "a=a+1");
        done(&mut history, 2, TEXT, "a=a+1");
        done(&mut history, 3, Key::Text { again: true }, "role");
        done(&mut history, 4, vars(&["b"]), "b=1");
        done(&mut history, 5, Key::Text { again: true }, "role");
        assert_eq!(texts(&history), ["a=a+1", "a=a+1", "b=1", "role"]);
    }

    #[test]
    fn a_named_statement_leaves_with_its_end() {
        let mut history = history(10, true);
        done(&mut history, 1, named("p"), "prepare p");
        done(&mut history, 2, vars(&["a"]), "a=1");
        let end = Key::Deallocated(b"p".as_slice().into());
        done(&mut history, 3, end.clone(), "deallocate p");
        assert_eq!(texts(&history), ["a=1"]);
        done(&mut history, 4, named("p"), "prepare p");
        done(&mut history, 5, TEXT, "execute p");
        done(&mut history, 6, end, "deallocate p");
        assert_eq!(history.len(), 4);
    }

    #[test]
    fn the_limit_forgets_the_end_of_a_named_statement_with_its_beginning() {
        let mut history = history(3, true);
        done(&mut history, 1, named("p"), "prepare p");
        done(&mut history, 2, TEXT, "execute p");
        done(
            &mut history,
            3,
            Key::Deallocated(b"p".as_slice().into()),
            "deallocate p",
        );
        done(&mut history, 4, TEXT, "x");
        assert_eq!(texts(&history), ["execute p", "x"]);
    }

    #[test]
    fn the_limit_prunes_the_oldest_but_never_an_open_statement() {
        let mut history = history(2, true);
        done(&mut history, 1, Key::Statement(ClientStmtId(1)), "prepare");
        for n in 2..6 {
            done(&mut history, n, TEXT, &format!("set {n}"));
        }
        assert_eq!(texts(&history), ["prepare", "set 4", "set 5"]);
        assert!(history.recoverable());
    }

    #[test]
    fn without_pruning_the_limit_gives_the_history_up() {
        let mut history = history(2, false);
        for n in 0..3 {
            done(&mut history, n, TEXT, &format!("set {n}"));
        }
        assert!(!history.recoverable());
        assert_eq!(history.len(), 0);
        history.clear();
        assert!(history.recoverable());
    }

    #[test]
    fn a_failed_prepare_leaves_no_trace_and_a_failed_set_stays() {
        let mut history = history(10, true);
        history.record(
            1,
            Key::Statement(ClientStmtId(1)),
            b"prepare".to_vec(),
            None,
        );
        history.record(2, TEXT, b"set".to_vec(), None);
        history.confirm(1, false, None);
        history.confirm(2, false, None);
        assert_eq!(texts(&history), ["set"]);
        assert_eq!(history.stored_responses(), 1);
    }

    #[test]
    fn frozen_and_thawed_it_is_the_same() {
        let mut history = history(10, true);
        history.record(1, Key::Schema, b"\x02db".to_vec(), Some(b"old"));
        history.confirm(1, true, Some(b"db"));
        done(
            &mut history,
            2,
            Key::Statement(ClientStmtId(7)),
            "\x16select 1",
        );
        done(&mut history, 3, named("s"), "\x03prepare s from 'x'");
        done(&mut history, 4, vars(&["a", "b"]), "\x03set a = 1, b = 2");
        let mut encoder = Encoder::default();
        history.freeze(&mut encoder);
        let bytes = encoder.into_bytes();
        let thawed = History::thaw(history.limits, &mut Decoder::new(&bytes)).unwrap();
        assert_eq!(thawed.entries, history.entries);
    }
}
