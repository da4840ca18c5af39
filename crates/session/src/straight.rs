//! The straight way: a statement that leaves nothing behind, in a session in which nothing else is
//! going on, to a server whose connection is open.
//!
//! Most commands are that. They are decided by the same functions as all others (`route`), and take
//! the same notes (`dispatch`), but are not asked what they cannot be. Whatever is unusual is seen
//! before anything has changed, and goes the long way.
//!
//! Invariant: both ways lead to the same. Whoever reads in the log where each command goes is told
//! on the long way, so one schedule of the simulator, once with such a reader and once without, must
//! give one trace.

use tidegate_wire::Command;
use tidegate_wire::stmt::Execute;

use crate::backend::{About, Link, Owed, OwedTo};
use crate::chain::Target;
use crate::digest::Named;
use crate::dispatch::{Body, MAX_RETRY_BYTES, rename};
use crate::ids::{BackendId, Side, TargetId};
use crate::output::Level;
use crate::request::Request;
use crate::router::{Course, Decision};
use crate::service::Counted;
use crate::session::{Cx, Session};
use crate::ticket::Ticket;

/// Where a command goes straight on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Straight {
    target: TargetId,
    backend: BackendId,
    /// It may be sent again if the answer does not come.
    retry: bool,
    /// What the connection calls the statement that is executed.
    stmt: Option<u32>,
}

impl Session {
    /// Where a command goes, if that is a matter of course; `None`: it has to go the long way.
    #[inline]
    pub(crate) fn straight(&self, request: &Request<'_>, cx: &Cx<'_>) -> Option<Straight> {
        let alone = self.tickets.is_empty()
            && self.put_off.is_none()
            && self.waiting.is_none()
            && self.replay.is_none();
        let told = self.observe.is_retaining() || self.observe.is_tracing();
        let plain = request.complete
            && request.payload.len() <= MAX_RETRY_BYTES
            && match request.statement {
                Some(statement) => statement.inert,
                None => !self.needs.statements,
            };
        if self.needs.elsewhere || !alone || !plain || told || self.logs(Level::Info, cx) {
            return None;
        }
        // Defects that are planted on the long way are to be found there.
        let planted = [
            planted!(WriteToReplica),
            planted!(StatementIdNotMapped),
            planted!(TypesNotInserted),
        ];
        if planted.contains(&true) {
            return None;
        }
        self.straight_to(request, cx)
    }

    fn straight_to(&self, request: &Request<'_>, cx: &Cx<'_>) -> Option<Straight> {
        let node = self.nodes.first()?;
        let Decision::One { target, retry, .. } =
            node.router.as_ref()?.route(request, &self.scene(0, cx)?)
        else {
            return None;
        };
        let Some(Target::Backend(id)) = node.targets.get(usize::from(target.0)) else {
            return None;
        };
        let backend = self.backend(*id)?;
        let stmt = match (request.command, request.prepared) {
            (Command::Query, _) => None,
            (Command::StmtExecute, Some(stmt)) => {
                let prepared = self.stmts.get(stmt)?;
                let mapped = backend.stmts.get(stmt)?;
                let version = prepared.types_version;
                let knows_types = version == 0 || version == mapped.types_version;
                let tells_types = Execute::announces_types(request.payload, prepared.params);
                let free = prepared.long_data_on.is_none() && !prepared.long_data_lost;
                (knows_types && !tells_types && free).then_some(())?;
                Some(mapped.backend.0)
            }
            _ => return None,
        };
        (backend.link() == Link::Open).then_some(Straight {
            target,
            backend: *id,
            retry,
            stmt,
        })
    }

    /// Sends the command there, and takes note of what is owed.
    pub(crate) fn go_straight(
        &mut self,
        way: Straight,
        request: &Request<'_>,
        named: Option<Named<'_>>,
        cx: &mut Cx<'_>,
    ) {
        self.head_leaves();
        if self.lending.is_some() {
            self.note_lender(request);
        }
        let digest = self.count_digest(request, named, cx);
        if let Some(statement) = request.statement {
            self.trx.predict(statement);
        }
        self.counted.set(Counted::Other);
        if let Some(mut router) = self.nodes.first_mut().and_then(|node| node.router.take()) {
            if let Some(scene) = self.scene(0, cx) {
                router.on_routed(request, Course::One(way.target), &scene);
            }
            if let Some(node) = self.nodes.first_mut() {
                node.router = Some(router);
            }
        }
        self.uses += 1;
        self.has_passed();
        if let Some(prepared) = request.prepared.and_then(|id| self.stmts.get_mut(id)) {
            prepared.note_executed(way.backend);
        }
        if way.retry {
            self.retry.clear();
            self.retry.extend_from_slice(request.payload);
        }
        let owed = Owed {
            to: OwedTo::Client,
            about: About::Else,
        };
        let shape = request.command.reply_shape();
        self.note_sent(way.backend, shape, request.payload.len(), owed, cx);
        let ticket = Ticket {
            stmt: request.prepared,
            retry: way.retry,
            predicted: request.statement.is_some(),
            counted: self.counted.get(),
            digest,
            ..Ticket::new(request.command, way.backend, cx.now)
        };
        self.issue(ticket);
    }
}

impl Straight {
    /// The command's bytes go there.
    #[inline]
    pub(crate) fn forward(self, body: &mut Body<'_>, cx: &mut Cx<'_>) {
        if let Body::Run { run, found } = body {
            rename(run.get_mut(found.payload()).unwrap_or_default(), self.stmt);
            cx.out.forward(Side::Backend(self.backend), found.span());
        }
    }
}
