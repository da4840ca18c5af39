//! What a session wants done: the only way it acts on the world.
//!
//! An entry point of [`Session`](crate::Session) takes one event and fills an [`Output`] with
//! operations. The worker (or the simulator) applies them in order *after* the entry point
//! returned, so a panic inside the core leaves the world untouched: its output is dropped whole.
//!
//! Bytes go out either as **spans of the run that came in** ([`Op::Forward`]), which cost no copy,
//! or as bytes that the core made itself ([`Op::Send`]), which lie in [`Output::own`].

use crate::cause::Cause;
use crate::ids::{BackendId, ServerId, Side, Token};
use crate::pooled::{Fit, Leftover, Owner};
use crate::question::{ClientAddress, Question};
use crate::time::Instant;
use std::cell::RefCell;
use std::ops::Range;
use tidegate_wire::compress::Method;

/// One wish of a session. Operations on the same [`Side`] keep their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Write these bytes of the run that was given to the entry point.
    Forward {
        /// Who gets them.
        to: Side,
        /// Where they lie in the run.
        span: Range<usize>,
    },
    /// Write these bytes of [`Output::own`].
    Send {
        /// Who gets them.
        to: Side,
        /// Where they lie in [`Output::own`].
        span: Range<usize>,
    },
    /// Give the bytes of this side that were not consumed (and any that came since) to the
    /// session again: what they waited for has happened.
    Again(Side),
    /// Stop reading from this side until [`Op::Resume`]. Unconsumed bytes stay.
    Pause(Side),
    /// Read from this side again, and present what is there.
    Resume(Side),
    /// Begin TLS on this side; what was sent before goes out in the clear first.
    StartTls(Side),
    /// From here on, both ways, bytes are compressed on this side; what was sent before goes out as it is.
    Compress {
        /// Which.
        side: Side,
        /// How.
        method: Method,
        /// Up to so many bytes go as they are.
        threshold: usize,
    },
    /// Send what is still unsent to this side, then close it. For a backend nothing of it will be
    /// reported any more, and its id may be used again at once.
    Close(Side),
    /// Call `on_tick` at this time or soon after. A later wish replaces an earlier one.
    WakeAt(Instant),
    /// A statement changed accounts, roles or privileges on the servers: for whoever keeps them.
    AccountsChanged,
    /// Something rarer, in its turn among the others.
    Errand(Box<Errand>),
    /// The session is over: flush what the client is still owed (within a time limit), close
    /// everything, forget the session. Nothing follows it.
    Finish(Cause),
}

/// Each statement makes a few of them: what is large or owns memory is an [`Errand`].
const _: () = assert!(size_of::<Op>() <= 32);

/// A wish that is not part of a statement's usual way.
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// Find the answer and give it to [`Session::on_answer`](crate::Session::on_answer).
    Ask {
        /// Comes back with the answer.
        token: Token,
        /// What is asked.
        question: Question,
    },
    /// Open a connection to a server and report with `on_backend_up` or `on_backend_down`.
    Connect(Wanted),
    /// Another session may have this connection: one that the session has no more use for and has had
    /// reset, when the server has confirmed that, or one that it lends. Like [`Op::Close`] otherwise.
    Park {
        /// The session's name for the connection.
        backend: BackendId,
        /// What the next session must know of it.
        leftover: Leftover,
    },
    /// The client proved who it is, or failed to: for whoever counts failures.
    LoginEnded {
        /// Where the client is.
        address: ClientAddress,
        /// It did.
        proven: bool,
    },
}

/// A connection that a session wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The session's name for the connection.
    pub backend: BackendId,
    /// Which server.
    pub server: ServerId,
    /// A connection that another session left behind will do too, if it is this; it is reported
    /// with `on_backend_reused`. `None`: it must be a new one.
    pub fit: Option<Fit>,
    /// The session has lent this one, and wants it back as it was if nobody has it.
    pub own: Option<Owner>,
    /// Where the server has as many connections as it may, the session waits for one, and is told
    /// so by `on_backend_queued`.
    pub waits: bool,
}

/// How important a log line is, in the words of the configuration (`log_info` ...).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something broke.
    Error,
    /// Something an operator should look at.
    Warning,
    /// Something worth knowing in normal operation.
    Notice,
    /// What a person who follows one session wants to read.
    Info,
    /// What a developer wants to read.
    Debug,
}

/// Something that the configuration gives a facility and a level of its own (`event.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A login was refused.
    AuthenticationFailure,
}

/// A line for the log, said on behalf of the session that the worker is serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How important, unless it tells of an event.
    pub level: Level,
    /// One line of text, without secrets.
    pub text: String,
    /// The event it tells of. The log knows its level, and decides whether it is written.
    pub event: Option<Event>,
    /// The session's or its service's own switches ask for it, whatever the log's levels are.
    pub asked: bool,
}

/// The operations and bytes of one entry point. The worker keeps one and reuses its memory.
#[derive(Debug, Default)]
pub struct Output {
    /// What to do, in order.
    pub ops: Vec<Op>,
    /// The bytes that [`Op::Send`] refers to.
    pub own: Vec<u8>,
    /// What to write to the log.
    pub logs: Vec<LogLine>,
    /// What filters had to say, on its way to `logs`.
    pub(crate) warnings: RefCell<Vec<String>>,
}

impl Output {
    /// Forgets everything but keeps the memory, unless an unusual burst made it large.
    pub fn clear(&mut self) {
        const KEEP_BYTES: usize = 64 * 1024;
        self.ops.clear();
        if !self.logs.is_empty() {
            self.logs.clear();
        }
        if !self.warnings.get_mut().is_empty() {
            self.warnings.get_mut().clear();
        }
        self.own.clear();
        if self.own.capacity() > KEEP_BYTES {
            self.own.shrink_to(KEEP_BYTES);
        }
    }

    /// Nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.logs.is_empty()
    }

    /// Wishes for something rare.
    pub(crate) fn errand(&mut self, errand: Errand) {
        self.push(Op::Errand(Box::new(errand)));
    }

    /// Forwards a span of the run, joined with the operation before it where they touch.
    #[inline]
    pub fn forward(&mut self, to: Side, span: Range<usize>) {
        if span.is_empty() {
            return;
        }
        if let Some(Op::Forward {
            to: last_to,
            span: last,
        }) = self.ops.last_mut()
            && *last_to == to
            && last.end == span.start
        {
            last.end = span.end;
            return;
        }
        self.ops.push(Op::Forward { to, span });
    }

    /// Sends bytes of our own that `write` appends.
    pub fn send_with(&mut self, to: Side, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.own.len();
        write(&mut self.own);
        let end = self.own.len();
        if end == start {
            return;
        }
        if let Some(Op::Send {
            to: last_to,
            span: last,
        }) = self.ops.last_mut()
            && *last_to == to
            && last.end == start
        {
            last.end = end;
            return;
        }
        self.ops.push(Op::Send {
            to,
            span: start..end,
        });
    }

    /// Sends a copy of `bytes`.
    pub fn send(&mut self, to: Side, bytes: &[u8]) {
        self.send_with(to, |own| own.extend_from_slice(bytes));
    }

    /// Any other operation.
    #[inline]
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// A line for the log; `asked`: see [`LogLine::asked`].
    pub fn log(&mut self, level: Level, text: String, asked: bool) {
        self.logs.push(LogLine {
            level,
            text,
            event: None,
            asked,
        });
    }
}
