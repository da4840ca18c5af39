//! The session command history: what a new connection must be told before it is like the others.
//!
//! A reduced state rather than a log: where the effect of a command is understood (the schema,
//! the character set, one variable, one prepared statement), the newest command for it replaces
//! the older one. Commands that are not understood stay as they came, in order, and a replacement
//! never moves past one of them. Every entry remembers whether it succeeded, because the same
//! must happen on every connection.

mod log;

use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::ClientStmtId;
use crate::key::{Key, KeyRef};
use crate::service::HistoryLimits;
pub(crate) use log::Entry;
use log::Log;

/// All that a new connection must be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    log: Log,
    limits: HistoryLimits,
    /// Given up: the limit was passed without pruning.
    lost: bool,
    /// Those of the commands that count against the limit.
    counted: usize,
}

impl History {
    pub(crate) fn new(limits: HistoryLimits) -> History {
        History {
            limits,
            ..History::default()
        }
    }

    /// Other limits, from the next command on.
    pub(crate) fn limit(&mut self, limits: HistoryLimits) {
        self.limits = limits;
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
    pub(crate) fn record(&mut self, seq: u64, key: &Key, payload: &[u8], schema: Option<&[u8]>) {
        let is_statement = matches!(key, Key::Statement(_));
        if !self.recoverable() && !is_statement {
            return;
        }
        let schema = schema.filter(|_| key.needs_schema() || *key == Key::Schema);
        if !self.log.push(seq, key, payload, schema) {
            self.give_up();
        } else if !is_statement {
            self.counted += 1;
        }
    }

    /// More bytes of a command that is longer than what was recorded of it.
    pub(crate) fn append(&mut self, seq: u64, bytes: &[u8]) {
        if let Some(ix) = self.log.find(seq) {
            self.log.extend(ix, bytes);
        }
    }

    /// The answer to command `seq` is known, and the default database after it. A failed command
    /// that could only succeed or fail as a whole leaves no trace; any other stays, because it may
    /// have taken effect in part.
    pub(crate) fn confirm(&mut self, seq: u64, ok: bool, schema: Option<&[u8]>) {
        let Some(ix) = self.log.find(seq) else {
            return;
        };
        self.log.set_outcome(ix, ok);
        let Some(entry) = self.log.get(ix) else {
            return;
        };
        let whole = match entry.key {
            KeyRef::Schema | KeyRef::Deallocated(_) | KeyRef::Statement(_) => true,
            KeyRef::Variables(names) => names.is_one(),
            // A name that is prepared anew is gone even if that fails.
            KeyRef::Named(_) | KeyRef::Text { .. } => false,
        };
        if entry.key == KeyRef::Schema && !self.log.set_schema(ix, schema) {
            self.give_up();
            return;
        }
        if !ok && whole {
            self.remove(ix);
        } else if ok {
            self.drop_superseded(ix);
        }
        self.enforce_limit();
    }

    /// Command `seq` has not happened.
    pub(crate) fn forget(&mut self, seq: u64) {
        if let Some(ix) = self.log.find(seq) {
            self.remove(ix);
        }
    }

    /// The default database a statement was prepared under.
    pub(crate) fn schema_of(&self, id: ClientStmtId) -> Option<Box<[u8]>> {
        let entry = self.log.statement(id)?;
        entry.schema.map(Into::into)
    }

    /// A binary prepared statement was closed.
    pub(crate) fn forget_statement(&mut self, id: ClientStmtId) {
        self.log.remove_statement(id);
    }

    /// Everything is forgotten, and the session is recoverable again.
    pub(crate) fn clear(&mut self) {
        self.log.clear();
        self.counted = 0;
        self.lost = false;
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.log.iter()
    }

    /// Session commands that count against the limit.
    pub(crate) fn len(&self) -> usize {
        self.counted
    }

    /// Answers kept to compare other connections with.
    pub(crate) fn stored_responses(&self) -> usize {
        self.entries().filter(|entry| entry.ok.is_some()).count()
    }

    /// The memory it owns.
    pub(crate) fn bytes(&self) -> usize {
        self.log.capacity()
    }

    fn remove(&mut self, ix: usize) {
        if self.log.get(ix).is_some_and(|entry| counts(&entry)) {
            self.counted -= 1;
        }
        self.log.remove(ix);
    }

    /// The history is given up; prepared statements alone stay.
    fn give_up(&mut self) {
        self.lost = true;
        self.log.retain(|entry| !counts(entry));
        self.counted = 0;
    }

    /// Forgets what the command at `ix`, which succeeded, makes superfluous.
    fn drop_superseded(&mut self, ix: usize) {
        let Some(entry) = self.log.get(ix) else {
            return;
        };
        if let KeyRef::Deallocated(name) = entry.key {
            let gone = self.ended(ix, name);
            gone.into_iter().for_each(|ix| self.remove(ix));
            return;
        }
        let twin = matches!(entry.key, KeyRef::Text { again: true }) && self.limits.prune;
        let replaces = matches!(
            entry.key,
            KeyRef::Schema | KeyRef::Variables(_) | KeyRef::Named(_)
        );
        if !twin && !replaces {
            return;
        }
        // None that stands before something that may depend on it.
        let superfluous = |older: &Entry<'_>| {
            twin && older.payload == entry.payload && older.rest == entry.rest
                || replaces && older.ok == Some(true) && entry.key.covers(&older.key)
        };
        let gone: Vec<usize> = self
            .log
            .before(ix)
            .take_while(|(_, older)| superfluous(older) || !older.key.depends_on(&entry.key))
            .filter(|(_, older)| superfluous(older))
            .map(|(ix, _)| ix)
            .collect();
        gone.into_iter().for_each(|ix| self.remove(ix));
    }

