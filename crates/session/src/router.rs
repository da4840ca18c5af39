//! What a router is to the session core.
//!
//! A [`Router`] is one service's object: parameters, shared by all its sessions. A
//! [`RouterSession`] is one client connection's state. It chooses among [`TargetId`]s, which may
//! stand for servers or for other services; it never sees a socket, a packet header or a byte of
//! a result. [`RouterSession::route`] is a pure function of what it is shown: the core may call it
//! again for the same command (after `Wait`, or when a connection it asked for is up or failed),
//! and tells it by [`RouterSession::on_routed`] which decision was carried out.

use crate::fault::{ErrReply, SessionFault};
use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::TargetId;
use crate::position::{Before, Behind, Told};
use crate::replay::ReplayRules;
use crate::request::{OwnAnswer, Request, runs_statement};
use crate::scene::Scene;
use crate::sync::SyncRules;
use crate::time::Instant;
use tidegate_wire::Command;

/// A router with its parameters: what a service has one of.
pub trait Router: std::fmt::Debug + Send + Sync {
    /// The module's name, as in `router=`.
    fn name(&self) -> &'static str;
    /// What its sessions need from the core. `lends`: the service that their clients connect to has
    /// idle sessions lend their connections.
    fn needs(&self, lends: bool) -> Needs;
    /// The words for the reasons that it counts in
    /// [`ServiceShard::primary_reasons`](crate::ServiceShard::primary_reasons), by their numbers.
    fn primary_reasons(&self) -> &'static [&'static str] {
        &[]
    }
    /// Makes the state for a new session and says which targets it wants connected at once.
    ///
    /// # Errors
    /// The session is refused.
    fn start(&self, scene: &Scene<'_>)
    -> Result<(Box<dyn RouterSession>, TargetSet), SessionFault>;
    /// Makes a session's state from what [`RouterSession::freeze`] wrote.
    ///
    /// # Errors
    /// The encoding is not ours.
    fn thaw(&self, from: &mut Decoder<'_>) -> Result<Box<dyn RouterSession>, FreezeError>;
}

/// What a router needs of the core; decided once, when a session starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Statements are classified and the decision may depend on their text.
    pub statements: bool,
    /// Session commands are recorded and repeated on new connections; prepared statements get the
    /// proxy's own ids. Without it there is one connection, and ids pass through untouched.
    pub history: bool,
    /// A statement is kept until its answer begins, so that it can be sent again after a server has
    /// said that it did not execute it; a session command also when the one who answers it is lost.
    pub keeps: bool,
    /// The open transaction is recorded, so that it can be repeated when its server is lost; `None`:
    /// it is not. Only with `statements` and `history`.
    pub replay: Option<ReplayRules>,
    /// Prepared statements that the client closes are kept and given out again. Only with `history`.
    pub reuses: bool,
    /// Servers report the transactions that statements write, and commands may wait for a server's
    /// position: [`RouterSession::before`] and its siblings are called.
    pub positions: bool,
    /// What is written is told when so many replicas have it; `None`: at once. Only with `positions`.
    pub sync: Option<SyncRules>,
    /// Servers are chosen by the positions that monitors see, whose every change must be known.
    pub monitored: bool,
}

