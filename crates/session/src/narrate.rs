//! What a session tells of its commands: the statements it keeps, and for the log where each went
//! and what came of it.
//!
//! Nothing told here holds a password: a statement that may hold one is shown without its literals,
//! and one that has not come whole is not shown in the log.

use tidegate_sql::Modes;
use tidegate_wire::reply::{Kind, Summary};
use tidegate_wire::{Command, stmt};

use crate::dispatch::Body;
use crate::ids::{BackendId, ClientStmtId};
use crate::output::Level;
use crate::session::{Cx, Session};
use crate::ticket::Ticket;

/// The most of a statement that a log line shows.
const MAX_SHOWN_BYTES: usize = 1024;

impl Session {
    /// Keeps the command for `queries[]`, if statements are kept.
    pub(crate) fn note_received(&mut self, body: &Body<'_>, cx: &Cx<'_>) {
        if !self.observe.is_retaining() {
            return;
        }
        let command = body.command();
        let (modes, stmts) = (self.modes, &self.stmts);
        self.observe.received(command.name(), cx.wall, || {
            let prepared = |id| stmts.get(stmts.resolve(id)?).map(|it| &*it.prepared.text);
            statement(command, body.payload(), modes, prepared)
                .unwrap_or_else(|| command.name().as_bytes().into())
        });
    }

    /// Tells where a command went, if anybody listens.
    #[inline]
    pub(crate) fn note_route(
        &mut self,
        body: &Body<'_>,
        answer: BackendId,
        others: &[BackendId],
        cx: &mut Cx<'_>,
    ) {
        if self.observe.is_tracing() || self.logs(Level::Info, cx) {
            self.tell_route(body, answer, others, cx);
        }
    }

    #[cold]
    fn tell_route(
        &mut self,
        body: &Body<'_>,
        answer: BackendId,
        others: &[BackendId],
        cx: &mut Cx<'_>,
    ) {
        let command = body.command();
        let mut text = format!("{} to {}", command.name(), self.server_name(answer, cx));
        for other in others {
            text.push_str(", ");
            text.push_str(&self.server_name(*other, cx));
        }
        let stmts = &self.stmts;
        let prepared = |id| stmts.get(stmts.resolve(id)?).map(|it| &*it.prepared.text);
        let shown = body
            .is_whole()
            .then(|| statement(command, body.payload(), self.modes, prepared))
            .flatten();
        if let Some(shown) = shown {
            let head = shown.get(..MAX_SHOWN_BYTES).unwrap_or(&shown);
            text.push_str(": ");
            text.push_str(&String::from_utf8_lossy(head));
            if head.len() < shown.len() {
                text.push_str(" ...");
            }
        }
        self.log(Level::Info, cx, || text);
    }
}

impl Session {
    /// Tells what came of a command, if anybody listens.
    #[inline]
    pub(crate) fn note_outcome(
        &mut self,
        id: BackendId,
        ticket: &Ticket,
        summary: &Summary,
        cx: &mut Cx<'_>,
    ) {
        if self.observe.is_tracing() || self.logs(Level::Debug, cx) {
            self.tell_outcome(id, ticket, summary, cx);
        }
    }

    /// A server's error is told by its number: its text may quote the statement.
    #[cold]
    fn tell_outcome(&mut self, id: BackendId, ticket: &Ticket, summary: &Summary, cx: &mut Cx<'_>) {
        let outcome = match summary.kind {
            Kind::Err => format!("error {}", summary.error_code),
            Kind::Ok | Kind::Unknown => "done".to_owned(),
            Kind::ResultSet => format!("{} rows, {} bytes", summary.rows, summary.bytes),
        };
        let text = format!(
            "{} answered by {} in {} µs: {outcome}",
            ticket.command.name(),
            self.server_name(id, cx),
            cx.now.since(ticket.sent).as_micros(),
        );
        self.log(Level::Debug, cx, || text);
    }
}

/// The statement of a command, as it may be shown; `None` for a command without one.
fn statement<'p>(
    command: Command,
    payload: &[u8],
    modes: Modes,
    prepared: impl FnOnce(ClientStmtId) -> Option<&'p [u8]>,
) -> Option<Box<[u8]>> {
    let argument = payload.get(1..).unwrap_or_default();
    match command {
        Command::Query | Command::StmtPrepare => Some(shown(argument, modes)),
        Command::StmtExecute | Command::StmtBulkExecute => {
            let id = ClientStmtId(stmt::stmt_id(payload)?);
            prepared(id).map(|text| shown(text, modes))
        }
        Command::InitDb => Some([b"USE ", argument].concat().into()),
        _ => None,
    }
}

/// A statement as it is kept: whole, unless it may hold a password; then without its literals.
fn shown(text: &[u8], modes: Modes) -> Box<[u8]> {
    if !may_hold_secret(text) {
        return text.into();
    }
    let mut canonical = Vec::new();
    tidegate_sql::canonical(text, modes, &mut canonical);
    canonical.into()
}

/// May the text hold a password? Better once too often than once too little.
fn may_hold_secret(text: &[u8]) -> bool {
    let has = |word: &[u8]| {
        text.windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word))
    };
    has(b"password") || has(b"identified")
}
