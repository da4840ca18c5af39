//! What is recorded of the open transaction, and when the record ends, restarts or stops.
//!
//! The record follows the transaction tracker: it begins with the statement that opens a
//! transaction and ends when the tracker says that none is open. It stops, until then, as soon as
//! the transaction cannot be repeated faithfully: it is too long, it ran something that may commit
//! unseen, or a server may have undone it in part.

use tidegate_sql::{Operation, Statement, TrxTracker, TypeMask};
use tidegate_wire::reply::{Kind, Summary};
use tidegate_wire::{Command, Rewrite, Shape, Status};

use super::Checksum;
use super::bearing::{Bearing, bearing};
use super::errors::{Meaning, meaning};
use super::store::{Full, Marks, Store};
use crate::dispatch::{Body, Order};
use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::history::History;
use crate::ids::{BackendId, ClientStmtId};
use crate::key::Key;
use crate::output::Level;
use crate::route::Leaves;
use crate::session::{Cx, Session};
use crate::ticket::Ticket;

/// What a command's answer is to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Part {
    /// Nothing.
    #[default]
    None,
    /// It is the answer to the record's open statement.
    Recorded,
    /// It is compared with the record, and the client does not see it.
    Repeated,
}

/// The statement that is not answered yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Current {
    pub(super) bearing: Bearing,
    /// What was known of the transaction before it.
    before: TrxTracker,
    /// It sets the session's state.
    session: bool,
    /// It is a part of the transaction: something that is only asked in passing is not.
    keep: bool,
}

/// The session's state before the transaction changed it.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) history: History,
    pub(super) database: Option<Vec<u8>>,
    pub(super) modes: tidegate_sql::Modes,
    pub(super) caps: tidegate_wire::Caps,
}

/// The record of the open transaction.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(super) store: Store,
    /// The transaction cannot be repeated.
    pub(super) stopped: bool,
    /// What was known of the transaction before its first statement.
    pub(super) before: TrxTracker,
    pub(super) current: Option<Current>,
    /// Where it runs.
    pub(super) on: Option<BackendId>,
    /// The server has said that a transaction is open.
    in_trans: bool,
    /// Prepared statements that were executed, in order.
    executed: Vec<ClientStmtId>,
    /// Those among them that the client has closed: they are kept as long as the record.
    pub(super) closed: Vec<ClientStmtId>,
    /// Prepared statements of which long data are recorded.
    pub(super) long_data: Vec<ClientStmtId>,
    /// Set when the transaction first changes the session's state.
    pub(super) snapshot: Option<Box<Snapshot>>,
}

impl Record {
    /// The record of a transaction that begins now.
    fn restart(&mut self, before: TrxTracker) {
        self.forget();
        self.stopped = false;
        self.before = before;
        self.on = None;
        self.in_trans = false;
    }

    fn forget(&mut self) {
        self.store.clear();
        self.executed.clear();
        self.long_data.clear();
        self.snapshot = None;
    }

