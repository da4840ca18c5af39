//! A server's run: replies followed packet by packet, forwarded to the client, dropped or compared,
//! and what they say about the session's state.

use std::ops::Range;

use tidegate_wire::frame::{Header, frame_with};
use tidegate_wire::reply::{ErrPacket, Event, Kind, OkPacket, Progress, Step, Summary};
use tidegate_wire::resultset::{ColumnDef, ColumnType, text_result};
use tidegate_wire::track::{Change, changes, rewrite_ok};
use tidegate_wire::{Caps, Command, Gtid, GtidList, ReplyError, Rewrite, Status};

use crate::backend::{Owed, OwedTo, State};
use crate::cause::Cause;
use crate::fault::{ErrReply, SessionFault};
use crate::ids::{BackendId, BackendStmtId, Side};
use crate::output::Op;
use crate::position::Told;
use crate::replay::{Follow, Part};
use crate::request::OwnAnswer;
use crate::session::{Cx, Session};
use crate::stmts::Mapped;
use crate::ticket::{Then, Ticket};

impl Session {
    pub(crate) fn backend_bytes(
        &mut self,
        id: BackendId,
        run: &mut [u8],
        cx: &mut Cx<'_>,
    ) -> usize {
        let Some(backend) = self.backend(id) else {
            return run.len();
        };
        match backend.state {
            State::Closed | State::Failed | State::Lent | State::Connecting => run.len(),
            State::Login(_) | State::Switching(_) | State::Reusing(_) => {
                self.login_bytes(id, run, cx)
            }
            State::Replaying | State::Ready => self.replies(id, run, cx),
        }
    }

    fn replies(&mut self, id: BackendId, run: &mut [u8], cx: &mut Cx<'_>) -> usize {
        let mut at = 0;
        while at < run.len() {
            let Some(backend) = self.backend_mut(id) else {
                return run.len();
            };
            if !backend.is_logged_in() {
                return run.len();
            }
            let step = match backend.owed.front() {
                Some(owed) if owed.to == OwedTo::Position => Step::PerPacket,
                _ => Step::Fast,
            };
            let progress = match backend
                .tracker
                .advance(run.get(at..).unwrap_or_default(), step)
            {
                Ok(progress) => progress,
                Err(error) => {
                    self.nonsense(id, &error, cx);
                    return run.len();
                }
            };
            if progress.consumed == 0 {
                break;
            }
            self.progress(id, at, &progress, run, cx);
            at += progress.consumed;
            if self.is_over() {
                return run.len();
            }
        }
        at
    }

    /// One step of the reply at the front.
    fn progress(
        &mut self,
        id: BackendId,
        at: usize,
        progress: &Progress,
        run: &mut [u8],
        cx: &mut Cx<'_>,
    ) {
        let Some(owed) = self
            .backend(id)
            .and_then(|backend| backend.owed.front().cloned())
        else {
            return;
        };
        let packet = at + progress.packet.start..at + progress.packet.end;
        if let Event::Err { code } = progress.event
            && self.is_goodbye(id, run.get(packet.clone()).unwrap_or_default())
        {
            let error = ReplyError::Unsolicited {
                first: tidegate_wire::reply::ERR,
                code: Some(code),
            };
            self.nonsense(id, &error, cx);
            return;
        }
        if let Event::Err { code } = progress.event
            && owed.to == OwedTo::Client
        {
            let payload = packet.start + Header::LEN..packet.end;
            if self.taken_for_loss(id, code, run.get(payload).unwrap_or_default(), cx) {
                return;
            }
        }
        let leaks = planted!(DiscardedReplyForwarded) && owed.to.is_command();
        let passes = owed.to == OwedTo::Client
            && !(self.needs.renumbers && self.take_prefix(id, at, progress, run, cx));
        if passes || leaks {
            let follow = if self.needs.follows {
                self.followed(id, at, progress, run, cx)
            } else {
                Follow::Pass(0)
            };
            match follow {
                Follow::Pass(skip) => {
                    self.pass_on(
                        id,
                        at + skip..at + progress.consumed,
                        progress,
                        packet.clone(),
                        run,
                        cx,
                    );
                }
                Follow::Keep => self.take_news(id, progress, packet.clone(), run, cx),
                Follow::Gone => return,
            }
        }
        match progress.event {
            Event::PrepareOk {
                id: given,
                params,
                columns,
            } => {
                self.prepared_on(id, &owed, BackendStmtId(given), params, columns, cx);
                self.prepare_reply_begins(id, &owed, params, columns);
            }
            Event::ColumnCount(columns) => self.result_begins(id, &owed, columns),
            Event::Column => {
                self.collect_definition(id, run.get(packet.clone()).unwrap_or_default(), cx);
            }
            Event::Row if owed.to == OwedTo::Position => {
                let payload = packet.start + Header::LEN..packet.end;
                self.position_row(id, run.get(payload).unwrap_or_default(), cx);
            }
            Event::LocalInfile if owed.to == OwedTo::Client => self.infile = Some(id),
            Event::LocalInfile => {
                let error = ReplyError::Unexpected {
                    due: "an answer to a session command",
                    first: 0xFB,
                    len: 0,
                };
                self.nonsense(id, &error, cx);
                return;
            }
            _ => {}
        }
        if progress.done {
            let payload = packet.start + Header::LEN..packet.end;
            let last = run.get(payload).unwrap_or_default();
            self.reply_done(id, owed.to, last, cx);
        }
    }

