//! Texts that come again byte for byte: the way past their canonical form.
//!
//! A table of texts that were classified lately, each with the entry of the cache it led to. It
//! pays where clients repeat texts literally and is in the way where they do not, so it keeps
//! account of its use: in debt it looks at one text of [`SAMPLE`] only, until those come again.
//!
//! A text is never taken for another because of equal hashes: all of it is compared. The table
//! never grows beyond [`Exact::reserved_bytes`]. It holds texts alone, no classifications: what
//! must not be kept is in no entry and so never here.

use crate::digest::digest_with;
use crate::modes::Modes;

/// Longer texts are not kept.
const MAX_TEXT: usize = 1024;

/// The most texts that are kept.
const MAX_SLOTS: usize = 256;

/// Of so many texts one is looked at while that does not pay. A prime: statements that come in
/// turns are all looked at in time.
const SAMPLE: u32 = 17;

/// What a text that was known earns, in the cost of one that was not.
const GAIN: u32 = 8;

/// The most credit: how soon the table notices that the work has changed.
const MAX_CREDIT: u32 = 128;

/// Where an entry of the cache is. The serial number tells it from those that had its place before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) index: u32,
    pub(super) serial: u64,
}

/// What the table knows of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// Which entry it led to, and the text's hash.
    At(Place, u64),
    /// Nothing; with the text's hash.
    Unknown(u64),
    /// It was not looked at.
    Skipped,
}

#[derive(Default)]
struct Slot {
    hash: u64,
    modes: Modes,
    place: Option<Place>,
    /// Found since it was kept, or since another text wanted its slot.
    warm: bool,
    text: Vec<u8>,
}

/// The table; each text has one slot it can be in.
pub(super) struct Exact {
    slots: Box<[Slot]>,
    credit: u32,
    /// Texts passed over since the last that was looked at.
    skipped: u32,
}

impl Exact {
    /// A table that stays within `max_bytes`; with too few to be of use it keeps nothing.
    pub(super) fn new(max_bytes: usize) -> Exact {
        let most = max_bytes / (MAX_TEXT + size_of::<Slot>());
        let slots = match most.checked_ilog2() {
            Some(bits) => (1 << bits).min(MAX_SLOTS),
            None => 0,
        };
        Exact {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            credit: MAX_CREDIT,
            skipped: 0,
        }
    }

    /// The memory it may come to take.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.slots.len() * (MAX_TEXT + size_of::<Slot>())
    }

    /// Looks a text up, unless that does not pay.
    #[inline]
    pub(super) fn find(&mut self, text: &[u8], modes: Modes) -> Known {
        if self.credit == 0 {
            self.skipped += 1;
            if self.skipped < SAMPLE {
                return Known::Skipped;
            }
            self.skipped = 0;
        }
        self.look_up(text, modes)
    }

    fn look_up(&mut self, text: &[u8], modes: Modes) -> Known {
        if text.len() > MAX_TEXT {
            return Known::Skipped;
        }
        let hash = digest_with(u64::from(modes.key()), text);
        let Some(slot) = self.slot(hash) else {
            return Known::Skipped;
        };
        match slot.place {
            Some(place) if slot.hash == hash && slot.modes == modes && slot.text == text => {
                slot.warm = true;
                self.credit = (self.credit + GAIN).min(MAX_CREDIT);
                Known::At(place, hash)
            }
            _ => {
                self.credit = self.credit.saturating_sub(1);
                Known::Unknown(hash)
            }
        }
    }

    /// Keeps a text in place of the one in its slot, unless that one was of use lately.
    pub(super) fn remember(&mut self, hash: u64, text: &[u8], modes: Modes, place: Place) {
        let Some(slot) = self.slot(hash) else { return };
        if std::mem::take(&mut slot.warm) && slot.hash != hash {
            return;
        }
        slot.hash = hash;
        slot.modes = modes;
        slot.place = Some(place);
        slot.text.clear();
        // Exactly: a longer capacity would be more than what is reserved.
        slot.text.reserve_exact(text.len());
        slot.text.extend_from_slice(text);
    }

    fn slot(&mut self, hash: u64) -> Option<&mut Slot> {
        // The number of slots is a power of two, or 0. The high bits are the better mixed ones.
        let index = (hash >> 40) as usize & self.slots.len().wrapping_sub(1);
        self.slots.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: Modes = Modes {
        ansi_quotes: false,
        no_backslash_escapes: false,
        oracle: false,
        mysql_family: false,
        multibyte: crate::Multibyte::None,
    };

    /// Looks a text up and keeps it under that place.
    fn turn(table: &mut Exact, text: &str, index: u32) -> Known {
        let known = table.find(text.as_bytes(), MODES);
        if let Known::Unknown(hash) = known {
            let place = Place { index, serial: 0 };
            table.remember(hash, text.as_bytes(), MODES, place);
        }
        known
    }

    fn is_known(known: Known) -> bool {
        matches!(known, Known::At(..))
    }

    #[test]
    fn a_text_is_known_under_its_own_modes_only() {
        let mut table = Exact::new(1 << 20);
        turn(&mut table, "SELECT 1", 7);
        let place = Place {
            index: 7,
            serial: 0,
        };
        assert!(matches!(turn(&mut table, "SELECT 1", 7), Known::At(at, _) if at == place));
        let oracle = Modes {
            oracle: true,
            ..MODES
        };
        assert!(!is_known(table.find(b"SELECT 1", oracle)));
        assert!(!is_known(table.find(b"SELECT 2", MODES)));
    }

    #[test]
    fn texts_that_never_come_again_are_soon_let_alone_and_noticed_when_they_do() {
        let mut table = Exact::new(1 << 20);
        let looks = (0..2000)
            .filter(|number| turn(&mut table, &format!("SELECT {number}"), 0) != Known::Skipped)
            .count();
        let most = MAX_CREDIT + 2000 / SAMPLE + 1;
        assert!(looks <= most as usize, "{looks}");
        let found = (0..2000)
            .filter(|_| is_known(turn(&mut table, "SELECT 'again'", 0)))
            .count();
        assert!(found > 2000 - 3 * SAMPLE as usize, "{found}");
    }

    #[test]
    fn a_text_that_is_in_use_stays_where_others_come_once() {
        let mut table = Exact::new(1 << 20);
        let mut found = 0;
        for number in 0..4000 {
            found += usize::from(is_known(turn(&mut table, "SELECT 'popular'", 0)));
            turn(&mut table, &format!("SELECT {number}"), 0);
        }
        assert!(found > 3900, "{found}");
    }

    #[test]
    fn memory_stays_within_what_is_reserved() {
        let mut table = Exact::new(1 << 16);
        assert!(table.reserved_bytes() <= 1 << 16);
        for number in 0..5000 {
            table.credit = MAX_CREDIT;
            let text = format!("SELECT '{}'", "x".repeat(number * 7 % 1500));
            turn(&mut table, &text, 0);
        }
        let texts: usize = table.slots.iter().map(|slot| slot.text.capacity()).sum();
        assert!(texts + size_of_val(&*table.slots) <= table.reserved_bytes());
    }

    #[test]
    fn with_little_memory_nothing_is_kept() {
        let mut table = Exact::new(500);
        assert_eq!(turn(&mut table, "SELECT 1", 0), Known::Skipped);
        assert_eq!(turn(&mut table, "SELECT 1", 0), Known::Skipped);
        assert_eq!(table.reserved_bytes(), 0);
    }
}
