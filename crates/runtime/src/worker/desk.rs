//! What a worker works with, apart from the table of sessions, and how it calls a session.
//!
//! Every call goes through [`Desk::enter`], which keeps a panic inside: its output is dropped and
//! the session ends alone. What a session wants done is carried out (`apply.rs`) after the call
//! has returned.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mio::Registry;
use tidegate_session::digests::DigestBook;
use tidegate_session::question::{AccountAnswer, Answer, Barred, ClientAddress, Question};
use tidegate_session::{
    BackendId, Backlog, Cause, Env, ErrReply, Instant, Leftover, Level, Output, Session, Side,
    Token, WallTime,
};
use tidegate_sql::Cache;
use tidegate_wire::compress::Codecs;

use super::conn::{Bench, Conn};
use super::key::Key;
use super::lines::Lines;
use super::panic::{self, Catch};
use super::seat::Seated;
use super::shelf::Shelf;
use crate::admission::Loads;
use crate::answer::{Answers, Reply, none};
use crate::blocks::{self, Blocks};
use crate::buffer::Pool;
use crate::config::{Servers, Tuning};
use crate::figures::WorkerShard;
use crate::log::{Line, Log};
use crate::mailbox::Mailbox;
use crate::sys;
use crate::wheel::Wheel;

/// What one read brings at most: enough for a large result, little enough to stay in the cache.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// `Err`: the session is over, with this cause. Whoever gets it must empty the seat.
pub(crate) type Flow<T = ()> = Result<T, Cause>;

/// A connect that failed before there was a socket; reported in the next round.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) session: Key,
    pub(crate) backend: BackendId,
    pub(crate) reason: String,
}

/// A worker's tools.
pub(crate) struct Desk {
    pub(crate) index: usize,
    pub(crate) now: Instant,
    pub(crate) wall: WallTime,
    pub(crate) servers: Servers,
    /// Addresses from which too many logins failed.
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) tuning: Tuning,
    pub(crate) classifier: Cache,
    pub(crate) digests: DigestBook,
    pub(crate) out: Output,
    pub(crate) read_buffer: Box<[u8]>,
    pub(crate) pool: Pool,
    /// What compresses, for all connections.
    pub(crate) codecs: Codecs,
    pub(crate) registry: Registry,
    /// Who has something to do, each at most once.
    pub(crate) queue: VecDeque<Key>,
    pub(crate) wheel: Wheel,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) log: Log,
    /// What it counts.
    pub(crate) shard: Arc<WorkerShard>,
    pub(crate) refusals: VecDeque<Refusal>,
    /// Connections to servers that were closed with unsent bytes, and those (`true`) whose last answers
    /// are still to be read: a server that cannot write them notes an aborted connection.
    pub(crate) parted: Vec<(Conn, bool)>,
    pub(crate) serial: u32,
    /// Sides that the present output sent to.
    pub(crate) touched: Vec<Side>,
    /// Sides with more unsent bytes than the high water mark; the session does not know yet.
    pub(crate) swollen: Vec<Side>,
    /// Answers that were known at once; the session does not know yet.
    pub(crate) known: Vec<(Token, Answer)>,
    /// Connections that no session has.
    pub(crate) shelf: Shelf,
    /// None is kept any more.
    pub(crate) closing: bool,
    /// Connections that the session got from there; it does not know yet.
    pub(crate) adopted: Vec<(BackendId, Leftover)>,
    /// Connections for which the session has to wait; it does not know yet.
    pub(crate) queued: Vec<BackendId>,
    pub(crate) lines: Lines,
    pub(crate) loads: Arc<Loads>,
}

impl Desk {
    pub(crate) fn shard(&self) -> &WorkerShard {
        &self.shard
    }