    /// An answer to the client on its way to those who look at it.
    fn followed(
        &mut self,
        id: BackendId,
        at: usize,
        progress: &Progress,
        run: &[u8],
        cx: &mut Cx<'_>,
    ) -> Follow {
        if self.needs.reuses {
            let piece = run.get(at..at + progress.consumed);
            self.keep_answer(piece.unwrap_or_default());
        }
        let follow = match &self.replay {
            Some(_) => self.follow(id, at, progress, run, cx),
            None => Follow::Pass(0),
        };
        if let Follow::Pass(skip) = follow
            && self.sync.is_some()
            && self.keep_last_packet(id, at + skip, at, progress, run, cx)
        {
            self.reply_done(id, OwedTo::Kept, &[], cx);
            return Follow::Gone;
        }
        follow
    }

    /// Answers are numbered from 1: a lone error with number 0 was written before the server had read
    /// the command, as one does that is about to close.
    fn is_goodbye(&self, id: BackendId, packet: &[u8]) -> bool {
        let first_of_all = self
            .backend(id)
            .is_some_and(|backend| backend.tracker.bytes() == packet.len() as u64);
        first_of_all && Header::parse(packet).is_some_and(|header| header.seq == 0)
    }

    /// Sends the client its bytes: as they came, but for OK packets that say more than it asked for
    /// and statement ids.
    fn pass_on(
        &mut self,
        id: BackendId,
        whole: Range<usize>,
        progress: &Progress,
        packet: Range<usize>,
        run: &mut [u8],
        cx: &mut Cx<'_>,
    ) {
        if let Some(ticket) = self.tickets.front_mut()
            && !ticket.started
        {
            ticket.started = true;
            ticket.first_byte = cx.now;
        }
        let payload = packet.start + Header::LEN..packet.end;
        match progress.event {
            Event::Ok { has_changes, .. }
            | Event::Eof { has_changes, .. }
            | Event::End { has_changes, .. }
                if !packet.is_empty() =>
            {
                let server_caps = self
                    .backend(id)
                    .map_or(Caps::empty(), |backend| backend.caps);
                if self.lending.is_some() && matches!(progress.event, Event::Ok { .. }) {
                    self.note_ok(run.get(payload.clone()).unwrap_or_default(), server_caps);
                }
                if has_changes {
                    self.take_changes(id, run.get(payload).unwrap_or_default(), server_caps, cx);
                }
                // An EOF packet proper says nothing that a client could not read.
                let is_ok = matches!(progress.event, Event::Ok { .. })
                    || server_caps.contains(Caps::DEPRECATE_EOF);
                if is_ok && self.rewrite(server_caps, has_changes, whole.clone(), packet, run, cx) {
                    return;
                }
            }
            Event::ColumnCount(_) => return self.pass_column_count(id, whole, packet, run, cx),
            Event::PrepareOk { .. } if self.needs.history => {
                let client_id = self.tickets.front().and_then(|ticket| ticket.stmt);
                if let (Some(client_id), Some(field)) =
                    (client_id, run.get_mut(payload.start + 1..payload.start + 5))
                {
                    field.copy_from_slice(&client_id.0.to_le_bytes());
                }
            }
            _ => {}
        }
        cx.out.forward(Side::Client, whole);
    }