/// The state of a router for one client connection.
pub trait RouterSession: std::fmt::Debug + Send {
    /// Where does this go? Changes nothing.
    fn route(&self, request: &Request<'_>, scene: &Scene<'_>) -> Decision;
    /// Why [`RouterSession::route`] decides as it does, for people: asked only to explain.
    fn reasoning(&self, request: &Request<'_>, scene: &Scene<'_>) -> Reasoning {
        let _ = (request, scene);
        Reasoning {
            rule: "router",
            sentence: "The router gives no reasons.",
            verdicts: Vec::new(),
            effects: Vec::new(),
        }
    }
    /// What must hold before the command runs on the target that was chosen, whose server is not a
    /// primary? Changes nothing.
    fn before(&self, request: &Request<'_>, target: TargetId, scene: &Scene<'_>) -> Before {
        let _ = (request, target, scene);
        Before::Nothing
    }
    /// A target has said something about its position. What a write is answered with is told before
    /// the answer leaves.
    fn on_position(&mut self, target: TargetId, told: Told<'_>, scene: &Scene<'_>) {
        let _ = (target, told, scene);
    }
    /// The command at the head has not run on `target`, which did not reach the position in time or
    /// could not tell its own.
    fn on_behind(&mut self, target: TargetId, scene: &Scene<'_>) -> Behind {
        let _ = (target, scene);
        Behind::Reroute
    }
    /// The decision for this command has been carried out: it goes this way.
    fn on_routed(&mut self, request: &Request<'_>, course: Course, scene: &Scene<'_>);
    /// The answer to a command is complete and its last byte on the way to the client.
    fn on_reply(&mut self, target: TargetId, ended: Ended, scene: &Scene<'_>);
    /// A target's connection is gone, or could not be opened.
    fn on_lost(&mut self, loss: &Loss, scene: &Scene<'_>) -> AfterLoss;
    /// A connection that was lent is not wanted back. Nothing is lost with it, and nothing is open on it.
    fn on_renounced(&mut self, target: TargetId) {
        let _ = target;
    }
    /// A server answered the only statement in flight with an error that says more of the server than
    /// of the statement. Is it taken for a loss of the connection, which [`RouterSession::on_lost`]
    /// then hears of? Else the client gets it.
    fn is_loss(&self, refusal: &Refusal<'_>, scene: &Scene<'_>) -> bool {
        let _ = (refusal, scene);
        false
    }
    /// The open transaction is gone with its connection and will be repeated from its first
    /// statement: what was known of it is forgotten.
    fn transaction_lost(&mut self) {}
    /// Nothing is owed: which open targets should be let go? None on which a transaction is open,
    /// which the router knows better than [`Scene::trx`] where autocommit is off.
    fn spare(&self, scene: &Scene<'_>) -> TargetSet {
        let _ = scene;
        TargetSet::EMPTY
    }
    /// Estimated memory of what it knows of user variables.
    fn variable_bytes(&self) -> usize {
        0
    }
    /// What keeps the session on its present connections; `None`: others will do.
    fn tie(&self, scene: &Scene<'_>) -> Option<Tie>;
    /// What the session's later reads must see: kept when a restarted session gets another router.
    fn seen(&self) -> Seen {
        Seen::default()
    }
    /// The session's reads must see this, from its life before a restart.
    fn must_see(&mut self, seen: &Seen) {
        let _ = seen;
    }
    /// COM_CHANGE_USER or COM_RESET_CONNECTION succeeded: what was tied to the old state is gone.
    fn reset(&mut self) {}
    /// Writes the whole state.
    fn freeze(&self, into: &mut Encoder);
}

/// How a command ended whose answer is complete. What it did to the transaction, [`Scene::trx`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which command.
    pub command: Command,
    /// It ended in an error.
    pub failed: bool,
}

impl Ended {
    /// Did the command run a statement?
    #[inline]
    #[must_use]
    pub fn executes(self) -> bool {
        runs_statement(self.command)
    }
}

/// What keeps a session on its present connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// An open transaction: it will end.
    Transaction,
    /// State that no other connection could be given, and that may last as long as the session: a
    /// sentence about it.
    State(&'static str),
}

/// Why a command goes where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasoning {
    /// The stable name of the rule that decides.
    pub rule: &'static str,
    /// What the rule says, in one sentence.
    pub sentence: &'static str,
    /// What it means for each target.
    pub verdicts: Vec<(TargetId, String)>,
    /// What becomes of the command beyond where it goes.
    pub effects: Vec<Effect>,
}

/// Something that becomes of a command beyond where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The parameter it follows from.
    pub name: &'static str,
    /// A sentence.
    pub text: String,
}

/// Where a command goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// To one target. A target without a connection is connected first, and `route` asked again.
    One {
        /// Which.
        target: TargetId,
        /// Nothing is changed by it: any other target may run it, and should the connection be lost
        /// before a byte of the answer was passed on, the router may have it sent elsewhere.
        retry: bool,
        /// A service that is chosen has to run it on a primary: its replicas may lack what the command
        /// must see.
        on_primary: bool,
    },
    /// A session command: to all of `to` that have a connection; the client gets `answer`'s reply.
    All {
        /// Everybody who gets it.
        to: TargetSet,
        /// Whose answer the client gets; a member of `to`.
        answer: TargetId,
    },
    /// The proxy answers.
    Own(OwnAnswer),
    /// The client gets an error, the session goes on.
    Reject(ErrReply),
    /// The session ends with this.
    End(SessionFault),
    /// The open transaction cannot go on where it is: it is repeated elsewhere, and this command is
    /// routed again after it. Where it cannot be repeated the session ends with this.
    Replay(SessionFault),
    /// The open transaction cannot go on where it is, though its connection can: it is undone there
    /// and repeated at once, and this command is routed again after it. Where it cannot be repeated the
    /// session ends with this.
    Move(SessionFault),
    /// Not before the answers that are outstanding have been given.
    Wait,
    /// Nobody can take it now: ask again at that time, or as soon as the servers' states change.
    /// Only if no answer is outstanding. What the client says meanwhile waits behind it. How long
    /// it has been put off so far is [`Scene::put_off_since`].
    Later(Instant),
}

/// The way that a command goes which goes to servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// To one target.
    One(TargetId),
    /// To all of these.
    All {
        /// Everybody who gets it.
        to: TargetSet,
        /// Whose answer the client gets.
        answer: TargetId,
    },
}

