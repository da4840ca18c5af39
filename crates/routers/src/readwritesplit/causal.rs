//! Causal reads: what a read must find on its server, in each of the modes.
//!
//! | mode             | whose writes        | how                                                    |
//! |------------------|---------------------|--------------------------------------------------------|
//! | `local`          | the session's       | waits on the replica                                   |
//! | `global`         | the service's       | waits on the replica                                   |
//! | `fast`           | the session's       | only servers that the monitor saw far enough           |
//! | `fast_global`    | the service's       | only servers that the monitor saw far enough           |
//! | `universal`      | everybody's         | asks the primary first, then waits on the replica      |
//! | `fast_universal` | everybody's         | asks the primary first, then chooses as `fast`         |
//!
//! The primary has everything, so nothing ever waits there. Where a write cannot tell its position (on
//! MySQL without `gtid_mode=ON`, and in an answer whose end has no room for it), reads that must see it go to
//! the primary until a later write tells its own.
//!
//! Invariant: a position only grows while the session lives.

use std::time::Duration;

use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_session::position::{Before, Behind, Told, Wait};
use tidegate_session::request::Request;
use tidegate_session::router::{Seen, TargetSet};
use tidegate_session::world::ServerStatus;
use tidegate_session::{ErrReply, Scene, TargetId};
use tidegate_sql::TypeMask;
use tidegate_wire::{Command, GtidList};

use super::params::CausalReads;

/// The parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mode: CausalReads,
    pub(crate) timeout: Duration,
}

impl Settings {
    pub(crate) fn is_on(self) -> bool {
        self.mode != CausalReads::None
    }

    /// The position counts that the whole service has written.
    fn is_global(self) -> bool {
        matches!(self.mode, CausalReads::Global | CausalReads::FastGlobal)
    }

    /// The primary is asked before each read.
    fn asks(self) -> bool {
        matches!(
            self.mode,
            CausalReads::Universal | CausalReads::FastUniversal
        )
    }

    /// Servers are chosen by what the monitor saw, and nothing waits.
    pub(crate) fn is_fast(self) -> bool {
        matches!(
            self.mode,
            CausalReads::Fast | CausalReads::FastGlobal | CausalReads::FastUniversal
        )
    }
}

/// What one session knows of the writes that its reads must see.
#[derive(Debug, Default)]
pub(crate) struct Causal {
    /// The session's position: its own writes, and what the primary has told.
    position: GtidList,
    /// A write has gone to the primary whose answer is due.
    writing: bool,
    /// When the first of those went, so many writes through the service could not be told where they are.
    untold_before: u64,
    /// A write has succeeded of which the connection could not say what it wrote: only the primary
    /// has it for sure.
    unknown: bool,
    /// The command that has waited in vain and goes to the primary, by its number at the head.
    behind: Option<u64>,
    /// The primary that has told its position, and for which command.
    told: Option<(TargetId, u64)>,
}

impl Causal {
    /// Must a read go to the primary, whatever the replicas are like, and even if there is none?
    pub(crate) fn keeps_on_primary(
        &self,
        settings: Settings,
        request: &Request<'_>,
        primary: Option<TargetId>,
        scene: &Scene<'_>,
    ) -> bool {
        // Where long data go their execution goes, which could not be moved to the primary then.
        let binds = request.command == Command::StmtSendLongData;
        let untold = settings.is_global() && !scene.position().is_known();
        let nobody_to_ask = settings.asks() && primary.is_none();
        settings.is_on() && (self.unknown || binds || untold || nobody_to_ask)
    }

    /// Did the command at the head wait in vain?
    pub(crate) fn is_behind(&self, scene: &Scene<'_>) -> bool {
        self.behind == Some(scene.head())
    }

    /// Targets that are not known to have what a read must find there.
    #[inline]
    pub(crate) fn barred(&self, settings: Settings, scene: &Scene<'_>) -> TargetSet {
        if settings.is_fast() {
            self.not_far_enough(settings, scene)
        } else {
            TargetSet::EMPTY
        }
    }

    fn not_far_enough(&self, settings: Settings, scene: &Scene<'_>) -> TargetSet {
        let needed = self.needed(settings, scene);
        scene
            .targets()
            .filter(|id| {
                let view = scene.target(*id);
                let primary = view.is_some_and(|view| view.status().has(ServerStatus::MASTER));
                let position = view.and_then(|view| view.position());
                match (&needed, position) {
                    _ if primary => false,
                    (Some(needed), _) if needed.is_empty() => false,
                    (Some(needed), Some(position)) => !position.reaches(needed),
                    (None, _) | (_, None) => true,
                }
            })
            .collect()
    }

    /// The position that a read must find; `None`: it is not known.
    fn needed(&self, settings: Settings, scene: &Scene<'_>) -> Option<GtidList> {
        if settings.is_global() {
            let position = scene.position();
            position.get().filter(|_| position.is_known())
        } else {
            Some(self.position.clone())
        }
    }