    /// What an answer that the client does not get says of the session's state.
    pub(crate) fn take_news(
        &mut self,
        id: BackendId,
        progress: &Progress,
        packet: Range<usize>,
        run: &[u8],
        cx: &Cx<'_>,
    ) {
        if let Event::Ok {
            has_changes: true, ..
        }
        | Event::Eof {
            has_changes: true, ..
        }
        | Event::End {
            has_changes: true, ..
        } = progress.event
            && !packet.is_empty()
        {
            let caps = self
                .backend(id)
                .map_or(Caps::empty(), |backend| backend.caps);
            let payload = packet.start + Header::LEN..packet.end;
            self.take_changes(id, run.get(payload).unwrap_or_default(), caps, cx);
        }
    }

    /// Writes an OK packet as this client reads it, in place of the server's. `false`: it may go as
    /// it came.
    fn rewrite(
        &mut self,
        server_caps: Caps,
        has_changes: bool,
        whole: Range<usize>,
        packet: Range<usize>,
        run: &[u8],
        cx: &mut Cx<'_>,
    ) -> bool {
        let client_caps = self.client.caps;
        let same_dialect = client_caps.contains(Caps::SESSION_TRACK);
        if !server_caps.contains(Caps::SESSION_TRACK)
            || (same_dialect && !(has_changes && self.needs.history))
        {
            return false;
        }
        let Some(header) = run.get(packet.clone()).and_then(Header::parse) else {
            return false;
        };
        let payload = run
            .get(packet.start + Header::LEN..packet.end)
            .unwrap_or_default();
        let before = cx.out.own.len();
        let mut written = Ok(Rewrite::Unchanged);
        let mut seq = header.seq;
        cx.out.forward(Side::Client, whole.start..packet.start);
        let wishes = &self.client.wishes;
        let wanted = |change: &Change<'_>| wishes.include(change);
        cx.out.send_with(Side::Client, |own| {
            frame_with(own, &mut seq, |own| {
                written = rewrite_ok(payload, server_caps, client_caps, wanted, own);
            });
            if written != Ok(Rewrite::Written) {
                own.truncate(before);
            }
        });
        if written != Ok(Rewrite::Written) {
            cx.out.forward(Side::Client, packet.start..whole.end);
            return true;
        }
        cx.out.forward(Side::Client, packet.end..whole.end);
        true
    }

    /// What a server says of the session's state.
    pub(crate) fn take_changes(&mut self, id: BackendId, payload: &[u8], caps: Caps, cx: &Cx<'_>) {
        let Ok(packet) = OkPacket::parse(payload, caps) else {
            return;
        };
        for change in changes(packet.changes).flatten() {
            match change {
                Change::Schema(name) => {
                    self.client.database = if name.is_empty() {
                        None
                    } else {
                        Some(name.to_vec())
                    };
                }
                Change::Variable { name, value } => {
                    if matches!(name, b"tx_isolation" | b"transaction_isolation") {
                        self.trx
                            .set_serializable(value.eq_ignore_ascii_case(b"SERIALIZABLE"));
                    }
                    if self.needs.reuses && crate::reuse::is_decisive(name) {
                        self.stmts.turn_stale();
                    }
                    if name == b"sql_mode" {
                        self.modes.oracle = contains_word(value, b"ORACLE");
                    }
                    self.note_gtids(id, name, value);
                    if self.needs.positions
                        && name == b"last_gtid"
                        && let Some(written) = Gtid::parse(value)
                    {
                        self.note_written(written);
                        self.tell_position(id, Told::Wrote(written), cx);
                    }
                }
                Change::Characteristics(_)
                | Change::TrxState(_)
                | Change::State(_)
                | Change::Unknown { .. } => {}
                Change::Gtids(written) => {
                    if self.needs.positions
                        && let Ok(written) = GtidList::parse(written)
                    {
                        for gtid in written.iter() {
                            self.note_written(gtid);
                            self.tell_position(id, Told::Wrote(gtid), cx);
                        }
                    }
                }
            }
        }
    }

    /// A server has taken the proxy's own settings: what it says of them.
    fn take_setup(&mut self, id: BackendId, last: &[u8]) {
        let caps = self.backend(id).map_or(Caps::empty(), |it| it.caps);
        let Ok(packet) = OkPacket::parse(last, caps) else {
            return;
        };
        for change in changes(packet.changes).flatten() {
            if let Change::Variable { name, value } = change {
                self.note_gtids(id, name, value);
            }
        }
    }

