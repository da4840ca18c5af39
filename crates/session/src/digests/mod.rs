//! The statements that are sent most: for each service a bounded table of canonical texts, with
//! how often, how long and where they ran.
//!
//! Each worker has a [`DigestBook`] of its own; nothing in it is shared. A statement is found by
//! the digest that its entry in the classification cache has anyway, so its text is read only when
//! it is new in the table. Two texts of equal digest would be counted as one; nothing is decided
//! by it. Whoever asks gets the tables of all workers together ([`Digests`]).
//!
//! Left out on purpose: literals, which a canonical text has none of, and commands without a text.

mod merge;
mod table;

use std::sync::Arc;

pub use merge::{Digest, Digests};
pub(crate) use table::Answered;
pub use table::TEXT_BYTES;

use crate::time::WallTime;
use table::Table;

/// Which table of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableId(u32);

/// A statement in a table, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) digest: u64,
}

/// One worker's tables, one for each service.
#[derive(Debug, Default)]
pub struct DigestBook {
    tables: Vec<(Arc<str>, Table)>,
}

impl DigestBook {
    /// The table of a service, for at most `max` statements; `None` for none at all.
    pub(crate) fn table(&mut self, service: &Arc<str>, max: usize) -> Option<TableId> {
        let found = self.tables.iter().position(|(name, _)| name == service);
        if max == 0 && found.is_none() {
            return None;
        }
        let ix = found.unwrap_or_else(|| {
            self.tables.push((Arc::clone(service), Table::new(max)));
            self.tables.len() - 1
        });
        if let Some((_, table)) = self.tables.get_mut(ix) {
            table.set_max(max);
        }
        if max == 0 {
            return None;
        }
        u32::try_from(ix).ok().map(TableId)
    }

    /// A statement is sent. `text` writes its canonical form and is called only if it is new.
    #[inline]
    pub(crate) fn sent(
        &mut self,
        table: TableId,
        digest: u64,
        wall: WallTime,
        text: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Place> {
        let (_, table) = self.tables.get_mut(table.0 as usize)?;
        let slot = table.sent(digest, wall, text)?;
        Some(Place { slot, digest })
    }

    /// A statement that cannot be named is sent.
    pub(crate) fn sent_unnamed(&mut self, table: TableId) {
        if let Some((_, table)) = self.tables.get_mut(table.0 as usize) {
            table.unnamed += 1;
        }
    }

    /// A statement has its answer.
    #[inline]
    pub(crate) fn answered(&mut self, table: TableId, place: Place, answer: Answered) {
        if let Some((_, table)) = self.tables.get_mut(table.0 as usize) {
            table.answered(place, answer);
        }
    }

    /// What is in the table of a service.
    #[must_use]
    pub fn of(&self, service: &str) -> Digests {
        self.tables
            .iter()
            .find(|(name, _)| **name == *service)
            .map(|(_, table)| Digests::of(table))
            .unwrap_or_default()
    }

    /// Begins the table of a service anew.
    pub fn reset(&mut self, service: &str) {
        let found = self.tables.iter_mut().find(|(name, _)| **name == *service);
        if let Some((_, table)) = found {
            *table = Table::new(table.max());
        }
    }
}
