//! SET TRANSACTION without a scope: it holds for the next transaction of the one connection it was said
//! to, the primary's, and is said again to the connection that takes that one's place.
//!
//! Left out on purpose: a transaction that is repeated has what was said before it on record.

use tidegate_wire::{Command, Shape};

use crate::backend::{Owed, OwedTo};
use crate::ids::BackendId;
use crate::request::Request;
use crate::session::{Cx, Session};
use crate::ticket::Then;
use crate::world::ServerStatus;

/// The most that is remembered: an isolation level and an access mode, said a few times over.
const MAX_SAID: usize = 8;

impl Session {
    /// What is to be remembered of a SET TRANSACTION that succeeds.
    pub(crate) fn next_transaction(&self, request: &Request<'_>) -> Then {
        Then::NextTransaction {
            payload: [&[Command::Query.byte()], request.text].concat(),
            first: !self.trx.rewound().is_next_pending(),
        }
    }

    /// A SET TRANSACTION has succeeded; `first`: the first since the last transaction.
    pub(crate) fn note_next_transaction(&mut self, payload: &[u8], first: bool) {
        if first {
            self.next_trx.clear();
        }
        if self.next_trx.len() < MAX_SAID {
            self.next_trx.push(payload.into());
        }
    }

    /// Says to a new connection to the primary what holds for the next transaction.
    pub(crate) fn say_next_transaction(&mut self, id: BackendId, cx: &mut Cx<'_>) {
        if !self.trx.is_next_pending() {
            return;
        }
        let Some(backend) = self.backends.get_mut(usize::from(id.0)) else {
            return;
        };
        let view = cx.servers.get(backend.server);
        if !view.is_some_and(|view| view.status.has(ServerStatus::MASTER)) {
            return;
        }
        for payload in &self.next_trx {
            backend.tell(id, Shape::Query, payload, Owed::to(OwedTo::Setup), cx);
        }
    }
}
