//! A session's connection to one server: its state, the replies it owes, its names for statements.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_wire::frame::{MAX_FRAME, frame_into};
use tidegate_wire::login::ClientLogin;
use tidegate_wire::reply::ReplyTracker;
use tidegate_wire::{Caps, Shape};

use crate::definitions::Collecting;
use crate::guise::Guise;
use crate::ids::{BackendId, ClientStmtId, ServerId, Side, TargetId, Token};
use crate::session::Cx;
use crate::stmts::StmtMap;
use crate::tally::Tally;
use crate::time::Instant;
use crate::timing::micros;

/// How far a connection is, as routers see it. Ordered: the more open, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// Never again in this session: it refused the login, or answered a session command differently.
    Failed,
    /// Not connected.
    Closed,
    /// Connecting, logging in, or being told the session's state.
    Opening,
    /// Usable.
    Open,
}

/// How far a connection is.
#[derive(Debug)]
pub(crate) enum State {
    Closed,
    Failed,
    /// Lent to others; it may be there when it is wanted again.
    Lent,
    /// The socket is being connected.
    Connecting,
    /// The login dialogue runs.
    Login(Box<ClientLogin>),
    /// Logged in; the replies to our own settings and to the history are outstanding.
    Replaying,
    /// COM_CHANGE_USER was sent; its dialogue runs.
    Switching(Box<ClientLogin>),
    /// The same, on a connection that another session left behind.
    Reusing(Box<ClientLogin>),
    Ready,
}

/// A reply that a connection owes, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) to: OwedTo,
    pub(crate) about: About,
}

/// Which statement a reply is of, where that must be known apart from the client's ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// None, or that of the ticket.
    Else,
    /// It is being prepared.
    Preparing(ClientStmtId),
    /// It is executed, for nobody to see.
    Executing(ClientStmtId),
}

impl Owed {
    /// To somebody, and of no statement that is not the ticket's.
    pub(crate) fn to(to: OwedTo) -> Owed {
        Owed {
            to,
            about: About::Else,
        }
    }

    /// The statement that is being prepared by it.
    pub(crate) fn prepares(&self) -> Option<ClientStmtId> {
        match self.about {
            About::Preparing(stmt) => Some(stmt),
            About::Executing(_) | About::Else => None,
        }
    }
}

/// For whom a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwedTo {
    /// For the client: it answers the oldest ticket.
    Client,
    /// Dropped, and compared with the answer the client gets to session command `seq`.
    Compare { seq: u64 },
    /// Dropped: a repeated session command, which must end as it did the first time.
    Replay { ok: bool },
    /// Dropped: a statement of our own, which must succeed.
    Setup,
    /// Dropped: a statement of `connection_init_sql_file`, which must succeed and return no rows.
    Init { index: usize },
    /// Dropped: the connection turns into the client's, which must succeed.
    Guise,
    /// Dropped: whether a position was reached in time.
    Wait,
    /// Looked at, then dropped: how far the server is.
    Position,
    /// For the client, who gets the end of it when replicas have what was written.
    Kept,
    /// Dropped: whether a replica got in time what the answer with this number told.
    Replica { answer: u64 },
}

impl OwedTo {
    /// Was it sent because of a client's command, and counted as an operation of the server?
    pub(crate) fn is_command(self) -> bool {
        matches!(
            self,
            OwedTo::Client
                | OwedTo::Compare { .. }
                | OwedTo::Wait
                | OwedTo::Position
                | OwedTo::Kept
                | OwedTo::Replica { .. }
        )
    }
}

