//! What a session has made of its primary connection that no other has, and what keeps it there.

use std::collections::BTreeSet;

use tidegate_session::freeze::{Decoder, Encoder, FreezeError};
use tidegate_sql::{Hold, Operation, SessionEffect, Statement, TypeMask};

/// The most open handlers that are told apart; with more the connection counts as holding some until
/// the session is reset.
const MAX_HANDLERS: usize = 1000;

/// What sets something that later statements meet: a variable, a statement by name, the next
/// transaction.
const SESSION_STATE: TypeMask = TypeMask::SESSION_WRITE
    .union(TypeMask::PREPARE_NAMED_STMT)
    .union(TypeMask::DEALLOC_PREPARE)
    .union(TypeMask::NEXT_TRX);

/// The strict modes of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Strict {
    /// A text of several statements pins (`strict_multi_stmt`).
    pub(crate) multi: bool,
    /// A CALL pins (`strict_sp_calls`).
    pub(crate) calls: bool,
}

/// What keeps every statement that is not a session command where writes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A lock that the connection holds.
    Lock,
    /// Session state that it alone has.
    State,
    /// A strict mode has fired.
    StrictMode,
}

/// Locks, open handlers, state of unknown kind, and the pins of the strict modes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// LOCK TABLES, FLUSH TABLES WITH READ LOCK.
    tables: bool,
    /// BACKUP STAGE, BACKUP LOCK.
    backup: bool,
    /// GET_LOCK().
    user_locks: bool,
    /// HANDLER ... OPEN, by name.
    handlers: BTreeSet<Box<[u8]>>,
    /// Session state was changed in a text of several statements, which only the primary got.
    state: bool,
    /// `strict_multi_stmt` or `strict_sp_calls` has fired.
    strict: bool,
}

impl Held {
    /// What keeps every statement that is not a session command on the primary.
    pub(crate) fn keeps(&self) -> Option<Kept> {
        if self.tables {
            Some(Kept::Lock)
        } else if self.state {
            Some(Kept::State)
        } else if self.strict {
            Some(Kept::StrictMode)
        } else {
            None
        }
    }

    /// May another connection take the primary's place? What it holds would be lost without a word.
    pub(crate) fn is_irreplaceable(&self) -> bool {
        self.tables || self.backup || self.user_locks || self.state || !self.handlers.is_empty()
    }

    /// The connection is gone, and with it all that it held.
    pub(crate) fn lose(&mut self) {
        *self = Held {
            strict: self.strict,
            ..Held::default()
        };
    }

    /// Has one of the strict modes fired?
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// A statement is on its way, to the one server that runs it (`alone`) or to all.
    pub(crate) fn follow(&mut self, statement: &Statement, alone: bool, strict: Strict) {
        match &*statement.parts {
            [] => self.change(statement),
            parts => parts.iter().for_each(|part| self.change(part)),
        }
        if alone && statement.multi {
            self.state |= statement.mask.intersects(SESSION_STATE);
            self.strict |= strict.multi;
        }
        self.strict |= strict.calls && calls(statement);
    }

    /// One statement takes or gives back.
    fn change(&mut self, statement: &Statement) {
        match &statement.effect {
            Some(SessionEffect::Hold(hold)) => self.take(hold),
            Some(SessionEffect::Release(hold)) => self.give_back(hold),
            _ => {}
        }
        if statement.takes_user_lock {
            self.user_locks = true;
        } else if statement.releases_user_locks {
            self.user_locks = false;
        }
    }

    fn take(&mut self, hold: &Hold) {
        match hold {
            Hold::Tables => self.tables = true,
            Hold::Backup => self.backup = true,
            Hold::Handler(name) if self.handlers.len() < MAX_HANDLERS => {
                self.handlers.insert(name.to_ascii_lowercase().into());
            }
            Hold::Handler(_) => self.state = true,
        }
    }

    fn give_back(&mut self, hold: &Hold) {
        match hold {
            Hold::Tables => self.tables = false,
            Hold::Backup => self.backup = false,
            Hold::Handler(name) => {
                self.handlers.remove(name.to_ascii_lowercase().as_slice());
            }
        }
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        for flag in [
            self.tables,
            self.backup,
            self.user_locks,
            self.state,
            self.strict,
        ] {
            into.flag(flag);
        }
        into.list(self.handlers.iter(), |into, name| into.bytes(name));
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<Held, FreezeError> {
        Ok(Held {
            tables: from.flag()?,
            backup: from.flag()?,
            user_locks: from.flag()?,
            state: from.flag()?,
            strict: from.flag()?,
            handlers: from
                .list(|from| Ok(Box::from(from.bytes()?)))?
                .into_iter()
                .collect(),
        })
    }
}

/// Is a stored procedure called, by the statement or one of its parts?
fn calls(statement: &Statement) -> bool {
    statement.operation == Operation::Call || statement.parts.iter().any(calls)
}