impl Decision {
    /// The way to the servers, if it leads there.
    #[must_use]
    pub fn course(&self) -> Option<Course> {
        match *self {
            Decision::One { target, .. } => Some(Course::One(target)),
            Decision::All { to, answer } => Some(Course::All { to, answer }),
            Decision::Own(_)
            | Decision::Reject(_)
            | Decision::End(_)
            | Decision::Replay(_)
            | Decision::Move(_)
            | Decision::Wait
            | Decision::Later(_) => None,
        }
    }
}

impl Course {
    /// Does it lead to this target?
    #[must_use]
    pub fn reaches(&self, id: TargetId) -> bool {
        match self {
            Course::One(target) => *target == id,
            Course::All { to, .. } => to.contains(id),
        }
    }
}

/// The writes that a session knows of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Their positions.
    pub position: tidegate_wire::GtidList,
    /// There are others, of which nobody could say where they are.
    pub unknown: bool,
}

/// An error that a server gives when it shuts down or takes no part in its cluster.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// Whose answer it is.
    pub target: TargetId,
    /// 1053, 1927 or 1047 (MariaDB manual, "MariaDB Error Codes").
    pub code: u16,
    /// Its text, bytewise.
    pub text: &'a [u8],
    /// When the statement first came to be routed.
    pub since: Instant,
    /// The statement changes nothing.
    pub reads: bool,
    /// It could be sent again.
    pub kept: bool,
}

/// What was lost with a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Which target.
    pub target: TargetId,
    /// Did the connection ever become usable?
    pub was_open: bool,
    /// Does a command wait at the head, for this connection or for something else?
    pub command_waits: bool,
    /// How many answers the client was waiting for from it.
    pub owed: usize,
    /// Had a part of the first of them reached the client?
    pub started: bool,
    /// Can the statement be sent again: exactly one owed, not started, and `retry` was set, or it
    /// was refused, or it is a session command and the router's [`Needs::keeps`]?
    pub can_retry: bool,
    /// The server said that it did not execute the statement ([`RouterSession::is_loss`], 1047).
    pub refused: bool,
    /// Can the open transaction, which the loss ended, be repeated?
    pub can_replay: bool,
    /// What was seen.
    pub fault: SessionFault,
}

/// What to do after a loss.
#[derive(Debug, Clone, PartialEq)]
pub enum AfterLoss {
    /// Go on without it. Only if nothing was owed.
    Continue,
    /// Go on without it, and connect these in its place. Only if nothing was owed.
    Connect(TargetSet),
    /// Route the statement again. Only if [`Loss::can_retry`].
    Retry,
    /// Route the statement again, but not before that time or the next change of the servers' states.
    /// Only if [`Loss::can_retry`].
    RetryLater(Instant),
    /// Repeat the open transaction. Only if [`Loss::can_replay`].
    Replay,
    /// The owed answer becomes this error, and the session goes on. Only if one answer was owed
    /// and not started.
    Fail(ErrReply),
    /// The session ends.
    End(SessionFault),
}

impl AfterLoss {
    /// Can the session do without what was lost?
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, AfterLoss::Continue | AfterLoss::Connect(_))
    }
}

/// A set of targets of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TargetSet(u64);

impl TargetSet {
    /// Nobody.
    pub const EMPTY: TargetSet = TargetSet(0);

    /// Just one.
    #[inline]
    #[must_use]
    pub fn one(target: TargetId) -> TargetSet {
        TargetSet::EMPTY.with(target)
    }

    /// This set and `target`.
    #[inline]
    #[must_use]
    pub fn with(self, target: TargetId) -> TargetSet {
        TargetSet(self.0 | 1u64.checked_shl(u32::from(target.0)).unwrap_or(0))
    }

    /// This set without `target`.
    #[inline]
    #[must_use]
    pub fn without(self, target: TargetId) -> TargetSet {
        TargetSet(self.0 & !1u64.checked_shl(u32::from(target.0)).unwrap_or(0))
    }

    /// Is it in?
    #[inline]
    #[must_use]
    pub fn contains(self, target: TargetId) -> bool {
        self.0 & 1u64.checked_shl(u32::from(target.0)).unwrap_or(0) != 0
    }

    /// Nobody in it?
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// This set and those of `others`.
    #[inline]
    #[must_use]
    pub fn union(self, others: TargetSet) -> TargetSet {
        TargetSet(self.0 | others.0)
    }

    /// The members, in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = TargetId> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let first = (left != 0).then(|| TargetId(left.trailing_zeros() as u16));
            left &= left.wrapping_sub(1);
            first
        })
    }
}

impl FromIterator<TargetId> for TargetSet {
    fn from_iter<I: IntoIterator<Item = TargetId>>(targets: I) -> TargetSet {
        targets.into_iter().fold(TargetSet::EMPTY, TargetSet::with)
    }
}