/// A session's connection to one server.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) server: ServerId,
    /// The node whose target it is, and which.
    pub(crate) node: usize,
    pub(crate) target: TargetId,
    /// Where it is counted.
    pub(crate) tally: Tally,
    pub(crate) state: State,
    /// It has been usable.
    pub(crate) has_served: bool,
    pub(crate) caps: Caps,
    pub(crate) tracker: ReplyTracker,
    pub(crate) owed: VecDeque<Owed>,
    pub(crate) stmts: StmtMap,
    /// Definitions that are coming from it.
    pub(crate) collecting: Option<Box<Collecting>>,
    /// The number the server gave to this connection.
    pub(crate) thread_id: u64,
    pub(crate) last_used: u64,
    /// The connection must be usable by then.
    pub(crate) deadline: Option<Instant>,
    /// Reading is paused.
    pub(crate) paused: bool,
    /// It has more unsent bytes than the high water mark.
    pub(crate) backlogged: bool,
    /// The server's version as a number, from its greeting.
    pub(crate) version: u64,
    /// The TLS cipher; `None`: in the clear.
    pub(crate) cipher: Option<Arc<str>>,
    /// It is a MySQL server, not a MariaDB one.
    pub(crate) mysql_family: bool,
    /// A MySQL server tells the transactions that it writes (`session_track_gtids`).
    pub(crate) tells_gtids: bool,
    /// Its login waits for what comes of this order.
    pub(crate) order: Option<Token>,
    /// What its greeting said: COM_CHANGE_USER needs it again.
    pub(crate) info: Option<Box<tidegate_wire::login::ServerInfo>>,
    /// The default database that it begins with.
    pub(crate) login_schema: Option<Vec<u8>>,
    /// Whom it turned into after the login of the service's account, or will; `None`: it logged in as
    /// the client itself.
    pub(crate) guise: Option<Guise>,
    /// Statements in progress that were counted at the server.
    pub(crate) operations: u64,
    /// Since when there are any.
    pub(crate) busy_since: Instant,
    /// When the connection was begun.
    pub(crate) opened: Instant,
    /// It was lent, and is not usable again yet: to its router it is open.
    pub(crate) lent: bool,
    /// Counts the times that the session lent a connection.
    pub(crate) loan: u64,
    /// The session's state has changed since it was lent.
    pub(crate) stale: bool,
    /// It waits until another session gives one back.
    pub(crate) queued: bool,
    /// Answers to drop before the dialogue of its login.
    pub(crate) skip: u8,
    /// A value for LAST_INSERT_ID() was generated on it.
    pub(crate) generated: bool,
    /// The connection that knew it was lent and did not come back.
    pub(crate) lost_insert_id: bool,
    /// Likewise for what only the statement before left.
    pub(crate) lost_previous: bool,
}

impl Backend {
    pub(crate) fn new(server: ServerId, node: usize, target: TargetId, tally: Tally) -> Backend {
        Backend {
            server,
            node,
            target,
            tally,
            state: State::Closed,
            has_served: false,
            caps: Caps::empty(),
            tracker: ReplyTracker::new(Caps::empty()),
            owed: VecDeque::new(),
            stmts: StmtMap::default(),
            collecting: None,
            thread_id: 0,
            last_used: 0,
            deadline: None,
            paused: false,
            backlogged: false,
            version: 0,
            cipher: None,
            mysql_family: false,
            tells_gtids: false,
            order: None,
            info: None,
            login_schema: None,
            guise: None,
            operations: 0,
            busy_since: Instant::default(),
            opened: Instant::default(),
            lent: false,
            loan: 0,
            stale: false,
            queued: false,
            skip: 0,
            generated: false,
            lost_insert_id: false,
            lost_previous: false,
        }
    }

    /// A statement is in progress that is counted at the server.
    #[inline]
    pub(crate) fn begin_operation(&mut self, now: Instant) {
        if self.operations == 0 {
            self.busy_since = now;
        }
        self.operations += 1;
        self.tally.server.operations.add(1);
    }

    /// It is over, and the connection may rest now.
    #[inline]
    pub(crate) fn end_operation(&mut self, now: Instant) {
        self.operations = self.operations.saturating_sub(1);
        self.tally.server.operations.sub(1);
        if self.operations == 0 {
            let busy_us = micros(now, self.busy_since);
            self.tally.target.busy_us.add(busy_us);
        }
    }

    /// The connection is no more: takes it out of the gauges of its server and of its service.
    pub(crate) fn hand_back(&self, now: Instant) {
        if !planted!(OperationsLeak) {
            self.tally.server.operations.sub(self.operations);
        }
        self.tally.server.connections.sub(1);
        let shard = &self.tally.target;
        shard.connections.sub(1);
        shard.opened_us.sub(self.opened.0);
        shard.held_us.add(micros(now, self.opened));
        if self.operations > 0 {
            shard.busy_us.add(micros(now, self.busy_since));
        }
    }