    /// A cursor that was opened before the transaction is none of it, nor are long data that were sent
    /// before.
    fn knows_cursor(&self, order: &Order) -> bool {
        let executed = |id| self.executed.contains(&id);
        match order.command {
            Command::StmtFetch => order.stmt.is_some_and(executed),
            Command::StmtReset => order
                .stmt
                .is_some_and(|id| executed(id) || self.long_data.contains(&id)),
            _ => true,
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.store.memory() + self.snapshot.as_ref().map_or(0, |old| old.history.bytes())
    }

    pub(super) fn freeze(&self, into: &mut Encoder) {
        into.flag(self.stopped);
        into.u16(self.before.to_bits());
        into.option(self.on, |into, id| into.u16(id.0));
        into.flag(self.in_trans);
        for list in [&self.executed, &self.closed, &self.long_data] {
            into.list(list.iter(), |into, id| into.u32(id.0));
        }
        self.store.freeze(into);
        into.option(self.snapshot.as_deref(), |into, old| {
            old.history.freeze(into);
            into.option(old.database.as_deref(), Encoder::bytes);
            crate::thaw::freeze_modes(old.modes, into);
            into.u64(old.caps.bits());
        });
    }

    pub(super) fn thaw(
        limits: crate::service::HistoryLimits,
        from: &mut Decoder<'_>,
    ) -> Result<Record, FreezeError> {
        let id = |from: &mut Decoder<'_>| from.u32().map(ClientStmtId);
        Ok(Record {
            stopped: from.flag()?,
            before: TrxTracker::from_bits(from.u16()?),
            on: from.option(Decoder::u16)?.map(BackendId),
            in_trans: from.flag()?,
            executed: from.list(id)?,
            closed: from.list(id)?,
            long_data: from.list(id)?,
            store: Store::thaw(from)?,
            snapshot: from.option(|from| {
                Ok(Box::new(Snapshot {
                    history: History::thaw(limits, from)?,
                    database: from.option(Decoder::bytes)?.map(<[u8]>::to_vec),
                    modes: crate::thaw::thaw_modes(from)?,
                    caps: tidegate_wire::Caps::from_bits(from.u64()?),
                }))
            })?,
            current: None,
        })
    }
}

impl Session {
    /// A command is about to be sent: takes down what a replay of its transaction would need.
    pub(crate) fn take_down(
        &mut self,
        body: &Body<'_>,
        statement: Option<&Statement>,
        order: &mut Order,
        leaves: &Leaves,
        cx: &mut Cx<'_>,
    ) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        if let Some(run) = &mut replay.run {
            if !leaves.all {
                replay.record.on = leaves.answer;
            }
            order.part = run.sends();
            return;
        }
        let head;
        let mut statement = statement.filter(|_| order.executes());
        if statement.is_some() && order.command == Command::Query && !body.is_whole() {
            // That it breaks off is no fault of the text; the whole is looked at when it is there.
            let text = body.payload().get(1..).unwrap_or_default();
            head = tidegate_sql::classify_head(text, self.modes);
            statement = Some(&head);
        }
        let before = if order.predicted {
            self.trx.rewound()
        } else {
            self.trx
        };
        let bearing = bearing(statement, &before);
        // A cursor may be on another connection, where it was opened before the transaction.
        let elsewhere = order.command == Command::StmtFetch && replay.record.on != leaves.answer;
        if elsewhere || !self.belongs(&before, bearing, cx) {
            return;
        }
        if order.shape == Shape::Nothing {
            self.take_down_silent(body, order, cx);
            return;
        }
        order.part = Part::Recorded;
        let session = order.seq.is_some();
        let Some(replay) = &mut self.replay else {
            return;
        };
        replay.digest.clear();
        replay.record.current = Some(Current {
            bearing,
            before,
            session,
            keep: is_kept(order.command) && replay.record.knows_cursor(order),
        });
        if !leaves.all {
            replay.record.on = leaves.answer;
        }
        if replay.record.stopped {
            return;
        }
        if bearing == Bearing::Opaque
            || loads(statement)
            || order.command == Command::ResetConnection
        {
            self.stop_record("it runs what may commit or undo it unseen", cx);
        } else if !self.keeps_state(order) {
            self.stop_record(
                "it changes the session's state in a way that cannot be undone",
                cx,
            );
        } else if !self.has_long_data_of(order) {
            self.stop_record("it needs data that were sent before it began", cx);
        } else {
            self.store_statement(body, statement, order, cx);
        }
    }

    /// Is the command one of the open transaction's? Begins a new record where a new transaction
    /// begins.
    fn belongs(&mut self, before: &TrxTracker, bearing: Bearing, cx: &mut Cx<'_>) -> bool {
        let Some(replay) = &self.replay else {
            return false;
        };
        let empty = replay.record.store.is_empty();
        // SET TRANSACTION stands in front of the transaction it is meant for.
        let announced = before.is_next_pending() && bearing == Bearing::Begins && !empty;
        let continues = before.is_open() || announced;
        if !continues {
            self.restart_record(*before, cx);
        } else if empty && let Some(replay) = &mut self.replay {
            replay.record.before = *before;
        }
        continues || self.trx.is_open() || self.trx.is_next_pending()
    }