    pub(crate) fn bench(&mut self) -> Bench<'_> {
        Bench {
            pool: &mut self.pool,
            codecs: &mut self.codecs,
            shard: &self.shard,
            registry: &self.registry,
        }
    }

    /// A name for a new socket.
    pub(crate) fn key(&mut self, seat: u32, side: Side) -> Key {
        self.serial = self.serial.wrapping_add(1);
        Key::new(seat, side, self.serial)
    }

    /// Puts a connection into the run queue, unless it is there.
    pub(crate) fn enqueue(queue: &mut VecDeque<Key>, conn: &mut Conn) {
        if !conn.queued {
            conn.queued = true;
            queue.push_back(conn.key);
        }
    }

    /// Calls the session and carries out what it wants: a whole event that brings no bytes.
    pub(crate) fn event<R>(
        &mut self,
        seated: &mut Seated,
        call: impl FnOnce(&mut Session, &mut Env<'_>) -> R,
    ) -> Flow<R> {
        let result = self.enter(seated, call)?;
        self.apply(seated, &[])?;
        self.settle(seated)?;
        Ok(result)
    }

    /// Calls the session.
    #[inline]
    pub(crate) fn enter<R>(
        &mut self,
        seated: &mut Seated,
        call: impl FnOnce(&mut Session, &mut Env<'_>) -> R,
    ) -> Flow<R> {
        let mut env = Env {
            now: self.now,
            wall: self.wall,
            servers: &self.servers.views,
            worker: self.index,
            log: self.tuning.log,
            classifier: &mut self.classifier,
            digests: &mut self.digests,
            out: &mut self.out,
        };
        sys::serving(seated.id.0);
        let result = panic::catch(|| call(&mut seated.session, &mut env));
        sys::serving(0);
        match result {
            Ok(result) => Ok(result),
            Err(caught) => {
                self.panicked(seated, &caught);
                Err(Cause::Panic)
            }
        }
    }

    /// Makes a session out of nothing; `None` if that panicked.
    pub(crate) fn begin(&mut self, call: impl FnOnce(&mut Env<'_>) -> Session) -> Option<Session> {
        let mut env = Env {
            now: self.now,
            wall: self.wall,
            servers: &self.servers.views,
            worker: self.index,
            log: self.tuning.log,
            classifier: &mut self.classifier,
            digests: &mut self.digests,
            out: &mut self.out,
        };
        let result = panic::catch(|| call(&mut env));
        result
            .map_err(|caught| self.report(&format!("a session could not begin: {caught}")))
            .ok()
    }

    /// After an output was carried out: what came of it that the session has to know.
    pub(crate) fn settle(&mut self, seated: &mut Seated) -> Flow {
        loop {
            if let Some((token, answer)) = self.known.pop() {
                self.enter(seated, |session, env| session.on_answer(token, answer, env))?;
            } else if let Some(side) = self.swollen.pop() {
                self.enter(seated, |session, env| {
                    session.on_backlog(side, Backlog::High, env);
                })?;
            } else if let Some((backend, leftover)) = self.adopted.pop() {
                self.enter(seated, |session, env| {
                    session.on_backend_reused(backend, leftover, env);
                })?;
            } else if let Some(backend) = self.queued.pop() {
                self.enter(seated, |session, env| {
                    session.on_backend_queued(backend, env)
                })?;
            } else {
                return Ok(());
            }
            self.apply(seated, &[])?;
        }
    }

    /// Gets an answer, now or later.
    pub(crate) fn ask(&mut self, seated: &Seated, token: Token, question: Question) {
        let answers = &self.answers;
        if let Question::Account(query) = &question
            && self.blocks.holds(&query.address, self.now)
        {
            let text = blocks::text(&query.address);
            let barred = Barred {
                reason: text.clone(),
                reply: ErrReply::new(blocks::CODE, b"HY000", text),
            };
            let refused = Answer::Account(AccountAnswer::Refused(barred));
            return self.known.push((token, refused));
        }
        let denied = none(
            &question,
            "a defect in Tidegate: whoever was asked panicked",
        );
        let asked = catch_unwind(AssertUnwindSafe(|| match answers.at_once(&question) {
            Some(answer) => Some(answer),
            None => {
                let mailbox = Arc::clone(&self.mailbox);
                let reply = Reply::new(mailbox, seated.id, token, &question);
                answers.later(question, reply);
                None
            }
        }));
        if let Some(answer) = asked.unwrap_or(Some(denied)) {
            self.known.push((token, answer));
        }
    }

    /// A login, or a change of user, ended: an address from which too many fail is blocked.
    pub(crate) fn note_login(&mut self, address: &ClientAddress, proven: bool) {
        let limit = self.tuning.max_auth_errors;
        if self.blocks.note(address, proven, limit, self.now) {
            let text = format!(
                "host '{}' is blocked for a minute: {limit} logins from there failed in a row (max_auth_errors_until_block)",
                address.host()
            );
            self.log.write(Line {
                wall: self.wall,
                ..Line::new(Level::Warning, text)
            });
        }
    }

    /// Ends a session whose entry point panicked: its output is dropped, its counters are given
    /// back.
    fn panicked(&mut self, seated: &mut Seated, caught: &Catch) {
        self.out.clear();
        self.shard().panics.add(1);
        self.report(&format!(
            "({}) session ended: {}: a defect in Tidegate, please report it: {caught}",
            seated.id,
            Cause::Panic.word()
        ));
        let (servers, index, now, wall, log) = (
            &self.servers.views,
            self.index,
            self.now,
            self.wall,
            self.tuning.log,
        );
        let (classifier, digests, out) = (&mut self.classifier, &mut self.digests, &mut self.out);
        let mut env = Env {
            now,
            wall,
            servers,
            worker: index,
            log,
            classifier,
            digests,
            out,
        };
        // If even that panics, some counters stay too high; the session ends all the same.
        let abandoned = panic::catch(|| seated.session.abandon(&mut env));
        if abandoned.is_ok() {
            for line in self.out.logs.drain(..) {
                self.log
                    .session(seated.id, &seated.session.service().name, self.wall, line);
            }
        }
        self.out.clear();
    }

    fn report(&self, text: &str) {
        self.log.write(Line {
            wall: self.wall,
            ..Line::new(Level::Error, text.to_owned())
        });
    }
}
