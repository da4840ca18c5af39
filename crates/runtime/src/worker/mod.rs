//! A worker: one thread that owns its sessions from accept to close.
//!
//! The loop: wait for readiness without a time-out, read the clock, take in what became ready
//! (flags only), empty the mailbox, fire timers, then serve the run queue and one step of a job,
//! each with bounded work. While anything is left to do the next wait does not wait.
//!
//! What it leaves out: everything that could block. It never resolves a name, writes a file or
//! waits for a lock that somebody holds for long.
//!
//! The invariant: between rounds, every connection with something to do is in the run queue, and
//! every seat that a session has left is free.

pub(crate) mod accept;
mod apply;
mod conn;
mod desk;
mod jobs;
pub(crate) mod key;
mod life;
mod lines;
mod linger;
mod mail;
mod packed;
pub(crate) mod panic;
mod seat;
mod shelf;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use tidegate_session::digests::DigestBook;
use tidegate_session::world::Counters;
use tidegate_session::{Output, SessionId};
use tidegate_sql::Cache;
use tidegate_wire::compress::Codecs;

use self::accept::{Colleagues, Door, Spare};
use self::desk::{Desk, READ_BYTES};
use self::jobs::Jobs;
use self::key::Key;
use self::lines::Lines;
use self::seat::{Seat, Table};
use self::shelf::Shelf;
use crate::answer::Answers;
use crate::blocks::Blocks;
use crate::buffer::Pool;
use crate::clock::{self, Alarm};
use crate::config::{Servers, Tuning};
use crate::figures::WorkerShard;
use crate::ids::SessionIds;
use crate::log::Log;
use crate::mailbox::{Inbox, Mailbox};
use crate::wheel::Wheel;

/// Readiness events that are taken in at once.
const EVENTS: usize = 1024;

/// Turns in one round, at least: short turns do not cost a wait each.
const ROUND_TURNS: usize = 64;

/// The room that lists of things to do have from the beginning, so that the first of their kind
/// allocates nothing in the middle of the work.
const SCRATCH: usize = 64;

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) poll: Poll,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) colleagues: Colleagues,
    pub(crate) ids: Arc<SessionIds>,
    pub(crate) servers: Servers,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) tuning: Tuning,
    pub(crate) classifier: Cache,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) log: Log,
    pub(crate) counters: Arc<Counters<WorkerShard>>,
    /// May the worker, which is to leave and has nothing left, end?
    pub(crate) leave: Box<dyn Fn() -> bool + Send>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was let go, and is not counted any more.
    LetGo,
    /// With the process.
    WithAll,
}

/// One worker.
pub(crate) struct Worker {
    poll: Poll,
    alarm: Alarm,
    desk: Desk,
    table: Table,
    /// The seats of the sessions.
    ids: HashMap<SessionId, usize>,
    jobs: Jobs,
    inbox: Inbox,
    fired: Vec<usize>,
    colleagues: Colleagues,
    session_ids: Arc<SessionIds>,
    spare: Spare,
    ending: bool,
    leaving: bool,
    leave: Box<dyn Fn() -> bool + Send>,
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> std::io::Result<Worker> {
        let alarm = Alarm::new()?;
        let registry = parts.poll.registry();
        registry.register(
            &mut SourceFd(&alarm.as_fd().as_raw_fd()),
            Key::ALARM.token(),
            Interest::READABLE,
        )?;
        let registry = registry.try_clone()?;
        let (now, wall) = clock::now();
        let desk = Desk {
            index: parts.index,
            now,
            wall,
            servers: parts.servers,
            blocks: parts.blocks,
            tuning: parts.tuning,
            classifier: parts.classifier,
            digests: DigestBook::default(),
            out: Output::default(),
            read_buffer: vec![0; READ_BYTES].into_boxed_slice(),
            pool: Pool::default(),
            codecs: Codecs::default(),
            registry,
            queue: VecDeque::with_capacity(SCRATCH),
            wheel: Wheel::new(now),
            answers: parts.answers,
            mailbox: parts.mailbox,
            log: parts.log,
            shard: Arc::clone(parts.counters.shard(parts.index)),
            refusals: VecDeque::with_capacity(SCRATCH),
            parted: Vec::with_capacity(SCRATCH),
            serial: 0,
            touched: Vec::with_capacity(SCRATCH),
            swollen: Vec::with_capacity(SCRATCH),
            known: Vec::with_capacity(SCRATCH),
            shelf: Shelf::default(),
            closing: false,
            adopted: Vec::with_capacity(SCRATCH),
            queued: Vec::with_capacity(SCRATCH),
            lines: Lines::default(),
            loads: Arc::clone(&parts.colleagues.loads),
        };
        Ok(Worker {
            poll: parts.poll,
            alarm,
            desk,
            table: Table::default(),
            ids: HashMap::new(),
            jobs: Jobs::default(),
            inbox: Inbox::default(),
            fired: Vec::with_capacity(SCRATCH),
            colleagues: parts.colleagues,
            session_ids: parts.ids,
            spare: Spare::new(),
            ending: false,
            leaving: false,
            leave: parts.leave,
        })
    }

    /// Serves until it is told to end and the last session is gone.
    ///
    /// # Errors
    /// The system refuses to report readiness: nothing can be done without.
    pub(crate) fn run(mut self) -> std::io::Result<Ended> {
        let mut events = Events::with_capacity(EVENTS);
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        self.desk
            .shard()
            .thread_id
            .set(u64::from(thread.unsigned_abs()));
        loop {
            if self.table.taken() == 0 {
                if self.ending || self.leaving {
                    self.desk.clear_shelf(true);
                    self.part();
                }
                if self.ending && self.table.taken() == 0 {
                    return Ok(Ended::WithAll);
                }
                if self.leaving && self.table.taken() == 0 && (self.leave)() {
                    self.desk.shard().thread_id.set(0);
                    return Ok(Ended::LetGo);
                }
            }
            self.round(&mut events)?;
        }
    }

