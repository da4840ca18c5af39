//! Binary prepared statements: the ids a client knows, what each connection calls them, and the
//! parameter types that were sent last.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_sql::Statement;
use tidegate_wire::Caps;

use crate::definitions::Definitions;
use crate::freeze::{Decoder, Encoder, FreezeError};
use crate::ids::{BackendId, BackendStmtId, ClientStmtId};
use crate::reuse::MAX_KEPT;

/// A statement the client has prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    pub(crate) id: ClientStmtId,
    /// What it says; shared with nobody, but kept apart so that it can be held while the rest changes.
    pub(crate) prepared: Arc<PreparedText>,
    pub(crate) params: u16,
    pub(crate) columns: u16,
    /// The types of the last execution that carried them; empty: none did.
    pub(crate) types: Vec<u8>,
    /// Rises with every change of `types`.
    pub(crate) types_version: u32,
    /// Long data was sent there: the execution must follow it.
    pub(crate) long_data_on: Option<BackendId>,
    /// It was sent to a connection that is lost since.
    pub(crate) long_data_lost: bool,
    /// The last execution ran there: FETCH follows it.
    pub(crate) executed_on: Option<BackendId>,
    /// The client has closed it, and it is kept, because the open transaction may be repeated or it
    /// may be prepared again: the default database it was prepared under.
    pub(crate) closed: Option<Option<Box<[u8]>>>,
    /// What the client was answered when it prepared it, if that may be given again.
    pub(crate) answer: Option<Vec<u8>>,
    /// A cursor is open there.
    pub(crate) has_cursor: bool,
    /// The definitions of its columns that the client was sent last, where that is followed.
    pub(crate) held: Option<Definitions>,
}

impl Prepared {
    /// It is executed there.
    #[inline]
    pub(crate) fn note_executed(&mut self, on: BackendId) {
        self.long_data_on = None;
        self.executed_on = Some(on);
        self.has_cursor = false;
    }

    /// Remembers the parameter types of an execution that carries them.
    pub(crate) fn note_types(&mut self, execution: &[u8]) {
        if let Some(types) = tidegate_wire::stmt::types_of(execution, self.params)
            && (self.types_version == 0 || self.types != types)
        {
            self.types.clear();
            self.types.extend_from_slice(types);
            self.types_version = self.types_version.wrapping_add(1).max(1);
        }
    }
}

/// A prepared text and its class, which decides where executions go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PreparedText {
    pub(crate) text: Box<[u8]>,
    pub(crate) statement: Statement,
    /// What its executions are called in statistics.
    pub(crate) digest: Option<u64>,
}

/// All statements of a client, by ascending id.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    list: Vec<Prepared>,
    last_id: u32,
    last_prepared: Option<ClientStmtId>,
    /// Those that the client has closed and may be given again, the oldest first.
    kept: VecDeque<ClientStmtId>,
    /// What is kept may have another meaning by now.
    stale: bool,
}

impl Statements {
    /// An id for a statement about to be prepared.
    pub(crate) fn next_id(&mut self) -> ClientStmtId {
        // The top bit and the all-ones id have meanings of their own; no client comes that far.
        self.last_id = if self.last_id >= 0x7FFF_FFFE {
            1
        } else {
            self.last_id + 1
        };
        ClientStmtId(self.last_id)
    }

    pub(crate) fn insert(&mut self, prepared: Prepared) {
        self.last_prepared = Some(prepared.id);
        match self
            .list
            .binary_search_by_key(&prepared.id, |known| known.id)
        {
            Ok(ix) => {
                if let Some(known) = self.list.get_mut(ix) {
                    *known = prepared;
                }
            }
            Err(ix) => self.list.insert(ix, prepared),
        }
    }

    /// A preparation failed: the direct execution that may follow has nothing to run.
    pub(crate) fn prepare_failed(&mut self) {
        self.last_prepared = None;
    }