    /// What is superfluous when the command at `ix` has ended the named statement, the youngest
    /// first: neither its preparation nor its end needs to be repeated, unless something between
    /// the two may have executed it.
    fn ended(&self, ix: usize, name: &[u8]) -> Vec<usize> {
        let is_named =
            |entry: &Entry<'_>| matches!(entry.key, KeyRef::Named(other) if other == name);
        let mut gone = vec![ix];
        let mut opaque = false;
        for (ix, entry) in self.log.before(ix) {
            opaque |= matches!(entry.key, KeyRef::Text { .. });
            if is_named(&entry) {
                if opaque {
                    return Vec::new();
                }
                gone.push(ix);
            }
        }
        gone
    }

    fn enforce_limit(&mut self) {
        if self.limits.disabled || self.len() <= self.limits.max {
            return;
        }
        if !self.limits.prune {
            self.give_up();
            return;
        }
        let Some((oldest, _)) = self.log.places().find(|(_, entry)| counts(entry)) else {
            return;
        };
        let end = self.end_of_named(oldest);
        // The end of a statement whose preparation is forgotten would fail.
        if let Some(end) = end {
            self.remove(end);
        }
        self.remove(oldest);
    }

    /// The command at `ix` prepares a named statement: the next that names it, if that is its end.
    fn end_of_named(&self, ix: usize) -> Option<usize> {
        let KeyRef::Named(name) = self.log.get(ix)?.key else {
            return None;
        };
        let names = |entry: &Entry<'_>| matches!(entry.key, KeyRef::Named(other) | KeyRef::Deallocated(other) if other == name);
        let (next, entry) = self
            .log
            .places()
            .skip_while(|(place, _)| *place <= ix)
            .find(|(_, entry)| names(entry))?;
        matches!(entry.key, KeyRef::Deallocated(_)).then_some(next)
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.flag(self.lost);
        into.list(
            self.entries().collect::<Vec<_>>().into_iter(),
            |into, entry| {
                into.u64(entry.seq);
                entry.key.owned().freeze(into);
                into.bytes(&[entry.payload, &entry.rest.concat()].concat());
                into.option(entry.ok, Encoder::flag);
                into.option(entry.schema, Encoder::bytes);
            },
        );
    }

    pub(crate) fn thaw(
        limits: HistoryLimits,
        from: &mut Decoder<'_>,
    ) -> Result<History, FreezeError> {
        let mut history = History::new(limits);
        let lost = from.flag()?;
        from.list(|from| {
            let seq = from.u64()?;
            let key = Key::thaw(from)?;
            let payload = from.bytes()?;
            let ok = from.option(Decoder::flag)?;
            let schema = from.option(Decoder::bytes)?;
            if !key.is_short() || !history.log.push(seq, &key, payload, schema) {
                return Err(FreezeError::Value {
                    what: "the length of a history's command",
                    value: payload.len() as u64,
                });
            }
            if let Some(ok) = ok {
                history.log.set_outcome(history.log.len() - 1, ok);
            }
            Ok(())
        })?;
        history.counted = history.entries().filter(counts).count();
        history.lost = lost;
        Ok(history)
    }
}

