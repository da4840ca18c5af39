//! Texts that come again, byte for byte or with other plain literals: the way past their canonical
//! form.
//!
//! A table of texts that were classified lately, each with the entry of the cache it led to. Its
//! plain literals, runs of digits and strings without escapes, are holes; a text fits that is equal
//! outside of the holes and has literals of the same kinds in them. Then the lexer finds the same
//! tokens in both, so their canonical forms are equal; a property test holds the table to that.
//!
//! It pays where clients repeat texts and is in the way where they do not, so it keeps account of
//! its use: in debt it looks at one text of [`SAMPLE`] only, until those come again.
//!
//! The table never grows beyond [`Shapes::reserved_bytes`]. It holds no classifications: what must
//! not be kept is in no entry and so never here.

use memchr::memchr2;

use crate::digest::digest_with;
use crate::lexer::{Kind, Lexer, Reading};
use crate::modes::{Modes, Multibyte};

/// Longer texts are not kept.
const MAX_TEXT: usize = 1024;

/// Literals beyond these are no holes.
const MAX_HOLES: usize = 24;

/// Shapes whose hashes share a set.
const WAYS: usize = 4;

/// The most sets.
const MAX_SETS: usize = 64;

/// What of a text is hashed: its beginning, where literals are rare.
const HEAD: usize = 12;

/// Of so many texts one is looked at while that does not pay. A prime: statements that come in
/// turns are all looked at in time.
const SAMPLE: u32 = 17;

/// Of so many texts that fit nothing one is kept: making a shape costs more than not finding one.
const LEARN: u32 = 4;

/// What a text that fits earns, in the cost of one that does not.
const GAIN: u32 = 3;

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
    /// Nothing; [`Shapes::remember`] may keep it under this hash.
    Unknown(u64),
    /// Nothing, and it is not worth to keep it.
    Skipped,
}

/// A literal: what lies in `start..end` may be other digits, or what else a string may hold.
#[derive(Clone, Copy, Debug)]
struct Hole {
    start: u16,
    end: u16,
    /// The quote around it; `None`: digits.
    quote: Option<u8>,
}

#[derive(Default)]
struct Shape {
    hash: u64,
    modes: Modes,
    place: Option<Place>,
    /// Found since it was kept, or since another wanted its slot.
    warm: bool,
    text: Vec<u8>,
    holes: Vec<Hole>,
}

/// The table; each shape has one set of slots it can be in.
pub(super) struct Shapes {
    slots: Box<[Shape]>,
    credit: u32,
    /// Texts passed over since the last that was looked at.
    skipped: u32,
    /// Texts that fitted nothing since the last that was kept.
    unknown: u32,
}

impl Shapes {
    /// A table that stays within `max_bytes`; with too few to be of use it keeps nothing.
    pub(super) fn new(max_bytes: usize) -> Shapes {
        let most = max_bytes / (WAYS * SLOT_BYTES);
        let sets = match most.checked_ilog2() {
            Some(bits) => (1 << bits).min(MAX_SETS),
            None => 0,
        };
        Shapes {
            slots: (0..sets * WAYS).map(|_| Shape::default()).collect(),
            credit: MAX_CREDIT,
            skipped: 0,
            unknown: 0,
        }
    }