    /// A command without an answer: long data are a part of the transaction.
    fn take_down_silent(&mut self, body: &Body<'_>, order: &mut Order, cx: &mut Cx<'_>) {
        let (Command::StmtSendLongData, Some(id)) = (order.command, order.stmt) else {
            return;
        };
        let Some(replay) = &mut self.replay else {
            return;
        };
        if replay.record.stopped {
            return;
        }
        let before = !replay.record.long_data.contains(&id) && self.has_long_data(Some(id));
        if before {
            self.stop_record("not all of its long data can be recorded", cx);
            return;
        }
        let Some(replay) = &mut self.replay else {
            return;
        };
        let payload = body.payload();
        let limit = replay.rules.max_bytes;
        let store = &mut replay.record.store;
        if store
            .begin(payload, body.announced_len(), Marks::SILENT, limit)
            .is_err()
        {
            self.exceeded(cx);
            return;
        }
        if body.is_whole() {
            store.end(0);
        } else {
            order.part = Part::Recorded;
        }
        if !replay.record.long_data.contains(&id) {
            replay.record.long_data.push(id);
        }
    }

    /// Can the session's state be put back to what it is now? Remembers it if the command is the
    /// first of the transaction to change it.
    fn keeps_state(&mut self, order: &Order) -> bool {
        let Some(replay) = &mut self.replay else {
            return true;
        };
        let record = &mut replay.record;
        let Some((key, _)) = &order.record else {
            return true;
        };
        if order.seq.is_none() || record.store.is_empty() {
            return true;
        }
        if matches!(key, Key::Statement(_)) {
            // Prepared after a change that may decide what it means.
            return record.snapshot.is_none();
        }
        if !self.history.recoverable() {
            return false;
        }
        record.snapshot.get_or_insert_with(|| {
            Box::new(Snapshot {
                history: self.history.clone(),
                database: self.client.database.clone(),
                modes: self.modes,
                caps: self.client.caps,
            })
        });
        true
    }

    /// Are the long data that the execution needs on record, if it needs any?
    fn has_long_data_of(&mut self, order: &Order) -> bool {
        let Some(id) = order.stmt.filter(|_| {
            matches!(
                order.command,
                Command::StmtExecute | Command::StmtBulkExecute
            )
        }) else {
            return true;
        };
        let needs = self.has_long_data(Some(id));
        let Some(replay) = &mut self.replay else {
            return true;
        };
        let record = &mut replay.record;
        if !record.executed.contains(&id) {
            record.executed.push(id);
        }
        !needs || record.long_data.contains(&id)
    }

    /// Puts the statement behind the others, in the terms of a connection that knows nothing of it.
    fn store_statement(
        &mut self,
        body: &Body<'_>,
        statement: Option<&Statement>,
        order: &Order,
        cx: &mut Cx<'_>,
    ) {
        let mut own = None;
        if let Some(id) = order.stmt.filter(|_| order.command != Command::StmtPrepare) {
            own = self.self_contained(body, id);
        }
        let Some(replay) = &mut self.replay else {
            return;
        };
        let asks_value =
            statement.is_some_and(|statement| statement.mask.contains(TypeMask::MASTER_READ));
        let mut marks = Marks::default();
        if asks_value && replay.rules.checksum == Checksum::NoInsertId {
            marks = marks.with(Marks::INCOMPARABLE);
        }
        let payload = own.as_deref().unwrap_or_else(|| body.payload());
        let to_come = body.announced_len().saturating_sub(body.payload().len());
        let len = payload.len().saturating_add(to_come);
        let limit = replay.rules.max_bytes;
        match replay.record.store.begin(payload, len, marks, limit) {
            Ok(()) => {}
            Err(Full) => self.exceeded(cx),
        }
    }

