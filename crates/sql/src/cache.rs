//! The classifications that a worker has made, by canonical text.
//!
//! The key is the canonical text, the modes and the server family: everything that a cacheable
//! classification depends on. A text is never taken for another because of equal digests: the
//! whole canonical text is compared. Sets of eight keep every operation in constant time, whatever
//! texts somebody builds.
//!
//! In front of it stands a small table of texts that come again, byte for byte or with other plain
//! literals ([`shapes`]): they need no canonical form.
//!
//! One cache belongs to one worker; nothing in it is shared.

mod shapes;

use crate::canonical::canonical;
use crate::classify::classify;
use crate::digest::digest_with;
use crate::mask::TypeMask;
use crate::modes::Modes;
use crate::statement::{Statement, TableUse};
use shapes::{Known, Place, Shapes};

/// Longer texts are classified anew each time: what makes them long is mostly data.
const MAX_TEXT: usize = 64 * 1024;

/// How many entries share a set.
const WAYS: usize = 8;

/// The part of its memory that the table of shapes may take: one in so many bytes.
const SHAPES_SHARE: usize = 16;

/// A cache of classifications, for one worker.
pub struct Cache {
    max_bytes: usize,
    sets: Vec<Set>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Where the search for an entry to evict goes on.
    hand: usize,
    shapes: Shapes,
    canonical: Vec<u8>,
    /// The last classification that is in no entry.
    uncached: Statement,
    stats: CacheStats,
}

/// The entries whose digests share their low bits: parts of the digests, and indices from 1 on.
#[derive(Clone, Copy, Default)]
struct Set {
    tags: [u32; WAYS],
    slots: [u32; WAYS],
}

struct Entry {
    /// Which of all that were ever made it is.
    serial: u64,
    digest: u64,
    modes: Modes,
    canonical: Box<[u8]>,
    statement: Statement,
    hits: u64,
    size: usize,
    /// Used since the hand came by last.
    touched: bool,
}

/// A classification, and what the text is called in statistics.
#[derive(Clone, Copy, Debug)]
pub struct Classified<'a> {
    /// The class.
    pub statement: &'a Statement,
    /// The digest of the canonical text as it was read in its modes; `None`: the text is too long
    /// to have one.
    pub digest: Option<u64>,
    /// The canonical text; what it is without a digest means nothing.
    pub canonical: &'a [u8],
}

/// Counters of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CacheStats {
    /// Memory taken by the entries, in bytes.
    pub size: usize,
    /// Entries in the cache.
    pub entries: usize,
    /// Entries ever made.
    pub inserts: u64,
    /// Texts found.
    pub hits: u64,
    /// Texts not found.
    pub misses: u64,
    /// Entries dropped for others.
    pub evictions: u64,
}

/// One entry, for showing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheEntry {
    /// The canonical text.
    pub canonical: Box<[u8]>,
    /// How often it was found.
    pub hits: u64,
    /// Its type flags.
    pub mask: TypeMask,
    /// Memory taken, in bytes.
    pub size: usize,
}

impl Cache {
    /// An empty cache that keeps its entries within `max_bytes`; 0 keeps none.
    #[must_use]
    pub fn new(max_bytes: usize) -> Cache {
        Cache {
            max_bytes,
            sets: vec![Set::default(); 16],
            entries: Vec::new(),
            free: Vec::new(),
            hand: 0,
            shapes: Shapes::new(max_bytes / SHAPES_SHARE),
            canonical: Vec::new(),
            uncached: Statement::default(),
            stats: CacheStats::default(),
        }
    }

    /// Classifies `text`, from memory where possible.
    pub fn classify(&mut self, text: &[u8], modes: Modes) -> &Statement {
        match self.place(text, modes) {
            Some(index) => self.statement(index),
            None => &self.uncached,
        }
    }

