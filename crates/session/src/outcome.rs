//! What filters and routers hear of a complete answer.

use tidegate_wire::Command;
use tidegate_wire::reply::{ErrPacket, Kind, Summary};

use crate::chain::{FilterSlot, Node};
use crate::fault::ErrReply;
use crate::filter::FilterScene;
use crate::ids::{BackendId, TargetId};
use crate::replay::Part;
use crate::request::ReplySummary;
use crate::router::{Ended, RouterSession};
use crate::scene::Scene;
use crate::session::{Cx, Session};
use crate::ticket::Ticket;

impl Session {
    /// Filters and routers on the way of a complete reply.
    pub(crate) fn tell_modules(
        &mut self,
        id: BackendId,
        ticket: &Ticket,
        summary: &Summary,
        last: &[u8],
        cx: &Cx<'_>,
    ) {
        let Some((leaf, server)) = self
            .backend(id)
            .map(|backend| (backend.node, backend.server))
        else {
            return;
        };
        let ended = Ended {
            command: ticket.command,
            failed: summary.kind == Kind::Err,
        };
        self.each_router(id, leaf, cx, |router, target, scene| {
            router.on_reply(target, ended, scene);
        });
        if ticket.part == Part::Repeated {
            return;
        }
        if self.observe.is_retaining() {
            let view = cx.servers.get(server);
            let response = view.map(|view| (&view.name, cx.now.since(ticket.sent)));
            self.observe.completed(cx.wall, response);
        }
        if self.needs.replies {
            let server = cx.servers.get(server).map(|view| &*view.name);
            self.tell_filters_outcome(leaf, ticket, summary, last, server, cx);
        }
    }

    /// The filters on the way of a complete reply.
    fn tell_filters_outcome(
        &mut self,
        leaf: usize,
        ticket: &Ticket,
        summary: &Summary,
        last: &[u8],
        server: Option<&str>,
        cx: &Cx<'_>,
    ) {
        let error = (summary.kind == Kind::Err).then_some(summary.error_code);
        let trx = self.trx;
        let reply = ReplySummary {
            command: ticket.command,
            error,
            error_text: if error.is_some() {
                ErrPacket::parse(last).map_or(&[][..], |packet| packet.message)
            } else {
                &[]
            },
            rows: summary.rows,
            bytes: summary.bytes,
            warnings: summary.warnings,
            status: summary.status.bits(),
            has_rows: summary.result_sets > 0,
            sent: ticket.sent,
            first_byte: ticket.first_byte,
            server,
            trx: &trx,
        };
        self.tell_filters(leaf, &reply, cx);
    }

    /// Tells something to the routers on the way from a connection to the client.
    pub(crate) fn each_router(
        &mut self,
        id: BackendId,
        leaf: usize,
        cx: &Cx<'_>,
        mut tell: impl FnMut(&mut dyn RouterSession, TargetId, &Scene<'_>),
    ) {
        let mut next = Some(leaf);
        while let Some(ix) = next {
            let Some(mut router) = self.nodes.get_mut(ix).and_then(|node| node.router.take())
            else {
                return;
            };
            if let (Some(target), Some(scene)) = (self.target_of(ix, id), self.scene(ix, cx)) {
                tell(&mut *router, target, &scene);
            }
            let Some(node) = self.nodes.get_mut(ix) else {
                return;
            };
            node.router = Some(router);
            next = node.parent.map(|(parent, _)| parent);
        }
    }

    fn tell_filters(&mut self, leaf: usize, reply: &ReplySummary<'_>, cx: &Cx<'_>) {
        let scene = self.client.filter_scene(self.id, &self.service.name, cx);
        let path: Vec<usize> = Node::path(&self.nodes, leaf).collect();
        for ix in path {
            let Some(node) = self.nodes.get_mut(ix) else {
                continue;
            };
            tell(node.filters.iter_mut(), reply, &scene);
        }
        tell(self.own_filters.iter_mut(), reply, &scene);
    }

    /// Filters hear of an answer that no server gave: those that saw the command, but not the one
    /// that answered it.
    pub(crate) fn tell_passed(&mut self, error: Option<&ErrReply>, cx: &Cx<'_>) {
        let trx = self.trx;
        let reply = ReplySummary {
            command: Command::Query,
            error: error.map(|reply| reply.code),
            error_text: error.map_or(&[], |reply| reply.text.as_bytes()),
            rows: 0,
            bytes: 0,
            warnings: 0,
            status: self.status().bits(),
            has_rows: false,
            sent: cx.now,
            first_byte: cx.now,
            server: None,
            trx: &trx,
        };
        let scene = self.client.filter_scene(self.id, &self.service.name, cx);
        for passed in self.passed.iter().rev() {
            let slots = match passed.node {
                None => &mut self.own_filters,
                Some(ix) => match self.nodes.get_mut(ix) {
                    Some(node) => &mut node.filters,
                    None => continue,
                },
            };
            let seen = passed.filters - usize::from(passed.verdict.is_some());
            tell(slots.iter_mut().take(seen), &reply, &scene);
        }
    }
}

/// Tells these filters, the last first, how a command ended.
fn tell<'a>(
    slots: impl DoubleEndedIterator<Item = &'a mut FilterSlot>,
    reply: &ReplySummary<'_>,
    scene: &FilterScene<'_>,
) {
    for slot in slots.rev().filter(|slot| slot.wants.replies) {
        slot.session.on_reply(reply, scene);
    }
}
