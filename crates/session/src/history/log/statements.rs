//! Which records are those of prepared statements.

use crate::ids::ClientStmtId;

/// Statements by their ids, each with the low half of its command's number. Ids rise as a rule: then
/// one of thousands is found by halving.
#[derive(Debug, Clone, Default)]
pub(super) struct Statements {
    all: Vec<(ClientStmtId, u32)>,
    /// An id came that was lower than the one before it.
    mixed: bool,
}

impl Statements {
    /// The memory they own.
    pub(super) fn capacity(&self) -> usize {
        self.all.capacity() * size_of::<(ClientStmtId, u32)>()
    }

    pub(super) fn push(&mut self, id: ClientStmtId, seq: u32) {
        let rises = self.all.last().is_none_or(|(last, _)| last.0 < id.0);
        self.mixed |= !rises;
        self.all.push((id, seq));
    }

    pub(super) fn get(&self, id: ClientStmtId) -> Option<u32> {
        Some(self.all.get(self.position(id)?)?.1)
    }

    /// The command `seq` is gone, whatever it was. `newest`: the newest command's number.
    pub(super) fn forget(&mut self, seq: u32, newest: u32) {
        let age = |seq: u32| newest.wrapping_sub(seq);
        let found = self
            .all
            .binary_search_by(|(_, other)| age(seq).cmp(&age(*other)));
        if let Ok(ix) = found {
            self.all.remove(ix);
        }
        if self.all.is_empty() {
            *self = Statements::default();
        }
    }

    fn position(&self, id: ClientStmtId) -> Option<usize> {
        if self.mixed {
            self.all.iter().rposition(|(other, _)| *other == id)
        } else {
            self.all.binary_search_by_key(&id.0, |(id, _)| id.0).ok()
        }
    }
}