    /// What must hold before a command runs on `target`.
    pub(crate) fn before(
        &self,
        settings: Settings,
        request: &Request<'_>,
        target: TargetId,
        primary: Option<TargetId>,
        scene: &Scene<'_>,
    ) -> Before {
        if !settings.is_on() || !looks_at_data(request) {
            return Before::Nothing;
        }
        if settings.asks()
            && let Some(first) = self.ask_first(primary, scene)
        {
            return first;
        }
        // A hint, long data, or the service behind, may have chosen a server that is not known to be far
        // enough. The server of a transaction was chosen when it began.
        let behind_service = scene.target(target).is_some_and(|view| view.is_service());
        let known = || !behind_service && !self.not_far_enough(settings, scene).contains(target);
        if settings.is_fast() && (request.trx.is_open() || known()) {
            return Before::Nothing;
        }
        let position = match self.needed(settings, scene) {
            Some(position) => position,
            // The command is bound to that server, or it would have gone to the primary.
            None => match self.ask_first(primary, scene) {
                Some(first) => return first,
                None => self.position.clone(),
            },
        };
        if position.is_empty() {
            return Before::Nothing;
        }
        Before::Reach(Wait {
            position,
            timeout: settings.timeout,
        })
    }

    /// What comes first where the primary has to tell its position; `None`: it has told it for this
    /// command.
    fn ask_first(&self, primary: Option<TargetId>, scene: &Scene<'_>) -> Option<Before> {
        match primary {
            None => Some(Before::Refuse(nobody_told())),
            Some(primary) if self.told == Some((primary, scene.head())) => None,
            Some(primary) => Some(Before::Ask(primary)),
        }
    }

    /// A command is on its way.
    pub(crate) fn on_routed(&mut self, settings: Settings, may_write: bool, scene: &Scene<'_>) {
        if may_write && !self.writing {
            self.writing = true;
            if settings.is_global() {
                self.untold_before = scene.position().untold();
            }
        }
        self.behind = None;
        self.told = None;
    }

    /// All answers have been given.
    pub(crate) fn on_quiet(&mut self) {
        self.writing = false;
    }

    /// The primary, as far as the session knows, has said something of its position.
    pub(crate) fn on_position(
        &mut self,
        settings: Settings,
        target: TargetId,
        told: Told<'_>,
        scene: &Scene<'_>,
    ) {
        match told {
            Told::Wrote(id) => {
                self.unknown = false;
                self.position.raise(id);
                if settings.is_global() {
                    scene.position().raise(id);
                    scene.position().cover(self.untold_before);
                }
            }
            Told::Is(position) => {
                self.unknown = false;
                self.position.merge(position);
                self.told = Some((target, scene.head()));
            }
            Told::Unknown => {
                self.unknown |= self.writing;
                if self.writing && settings.is_global() {
                    scene.position().lose();
                }
            }
        }
    }

    /// The server of the command at the head did not reach the position.
    pub(crate) fn on_behind(&mut self, in_transaction: bool, scene: &Scene<'_>) -> Behind {
        if in_transaction {
            return Behind::Fail(timed_out());
        }
        self.behind = Some(scene.head());
        Behind::Reroute
    }

    /// The session's state was reset; what its client has written stays written.
    pub(crate) fn reset(&mut self) -> Causal {
        Causal {
            position: std::mem::take(&mut self.position),
            unknown: self.unknown,
            ..Causal::default()
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen {
            position: self.position.clone(),
            unknown: self.unknown,
        }
    }

    pub(crate) fn must_see(&mut self, seen: &Seen) {
        self.position.merge(&seen.position);
        self.unknown |= seen.unknown;
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.bytes(self.position.to_string().as_bytes());
        into.flag(self.unknown);
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<Causal, FreezeError> {
        let bad = FreezeError::Value {
            what: "a position",
            value: 0,
        };
        Ok(Causal {
            position: GtidList::parse(from.bytes()?).map_err(|_| bad)?,
            unknown: from.flag()?,
            ..Causal::default()
        })
    }
}

/// May the command look at data, or fix what later ones will see? The end of a transaction does not,
/// nor does a question about the statement before.
fn looks_at_data(request: &Request<'_>) -> bool {
    let executes = matches!(request.command, Command::Query | Command::StmtExecute);
    let ends = TypeMask::COMMIT.union(TypeMask::ROLLBACK);
    executes
        && request
            .statement
            .is_some_and(|statement| !statement.previous && !statement.mask.intersects(ends))
}

/// Of a read in a read-only transaction, which cannot move to a primary when there is one.
fn nobody_told() -> ErrReply {
    ErrReply::new(
        1792,
        b"25006",
        "Causal read is not possible in a READ ONLY transaction: there is no primary to ask for its \
         position; the transaction is still open",
    )
}

/// The transaction stays open on a server that does not have the position.
fn timed_out() -> ErrReply {
    ErrReply::new(
        1792,
        b"25006",
        "Causal read timed out in a READ ONLY transaction: the server has not reached the position \
         of the writes before it; the transaction is still open",
    )
}