    /// A COM_STMT command with the statement's own id, and an execution with its parameters' types.
    fn self_contained(&self, body: &Body<'_>, id: ClientStmtId) -> Option<Vec<u8>> {
        let payload = body.payload();
        let named = tidegate_wire::stmt::stmt_id(payload).map(ClientStmtId);
        let prepared = self.stmts.get(id)?;
        let mut own = Vec::new();
        let untyped = prepared.types_version > 0
            && tidegate_wire::stmt::types_of(payload, prepared.params).is_none();
        let inserted = untyped
            && tidegate_wire::stmt::insert_types(
                payload,
                prepared.params,
                &prepared.types,
                &mut own,
            ) == Ok(Rewrite::Written);
        if !inserted {
            if named == Some(id) {
                return None;
            }
            own = payload.to_vec();
        }
        // Too short a payload has no id to replace; the server will say so.
        let _ = tidegate_wire::stmt::set_stmt_id(&mut own, id.0);
        Some(own)
    }

    /// The record is as long as the rules allow.
    fn exceeded(&mut self, cx: &mut Cx<'_>) {
        self.counters.trx_max_size_exceeded.add(1);
        self.stop_record("it is longer than transaction_replay_max_size", cx);
    }

    /// The open transaction cannot be repeated.
    pub(super) fn stop_record(&mut self, why: &str, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        if replay.record.stopped {
            return;
        }
        replay.record.forget();
        replay.record.stopped = true;
        self.let_go_closed(cx);
        self.log(Level::Info, cx, || {
            format!("the open transaction could not be repeated if its server were lost: {why}")
        });
    }

    /// Whatever was open is over.
    pub(crate) fn restart_record(&mut self, before: TrxTracker, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        replay.record.restart(before);
        self.let_go_closed(cx);
    }

    /// Statements that the client has closed were kept for the transaction alone.
    fn let_go_closed(&mut self, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        for id in std::mem::take(&mut replay.record.closed) {
            self.stmts.remove(id);
            self.close_on_servers(id, cx);
        }
    }

    /// The client closes a statement. `true`: it is kept, because the record executes it or has long
    /// data of it, which would meet no statement when they are repeated.
    pub(crate) fn keep_closed(&mut self, id: ClientStmtId) -> bool {
        let Some(replay) = &mut self.replay else {
            return false;
        };
        let record = &mut replay.record;
        let needed = record.executed.contains(&id) || record.long_data.contains(&id);
        if !needed || record.closed.contains(&id) {
            return false;
        }
        let schema = self.history.schema_of(id);
        let kept = self.stmts.close(id, schema);
        if kept {
            record.closed.push(id);
        }
        kept
    }

    /// More bytes of the statement whose first part was taken down.
    pub(crate) fn take_down_rest(&mut self, bytes: &[u8]) {
        if let Some(replay) = &mut self.replay {
            replay.record.store.append(bytes);
        }
    }

