//! What happened, as one number always and as text when somebody wants to read it.

/// The trace of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    /// Kept only for a schedule that is replayed.
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(readable: bool) -> Trace {
        Trace {
            hash: 0xCBF2_9CE4_8422_2325,
            lines: readable.then(Vec::new),
        }
    }

    /// Something happened; the numbers say what, the text says it to a person.
    pub(crate) fn note(&mut self, numbers: &[u64], text: impl FnOnce() -> String) {
        for number in numbers {
            self.hash = (self.hash ^ number)
                .wrapping_mul(0x0000_0100_0000_01B3)
                .rotate_left(23);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(text());
        }
    }

    /// Lines from elsewhere.
    pub(crate) fn insert(&mut self, story: &mut Option<Vec<String>>) {
        if let (Some(lines), Some(story)) = (&mut self.lines, story) {
            lines.append(story);
        }
    }

    /// Bytes went somewhere.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.hash = (self.hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