/// Does it count against the limit?
fn counts(entry: &Entry<'_>) -> bool {
    !matches!(entry.key, KeyRef::Statement(_))
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
        history.record(seq, &key, text.as_bytes(), None);
        history.confirm(seq, true, None);
    }

    fn texts(history: &History) -> Vec<String> {
        history
            .entries()
            .map(|entry| [entry.payload, &entry.rest.concat()].concat())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
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
        history.record(2, &vars(&["a"]), b"a=bad", None);
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
        history.record(1, &Key::Statement(ClientStmtId(1)), b"prepare", None);
        history.record(2, &TEXT, b"set", None);
        history.confirm(1, false, None);
        history.confirm(2, false, None);
        assert_eq!(texts(&history), ["set"]);
        assert_eq!(history.stored_responses(), 1);
    }

    #[test]
    fn a_long_history_takes_little_more_than_its_text() {
        let mut history = history(2000, true);
        let mut text = 0;
        for number in 0..1000 {
            let name = format!("@variable_{number}");
            let command = format!("\x03SET {name} = '{}'", "x".repeat(80));
            text += command.len();
            done(&mut history, number, vars(&[&name]), &command);
        }
        assert_eq!(history.len(), 1000);
        let bytes = history.bytes();
        assert!(bytes * 10 <= text * 13, "{bytes} bytes for {text}");
    }

    #[test]
    fn numbers_are_told_apart_beyond_four_thousand_millions() {
        let mut history = history(10, true);
        let base = u64::from(u32::MAX) - 1;
        for number in 0..4 {
            done(&mut history, base + number, TEXT, &format!("set {number}"));
        }
        let numbers: Vec<u64> = history.entries().map(|entry| entry.seq - base).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
    }

    #[test]
    fn a_command_grows_where_it_stands() {
        let mut history = history(10, true);
        history.record(1, &TEXT, b"set a", Some(b"db"));
        history.record(2, &named("p"), b"prepare p", Some(b"other"));
        history.append(1, b" = 1");
        history.confirm(1, true, Some(b"db"));
        assert_eq!(texts(&history), ["set a = 1", "prepare p"]);
        let entries: Vec<_> = history.entries().collect();
        assert_eq!(entries[0].schema, Some(b"db".as_slice()));
        assert_eq!(entries[0].ok, Some(true));
        assert_eq!(entries[1].schema, Some(b"other".as_slice()));
        assert_eq!(entries[1].ok, None);
    }

    #[test]
    fn a_long_command_is_kept_whole_and_costs_its_bytes() {
        let mut history = history(10, true);
        let (head, more) = ("a".repeat(100_000), "b".repeat(1000));
        history.record(1, &TEXT, head.as_bytes(), None);
        history.record(2, &TEXT, b"c", None);
        for _ in 0..10_000 {
            history.append(1, more.as_bytes());
        }
        history.append(2, b"d");
        assert!(history.bytes() < 10_100_000 + 256 * 1024);
        assert!(texts(&history) == [head + &more.repeat(10_000), "cd".to_owned()]);
        history.forget(1);
        assert!(history.bytes() < 256 * 1024);
        assert_eq!(texts(&history), ["cd"]);
    }

    #[test]
    fn frozen_and_thawed_it_is_the_same() {
        let mut history = history(10, true);
        history.record(1, &Key::Schema, b"\x02db", Some(b"old"));
        history.confirm(1, true, Some(b"db"));
        done(
            &mut history,
            2,
            Key::Statement(ClientStmtId(7)),
            "\x16select 1",
        );
        done(&mut history, 3, named("s"), "\x03prepare s from 'x'");
        done(&mut history, 4, vars(&["a", "b"]), "\x03set a = 1, b = 2");
        done(&mut history, 5, TEXT, &"long".repeat(100_000));
        let mut encoder = Encoder::default();
        history.freeze(&mut encoder);
        let bytes = encoder.into_bytes();
        let thawed = History::thaw(history.limits, &mut Decoder::new(&bytes)).unwrap();
        assert!(thawed.entries().eq(history.entries()));
        assert_eq!(thawed.len(), history.len());
    }
}