    /// The memory it may come to take.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.slots.len() * SLOT_BYTES
    }

    /// Looks a text up, unless that does not pay.
    #[inline]
    pub(super) fn find(&mut self, text: &[u8], modes: Modes) -> Known {
        let in_debt = self.credit == 0;
        if in_debt {
            self.skipped += 1;
            if self.skipped < SAMPLE {
                return Known::Skipped;
            }
            self.skipped = 0;
        }
        self.look_up(text, modes, in_debt)
    }

    fn look_up(&mut self, text: &[u8], modes: Modes, in_debt: bool) -> Known {
        if text.len() > MAX_TEXT || modes.multibyte != Multibyte::None {
            return Known::Skipped;
        }
        let head = text.get(..HEAD).unwrap_or(text);
        let hash = digest_with(u64::from(modes.key()), head);
        let found = self.set(hash).iter_mut().find_map(|shape| {
            let place = shape.place?;
            let fits = shape.hash == hash && shape.modes == modes && shape.fits(text);
            shape.warm |= fits;
            fits.then_some(place)
        });
        if let Some(place) = found {
            self.credit = (self.credit + GAIN).min(MAX_CREDIT);
            return Known::At(place, hash);
        }
        self.credit = self.credit.saturating_sub(1);
        self.unknown += 1;
        if in_debt || self.unknown >= LEARN {
            self.unknown = 0;
            return Known::Unknown(hash);
        }
        Known::Skipped
    }

    /// Keeps a text in place of one that was not of use lately.
    pub(super) fn remember(&mut self, hash: u64, text: &[u8], modes: Modes, place: Place) {
        let set = self.set(hash);
        let known = |shape: &Shape| {
            shape.place.is_some() && shape.hash == hash && shape.modes == modes && shape.fits(text)
        };
        if let Some(shape) = set.iter_mut().find(|shape| known(shape)) {
            shape.place = Some(place);
            return;
        }
        let empty = set.iter().position(|shape| shape.place.is_none());
        let cold = || {
            set.iter_mut()
                .position(|shape| !std::mem::take(&mut shape.warm))
        };
        let Some(shape) = empty.or_else(cold).and_then(|ix| set.get_mut(ix)) else {
            return;
        };
        shape.place = None;
        if shape.take(text, modes) {
            shape.hash = hash;
            shape.place = Some(place);
            // It gets its chance.
            shape.warm = true;
        }
    }

    fn set(&mut self, hash: u64) -> &mut [Shape] {
        // The number of sets is a power of two, or 0.
        let sets = self.slots.len() / WAYS;
        let start = (hash as usize & sets.wrapping_sub(1)).wrapping_mul(WAYS);
        self.slots
            .get_mut(start..start.saturating_add(WAYS))
            .unwrap_or_default()
    }
}

/// The memory of one slot with everything in it.
const SLOT_BYTES: usize = size_of::<Shape>() + MAX_TEXT + MAX_HOLES * size_of::<Hole>();

impl Shape {
    /// Becomes the shape of `text`; false if it has none.
    fn take(&mut self, text: &[u8], modes: Modes) -> bool {
        self.modes = modes;
        self.text.clear();
        // Exactly: a longer capacity would be more than what is reserved.
        self.text.reserve_exact(text.len());
        self.text.extend_from_slice(text);
        self.holes.clear();
        self.holes.reserve_exact(MAX_HOLES);
        let mut lexer = Lexer::new(text, modes, Reading::Run);
        loop {
            let token = lexer.next();
            match token.kind {
                Kind::End => return true,
                // What a comment's end is may depend on what is in a string.
                Kind::CodeOpen | Kind::ConditionalOpen | Kind::CodeClose | Kind::Broken => {
                    return false;
                }
                Kind::Number | Kind::Text if self.holes.len() < MAX_HOLES => {
                    self.holes.extend(hole(text, token.start, token.end));
                }
                _ => {}
            }
        }
    }

    /// Is `text` the same but for what is in the holes?
    fn fits(&self, text: &[u8]) -> bool {
        let (mut from, mut rest) = (0, text);
        for hole in &self.holes {
            let Some(fixed) = self.text.get(from..usize::from(hole.start)) else {
                return false;
            };
            let Some(after) = rest.strip_prefix(fixed) else {
                return false;
            };
            let filled = match hole.quote {
                None => after.iter().position(|byte| !byte.is_ascii_digit()),
                Some(quote) => memchr2(quote, b'\\', after),
            };
            let len = filled.unwrap_or(after.len());
            if len == 0 && hole.quote.is_none() {
                return false;
            }
            rest = after.get(len..).unwrap_or_default();
            from = usize::from(hole.end);
        }
        self.text.get(from..) == Some(rest)
    }
}

/// The hole that a literal at `start..end` makes, if it is a plain one. What stands around it is no
/// part of the hole and says as before where the literal begins and ends.
fn hole(text: &[u8], start: usize, end: usize) -> Option<Hole> {
    let (inner, quote) = match text.get(start..end)? {
        [quote @ (b'\'' | b'"'), inner @ .., last] if quote == last => (inner, Some(*quote)),
        digits => (digits, None),
    };
    let plain = match quote {
        Some(quote) => memchr2(quote, b'\\', inner).is_none(),
        None => inner.iter().all(u8::is_ascii_digit),
    };
    let margin = usize::from(quote.is_some());
    plain.then_some(Hole {
        start: u16::try_from(start + margin).ok()?,
        end: u16::try_from(end - margin).ok()?,
        quote,
    })
}

#[cfg(test)]
mod tests;