    /// Does a MySQL server tell from here on what it writes?
    fn note_gtids(&mut self, id: BackendId, name: &[u8], value: &[u8]) {
        if name == b"session_track_gtids"
            && let Some(backend) = self.backend_mut(id)
        {
            backend.tells_gtids = value.eq_ignore_ascii_case(b"OWN_GTID");
        }
    }

    /// A statement got its id on a connection.
    fn prepared_on(
        &mut self,
        id: BackendId,
        owed: &Owed,
        given: BackendStmtId,
        params: u16,
        columns: u16,
        cx: &mut Cx<'_>,
    ) {
        let Some(client) = owed.prepares() else {
            return;
        };
        let closed = owed.to != OwedTo::Client
            && self.stmts.get(client).is_none()
            && !self
                .tickets
                .iter()
                .any(|ticket| ticket.stmt == Some(client));
        if let Some(backend) = self.backend_mut(id)
            && !closed
        {
            backend.stmts.set(Mapped {
                client,
                backend: given,
                types_version: 0,
            });
        }
        if closed {
            // The client closed it before this connection had prepared it.
            let [a, b, c, d] = given.0.to_le_bytes();
            cx.out.send(
                Side::Backend(id),
                &[5, 0, 0, 0, Command::StmtClose.byte(), a, b, c, d],
            );
        }
        if owed.to == OwedTo::Client
            && let Some(Ticket {
                then: Then::Prepared(prepared),
                ..
            }) = self.tickets.front_mut()
        {
            prepared.params = params;
            prepared.columns = columns;
        }
    }

    /// A reply is complete; `last` is its last packet's payload.
    fn reply_done(&mut self, id: BackendId, to: OwedTo, last: &[u8], cx: &mut Cx<'_>) {
        let Some(backend) = self.backend_mut(id) else {
            return;
        };
        backend.owed.pop_front();
        let summary = *backend.tracker.summary();
        let ok = summary.kind != Kind::Err;
        if to.is_command() {
            backend.end_operation(cx.now);
        }
        if !ok && self.leaves(id, to, summary.error_code, last, cx) {
            return;
        }
        match to {
            OwedTo::Client if !ok && self.awaits_prefix() => self.prefix_failed(id, cx),
            OwedTo::Client => self.client_reply_done(id, &summary, last, cx),
            OwedTo::Wait => self.wait_done(id, ok, cx),
            OwedTo::Position => self.position_done(id, ok, cx),
            OwedTo::Kept => self.answer_kept(&summary, cx),
            OwedTo::Replica { answer } => self.replica_answered(id, answer, ok, cx),
            OwedTo::Compare { seq } => {
                if !self.verdicts.heard(seq, id, ok) && !planted!(VerdictIgnored) {
                    self.differs(id, seq, last, cx);
                }
                self.moved = true;
            }
            OwedTo::Replay { ok: expected } => {
                if expected != ok {
                    self.differs(id, 0, last, cx);
                }
                self.replay_progress(id, cx);
            }
            OwedTo::Init { index } => self.init_done(id, index, &summary, last, cx),
            OwedTo::Guise => self.turned(id, ok, last, cx),
            OwedTo::Setup => {
                if ok {
                    self.take_setup(id, last);
                    self.moved = true;
                    self.replay_progress(id, cx);
                } else {
                    let text = error_text(last);
                    self.spoiled(
                        id,
                        format!("it refused the proxy's own settings: {text}"),
                        cx,
                    );
                }
            }
        }
    }

    /// A statement of `connection_init_sql_file` was answered.
    fn init_done(
        &mut self,
        id: BackendId,
        index: usize,
        summary: &Summary,
        last: &[u8],
        cx: &mut Cx<'_>,
    ) {
        let trouble = match summary.kind {
            Kind::Ok => {
                self.moved = true;
                self.replay_progress(id, cx);
                return;
            }
            Kind::Err => error_text(last),
            Kind::ResultSet | Kind::Unknown => "it returns rows".to_owned(),
        };
        let terms = std::sync::Arc::clone(&self.client.terms);
        let text = terms.init.get(index).map_or("", String::as_str);
        self.spoiled(
            id,
            format!("the statement '{text}' of connection_init_sql_file: {trouble}"),
            cx,
        );
    }