    /// Classifies `text` and says what it is called in statistics.
    pub fn classify_named(&mut self, text: &[u8], modes: Modes) -> Classified<'_> {
        let place = self.place(text, modes);
        let has_name = text.len() <= MAX_TEXT;
        if place.is_none() && has_name {
            canonical(text, modes, &mut self.canonical);
        }
        match place.and_then(|index| self.entries.get(index)?.as_ref()) {
            Some(entry) => Classified {
                statement: &entry.statement,
                digest: Some(entry.digest),
                canonical: &entry.canonical,
            },
            None => Classified {
                statement: &self.uncached,
                digest: has_name.then(|| digest_with(u64::from(modes.key()), &self.canonical)),
                canonical: &self.canonical,
            },
        }
    }

    /// The entry of `text`, found or made; `None`: its class is in no entry, but in
    /// [`Cache::uncached`].
    #[inline]
    fn place(&mut self, text: &[u8], modes: Modes) -> Option<usize> {
        if self.max_bytes == 0 || text.len() > MAX_TEXT || is_never_cached(text) {
            self.uncached = classify(text, modes);
            return None;
        }
        let hash = match self.shapes.find(text, modes) {
            Known::At(place, _) if self.is_current(place) => {
                let index = place.index as usize;
                self.hit(index);
                return Some(index);
            }
            Known::At(_, hash) | Known::Unknown(hash) => Some(hash),
            Known::Skipped => None,
        };
        canonical(text, modes, &mut self.canonical);
        let digest = digest_with(u64::from(modes.key()), &self.canonical);
        let known = self.find(digest, modes);
        let index = known.or_else(|| self.miss(text, modes, digest))?;
        if let Some(hash) = hash {
            self.remember(hash, text, modes, index);
        }
        if known.is_some() {
            self.hit(index);
        }
        Some(index)
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.stats
    }

    /// Changes the limit; entries beyond it go.
    pub fn set_max_bytes(&mut self, max_bytes: usize) {
        if max_bytes == self.max_bytes {
            return;
        }
        self.max_bytes = max_bytes;
        self.shapes = Shapes::new(max_bytes / SHAPES_SHARE);
        self.make_room(0);
    }

    /// The `count` entries found most often, most often first.
    #[must_use]
    pub fn top(&self, count: usize) -> Vec<CacheEntry> {
        let mut all: Vec<&Entry> = self.entries.iter().flatten().collect();
        all.sort_by(|a, b| (b.hits, &a.canonical).cmp(&(a.hits, &b.canonical)));
        all.truncate(count);
        all.into_iter()
            .map(|entry| CacheEntry {
                canonical: entry.canonical.clone(),
                hits: entry.hits,
                mask: entry.statement.mask,
                size: entry.size,
            })
            .collect()
    }

    fn set_index(&self, digest: u64) -> usize {
        // The number of sets is a power of two.
        digest as usize & (self.sets.len() - 1)
    }

    fn find(&self, digest: u64, modes: Modes) -> Option<usize> {
        let set = self.sets.get(self.set_index(digest))?;
        let tag = (digest >> 32) as u32;
        set.tags
            .iter()
            .zip(&set.slots)
            .filter(|(known, _)| **known == tag)
            .filter_map(|(_, slot)| (*slot as usize).checked_sub(1))
            .find(|index| {
                self.entries
                    .get(*index)
                    .and_then(Option::as_ref)
                    .is_some_and(|entry| {
                        entry.digest == digest
                            && entry.modes == modes
                            && *entry.canonical == *self.canonical
                    })
            })
    }

    fn is_current(&self, place: Place) -> bool {
        matches!(
            self.entries.get(place.index as usize),
            Some(Some(entry)) if entry.serial == place.serial
        )
    }

    /// Takes note that this text, and those of its shape, lead to that entry.
    fn remember(&mut self, hash: u64, text: &[u8], modes: Modes, index: usize) {
        if let Some(Some(entry)) = self.entries.get(index) {
            let place = Place {
                index: index as u32,
                serial: entry.serial,
            };
            self.shapes.remember(hash, text, modes, place);
        }
    }

    fn hit(&mut self, index: usize) {
        self.stats.hits += 1;
        if let Some(Some(entry)) = self.entries.get_mut(index) {
            entry.hits += 1;
            entry.touched = true;
        }
    }

    fn statement(&self, index: usize) -> &Statement {
        match self.entries.get(index) {
            Some(Some(entry)) => &entry.statement,
            _ => &self.uncached,
        }
    }

    /// Classifies the text and makes an entry of it; `None`: its class, which is in no entry, is
    /// [`Cache::uncached`].
    #[cold]
    fn miss(&mut self, text: &[u8], modes: Modes, digest: u64) -> Option<usize> {
        self.stats.misses += 1;
        let statement = classify(text, modes);
        let size = size_of(&statement) + self.canonical.len();
        if !statement.cacheable || size > self.entry_bytes() {
            self.uncached = statement;
            return None;
        }
        self.make_room(size);
        Some(self.insert(Entry {
            serial: self.stats.inserts,
            digest,
            modes,
            canonical: self.canonical.as_slice().into(),
            statement,
            hits: 0,
            size,
            touched: true,
        }))
    }

    /// What the entries may take together.
    fn entry_bytes(&self) -> usize {
        self.max_bytes - self.shapes.reserved_bytes()
    }

    fn insert(&mut self, entry: Entry) -> usize {
        // A quarter full: sets that overflow, and evict what is in use, are rare then.
        if self.stats.entries >= self.sets.len() * WAYS / 4 {
            self.grow();
        }
        let digest = entry.digest;
        self.stats.size += entry.size;
        self.stats.entries += 1;
        self.stats.inserts += 1;
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None => {
                self.entries.push(None);
                self.entries.len() - 1
            }
        };
        if let Some(slot) = self.entries.get_mut(index) {
            *slot = Some(entry);
        }
        self.link(digest, index);
        index
    }

    /// Puts an index into its set, in place of another if the set is full.
    fn link(&mut self, digest: u64, index: usize) {
        let at = self.set_index(digest);
        let Some(set) = self.sets.get(at) else {
            return;
        };
        let empty = set.slots.iter().position(|slot| *slot == 0);
        let way = empty.unwrap_or_else(|| self.least_used(set));
        let old = set.slots.get(way).copied().unwrap_or(0) as usize;
        if let Some(old) = old.checked_sub(1) {
            self.evict(old);
        }
        if let Some(set) = self.sets.get_mut(at) {
            for (position, (tag, slot)) in set.tags.iter_mut().zip(&mut set.slots).enumerate() {
                if position == way {
                    *tag = (digest >> 32) as u32;
                    *slot = index as u32 + 1;
                }
            }
        }
    }

    /// The way of a full set whose entry was found least often.
    fn least_used(&self, set: &Set) -> usize {
        let hits = |slot: &u32| {
            let entry = self.entries.get((*slot as usize).wrapping_sub(1));
            entry.and_then(Option::as_ref).map_or(0, |entry| entry.hits)
        };
        let ways = set.slots.iter().enumerate();
        ways.min_by_key(|(_, slot)| hits(slot))
            .map_or(0, |(way, _)| way)
    }

    fn evict(&mut self, index: usize) {
        let Some(entry) = self.entries.get_mut(index).and_then(Option::take) else {
            return;
        };
        self.stats.size -= entry.size;
        self.stats.entries -= 1;
        self.stats.evictions += 1;
        self.free.push(index as u32);
        let at = self.set_index(entry.digest);
        if let Some(set) = self.sets.get_mut(at) {
            for (tag, slot) in set.tags.iter_mut().zip(&mut set.slots) {
                if *slot == index as u32 + 1 {
                    *tag = 0;
                    *slot = 0;
                }
            }
        }
    }

    /// Evicts until `size` more bytes fit: the hand goes round and takes what was not used since
    /// it came by last.
    fn make_room(&mut self, size: usize) {
        while self.stats.entries > 0 && self.stats.size + size > self.entry_bytes() {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            let index = self.hand;
            self.hand += 1;
            let Some(Some(entry)) = self.entries.get_mut(index) else {
                continue;
            };
            if std::mem::take(&mut entry.touched) {
                continue;
            }
            self.evict(index);
        }
    }

    /// Doubles the sets.
    fn grow(&mut self) {
        self.sets = vec![Set::default(); self.sets.len() * 2];
        let digests: Vec<(usize, u64)> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((index, entry.as_ref()?.digest)))
            .collect();
        for (index, digest) in digests {
            self.link(digest, index);
        }
    }
}

