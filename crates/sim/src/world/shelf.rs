//! Connections that sessions have left behind, kept for others as a worker keeps them.

use tidegate_session::{BackendId, Cause, Fit, Instant, Leftover, Said, ServerId};

use super::World;
use super::slot::{Input, Link, Reach};
use crate::coverage::Rare;

/// One of them.
#[derive(Debug)]
pub(super) struct Shelved {
    /// The server's end.
    conn: usize,
    server: ServerId,
    leftover: Leftover,
    /// What the server has said since.
    said: Vec<u8>,
    /// It is kept no longer.
    until: Instant,
}

impl Shelved {
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

impl World {
    /// A session leaves a connection behind.
    pub(super) fn park(&mut self, ix: usize, backend: BackendId, leftover: Leftover) {
        let link = self.slots[ix]
            .links
            .get_mut(usize::from(backend.0))
            .and_then(Option::take);
        let Some(conn) = link.as_ref().and_then(Link::conn) else {
            self.model.breach(format!(
                "session {ix}: {backend:?} is left behind and was not open"
            ));
            return;
        };
        let server = ServerId(self.conns[conn].server as u32);
        let rules = self.views.get(server).and_then(|view| view.pool);
        let kept = self.shelf.iter().filter(|other| other.server == server);
        let count = kept.count() as u64;
        let Some(rules) = rules.filter(|rules| count < rules.most) else {
            self.say_goodbye(conn);
            return;
        };
        self.coverage.count(Rare::Parked);
        self.shelf.push(Shelved {
            conn,
            server,
            leftover,
            said: link.map(|link| link.input.kept).unwrap_or_default(),
            until: self.now.after(rules.max_age),
        });
    }

    fn say_goodbye(&mut self, conn: usize) {
        self.conns[conn].from_proxy.push(&[1, 0, 0, 0, 1]);
        self.conns[conn].parted = true;
        self.model.parted.insert(self.conns[conn].id);
    }

    /// A connection that another session left behind, if there is one that fits.
    pub(super) fn adopt(&mut self, ix: usize, server: ServerId, fit: Fit) -> Option<Link> {
        let now = self.now;
        let place = self.shelf.iter().rposition(|shelved| {
            shelved.leftover.due == 0
                && shelved.server == server
                && shelved.leftover.fit == fit
                && shelved.until > now
        })?;
        let Shelved { conn, leftover, .. } = self.shelf.remove(place);
        self.coverage.count(Rare::Adopted);
        let connection = &mut self.conns[conn];
        connection.session = ix;
        if connection.hung || connection.is_closed() || connection.quirks.outlast_sessions() {
            self.model.sessions[ix].bound = true;
            let causes = [
                Cause::ServerLogin,
                Cause::NoServer,
                Cause::ServerLost,
                Cause::SessionCommand,
            ];
            self.model.trouble(ix, &causes);
        }
        Some(Link {
            server,
            reach: Reach::Adopted {
                conn,
                leftover: Box::new(leftover),
            },
            input: Input::default(),
            cut: self.conns[conn].is_closed(),
        })
    }

    /// Something is to be done about this one.
    pub(super) fn shelf_is_busy(&self, place: usize) -> bool {
        let shelved = &self.shelf[place];
        let conn = &self.conns[shelved.conn];
        conn.is_closed() || !conn.to_proxy.is_empty() || shelved.until <= self.now
    }

    /// Reads what its server has said, or parts with it.
    pub(super) fn tend_shelf(&mut self, place: usize) {
        let shelved = &mut self.shelf[place];
        let conn = &mut self.conns[shelved.conn];
        let there = conn.to_proxy.len();
        if there > 0 {
            let count = super::cut(&mut self.rng, there);
            conn.to_proxy.read(count, &mut shelved.said);
        }
        let said = Said::look(&shelved.said, shelved.leftover.due);
        if said == Said::Reset {
            shelved.leftover.due = 0;
            shelved.said.clear();
        }
        let sound = said != Said::Other;
        let over = conn.is_closed() || shelved.until <= self.now;
        if !sound || over {
            let shelved = self.shelf.remove(place);
            self.say_goodbye(shelved.conn);
        }
    }

    /// Servers that take no new connections have none on the shelf.
    pub(super) fn sort_out_shelf(&mut self) {
        let mut place = 0;
        while place < self.shelf.len() {
            let server = self.shelf[place].server;
            let view = self.views.get(server);
            if view.is_some_and(|view| view.status.connectable()) {
                place += 1;
            } else {
                let shelved = self.shelf.remove(place);
                self.say_goodbye(shelved.conn);
            }
        }
    }
}