    /// The client has its answer.
    pub(crate) fn client_reply_done(
        &mut self,
        id: BackendId,
        summary: &Summary,
        last: &[u8],
        cx: &mut Cx<'_>,
    ) {
        let Some(ticket) = self.tickets.pop_front() else {
            return;
        };
        let ok = summary.kind != Kind::Err;
        self.moved = true;
        if ticket.part != Part::Repeated {
            self.client.last_active = cx.now;
        }
        self.retry.clear();
        self.counters.operations.sub(1);
        self.note_time(id, &ticket, summary, cx);
        if self.lending.is_some() {
            self.note_values(id, summary, cx.now);
        }
        let of_cursors = Status::CURSOR_EXISTS.union(Status::LAST_ROW_SENT);
        if summary.status.bits() & of_cursors.bits() != 0
            && let Some(prepared) = ticket.stmt.and_then(|stmt| self.stmts.get_mut(stmt))
        {
            let bits = summary.status.bits();
            prepared.has_cursor = bits & Status::LAST_ROW_SENT.bits() == 0;
        }
        if summary.kind != Kind::Err && self.reports_status(ticket.command) {
            self.modes = self.modes.with_status(summary.status.bits());
        }
        // With other commands on their way the state described is already past, unless nothing is
        // predicted of them: then the newest word that is known counts.
        if self.tickets.is_empty() || !self.needs.statements {
            if !ok {
                let status = summary.status;
                if status.contains(Status::MORE_RESULTS) {
                    self.trx.failed_behind(status.bits());
                } else if ticket.predicted || planted!(FailureUndoesBegin) {
                    self.trx.failed();
                }
            } else if self.reports_status(ticket.command) {
                self.trx.correct(summary.status.bits());
            }
        }
        if ok && self.needs.positions {
            self.tell_unknown_position(id, summary.result_sets > 0, cx);
        }
        if ok {
            self.take_effect(&ticket, id, cx);
        } else if matches!(ticket.then, Then::Prepared(_)) {
            self.stmts.prepare_failed();
        }
        if let Some(seq) = ticket.seq {
            self.history
                .confirm(seq, ok, self.client.database.as_deref());
            for other in self.verdicts.told(seq, ok) {
                if planted!(VerdictIgnored) {
                    break;
                }
                self.differs(other, seq, last, cx);
            }
        }
        match ticket.part {
            Part::None => {}
            Part::Recorded => self.note_answer(&ticket, summary, last, cx),
            Part::Repeated => self.compare_answer(cx),
        }
        self.note_outcome(id, &ticket, summary, cx);
        self.tell_modules(id, &ticket, summary, last, cx);
        if ok && ticket.then == Then::Release {
            // The server closes it: it is none to be left to others.
            self.say_goodbye(id, cx);
            self.finish(Cause::ClientQuit, None, cx);
        }
    }

    /// Does the reply to this command carry the server's status flags?
    pub(crate) fn reports_status(&self, command: Command) -> bool {
        // A cursor may be on another connection than the transaction.
        !matches!(
            command,
            Command::Statistics | Command::StmtPrepare | Command::StmtFetch
        )
    }

    fn take_effect(&mut self, ticket: &Ticket, id: BackendId, cx: &mut Cx<'_>) {
        match &ticket.then {
            // The session ends when everybody has heard of the answer.
            Then::Nothing | Then::Release => {}
            Then::Database(name) => {
                self.client.database = if name.is_empty() {
                    None
                } else {
                    Some(name.to_vec())
                };
            }
            Then::MultiStatements(on) => {
                self.client.caps = if *on {
                    self.client.caps.union(Caps::MULTI_STATEMENTS)
                } else {
                    self.client.caps.difference(Caps::MULTI_STATEMENTS)
                };
            }
            Then::Accounts => cx.out.push(Op::AccountsChanged),
            Then::Modes(modes) => self.modes = *modes,
            Then::NextTransaction { payload, first } => {
                self.note_next_transaction(payload, *first);
            }
            Then::Prepared(prepared) => {
                let mut prepared = (**prepared).clone();
                prepared.seal_answer();
                self.stmts.insert(prepared);
            }
            Then::Reset => self.state_reset(id, cx),
        }
    }

    /// A session command ended here unlike where the client got its answer from.
    fn differs(&mut self, id: BackendId, seq: u64, last: &[u8], cx: &mut Cx<'_>) {
        let said = if last.first() == Some(&0xFF) {
            error_text(last)
        } else {
            "success".to_owned()
        };
        let which = if seq == 0 {
            "a repeated session command".to_owned()
        } else {
            format!("session command {seq}")
        };
        self.spoiled(
            id,
            format!("{which} ended differently from the other servers: {said}"),
            cx,
        );
    }

