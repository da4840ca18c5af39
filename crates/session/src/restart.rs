//! Restarting a session: it takes its service's present configuration, and its client does not
//! notice.
//!
//! At a rest outside a transaction the tree of services is made anew from the snapshot that came
//! with the wish; then the old connections are closed and new ones opened, which are told the
//! session's history like any other. What the client sees of the session stays: its number, user,
//! database, prepared statements, and the filters of its own.
//!
//! Left out on purpose: what only the old connections know, such as locks and temporary tables. A
//! session that has some is not restarted.

use std::sync::Arc;

use crate::backend::Backend;
use crate::chain::{Node, TreeNeeds, replay_rules, sync_rules};
use crate::control::ControlError;
use crate::output::Level;
use crate::replay::Replay;
use crate::router::{Seen, Tie};
use crate::service::ServiceSpec;
use crate::session::{Cx, Session};
use crate::sync::Syncing;

/// The tree that a session runs on while another is made in its place.
#[derive(Debug)]
pub(crate) struct Displaced {
    service: Arc<ServiceSpec>,
    nodes: Vec<Node>,
    backends: Vec<Backend>,
}

impl Session {
    /// Takes note of the wish, if it can be granted as things are.
    pub(crate) fn plan_restart(
        &mut self,
        service: Arc<ServiceSpec>,
        cx: &Cx<'_>,
    ) -> Result<(), ControlError> {
        if !self.has_login() {
            return Err(ControlError::NotOpen);
        }
        let needs = service.router.needs(service.sharing.is_some());
        let obstacle = if !self.needs.history || !needs.history {
            Some(
                "its router keeps no session command history, so its state could not be made again",
            )
        } else if service.history.disabled || !(self.history.recoverable() || self.last_seq == 0) {
            Some(
                "its session command history is not kept whole, so its state could not be made again",
            )
        } else {
            match self.tie(cx) {
                Some(Tie::State(what)) => Some(what),
                Some(Tie::Transaction) | None => None,
            }
        };
        if let Some(obstacle) = obstacle {
            return Err(ControlError::Restart(obstacle));
        }
        self.next_service = Some(service);
        Ok(())
    }

    /// What keeps the session on its present connections, as its routers know it.
    pub(crate) fn tie(&self, cx: &Cx<'_>) -> Option<Tie> {
        (0..self.nodes.len()).find_map(|ix| {
            let router = self.nodes.get(ix)?.router.as_ref()?;
            router.tie(&self.scene(ix, cx)?)
        })
    }

    /// Restarts the session if that is wished and possible now.
    pub(crate) fn restart_if_due(&mut self, cx: &mut Cx<'_>) {
        let in_transaction = self.trx.is_open() && self.trx.autocommit();
        if self.next_service.is_none()
            || !self.at_rest()
            || in_transaction
            || self.trx.is_next_pending()
            || self.stmts.tied_to_connection()
            || !(self.history.recoverable() || self.last_seq == 0)
            || self.tie(cx).is_some()
        {
            return;
        }
        if let Some(service) = self.next_service.take() {
            self.restart(service, cx);
        }
    }

    /// Puts the old tree back in its place, if it was displaced; returns what stood there.
    pub(crate) fn put_back(&mut self) -> Option<Displaced> {
        let old = *self.displaced.take()?;
        Some(Displaced {
            service: std::mem::replace(&mut self.service, old.service),
            nodes: std::mem::replace(&mut self.nodes, old.nodes),
            backends: std::mem::replace(&mut self.backends, old.backends),
        })
    }

    /// What the routers know of the session's writes.
    fn seen(&self) -> Seen {
        let routers = self.nodes.iter().filter_map(|node| node.router.as_ref());
        routers.fold(Seen::default(), |mut all, router| {
            let seen = router.seen();
            all.position.merge(&seen.position);
            all.unknown |= seen.unknown;
            all
        })
    }

    fn restart(&mut self, service: Arc<ServiceSpec>, cx: &mut Cx<'_>) {
        self.displaced = Some(Box::new(Displaced {
            service: std::mem::replace(&mut self.service, service),
            nodes: std::mem::take(&mut self.nodes),
            backends: std::mem::take(&mut self.backends),
        }));
        let lending = self.lending.take();
        let made = self.make_tree(false, cx);
        let Some(new) = self.put_back() else { return };
        let eager = match made {
            Ok(eager) => eager,
            Err(fault) => {
                self.replay = replay_rules(&self.service).map(|rules| Box::new(Replay::new(rules)));
                self.sync = sync_rules(&self.service).map(|rules| Box::new(Syncing::new(rules)));
                self.lending = lending;
                self.needs = TreeNeeds::of(&self.nodes, &self.own_filters, self.client.caps);
                self.log(Level::Warning, cx, || {
                    format!("the session was not restarted and goes on as it was: {fault}")
                });
                return;
            }
        };
        self.close_services(cx);
        self.close_backends(cx);
        let seen = self.seen();
        self.service = new.service;
        self.nodes = new.nodes;
        for router in self
            .nodes
            .iter_mut()
            .filter_map(|node| node.router.as_mut())
        {
            router.must_see(&seen);
        }
        self.backends = new.backends;
        self.needs = TreeNeeds::of(&self.nodes, &self.own_filters, self.client.caps);
        self.history.limit(self.service.history);
        self.tune(cx.servers);
        if !self.needs.reuses {
            self.stop_reusing(cx);
        }
        self.find_digests(cx);
        for backend in eager {
            self.open(backend, cx);
        }
        self.moved = true;
        self.log(Level::Info, cx, || {
            "restarted with the service's present configuration".to_owned()
        });
    }
}