    /// What the client means by `id`: itself, or the statement prepared just before.
    pub(crate) fn resolve(&self, id: ClientStmtId) -> Option<ClientStmtId> {
        if id == ClientStmtId::LAST_PREPARED {
            self.last_prepared
        } else {
            Some(id)
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: ClientStmtId) -> Option<&Prepared> {
        self.list.get(self.place(id)?)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ClientStmtId) -> Option<&mut Prepared> {
        let ix = self.place(id)?;
        self.list.get_mut(ix)
    }

    /// Ids are given one after another: where none was closed it stands as far from the first.
    #[inline]
    fn place(&self, id: ClientStmtId) -> Option<usize> {
        let guess = id.0.wrapping_sub(self.list.first()?.id.0) as usize;
        match self.list.get(guess) {
            Some(known) if known.id == id => Some(guess),
            _ => self.list.binary_search_by_key(&id, |known| known.id).ok(),
        }
    }

    /// The client has closed a statement that is kept. `false`: there is none of that number.
    pub(crate) fn close(&mut self, id: ClientStmtId, schema: Option<Box<[u8]>>) -> bool {
        if self.last_prepared == Some(id) {
            self.last_prepared = None;
        }
        match self.get_mut(id) {
            Some(prepared) => {
                prepared.closed = Some(schema);
                true
            }
            None => false,
        }
    }

    pub(crate) fn remove(&mut self, id: ClientStmtId) -> bool {
        if self.last_prepared == Some(id) {
            self.last_prepared = None;
        }
        match self.list.binary_search_by_key(&id, |known| known.id) {
            Ok(ix) => {
                self.list.remove(ix);
                true
            }
            Err(_) => false,
        }
    }

    /// The client has closed a statement that it may prepare again.
    pub(crate) fn keep(&mut self, id: ClientStmtId, schema: Option<Box<[u8]>>) {
        if self.close(id, schema) {
            self.kept.push_back(id);
        }
    }

    /// The statement that has been kept longest, if there are more than a session may keep.
    pub(crate) fn too_many_kept(&mut self) -> Option<ClientStmtId> {
        if self.kept.len() > MAX_KEPT {
            self.kept.pop_front()
        } else {
            None
        }
    }

    /// A kept statement of this text, prepared under this default database.
    pub(crate) fn find_kept(&self, text: &[u8], schema: Option<&[u8]>) -> Option<ClientStmtId> {
        let fits = |prepared: &&Prepared| {
            let under = prepared
                .closed
                .as_ref()
                .and_then(|schema| schema.as_deref());
            *prepared.prepared.text == *text && under == schema
        };
        let kept = self.kept.iter().rev();
        kept.filter_map(|id| self.get(*id))
            .find(fits)
            .map(|it| it.id)
    }

    /// The client prepares a kept statement again, and will send its parameters' types again. What it
    /// is answered with.
    pub(crate) fn give_out(&mut self, id: ClientStmtId, caps: Caps) -> Option<&[u8]> {
        self.kept.retain(|kept| *kept != id);
        self.last_prepared = Some(id);
        let prepared = self.get_mut(id)?;
        prepared.closed = None;
        prepared.types.clear();
        prepared.executed_on = None;
        let answer = prepared.answer.as_deref()?;
        if prepared.held.is_some() {
            prepared.held =
                Definitions::of_prepare_reply(answer, prepared.params, prepared.columns, caps);
        }
        Some(answer)
    }

    /// From now on texts may have another meaning.
    pub(crate) fn turn_stale(&mut self) {
        self.stale = true;
    }

    /// Have texts got another meaning since this was asked?
    pub(crate) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale)
    }

    /// None of the statements will be given again. Those that are kept for that.
    pub(crate) fn forget_answers(&mut self) -> VecDeque<ClientStmtId> {
        for prepared in &mut self.list {
            prepared.answer = None;
        }
        std::mem::take(&mut self.kept)
    }

    pub(crate) fn clear(&mut self) {
        self.list = Vec::new();
        self.last_prepared = None;
        self.kept.clear();
        self.stale = false;
    }

    /// How many the client has prepared and not closed.
    pub(crate) fn len(&self) -> usize {
        self.list.len() - self.kept.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Prepared> {
        self.list.iter()
    }

    /// A connection is gone, and with it what was tied to it.
    pub(crate) fn forget_backend(&mut self, backend: BackendId) {
        for prepared in &mut self.list {
            if prepared.long_data_on == Some(backend) {
                prepared.long_data_on = None;
                prepared.long_data_lost = true;
            }
            if prepared.executed_on == Some(backend) {
                prepared.executed_on = None;
                prepared.has_cursor = false;
            }
        }
    }

    /// Is there a cursor, or long data for an execution, that only one connection has?
    pub(crate) fn tied_to_connection(&self) -> bool {
        self.list
            .iter()
            .any(|prepared| prepared.has_cursor || prepared.long_data_on.is_some())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<Prepared>()
            + self
                .list
                .iter()
                .map(|prepared| {
                    let answer = prepared.answer.as_ref().map_or(0, Vec::capacity);
                    let held = (prepared.held.as_ref()).map_or(0, |held| held.packets().len());
                    prepared.prepared.text.len() + prepared.types.capacity() + answer + held
                })
                .sum::<usize>()
            + self.kept.capacity() * size_of::<ClientStmtId>()
    }

    /// The classes are not written: they are made again from the texts.
    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.u32(self.last_id);
        into.option(self.last_prepared, |into, id| into.u32(id.0));
        into.list(self.list.iter(), |into, prepared| {
            into.u32(prepared.id.0);
            into.bytes(&prepared.prepared.text);
            into.option(prepared.prepared.digest, Encoder::u64);
            into.u16(prepared.params);
            into.u16(prepared.columns);
            into.bytes(&prepared.types);
            into.u32(prepared.types_version);
            into.option(prepared.long_data_on, |into, backend| into.u16(backend.0));
            into.flag(prepared.long_data_lost);
            into.option(prepared.executed_on, |into, backend| into.u16(backend.0));
            into.option(prepared.closed.as_ref(), |into, schema| {
                into.option(schema.as_deref(), Encoder::bytes);
            });
            into.option(prepared.answer.as_deref(), Encoder::bytes);
            into.flag(prepared.has_cursor);
            into.option(prepared.held.as_ref(), |into, held| {
                into.bytes(held.packets());
            });
        });
        into.list(self.kept.iter(), |into, id| into.u32(id.0));
        into.flag(self.stale);
    }

    pub(crate) fn thaw(
        from: &mut Decoder<'_>,
        mut classify: impl FnMut(&[u8]) -> Statement,
    ) -> Result<Statements, FreezeError> {
        let last_id = from.u32()?;
        let last_prepared = from.option(Decoder::u32)?.map(ClientStmtId);
        let list = from.list(|from| {
            let id = ClientStmtId(from.u32()?);
            let text: Box<[u8]> = from.bytes()?.into();
            let digest = from.option(Decoder::u64)?;
            let statement = classify(&text);
            Ok(Prepared {
                id,
                prepared: Arc::new(PreparedText {
                    text,
                    statement,
                    digest,
                }),
                params: from.u16()?,
                columns: from.u16()?,
                types: from.bytes()?.to_vec(),
                types_version: from.u32()?,
                long_data_on: from.option(Decoder::u16)?.map(BackendId),
                long_data_lost: from.flag()?,
                executed_on: from.option(Decoder::u16)?.map(BackendId),
                closed: from.option(|from| {
                    from.option(Decoder::bytes)
                        .map(|schema| schema.map(Into::into))
                })?,
                answer: from.option(Decoder::bytes)?.map(<[u8]>::to_vec),
                has_cursor: from.flag()?,
                held: from.option(Decoder::bytes)?.map(Definitions::new),
            })
        })?;
        let kept = from.list(|from| from.u32().map(ClientStmtId))?;
        Ok(Statements {
            list,
            last_id,
            last_prepared,
            kept: kept.into(),
            stale: from.flag()?,
        })
    }
}