    /// The server's bytes make no sense, or say that it is going away.
    pub(crate) fn nonsense(&mut self, id: BackendId, error: &ReplyError, cx: &mut Cx<'_>) {
        let server = self.server_name(id, cx);
        match error {
            ReplyError::Unsolicited {
                code: Some(code), ..
            } => {
                let reason = format!(
                    "the server sent error {code} between statements, as it does when it shuts down"
                );
                self.lose(id, SessionFault::ServerLost { server, reason }, false, cx);
            }
            _ => self.lose(
                id,
                SessionFault::ServerProtocol {
                    server,
                    reason: error.to_string(),
                },
                false,
                cx,
            ),
        }
    }

    /// An ERR packet of our own: the whole answer to the command at the head.
    pub(crate) fn answer_error(&mut self, reply: &ErrReply, cx: &mut Cx<'_>) {
        self.send_error(reply, cx);
        self.own_answer_done(Some(reply), cx);
    }

    /// An ERR packet, in whatever place the client reads next.
    pub(crate) fn send_error(&mut self, reply: &ErrReply, cx: &mut Cx<'_>) {
        let mut seq = self.next_client_seq();
        let packet = ErrPacket {
            code: reply.code,
            sqlstate: reply.sqlstate,
            message: reply.text.as_bytes(),
        };
        cx.out.send_with(Side::Client, |own| {
            frame_with(own, &mut seq, |own| packet.encode(own))
        });
    }

    /// The answer of the proxy or a filter.
    pub(crate) fn answer_own(&mut self, answer: &OwnAnswer, cx: &mut Cx<'_>) {
        let mut seq = self.next_client_seq();
        let status = self.status();
        let caps = self.client.caps;
        cx.out.send_with(Side::Client, |own| match answer {
            OwnAnswer::Ok => {
                frame_with(own, &mut seq, |own| OkPacket::new(status).encode(caps, own))
            }
            OwnAnswer::Affected(affected_rows) => {
                let packet = OkPacket {
                    affected_rows: *affected_rows,
                    ..OkPacket::new(status)
                };
                frame_with(own, &mut seq, |own| packet.encode(caps, own))
            }
            OwnAnswer::Value {
                column,
                value,
                number,
            } => {
                let column = if *number {
                    ColumnDef::connection_id(column.as_bytes())
                } else {
                    ColumnDef::computed(column.as_bytes(), ColumnType::VAR_STRING)
                };
                let row = [Some(value.as_bytes())];
                text_result(&[column], [row], caps, status, &mut seq, own);
            }
        });
        self.own_answer_done(None, cx);
    }

    /// The status flags of an answer of our own.
    pub(crate) fn status(&self) -> Status {
        let mut status = if self.trx.autocommit() {
            Status::AUTOCOMMIT
        } else {
            Status::default()
        };
        if self.trx.is_open() && self.trx.autocommit() {
            status = status.union(Status::IN_TRANS);
        }
        if self.trx.is_read_only() {
            status = status.union(Status::IN_TRANS_READONLY);
        }
        status
    }

    pub(crate) fn own_answer_done(&mut self, error: Option<&ErrReply>, cx: &mut Cx<'_>) {
        self.observe.completed(cx.wall, None);
        self.moved = true;
        self.client.last_active = cx.now;
        if self.needs.replies {
            self.tell_passed(error, cx);
        }
        self.has_passed();
    }

    /// The number of a packet of our own: after what a server's reply in progress has used, else
    /// the first of an answer.
    fn next_client_seq(&self) -> u8 {
        if self.client.seq != 0 {
            return self.client.seq;
        }
        if let Some(seq) = self.dialogue_seq() {
            return seq;
        }
        if let Some((seq, _)) = self.interrupted_at() {
            return seq;
        }
        let Some(ticket) = self.tickets.front() else {
            return 1;
        };
        if planted!(SequenceRestarted) {
            return 1;
        }
        ticket
            .answer
            .filter(|_| ticket.started)
            .and_then(|id| self.backend(id))
            .map_or(ticket.next_seq, |backend| {
                ticket.renumbered(backend.tracker.next_seq())
            })
    }
}

fn contains_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|item| item.eq_ignore_ascii_case(word))
}

/// The number and text of an ERR packet, for the log.
fn error_text(payload: &[u8]) -> String {
    match ErrPacket::parse(payload) {
        Ok(packet) => format!(
            "{}: {}",
            packet.code,
            String::from_utf8_lossy(packet.message)
        ),
        Err(_) => "an unreadable error".to_owned(),
    }
}
