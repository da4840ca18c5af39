//! Connections that a session does not use are kept from the servers' own `wait_timeout`: now and then
//! they are sent a COM_PING, whose answer nobody sees.
//!
//! A session whose client is idle as well lets them be, unless it is to keep them in any case.

use std::time::Duration;

use tidegate_wire::{Command, Shape};

use crate::backend::{Backend, Owed, OwedTo, State};
use crate::session::{Cx, Phase, Session};
use crate::time::Instant;

/// When idle connections are pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// After so long (`connection_keepalive`).
    pub after: Duration,
    /// Also where the client is idle for as long (`force_connection_keepalive`).
    pub always: bool,
}

impl Backend {
    /// It was used then or later.
    fn last_spoken(&self) -> Instant {
        self.busy_since.max(self.opened)
    }
}

impl Session {
    /// When the next connection is due, or is looked at again; `None`: not before the client says
    /// something.
    pub(crate) fn keepalive_deadline(&self, now: Instant) -> Option<Instant> {
        let Keepalive { after, always } = self.limits.keepalive?;
        if !always && self.client_is_idle_for(after, now) {
            return None;
        }
        let connected = self.backends.iter().filter(|it| it.is_connected());
        connected
            .map(|it| match it.last_spoken().after(after) {
                // It cannot be pinged now.
                overdue if overdue <= now => now.after(after),
                due => due,
            })
            .min()
    }

    /// Is nothing pinged until the client says something?
    pub(crate) fn dozes(&self, now: Instant) -> bool {
        self.limits.keepalive.is_some() && self.keepalive_deadline(now).is_none()
    }

    fn client_is_idle_for(&self, limit: Duration, now: Instant) -> bool {
        self.client_is_idle() && now.since(self.client.last_active) >= limit
    }

    /// Pings the connections that are due.
    pub(crate) fn keep_alive(&mut self, cx: &mut Cx<'_>) {
        let Some(Keepalive { after, always }) = self.limits.keepalive else {
            return;
        };
        let amid_command = self.stream.is_some() || !matches!(self.phase, Phase::Commands);
        if amid_command || !always && self.client_is_idle_for(after, cx.now) {
            return;
        }
        for id in self.backend_ids() {
            let Some(backend) = self.backend_mut(id) else {
                continue;
            };
            let rests = matches!(backend.state, State::Ready) && backend.owed.is_empty();
            if !rests || backend.last_spoken().after(after) > cx.now {
                continue;
            }
            backend.busy_since = cx.now;
            let payload = [Command::Ping.byte()];
            backend.tell(id, Shape::Ok, &payload, Owed::to(OwedTo::Setup), cx);
        }
    }
}
