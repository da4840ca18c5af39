//! The transaction of a session: predicted from texts, corrected by the servers' status words.
//!
//! [`TrxTracker::predict`] moves on when a statement is routed, so that the next one can be routed
//! before the answer is there. [`TrxTracker::correct`] takes the truth from the status word of the
//! answer. Only the connection that the transaction runs on tells the truth about it, and only the
//! answer to the statement that was predicted last: with others still on their way the state
//! described is already past.

use crate::effect::{Access, Isolation, SessionEffect, Setting, TrxEffect, Value};
use crate::statement::Statement;

/// Status bit: a transaction is open.
const IN_TRANS: u16 = 0x0001;
/// Status bit: autocommit is on.
const AUTOCOMMIT: u16 = 0x0002;
/// Status bit: the open transaction is read-only.
const IN_TRANS_READONLY: u16 = 0x2000;

/// What is believed about the transaction of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TrxTracker {
    now: State,
    /// Before the statement that was predicted last.
    before: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct State {
    autocommit_off: bool,
    open: bool,
    read_only: bool,
    xa: bool,
    /// SET TRANSACTION waits for the next transaction; with the access mode it named.
    next: Option<Access>,
    default_read_only: bool,
    serializable: bool,
    starting: bool,
    ending: bool,
}

impl TrxTracker {
    /// A new session: autocommit on, nothing open, read-write.
    #[must_use]
    pub fn new() -> TrxTracker {
        TrxTracker::default()
    }

    /// Moves on past `statement`. Whoever routes it asks about the state before first.
    #[inline]
    pub fn predict(&mut self, statement: &Statement) {
        self.now.starting = false;
        self.now.ending = false;
        self.before = self.now;
        if !statement.inert {
            self.now.follow(statement);
        }
    }

    /// Takes over what the answer to the statement predicted last says. `status` is the status word
    /// of its last OK or EOF packet.
    #[inline]
    pub fn correct(&mut self, status: u16) {
        // Nothing was open, and nothing is.
        let idle = !self.before.is_open() && self.now.is_idle();
        if !idle || status & (AUTOCOMMIT | IN_TRANS) != AUTOCOMMIT {
            self.take_over(status);
        }
    }

    fn take_over(&mut self, status: u16) {
        let was_open = self.before.is_open();
        let state = &mut self.now;
        state.autocommit_off = status & AUTOCOMMIT == 0;
        state.open = status & IN_TRANS != 0;
        state.read_only = state.open && status & IN_TRANS_READONLY != 0;
        state.xa &= state.open;
        state.starting &= state.is_open();
        state.starting |= state.is_open() && !was_open;
        state.ending &= !state.is_open() || state.starting;
        state.ending |= was_open && !state.is_open();
        if state.ending {
            state.next = None;
        }
    }

    /// The statement predicted last has failed: the state is what it was before. What an error
    /// changed after all, the next status word tells.
    pub fn failed(&mut self) {
        self.now = self.before;
    }

    /// The text predicted last holds several statements, one of which has failed. `status` is what
    /// the last one before it said: what came behind has not happened.
    pub fn failed_behind(&mut self, status: u16) {
        self.failed();
        self.take_over(status);
    }

    /// As it was before the statement predicted last.
    #[must_use]
    pub fn rewound(&self) -> TrxTracker {
        TrxTracker {
            now: self.before,
            before: self.before,
        }
    }

    /// As it is when the open transaction has ended, whatever ended it.
    #[must_use]
    pub fn outside(&self) -> TrxTracker {
        let mut now = self.now;
        now.end();
        now.starting = false;
        now.ending = false;
        TrxTracker { now, before: now }
    }

