//! Sending a command on: the ticket it gets, its place in the history, statement ids and parameter
//! types as each connection knows them.

use std::borrow::Cow;
use std::sync::Arc;

use tidegate_sql::{SessionEffect, Statement, TrxEffect, TypeMask};
use tidegate_wire::frame::{Header, frame_into};
use tidegate_wire::{Command, Rewrite, Shape};

use crate::backend::{About, Owed, OwedTo};
use crate::commands::Found;
use crate::digests::Place;
use crate::ids::{BackendId, ClientStmtId, Side};
use crate::key::{self, Key};
use crate::replay::Part;
use crate::request::Request;
use crate::reuse;
use crate::route::Leaves;
use crate::session::{Cx, Session};
use crate::stmts::{Prepared, PreparedText};
use crate::ticket::{Stream, Then, Ticket};
use crate::time::Instant;
use crate::waiting::Prefix;

/// The longest statement that is kept so that it can be sent again.
pub(crate) const MAX_RETRY_BYTES: usize = 64 * 1024;

/// Where a command's bytes are.
#[derive(Debug)]
pub(crate) enum Body<'r> {
    /// In the client's run.
    Run { run: &'r mut [u8], found: Found },
    /// Here, whole, without headers.
    Own { command: Command, payload: Vec<u8> },
}

impl Body<'_> {
    pub(crate) fn command(&self) -> Command {
        match self {
            Body::Run { found, .. } => found.command,
            Body::Own { command, .. } => *command,
        }
    }

    /// The payload as far as it is there.
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Body::Run { run, found } => run.get(found.payload()).unwrap_or_default(),
            Body::Own { payload, .. } => payload,
        }
    }

    /// How long the payload will be, as far as its first frame says.
    pub(crate) fn announced_len(&self) -> usize {
        match self {
            Body::Run { found, .. } if found.header.continues() => usize::MAX,
            Body::Run { found, .. } => found.header.len as usize,
            Body::Own { payload, .. } => payload.len(),
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Body::Run { found, .. } => found.whole,
            Body::Own { .. } => true,
        }
    }

    /// The length of the payload, or of its first frame if it has several.
    fn frame_len(&self) -> usize {
        match self {
            Body::Run { found, .. } => found.header.len as usize,
            Body::Own { payload, .. } => payload.len(),
        }
    }
}

/// What sending a command means for the session, decided before its bytes are touched.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) command: Command,
    pub(crate) shape: Shape,
    pub(crate) stmt: Option<ClientStmtId>,
    /// The number of the session command.
    pub(crate) seq: Option<u64>,
    /// Its place in the history, and what is repeated if not the command itself.
    pub(crate) record: Option<(Key, Option<Vec<u8>>)>,
    retry: bool,
    /// It is kept for the case that the server refuses to execute it.
    kept: bool,
    /// It is kept because it is a session command that may be issued anew.
    anew: bool,
    /// When it was first put off.
    pub(crate) since: Option<Instant>,
    /// What it does to the transaction was predicted.
    pub(crate) predicted: bool,
    /// It sets what servers report, and so takes back what the proxy wants reported.
    retracks: bool,
    /// Where it is counted by its text.
    pub(crate) digest: Option<Place>,
    /// What its answer is to the record of the open transaction.
    pub(crate) part: Part,
    then: Then,
}

impl Order {
    /// What a connection owes that gets it.
    fn owed(&self, to: OwedTo) -> Owed {
        let about = match (self.command, self.stmt) {
            (Command::StmtPrepare, Some(stmt)) => About::Preparing(stmt),
            (Command::StmtExecute | Command::StmtBulkExecute, Some(stmt))
                if to != OwedTo::Client =>
            {
                About::Executing(stmt)
            }
            _ => About::Else,
        };
        Owed { to, about }
    }

    /// Does the command run a statement, instead of preparing it?
    pub(crate) fn executes(&self) -> bool {
        executes(self.command)
    }
}

fn executes(command: Command) -> bool {
    matches!(
        command,
        Command::Query | Command::StmtExecute | Command::StmtBulkExecute
    )
}

