//! Closed lists of words: enumerations and sets of them, declared by [`words!`](crate::words!).

use std::fmt;
use std::marker::PhantomData;

/// An enumeration whose variants have fixed words in files and over REST.
pub trait Word: Copy + PartialEq + 'static {
    /// The words, in the order of the variants; at most 64.
    const WORDS: &'static [&'static str];
    /// The first variant.
    const FIRST: Self;
    /// Position of this variant in [`Word::WORDS`].
    fn index(self) -> usize;
    /// The word of this variant.
    fn word(self) -> &'static str;
    /// The variant of a word, compared exactly.
    fn from_word(word: &str) -> Option<Self>;
}

/// A set of words of one enumeration, kept in declaration order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WordSet<W> {
    bits: u64,
    of: PhantomData<fn() -> W>,
}

impl<W: Word> WordSet<W> {
    /// The set of these words.
    #[must_use]
    pub fn of(words: &[W]) -> Self {
        Self::from_bits(words.iter().fold(0, |bits, word| bits | 1 << word.index()))
    }

    /// The set with bit n for the word with index n.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            bits,
            of: PhantomData,
        }
    }

    /// Bit n stands for the word with index n.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.bits
    }

    /// Whether `word` is in the set.
    #[must_use]
    pub fn contains(self, word: W) -> bool {
        self.bits >> word.index() & 1 == 1
    }

    /// The set with `word` in it.
    #[must_use]
    pub fn with(self, word: W) -> Self {
        Self::from_bits(self.bits | 1 << word.index())
    }

    /// The set with `word` not in it.
    #[must_use]
    pub fn without(self, word: W) -> Self {
        Self::from_bits(self.bits & !(1 << word.index()))
    }

    /// Whether no word is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The words as text, in declaration order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        words_of(W::WORDS, self.bits)
    }
}

impl<W: Word> fmt::Debug for WordSet<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.words()).finish()
    }
}

/// The words whose bits are set.
pub(crate) fn words_of(
    words: &'static [&'static str],
    bits: u64,
) -> impl Iterator<Item = &'static str> {
    words
        .iter()
        .enumerate()
        .filter(move |(index, _)| bits >> index & 1 == 1)
        .map(|(_, word)| *word)
}

/// Declares an enumeration with the words its variants have in files and over REST.
///
/// Besides [`Word`](crate::Word) the type gets constructors for parameters: `.param()` on a
/// variant (one word, this is the default), `mask(bits)` and `list(bits)` on the type, with
/// `.bit()` of each default variant.
///
/// ```
/// tidegate_config::words! {
///     /// What happens to the colour.
///     pub enum Colour { Red = "red", Blue = "blue" }
/// }
/// use tidegate_config::Word;
/// assert_eq!(Colour::from_word("blue"), Some(Colour::Blue));
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $( $(#[$about:meta])* $variant:ident = $word:literal ),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $( $(#[$about])* #[doc = ::core::concat!("`", $word, "`.")] $variant ),+
        }

        impl $crate::Word for $name {
            const WORDS: &'static [&'static str] = &[$($word),+];
            const FIRST: Self = [$(Self::$variant),+][0];

            fn index(self) -> usize {
                self as usize
            }

            fn word(self) -> &'static str {
                self.text()
            }

            fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        #[allow(dead_code, unreachable_pub)]
        impl $name {
            /// The word of this variant.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The bit of this variant in a set.
            #[must_use]
            pub const fn bit(self) -> u64 {
                1 << self as u64
            }

            /// A parameter of one word with this default.
            #[must_use]
            pub const fn param(self) -> $crate::Param<Self> {
                $crate::declare::one_word(<Self as $crate::Word>::WORDS, self.text())
            }

            /// A parameter of several words, joined by commas over REST, with these defaults.
            #[must_use]
            pub const fn mask(bits: u64) -> $crate::Param<$crate::WordSet<Self>> {
                $crate::declare::mask(<Self as $crate::Word>::WORDS, bits)
            }

            /// A parameter of several words, an array over REST, with these defaults.
            #[must_use]
            pub const fn list(bits: u64) -> $crate::Param<$crate::WordSet<Self>> {
                $crate::declare::word_list(<Self as $crate::Word>::WORDS, bits)
            }
        }

        impl $crate::Field for $name {
            fn from_value(value: &$crate::Value) -> Self {
                match value {
                    $crate::Value::Word(word) => <Self as $crate::Word>::from_word(word),
                    _ => None,
                }
                .unwrap_or(<Self as $crate::Word>::FIRST)
            }

            fn to_value(&self) -> $crate::Value {
                $crate::Value::Word(self.text())
            }
        }
    };
}