/// What one connection calls the client's statements.
#[derive(Debug, Clone, Default)]
pub(crate) struct StmtMap {
    list: Vec<Mapped>,
    /// The definitions that the connection sent last, by ascending id, where that is followed.
    told: Vec<(ClientStmtId, Definitions)>,
}

/// One statement on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) client: ClientStmtId,
    pub(crate) backend: BackendStmtId,
    /// The [`Prepared::types_version`] this connection has seen; 0: none.
    pub(crate) types_version: u32,
}

impl StmtMap {
    pub(crate) fn get(&self, id: ClientStmtId) -> Option<Mapped> {
        let ix = self
            .list
            .binary_search_by_key(&id, |mapped| mapped.client)
            .ok()?;
        self.list.get(ix).copied()
    }

    pub(crate) fn set(&mut self, mapped: Mapped) {
        match self
            .list
            .binary_search_by_key(&mapped.client, |known| known.client)
        {
            Ok(ix) => {
                if let Some(known) = self.list.get_mut(ix) {
                    *known = mapped;
                }
            }
            Err(ix) => self.list.insert(ix, mapped),
        }
    }

    /// The definitions of a statement's columns that the connection sent last.
    pub(crate) fn told(&self, id: ClientStmtId) -> Option<&Definitions> {
        let ix = self.told.binary_search_by_key(&id, |(of, _)| *of).ok()?;
        self.told.get(ix).map(|(_, told)| told)
    }