    fn round(&mut self, events: &mut Events) -> std::io::Result<()> {
        let busy =
            !self.desk.queue.is_empty() || !self.jobs.is_empty() || !self.desk.refusals.is_empty();
        let busy = busy || self.desk.lines.is_due();
        if !busy {
            self.alarm.arm(self.desk.wheel.next())?;
        }
        match self.poll.poll(events, busy.then_some(Duration::ZERO)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        (self.desk.now, self.desk.wall) = clock::now();
        if self.take_in(events) {
            self.read_mail();
        }
        self.fire();
        let turns = self.desk.queue.len().max(ROUND_TURNS);
        for _ in 0..turns {
            let Some(key) = self.desk.queue.pop_front() else {
                break;
            };
            self.turn(key);
        }
        if self.desk.lines.is_due() {
            self.serve_lines();
        }
        self.report_refusals();
        self.job();
        let spent = clock::coarse().since(self.desk.now);
        let spent_us = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        self.desk.shard().max_round_us.raise(spent_us);
        Ok(())
    }

    /// Sets flags; says whether there is mail.
    fn take_in(&mut self, events: &Events) -> bool {
        let (mut mail, mut count) = (false, 0);
        for event in events {
            count += 1;
            match Key::from_token(event.token()) {
                Key::MAIL => mail = true,
                Key::ALARM => self.alarm.rang(),
                key => self.note(key, event),
            }
        }
        let shard = self.desk.shard();
        shard.rounds.add(1);
        shard.events.add(count);
        shard.max_events.raise(count);
        mail
    }

    fn note(&mut self, key: Key, event: &mio::event::Event) {
        if key.place().is_some() {
            return self.desk.note_shelved(key, event);
        }
        let queue = &mut self.desk.queue;
        let conn = match self.table.get(key.seat()) {
            Some(Seat::Session(seated)) => seated.named(key),
            Some(Seat::Linger(linger)) => Some(&mut linger.conn).filter(|conn| conn.key == key),
            Some(Seat::Door(door)) if door.key == key => {
                door.knock();
                return Worker::enqueue_door(queue, door);
            }
            _ => None,
        };
        if let Some(conn) = conn
            && conn.note(event)
        {
            Desk::enqueue(queue, conn);
        }
    }

    fn enqueue_door(queue: &mut VecDeque<Key>, door: &mut Door) {
        if door.has_work() && !std::mem::replace(&mut door.queued, true) {
            queue.push_back(door.key);
        }
    }

    fn turn(&mut self, key: Key) {
        let desk = &mut self.desk;
        if key.place().is_some() {
            return desk.serve_shelved(key);
        }
        match self.table.get(key.seat()) {
            Some(Seat::Session(seated)) => {
                if let Err(cause) = desk.turn(seated, key) {
                    self.end(key.seat(), cause);
                }
            }
            Some(Seat::Linger(linger)) => {
                let mut scratch = std::mem::take(&mut desk.read_buffer);
                let over = linger.turn(&mut scratch, &mut desk.bench());
                desk.read_buffer = scratch;
                if over {
                    self.end_linger(key.seat());
                }
            }
            Some(Seat::Door(_)) => self.answer_door(key),
            Some(Seat::Free(_)) | None => {}
        }
        self.part();
    }

    fn answer_door(&mut self, key: Key) {
        let mut arrivals = Vec::new();
        let Some(Seat::Door(door)) = self.table.get(key.seat()) else {
            return;
        };
        door.turn(
            &mut self.desk,
            &self.colleagues,
            &mut self.spare,
            |_, arrival, ticket| arrivals.push((arrival, ticket)),
        );
        Worker::enqueue_door(&mut self.desk.queue, door);
        for (arrival, ticket) in arrivals {
            self.begin(arrival, ticket);
        }
    }

    fn fire(&mut self) {
        let mut fired = std::mem::take(&mut self.fired);
        self.desk
            .wheel
            .fire(self.desk.now, |owner| fired.push(owner));
        for owner in fired.drain(..) {
            self.wake(Key::from_raw(owner));
        }
        self.fired = fired;
    }

    fn wake(&mut self, key: Key) {
        if key == Key::LINES {
            return self.ask_for_places();
        }
        if key.place().is_some() {
            self.desk.expire_shelved(key);
            return self.part();
        }
        match self.table.get(key.seat()) {
            Some(Seat::Session(seated)) if seated.client.key == key => {
                self.with_session(key.seat(), |desk, seated| {
                    desk.event(seated, |session, env| session.on_tick(env))
                });
            }
            Some(Seat::Linger(linger)) if linger.conn.key == key => self.end_linger(key.seat()),
            Some(Seat::Door(door)) if door.key == key => {
                door.knock();
                Worker::enqueue_door(&mut self.desk.queue, door);
            }
            _ => {}
        }
    }

    /// Tells sessions about connects that failed at once.
    fn report_refusals(&mut self) {
        // A session may try again at once: that one's turn comes in the next round.
        for _ in 0..self.desk.refusals.len() {
            let Some(refusal) = self.desk.refusals.pop_front() else {
                break;
            };
            self.with_session(refusal.session.seat(), |desk, seated| {
                if seated.client.key != refusal.session {
                    return Ok(());
                }
                desk.event(seated, |session, env| {
                    session.on_backend_down(refusal.backend, &refusal.reason, env);
                })
            });
        }
    }
}
