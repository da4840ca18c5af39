//! Which part of a session's state a session command sets, and which commands need which part: the
//! history's grounds for forgetting one command because of a later one.

use tidegate_sql::{Scope, SessionEffect, Setting, Statement, TypeMask, Value};
use tidegate_wire::Command;

use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::ClientStmtId;

/// Which part of the session's state a command sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The default database.
    Schema,
    /// Variables, each set to a literal. `names` stands for the client's character set.
    Variables(Vec<Box<[u8]>>),
    /// A text-protocol prepared statement.
    Named(Box<[u8]>),
    /// The end of one.
    Deallocated(Box<[u8]>),
    /// A binary prepared statement.
    Statement(ClientStmtId),
    /// Something else. `again`: done twice it does the same as done once.
    Text {
        /// It does not depend on what it did before.
        again: bool,
    },
}

/// A key where it is kept: the same, written out in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRef<'a> {
    Schema,
    Variables(Names<'a>),
    Named(&'a [u8]),
    Deallocated(&'a [u8]),
    Statement(ClientStmtId),
    Text { again: bool },
}

/// Names, each behind its length in a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names<'a>(&'a [u8]);

impl<'a> Names<'a> {
    fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first()?;
            let (name, tail) = tail.split_at_checked(usize::from(*length))?;
            rest = tail;
            Some(name)
        })
    }

    pub(crate) fn is_one(self) -> bool {
        self.iter().nth(1).is_none()
    }
}

impl<'a> KeyRef<'a> {
    /// Does a command with this key make one with `older` superfluous?
    pub(crate) fn covers(&self, older: &KeyRef<'_>) -> bool {
        match (self, older) {
            (KeyRef::Schema, KeyRef::Schema) => true,
            (KeyRef::Variables(names), KeyRef::Variables(set)) => {
                set.iter().all(|name| names.iter().any(|own| own == name))
            }
            (KeyRef::Named(name), KeyRef::Named(other)) => name == other,
            _ => false,
        }
    }

    /// Does a command with this key depend on what one with `key` sets, so that nothing of that kind
    /// may be forgotten that came before it?
    pub(crate) fn depends_on(&self, key: &KeyRef<'_>) -> bool {
        match (self, key) {
            // The default database is noted with whatever depends on it.
            (_, KeyRef::Schema) => false,
            (KeyRef::Text { .. }, _) => true,
            (KeyRef::Named(_), KeyRef::Variables(_)) => true,
            // A statement is parsed when it is prepared; its text cannot hold user variables' values.
            (KeyRef::Statement(_), KeyRef::Variables(names)) => names
                .iter()
                .any(|name| matches!(name, b"sql_mode" | b"names")),
            _ => false,
        }
    }

    /// Does the command mean something else under another default database?
    pub(crate) fn needs_schema(&self) -> bool {
        matches!(
            self,
            KeyRef::Named(_) | KeyRef::Statement(_) | KeyRef::Text { .. }
        )
    }

    /// Reads what [`Key::encode`] wrote: its first byte, and the rest.
    pub(crate) fn decode(kind: u8, rest: &'a [u8]) -> Option<KeyRef<'a>> {
        Some(match kind {
            kind::SCHEMA => KeyRef::Schema,
            kind::VARIABLES => KeyRef::Variables(Names(rest)),
            kind::NAMED => KeyRef::Named(rest),
            kind::DEALLOCATED => KeyRef::Deallocated(rest),
            kind::STATEMENT => {
                KeyRef::Statement(ClientStmtId(u32::from_le_bytes(rest.try_into().ok()?)))
            }
            kind::TEXT => KeyRef::Text { again: false },
            kind::TEXT_AGAIN => KeyRef::Text { again: true },
            _ => return None,
        })
    }

    pub(crate) fn owned(self) -> Key {
        match self {
            KeyRef::Schema => Key::Schema,
            KeyRef::Variables(names) => Key::Variables(names.iter().map(Into::into).collect()),
            KeyRef::Named(name) => Key::Named(name.into()),
            KeyRef::Deallocated(name) => Key::Deallocated(name.into()),
            KeyRef::Statement(id) => Key::Statement(id),
            KeyRef::Text { again } => Key::Text { again },
        }
    }
}

/// What the first byte of an encoded key says.
mod kind {
    pub(super) const SCHEMA: u8 = 0;
    pub(super) const VARIABLES: u8 = 1;
    pub(super) const NAMED: u8 = 2;
    pub(super) const DEALLOCATED: u8 = 3;
    pub(super) const STATEMENT: u8 = 4;
    pub(super) const TEXT: u8 = 5;
    pub(super) const TEXT_AGAIN: u8 = 6;
}

impl Key {
    /// Does the command mean something else under another default database?
    pub(crate) fn needs_schema(&self) -> bool {
        matches!(self, Key::Named(_) | Key::Statement(_) | Key::Text { .. })
    }

    /// Can it be encoded: no name longer than any server takes, and not too many of them?
    pub(crate) fn is_short(&self) -> bool {
        let fits = |name: &[u8]| u8::try_from(name.len()).is_ok();
        self.encoded_len() <= usize::from(u16::MAX)
            && match self {
                Key::Variables(names) => names.iter().all(|name| fits(name)),
                _ => true,
            }
    }

