//! What can happen next, and its happening.

use std::sync::Arc;

use tidegate_session::question::{AccountAnswer, Answer, KillAnswer, Question, ServiceLogin};
use tidegate_session::{
    BackendId, Cause, ErrReply, Instant, KillOrder, Leftover, Session, Side, Whom,
};
use tidegate_wire::SecretBytes;
use tidegate_wire::auth::Secret;
use tidegate_wire::auth::native::hash;

use super::slot::{Link, Reach};
use super::{World, cut};
use crate::client::{Goodbye, Lent, Stage};
use crate::coverage::Rare;
use crate::server::{Conn, Lent as ServerLent, SERVICE};

/// Something that can happen.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A client does what it wants to do.
    Act(usize),
    /// A client reads.
    Read(usize),
    /// The session gets what a side wrote.
    Deliver(usize, Side),
    /// The session is told that a side has closed.
    EndOfStream(usize, Side),
    /// A connection is made, or not.
    Reach(usize, BackendId),
    /// A question is answered.
    Answer(usize),
    Tick(usize),
    /// The session hears of the servers' new states.
    Servers(usize),
    /// A server works.
    Work(usize),
    /// A server notices that the proxy has closed a connection.
    Hear(usize),
    /// Sessions that wait for a connection are served.
    Serve,
    /// Something is done about a connection that no session has.
    Tend(usize),
}

impl World {
    /// Lets one thing happen. `false`: nothing can, at this time.
    pub(super) fn step(&mut self) -> bool {
        self.begin_sessions();
        if self.troubled && self.rng.below(1000) < 40 {
            self.maybe_fault();
        }
        self.replicate();
        self.now.0 += self.rng.below(200) as u64;
        let events = self.possible();
        if events.is_empty() {
            return false;
        }
        let event = self.rng.weighted(&events);
        self.trace.note(&[7, self.now.0], || {
            format!("{:>10} µs {event:?}", self.now.0)
        });
        self.happen(event);
        true
    }

    fn possible(&self) -> Vec<(u32, Event)> {
        let mut events = Vec::with_capacity(32);
        for (ix, slot) in self.slots.iter().enumerate() {
            if slot.client.unread() > 0 {
                events.push((slot.client.plan.reading, Event::Read(ix)));
            }
            if slot.session.is_none() {
                continue;
            }
            if slot.client.wants_to_act() {
                events.push((6, Event::Act(ix)));
            }
            let input = &slot.input;
            let readable = !input.paused && input.kept.len() < Session::WINDOW;
            if readable && !slot.client.to_proxy.is_empty() || input.again && !input.kept.is_empty()
            {
                events.push((10, Event::Deliver(ix, Side::Client)));
            }
            if slot.client.closed
                && !input.ended
                && !input.paused
                && slot.client.to_proxy.is_empty()
            {
                events.push((4, Event::EndOfStream(ix, Side::Client)));
            }
            if slot
                .asked
                .iter()
                .any(|asked| asked.at.is_some_and(|at| at <= self.now))
            {
                events.push((4, Event::Answer(ix)));
            }
            if slot.wake.is_some_and(|at| at <= self.now) {
                events.push((6, Event::Tick(ix)));
            }
            if slot.uninformed {
                events.push((4, Event::Servers(ix)));
            }
            for (backend, link) in slot.open_links() {
                self.possible_on_link(ix, backend, link, &mut events);
            }
        }
        for (ix, conn) in self
            .conns
            .iter()
            .enumerate()
            .filter(|(_, conn)| !conn.is_closed())
        {
            if conn.has_work() {
                events.push((conn.pace, Event::Work(ix)));
            } else if conn.parted {
                events.push((2, Event::Hear(ix)));
            }
        }
        if !self.queued.is_empty() || self.line_can_move() {
            events.push((8, Event::Serve));
        }
        for place in 0..self.shelf.len() {
            if self.shelf_is_busy(place) {
                events.push((6, Event::Tend(place)));
            }
        }
        events
    }