/// Whether the first word shows that the literals decide the class. A text that hides it is
/// classified as not cacheable, which only costs more.
fn is_never_cached(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let begins = |word: &[u8]| {
        text.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    match text.first() {
        Some(b'S' | b's') => begins(b"SET "),
        Some(b'P' | b'p') => begins(b"PREPARE "),
        Some(b'E' | b'e') => begins(b"EXECUTE "),
        Some(b'K' | b'k') => begins(b"KILL "),
        _ => false,
    }
}

/// The memory that an entry for the statement takes, apart from the text.
fn size_of(statement: &Statement) -> usize {
    let tables = match &statement.tables {
        TableUse::Many => 0,
        TableUse::Named(tables) => tables
            .iter()
            .map(|table| {
                std::mem::size_of_val(table)
                    + table.name.len()
                    + table.schema.as_ref().map_or(0, |schema| schema.len())
            })
            .sum(),
    };
    let variables: usize = statement
        .variables
        .iter()
        .map(|variable| std::mem::size_of_val(variable) + variable.name.len())
        .sum();
    let parts: usize = statement.parts.iter().map(size_of).sum();
    std::mem::size_of::<Entry>() + std::mem::size_of::<Set>() / 2 + tables + variables + parts
}

#[cfg(test)]
mod tests;