    /// How many bytes [`encode`](Key::encode) appends.
    pub(crate) fn encoded_len(&self) -> usize {
        1 + match self {
            Key::Schema | Key::Text { .. } => 0,
            Key::Variables(names) => names.iter().map(|name| 1 + name.len()).sum(),
            Key::Named(name) | Key::Deallocated(name) => name.len(),
            Key::Statement(_) => 4,
        }
    }

    /// Appends the key as bytes.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        match self {
            Key::Schema => into.push(kind::SCHEMA),
            Key::Variables(names) => {
                into.push(kind::VARIABLES);
                for name in names {
                    into.push(u8::try_from(name.len()).unwrap_or(0));
                    into.extend_from_slice(name);
                }
            }
            Key::Named(name) => {
                into.push(kind::NAMED);
                into.extend_from_slice(name);
            }
            Key::Deallocated(name) => {
                into.push(kind::DEALLOCATED);
                into.extend_from_slice(name);
            }
            Key::Statement(id) => {
                into.push(kind::STATEMENT);
                into.extend_from_slice(&id.0.to_le_bytes());
            }
            Key::Text { again: false } => into.push(kind::TEXT),
            Key::Text { again: true } => into.push(kind::TEXT_AGAIN),
        }
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        match self {
            Key::Schema => into.u8(0),
            Key::Variables(names) => {
                into.u8(1);
                into.list(names.iter(), |into, name| into.bytes(name));
            }
            Key::Named(name) => {
                into.u8(2);
                into.bytes(name);
            }
            Key::Deallocated(name) => {
                into.u8(3);
                into.bytes(name);
            }
            Key::Statement(id) => {
                into.u8(4);
                into.u32(id.0);
            }
            Key::Text { again } => {
                into.u8(5);
                into.flag(*again);
            }
        }
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<Key, FreezeError> {
        Ok(match from.u8()? {
            0 => Key::Schema,
            1 => Key::Variables(from.list(|from| from.bytes().map(Into::into))?),
            2 => Key::Named(from.bytes()?.into()),
            3 => Key::Deallocated(from.bytes()?.into()),
            4 => Key::Statement(ClientStmtId(from.u32()?)),
            5 => Key::Text {
                again: from.flag()?,
            },
            other => {
                return Err(FreezeError::Value {
                    what: "a history key",
                    value: u64::from(other),
                });
            }
        })
    }
}

/// The key of a session command and, where that is not the command itself, what has to be repeated.
/// `None`: it sets nothing that lasts.
pub(crate) fn of(
    command: Command,
    payload: &[u8],
    whole: bool,
    text: &[u8],
    statement: Option<&Statement>,
) -> Option<(Key, Option<Vec<u8>>)> {
    match command {
        Command::InitDb => Some((Key::Schema, None)),
        Command::SetOption => Some((
            Key::Variables(vec![b"COM_SET_OPTION".as_slice().into()]),
            None,
        )),
        Command::Query if whole => Some((of_text(statement?)?, None)),
        // Without parameters it is its text; the statement may be closed by the time of a repetition.
        Command::StmtExecute if payload.len() <= 10 => {
            let query = [&[Command::Query.byte()], text].concat();
            Some((of_text(statement?)?, Some(query)))
        }
        _ => None,
    }
}

fn of_text(statement: &Statement) -> Option<Key> {
    let again = !statement.mask.contains(TypeMask::USERVAR_READ);
    match &statement.effect {
        _ if statement.multi => None,
        Some(SessionEffect::Use(_)) => Some(Key::Schema),
        Some(SessionEffect::Prepare { name, .. }) => Some(Key::Named(name.clone())),
        Some(SessionEffect::Deallocate(name)) => Some(Key::Deallocated(name.clone())),
        Some(SessionEffect::Set(settings)) => of_settings(settings, again),
        _ if sets_state(statement) => Some(Key::Text { again }),
        _ => None,
    }
}

fn of_settings(settings: &[Setting], again: bool) -> Option<Key> {
    let global = |setting: &Setting| setting.scope == Scope::Global;
    if settings.iter().any(global) {
        return None;
    }
    let literal = |setting: &Setting| matches!(setting.value, Value::Literal(_));
    if settings.iter().all(literal) {
        let key = Key::Variables(settings.iter().map(variable).collect());
        if key.is_short() {
            return Some(key);
        }
    }
    Some(Key::Text { again })
}

/// What goes to all servers for another reason than to set state (a hint, say) is not repeated.
fn sets_state(statement: &Statement) -> bool {
    let mask = statement.mask;
    let sets = TypeMask::SESSION_WRITE
        .union(TypeMask::USERVAR_WRITE)
        .union(TypeMask::ENABLE_AUTOCOMMIT)
        .union(TypeMask::DISABLE_AUTOCOMMIT);
    mask.intersects(sets) && !mask.contains(TypeMask::WRITE)
}

fn variable(setting: &Setting) -> Box<[u8]> {
    match (setting.scope, &*setting.name) {
        (Scope::Unscoped, b"names" | b"character set") => b"names".as_slice().into(),
        (Scope::User, name) => [b"@", name].concat().into(),
        (_, name) => name.into(),
    }
}
