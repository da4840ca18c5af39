//! A table of words, built by the compiler and asked in constant time without regard to letter
//! case.

/// Open addressing over word indices; 0 is an empty slot, n the word with index n - 1.
pub(crate) struct Words<const SLOTS: usize> {
    words: &'static [&'static str],
    slots: [u16; SLOTS],
    longest: usize,
}

impl<const SLOTS: usize> Words<SLOTS> {
    /// The table of `words`. `SLOTS` must be a power of two and more than the words.
    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    pub(crate) const fn new(words: &'static [&'static str]) -> Self {
        assert!(SLOTS.is_power_of_two() && words.len() < SLOTS && SLOTS <= 1 << 15);
        let mut slots = [0; SLOTS];
        let mut longest = 0;
        let mut index = 0;
        while index < words.len() {
            let word = words[index].as_bytes();
            if word.len() > longest {
                longest = word.len();
            }
            let mut slot = hash(word) & (SLOTS - 1);
            while slots[slot] != 0 {
                slot = (slot + 1) & (SLOTS - 1);
            }
            slots[slot] = index as u16 + 1;
            index += 1;
        }
        Words {
            words,
            slots,
            longest,
        }
    }

    /// The index of `word`.
    pub(crate) fn find(&self, word: &[u8]) -> Option<usize> {
        if word.len() > self.longest {
            return None;
        }
        let mut slot = hash(word) & (SLOTS - 1);
        loop {
            let index = usize::from(*self.slots.get(slot)?).checked_sub(1)?;
            let known = self.words.get(index)?;
            if known.as_bytes().eq_ignore_ascii_case(word) {
                return Some(index);
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }
}

const fn hash(word: &[u8]) -> usize {
    let mut state: u32 = 0x811C_9DC5;
    let mut rest = word;
    while let Some((byte, tail)) = rest.split_first() {
        state = (state ^ (*byte | 0x20) as u32).wrapping_mul(0x0100_0193);
        rest = tail;
    }
    (state ^ (state >> 15)) as usize
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn finds_words_in_any_letter_case_and_no_others() {
        static WORDS: Words<8> = Words::new(&["ONE", "TWO", "THREE", "X_1"]);
        assert_eq!(WORDS.find(b"two"), Some(1));
        assert_eq!(WORDS.find(b"X_1"), Some(3));
        assert_eq!(WORDS.find(b"four"), None);
        assert_eq!(WORDS.find(b"threee"), None);
        assert_eq!(WORDS.find(b""), None);
    }
}
