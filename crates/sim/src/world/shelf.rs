//! Connections that sessions have left behind, kept for others as a worker keeps them.

use tidegate_session::{BackendId, Cause, Fit, Instant, Leftover, Owner, Said, ServerId, Wanted};

use super::World;
use super::slot::{Input, Link, Reach, Slot};
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

    /// A session wants a connection: one that is kept, a new one, or it waits.
    pub(super) fn want(&mut self, ix: usize, wanted: Wanted) {
        let others = self
            .line
            .iter()
            .any(|(_, other)| other.server == wanted.server);
        if others && wanted.waits || !self.obtain(ix, wanted) {
            if wanted.waits {
                self.coverage.count(Rare::Queued);
                self.line.push_back((ix, wanted));
                self.model
                    .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
                self.queued.push((ix, wanted.backend));
            } else {
                self.connect(ix, wanted.backend, wanted.server);
            }
        }
    }

    fn obtain(&mut self, ix: usize, wanted: Wanted) -> bool {
        let Wanted {
            backend,
            server,
            fit,
            own,
            ..
        } = wanted;
        if let Some(link) = fit.and_then(|fit| self.adopt(ix, server, fit, own)) {
            self.seat(ix, usize::from(backend.0), link);
            return true;
        }
        if self.is_full(server) {
            let unfit = self.shelf.iter().position(|other| other.server == server);
            let Some(unfit) = unfit else { return false };
            let shelved = self.shelf.remove(unfit);
            self.say_goodbye(shelved.conn);
        }
        self.connect(ix, backend, server);
        true
    }

    /// Has the server as many connections as it may?
    fn is_full(&self, server: ServerId) -> bool {
        let Some(most) = self.plan.sharing.map(|(_, _, most)| most) else {
            return false;
        };
        let links = self.slots.iter().flat_map(Slot::open_links);
        let used = links.filter(|(_, link)| link.server == server).count();
        let kept = self.shelf.iter().filter(|kept| kept.server == server);
        used + kept.count() >= most
    }

    /// Can somebody who waits be served?
    pub(super) fn line_can_move(&self) -> bool {
        self.line.iter().any(|(_, wanted)| {
            let kept = |one: &Shelved| one.server == wanted.server;
            !self.is_full(wanted.server) || self.shelf.iter().any(kept)
        })
    }

    /// The session does not wait any more. `false`: it has not.
    pub(super) fn leave_line(&mut self, ix: usize, backend: BackendId) -> bool {
        let before = self.line.len();
        self.line
            .retain(|(who, wanted)| (*who, wanted.backend) != (ix, backend));
        let left = self.line.len() < before;
        if left {
            // It has waited for too long.
            self.model
                .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
            self.model.not_connected(ix);
        }
        left
    }

    /// Serves the first who can be served, if there is one.
    pub(super) fn serve_line(&mut self) {
        for (ix, backend) in std::mem::take(&mut self.queued) {
            self.enter(ix, &mut [], |session, _, env| {
                session.on_backend_queued(backend, env)
            });
        }
        let mut without = Vec::new();
        for place in 0..self.line.len() {
            let (ix, wanted) = self.line[place];
            if without.contains(&wanted.server) {
                continue;
            }
            if self.obtain(ix, wanted) {
                self.line.remove(place);
                self.enter(ix, &mut [], |session, _, env| {
                    session.on_backend_served(wanted.backend, env)
                });
                return;
            }
            without.push(wanted.server);
        }
    }

    /// A connection that another session left behind, if there is one that fits.
    fn adopt(&mut self, ix: usize, server: ServerId, fit: Fit, own: Option<Owner>) -> Option<Link> {
        let now = self.now;
        let fits = |shelved: &Shelved| {
            shelved.leftover.due == 0
                && shelved.server == server
                && shelved.leftover.fit == fit
                && shelved.until > now
        };
        let mut shelf = self.shelf.iter();
        let owned = shelf
            .position(|kept| own.is_some() && fits(kept) && kept.leftover.owner == own)
            .filter(|_| !self.rng.one_in(3));
        let place = owned.or_else(|| self.shelf.iter().rposition(fits))?;
        if self.shelf[place].leftover.owner.is_some() {
            self.coverage.count(if owned.is_some() {
                Rare::CameBack
            } else {
                Rare::LentTaken
            });
        }
        let Shelved { conn, leftover, .. } = self.shelf.remove(place);
        self.coverage.count(Rare::Adopted);
        let connection = &mut self.conns[conn];
        connection.session = ix;
        connection.has_served &= owned.is_some();
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