impl Session {
    /// Decides what the command means for the session, and predicts the transaction.
    pub(crate) fn order(
        &mut self,
        request: &Request<'_>,
        name: Option<u64>,
        leaves: &Leaves,
    ) -> Order {
        let Request {
            command,
            payload,
            complete,
            ..
        } = *request;
        let mut order = Order {
            command,
            shape: command.reply_shape(),
            stmt: request.prepared,
            seq: None,
            record: None,
            retry: leaves.retry
                && !self.has_long_data(request.prepared)
                && complete
                && payload.len() <= MAX_RETRY_BYTES
                && self.tickets.is_empty(),
            kept: self.needs.keeps
                && !leaves.all
                && !self.has_long_data(request.prepared)
                && complete
                && payload.len() <= MAX_RETRY_BYTES
                && self.tickets.is_empty(),
            anew: self.may_be_issued_anew(request, leaves),
            since: None,
            predicted: false,
            retracks: false,
            digest: None,
            part: Part::None,
            then: Then::Nothing,
        };
        if self.lending.is_some() {
            self.note_lender(request);
        }
        if let Some(statement) = request.statement
            && executes(command)
        {
            order.predicted = true;
            let was_open = self.trx.is_open();
            self.trx.predict(statement);
            // A router may have kept a connection for the transaction alone.
            if was_open && !self.trx.is_open() {
                self.look_for_spare.set(true);
            }
            if !statement.inert {
                order.then = self.consequence(request, statement);
            }
        }
        match command {
            Command::StmtPrepare if self.needs.history => {
                self.order_prepare(request, name, leaves.all, &mut order);
            }
            Command::InitDb => {
                order.then = Then::Database(payload.get(1..).unwrap_or_default().into());
            }
            Command::SetOption => {
                let off = payload.get(1..3) == Some(&[1, 0]);
                order.then = Then::MultiStatements(!off);
            }
            Command::ResetConnection => order.then = Then::Reset,
            _ => {}
        }
        if leaves.all {
            self.last_seq += 1;
            order.seq = Some(self.last_seq);
            order.retracks = self.needs.history && crate::setup::is_undone_by(request.statement);
            self.client.wishes.follow(request.statement);
            if self.needs.history && order.record.is_none() {
                order.record = key::of(command, payload, complete, request.text, request.statement);
            }
        }
        order
    }

    /// Was a part of the statement's parameters sent before it?
    pub(crate) fn has_long_data(&self, id: Option<ClientStmtId>) -> bool {
        id.and_then(|id| self.stmts.get(id))
            .is_some_and(|prepared| prepared.long_data_on.is_some())
    }

    fn order_prepare(
        &mut self,
        request: &Request<'_>,
        name: Option<u64>,
        everywhere: bool,
        order: &mut Order,
    ) {
        let id = match self.number_given() {
            Some(id) => id,
            None => self.stmts.next_id(),
        };
        order.stmt = Some(id);
        order.record = Some((Key::Statement(id), None));
        let statement = request.statement.cloned().unwrap_or_default();
        order.then = Then::Prepared(Box::new(Prepared {
            id,
            prepared: Arc::new(PreparedText {
                text: request.text.into(),
                statement,
                digest: name,
            }),
            params: 0,
            columns: 0,
            types: Vec::new(),
            types_version: 0,
            long_data_on: None,
            long_data_lost: false,
            executed_on: None,
            closed: None,
            answer: self.answer_to_keep(request, everywhere),
            has_cursor: false,
            held: None,
        }));
    }

    /// What a statement's success changes here.
    fn consequence(&self, request: &Request<'_>, statement: &Statement) -> Then {
        match &statement.effect {
            _ if statement.changes_accounts() => Then::Accounts,
            _ if statement.mask.contains(TypeMask::NEXT_TRX) => self.next_transaction(request),
            _ if releases(statement) => Then::Release,
            Some(SessionEffect::Use(name)) => Then::Database(name.clone()),
            effect if statement.multi || matches!(effect, Some(SessionEffect::Set(_))) => {
                let modes = self.modes.after(statement);
                if modes == self.modes {
                    Then::Nothing
                } else {
                    Then::Modes(modes)
                }
            }
            _ => Then::Nothing,
        }
    }