    /// Whether statements are in a transaction: an explicit one, or autocommit is off.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.now.is_open()
    }

    /// Whether the statement predicted last found a transaction open.
    #[inline]
    #[must_use]
    pub fn was_open(&self) -> bool {
        self.before.is_open()
    }

    /// Whether the open transaction is read-only.
    #[inline]
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.now.open && self.now.read_only
    }

    /// Whether autocommit is on.
    #[inline]
    #[must_use]
    pub fn autocommit(&self) -> bool {
        !self.now.autocommit_off
    }

    /// Whether the statement predicted last opened a transaction.
    #[inline]
    #[must_use]
    pub fn trx_starting(&self) -> bool {
        self.now.starting
    }

    /// Whether the statement predicted last ended a transaction.
    #[inline]
    #[must_use]
    pub fn trx_ending(&self) -> bool {
        self.now.ending
    }

    /// Whether a SET TRANSACTION waits for the next transaction to end.
    #[inline]
    #[must_use]
    pub fn is_next_pending(&self) -> bool {
        self.now.next.is_some()
    }

    /// Whether transactions of this session are read-only unless they say otherwise.
    #[must_use]
    pub fn is_default_read_only(&self) -> bool {
        self.now.default_read_only
    }

    /// Whether the isolation level of the session is SERIALIZABLE.
    #[inline]
    #[must_use]
    pub fn is_serializable(&self) -> bool {
        self.now.serializable
    }

    /// The isolation level that a server has reported (session tracking).
    pub fn set_serializable(&mut self, serializable: bool) {
        self.now.serializable = serializable;
        self.before.serializable = serializable;
    }

    /// Whether an XA transaction is active or idle.
    #[must_use]
    pub fn in_xa(&self) -> bool {
        self.now.xa
    }

    /// Everything as a number, for freezing a session at rest.
    #[must_use]
    pub fn to_bits(&self) -> u16 {
        let state = self.now;
        let next = match state.next {
            None => 0,
            Some(Access::Unspecified) => 1,
            Some(Access::ReadOnly) => 2,
            Some(Access::ReadWrite) => 3,
        };
        [
            state.autocommit_off,
            state.open,
            state.read_only,
            state.xa,
            state.default_read_only,
            state.serializable,
        ]
        .iter()
        .fold(next, |bits, flag| bits << 1 | u16::from(*flag))
    }

    /// The tracker of such a number.
    #[must_use]
    pub fn from_bits(bits: u16) -> TrxTracker {
        let flag = |index: u16| bits >> index & 1 == 1;
        let next = match bits >> 6 & 3 {
            0 => None,
            1 => Some(Access::Unspecified),
            2 => Some(Access::ReadOnly),
            _ => Some(Access::ReadWrite),
        };
        let now = State {
            autocommit_off: flag(5),
            open: flag(4),
            read_only: flag(3),
            xa: flag(2),
            default_read_only: flag(1),
            serializable: flag(0),
            next,
            starting: false,
            ending: false,
        };
        TrxTracker { now, before: now }
    }
}

impl State {
    #[inline]
    fn is_open(&self) -> bool {
        self.open || self.autocommit_off
    }

    /// Nothing is open, and nothing has just begun or ended.
    #[inline]
    fn is_idle(&self) -> bool {
        let open = self.is_open() || self.read_only || self.xa;
        !(open || self.starting || self.ending)
    }

    fn follow(&mut self, statement: &Statement) {
        self.effect(statement.trx);
        if let Some(SessionEffect::Set(settings)) = &statement.effect {
            for setting in settings.iter().filter(|one| one.scope.is_session()) {
                self.setting(setting);
            }
        }
        for part in &statement.parts {
            self.follow(part);
        }
    }

    fn effect(&mut self, effect: TrxEffect) {
        match effect {
            TrxEffect::None | TrxEffect::Opaque | TrxEffect::XaEnd => {}
            TrxEffect::Begin { access } => self.begin(self.begins_read_only(access)),
            TrxEffect::Commit { chain, .. } | TrxEffect::Rollback { chain, .. } => {
                let read_only = self.read_only;
                self.end();
                if chain {
                    self.begin(read_only);
                }
            }
            TrxEffect::AutocommitOn => {
                self.end();
                self.autocommit_off = false;
            }
            TrxEffect::AutocommitOff => {
                self.starting = !self.is_open();
                self.autocommit_off = true;
            }
            TrxEffect::ImplicitCommit => {
                if self.open {
                    self.end();
                }
            }
            TrxEffect::SetTransaction {
                next_only: true,
                access,
                ..
            } => self.next = Some(access),
            TrxEffect::SetTransaction {
                access, isolation, ..
            } => self.session_default(access, isolation),
            TrxEffect::XaStart => {
                self.begin(false);
                self.xa = true;
            }
            TrxEffect::XaFinish => {
                if self.xa {
                    self.end();
                }
            }
        }
    }

    fn begins_read_only(&self, access: Access) -> bool {
        match (access, self.next) {
            (Access::ReadOnly, _) => true,
            (Access::ReadWrite, _) => false,
            (Access::Unspecified, Some(Access::ReadOnly)) => true,
            (Access::Unspecified, Some(Access::ReadWrite)) => false,
            (Access::Unspecified, _) => self.default_read_only,
        }
    }

    fn begin(&mut self, read_only: bool) {
        self.open = true;
        self.read_only = read_only;
        self.xa = false;
        self.starting = true;
    }

    fn end(&mut self) {
        self.ending = self.is_open();
        self.open = false;
        self.read_only = false;
        self.xa = false;
        self.next = None;
    }

    fn session_default(&mut self, access: Access, isolation: Option<Isolation>) {
        match access {
            Access::Unspecified => {}
            Access::ReadOnly => self.default_read_only = true,
            Access::ReadWrite => self.default_read_only = false,
        }
        if let Some(level) = isolation {
            self.serializable = level == Isolation::Serializable;
        }
    }

    /// A variable that stands for a part of SET TRANSACTION.
    fn setting(&mut self, setting: &Setting) {
        match &*setting.name {
            b"tx_read_only" | b"transaction_read_only" => {
                if let Some(on) = setting.value.as_switch() {
                    self.default_read_only = on;
                }
            }
            b"tx_isolation" | b"transaction_isolation" => {
                self.serializable = matches!(
                    &setting.value,
                    Value::Literal(level) if level.eq_ignore_ascii_case(b"SERIALIZABLE")
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