    #[inline]
    pub(crate) fn link(&self) -> Link {
        match self.state {
            State::Closed | State::Lent => Link::Closed,
            State::Failed => Link::Failed,
            State::Connecting
            | State::Login(_)
            | State::Replaying
            | State::Switching(_)
            | State::Reusing(_) => Link::Opening,
            State::Ready => Link::Open,
        }
    }

    /// The same as routers see it, to whom one that is lent is open.
    #[inline]
    pub(crate) fn shown_link(&self) -> Link {
        match self.link() {
            Link::Closed | Link::Opening if self.lent => Link::Open,
            link => link,
        }
    }

    /// In place of the connection that was lent comes another, which knows nothing yet.
    pub(crate) fn begin_anew(&mut self) {
        let generated = self.generated || self.lost_insert_id;
        *self = Backend {
            state: State::Connecting,
            last_used: self.last_used,
            deadline: self.deadline,
            paused: self.paused,
            opened: self.opened,
            busy_since: self.busy_since,
            lent: true,
            lost_insert_id: generated,
            lost_previous: true,
            has_served: true,
            ..Backend::new(self.server, self.node, self.target, self.tally.clone())
        };
    }

    /// Is there a socket?
    #[inline]
    pub(crate) fn is_connected(&self) -> bool {
        !matches!(self.state, State::Closed | State::Failed | State::Lent)
    }

    /// Is the login over, in whosever name?
    #[inline]
    pub(crate) fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Ready | State::Replaying)
    }

    /// Can commands be written to it, behind what it still owes?
    #[inline]
    pub(crate) fn takes_commands(&self) -> bool {
        match self.state {
            State::Ready => true,
            State::Replaying => planted!(TurnNotAwaited) || !self.owes_guise(),
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn discards(&self) -> usize {
        if self.owed.is_empty() {
            return 0;
        }
        self.owed
            .iter()
            .filter(|owed| owed.to != OwedTo::Client)
            .count()
    }

    /// Does it owe the reply to the statement's preparation?
    pub(crate) fn is_preparing(&self, id: ClientStmtId) -> bool {
        self.owed.iter().any(|owed| owed.prepares() == Some(id))
    }

    /// Does it run what the client waits for, which is session command `seq` if there is one?
    pub(crate) fn runs(&self, seq: Option<u64>) -> bool {
        self.owed.iter().any(|owed| match owed.to {
            OwedTo::Client => true,
            OwedTo::Compare { seq: compared } => Some(compared) == seq,
            OwedTo::Replay { .. }
            | OwedTo::Setup
            | OwedTo::Init { .. }
            | OwedTo::Guise
            | OwedTo::Wait
            | OwedTo::Position
            | OwedTo::Kept
            | OwedTo::Replica { .. } => false,
        })
    }

    pub(crate) fn owes_client(&self) -> usize {
        self.owed
            .iter()
            .filter(|owed| owed.to == OwedTo::Client)
            .count()
    }

    #[inline]
    pub(crate) fn last_used(&self) -> u64 {
        self.last_used
    }

    /// A command of `len` bytes of payload was written, or is being written; its reply is due.
    #[inline]
    pub(crate) fn expect(&mut self, shape: Shape, len: usize, owed: Owed) {
        debug_assert_ne!(shape, Shape::Nothing);
        if len < MAX_FRAME {
            self.tracker.expect(shape);
        } else {
            self.tracker.expect_after_frames(shape);
        }
        self.owed.push_back(owed);
    }

    /// Sends a command of the proxy's own; its payload begins with the command's byte.
    pub(crate) fn tell(
        &mut self,
        id: BackendId,
        shape: Shape,
        payload: &[u8],
        owed: Owed,
        cx: &mut Cx<'_>,
    ) {
        self.expect(shape, payload.len(), owed);
        cx.out
            .send_with(Side::Backend(id), |own| frame_into(own, &mut 0, payload));
    }

    /// Back to no connection at all.
    pub(crate) fn reset(&mut self, state: State) {
        *self = Backend {
            state,
            last_used: self.last_used,
            ..Backend::new(self.server, self.node, self.target, self.tally.clone())
        };
    }
}