    /// Sends the command to everybody who gets it, and takes note of what is owed.
    pub(crate) fn dispatch(
        &mut self,
        body: &mut Body<'_>,
        order: Order,
        leaves: &Leaves,
        cx: &mut Cx<'_>,
    ) {
        let Some(answer) = leaves.answer else { return };
        self.uses += 1;
        if leaves.all || order.command == Command::StmtClose {
            self.lent_grow_stale();
        }
        // The client knows nothing of a statement that is repeated.
        let own = self.is_repeating();
        if !own {
            if order.shape == Shape::Nothing {
                self.passed.clear();
            } else {
                self.has_passed();
            }
            self.note_received(body, cx);
            self.note_route(body, answer, &leaves.others, cx);
        }
        self.note_execution(body, &order, answer);
        if order.retry || order.kept || order.anew || leaves.wait.is_some() {
            self.retry.clear();
            self.retry.extend_from_slice(body.payload());
        }
        if let (Some((key, repeated)), Some(seq)) = (&order.record, order.seq) {
            let payload = repeated.as_deref().unwrap_or_else(|| body.payload());
            let schema = self.client.database.as_deref();
            self.history.record(seq, key, payload, schema);
            if self.needs.reuses && reuse::may_be_decisive(key) {
                self.stmts.turn_stale();
            }
        }
        let alone = leaves.others.is_empty();
        match &leaves.wait {
            Some(wait) => {
                let lends = !self.takes_several();
                if lends {
                    self.set_several(answer, true, cx);
                }
                let owed = order.owed(OwedTo::Client);
                self.note_sent(answer, order.shape, body.frame_len(), owed, cx);
                self.write_prefixed(answer, body, wait, cx);
                if lends {
                    self.set_several(answer, false, cx);
                }
            }
            None => self.write_to(answer, body, &order, alone, OwedTo::Client, cx),
        }
        for other in &leaves.others {
            let to = OwedTo::Compare {
                seq: order.seq.unwrap_or_default(),
            };
            self.write_to(*other, body, &order, false, to, cx);
        }
        if order.retracks {
            for id in std::iter::once(answer).chain(leaves.others.iter().copied()) {
                self.send_setup(id, cx);
            }
        }
        self.follow_rest(body, &order, answer, leaves);
        if order.command == Command::StmtClose {
            self.forget_statement(order.stmt);
        }
        if order.shape == Shape::Nothing {
            self.counters.queries.add(1);
            if !own {
                self.observe.completed(cx.wall, None);
            }
            return;
        }
        if let Some(seq) = order.seq {
            self.verdicts.open(seq, leaves.others.len());
        }
        let ticket = Ticket {
            stmt: order.stmt,
            seq: order.seq,
            retry: order.retry,
            kept: order.kept,
            anew: order.anew,
            since: order.since.unwrap_or(cx.now),
            predicted: order.predicted,
            counted: self.counted.get(),
            digest: order.digest,
            part: order.part,
            prefix: leaves.wait.as_ref().map(|_| Prefix::new()),
            then: order.then,
            ..Ticket::new(order.command, answer, cx.now)
        };
        self.issue(ticket);
    }

    /// The client waits for an answer.
    #[inline]
    pub(crate) fn issue(&mut self, ticket: Ticket) {
        self.counters.queries.add(1);
        self.counters.operations.add(1);
        self.tickets.push_back(ticket);
    }

    /// The command at the head is on its way, or answered: what it has passed becomes that of the
    /// newest command.
    #[inline]
    pub(crate) fn has_passed(&mut self) {
        if self.passed.is_empty() && self.passed_by_newest.is_empty() {
            self.sent_again = false;
            return;
        }
        std::mem::swap(&mut self.passed, &mut self.passed_by_newest);
        // A command that is sent again went before one that may have passed filters already.
        if !std::mem::take(&mut self.sent_again) {
            self.passed.clear();
        }
    }

    /// Writes a command to one connection in its own terms.
    fn write_to(
        &mut self,
        id: BackendId,
        body: &mut Body<'_>,
        order: &Order,
        alone: bool,
        to: OwedTo,
        cx: &mut Cx<'_>,
    ) {
        let maps = self.needs.history && order.command != Command::StmtPrepare;
        let mapped = order
            .stmt
            .filter(|_| maps && !planted!(StatementIdNotMapped))
            .and_then(|stmt| self.backend(id)?.stmts.get(stmt));
        let typed = match mapped {
            Some(mapped) => self.with_types(body, order, mapped.types_version, id),
            None => None,
        };
        let len = typed.as_ref().map_or(body.frame_len(), Vec::len);
        self.note_sent(id, order.shape, len, order.owed(to), cx);
        let side = Side::Backend(id);
        if let Some(mut payload) = typed {
            rename(&mut payload, mapped.map(|mapped| mapped.backend.0));
            cx.out
                .send_with(side, |own| frame_into(own, &mut 0, &payload));
            return;
        }
        match body {
            Body::Run { run, found } => {
                let backend_id = mapped.map(|mapped| mapped.backend.0);
                if alone || backend_id.is_none() {
                    rename(run.get_mut(found.payload()).unwrap_or_default(), backend_id);
                    cx.out.forward(side, found.span());
                } else {
                    let mut copy = run.get(found.span()).unwrap_or_default().to_vec();
                    rename(copy.get_mut(Header::LEN..).unwrap_or_default(), backend_id);
                    cx.out.send(side, &copy);
                }
            }
            Body::Own { payload, .. } => {
                let mut payload = Cow::Borrowed(payload.as_slice());
                if let Some(mapped) = mapped {
                    rename(payload.to_mut(), Some(mapped.backend.0));
                }
                cx.out
                    .send_with(side, |own| frame_into(own, &mut 0, &payload));
            }
        }
    }