    fn possible_on_link(
        &self,
        ix: usize,
        backend: BackendId,
        link: &Link,
        events: &mut Vec<(u32, Event)>,
    ) {
        let side = Side::Backend(backend);
        match &link.reach {
            Reach::Connecting { at: Some(at), .. } if *at <= self.now => {
                events.push((5, Event::Reach(ix, backend)))
            }
            Reach::Adopted { .. } => events.push((5, Event::Reach(ix, backend))),
            Reach::Connecting { .. } | Reach::Failed => {}
            Reach::Up { conn } => {
                let input = &link.input;
                let pipe = &self.conns[*conn].to_proxy;
                let readable = !input.paused && input.kept.len() < Session::WINDOW;
                if readable && !pipe.is_empty() || input.again && !input.kept.is_empty() {
                    events.push((10, Event::Deliver(ix, side)));
                }
                if link.cut && !input.ended && !input.paused && pipe.is_empty() {
                    events.push((5, Event::EndOfStream(ix, side)));
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(ix) => {
                let mut lent = Lent {
                    model: &mut self.model,
                    accounts: &self.accounts,
                    coverage: &mut self.coverage,
                };
                self.slots[ix].client.act(&mut lent);
            }
            Event::Read(ix) => self.client_reads(ix),
            Event::Deliver(ix, side) => self.deliver(ix, side),
            Event::EndOfStream(ix, side) => {
                self.hear_of_death(ix, side);
                if let Some(input) = self.input(ix, side) {
                    input.ended = true;
                }
                self.enter(ix, &mut [], |session, _, env| session.on_eof(side, env));
            }
            Event::Reach(ix, backend) => self.reach(ix, backend),
            Event::Answer(ix) => self.answer(ix),
            Event::Tick(ix) => {
                self.slots[ix].wake = None;
                self.enter(ix, &mut [], |session, _, env| session.on_tick(env));
            }
            Event::Servers(ix) => {
                self.slots[ix].uninformed = false;
                self.enter(ix, &mut [], |session, _, env| session.on_servers(env));
            }
            Event::Work(conn) => self.work(conn),
            Event::Hear(conn) => self.close_conn(conn),
            Event::Tend(place) => self.tend_shelf(place),
            Event::Serve => self.serve_line(),
        }
    }

    fn client_reads(&mut self, ix: usize) {
        let there = self.slots[ix].client.unread() as usize;
        let count = cut(&mut self.rng, there) as u64;
        let mut lent = Lent {
            model: &mut self.model,
            accounts: &self.accounts,
            coverage: &mut self.coverage,
        };
        self.slots[ix].client.read_some(count, &mut lent);
        self.settle_backlogs(ix);
        let slot = &mut self.slots[ix];
        if slot.closed && slot.client.unread() == 0 {
            slot.client.stage = Stage::Done;
        }
    }

    fn deliver(&mut self, ix: usize, side: Side) {
        let most = self.plan.read_bytes;
        let slot = &mut self.slots[ix];
        let (pipe, input) = match side {
            Side::Client => (&mut slot.client.to_proxy, &mut slot.input),
            Side::Backend(backend) => {
                let Some(link) = slot
                    .links
                    .get_mut(usize::from(backend.0))
                    .and_then(Option::as_mut)
                else {
                    return;
                };
                let Some(conn) = link.conn() else { return };
                (&mut self.conns[conn].to_proxy, &mut link.input)
            }
        };
        let only_again =
            input.paused || input.kept.len() >= Session::WINDOW || input.again && self.rng.coin();
        let there = pipe.len().min(most);
        if there > 0 && !only_again {
            let count = cut(&mut self.rng, there);
            pipe.read(count, &mut input.kept);
        }
        self.hear_of_death(ix, side);
        self.present(ix, side);
        if let Side::Backend(backend) = side {
            let link = self.slots[ix].link(backend).and_then(Link::conn);
            if let Some(conn) = link
                && self.conns[conn].is_closed()
            {
                // The server's goodbye.
                if let Some(link) = self.slots[ix].link_mut(backend) {
                    link.cut = true;
                }
            }
        }
        self.settle_backlogs(ix);
    }

    fn reach(&mut self, ix: usize, backend: BackendId) {
        if let Some(link) = self.slots[ix].link_mut(backend)
            && let Reach::Adopted { conn, leftover } = &link.reach
        {
            let leftover = Leftover::clone(leftover);
            link.reach = Reach::Up { conn: *conn };
            self.enter(ix, &mut [], |session, _, env| {
                session.on_backend_reused(backend, leftover, env)
            });
            return;
        }
        let Some(Link {
            server,
            reach: Reach::Connecting { fails, .. },
            ..
        }) = self.slots[ix].link(backend)
        else {
            return;
        };
        let (server, fails) = (server.0 as usize, *fails);
        if fails || !self.hosts[server].alive {
            if let Some(link) = self.slots[ix].link_mut(backend) {
                link.reach = Reach::Failed;
            }
            self.model
                .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
            self.model.not_connected(ix);
            self.enter(ix, &mut [], |session, _, env| {
                session.on_backend_down(backend, "connection refused", env)
            });
            if self.slots[ix]
                .link(backend)
                .is_some_and(|link| link.reach == Reach::Failed)
            {
                self.slots[ix].links[usize::from(backend.0)] = None;
            }
            return;
        }
        let id = 1000 + self.conns.len() as u32;
        let mut conn = Conn::new(id, server, ix, self.plan.offered, &mut self.rng);
        conn.pace = self.rng.weighted(&[(6, 10), (2, 3), (1, 1)]);
        self.draw_quirks(ix, &mut conn);
        conn.greet();
        self.conns.push(conn);
        let conn = self.conns.len() - 1;
        if let Some(link) = self.slots[ix].link_mut(backend) {
            link.reach = Reach::Up { conn };
        }
        if self
            .conns
            .iter()
            .any(|other| other.session == ix && other.server == server && other.id != id)
        {
            self.coverage.count(Rare::Reconnected);
        }
        self.enter(ix, &mut [], |session, _, env| {
            session.on_backend_up(backend, env)
        });
    }

    fn work(&mut self, conn: usize) {
        let Conn {
            server, session, ..
        } = self.conns[conn];
        let mut lent = ServerLent {
            model: &mut self.model,
            accounts: &self.accounts,
            replication: &mut self.replication,
            rng: &mut self.rng,
            coverage: &mut self.coverage,
        };
        if let Err(text) = self.conns[conn].work(&mut lent) {
            self.model.breach(format!(
                "session {session}: what server {server} got from the proxy: {text}"
            ));
        }
        if self.conns[conn].is_closed() {
            self.cut_link(conn);
        }
        self.settle_backlogs(session);
    }

    /// A session reads what a connection said that has died since: it may learn only now that it has
    /// none, with a command waiting that was issued in between.
    fn hear_of_death(&mut self, ix: usize, side: Side) {
        let Side::Backend(backend) = side else { return };
        if let Some(conn) = self.slots[ix].link(backend).and_then(Link::conn)
            && self.conns[conn].is_closed()
            && !self.conns[conn].quirks.unmissed
        {
            self.model
                .trouble(ix, &[Cause::ServerLost, Cause::NoServer]);
            if !self.conns[conn].has_served {
                self.model.not_connected(ix);
            }
        }
    }

    /// The server's end of a connection is closed: the session will see it behind the last bytes.
    pub(super) fn cut_link(&mut self, conn: usize) {
        let session = self.conns[conn].session;
        for link in self.slots[session].links.iter_mut().flatten() {
            if link.conn() == Some(conn) {
                link.cut = true;
            }
        }
    }

    fn answer(&mut self, ix: usize) {
        let now = self.now;
        let Some(at) = self.slots[ix]
            .asked
            .iter()
            .position(|asked| asked.at.is_some_and(|at| at <= now))
        else {
            return;
        };
        let asked = self.slots[ix].asked.remove(at);
        let token = asked.token;
        let own = match &asked.question {
            Question::Account(_) => None,
            Question::Work(_) => Some(Answer::Work(Err("nobody does it here".to_owned()))),
            Question::Kill(order) => Some(Answer::Kill(no_such_victim(order))),
        };
        if let Some(answer) = own {
            self.enter(ix, &mut [], |session, _, env| {
                session.on_answer(token, answer, env);
            });
        }
        let Question::Account(query) = &asked.question else {
            return;
        };
        let user = String::from_utf8_lossy(&query.user).into_owned();
        let answer = match self.accounts.0.get(&user) {
            Some(_) if asked.stale => {
                // An account manager that has old data: it will be asked again.
                AccountAnswer::by_native(hash(b"old"))
            }
            Some(password) => AccountAnswer::by_native(hash(password.as_bytes())),
            None => AccountAnswer::denied("there is no such account"),
        };
        let answer = self.in_service(answer, &user);
        self.enter(ix, &mut [], |session, _, env| {
            session.on_answer(token, Answer::Account(answer), env)
        });
    }

    /// The same for sessions that servers let in with the service's account, if there are such.
    fn in_service(&self, mut answer: AccountAnswer, user: &str) -> AccountAnswer {
        if let AccountAnswer::Found(found) = &mut answer
            && self.plan.as_service
        {
            found.as_service = Some(Arc::new(ServiceLogin {
                user: SERVICE.0.into(),
                secret: Secret::of_password(SecretBytes::new(SERVICE.1.as_bytes())),
                becomes: format!("`{user}`@`client`").into(),
            }));
        }
        answer
    }

    /// Nothing can happen now: the clock goes on to the next thing that can. `false`: there is none.
    pub(super) fn pass_time(&mut self) -> bool {
        let mut next: Option<Instant> = None;
        let mut soon = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        };
        for slot in self.slots.iter().filter(|slot| slot.session.is_some()) {
            soon(slot.wake);
            for asked in &slot.asked {
                soon(asked.at);
            }
            for (_, link) in slot.open_links() {
                if let Reach::Connecting { at, .. } = link.reach {
                    soon(at);
                }
            }
        }
        self.shelf.iter().for_each(|kept| soon(Some(kept.until())));
        let Some(next) = next else { return false };
        self.now = self.now.max(next);
        true
    }

    /// Nothing will happen any more by itself. `false`: the schedule is over.
    pub(super) fn quiet(&mut self) -> bool {
        self.check_quiet();
        self.coverage.count(Rare::QuietWorld);
        if self.model.broken.is_some() {
            return true;
        }
        if self.heal() {
            return true;
        }
        let waiting = self.slots.iter().position(|slot| slot.session.is_some());
        if let Some(ix) = waiting {
            let silent = self.slots[ix].client.goodbye == Some(Goodbye::Silence);
            let stuck = !silent && self.slots[ix].client.stage != Stage::Done;
            if stuck {
                let client = &self.slots[ix].client;
                let text = format!(
                    "session {ix} is stuck: its client is at {:?} and waits for {}",
                    client.stage, client.waiting
                );
                self.model.breach(text);
                return true;
            }
            let mut lent = Lent {
                model: &mut self.model,
                accounts: &self.accounts,
                coverage: &mut self.coverage,
            };
            self.slots[ix].client.hang_up(&mut lent);
            return true;
        }
        self.model.count() < super::COMMANDS && self.slots.len() < super::MAX_SESSIONS && {
            self.begin_session();
            true
        }
    }
}

/// No session has the number that clients kill.
fn no_such_victim(order: &KillOrder) -> KillAnswer {
    let Whom::Session(id) = &order.whom else {
        return KillAnswer::Done {
            sessions: 0,
            ends: false,
        };
    };
    let text = format!("Unknown thread id: {id}");
    KillAnswer::Refused(ErrReply::new(1094, b"HY000", text))
}