    /// The connection has sent these, if it knows the statement.
    pub(crate) fn set_told(&mut self, id: ClientStmtId, definitions: Definitions) {
        if self.get(id).is_none() {
            return;
        }
        match self.told.binary_search_by_key(&id, |(of, _)| *of) {
            Ok(ix) => {
                if let Some((_, told)) = self.told.get_mut(ix) {
                    *told = definitions;
                }
            }
            Err(ix) => self.told.insert(ix, (id, definitions)),
        }
    }

    pub(crate) fn remove(&mut self, id: ClientStmtId) -> Option<Mapped> {
        if let Ok(ix) = self.told.binary_search_by_key(&id, |(of, _)| *of) {
            self.told.remove(ix);
        }
        let ix = self
            .list
            .binary_search_by_key(&id, |mapped| mapped.client)
            .ok()?;
        Some(self.list.remove(ix))
    }

    pub(crate) fn clear(&mut self) {
        *self = StmtMap::default();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<Mapped>()
            + self.told.capacity() * size_of::<(ClientStmtId, Definitions)>()
            + (self.told.iter().map(|(_, told)| told.own_bytes())).sum::<usize>()
    }

    pub(crate) fn freeze(&self, into: &mut Encoder) {
        into.list(self.list.iter(), |into, mapped| {
            into.u32(mapped.client.0);
            into.u32(mapped.backend.0);
            into.u32(mapped.types_version);
        });
        into.list(self.told.iter(), |into, (id, told)| {
            into.u32(id.0);
            into.bytes(told.packets());
        });
    }

    pub(crate) fn thaw(from: &mut Decoder<'_>) -> Result<StmtMap, FreezeError> {
        let list = from.list(|from| {
            Ok(Mapped {
                client: ClientStmtId(from.u32()?),
                backend: BackendStmtId(from.u32()?),
                types_version: from.u32()?,
            })
        })?;
        let told = from.list(|from| {
            let id = ClientStmtId(from.u32()?);
            Ok((id, Definitions::new(from.bytes()?)))
        })?;
        Ok(StmtMap { list, told })
    }
}