    /// All of the statement has come, of which the first part was taken down: no server can have
    /// executed it before. Its beginning may have hidden what it does.
    pub(crate) fn taken_down(&mut self, answered: bool, cx: &mut Cx<'_>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        if !answered {
            replay.record.store.end(0);
            return;
        }
        let record = &mut replay.record;
        let (Some(current), Some(payload)) = (&mut record.current, record.store.open_payload())
        else {
            return;
        };
        let Some((&command, text)) = payload.split_first() else {
            return;
        };
        if command != Command::Query.byte() {
            return;
        }
        let statement = tidegate_sql::classify(text, self.modes);
        current.bearing = bearing(Some(&statement), &current.before);
        let hides = current.bearing == Bearing::Opaque || loads(Some(&statement));
        if hides && replay.run.is_none() {
            self.stop_record("it runs what may commit or undo it unseen", cx);
        }
    }

    /// The record's open statement is answered. `last`: its last packet's payload.
    pub(crate) fn note_answer(
        &mut self,
        ticket: &Ticket,
        summary: &Summary,
        last: &[u8],
        cx: &mut Cx<'_>,
    ) {
        let tells = self.reports_status(ticket.command);
        let trx = self.trx;
        self.replay_completed();
        let Some(replay) = &mut self.replay else {
            return;
        };
        let hash = replay.digest.value();
        replay.digest.clear();
        let Some(current) = replay.record.current.take() else {
            return;
        };
        let ok = summary.kind != Kind::Err;
        let mut over = !trx.is_open() && !trx.is_next_pending();
        if ok && tells {
            let now = summary.status.contains(Status::IN_TRANS);
            let was = std::mem::replace(&mut replay.record.in_trans, now);
            over |= was && !now;
        }
        match current.bearing {
            Bearing::Commits { begins: true, .. } if ok => {
                let opening = replay.record.store.open_payload().map(<[u8]>::to_vec);
                let on = replay.record.on;
                self.restart_record(trx.outside(), cx);
                self.record_opening(opening, on, hash, cx);
                return;
            }
            // With autocommit off the next statement opens another.
            Bearing::Commits { .. } | Bearing::RollsBack if ok && !trx.autocommit() => over = true,
            Bearing::Commits { .. } | Bearing::RollsBack if ok && over => {}
            Bearing::Commits { .. } | Bearing::RollsBack => {
                self.stop_record("it is not known how much of it was undone", cx);
            }
            // One that was only seen whole when its server was lost.
            Bearing::Opaque => self.stop_record("it ran what may commit or undo it unseen", cx),
            Bearing::Inside | Bearing::Begins => {}
        }
        if over {
            self.restart_record(trx, cx);
            return;
        }
        let meaning = if ok { Meaning::Plain } else { meaning(last) };
        if matches!(meaning, Meaning::Undone | Meaning::Doubtful) {
            self.stop_record("an error has undone it, at least in part", cx);
        }
        // A server that takes no part has not executed it.
        let executed = meaning != Meaning::Leaving;
        let Some(replay) = &mut self.replay else {
            return;
        };
        let record = &mut replay.record;
        if current.keep && executed && !(current.session && record.store.is_empty()) {
            record.store.end(hash);
        } else {
            record.store.abandon();
            if record.store.is_empty() {
                // What came before the first statement is not of the transaction.
                record.before = trx;
            }
        }
    }

    /// The record of a transaction whose opening statement has ended another.
    fn record_opening(
        &mut self,
        payload: Option<Vec<u8>>,
        on: Option<BackendId>,
        hash: u128,
        cx: &mut Cx<'_>,
    ) {
        if let Some(replay) = &mut self.replay {
            replay.record.on = on;
        }
        let Some(payload) = payload else {
            self.stop_record("its beginning was not recorded", cx);
            return;
        };
        let Some(replay) = &mut self.replay else {
            return;
        };
        let limit = replay.rules.max_bytes;
        let record = &mut replay.record;
        record.in_trans = true;
        match record
            .store
            .begin(&payload, payload.len(), Marks::default(), limit)
        {
            Ok(()) => record.store.end(hash),
            Err(Full) => self.exceeded(cx),
        }
    }
}

/// Does it load a file of the client's?
fn loads(statement: Option<&Statement>) -> bool {
    statement.is_some_and(|statement| statement.operation == Operation::LoadLocal)
}

/// What repeating must do again. What is asked in passing is not repeated, and what is prepared is
/// in the history.
fn is_kept(command: Command) -> bool {
    matches!(
        command,
        Command::Query
            | Command::StmtExecute
            | Command::StmtBulkExecute
            | Command::StmtFetch
            | Command::StmtReset
            | Command::InitDb
            | Command::SetOption
    )
}