    /// A command goes to a connection: its answer is due, and counted.
    #[inline]
    pub(crate) fn note_sent(
        &mut self,
        id: BackendId,
        shape: Shape,
        len: usize,
        owed: Owed,
        cx: &Cx<'_>,
    ) {
        let uses = self.uses;
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        backend.last_used = uses;
        if shape != Shape::Nothing {
            backend.expect(shape, len, owed);
            backend.begin_operation(cx.now);
        }
        backend.tally.server.packets.add(1);
    }

    /// The execution with the types that the client sent earlier, if this connection has not seen
    /// them and the client did not send them again.
    fn with_types(
        &mut self,
        body: &Body<'_>,
        order: &Order,
        seen: u32,
        id: BackendId,
    ) -> Option<Vec<u8>> {
        if !matches!(
            order.command,
            Command::StmtExecute | Command::StmtBulkExecute
        ) {
            return None;
        }
        let stmt = order.stmt?;
        let prepared = self.stmts.get(stmt)?;
        let version = prepared.types_version;
        if version == 0 || version == seen || planted!(TypesNotInserted) {
            return None;
        }
        let mut payload = Vec::new();
        let inserted = body.is_whole()
            && tidegate_wire::stmt::types_of(body.payload(), prepared.params).is_none()
            && tidegate_wire::stmt::insert_types(
                body.payload(),
                prepared.params,
                &prepared.types,
                &mut payload,
            ) == Ok(Rewrite::Written);
        let backend = self.backend_mut(id)?;
        if let Some(mut mapped) = backend.stmts.get(stmt) {
            mapped.types_version = version;
            backend.stmts.set(mapped);
        }
        inserted.then_some(payload)
    }

    /// Remembers the types of an execution, and where executions and long data went.
    fn note_execution(&mut self, body: &Body<'_>, order: &Order, answer: BackendId) {
        if !self.needs.history {
            return;
        }
        let Some(prepared) = order.stmt.and_then(|id| self.stmts.get_mut(id)) else {
            return;
        };
        match order.command {
            Command::StmtExecute | Command::StmtBulkExecute => {
                prepared.note_types(body.payload());
                prepared.note_executed(answer);
            }
            Command::StmtSendLongData => prepared.long_data_on = Some(answer),
            Command::StmtReset => {
                prepared.long_data_on = None;
                prepared.long_data_lost = false;
                prepared.executed_on = None;
                prepared.has_cursor = false;
            }
            _ => {}
        }
    }

    fn forget_statement(&mut self, id: Option<ClientStmtId>) {
        let Some(id) = id else { return };
        if !self.keep_closed(id) {
            self.stmts.remove(id);
        }
        self.history.forget_statement(id);
        for backend in &mut self.backends {
            backend.stmts.remove(id);
        }
    }

    /// The rest of a long command goes where its first part went.
    fn follow_rest(&mut self, body: &Body<'_>, order: &Order, answer: BackendId, leaves: &Leaves) {
        let Body::Run { found, .. } = body else {
            return;
        };
        if found.whole {
            return;
        }
        let mut to = vec![answer];
        to.extend_from_slice(&leaves.others);
        self.stream = Some(Box::new(Stream {
            to,
            left: found.header.len as usize - found.have,
            continues: found.header.continues(),
            next_seq: 1,
            total: found.have as u64,
            ticketed: order.shape != Shape::Nothing,
            record: order.seq.filter(|_| order.record.is_some()),
            part: order.part,
            after: None,
        }));
    }
}

/// Does it end the connection as well?
fn releases(statement: &Statement) -> bool {
    matches!(
        statement.trx,
        TrxEffect::Commit { release: true, .. } | TrxEffect::Rollback { release: true, .. }
    )
}

/// Puts a connection's own id into a COM_STMT command.
#[inline]
pub(crate) fn rename(payload: &mut [u8], id: Option<u32>) {
    if let Some(id) = id {
        // Too short a payload has no id to replace; the server will say so.
        let _ = tidegate_wire::stmt::set_stmt_id(payload, id);
    }
}
